"""What became of acts: made of what the logs tell whenever it is shown, so that it is as of now."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from gate.effects import case_id
from gate.facts import Instant
from gate.instants import text
from streams.desk import tables as t
from streams.desk.releases import obstacles
from streams.feed.sending import SOURCE

REFUSED: Final = "refused"
"""The gate took the event, and lets nothing go by it."""
_TOLD: Final = 3
"""Answers that are told of one act; a narrowing may bring about hundreds."""


class Outcome(Struct, frozen=True):
    """An act, and what became of it."""

    act: Any
    state: str
    """As `act.status`, or `REFUSED`."""
    told: str
    """What the gate, or the way to it, said."""
    obstacles: list[str]
    """Of what waits for a signature: why it cannot be signed any more."""


class _Fact(Struct):
    source: str
    id: str


class _Data(Struct):
    because: _Fact | None = None


class _Body(Struct):
    data: _Data


_because = msgspec.json.Decoder(_Body)


def outcomes(connection: Connection, acts: Sequence[Any], now: Instant) -> list[Outcome]:
    """Of these acts, in their order."""
    answers, refusals = _answers(connection, acts), _refusals(connection, acts)
    found = []
    for act in acts:
        against = obstacles(connection, act.about, now) if (act.kind, act.status) == ("release", t.WAITING) else []
        why = refusals.get(act.id)
        told = "; ".join(answers.get(act.id, ())) or why or act.told
        found.append(Outcome(act, REFUSED if why else act.status, told, against))
    return found


def _answers(connection: Connection, acts: Sequence[Any]) -> Mapping[str, list[str]]:
    """By act the answers that the gate gave because of it."""
    d = t.decision.c
    ids = [act.id for act in acts if act.sent is not None]
    rows = connection.execute(select(t.decision).where(d.because.in_(ids)).order_by(d.recorded, d.place, d.id)).all()
    found: dict[str, list[str]] = {}
    for row in rows:
        because = _because.decode(row.body).data.because
        if because is not None and because.source == SOURCE:  # Others may use the id.
            found.setdefault(because.id, []).append(_said(row))
    return {
        id: [*said[:_TOLD], f"and {len(said) - _TOLD} more"] if len(said) > _TOLD else said
        for id, said in found.items()
    }


def _said(row: Any) -> str:
    until = f" until {text(row.send_by)}" if row.send_by is not None else ""
    verdict = ("held", "blocked", f"may be sent{until}", f"may be sent{until}")[row.rank]
    since = "; that no longer stands" if row.replaced_by else ""
    return f"the answer to offer {row.offer} became: {verdict}, {row.leading}{since}"


def _refusals(connection: Connection, acts: Sequence[Any]) -> Mapping[str, str]:
    """By act why the gate let nothing go by it: what its case says, which the id shows to be of no other event."""
    named = {
        case_id("RELEASE_REFUSED", act.client, SOURCE, act.id, act.about): act.id
        for act in acts
        if act.kind == "release" and act.sent is not None
    }
    c = t.case.c
    rows = connection.execute(select(c.id, c.said).where(c.id.in_(named))).all()
    return {named[row.id]: row.said for row in rows}
