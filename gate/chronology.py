"""In which order the facts of a history count: by effective time, which need not be the time they tell of.

Source: judging section 1 (what people say of evidence reaches back, a merger counts from the beginning) and section 4.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush

from gate.dossier import BEFORE_EVERYTHING
from gate.evolve import since_of
from gate.facts import (
    Delivered,
    EvidenceApproved,
    EvidenceFiled,
    EvidenceRetracted,
    Fact,
    Instant,
    Merged,
    Proposed,
    Requested,
)
from gate.history import Record
from gate.packing import replaced


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


def in_time(records: Sequence[Record], until: Instant) -> Iterator[Record]:
    """Records by effective time; at one time facts, then proposals, sendings, requests, and offers are judged last.

    What people say of evidence comes twice where it reaches back: the evidence may be of both kinds, and it reaches
    back for one of them only. The first time it has a time that speaks for nothing else.
    """
    filings = _filings(records)
    keyed = []
    for n, record in enumerate(records):
        if record.fact is None:
            continue
        said = record.fact.said
        evidence = said.evidence if isinstance(said, EvidenceApproved | EvidenceRetracted) else ""
        at = effective(record.fact, filings.get((record.of, evidence), ()))
        rank = 0
        match said:
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
    if len(requests) == 1:
        yield requests[0]
        return
    # By the id of a request of these that has not come yet: who replies to it.
    waiting: dict[str, list[int]] = {}
    left = Counter(r.fact.id for r in requests if r.fact)
    free: list[int] = []
    for place, record in enumerate(requests):
        replied_to = replies_to(record.fact) if record.fact else None
        if replied_to is not None and replied_to in left:
            waiting.setdefault(replied_to, []).append(place)
        else:
            free.append(place)
    come, first = [False] * len(requests), 0
    for _ in requests:
        while come[first]:
            first += 1
        place = heappop(free) if free else first
        come[place] = True
        yield requests[place]
        fact = requests[place].fact
        assert fact is not None
        left[fact.id] -= 1
        if not left[fact.id]:
            for reply in waiting.pop(fact.id, ()):
                if not come[reply]:
                    heappush(free, reply)


def replies_to(fact: Fact) -> str | None:
    """The id of what a request replies to."""
    return fact.said.in_reply_to if isinstance(fact.said, Requested) else None


def _filings(records: Sequence[Record]) -> dict[tuple[str | None, str], list[EvidenceFiled]]:
    """Every filing, by the client whom it is about and the evidence."""
    found: dict[tuple[str | None, str], list[EvidenceFiled]] = {}
    for r in records:
        if r.fact is not None and isinstance(r.fact.said, EvidenceFiled):
            found.setdefault((r.of, r.fact.said.evidence), []).append(r.fact.said)
    return found
