"""What else the gate says: notices of scopes, and cases that a person must look at (judging section 6)."""

from collections.abc import Sequence
from typing import Final

from gate.dossier import ANY, Dossier, Scope, Touch
from gate.effects import Case, Deadline, Notice, case_of, derived_id
from gate.facts import (
    OF_EVIDENCE,
    Arrived,
    Contacted,
    EvidenceApproved,
    EvidenceFiled,
    Fact,
    Instant,
    Located,
    Narrowed,
    Referred,
    Requested,
)
from gate.history import Record, tells_all, told_by
from gate.known import Known
from gate.outcome import Outcome, view_of
from gate.packing import replaced
from gate.policy import Policy
from gate.rules.territory import is_outside, where_is_client
from gate.taint import Taints

SOLICITING: Final = frozenset((Arrived, Referred, Contacted, EvidenceFiled, EvidenceApproved, Located, Narrowed))
"""What may show that a client was solicited; a narrowing where it leaves more than the one before it."""
TELLING: Final = (SOLICITING | {Requested}) - {Located}
"""What can be followed by notices, cases or deadlines of its own; a location only where the client was not before."""


def _notice(name: str, client: str, scope: Scope, because: str, policy: Policy) -> Notice:
    state = "open" if name == "scope.opened" else "tainted"
    view = view_of(scope.service, scope.asset, scope.opened, state, policy)
    return Notice(name, _id(name, client, scope), client, view, because)


def _id(name: str, client: str, scope: Scope) -> str:
    return derived_id("not", name, client, *scope.key)


def spoilt_id(client: str, scope: Scope) -> str:
    """The id of the notice that a scope is tainted."""
    return _id("scope.tainted", client, scope)


def notices_at(known: Known, fact: Fact, then: Known | None = None) -> tuple[Notice, ...]:
    """What one fact opens or spoils; `then` is what was known up to it, where it is late."""
    if type(fact.said) is Requested:
        return _opened(known, fact, then or known)
    if not known.dossier.scopes or not _solicits(known.dossier, fact):
        return ()
    return tainted_scopes(known, fact)


def _solicits(dossier: Dossier, fact: Fact) -> bool:
    """Whether it may show that the client was solicited; of evidence what says so."""
    said = fact.said
    match said:
        case EvidenceFiled():
            return said.supports == "solicitation"
        case EvidenceApproved():
            return dossier.accused(said.evidence)
        case _:
            return type(said) in SOLICITING


def may_tell_of_old(known: Known, fact: Fact) -> bool:
    """Whether scopes of requests before this fact may be told spoilt with it."""
    if type(fact.said) not in TELLING:
        return False
    solicits = _solicits(known.dossier, fact)
    if solicits and _reaches_back(known.dossier, fact):
        return True
    return (solicits or opens_scope(fact)) and spoilt_meanwhile(known, fact.at)


def _reaches_back(dossier: Dossier, fact: Fact) -> bool:
    """Whether a solicitation may count from before something that is known already; evidence and narrowings do."""
    return type(fact.said) in OF_EVIDENCE or isinstance(fact.said, Narrowed) or fact.at <= dossier.horizon


def ids_of_spoilt(known: Known) -> set[str]:
    """Ids of the notices of all scopes that are spoilt by what is known."""
    taints = Taints(known)
    return {spoilt_id(known.dossier.client, s) for s in known.dossier.scopes if taints.of(s) is not None}


def _opened(known: Known, fact: Fact, then: Known) -> tuple[Notice, ...]:
    scope = known.dossier.scope(fact.source, fact.id)
    if scope is None:
        return ()
    spoilt = tainted_scopes(known, fact)
    if scope.prompted(known.policy.hard_limit):
        return spoilt
    if _is_abroad(then, scope.opened):
        return spoilt
    return (_notice("scope.opened", fact.client, scope, fact.id, known.policy), *spoilt)


def _is_abroad(known: Known, at: Instant) -> bool:
    """Whether he is out of territory; where a rule fails to run, as if he were not."""
    try:
        return is_outside(where_is_client(known.dossier, known.register, at))
    except Exception:
        return False


def tainted_scopes(known: Known, because: Fact | None = None) -> tuple[Notice, ...]:
    """Scopes that are found spoilt now and were not said to be; the first one spoilt suspends the relationship.

    `because` is what arrived and shows it; without it the solicitation itself is named.
    """
    dossier, policy = known.dossier, known.policy
    found = []
    for scope, spoiling in _newly_spoilt(known):
        scope.tainted = True
        by = because.id if because else spoiling
        found.append(_notice("scope.tainted", dossier.client, scope, by, policy))
        first = dossier.first_scope
        if first == Touch(scope.opened, scope.id) and not dossier.suspended_said:
            dossier.suspended_said = True
            found.append(_notice("relationship.suspended", dossier.client, scope, by, policy))
    return tuple(found)


def _newly_spoilt(known: Known) -> list[tuple[Scope, str]]:
    """Scopes that are spoilt and were not said to be, each with what spoils it."""
    untold = [s for s in known.dossier.scopes if not s.tainted]
    if not untold:
        return []
    taints = Taints(known)
    return [(scope, spoiling) for scope in untold if (spoiling := taints.of(scope)) is not None]


def spoilt_meanwhile(known: Known, at: Instant) -> bool:
    """Whether scopes are found spoilt that were not said to be, by what is known at that time of what arrived before.

    The register may tell only later whose tag it was, or what is in scope; a later policy weighs and prompts otherwise.
    """
    dossier = known.dossier
    untold = [s for s in dossier.scopes if not s.tainted]
    if dossier.untold is not None:  # What spoils one that was opened earlier spoils the latest, too.
        untold.append(Scope(dossier.untold, "", "", "", None, ANY, "", []))
    if not untold:
        return False
    now = replaced(dossier, last_offer=max(dossier.last_offer, at))
    taints = Taints(Known(now, known.register))
    return any(taints.of(scope) is not None for scope in untold)


def says_tainted(outcome: Outcome) -> bool:
    """Whether an answer says that its scope is tainted."""
    return outcome.scope is not None and outcome.scope.state == "tainted"


def closed(due: Deadline, policy: Policy) -> Notice:
    """The notice that the hard limit of a scope passed; another than the policy's where another was in force then.

    Its state is what time makes of it: whether the scope is known as tainted when somebody looks is chance.
    """
    view = view_of(due.service, due.asset, due.opened, "servicing_only", policy)
    if view.hard_until != due.at:
        view = replaced(view, soft_until=min(view.soft_until, due.at), hard_until=due.at)
    id = derived_id("not", "scope.closed", due.client, due.source, due.id)
    return Notice("scope.closed", id, due.client, view, due.id)


def opens_scope(fact: Fact) -> bool:
    """Whether it is a request of a kind that opens one (judging section 4)."""
    return isinstance(fact.said, Requested) and fact.said.kind != "recurring_execution"


def deadlines_at(fact: Fact, policy: Policy) -> tuple[Deadline, ...]:
    """When the scope that a request opens will close, by the policy's limit."""
    said = fact.said
    if not isinstance(said, Requested) or not opens_scope(fact):
        return ()
    at = fact.at + policy.hard_limit
    return (Deadline(at, fact.client, fact.source, fact.id, said.service, said.asset, fact.at),)


def cases_of(dossier: Dossier, offer: Fact, outcome: Outcome, decision: str) -> tuple[Case, ...]:
    """Cases that an answer opens: a conflict of locations, once for the same signs, and a rule that failed."""
    found = []
    for reason in outcome.reasons:
        if reason.code == "RULE_FAILED":
            found.append(case_of("RULE_FAILED", reason.said, offer.client, offer, reason.facts, (decision,)))
        signs = sorted(reason.facts)  # A replay may come upon them in another order.
        if reason.code == "LOCATION_CONFLICT" and sorted(dossier.conflict_said.split()) != signs:
            dossier.conflict_said = " ".join(reason.facts)
            found.append(case_of("LOCATION_CONFLICT", reason.said, offer.client, offer, reason.facts, (decision,)))
    return tuple(found)


def cases_at(known: Known, fact: Fact) -> tuple[Case, ...]:
    """Cases that a fact opens by itself."""
    said = fact.said
    if isinstance(said, EvidenceFiled) and said.supports == "solicitation":
        sentence = f"evidence `{said.evidence}` says that the client was solicited"
        return (case_of("EVIDENCE_CONTRADICTED", sentence, fact.client, fact),)
    return exposure(known.dossier, fact, known.policy)


def exposure(dossier: Dossier, fact: Fact, policy: Policy) -> tuple[Case, ...]:
    """The case of a contact that reached a client, or who is the same person, while a scope of this one was open."""
    said = fact.said
    if not isinstance(said, Contacted) or not said.promoting or not _is_open(dossier.scopes, fact.at, policy):
        return ()
    sentence = f"`{said.by}` contacted the client ({said.content.replace('_', ' ')}) while a scope was open"
    return (case_of("EXPOSURE", sentence, dossier.client, fact),)


def exposures_before(known: Known, fact: Fact, history: Sequence[Record]) -> tuple[Case, ...]:
    """The cases of contacts that had arrived before the request whose scope they fell into, and were not told yet."""
    if not opens_scope(fact):
        return ()
    policy = known.policy
    end = fact.at + policy.hard_limit
    contacts = [r.fact for r in history if r.fact is not None and isinstance(r.fact.said, Contacted)]
    touched = [f for f in contacts if fact.at < f.at < end]
    if not tells_all(history):
        others = [s for s in known.dossier.scopes if s.key != fact.key]
        touched = [f for f in touched if not _is_open(others, f.at, policy)]
    told = told_by(history)
    return tuple(case for f in touched for case in exposure(known.dossier, f, policy) if case.id not in told)


def _is_open(scopes: Sequence[Scope], at: Instant, policy: Policy) -> bool:
    """Whether one of them was opened before that time, and is open at it."""
    return any(s.opened < at < s.shut_at(policy.hard_limit) for s in scopes)
