"""A fact that reaches back: earlier offers are judged again, and answers that were too soft are superseded.

Law: LAW.md R22, R23 (never rewrite; late favourable facts count forward only). Clock: effective time.
Source: judging section 1 (P1, P2), sections 6 and 7.
"""

from collections.abc import Mapping, Sequence

from gate import notices, people
from gate.chronology import effective
from gate.concern import Leanings, leanings
from gate.dossier import KEPT_TOUCHES, NEVER, Dossier, Standing
from gate.effects import Answer, Case, Greeting, Step, case_of, decision_id, noted
from gate.facts import (
    ANSWERABLE,
    Delivered,
    EvidenceFiled,
    Fact,
    Instant,
    Merged,
    Proposed,
    RelationshipChanged,
    Released,
    Requested,
    Thing,
)
from gate.history import Given, Record, given, standings, tells_all, told_by
from gate.instants import LATEST
from gate.known import Known
from gate.merging import greet, to_kin, told_since
from gate.outcome import Outcome, Verdict
from gate.packing import replaced
from gate.register import Register
from gate.replaying import Replayed, as_of, replay
from gate.sending import belonging, delivered_without_permission, was_let_go
from gate.trimming import trim

Key = tuple[str, str]


def standing_of(
    offer: Fact,
    because: Fact,
    outcome: Outcome,
    names: tuple[Thing, ...],
    policy_digest: str,
    teller: str | None = None,
) -> Standing:
    """The standing record of an answer; `names` as of `names_of`, `teller` as in `decision_id`."""
    said = offer.said
    assert isinstance(said, Proposed)
    return Standing(
        offer.at,
        offer.source,
        offer.id,
        said.offer,
        decision_id(offer, because, policy_digest, teller),
        int(outcome.verdict),
        outcome.verdict is Verdict.ALLOW,
        outcome.send_by,
        outcome.scope.hard_until if outcome.scope else None,
        people.releasable(outcome.verdict.word, outcome.codes),
        names=names,
        by=said.by,
    )


def arrive(known: Known, fact: Fact, history: Sequence[Record]) -> Step:
    """Take a fact of the client in with the whole history at hand."""
    said, revision = fact.said, _Revision(known, fact, history)
    if isinstance(said, Released) and not _is_own_word_too(known.dossier, fact, history):
        return revision.release(said)
    record, unasked = _recorded(fact, [g.standing for g in revision.answered.values()])
    step = revision.step(effective(fact, _filings(history)), record)
    now, arrived = Known(step.dossier, known.register), [*history, record]
    cases = (
        *step.cases,
        *unasked,
        *_signed_alone(now, fact, history),
        *notices.cases_at(now, fact),
        *notices.exposures_before(now, fact, history),
    )
    forwards = to_kin(step.dossier, fact, step.record)
    if isinstance(said, Merged):
        sentence = f"`{fact.client}` and `{said.other}` are the same person; the worse history counts for both"
        cases += (case_of("IDENTITY_MERGED", sentence, fact.client, fact),)
        forwards = greet(step.dossier, (said.other,), arrived, fact)
    opened = (*notices.notices_at(now, fact, _when_asked(known, fact, arrived)), *step.notices)
    dossier, deadlines = _bounded(step.dossier, known.register), notices.deadlines_at(fact, known.policy)
    return Step(dossier, step.record, step.answers, opened, cases, deadlines, forwards)


def _is_own_word_too(dossier: Dossier, fact: Fact, history: Sequence[Record]) -> bool:
    """Whether one of the client's own events has the id, so that a request on record may answer either."""
    own = (r.fact for r in history if r.fact is not None and r.of is None and type(r.fact.said) in ANSWERABLE)
    return fact.at <= dossier.horizon and any(word.id == fact.id for word in own)


def _recorded(fact: Fact, answered: Sequence[Standing]) -> tuple[Record, tuple[Case, ...]]:
    """How an arrival is recorded; and the case of an offer that was not let go, or of a release under a client's id."""
    match fact.said:
        case Delivered() as said:
            belongs = belonging(answered, said.offer, fact.at)
            let_go = was_let_go(belongs, fact.at)
            cases = () if let_go else (delivered_without_permission(fact, belongs),)
            return Record(fact, let_go=let_go), cases
        case Released() as said if said.by != said.second:
            why = "its id is that of one of the client's own events; send it under a new id"
            return Record(fact), (people.refused(fact, why),)
        case _:
            return Record(fact), ()


def _when_asked(known: Known, fact: Fact, records: Sequence[Record]) -> Known | None:
    """What was known up to a late request: where the client was then, his dossier may have forgotten by now."""
    if not isinstance(fact.said, Requested) or fact.at >= known.dossier.horizon:
        return None
    return as_of(known.dossier.client, records, known.register, fact.at)


def _signed_alone(known: Known, fact: Fact, history: Sequence[Record]) -> tuple[Case, ...]:
    """Cases of who signed alone; a late change of the relationship may show it of changes that follow by their time."""
    if not isinstance(fact.said, RelationshipChanged):
        return people.same_person(known.dossier, fact)
    changes = [r.fact for r in history if r.fact and r.of is None and isinstance(r.fact.said, RelationshipChanged)]
    before = {f.key for f in people.counting_for_nothing(changes, known.register)}
    now = people.counting_for_nothing([*changes, fact], known.register)
    return tuple(people.alone_case(f) for f in now if f.key not in before)


def greeted(known: Known, greeting: Greeting, history: Sequence[Record]) -> tuple[Step, list[Record]]:
    """Take in what a merged client tells: the step, and which records of the message are new.

    The new records come into the history before the step's own. Clients who were not known yet are greeted.
    """
    known_already = {(r.of, r.fact.key) for r in history if r.fact is not None}
    fresh = [r for r in greeting.records if r.fact is not None and (r.of, r.fact.key) not in known_already]
    newcomers = (greeting.of, *greeting.kin) if greeting.kin else ()
    if not fresh:  # By now register or policy may be others than when it was told first: nothing is judged on that.
        dossier = known.dossier
        return Step(dossier, Record(None), forwards=greet(dossier, newcomers, history, greeting.because)), fresh
    step = _Revision(known, greeting.because, history, greeting.of).step(told_since(greeting), *fresh)
    forwards = greet(step.dossier, newcomers, history, greeting.because)
    touched = (notices.exposure(step.dossier, r.fact, known.policy) for r in fresh if r.fact is not None)
    cases = (*step.cases, *(case for found in touched for case in found))
    dossier = _bounded(step.dossier, known.register)
    return noted(Step(dossier, step.record, step.answers, step.notices, cases, (), forwards)), fresh


def reopen(known: Known, since: Instant, because: Fact, history: Sequence[Record]) -> tuple[Step, Leanings]:
    """Judge a client's offers from `since` on again, because the register changed behind them.

    Also what his own answers lean on, with what the dossier had cut.
    """
    step = _Revision(known, because, history).step(since)
    leant_on = leanings(step.dossier)
    _bounded(step.dossier, known.register)
    return noted(step), leant_on


def _filings(history: Sequence[Record]) -> list[EvidenceFiled]:
    return [r.fact.said for r in history if r.fact and r.of is None and isinstance(r.fact.said, EvidenceFiled)]


class _Revision:
    """What a client was answered, judged again on account of one fact."""

    def __init__(self, known: Known, because: Fact, history: Sequence[Record], teller: str | None = None) -> None:
        """`known` and `history` are from before it; `teller` as in `decision_id`."""
        self._known, self._because, self._history, self._teller = known, because, history, teller
        self.answered = standings(history)
        """The standing answer of every offer."""

    def step(self, since: Instant, *new: Record) -> Step:
        """Replay everything with the new records, and supersede every standing answer that is too soft now.

        The step's record is that of the client's own arrival, or of the answers alone where others told of it.
        """
        old, register = self._known.dossier, self._known.register
        arrived = (*self._history, *new)
        replayed = replay(old.client, arrived, register, since)
        fresh = Known(replayed.dossier, register)
        answers = self._answers(replayed, arrived)
        _carry(fresh.dossier, old, self._standing(answers, replayed.names), self._told())
        cases = _late(old.client, self._because, answers)
        for answer in answers:
            cases += notices.cases_of(fresh.dossier, answer.offer, answer.outcome, answer.standing.decision)
        spoilt = notices.tainted_scopes(fresh, None if isinstance(self._because.said, Proposed) else self._because)
        own = next((r for r in new if r.of is None), Record(None))
        kept = tuple(given(a.standing, a.outcome, register) for a in answers)
        return Step(fresh.dossier, Record(own.fact, own.of, own.let_go, kept), tuple(answers), spoilt, cases)

    def _answers(self, replayed: Replayed, arrived: Sequence[Record]) -> list[Answer]:
        """First answers, then those that supersede others, each in the order of the offers."""
        offers = {r.fact.key: r.fact for r in arrived if r.fact and r.of is None and isinstance(r.fact.said, Proposed)}
        answers = [self._answer(replayed, offers[key], outcome) for key, outcome in replayed.outcomes.items()]
        found = [answer for answer in answers if answer]
        return sorted(found, key=lambda a: (a.supersedes is not None, a.offer.at, a.offer.source, a.offer.id))

    def _answer(self, replayed: Replayed, offer: Fact, outcome: Outcome) -> Answer | None:
        """The first answer of a new offer, a superseding one where the standing one is too soft, or nothing."""
        before, because, countries = self.answered.get(offer.key), self._because, replayed.dossier.located()
        names, digest = replayed.names[offer.key], self._known.policy.digest
        if before is None:
            standing = standing_of(offer, because, outcome, names, digest)
            return Answer(offer, outcome, standing, because.recorded, countries=countries)
        softer = outcome.verdict > before.standing.verdict
        if before.standing.released_at is not None:
            softer = self._takes_back(before, outcome)
        if not softer:
            return None
        standing = standing_of(offer, because, outcome, names, digest, self._teller)
        return Answer(offer, outcome, standing, because.recorded, before.standing.decision, because, countries)

    def _standing(self, answers: Sequence[Answer], names: Mapping[Key, tuple[Thing, ...]]) -> list[Standing]:
        """What stands now, with what a sending of each offer names by what is known now."""
        standing = {k: g.standing for k, g in self.answered.items()} | {a.standing.event: a.standing for a in answers}
        for key, named in names.items():
            standing[key] = replaced(standing[key], names=named)
        return list(standing.values())

    def _takes_back(self, answered: Given, fresh: Outcome) -> bool:
        """Whether more is known than the answer said, or leant on without saying it; the latter takes another replay."""
        said = answered.outcome
        assert said is not None
        if not people.takes_back(said, said, fresh):
            return False
        then = self._outcome_then(answered)
        return then is None or people.takes_back(said, then, fresh)

    def _outcome_then(self, answered: Given) -> Outcome | None:
        """What the answer that people released, or are to release, was judged on, judged again with nothing cut.

        None where it was judged by another policy than the one in force, of which only the answer tells.
        """
        key, decision, history = answered.standing.event, answered.standing.decision, self._history
        for place in range(len(history) - 1, -1, -1):
            record = history[place]
            found = next((g for g in record.answers if g.standing.decision == decision), None)
            if found is None:
                continue
            if record.fact is not None and isinstance(record.fact.said, Released):
                decision = record.fact.said.decision
                continue
            if found.policy != self._known.policy.digest:
                return None
            register = self._known.register.as_of(found.register)
            at, then = found.standing.at, history[: place + 1]
            return replay(self._known.dossier.client, then, register, at, at, every=True).outcomes[key]
        raise AssertionError(f"the history holds no answer `{decision}`, though it stands")

    def _told(self) -> set[str]:
        """Ids of what was said; where a record does not tell, all scopes that were cut and spoilt by then count as told."""
        found = told_by(self._history)
        if self._known.dossier.dropped and not tells_all(self._history):
            client, register = self._known.dossier.client, self._known.register
            before = replay(client, self._history, register, LATEST + 1).dossier
            found |= notices.ids_of_spoilt(Known(before, register))
        return found

    def release(self, said: Released) -> Step:
        """Let a held answer go if people may; nothing is judged anew by that."""
        dossier, fact = self._known.dossier, self._because
        alone = people.same_person(dossier, fact)
        if alone:
            return Step(dossier, Record(fact), cases=alone)
        found = next((a for a in self.answered.values() if a.standing.decision == said.decision), None)
        why = people.refusal(found.standing if found else None, said, fact.at, self._known.policy)
        if why is not None:
            return Step(dossier, Record(fact), cases=(people.refused(fact, why),))
        assert found is not None and found.outcome is not None  # `given` keeps that of what may be released.
        now = self._outcome_now(found.standing)
        if self._takes_back(found, now):
            why = "more speaks against it now than the answer says; propose the offer again"
        elif people.outlasts(said, now):
            why = "the window that now supports the offer closes before the release expires; propose the offer again"
        if why is not None:
            return Step(dossier, Record(fact), cases=(people.refused(fact, why),))
        return self._released(found.standing, found.outcome)

    def _outcome_now(self, standing: Standing) -> Outcome:
        client, register, at = self._known.dossier.client, self._known.register, standing.at
        return replay(client, self._history, register, at, at, every=True).outcomes[standing.event]

    def _released(self, standing: Standing, outcome: Outcome) -> Step:
        dossier, fact = self._known.dossier, self._because
        offer = next(r.fact for r in self._history if r.fact and r.of is None and r.fact.key == standing.event)
        answer = people.released(offer, fact, outcome, standing, self._known.policy, dossier.located())
        # What it names is known better now than when it was answered.
        dossier.offers = [
            replaced(answer.standing, names=o.names) if o.event == standing.event else o for o in dossier.offers
        ]
        kept = given(answer.standing, answer.outcome, self._known.register)
        return Step(dossier, Record(fact, answers=(kept,)), (answer,))


def _late(client: str, because: Fact, answers: list[Answer]) -> tuple[Case, ...]:
    superseded = tuple(a.supersedes for a in answers if a.supersedes)
    if not superseded:
        return ()
    were = "1 earlier answer was" if len(superseded) == 1 else f"{len(superseded)} earlier answers were"
    sentence = f"`{because.id}` arrived late; {were} too soft and superseded"
    return (case_of("LATE_EVIDENCE", sentence, client, because, decisions=superseded),)


def _carry(dossier: Dossier, old: Dossier, standing: Sequence[Standing], told: set[str]) -> None:
    """What the replay cannot know: answers, and what was said already; of scopes that were cut the history tells it."""
    dossier.offers = sorted(standing, key=lambda s: (s.at, s.source, s.id))
    dossier.last_offer = dossier.offers[-1].at if dossier.offers else NEVER
    dossier.suspended_said = old.suspended_said
    dossier.conflict_said = old.conflict_said
    dossier.greeted = list(old.greeted)
    said = {s.key: s.tainted for s in old.scopes}
    for scope in dossier.scopes:
        known = said.get(scope.key)
        scope.tainted = notices.spoilt_id(dossier.client, scope) in told if known is None else known


def _bounded(dossier: Dossier, register: Register) -> Dossier:
    """The dossier of a replay, cut to what is stored."""
    for reached in dossier.members():
        for span in reached.touches.values():
            if len(span.entries) > 2 * KEPT_TOUCHES:
                del span.entries[KEPT_TOUCHES:-KEPT_TOUCHES]
    trim(dossier, register)
    dossier.full = False
    return dossier
