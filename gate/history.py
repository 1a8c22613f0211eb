"""The second tier of memory: every fact and answer of one client, read only when a fact reaches back.

`replay` builds the dossier anew in the order of effective time and judges each offer where it belongs; that is what
the facts arrived so far say (judging section 1, P1 and P3).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from gate.decision import decide
from gate.dossier import BEFORE_EVERYTHING, Dossier, Reached, Standing
from gate.evolve import Reach, deliver, evolve, overlay, since_of
from gate.facts import (
    ANSWERABLE,
    Delivered,
    EvidenceApproved,
    EvidenceFiled,
    EvidenceRetracted,
    Fact,
    Instant,
    Merged,
    Proposed,
    Requested,
    Thing,
)
from gate.instants import LATEST
from gate.known import Known
from gate.outcome import Outcome
from gate.packing import replaced
from gate.policy import Policy
from gate.register import Register
from gate.rules.acting_entity import entity_is_authorised
from gate.rules.territory import where_is_client


class Given(Struct, frozen=True, array_like=True):
    """An answer as it was given; where people may release it, or did, also the outcome and what it was judged on."""

    standing: Standing
    outcome: Outcome | None = None
    register: int = 0
    """The version of the register."""


def given(standing: Standing, outcome: Outcome, register: int) -> Given:
    """What the history keeps of an answer that was judged on this version of the register."""
    if standing.releasable or standing.released_at is not None:
        return Given(standing, outcome, register)
    return Given(standing)


class Record(Struct, frozen=True, array_like=True):
    """One arrival: the fact, whom it is about (None: the client himself), how a sending was settled, the answers.

    `fact` is None where an arrival elsewhere (the register) changed answers of this client.
    """

    fact: Fact | None
    of: str | None = None
    let_go: bool = False
    answers: tuple[Given, ...] = ()


def standings(records: Iterable[Record]) -> dict[tuple[str, str], Given]:
    """The standing answer of every offer, by its event."""
    return {a.standing.event: a for r in records for a in r.answers}


def names_of(known: Known, offer: Fact) -> tuple[Thing, ...]:
    """What an offer names when it is sent: the things it was judged on (judging section 4)."""
    said = offer.said
    assert isinstance(said, Proposed)
    if said.content == "offer":
        return said.things
    if said.pure:
        return ()
    where = where_is_client(known.dossier, known.register, offer.at)
    ended = entity_is_authorised(known.register, offer, said) or (where and where.code == "OUT_OF_TERRITORY")
    return tuple(dict.fromkeys((said.own, *said.promoted))) if ended else said.things


def effective(fact: Fact, filings: Iterable[EvidenceFiled]) -> Instant:
    """From when a fact counts; `filings` are those of the same client and, for evidence, may hold its filing."""
    said = fact.said
    match said:
        case EvidenceFiled():
            return since_of(said, fact.at)
        case EvidenceApproved():
            same = [f for f in filings if f.evidence == said.evidence]
            return min((since_of(f, fact.at) for f in same), default=fact.at)
        case EvidenceRetracted():
            same = [f for f in filings if f.evidence == said.evidence]
            return BEFORE_EVERYTHING if any(f.supports != "solicitation" for f in same) else fact.at
        case Merged():
            return BEFORE_EVERYTHING
        case _:
            return fact.at


class Replayed(NamedTuple):
    """A history judged anew."""

    dossier: Dossier
    outcomes: dict[tuple[str, str], Outcome]
    """Answers by offer event."""
    names: dict[tuple[str, str], tuple[Thing, ...]]
    """What a sending of each own offer would name to the client, on what is known now (judging section 4)."""


def replay(
    client: str,
    records: Sequence[Record],
    register: Register,
    policy: Policy,
    since: Instant,
    until: Instant = LATEST,
    without: tuple[str, Instant] | None = None,
) -> "Replayed":
    """The dossier on all records that count by `until`, uncut, and what each own offer from `since` on is answered now.

    `without` leaves out the sendings of one offer at one time: no offer is judged on its own delivery.
    """
    dossier = Dossier(client, full=True)
    known = Known(dossier, register)
    replayed = Replayed(dossier, {}, {})
    proposals: dict[tuple[str | None, str], list[tuple[Fact, tuple[Thing, ...]]]] = {}
    others = _ids_of_others(records)
    for record in _in_time(records, until):
        fact = record.fact
        assert fact is not None
        replied_to = _replies_to(fact)
        if replied_to is not None and others.get(replied_to, LATEST + 1) <= fact.at:
            overlay(dossier, replied_to)
        match fact.said:
            case Proposed() as said:
                if record.let_go:  # The mark that `_in_time` puts on the second coming of an offer: judge it now.
                    if fact.at >= since and without is None:
                        replayed.outcomes[fact.key] = _judge(known, fact, said, records, policy)
                else:
                    names = names_of(known, fact)
                    proposals.setdefault((record.of, said.offer), []).append((fact, names))
                    if record.of is None:
                        replayed.names[fact.key] = names
            case Delivered() as sent:
                proposed = _latest(proposals.get((record.of, sent.offer), ()))
                names = tuple(dict.fromkeys(t for _, named in proposed for t in named))
                acted = [f.said.by for f, _ in proposed if isinstance(f.said, Proposed)]
                if record.of is not None:
                    deliver(dossier, dossier.kin.setdefault(record.of, Reached()), fact, record.let_go, names, acted)
                elif without != (sent.offer, fact.at):
                    deliver(dossier, dossier.own, fact, record.let_go, names, acted)
                    same = dossier.delivered[1] if dossier.delivered[0] == fact.at else []
                    dossier.delivered = (fact.at, [*same, sent.offer])
            case _:
                reach = evolve(dossier, fact, register, record.of)
                assert reach is Reach.FORWARD, "a replay holds the whole history"
    return replayed


def as_of(client: str, records: Sequence[Record], register: Register, policy: Policy, at: Instant) -> Dossier:
    """The dossier on all that counts by that time, uncut: what an offer of that time is judged on."""
    return replay(client, records, register, policy, LATEST + 1, at).dossier


def _judge(known: Known, offer: Fact, said: Proposed, records: Sequence[Record], policy: Policy) -> Outcome:
    at, sent = known.dossier.delivered
    if at == offer.at and said.offer in sent:
        own = (said.offer, offer.at)
        without = replay(known.dossier.client, records, known.register, policy, offer.at, offer.at, own)
        known = Known(without.dossier, known.register)
    return decide(known, offer, policy)


def _ids_of_others(records: Sequence[Record]) -> dict[str, Instant]:
    """Since when an id is also that of something the client did not say himself."""
    found: dict[str, Instant] = {}
    for r in records:
        if r.fact is not None and r.of is None and type(r.fact.said) not in ANSWERABLE:
            found[r.fact.id] = min(r.fact.at, found.get(r.fact.id, r.fact.at))
    return found


def _latest(proposals: Sequence[tuple[Fact, tuple[Thing, ...]]]) -> list[tuple[Fact, tuple[Thing, ...]]]:
    """The latest proposal so far and what it names; of several with one time all."""
    latest = max((f.at for f, _ in proposals), default=0)
    return [(f, names) for f, names in proposals if f.at == latest]


def _filings(records: Sequence[Record]) -> dict[str | None, list[EvidenceFiled]]:
    found: dict[str | None, list[EvidenceFiled]] = {}
    for r in records:
        if r.fact is not None and isinstance(r.fact.said, EvidenceFiled):
            found.setdefault(r.of, []).append(r.fact.said)
    return found


def _in_time(records: Sequence[Record], until: Instant) -> Iterator[Record]:
    """Records by effective time; at one time facts, then proposals, sendings, requests, and offers are judged last.

    What people say of evidence comes twice where it reaches back: the evidence may be of both kinds, and it reaches
    back for one of them only. The first time it has a time that speaks for nothing else.
    """
    filings = _filings(records)
    keyed = []
    for n, record in enumerate(records):
        if record.fact is None:
            continue
        at = effective(record.fact, filings.get(record.of, ()))
        rank = 0
        match record.fact.said:
            case EvidenceApproved() | EvidenceRetracted() if at < record.fact.at:
                keyed.append((at, rank, n, Record(replaced(record.fact, at=BEFORE_EVERYTHING), record.of)))
                at = record.fact.at
            case Proposed():
                rank = 1
                if record.of is None:
                    keyed.append((at, 4, n, Record(record.fact, let_go=True)))
            case Delivered():
                rank = 2
            case Requested() if record.of is None:
                rank = 3
        keyed.append((at, rank, n, record))
    keyed = [k for k in keyed if k[0] <= until]
    keyed.sort(key=lambda k: k[:3])
    waiting: list[Record] = []
    for place, (at, rank, _, record) in enumerate(keyed):
        if rank != 3:
            yield record
            continue
        waiting.append(record)
        following = keyed[place + 1] if place + 1 < len(keyed) else None
        if following is None or following[:2] != (at, 3):
            yield from _replies_last(waiting)
            waiting = []


def _replies_last(requests: list[Record]) -> Iterator[Record]:
    """Requests of one time so that one comes after the request it replies to; a circle stays as it is."""
    pending = list(requests)
    while pending:
        ids = {r.fact.id for r in pending if r.fact}
        free = next((r for r in pending if r.fact and _replies_to(r.fact) not in ids), pending[0])
        pending.remove(free)
        yield free


def _replies_to(fact: Fact) -> str | None:
    return fact.said.in_reply_to if isinstance(fact.said, Requested) else None
