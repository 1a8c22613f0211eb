"""What people may do: release, narrow, retract, milden; where two are asked for they must differ (judging section 7)."""

from collections.abc import Sequence

from gate.dossier import Dossier, Standing
from gate.effects import Answer, Case, case_of, decision_id
from gate.evolve import evolve, signed_milder_alone
from gate.facts import (
    EvidenceApproved,
    EvidenceFiled,
    EvidenceRetracted,
    Fact,
    Instant,
    Narrowed,
    RelationshipChanged,
    Released,
)
from gate.outcome import Outcome, Reason, Verdict
from gate.packing import replaced
from gate.policy import HOUR, Policy
from gate.register import Register


def same_person(dossier: Dossier, fact: Fact) -> tuple[Case, ...]:
    """A case where two people are asked for and are one, or a filer approves himself."""
    said = fact.said
    match said:
        case EvidenceRetracted() | Narrowed() | Released():
            alone = said.by == said.second
        case RelationshipChanged():
            alone = signed_milder_alone(dossier.own, fact)
        case EvidenceApproved():
            alone = any(f.by == said.by for f in dossier.filed(said.evidence))
        case EvidenceFiled():
            alone = said.by in dossier.own.approvals.get(said.evidence, ())
        case _:
            return ()
    return (alone_case(fact),) if alone else ()


def alone_case(fact: Fact) -> Case:
    """The case of somebody who signed alone."""
    said = fact.said
    assert isinstance(
        said, EvidenceRetracted | Narrowed | Released | RelationshipChanged | EvidenceApproved | EvidenceFiled
    )
    sentence = f"`{said.by}` signed alone where a second person must sign; alone that has no effect"
    decisions = (said.decision,) if isinstance(said, Released) else ()
    return case_of("SAME_PERSON_TWICE", sentence, fact.client, fact, decisions=decisions)


def counting_for_nothing(changes: Sequence[Fact], register: Register) -> list[Fact]:
    """Which changes of the client's relationship one person signed alone though they soften it, by what is known."""
    dossier = Dossier("", full=True)
    found = []
    for change in sorted(changes, key=lambda f: f.at):
        if signed_milder_alone(dossier.own, change):
            found.append(change)
        evolve(dossier, change, register)
    return found


def releasable(verdict: str, codes: Sequence[str]) -> bool:
    """Whether people may release such an answer: a flag, or a block of TYPE_UNCLASSIFIED alone.

    `verdict` and `codes` are as on the wire, so that it is also asked of answers that were given and read again.
    """
    return verdict == Verdict.FLAG.word or list(codes) == ["TYPE_UNCLASSIFIED"]


def refusal(standing: Standing | None, said: Released, at: Instant, policy: Policy) -> str | None:
    """Why a release is refused; None if it lets the answer go."""
    if standing is None:
        return "the decision is no current answer of this client: another replaced it, or it is unknown"
    if standing.released_at is not None:
        return "the decision is released already"
    if not standing.releasable:
        return "only a flag, or a block of TYPE_UNCLASSIFIED alone, may be released"
    latest = at + policy.release_limit
    if standing.hard_until is not None:
        latest = min(latest, standing.hard_until)
    if not at < said.expires <= latest:
        hours = policy.release_limit / HOUR
        return (
            f"a release must expire after it is signed, within {hours:g} hours, and not after the window's hard limit"
        )
    return None


def outlasts(said: Released, now: Outcome) -> bool:
    """Whether a release runs beyond the hard limit of the scope that carries the offer by now.

    The answer may name a later scope that has been spoilt since, without being any softer for it.
    """
    return now.scope is not None and said.expires > now.scope.hard_until


def refused(fact: Fact, why: str) -> Case:
    """The case of a release that lets nothing go."""
    said = fact.said
    assert isinstance(said, Released)
    return case_of("RELEASE_REFUSED", why, fact.client, fact, decisions=(said.decision,))


def released(
    offer: Fact, fact: Fact, outcome: Outcome, before: Standing, policy: Policy, countries: tuple[str, ...]
) -> Answer:
    """The answer after a release: a flag that may be sent, led by RELEASED before the reasons it had."""
    said = fact.said
    assert isinstance(said, Released)
    sentence = f"`{said.by}` and `{said.second}` let it go: {said.reason}"
    lead = Reason("RELEASED", Verdict.FLAG, sentence, (fact.id,))
    outcome = Outcome(Verdict.FLAG, (lead, *outcome.reasons), outcome.scope, outcome.initiation, outcome.ended)
    standing = replaced(
        before,
        decision=decision_id(offer, fact, policy.digest),
        verdict=int(Verdict.FLAG),
        may_send=True,
        send_by=said.expires,
        releasable=False,
        released_at=fact.at,
    )
    return Answer(offer, outcome, standing, fact.recorded, before.decision, fact, countries)


def takes_back(given: Outcome, then: Outcome, fresh: Outcome) -> bool:
    """Whether a fresh outcome holds a reason, or a fact of one, that a release of the given one does not cover.

    It covers every flag and block with the solicitations, assets and products in it: with all that there were `then`,
    when it was given, as an answer itself leans on some of many.
    """
    known = {(r.code, r.verdict, "") for r in given.reasons}
    known |= {(r.code, r.verdict, c) for r in then.reasons for c in r.covers}
    return any(
        all((r.code, graver, c) not in known for graver in Verdict if graver >= r.verdict)
        for r in fresh.reasons
        if r.verdict
        for c in ("", *r.covers)
    )
