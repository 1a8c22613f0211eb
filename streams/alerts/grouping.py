"""What happened, into groups: each batch with its places in the logs in one transaction, so nothing is lost or doubled.

A group is what one receiver is told of one client, leading reason and service. What came in is counted once, and stays
counted: as held, blocked or a case while it stands, and as gone after it was replaced, refused or has lapsed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from gate.effects import derived_id
from gate.facts import Instant
from gate.policy import DAY
from streams.alerts import tables as t
from streams.alerts.config import Channel, Config, Grouping
from streams.alerts.happened import (
    BLOCKED,
    CASE,
    COUNTED,
    HELD,
    LAPSED,
    REFUSED,
    REPLACED,
    URGENT,
    Happened,
    Refusal,
    Unreadable,
    read,
)
from streams.feed import Told
from streams.stores import go_on, positions_in, put

Row = dict[str, Any]
HELD_AT_MOST: Final = 30 * DAY
"""An answer that rests on no scope has no hard limit after which nobody can release it."""
COLUMNS: Final = {HELD: "held", BLOCKED: "blocked", CASE: "cases"}


def begun(engine: Engine) -> Instant | None:
    """From when on there are alerts: what was recorded before the first start is nobody's news. None before that."""
    with engine.connect() as connection:
        return connection.execute(select(t.beginning.c.at)).scalar()


def begin(engine: Engine, at: Instant, ends: Mapping[str, int]) -> None:
    """The first start: from that time on, and in the logs from these offsets on."""
    with engine.begin() as connection:
        put(connection, t.beginning, [{"one": 1, "at": at}])
        put(connection, t.position, [{"log": log, "next": end} for log, end in ends.items()])


def fold(engine: Engine, config: Config, told: Sequence[Told], now: Instant, since: Instant = 0) -> Counter[str]:
    """Take events in, all or none; says how many were taken, repeated, before the beginning, unreadable, or no matter."""
    counts: Counter[str] = Counter()
    with engine.begin() as connection:
        places = positions_in(connection, t.position)
        last: dict[str, Told] = {}
        news: list[Happened | Refusal] = []
        for each in told:
            if each.offset < places.get(each.log, 0):
                counts["repeated"] += 1
                continue
            places[each.log], last[each.log] = each.offset + 1, each
            if each.at < since:
                counts["earlier"] += 1
                continue
            try:
                happened = read(each)
            except Unreadable:
                counts["unreadable"] += 1
                continue
            if happened is None:
                counts["no matter"] += 1
            else:
                news.append(happened)
        refusals = {n for n in news if isinstance(n, Refusal)}
        put(connection, t.refused, [{"decision": n.decision, "client": n.client, "at": now} for n in refusals])
        taken: set[str] = set()
        for channel in config.channels.values():
            taken |= _Batch(connection, channel, config.grouping, now).take(news)
        of_matter = [n for n in news if isinstance(n, Happened)]
        counts["taken"] += len(taken)
        counts["no matter"] += len(of_matter) - len(taken) + len(news) - len(of_matter)
        go_on(connection, t.READ_TO, last)
    return counts


class _Batch:
    """One receiver's part of a batch: what it touches is read first, changed in memory, and written at the end."""

    def __init__(self, connection: Connection, channel: Channel, times: Grouping, now: Instant) -> None:
        self._connection, self._channel, self._times, self._now = connection, channel, times, now
        self._members: dict[str, Row] = {}
        self._groups: dict[str, Row] = {}
        self._open: dict[str, str] = {}
        self._corrections: list[Row] = []
        self._touched: set[str] = set()
        self._refused: set[Refusal] = set()
        self._taken: set[str] = set()

    def take(self, news: Iterable[Happened | Refusal]) -> set[str]:
        """All of it, in order; the ids of what is now told, or is to be."""
        news = list(news)
        self._recall(news)
        for each in news:
            if isinstance(each, Refusal):
                self._refuse(each)
            elif each.id not in self._members:
                self._happened(each)
        groups = [self._groups[id] for id in sorted(self._touched)]
        for group in groups:
            group["due"] = next_due(group, self._times, self._now)
        put(self._connection, t.group, groups)
        put(self._connection, t.member, [m for m in self._members.values() if m.pop("dirty", False)])
        put(self._connection, t.correction, self._corrections)
        return self._taken

    def _recall(self, news: Sequence[Happened | Refusal]) -> None:
        name, happened = self._channel.name, [n for n in news if isinstance(n, Happened)]
        ids = {n.id for n in happened} | {n.supersedes for n in happened if n.supersedes}
        ids |= {n.decision for n in news if isinstance(n, Refusal)}
        members = select(t.member).where(t.member.c.channel == name)
        self._members = {r["id"]: dict(r) for r in t.found(self._connection, members, t.member.c.id, ids)}
        keys = {self._key(n) for n in happened if self._wanted(n)}
        of_channel = select(t.group).where(t.group.c.channel == name)
        rows = t.found(self._connection, of_channel.where(t.group.c.open.is_(True)), t.group.c.key, keys)
        self._open = {r["key"]: r["id"] for r in rows}
        named = {m["group"] for m in self._members.values()}
        rows += t.found(self._connection, of_channel, t.group.c.id, named)
        self._groups = {r["id"]: dict(r) for r in rows}
        refused = t.found(self._connection, select(t.refused), t.refused.c.decision, ids)
        self._refused = {Refusal(r["decision"], r["client"]) for r in refused}

    def _wanted(self, happened: Happened) -> bool:
        return happened.state in COUNTED and self._channel.takes(happened)

    def _key(self, happened: Happened) -> str:
        return derived_id("key", happened.client, happened.reason, happened.service, str(happened.state == CASE))

    def _happened(self, happened: Happened) -> None:
        old = self._members.get(happened.supersedes) if happened.supersedes else None
        if old is not None and old["state"] != REPLACED:
            self._correct(old, happened)
        if self._wanted(happened):
            self._add(happened)
        elif old is not None:
            self._know(happened, old["group"], came="")
            self._taken.add(happened.id)

    def _correct(self, old: Row, by: Happened) -> None:
        """Who was told of the old answer is told that it stands no more, whatever else he wants to hear."""
        group = self._group(old["group"])
        self._corrections.append(
            {
                "channel": self._channel.name,
                "old": old["id"],
                "new": by.id,
                "group": group["id"],
                "was": old["state"],
                "now": by.state,
                "offer": by.offer,
                "because": by.because,
                "recorded": by.recorded,
                "told": False,
            }
        )
        group["changed"] += 1
        self._to(old, group, REPLACED)

    def _add(self, happened: Happened) -> None:
        key = self._key(happened)
        id = self._open.get(key)
        group = self._group(id) if id else self._new(happened, key)
        group["last"] = self._now
        group["severity"] = max(group["severity"], happened.severity)
        group["urgent"] = group["urgent"] or happened.severity == URGENT
        group["taken"] += 1
        group["new"] += 1
        group[COLUMNS[happened.state]] += 1
        self._know(happened, group["id"], came=happened.state)
        self._taken.add(happened.id)
        refusal = Refusal(happened.id, happened.client)
        if refusal in self._refused:
            self._refuse(refusal)

    def _new(self, happened: Happened, key: str) -> Row:
        id = derived_id("alr", self._channel.name, key, happened.id)
        group: Row = {
            "id": id,
            "channel": self._channel.name,
            "key": key,
            "client": happened.client,
            "reason": happened.reason,
            "service": happened.service,
            "severity": happened.severity,
            "urgent": happened.severity == URGENT,
            "open": True,
            "opened": self._now,
            **dict.fromkeys(("taken", "held", "blocked", "cases", "new", "changed", "sent"), 0),
            **dict.fromkeys(("due", "told", "flood"), None),
            "alone": False,
        }
        self._groups[id] = group
        self._open[key] = id
        self._touched.add(id)
        return group

    def _know(self, happened: Happened, group: str, came: str) -> None:
        lapses = None
        if happened.state == HELD:
            lapses = happened.lapses or happened.recorded + HELD_AT_MOST
        self._members[happened.id] = {
            "channel": self._channel.name,
            "id": happened.id,
            "group": group,
            "state": happened.state,
            "came": came,
            "offer": happened.offer,
            "said": happened.said,
            "recorded": happened.recorded,
            "lapses": lapses,
            "told": not came,
            "dirty": True,
        }

    def _refuse(self, refusal: Refusal) -> None:
        member = self._members.get(refusal.decision)
        if member is None or member["state"] != HELD:
            return
        if self._groups[member["group"]]["client"] == refusal.client:
            self._to(member, self._group(member["group"]), REFUSED)

    def _to(self, member: Row, group: Row, state: str) -> None:
        change(group, member, state)
        member["dirty"] = True

    def _group(self, id: str) -> Row:
        self._touched.add(id)
        return self._groups[id]


def change(group: Row, member: Row, state: str) -> None:
    """Put the member into that state; what the group counts as standing follows."""
    if member["came"] and member["state"] in COLUMNS:
        group[COLUMNS[member["state"]]] -= 1
    member["state"] = state


def lapse(engine: Engine, config: Config, now: Instant) -> int:
    """What nobody can release any more is held no longer; says how many."""
    due = select(t.member).where((t.member.c.state == HELD) & (t.member.c.lapses <= now)).limit(t.AT_ONCE)
    with engine.begin() as connection:
        members = [dict(r) for r in connection.execute(due).mappings()]
        rows = t.found(connection, select(t.group), t.group.c.id, {m["group"] for m in members})
        groups = {r["id"]: dict(r) for r in rows}
        for member in members:
            change(groups[member["group"]], member, LAPSED)
        for group in groups.values():
            group["due"] = next_due(group, config.grouping, now)
        put(connection, t.member, members)
        put(connection, t.group, list(groups.values()))
    return len(members)


def over(group: Mapping[str, Any], times: Grouping, now: Instant) -> bool:
    """Nothing of it is held, and nothing of it stands or it has been quiet."""
    return group["held"] == 0 and (stands(group) == 0 or now >= group["last"] + times.quiet)


def stands(group: Mapping[str, Any]) -> int:
    """How much of what came in still stands."""
    return int(group["held"] + group["blocked"] + group["cases"])


def next_due(group: Mapping[str, Any], times: Grouping, now: Instant) -> Instant | None:
    """When a group speaks next: at first after it has gathered, urgent at once; then corrections before more of the same."""
    told, when = group["told"], []
    if group["new"] or group["changed"]:
        if told is None:
            when.append(now if group["urgent"] else group["opened"] + times.gather)
        else:
            soon = group["changed"] or group["urgent"]
            when.append(max(now, told + (times.gather if soon else times.update)))
    if group["open"] and group["held"] == 0:
        when.append(max(now, (told or now) + times.gather) if stands(group) == 0 else group["last"] + times.quiet)
    return min(when, default=None)
