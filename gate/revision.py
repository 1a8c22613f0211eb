"""A fact that reaches back: earlier offers are judged again, and answers that were too soft are superseded.

Law: law reference R22, R23 (never rewrite; late favourable facts count forward only). Clock: effective time.
Source: judging section 1 (P1, P2), sections 6 and 7.
"""

from collections.abc import Sequence

from gate import notices, people
from gate.chronology import effective
from gate.concern import Leanings, leanings
from gate.dossier import BEFORE_EVERYTHING, KEPT_TOUCHES, NEVER, Dossier, Standing, trim
from gate.effects import Answer, Case, Greeting, Step, case_of, decision_id
from gate.evolve import may_be_answered
from gate.facts import (
    OF_EVIDENCE,
    Delivered,
    EvidenceFiled,
    Fact,
    Instant,
    Merged,
    Proposed,
    RelationshipChanged,
    Released,
    Requested,
)
from gate.history import Given, Record, given, standings
from gate.instants import LATEST
from gate.known import Known
from gate.outcome import Outcome, Verdict
from gate.packing import replaced
from gate.policy import Policy
from gate.replaying import as_of, names_of, replay

Key = tuple[str, str]


def standing_of(known: Known, offer: Fact, because: Fact, outcome: Outcome, told_by: str | None = None) -> Standing:
    """The standing record of an answer; `told_by` as in `decision_id`."""
    said = offer.said
    assert isinstance(said, Proposed)
    return Standing(
        offer.at,
        offer.source,
        offer.id,
        said.offer,
        decision_id(offer, because, known.policy.digest, told_by),
        int(outcome.verdict),
        outcome.verdict is Verdict.ALLOW,
        outcome.send_by,
        outcome.scope.hard_until if outcome.scope else None,
        people.releasable(outcome),
        names=names_of(known, offer),
        by=said.by,
    )


def arrive(known: Known, fact: Fact, history: Sequence[Record]) -> Step:
    """Take a fact of the client in with the whole history at hand."""
    dossier, said = known.dossier, fact.said
    answered = standings(history)
    cases: tuple[Case, ...] = ()
    record = Record(fact)
    if isinstance(said, Delivered):
        belongs = people.belonging((a.standing for a in answered.values()), said.offer, fact.at)
        record = Record(fact, let_go=people.was_let_go(belongs, fact.at))
        cases = () if record.let_go else (notices.delivered_without_permission(fact, belongs),)
    if isinstance(said, Released) and not may_be_answered(dossier, fact):
        return _release(known, fact, said, history, answered)
    since = effective(fact, _filings(history))
    step = _revise(known, record, (), since, fact, history, answered)
    now = Known(step.dossier, known.register)
    if isinstance(said, Released) and said.by != said.second:
        cases = (people.refused(fact, "its id is that of something the client said; sign it under another"),)
    cases += (
        *_signed_alone(now, fact, history),
        *notices.cases_at(now, fact),
        *notices.exposures_before(now, fact, history),
    )
    forwards = people.to_kin(step.dossier, fact, step.record)
    if isinstance(said, Merged):
        sentence = f"`{fact.client}` and `{said.other}` are the same person; the worse history counts for both"
        cases += (case_of("IDENTITY_MERGED", sentence, fact.client, fact),)
        forwards = _greet(step.dossier, (said.other,), [*history, record], fact)
    opened = notices.notices_at(now, fact, _when_asked(known, fact, [*history, record]))
    return Step(
        _bounded(step.dossier, known.policy),
        step.record,
        step.answers,
        (*opened, *step.notices),
        step.cases + cases,
        notices.deadlines_at(fact, known.policy),
        forwards,
    )


def _when_asked(known: Known, fact: Fact, records: Sequence[Record]) -> Known | None:
    """What was known up to a late request: where the client was then, his dossier may have forgotten by now."""
    if not isinstance(fact.said, Requested) or fact.at >= known.dossier.horizon:
        return None
    return Known(as_of(known.dossier.client, records, known.register, fact.at), known.register)


def _signed_alone(known: Known, fact: Fact, history: Sequence[Record]) -> tuple[Case, ...]:
    """Cases of who signed alone; a change of the relationship may show that of an earlier one, which it precedes."""
    if not isinstance(fact.said, RelationshipChanged):
        return people.same_person(known.dossier, fact)
    changes = [r.fact for r in history if r.fact and r.of is None and isinstance(r.fact.said, RelationshipChanged)]
    before = {f.key for f in people.counting_for_nothing(changes, known.register)}
    now = people.counting_for_nothing([*changes, fact], known.register)
    return tuple(people.alone_case(f) for f in now if f.key not in before)


def greeted(known: Known, greeting: Greeting, history: Sequence[Record]) -> tuple[Step, list[Record]]:
    """Take in what a merged client tells: what follows, with greetings for those not known yet.

    And which records of the message are new: they come into the history before the step's own.
    """
    known_already = {(r.of, r.fact.key) for r in history if r.fact is not None}
    fresh = [r for r in greeting.records if r.fact is not None and (r.of, r.fact.key) not in known_already]
    step = _revise(known, None, fresh, _since(greeting), greeting.because, history, standings(history), greeting.of)
    newcomers = (greeting.of, *greeting.kin) if greeting.kin else ()
    forwards = _greet(step.dossier, newcomers, history, greeting.because)
    touched = (notices.exposure(step.dossier, r.fact, known.policy) for r in fresh if r.fact is not None)
    cases = (*step.cases, *(case for found in touched for case in found))
    dossier = _bounded(step.dossier, known.policy)
    return Step(dossier, step.record, step.answers, step.notices, cases, (), forwards), fresh


def reopen(known: Known, since: Instant, because: Fact, history: Sequence[Record]) -> tuple[Step, Leanings]:
    """Judge a client's offers from `since` on again, because the register changed behind them.

    With what he leans on, as far as he himself is concerned, also where that was cut.
    """
    step = _revise(known, None, (), since, because, history, standings(history))
    leant_on = leanings(step.dossier)
    _bounded(step.dossier, known.policy)
    return step, leant_on


def _since(greeting: Greeting) -> Instant:
    """From when what is told may count: who joins tells of all his past, who has joined of one fact."""
    if greeting.kin:
        return BEFORE_EVERYTHING
    fact = greeting.records[0].fact
    assert fact is not None
    if isinstance(fact.said, EvidenceFiled):
        return effective(fact, ())
    return BEFORE_EVERYTHING if type(fact.said) in OF_EVIDENCE else fact.at


def _greet(dossier: Dossier, others: Sequence[str], records: Sequence[Record], because: Fact) -> tuple[Greeting, ...]:
    """Tell merged clients who are new everything that is shared, also what others who are the same person told."""
    new = [o for o in dict.fromkeys(others) if o != dossier.client and o not in dossier.greeted]
    if not new:
        return ()
    dossier.greeted = sorted([*dossier.greeted, *new])  # Whichever was heard of first, the state is the same.
    shared = [
        Record(r.fact, of=r.of or dossier.client, let_go=r.let_go)
        for r in records
        if r.fact is not None and isinstance(r.fact.said, people.SHARED)
    ]
    found = []
    for other in new:
        kin = (dossier.client, *(g for g in dossier.greeted if g != other))
        told = tuple(r for r in shared if r.of != other)
        found.append(Greeting(other, dossier.client, told, kin, because))
    return tuple(found)


def _filings(history: Sequence[Record]) -> list[EvidenceFiled]:
    return [r.fact.said for r in history if r.fact and r.of is None and isinstance(r.fact.said, EvidenceFiled)]


def _revise(
    known: Known,
    record: Record | None,
    kin_records: Sequence[Record],
    since: Instant,
    because: Fact,
    history: Sequence[Record],
    answered: dict[Key, Given],
    told_by: str | None = None,
) -> Step:
    """Replay everything with the new records, and supersede every standing answer that is too soft now."""
    arrived = (*history, *((record,) if record else ()), *kin_records)
    old = known.dossier
    replayed = replay(old.client, arrived, known.register, since)
    dossier, outcomes = replayed.dossier, replayed.outcomes
    fresh = Known(dossier, known.register)
    offers = {r.fact.key: r.fact for r in arrived if r.fact and r.of is None and isinstance(r.fact.said, Proposed)}
    answers = []
    for key, outcome in outcomes.items():
        answer = _answer(fresh, offers[key], outcome, answered.get(key), because, history, told_by)
        if answer:
            answers.append(answer)
    answers.sort(key=lambda a: (a.supersedes is not None, a.offer.at, a.offer.source, a.offer.id))
    fresh_ones = tuple(given(a.standing, a.outcome, known.register.version) for a in answers)
    standing = {k: g.standing for k, g in answered.items()} | {a.standing.event: a.standing for a in answers}
    for key, names in replayed.names.items():
        standing[key] = replaced(standing[key], names=names)
    _carry(dossier, old, standing)
    if old.dropped:
        _mark_what_was_told(known, fresh, record, kin_records, history)
    cases = _late(old.client, because, answers)
    for answer in answers:
        cases += notices.cases_of(dossier, answer.offer, answer.outcome, answer.standing.decision)
    spoilt = notices.tainted_scopes(fresh, because)
    done = record or Record(None)
    done = Record(done.fact, done.of, done.let_go, fresh_ones)
    return Step(dossier, done, tuple(answers), spoilt, cases)


def _answer(
    known: Known,
    offer: Fact,
    outcome: Outcome,
    before: Given | None,
    because: Fact,
    history: Sequence[Record],
    told_by: str | None,
) -> Answer | None:
    """The first answer of a new offer, a superseding one where the standing one is too soft, or nothing."""
    countries = known.dossier.located()
    if before is None:
        standing = standing_of(known, offer, because, outcome)
        return Answer(offer, outcome, standing, because.recorded, countries=countries)
    softer = outcome.verdict > before.standing.verdict
    if before.standing.released_at is not None and before.outcome is not None:
        softer = _takes_back(known, before, outcome, history)
    if not softer:
        return None
    standing = standing_of(known, offer, because, outcome, told_by)
    return Answer(offer, outcome, standing, because.recorded, before.standing.decision, because, countries)


def _takes_back(known: Known, standing: Given, fresh: Outcome, history: Sequence[Record]) -> bool:
    """Whether more is known than the answer said, or leant on without saying it; the latter takes another replay."""
    said = standing.outcome
    assert said is not None
    if not people.takes_back(said, said, fresh):
        return False
    return people.takes_back(said, _outcome_then(known, standing, history), fresh)


def _outcome_then(known: Known, standing: Given, history: Sequence[Record]) -> Outcome:
    """What the answer that people released, or are to release, was judged on, judged again with nothing cut."""
    key, decision = standing.standing.event, standing.standing.decision
    for place in range(len(history) - 1, -1, -1):
        record = history[place]
        found = next((g for g in record.answers if g.standing.decision == decision), None)
        if found is None:
            continue
        if record.fact is not None and isinstance(record.fact.said, Released):
            decision = record.fact.said.decision
            continue
        register = known.register.as_of(found.register)
        at, then = found.standing.at, history[: place + 1]
        return replay(known.dossier.client, then, register, at, at).outcomes[key]
    raise AssertionError(f"the history holds no answer `{decision}`, though it stands")


def _late(client: str, because: Fact, answers: list[Answer]) -> tuple[Case, ...]:
    replaced = tuple(a.supersedes for a in answers if a.supersedes)
    if not replaced:
        return ()
    were = "1 earlier answer was" if len(replaced) == 1 else f"{len(replaced)} earlier answers were"
    sentence = f"`{because.id}` arrived late; {were} too soft and superseded"
    return (case_of("LATE_EVIDENCE", sentence, client, because, decisions=replaced),)


def _carry(dossier: Dossier, old: Dossier, answered: dict[Key, Standing]) -> None:
    """What the replay cannot know: answers, what was said already, and the bounds of the dossier."""
    dossier.offers = sorted(answered.values(), key=lambda s: (s.at, s.source, s.id))
    dossier.last_offer = dossier.offers[-1].at if dossier.offers else NEVER
    dossier.suspended_said = old.suspended_said
    dossier.conflict_said = old.conflict_said
    dossier.greeted = list(old.greeted)
    said = {s.key: s.tainted for s in old.scopes}
    for scope in dossier.scopes:
        scope.tainted = said.get(scope.key, False)


def _mark_what_was_told(
    known: Known,
    fresh: Known,
    record: Record | None,
    kin_records: Sequence[Record],
    history: Sequence[Record],
) -> None:
    """Of scopes that were cut it is not kept whether they were said to be spoilt: those that were spoilt were."""
    arrived = [r.fact for r in (record, *kin_records) if r is not None and r.fact is not None]
    newly: set[tuple[str, str]] = set()
    if any(type(f.said) in notices.SOLICITING for f in arrived):
        before = replay(known.dossier.client, history, known.register, LATEST + 1).dossier
        newly = notices.spoilt_scopes(fresh) - notices.spoilt_scopes(Known(before, known.register))
    kept = {s.key for s in known.dossier.scopes} | {f.key for f in arrived}
    for scope in fresh.dossier.scopes:
        if scope.key not in kept:
            scope.tainted = scope.key not in newly


def _bounded(dossier: Dossier, policy: Policy) -> Dossier:
    """The dossier of a replay, cut to what is stored."""
    for reached in dossier.members():
        for span in reached.touches.values():
            if len(span.entries) > 2 * KEPT_TOUCHES:
                del span.entries[KEPT_TOUCHES:-KEPT_TOUCHES]
    trim(dossier, policy.hard_limit)
    dossier.full = False
    return dossier


def _release(known: Known, fact: Fact, said: Released, history: Sequence[Record], answered: dict[Key, Given]) -> Step:
    dossier, policy = known.dossier, known.policy
    alone = people.same_person(dossier, fact)
    if alone:
        return Step(dossier, Record(fact), cases=alone)
    found = next((a for a in answered.values() if a.standing.decision == said.decision), None)
    why = people.refusal(found.standing if found else None, said, fact.at, policy)
    if why or found is None or found.outcome is None:
        return Step(dossier, Record(fact), cases=(people.refused(fact, why or ""),))
    standing, outcome = found.standing, found.outcome
    fresh = replay(dossier.client, history, known.register, standing.at, standing.at).outcomes[standing.event]
    if _takes_back(known, found, fresh, history):
        why = "more is known against it by now than the answer says; propose the offer again"
        return Step(dossier, Record(fact), cases=(people.refused(fact, why),))
    offer = next(r.fact for r in history if r.fact and r.of is None and r.fact.key == standing.event)
    answer = people.released(offer, fact, outcome, standing, policy, dossier.located())
    dossier.offers = [answer.standing if o.event == standing.event else o for o in dossier.offers]
    kept = given(answer.standing, answer.outcome, known.register.version)
    return Step(dossier, Record(fact, answers=(kept,)), (answer,))
