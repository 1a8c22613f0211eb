"""The second tier of memory: every fact and answer of one client, read only when a fact reaches back.

`replay` builds the dossier anew in the order of effective time and judges each offer where it belongs; that is what
the facts arrived so far say (judging section 1, P1 and P3).
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from msgspec import Struct

from gate.decision import decide
from gate.dossier import BEFORE_EVERYTHING, Dossier, Reached, Single, Standing, Touch, branched
from gate.evolve import Reach, deliver, evolve, overlay, since_of, soliciting, touch_of
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
from gate.known import Index, Known
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
    client: str, records: Sequence[Record], register: Register, policy: Policy, since: Instant, until: Instant = LATEST
) -> Replayed:
    """The dossier on all records that count by `until`, uncut, and what each own offer from `since` on is answered now.

    A release covers every solicitation, so what people released is judged on all of them; so is what they are to release,
    which is asked for as of its own time. Of any other offer as many are found as reasons name.
    """
    released = (e for e, g in standings(records).items() if g.standing.released_at is not None)
    whole = frozenset(released) if until == LATEST else None
    again = _Replay(client, records, register, policy, since, whole).run(until)
    return Replayed(again.dossier, again.outcomes, again.names)


def as_of(client: str, records: Sequence[Record], register: Register, policy: Policy, at: Instant) -> Dossier:
    """The dossier on all that counts by that time, uncut: what an offer of that time is judged on."""
    return replay(client, records, register, policy, LATEST + 1, at).dossier


class _Replay:
    """The records of one client while they are taken in again, in the order in which they count."""

    def __init__(
        self,
        client: str,
        records: Sequence[Record],
        register: Register,
        policy: Policy,
        since: Instant,
        whole: frozenset[tuple[str, str]] | None,
    ) -> None:
        self.dossier = Dossier(client, full=True)
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.names: dict[tuple[str, str], tuple[Thing, ...]] = {}
        self._records, self._register, self._policy, self._since = records, register, policy, since
        self._whole = whole
        """Offers that are judged on every solicitation; None: all of them."""
        self._quick = Index()
        self._known = Known(self.dossier, register, self._quick)
        self._others = _ids_of_others(records)
        self._proposals: dict[tuple[str | None, str], list[tuple[Fact, tuple[Thing, ...]]]] = {}
        self._asked_at: Instant = BEFORE_EVERYTHING
        """The time of the latest own request."""
        self._sent_at: Instant = BEFORE_EVERYTHING
        self._touched: list[tuple[str, str, Touch]] = []
        """Of the latest time of own sendings: the offer, and the solicitation that a sending of it was."""
        self._turns = _asked_when_sent(records, since)
        self._turned_at: Instant = BEFORE_EVERYTHING
        self._before: _Replay | None = None
        """At the latest of these times: all as it was before the first sending,"""
        self._then: list[Record] = []
        """and the sendings and requests from then on."""

    def run(self, until: Instant) -> "_Replay":
        """Take in all that counts by then."""
        for record in _in_time(self._records, until):
            self._take(record)
        return self

    def _take(self, record: Record) -> None:
        fact = record.fact
        assert fact is not None
        if fact.at in self._turns and _sent_or_asked(record):
            if fact.at != self._turned_at:
                self._turned_at, self._before, self._then = fact.at, self._branch(), []
            self._then.append(record)
        replied_to = _replies_to(fact)
        if replied_to is not None and self._others.get(replied_to, LATEST + 1) <= fact.at:
            overlay(self.dossier, replied_to)
        match fact.said:
            case Proposed() as said:
                if record.let_go:  # The mark that `_in_time` puts on the second coming of an offer: judge it now.
                    if fact.at >= self._since:
                        self.outcomes[fact.key] = self._judge(fact, said)
                else:
                    self._propose(record, fact, said)
            case Delivered() as sent:
                self._send(record, fact, sent)
            case _:
                self._learn(record, fact)

    def _learn(self, record: Record, fact: Fact) -> None:
        scopes = len(self.dossier.scopes)
        if evolve(self.dossier, fact, self._register, record.of) is not Reach.FORWARD:
            raise AssertionError(f"a replay holds the whole history, and event `{fact.id}` asked for more")
        if record.of is not None:
            return
        if isinstance(fact.said, EvidenceFiled):
            self._quick.filed(fact.said.evidence, fact.said.by)
        if isinstance(fact.said, Requested):
            self._asked_at = fact.at
            for scope in self.dossier.scopes[scopes:]:
                self._quick.opened(scope)

    def _propose(self, record: Record, fact: Fact, said: Proposed) -> None:
        names = names_of(self._known, fact)
        self._proposals.setdefault((record.of, said.offer), []).append((fact, names))
        if record.of is None:
            self.names[fact.key] = names

    def _send(self, record: Record, fact: Fact, sent: Delivered) -> None:
        proposed = _latest(self._proposals.get((record.of, sent.offer), ()))
        names = tuple(dict.fromkeys(t for _, named in proposed for t in named))
        acted = [f.said.by for f, _ in proposed if isinstance(f.said, Proposed)]
        dossier = self.dossier
        if record.of is not None:
            deliver(dossier, dossier.kin.setdefault(record.of, Reached()), fact, record.let_go, names, acted)
        else:
            deliver(dossier, dossier.own, fact, record.let_go, names, acted)
            same = dossier.delivered[1] if dossier.delivered[0] == fact.at else []
            dossier.delivered = (fact.at, [*same, sent.offer])
            if fact.at != self._sent_at:
                self._sent_at, self._touched = fact.at, []
            if not record.let_go:
                self._touched += [(sent.offer, key, touch_of(fact)) for key in soliciting(acted)]

    def _judge(self, offer: Fact, said: Proposed) -> Outcome:
        """No offer is judged on its own delivery: what that left is taken away for so long."""
        known = self._leant_on(self._whole is None or offer.key in self._whole)
        at, sent = self.dossier.delivered
        if at != offer.at or said.offer not in sent:
            return decide(known, offer, self._policy)
        if self._asked_at == offer.at:
            return self._judge_without(offer, said, known.every)
        own = self.dossier.own
        touched = [(key, touch) for of, key, touch in self._touched if of == said.offer]
        singles = list(own.singles)
        for key, touch in touched:
            if touch.id in own.narrowings:
                own.singles.remove(Single(key, touch))
            else:
                own.touches[key].entries.remove(touch)
        outcome = decide(known, offer, self._policy)
        own.singles = singles
        for key, touch in touched:
            if touch.id not in own.narrowings:
                insort(own.touches[key].entries, touch)
        return outcome

    def _leant_on(self, every: bool) -> Known:
        return Known(self.dossier, self._register, self._quick, every)

    def _judge_without(self, offer: Fact, said: Proposed, every: bool) -> Outcome:
        """The same where a request has that very time, which the delivery may have prompted."""
        assert self._before is not None
        again = self._before._branch()
        for record in self._then:
            sent = record.fact.said if record.fact is not None and record.of is None else None
            if not isinstance(sent, Delivered) or sent.offer != said.offer:
                again._take(record)
        return decide(again._leant_on(every), offer, self._policy)

    def _branch(self) -> "_Replay":
        """Another replay that goes on from here with sendings and requests, and judges nothing."""
        branch = _Replay(self.dossier.client, (), self._register, self._policy, LATEST + 1, None)
        branch.dossier, branch._quick = branched(self.dossier), self._quick.branched()
        branch._known = Known(branch.dossier, self._register, branch._quick)
        branch._others, branch._proposals = self._others, self._proposals
        return branch


def _asked_when_sent(records: Sequence[Record], since: Instant) -> set[Instant]:
    """When, from `since` on, he asked at the very time of an offer and of its sending: that may have prompted it."""
    asked: set[Instant] = set()
    sent: set[tuple[str, Instant]] = set()
    offered: set[tuple[str, Instant]] = set()
    for record in records:
        fact = record.fact
        if fact is None or record.of is not None or fact.at < since:
            continue
        match fact.said:
            case Requested():
                asked.add(fact.at)
            case Delivered() as said:
                sent.add((said.offer, fact.at))
            case Proposed() as said:
                offered.add((said.offer, fact.at))
    return {at for _, at in sent & offered if at in asked}


def _sent_or_asked(record: Record) -> bool:
    """Whether it comes after all else of its time but what is judged then: see `_in_time`."""
    said = record.fact.said if record.fact is not None else None
    return isinstance(said, Delivered) or (isinstance(said, Requested) and record.of is None)


def _ids_of_others(records: Sequence[Record]) -> dict[str, Instant]:
    """Since when an id is also that of something the client, or who is the same person, did not say himself."""
    found: dict[str, Instant] = {}
    for r in records:
        if r.fact is not None and type(r.fact.said) not in ANSWERABLE:
            found[r.fact.id] = min(r.fact.at, found.get(r.fact.id, r.fact.at))
    return found


def _latest(proposals: Sequence[tuple[Fact, tuple[Thing, ...]]]) -> list[tuple[Fact, tuple[Thing, ...]]]:
    """The latest proposal so far and what it names; of several with one time all."""
    latest = max((f.at for f, _ in proposals), default=0)
    return [(f, names) for f, names in proposals if f.at == latest]


def _filings(records: Sequence[Record]) -> dict[tuple[str | None, str], list[EvidenceFiled]]:
    """Every filing, by the client whom it is about and the evidence."""
    found: dict[tuple[str | None, str], list[EvidenceFiled]] = {}
    for r in records:
        if r.fact is not None and isinstance(r.fact.said, EvidenceFiled):
            found.setdefault((r.of, r.fact.said.evidence), []).append(r.fact.said)
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
        replied_to = _replies_to(record.fact) if record.fact else None
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


def _replies_to(fact: Fact) -> str | None:
    return fact.said.in_reply_to if isinstance(fact.said, Requested) else None
