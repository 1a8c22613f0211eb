"""In which order the facts of a history count: by effective time, which need not be the time they tell of.

Source: judging section 1 (what people say of evidence reaches back, a merger counts from the beginning) and section 4.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import groupby
from typing import Final, NamedTuple

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

# What comes after what at one time.
_FACT: Final = 0
_PROPOSAL: Final = 1
_SENDING: Final = 2
_REQUEST: Final = 3
_JUDGING: Final = 4


class Turn(NamedTuple):
    """When a record is taken in; of an offer also when it is judged, by itself and after all that counts for it."""

    at: Instant
    rank: int
    """Among what has the same time."""
    record: Record

    @property
    def fact(self) -> Fact:
        """What the record holds."""
        assert self.record.fact is not None
        return self.record.fact

    @property
    def judges(self) -> bool:
        """Whether the offer is judged now, or the record taken in."""
        return self.rank == _JUDGING


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


def in_time(records: Sequence[Record], until: Instant) -> Iterator[Turn]:
    """Records by effective time; at one time facts, then proposals, sendings, requests, and offers are judged last."""
    turns = sorted((turn for turn in _turns(records) if turn.at <= until), key=_order)
    for (_, rank), same in groupby(turns, key=_order):
        together = list(same)
        yield from _replies_last(together) if rank == _REQUEST else together


def _order(turn: Turn) -> tuple[Instant, int]:
    return turn[:2]


def _turns(records: Sequence[Record]) -> Iterator[Turn]:
    """When each record counts, in the order of arrival; an offer has two turns.

    So has an approval or retraction that reaches back: the same evidence may be filed for and against the firm, and it
    reaches back for one of them only. In its first turn it has a time at which it counts for that one alone.
    """
    filings = _filings(records)
    for record in records:
        fact = record.fact
        if fact is None:
            continue
        match fact.said:
            case EvidenceApproved() | EvidenceRetracted() as said:
                since = effective(fact, filings.get((record.of, said.evidence), ()))
                if since < fact.at:
                    yield Turn(since, _FACT, Record(replaced(fact, at=BEFORE_EVERYTHING), record.of))
                yield Turn(fact.at, _FACT, record)
            case Proposed():
                yield Turn(fact.at, _PROPOSAL, record)
                if record.of is None:
                    yield Turn(fact.at, _JUDGING, record)
            case Delivered():
                yield Turn(fact.at, _SENDING, record)
            case Requested() if record.of is None:
                yield Turn(fact.at, _REQUEST, record)
            case _:
                yield Turn(effective(fact, ()), _FACT, record)


def _replies_last(requests: list[Turn]) -> Iterator[Turn]:
    """Requests of one time so that one comes after the request it replies to; a circle stays as it is."""
    if len(requests) == 1:
        yield requests[0]
        return
    # By the id of a request of these that has not come yet: who replies to it.
    waiting: dict[str, list[int]] = {}
    left = Counter(turn.fact.id for turn in requests)
    free: list[int] = []
    for place, turn in enumerate(requests):
        replied_to = replies_to(turn.fact)
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
        id = requests[place].fact.id
        left[id] -= 1
        freed = [] if left[id] else waiting.pop(id, [])
        for reply in freed:
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
