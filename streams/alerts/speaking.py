"""Groups that are due speak: by themselves, or, where too many would at once, folded into a flood.

Their messages and what is noted of them as told are one transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, insert, select, update

from gate.effects import derived_id
from gate.facts import Instant
from gate.policy import SECOND
from streams.alerts import tables as t
from streams.alerts.config import Channel, Config, Grouping
from streams.alerts.grouping import next_due, over
from streams.alerts.messages import message_id, of_flood, of_group
from streams.stores import put

WINDOW: Final = 60 * SECOND
"""In which groups that speak are counted."""
PORTION: Final = 2_000
"""Groups that speak in one transaction."""

Row = dict[str, Any]


def speak(engine: Engine, config: Config, now: Instant) -> dict[tuple[str, str], int]:
    """Everything that is due now; how many messages by channel and kind. Called again it says nothing twice."""
    said: dict[tuple[str, str], int] = {}
    for channel in config.channels.values():
        for urgent in (True, False):
            with engine.begin() as connection:
                speaker = _Speaker(connection, channel, config.grouping, urgent, now)
                speaker.all()
            for kind in speaker.said:
                said[channel.name, kind] = said.get((channel.name, kind), 0) + 1
    return said


class _Speaker:
    """One receiver, and of his groups the urgent or the others."""

    def __init__(self, connection: Connection, channel: Channel, times: Grouping, urgent: bool, now: Instant) -> None:
        self._connection, self._channel, self._times = connection, channel, times
        self._urgent, self._now = urgent, now
        self._deliveries: list[Row] = []
        self.said: list[str] = []

    def all(self) -> None:
        """What is due, by itself or folded; then the floods themselves."""
        due, floods = self._due(), self._floods()
        if not due and not floods:
            return
        flood = next((f for f in floods if f["open"]), None)
        alone = [g for g in due if self._closes_alone(g)]
        rest = [g for g in due if not self._closes_alone(g)]
        voices = [g for g in rest if g["new"] or g["changed"]]
        loud = len(voices) + self._recent() > self._times.flood
        if flood is None and loud and voices:
            flood = self._begin()
        if flood is None:
            alone, rest = due, []
        for group in alone:
            self._by_itself(group)
        self._tell([g["id"] for g in alone])
        if flood is not None:
            self._fold(flood, rest)
        put(self._connection, t.group, due)
        if flood is not None:
            self._go_on(flood, loud)
        for ended in floods:
            if not ended["open"]:
                self._settle(ended)
        if self._deliveries:
            self._connection.execute(insert(t.delivery), self._deliveries)

    def _due(self) -> list[Row]:
        g = t.group
        of = (g.c.channel == self._channel.name) & (g.c.due <= self._now) & g.c.urgent.is_(self._urgent)
        rows = self._connection.execute(select(g).where(of).order_by(g.c.due, g.c.id).limit(PORTION)).mappings()
        return [dict(r) for r in rows]

    def _recent(self) -> int:
        """Groups that spoke within the window, without those that are due again."""
        g = t.group
        of = (g.c.channel == self._channel.name) & g.c.urgent.is_(self._urgent) & (g.c.told > self._now - WINDOW)
        of &= g.c.due.is_(None) | (g.c.due > self._now)
        return int(self._connection.execute(select(func.count()).select_from(g).where(of)).scalar_one())

    def _closes_alone(self, group: Row) -> bool:
        """A receiver that was told of a group by itself hears so that it is over, also within a flood."""
        return bool(group["alone"]) and self._channel.closings and over(group, self._times, self._now)

    def _by_itself(self, group: Row) -> None:
        """The group's own message, where there is something to say."""
        ends = over(group, self._times, self._now)
        new, changed = group["new"], group["changed"]
        if new or changed or (ends and group["open"] and group["alone"] and self._channel.closings):
            kind = "opened" if not group["alone"] else "corrected" if changed else "updated" if new else "closed"
            group["sent"] += 1
            group["alone"] = True
            self._say(group, kind, of_group(self._connection, self._channel, group, kind, ends, self._now))
        self._spoke(group, ends)

    def _spoke(self, group: Row, ends: bool) -> None:
        if group["new"] or group["changed"]:
            group["told"] = self._now
        group["new"] = group["changed"] = 0
        if ends:
            group["open"] = False
        group["due"] = next_due(group, self._times, self._now)

    def _tell(self, groups: Sequence[str]) -> None:
        for table in (t.member, t.correction):
            for first in range(0, len(groups), t.AT_ONCE):
                some = table.c.group.in_(groups[first : first + t.AT_ONCE]) & table.c.told.is_(False)
                self._connection.execute(update(table).where(some).values(told=True))

    def _say(self, about: Mapping[str, Any], kind: str, body: bytes) -> None:
        self.said.append(kind)
        self._deliveries.append(
            {
                "id": message_id(about["id"], about["sent"]),
                "channel": self._channel.name,
                "about": about["id"],
                "sequence": about["sent"],
                "kind": kind,
                "body": body,
                "state": "waiting",
                "created": self._now,
                "due": self._now,
                "attempts": 0,
                "said": "",
            }
        )

    def _floods(self) -> list[Row]:
        """Those that go on, and those of which something is still held."""
        f = t.flood
        of = (f.c.channel == self._channel.name) & f.c.urgent.is_(self._urgent) & f.c.settled.is_(False)
        return [dict(r) for r in self._connection.execute(select(f).where(of)).mappings()]

    def _begin(self) -> Row:
        return {
            "id": derived_id("fld", self._channel.name, str(self._urgent), str(self._now)),
            "channel": self._channel.name,
            "urgent": self._urgent,
            "open": True,
            "settled": False,
            "opened": self._now,
            "loud": self._now,
            "groups": 0,
            "told": 0,
            "sent": 0,
        }

    def _fold(self, flood: Row, groups: Sequence[Row]) -> None:
        """What these groups have to say becomes counts of the flood."""
        for group in groups:
            if (group["new"] or group["changed"]) and group["flood"] != flood["id"]:
                group["flood"] = flood["id"]
                flood["groups"] += 1
        ids = [g["id"] for g in groups if g["new"] or g["changed"]]
        counted: dict[tuple[str, str, str, str], int] = {}
        for first in range(0, len(ids), t.AT_ONCE):
            self._count(ids[first : first + t.AT_ONCE], counted)
        self._add_up(flood["id"], counted)
        self._tell(ids)
        for group in groups:
            self._spoke(group, over(group, self._times, self._now))

    def _count(self, ids: Sequence[str], counted: dict[tuple[str, str, str, str], int]) -> None:
        g, m, c = t.group, t.member, t.correction
        changed = c.c.was + ">" + c.c.now
        for what, table, state in (("new", m, m.c.came), ("correction", c, changed)):
            lines = (
                select(g.c.reason, g.c.service, state.label("state"), func.count().label("count"))
                .select_from(table.join(g, table.c.group == g.c.id))
                .where(g.c.id.in_(ids) & table.c.told.is_(False))
                .group_by(g.c.reason, g.c.service, state)
            )
            for row in self._connection.execute(lines).mappings():
                of = (what, row["reason"], row["service"], row["state"])
                counted[of] = counted.get(of, 0) + row["count"]

    def _add_up(self, flood: str, counted: Mapping[tuple[str, str, str, str], int]) -> None:
        names = ("what", "reason", "service", "state")
        known = {
            tuple(r[n] for n in names): dict(r)
            for r in self._connection.execute(select(t.tally).where(t.tally.c.flood == flood)).mappings()
        }
        rows = []
        for of, count in counted.items():
            row = known.get(of) or {"flood": flood, **dict(zip(names, of, strict=True)), "count": 0, "untold": 0}
            row["count"] += count
            row["untold"] += count
            rows.append(row)
        put(self._connection, t.tally, rows)

    def _go_on(self, flood: Row, loud: bool) -> None:
        """Its first message at once, the next after a minute, then as often as groups are updated; calm ends it."""
        if loud:
            flood["loud"] = self._now
        ends = self._now - flood["loud"] >= self._times.flood_quiet
        spacing = WINDOW if flood["sent"] == 1 else self._times.update
        news = flood["sent"] == 0 or (self._now >= flood["told"] + spacing and self._untold(flood["id"]))
        flood["open"] = not ends
        if ends or news:
            self._flood_says(flood, "closed" if ends else "updated" if flood["sent"] else "opened")
        else:
            put(self._connection, t.flood, [flood])

    def _untold(self, flood: str) -> bool:
        of = (t.tally.c.flood == flood) & (t.tally.c.untold > 0)
        return bool(self._connection.execute(select(func.count()).select_from(t.tally).where(of)).scalar_one())

    def _settle(self, flood: Row) -> None:
        """A flood that has ended is over when the last of it is held no longer."""
        if not self._holds(flood):
            self._flood_says(flood, "settled")

    def _holds(self, flood: Row) -> bool:
        """Whether anything of it is held; asked four times a second for as long as something is, so nothing is counted."""
        of = (t.group.c.flood == flood["id"]) & (t.group.c.held > 0)
        return self._connection.execute(select(t.group.c.id).where(of).limit(1)).first() is not None

    def _flood_says(self, flood: Row, kind: str) -> None:
        ends = not flood["open"] and not self._holds(flood)
        flood["settled"] = ends
        flood["sent"] += 1
        flood["told"] = self._now
        self._say(flood, kind, of_flood(self._connection, flood, kind, ends, self._now))
        put(self._connection, t.flood, [flood])
        of = t.tally.c.flood == flood["id"]
        self._connection.execute(update(t.tally).where(of).values(untold=0))
