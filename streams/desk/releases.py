"""Whether people may release an answer now, as far as the desk has read: asked when that is begun and when it is signed."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from gate.facts import Instant
from gate.instants import text
from gate.people import releasable
from streams.desk import tables as t


def obstacles(connection: Connection, decision: str, now: Instant) -> list[str]:
    """What stands against a release of that answer, for people; empty where nothing does."""
    row = connection.execute(select(t.decision).where(t.decision.c.id == decision)).first()
    if row is None:
        return [f"answer `{decision}` is not known here; the desk may not have read that far yet"]
    found = []
    if refused_by := row.refused_by or _refusing(connection, decision):
        found.append(f"`{refused_by}` refused the offer; what is to be sent after all is proposed anew")
    if row.replaced_by:
        found.append(f"answer `{row.replaced_by}` has replaced this one; decide on that")
    return found or _its_own(row, now)


def _refusing(connection: Connection, decision: str) -> str | None:
    """Who refused it here, which the logs may not have told yet."""
    a = t.act.c
    refusal = (a.kind == "refuse") & (a.about == decision) & a.status.not_in((t.WITHDRAWN, t.REJECTED))
    return connection.execute(select(a.by).where(refusal)).scalar()


def _its_own(row: Any, now: Instant) -> list[str]:
    """What an answer that stands holds against it itself."""
    data = msgspec.json.decode(row.body)["data"]
    if data["may_send"]:
        return ["it may be sent already"]
    if not releasable(row.verdict, [reason["code"] for reason in data["reasons"]]):
        return ["only a flag, or a block of TYPE_UNCLASSIFIED alone, may be released"]
    if row.hard_until is not None and row.hard_until <= now:
        return [f"the hard limit passed at {text(row.hard_until)}; nobody can release it any more"]
    return []
