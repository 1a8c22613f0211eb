"""What is said: the body of a message, the same for every receiver and every attempt, and its sentence for people."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, func, select

from gate.facts import Instant
from gate.instants import text
from streams.alerts import tables as t
from streams.alerts.config import Channel
from streams.alerts.grouping import stands
from streams.alerts.happened import SEVERITIES, URGENT

LISTED: Final = 20
"""Answers and corrections that a message lists; all are counted."""
ROWS: Final = 50
"""Lines of a flood's table; what is beyond is one line, so that they add up."""
SAID: Final = 500
"""Characters of a sentence: bodies stay below the 20 KB that receivers may expect (Standard Webhooks 1.0)."""

Row = Mapping[str, Any]
_encode = msgspec.json.Encoder().encode


def message_id(about: str, sequence: int) -> str:
    """The same for each attempt of a message, and no other's."""
    return f"msg_{blake2b(f'{about}|{sequence}'.encode(), digest_size=15).hexdigest()}"


def body(kind: str, at: Instant, data: Row) -> bytes:
    """As it is sent and signed."""
    return _encode({"type": f"gate61.{kind}", "timestamp": text(at), "data": data})


def of_group(connection: Connection, channel: Channel, group: Row, kind: str, over: bool, now: Instant) -> bytes:
    """A message of one group."""
    new, corrections = _members(connection, channel, group), _corrections(connection, channel, group)
    left = {"offers_left_out": group["new"] - len(new), "corrections_left_out": group["changed"] - len(corrections)}
    counts = {name: group[name] for name in ("taken", "new", "held", "blocked", "cases")}
    counts |= {"gone": group["taken"] - stands(group), "corrected": group["changed"]}
    data = {
        "alert": group["id"],
        "sequence": group["sent"],
        "over": over,
        "severity": SEVERITIES[group["severity"]],
        "reason": group["reason"],
        "service": group["service"] or None,
        "client": (group["client"] or None) if channel.show_client else None,
        "opened_at": text(group["opened"]),
        "title": _title(group, kind, counts, over),
        "counts": counts,
        "offers": new,
        "corrections": corrections,
        **left,
    }
    return body(f"alert.{kind}", now, data)


def _members(connection: Connection, channel: Channel, group: Row) -> list[dict[str, Any]]:
    m = t.member
    untold = select(m).where((m.c.group == group["id"]) & m.c.told.is_(False)).order_by(m.c.recorded.desc(), m.c.id)
    rows = connection.execute(untold.limit(LISTED)).mappings() if group["new"] else ()
    return [
        {
            "case" if row["came"] == "case" else "decision": row["id"],
            "state": row["state"],
            "recorded_at": text(row["recorded"]),
            **({"offer": row["offer"], "said": row["said"][:SAID]} if channel.show_client else {}),
        }
        for row in rows
    ]


def _corrections(connection: Connection, channel: Channel, group: Row) -> list[dict[str, Any]]:
    c = t.correction
    untold = select(c).where((c.c.group == group["id"]) & c.c.told.is_(False)).order_by(c.c.recorded.desc(), c.c.old)
    rows = connection.execute(untold.limit(LISTED)).mappings() if group["changed"] else ()
    return [
        {
            "decision": row["old"],
            "was": row["was"],
            "now": row["now"],
            "by": row["new"],
            "recorded_at": text(row["recorded"]),
            **({"offer": row["offer"], "because": row["because"]} if channel.show_client else {}),
        }
        for row in rows
    ]


def _title(group: Row, kind: str, counts: Mapping[str, int], over: bool) -> str:
    of = f"{group['reason']}, {group['service']}" if group["service"] else group["reason"]
    standing = ", ".join(f"{counts[n]} {n}" for n in ("held", "blocked", "cases") if counts[n]) or "nothing stands"
    parts = [f"{counts['new']} new"] if counts["new"] else []
    parts += [f"{counts['corrected']} corrected"] if counts["corrected"] else []
    parts += ["over"] if over else []
    urgent = "URGENT " if group["severity"] == URGENT else ""
    return f"{urgent}{of}: {'; '.join(parts) or kind}; {standing} of {counts['taken']} in all"


def of_flood(connection: Connection, flood: Row, kind: str, over: bool, now: Instant) -> bytes:
    """A message of a flood: how many of what."""
    rows = [dict(r) for r in connection.execute(select(t.tally).where(t.tally.c.flood == flood["id"])).mappings()]
    came, fixed = _table(rows, "new"), _table(rows, "correction")
    totals = in_flood(connection, flood["id"])
    counts = {
        "groups": flood["groups"],
        "clients": totals["clients"],
        "taken": sum(r["count"] for r in rows if r["what"] == "new"),
        "new": sum(r["untold"] for r in rows if r["what"] == "new"),
        "corrected": sum(r["untold"] for r in rows if r["what"] == "correction"),
        **{name: totals[name] for name in ("held", "blocked", "cases")},
    }
    standing = ", ".join(f"{counts[n]} {n}" for n in ("held", "blocked", "cases"))
    word = {"opened": "begun", "updated": "goes on", "closed": "has ended"}.get(kind, "is settled")
    data = {
        "alert": flood["id"],
        "sequence": flood["sent"],
        "over": over,
        "severity": SEVERITIES[URGENT if flood["urgent"] else 1],
        "opened_at": text(flood["opened"]),
        "title": f"{'URGENT ' if flood['urgent'] else ''}flood {word}: {counts['taken']} in {counts['groups']} groups "
        f"of {counts['clients']} clients, {counts['new']} new, {counts['corrected']} corrected; stand now: {standing}",
        "counts": counts,
        "came_in": came,
        "corrections": fixed,
    }
    return body(f"flood.{kind}", now, data)


def in_flood(connection: Connection, flood: str) -> dict[str, int]:
    """What stands of a flood's groups, and of how many clients they are."""
    g = t.group
    totals: Select[Any] = select(
        func.coalesce(func.sum(g.c.held), 0).label("held"),
        func.coalesce(func.sum(g.c.blocked), 0).label("blocked"),
        func.coalesce(func.sum(g.c.cases), 0).label("cases"),
        func.count(func.distinct(g.c.client)).label("clients"),
    ).where(g.c.flood == flood)
    return {name: int(value) for name, value in connection.execute(totals).mappings().one().items()}


def _table(rows: Sequence[Row], what: str) -> list[dict[str, Any]]:
    """The most frequent lines, and one for all others."""
    of = sorted((r for r in rows if r["what"] == what), key=lambda r: (-r["count"], r["reason"], r["service"]))
    lines = [
        {name: r[name] for name in ("reason", "service", "state")} | {"count": r["count"], "new": r["untold"]}
        for r in of[:ROWS]
    ]
    rest = of[ROWS:]
    if rest:
        count, new = sum(r["count"] for r in rest), sum(r["untold"] for r in rest)
        lines.append({"reason": "others", "service": "", "state": "", "count": count, "new": new})
    return lines
