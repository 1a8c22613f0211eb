"""One fact in: the changed dossier, answers, superseding answers, notices, cases, deadlines and messages out.

The only call that runtimes make for what happens around one client. It asks for the history only when a fact reaches
back behind an answer, or needs what the dossier has cut; then the runtime calls again with the same dossier and it.
The dossier handed in is used up; the one of the step takes its place.
Source: judging sections 1, 4, 6 and 7; design sections 1 and 2.
"""

from collections.abc import Sequence
from typing import Final, Literal

from gate import notices, people, revision
from gate.decision import decide
from gate.dossier import BEFORE_EVERYTHING, Dossier, accused_since
from gate.effects import Answer, Deadline, Notice, Step, noted
from gate.evolve import Reach, asked_since, deliver, evolve, may_be_answered, since_of
from gate.facts import (
    OF_EVIDENCE,
    Arrived,
    Asked,
    Contacted,
    Declared,
    Delivered,
    EvidenceApproved,
    EvidenceFiled,
    EvidenceRetracted,
    Fact,
    Instant,
    Located,
    Merged,
    Proposed,
    Refused,
    Released,
    Requested,
)
from gate.forgotten import may_be_among, may_hold, signed
from gate.history import Record, given
from gate.known import Known, outdated
from gate.merging import to_kin
from gate.policy import Policy
from gate.sending import belonging, delivered_without_permission, names_of, was_let_go
from gate.solicitation import uncertain
from gate.trimming import trim

HISTORY_NEEDED: Final[Literal["history needed"]] = "history needed"
_GROWING: Final = frozenset((Arrived, Asked, Declared, Requested, Contacted, EvidenceFiled))
"""What makes parts of the dossier grow that have a bound."""
_OF_OFFERS_AND_PEOPLE: Final = frozenset((Proposed, Delivered, Released, Refused, Merged))
Stepped = Step | Literal["history needed"]

__all__ = ["HISTORY_NEEDED", "Step", "Stepped", "step"]


def step(known: Known, fact: Fact, policy: Policy, history: Sequence[Record] | None = None) -> Stepped:
    """Take one fact of the client in. With `history` (all earlier records) every fact can be taken.

    INVARIANT (one policy): what is judged by is what the register is of; callers make both together.
    """
    if policy is not known.policy and policy != known.policy:
        asked, told = policy.version, known.policy.version
        raise AssertionError(f"event `{fact.id}` is to be judged by policy `{asked}` on a register of policy `{told}`")
    stepped = _forward(known, fact) if history is None else revision.arrive(known, fact, history)
    return stepped if isinstance(stepped, str) else noted(stepped)


def _forward(known: Known, fact: Fact) -> Stepped:
    said, dossier = fact.said, known.dossier
    if outdated(dossier, known.register) or may_be_answered(dossier, fact):
        return HISTORY_NEEDED
    if type(said) not in _OF_OFFERS_AND_PEOPLE:
        return _learn(known, fact)
    match said:
        case Proposed():
            return _propose(known, fact, said)
        case Delivered():
            return _deliver(known, fact, said)
        case Refused():
            return Step(dossier, Record(fact))
        case _:
            return HISTORY_NEEDED


def _propose(known: Known, fact: Fact, said: Proposed) -> Stepped:
    dossier = known.dossier
    if _needs_history(known, fact, said):
        return HISTORY_NEEDED
    outcome = decide(known, fact)
    spoils = notices.says_tainted(outcome) and notices.spoilt_meanwhile(known, fact.at)
    if spoils and dossier.forgotten.scopes:
        return HISTORY_NEEDED  # Scopes that were cut are spoilt, too.
    standing = revision.standing_of(fact, fact, outcome, names_of(known, fact), known.policy.digest)
    dossier.offers.append(standing)
    if said.mixed:
        dossier.concluded = known.register.concluding
    dossier.last_offer = max(dossier.last_offer, fact.at)
    cases = notices.cases_of(dossier, fact, outcome, standing.decision)
    spoilt = notices.tainted_scopes(known) if spoils else ()
    trim(dossier, known.register)
    answer = Answer(fact, outcome, standing, fact.recorded, countries=dossier.located())
    forwards = to_kin(dossier, fact, Record(fact))
    kept = given(standing, outcome, known.register)
    return Step(dossier, Record(fact, answers=(kept,)), (answer,), spoilt, cases, forwards=forwards)


def _needs_history(known: Known, fact: Fact, said: Proposed) -> bool:
    dossier = known.dossier
    if fact.at < dossier.horizon:
        return True
    if dossier.delivered[0] == fact.at and said.offer in dossier.delivered[1]:
        return True
    if fact.at < dossier.spilled.get(said.transaction or "", fact.at):
        return True
    return uncertain(dossier, known.register)


def _deliver(known: Known, fact: Fact, said: Delivered) -> Stepped:
    dossier = known.dossier
    belongs = belonging(dossier.offers, said.offer, fact.at)
    cut = dossier.forgotten
    if (not belongs or belongs[0].at <= cut.offered) and may_hold(cut.offers, said.offer):
        return HISTORY_NEEDED  # It may belong to a proposal that was cut.
    if asked_since(dossier, fact.at) or _touches_other_offers(dossier, fact, said):
        return HISTORY_NEEDED
    let_go = was_let_go(belongs, fact.at)
    if not let_go and cut.scopes and notices.spoilt_meanwhile(known, fact.at):
        return HISTORY_NEEDED
    names = tuple(dict.fromkeys(t for o in belongs for t in o.names))
    deliver(dossier, dossier.own, fact, let_go, names, [o.by for o in belongs])
    latest, sent = dossier.delivered
    if not sent or fact.at >= latest:  # Before the first one its time means nothing.
        dossier.delivered = (fact.at, [*sent, said.offer] if fact.at == latest else [said.offer])
    record = Record(fact, let_go=let_go)
    return Step(
        dossier,
        record,
        cases=() if let_go else (delivered_without_permission(fact, belongs),),
        notices=() if let_go else notices.tainted_scopes(known, fact),
        forwards=to_kin(dossier, fact, record),
    )


def _touches_other_offers(dossier: Dossier, fact: Fact, said: Delivered) -> bool:
    """Whether it reaches back behind an answer to another offer than its own."""
    if fact.at > dossier.last_offer:
        return False
    if fact.at < dossier.last_offer or fact.at <= dossier.forgotten.offered:
        return True
    return any(o.offer != said.offer for o in dossier.offers if o.at == fact.at)


def _learn(known: Known, fact: Fact) -> Stepped:
    dossier, said = known.dossier, fact.said
    if since(dossier, fact) <= dossier.last_offer:
        return HISTORY_NEEDED
    if isinstance(said, EvidenceApproved | EvidenceFiled) and _signed_before(dossier, fact, said):
        return HISTORY_NEEDED
    elsewhere = isinstance(said, Located) and said.country not in dossier.own.countries
    if dossier.forgotten.scopes and (elsewhere or notices.may_tell_of_old(known, fact)):
        return HISTORY_NEEDED  # A scope that was cut.
    if isinstance(said, Requested) and uncertain(dossier, known.register):
        return HISTORY_NEEDED  # What solicited him before may have been cut.
    alone = people.same_person(dossier, fact)
    if evolve(dossier, fact, known.register) is Reach.HISTORY:
        return HISTORY_NEEDED
    record = Record(fact)
    forwards = to_kin(dossier, fact, record) if dossier.greeted else ()
    kind = type(said)
    cases = alone
    told: tuple[Notice, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    if kind in notices.TELLING or elsewhere:
        cases += notices.cases_at(known, fact)
        told, deadlines = notices.notices_at(known, fact), notices.deadlines_at(fact, known.policy)
    if kind in _GROWING:  # Only now: the scope of a late request may be cut at once.
        trim(dossier, known.register)
    return Step(dossier, record, (), told, cases, deadlines, forwards)


def _signed_before(dossier: Dossier, fact: Fact, said: EvidenceApproved | EvidenceFiled) -> bool:
    """Whether in what was cut he may have filed or approved the same, or others approved it in time for this filing.

    An accusation is also approved by who signed before it was filed.
    """
    cut, own = dossier.forgotten, signed(said.evidence, said.by)
    if isinstance(said, EvidenceApproved):
        return may_be_among(cut.filers, said.by) and may_hold(cut.evidence, own)
    if (fact.at <= cut.approved or said.supports == "solicitation") and may_hold(cut.evidence, said.evidence):
        return True
    return may_be_among(cut.approvers, said.by) and may_hold(cut.evidence, own)


def since(dossier: Dossier, fact: Fact) -> Instant:
    """From when a fact counts, as far as the dossier knows its evidence."""
    said = fact.said
    kind = type(said)
    if kind not in OF_EVIDENCE:
        return fact.at
    if isinstance(said, EvidenceFiled):
        return since_of(said, fact.at)
    assert isinstance(said, EvidenceApproved | EvidenceRetracted)
    if isinstance(said, EvidenceApproved):
        accusations = (f for f in dossier.own.accusations if f.evidence == said.evidence)
        return min((accused_since(f.solicited_at, fact.at) for f in accusations), default=fact.at)
    if may_hold(dossier.forgotten.evidence, said.evidence):
        return BEFORE_EVERYTHING
    filed_at = [f.at for f in dossier.filed(said.evidence) if f.supports != "solicitation"]
    return min(filed_at, default=fact.at)
