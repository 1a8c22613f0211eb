"""Merged clients: what one tells the others who are the same person (judging section 6, merged clients)."""

from collections.abc import Sequence
from typing import Final

from gate.chronology import effective
from gate.dossier import BEFORE_EVERYTHING, Dossier
from gate.effects import Greeting
from gate.facts import (
    OF_EVIDENCE,
    Arrived,
    Contacted,
    Delivered,
    EvidenceApproved,
    EvidenceFiled,
    EvidenceRetracted,
    Fact,
    Instant,
    Located,
    Narrowed,
    Proposed,
    Referred,
    RelationshipChanged,
)
from gate.history import Record

SHARED: Final = (
    Located,
    Arrived,
    Contacted,
    Referred,
    Proposed,
    Delivered,
    EvidenceFiled,
    EvidenceApproved,
    EvidenceRetracted,
    Narrowed,
    RelationshipChanged,
)
"""What merged clients are told of each other."""


def to_kin(dossier: Dossier, fact: Fact, record: Record) -> tuple[Greeting, ...]:
    """The messages that tell merged clients of a shared fact."""
    if not dossier.greeted or not isinstance(fact.said, SHARED):
        return ()
    told = Record(record.fact, of=dossier.client, let_go=record.let_go)
    return tuple(Greeting(to, dossier.client, (told,), (), fact) for to in dossier.greeted)


def greet(dossier: Dossier, others: Sequence[str], records: Sequence[Record], because: Fact) -> tuple[Greeting, ...]:
    """Tell merged clients who are new everything that is shared, also what others who are the same person told."""
    new = [o for o in dict.fromkeys(others) if o != dossier.client and o not in dossier.greeted]
    if not new:
        return ()
    dossier.greeted = sorted([*dossier.greeted, *new])  # Whichever was heard of first, the state is the same.
    shared = [
        Record(r.fact, of=r.of or dossier.client, let_go=r.let_go)
        for r in records
        if r.fact is not None and isinstance(r.fact.said, SHARED)
    ]
    found = []
    for other in new:
        kin = (dossier.client, *(g for g in dossier.greeted if g != other))
        told = tuple(r for r in shared if r.of != other)
        found.append(Greeting(other, dossier.client, told, kin, because))
    return tuple(found)


def told_since(greeting: Greeting) -> Instant:
    """From when what is told may count: who joins tells of all his past, who has joined of one fact."""
    if greeting.kin:
        return BEFORE_EVERYTHING
    fact = greeting.records[0].fact
    assert fact is not None
    if isinstance(fact.said, EvidenceFiled):
        return effective(fact, ())
    return BEFORE_EVERYTHING if type(fact.said) in OF_EVIDENCE else fact.at
