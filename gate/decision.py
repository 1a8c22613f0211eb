"""One question, one answer: may this be sent to this client now? (judging sections 2-5)

Pure: no clock, no network, no settings; the offer's own time is the time it is asked at.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, TypeVarTuple

from gate.dossier import Scope, latest_of_each
from gate.facts import Fact, Instant, Proposed, Thing
from gate.instants import LATEST
from gate.known import Known
from gate.law import SOLICITATION_CODES
from gate.outcome import SHOWN_FACTS, Outcome, Reason, ScopeView, Verdict, combine, view_of
from gate.policy import MINUTE, Policy
from gate.rules import AGAINST_SCOPE, BESIDE_REQUEST, Comparison, Question
from gate.rules.acting_entity import entity_is_authorised
from gate.rules.content import mixed_content, pure_content
from gate.rules.record import graded, search_is_filed
from gate.rules.regime import under_other_regime
from gate.rules.relationship import relationship_is_ending
from gate.rules.territory import is_outside, where_is_client
from gate.solicitation import Found, found_against, left_to

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Judged = tuple[Scope | None, list[Reason]]


def decide(known: Known, offer: Fact) -> Outcome:
    """The answer to one offer on all that is known, with every reason."""
    said = offer.said
    assert isinstance(said, Proposed)
    failed: list[Reason] = []
    step, reason = not_applying(known, offer, said, failed)
    if step and reason:
        return Outcome(Verdict.ALLOW, (reason,), ended=step)
    ending = _ask(failed, offer, pure_content, offer, said)
    if ending:
        return Outcome(Verdict.ALLOW, (ending,), ended=4)
    found = [reason, _ask(failed, offer, mixed_content, offer, said)]
    found += [_ask(failed, offer, under_other_regime, known.register, thing, offer.at) for thing in said.things]
    late = [_ask(failed, offer, relationship_is_ending, known.dossier)]
    return _Judging(known, offer, said).outcome([r for r in found if r], [r for r in late if r], failed)


def not_applying(known: Known, offer: Fact, said: Proposed, failed: list[Reason]) -> tuple[int, Reason | None]:
    """The step, 1 or 2, at which the gate is found not to apply, or 0; and what the last of these that was asked says.

    Rules that fail to run are added to `failed`: where one did, step 2 ends nothing.
    """
    authorised = _ask(failed, offer, entity_is_authorised, known.register, offer, said)
    if authorised:
        return 1, authorised
    territory = _ask(failed, offer, where_is_client, known.dossier, known.register, offer.at)
    return (2 if is_outside(territory) and not failed else 0), territory


def _ask(failed: list[Reason], offer: Fact, rule: Callable[[*Ts], Reason | None], *about: *Ts) -> Reason | None:
    """Run a rule; one that fails to run becomes a reason to block, added to `failed`, and the others still speak."""
    try:
        return rule(*about)
    except Exception as error:
        failed.append(rule_failed(offer, _name(rule), error))
        return None


def rule_failed(offer: Fact, rule: str, error: Exception) -> Reason:
    """A rule that cannot be evaluated, even by our own mistake, blocks; its name is for whoever mends it."""
    said = f"the rule `{rule}` could not be evaluated ({type(error).__name__}); nothing is sent until it can"
    return Reason("RULE_FAILED", Verdict.BLOCK, said, (offer.id,))


def _name(rule: Callable[..., Reason | None]) -> str:
    return str(getattr(rule, "__name__", "unnamed"))


class _Judging:
    """One offer against the scopes of its client (steps 6-8).

    An offer may promote thousands of things: what does not depend on a thing is asked once for all of them.
    """

    def __init__(self, known: Known, offer: Fact, said: Proposed) -> None:
        self._known, self._offer, self._said, self._policy = known, offer, said, known.policy
        self._of_scopes: dict[tuple[tuple[Instant, str, str], tuple[bool, ...]], list[Reason]] = {}
        self._narrowed = any(reached.narrowings for reached in known.dossier.members())
        """Whether what speaks against a scope depends on what it would carry."""
        self._solicited = False
        """Whether something speaks against one scope that speaks against every other, as it is found."""
        self._blocked: Instant = LATEST + 1
        """Scopes that were opened then or later are blocked by it."""

    def outcome(self, reasons: list[Reason], late: list[Reason], failed: list[Reason]) -> Outcome:
        """The answer, with what steps 2-4 and step 5 had to say and which rules failed."""
        offer, judged = self._offer, list[Judged]()
        for thing in self._said.things:
            try:
                judged.append(self._softest(thing))
            except Exception as error:
                failed.append(rule_failed(offer, "softest_scope", error))
        for _, found in judged:
            late += found
        late += failed
        scopes = [scope for scope, _ in judged if scope]
        scope = min(scopes, key=lambda s: s.rank) if scopes else None
        if scope and not late:
            late.append(Reason("WITHIN_WINDOW", Verdict.ALLOW, _within(offer, scope), (scope.id, offer.id)))
        every = combine(reasons + late)
        verdict = max(r.verdict for r in every)
        view = _view(scope, every, offer, self._policy) if scope else None
        return Outcome(verdict, every, view, _initiation(self._known, scope, every))

    def _softest(self, thing: Thing) -> Judged:
        """The scope of the same service with the softest result; of equals the latest."""
        known, service = self._known, thing.service or ""
        if not known.dossier.scopes:
            unknown = "the client has asked for nothing: there is no initiative of his own on record"
            return None, [Reason("INITIATION_UNKNOWN", Verdict.BLOCK, unknown, (self._offer.id,), (service,))]
        latest = known.latest_scope(service)
        if latest is None:
            return None, [self._new_service(service)]
        best: tuple[Verdict, Scope, list[Reason]] | None = None
        left = left_to(known.dossier, thing)
        types: dict[Thing, Verdict] = {}
        """What step 7 says at best beside what was asked for, which several scopes may share."""
        for scope in self._candidates(latest):
            if best is not None and max(self._at_best(scope), types.get(scope.thing, Verdict.ALLOW)) >= best[0]:
                continue  # It is no softer, and of equals the latest counts, which comes first.
            of_thing = self._of_thing(thing, scope)
            types[scope.thing] = _gravest(of_thing)
            found = [*self._of_scope(scope, left, thing), *of_thing]
            verdict = _gravest(found)
            if best is None or verdict < best[0]:
                best = (verdict, scope, found)
            if verdict is Verdict.ALLOW or (verdict is Verdict.FLAG and self._solicited):
                break  # No other is softer.
        assert best is not None
        return best[1], best[2]

    def _new_service(self, service: str) -> Reason:
        latest = latest_of_each(self._known.dossier.scopes)
        services = sorted(latest)
        sentence = f"the client has not asked for {service}, only for {', '.join(services)}"
        facts = (*(latest[name].id for name in services[:4]), self._offer.id)
        return Reason("NEW_SERVICE_TYPE", Verdict.BLOCK, sentence, facts, (service,))

    def _candidates(self, latest: Scope) -> Iterator[Scope]:
        """Latest first: the latest of all, then those that can be softer than a block."""
        yield latest
        known = self._known
        if len(known.dossier.scopes) == 1:
            return
        hard = self._policy.hard_limit
        for scope in known.of_transaction(latest.service, self._said.transaction):
            if scope.shut_at(hard) <= self._offer.at:
                return
            if not scope.prompted(hard) and scope is not latest and scope.id in known.dossier.filings:
                yield scope

    def _at_best(self, scope: Scope) -> Verdict:
        """The softest that the duties of steps 6 and 8 can end with, without asking them."""
        if scope.opened >= self._blocked:
            return Verdict.BLOCK
        if self._solicited or self._offer.at - scope.opened >= self._policy.soft_limit:
            return Verdict.FLAG
        if self._policy.required_channels and not search_is_filed(self._known, scope.id):
            return Verdict.FLAG
        return Verdict.ALLOW

    def _note(self, found: Found) -> None:
        """What speaks against one scope speaks against all, where people narrowed nothing.

        It blocks those that were opened when it was there; of the others it is known that something came since.
        """
        if self._narrowed:
            return
        for (_, verdict), solicitations in found.items():
            self._solicited = True
            if verdict is Verdict.BLOCK:
                self._blocked = min(self._blocked, *(s.touch.at for s in solicitations))

    def _of_scope(self, scope: Scope, left: tuple[bool, ...], thing: Thing) -> list[Reason]:
        """What the duties of steps 6 and 8 say; found once for all things for which the same narrowings still count."""
        known = self._of_scopes.get((scope.rank, left))
        if known is None:
            found = found_against(self._known, scope, thing, self._offer.at)
            self._note(found)
            question = Question(self._known, self._offer, self._said, scope, found)
            known = self._of_scopes[scope.rank, left] = self._said_by(AGAINST_SCOPE, question)
        return known

    def _of_thing(self, thing: Thing, scope: Scope) -> list[Reason]:
        """What the duties of step 7 say."""
        return self._said_by(BESIDE_REQUEST, Comparison(self._known.register, self._offer, thing, scope))

    def _said_by(self, rules: Sequence[Callable[[T], Reason | None]], about: T) -> list[Reason]:
        reasons: list[Reason] = []
        for rule in rules:
            reason = _ask(reasons, self._offer, rule, about)
            if reason is not None:
                reasons.append(reason)
        return reasons


def _gravest(reasons: list[Reason]) -> Verdict:
    return max((r.verdict for r in reasons), default=Verdict.ALLOW)


def _within(offer: Fact, scope: Scope) -> str:
    minutes = (offer.at - scope.opened) // MINUTE
    return f"{minutes // 60} h {minutes % 60} min after the client's own request, of the same type, in the same transaction"


def _view(scope: Scope, reasons: tuple[Reason, ...], offer: Fact, policy: Policy) -> ScopeView:
    solicited = any(r.code in SOLICITATION_CODES and r.verdict is Verdict.BLOCK for r in reasons)
    shut = scope.shut_at(policy.hard_limit) <= offer.at
    state = "tainted" if solicited else "servicing_only" if shut else "open"
    return view_of(scope.service, scope.asset, scope.opened, state, policy)


def _initiation(known: Known, scope: Scope | None, reasons: tuple[Reason, ...]) -> tuple[str, str, tuple[str, ...]]:
    """State, grade and evidence of the initiation (judging section 5, end)."""
    if scope is None:
        return ("unknown", "none", ())
    try:
        grade, filings, _ = graded(known, scope.id)
    except Exception:  # The rule on records leans on the same, and said that it failed.
        grade, filings = "none", []
    verdicts = [r.verdict for r in reasons if r.code in SOLICITATION_CODES]
    if Verdict.BLOCK in verdicts:
        state = "solicited"
    elif verdicts:
        state = "contested"
    else:
        state = "exclusive" if grade in ("A", "B") else "under_review"
    return (state, grade, tuple(f.evidence for f in filings[:SHOWN_FACTS]))
