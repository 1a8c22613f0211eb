"""Solicitations: who reached the client, when, and what that weighs against one scope.

Law: MiCA Art. 61(1) subpara. 2; ESMA guidelines 1 and 2; judging section 5, letters a to c, and narrowing.
Clock: effective time. A solicitation with the time of the request counts as earlier than it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from gate.audiences import Audience, Promoter, Version
from gate.dossier import ANY, KEPT_TOUCHES, Dossier, Filing, Narrowing, Reached, Scope, Span, Touch
from gate.facts import Instant, Thing
from gate.known import Known
from gate.outcome import Verdict
from gate.policy import Policy
from gate.register import Register

Row = tuple[str, Verdict]
"""A reason code of step 6 and its verdict."""
Spoken = tuple[Row, Touch, str, str]
"""A touch with what it speaks through, who made it, and the name under which a release covers it."""
Found = dict[Row, list["Solicitation"]]

_SINCE: Final[Row] = ("EXPOSED_SINCE_REQUEST", Verdict.FLAG)
_UNKNOWN: Final[Row] = ("PROMOTER_UNKNOWN", Verdict.FLAG)
_FIRM: Final[Row] = ("INITIATION_SOLICITED", Verdict.BLOCK)
_CHAIN: Final[Row] = ("PERSON_CHAIN_SOLICITATION", Verdict.BLOCK)
_STRONG: Final[Row] = ("CAMPAIGN_EXPOSURE", Verdict.BLOCK)
_WEAK: Final[Row] = ("CAMPAIGN_EXPOSURE", Verdict.FLAG)
_PROVEN: Final[Row] = ("EVIDENCE_CONTRADICTED", Verdict.BLOCK)
_CLAIMED: Final[Row] = ("EVIDENCE_CONTRADICTED", Verdict.FLAG)


class Solicitation(NamedTuple):
    """A touch, and what tells it from another with the same id; of several alike but for their source, a number too."""

    touch: Touch
    known_as: str


def left_to(dossier: Dossier, thing: Thing) -> tuple[bool, ...]:
    """For each narrowing, whether its exposure still counts for `thing`.

    Things with equal results share the reasons of steps 6 and 8.
    """
    return tuple(_leaves(n, thing) for reached in dossier.members() for n in reached.narrowings.values())


def found_against(known: Known, scope: Scope, thing: Thing, at: Instant) -> Found:
    """The solicitations that speak against the scope, by the row they speak through."""
    found: Found = {}
    for reached in known.dossier.members():
        alike: dict[tuple[str, Touch], int] = {}
        for row, touch, key, name in _rows(reached, known.register, scope, thing, at, known.every):
            number = alike[key, touch] = alike.get((key, touch), 0) + 1
            found.setdefault(row, []).append(Solicitation(touch, name if number == 1 else f"{name}#{number}"))
    return found


def _rows(
    reached: Reached, register: Register, scope: Scope, thing: Thing, at: Instant, every: bool
) -> Iterator[Spoken]:
    if reached.touches:
        yield from _personal(reached, register, scope, at, every)
    if reached.singles:
        yield from _narrowed(reached, register, scope, thing, at)
    countries = tuple(sorted(c for c in reached.countries if register.in_scope(c, at)))
    if countries:
        audience = register.audience(countries)
        if reached.narrowings:
            yield from _narrowed_audience(reached, audience, scope, thing, at)
        else:
            yield from _audience(audience, scope.opened, at, every)
    if reached.accusations:
        yield from _evidenced(reached, register.policy, scope, thing)


def promoter_of(register: Register, key: str, touched_at: Instant, at: Instant) -> Promoter:
    """Who stands behind a touch: see `Reached.touches` for the keys."""
    kind, name = key[0], key[2:]
    if kind == "f":
        return Promoter.FIRM
    if kind == "t":
        promoters = register.tag_promoters(name, touched_at, at)
        return max((register.promoter(by, touched_at) for by in promoters), default=Promoter.UNKNOWN)
    promoter = register.promoter(name, touched_at)
    if kind == "d" and promoter < Promoter.CHAIN:
        return Promoter.FIRM
    return max(promoter, Promoter.CHAIN) if kind == "r" else promoter


def _named(key: str, span: Span, register: Register) -> list[Touch]:
    """The touches that reasons may name: all, or the earliest and the latest of who was the same to the firm throughout."""
    entries = span.entries
    if len(entries) <= 2 * KEPT_TOUCHES or not _steady(key, entries, register):
        return entries
    return entries[:KEPT_TOUCHES] + entries[-KEPT_TOUCHES:]


def _steady(key: str, touches: Sequence[Touch], register: Register) -> bool:
    """Whether the promoter was the same to the firm at all touches between the earliest and the latest."""
    if key[0] == "f":
        return True
    since, until = touches[KEPT_TOUCHES - 1].at, touches[-KEPT_TOUCHES].at
    return (register.steady_tag if key[0] == "t" else register.steady)(key[2:], since, until)


def _row(key: str, promoter: Promoter, before: bool) -> Row:
    if not before:
        return _SINCE
    if promoter is Promoter.UNKNOWN:
        return _UNKNOWN
    if key[0] == "t":
        return _STRONG
    return _FIRM if promoter is Promoter.FIRM else _CHAIN


def _known_as(key: str) -> str:
    """The name under which a release covers a touch; that of a sending stays, whoever turns out to have acted in it."""
    return "f:" if key[0] == "d" else key


def _personal(reached: Reached, register: Register, scope: Scope, at: Instant, every: bool) -> Iterator[Spoken]:
    for key, span in reached.touches.items():
        for touch in span.entries if every else _named(key, span, register):
            promoter = promoter_of(register, key, touch.at, at)
            if promoter is not Promoter.INDEPENDENT:
                yield _row(key, promoter, touch.at <= scope.opened), touch, key, _known_as(key)


def _narrowed(reached: Reached, register: Register, scope: Scope, thing: Thing, at: Instant) -> Iterator[Spoken]:
    for single in reached.singles:
        promoter = promoter_of(register, single.key, single.touch.at, at)
        if promoter is Promoter.INDEPENDENT:
            continue
        row = _row(single.key, promoter, single.touch.at <= scope.opened)
        lasting = row in (_FIRM, _CHAIN)
        if lasting or _still_counts(reached, (single.touch.id,), scope, thing):
            yield row, single.touch, single.key, _known_as(single.key)


def _audience(audience: Audience, opened: Instant, at: Instant, every: bool) -> Iterator[Spoken]:
    many = None if every else KEPT_TOUCHES
    for row, versions in zip((_STRONG, _UNKNOWN, _WEAK), audience.until(opened, many), strict=True):
        for v in versions:
            yield row, _touch(v), v.campaign, v.campaign
    for v in audience.between(opened, at, many):
        yield _SINCE, _touch(v), v.campaign, v.campaign


def _narrowed_audience(
    reached: Reached, audience: Audience, scope: Scope, thing: Thing, at: Instant
) -> Iterator[Spoken]:
    for row, versions in zip((_STRONG, _UNKNOWN, _WEAK), audience.until(at, None), strict=True):
        for v in versions:
            if _still_counts(reached, (v.campaign, v.id), scope, thing):
                yield row if v.at <= scope.opened else _SINCE, _touch(v), v.campaign, v.campaign


def _touch(version: Version) -> Touch:
    return Touch(version.at, version.id)


def _evidenced(reached: Reached, policy: Policy, scope: Scope, thing: Thing) -> Iterator[Spoken]:
    for filing in reached.accusations:
        if is_withdrawn(filing, reached):
            continue
        before = filing.since <= scope.opened
        proven = is_approved(filing, reached, policy)
        row = (_PROVEN if proven else _CLAIMED) if before else _SINCE
        if row == _PROVEN or _still_counts(reached, (filing.id,), scope, thing):
            yield row, Touch(filing.since, filing.id), filing.evidence, filing.evidence


def is_withdrawn(filing: Filing, reached: Reached) -> bool:
    """Whether two people retracted it; of an accusation, whether after it was filed: a tie goes against the firm."""
    at = reached.withdrawn.get(filing.evidence)
    return at is not None and (filing.supports != "solicitation" or at > filing.at)


def approvers(filing: Filing, signed: Mapping[str, Instant], filers: Collection[str]) -> list[str]:
    """Whose approval of a filing counts.

    `signed` says who approved and when at the latest, `filers` who filed the same evidence. An accusation may be approved
    by anybody but its filer. What is in the firm's favour needs somebody who filed none of the same evidence, and not
    before it was filed.
    """
    if filing.supports == "solicitation":
        return [by for by in signed if by != filing.by]
    return [by for by, at in signed.items() if at >= filing.at and by not in filers]


def is_approved(filing: Filing, reached: Reached, policy: Policy) -> bool:
    """Whether somebody other than its filer approved an accusation, or it approves itself."""
    signed = reached.approvals.get(filing.evidence, {})
    return bool(approvers(filing, signed, ())) or _approves_itself(filing, policy)


def proven(known: Known, filings: Iterable[Filing]) -> list[Filing]:
    """Those in the firm's favour that were approved since they were filed, by somebody who filed none of the same."""
    approvals = known.dossier.own.approvals
    signed = [(f, approvals.get(f.evidence, {})) for f in filings]
    filers = known.filers([f.evidence for f, signatures in signed if signatures])
    return [
        f
        for f, signatures in signed
        if approvers(f, signatures, filers.get(f.evidence, ())) or _approves_itself(f, known.policy)
    ]


def _approves_itself(filing: Filing, policy: Policy) -> bool:
    """Whether the policy lets its kind or filer do so."""
    return filing.kind in policy.self_approving_kinds or filing.by in policy.self_approving_filers


def still_left(reached: Reached, names: Iterable[str], thing: Thing) -> bool:
    """Whether an exposure counts for a thing that was asked for, after what two people left of it."""
    return _left_to_any(reached, names, (thing,))


def first_strong(reached: Reached, register: Register, countries: tuple[str, ...], thing: Thing) -> Version | None:
    """The first campaign for these countries that counts, and still does for a thing that was asked for; None: there is none."""
    strong = register.audience(countries).each_strong()
    return next((v for v in strong if still_left(reached, (v.campaign, v.id), thing)), None)


def _still_counts(reached: Reached, names: Iterable[str], scope: Scope, thing: Thing) -> bool:
    """Whether an exposure counts for the thing offered or asked for, after what two people left of it."""
    return _left_to_any(reached, names, (thing, scope.thing))


def _left_to_any(reached: Reached, names: Iterable[str], things: Collection[Thing]) -> bool:
    narrowings = [reached.narrowings[n] for n in names if n in reached.narrowings]
    if not narrowings:
        return True
    latest = max(n.at for n in narrowings)
    return any(_leaves(n, thing) for n in narrowings if n.at == latest for thing in things)


def _leaves(narrowing: Narrowing, thing: Thing) -> bool:
    if thing.asset == ANY:  # It may be whatever is left.
        return bool(narrowing.leaves)
    return any(
        leaf.service in (None, thing.service)
        and leaf.asset in (None, thing.asset)
        and leaf.product in (None, thing.product)
        for leaf in narrowing.leaves
    )


def uncertain(dossier: Dossier, register: Register) -> bool:
    """Whether touches were cut whose promoter may have had another standing: then only the history can tell."""
    spans = (each for reached in dossier.members() for each in reached.touches.items())
    return any(not span.complete and not _steady(key, span.entries, register) for key, span in spans)


def hides(reached: Reached, key: str, touch: Touch, register: Register) -> bool:
    """Whether one more touch has one cut while its promoter may have had another standing."""
    span = reached.touches.get(key)
    if span is None or len(span.entries) < 2 * KEPT_TOUCHES:
        return False
    return not _steady(key, sorted([*span.entries, touch]), register)
