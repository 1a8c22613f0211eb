"""A history judged again: the dossier anew in the order of effective time, and each offer judged where it belongs.

That is what the facts arrived so far say (judging section 1, P1 and P3).
"""

from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

from gate.chronology import in_time, replies_to
from gate.decision import decide
from gate.dossier import BEFORE_EVERYTHING, Dossier, Reached, Single, Touch, branched
from gate.evolve import Reach, answerable_ids, deliver, evolve, overlay, soliciting, touch_of
from gate.facts import ANSWERABLE, Delivered, EvidenceFiled, Fact, Instant, Proposed, Requested, Thing
from gate.history import Record, standings
from gate.instants import LATEST
from gate.known import Index, Known
from gate.outcome import Outcome
from gate.register import Register
from gate.sending import names_of


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
    since: Instant,
    until: Instant = LATEST,
    *,
    every: bool = False,
) -> Replayed:
    """The dossier on all records that count by `until`, uncut, and what each own offer from `since` on is answered now.

    A release covers every solicitation, so what people released is judged on all of them, and with `every` all else,
    too; otherwise as many are found as reasons name.
    """
    released = (e for e, g in standings(records).items() if g.standing.released_at is not None)
    whole = None if every else frozenset(released)
    again = _Replay(client, records, register, since, whole).run(until)
    return Replayed(again.dossier, again.outcomes, again.names)


def as_of(client: str, records: Sequence[Record], register: Register, at: Instant) -> Known:
    """What an offer of that time is judged on: the dossier on all that counts by then, uncut, and what finds in it."""
    return _Replay(client, records, register, LATEST + 1, frozenset()).run(at).known()


class _Replay:
    """The records of one client while they are taken in again, in the order in which they count."""

    def __init__(
        self,
        client: str,
        records: Sequence[Record],
        register: Register,
        since: Instant,
        whole: frozenset[tuple[str, str]] | None,
    ) -> None:
        self.dossier = Dossier(client, full=True)
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.names: dict[tuple[str, str], tuple[Thing, ...]] = {}
        self._records, self._register, self._since = records, register, since
        self._whole = whole
        """Offers that are judged on every solicitation; None: all of them."""
        self._quick = Index()
        self._others = _ids_of_others(records)
        self._proposals: dict[tuple[str | None, str], list[tuple[Fact, tuple[Thing, ...]]]] = {}
        """The latest proposal so far of each offer and what it names; of several with one time all."""
        self._asked_at: Instant = BEFORE_EVERYTHING
        """The time of the latest own request."""
        self._sent_at: Instant = BEFORE_EVERYTHING
        """The time of the latest own sending."""
        self._touched: list[tuple[str, str, Touch]] = []
        """Of own sendings at that time: the offer, and the key and touch of the solicitation that the sending was."""
        self._turns = _asked_when_sent(records, since)
        """Times at which a sending may have prompted a request."""
        self._turned_at: Instant = BEFORE_EVERYTHING
        """The latest of these that was come to."""
        self._before: _Replay | None = None
        """Everything as it was then, before the first sending of that time."""
        self._then: list[Record] = []
        """The sendings and requests of that time so far."""

    def run(self, until: Instant) -> "_Replay":
        """Take in all that counts by then."""
        for turn in in_time(self._records, until):
            if not turn.judges:
                self._take(turn.record)
            elif turn.at >= self._since:
                self.outcomes[turn.fact.key] = self._judge(turn.fact)
        return self

    def known(self) -> Known:
        """All that was taken in so far."""
        return self._leant_on(every=False)

    def _take(self, record: Record) -> None:
        fact = record.fact
        assert fact is not None
        if fact.at in self._turns and _sent_or_asked(record):
            if fact.at != self._turned_at:
                self._turned_at, self._before, self._then = fact.at, self._branch(), []
            self._then.append(record)
        replied_to = replies_to(fact)
        if replied_to is not None and self._others.get(replied_to, LATEST + 1) <= fact.at:
            overlay(self.dossier, replied_to)
        match fact.said:
            case Proposed() as said:
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
        if said.mixed:
            self.dossier.concluded = self._register.concluding
        names = names_of(self._leant_on(every=False), fact)
        latest = self._proposals.setdefault((record.of, said.offer), [])
        if latest and latest[0][0].at < fact.at:
            latest.clear()
        latest.append((fact, names))
        if record.of is None:
            self.names[fact.key] = names

    def _send(self, record: Record, fact: Fact, sent: Delivered) -> None:
        proposed = self._proposals.get((record.of, sent.offer), ())
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

    def _judge(self, offer: Fact) -> Outcome:
        """Judge an offer without its own delivery: what that left behind is taken away meanwhile."""
        said = offer.said
        assert isinstance(said, Proposed)
        known = self._leant_on(self._whole is None or offer.key in self._whole)
        at, sent = self.dossier.delivered
        if at != offer.at or said.offer not in sent:
            return decide(known, offer)
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
        outcome = decide(known, offer)
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
        return decide(again._leant_on(every), offer)

    def _branch(self) -> "_Replay":
        """Another replay that goes on from here with sendings and requests, and judges nothing."""
        branch = _Replay(self.dossier.client, (), self._register, LATEST + 1, None)
        branch.dossier, branch._quick = branched(self.dossier), self._quick.branched()
        branch._others, branch._proposals = self._others, self._proposals
        return branch


def _asked_when_sent(records: Sequence[Record], since: Instant) -> set[Instant]:
    """Times, from `since` on, of an offer, its sending and a request at once: the sending may have prompted that."""
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
    """Whether it comes after all else of its time but what is judged then: see `in_time`."""
    said = record.fact.said if record.fact is not None else None
    return isinstance(said, Delivered) or (isinstance(said, Requested) and record.of is None)


def _ids_of_others(records: Sequence[Record]) -> dict[str, Instant]:
    """By id, since when there is an event of that id that is no word of the client or who is the same person."""
    found: dict[str, Instant] = {}
    for r in records:
        if r.fact is not None and type(r.fact.said) not in ANSWERABLE:
            for id in answerable_ids(r.fact):
                found[id] = min(r.fact.at, found.get(id, r.fact.at))
    return found
