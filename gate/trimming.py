"""What of a dossier is cut: all that grows with a client's past is held to its bound.

Of scopes those stay that can still matter, of offers and own events the latest, of evidence what supports a request
that is kept. What was cut stays in the history; `Dossier.dropped` says that there is such, and `Dossier.forgotten` of
which names (design section 2, two tiers of memory). Of the touches of one promoter `Span` itself keeps few.
"""

from collections.abc import Iterable

from gate.dossier import NO_REQUEST, Dossier, Filing, Reached, Scope, latest_of_each
from gate.facts import Instant
from gate.forgotten import signed, with_names, with_person
from gate.register import Register

KEPT_SCOPES = 24
KEPT_OWN_EVENTS = 48
KEPT_OFFERS = 16


def trim(dossier: Dossier, register: Register) -> None:
    """Cut what grew past its bound; of scopes those go first that can carry no offer by the hard limit in force."""
    hard_limit, concluding = register.policy.hard_limit, register.concluding
    if len(dossier.scopes) > KEPT_SCOPES:
        _trim_scopes(dossier, hard_limit)
        dossier.concluded = concluding
    if len(dossier.own_events) > KEPT_OWN_EVENTS:
        _trim_own_events(dossier)
    if len(dossier.offers) > KEPT_OFFERS:
        _trim_offers(dossier)
    if len(dossier.filings) > 2 * KEPT_SCOPES:
        _trim_filings(dossier)
    if len(dossier.filings.get(NO_REQUEST, ())) > 2 * KEPT_SCOPES:
        _trim_unasked(dossier, dossier.filings[NO_REQUEST])
    if len(dossier.waiting) > KEPT_OWN_EVENTS:
        dossier.waiting, dossier.waiting_cut = [], True
    for reached in dossier.members():
        if len(reached.sent) > 2 * KEPT_SCOPES and _trim_sent(dossier, reached, dossier.horizon - hard_limit):
            dossier.concluded = concluding


def _excess(many: int, bound: int) -> int:
    """How many are cut of what grew past its bound: half of what may be kept, so that it is not done each time."""
    return max(bound // 2, many - bound)


def _trim_own_events(dossier: Dossier) -> None:
    gone = list(dossier.own_events)[: _excess(len(dossier.own_events), KEPT_OWN_EVENTS)]
    for id in gone:
        del dossier.own_events[id]
    dossier.dropped += len(gone)
    dossier.forgotten.words = with_names(dossier.forgotten.words, gone)


def _trim_offers(dossier: Dossier) -> None:
    """Keep the latest; proposals of one time stay together, as a sending belongs to all of them."""
    offers = dossier.offers
    offers.sort(key=lambda o: o.at)
    cut = len(offers) - KEPT_OFFERS // 2
    while cut < len(offers) and offers[cut].at == offers[cut - 1].at:
        cut += 1
    dossier.forgotten.offers = with_names(dossier.forgotten.offers, [o.offer for o in offers[:cut]])
    dossier.forgotten.offered = max(dossier.forgotten.offered, offers[cut - 1].at)
    del offers[:cut]
    dossier.dropped += cut


def _trim_filings(dossier: Dossier) -> None:
    """Cut evidence of requests that are not kept, or did not arrive."""
    wanted = {NO_REQUEST, *(s.id for s in dossier.scopes)}
    excess = _excess(len(dossier.filings), 2 * KEPT_SCOPES)
    unwanted = [r for r in dossier.filings if r not in wanted][:excess]
    if unwanted:
        _drop_filings(dossier, unwanted)
        dossier.forgotten.papers = with_names(dossier.forgotten.papers, unwanted)


def _trim_unasked(dossier: Dossier, unasked: list[Filing]) -> None:
    """Cut evidence that supports no request; not that of who approved it himself, which would seem to count then."""
    approvals = dossier.own.approvals
    excess = _excess(len(unasked), 2 * KEPT_SCOPES)
    gone = [f for f in unasked if f.by not in approvals.get(f.evidence, ())][:excess]
    cut = {id(f) for f in gone}
    unasked[:] = [f for f in unasked if id(f) not in cut]
    dossier.dropped += len(gone)
    _forget_evidence(dossier, gone)


def _forget_evidence(
    dossier: Dossier, filings: Iterable[Filing], approvals: Iterable[tuple[str, str, Instant]] = ()
) -> None:
    """Note what of evidence is cut: filings, and approvals as evidence, who and when."""
    forgotten = dossier.forgotten
    names = [name for f in filings for name in (f.evidence, signed(f.evidence, f.by))]
    for filing in filings:
        forgotten.filers = with_person(forgotten.filers, filing.by)
    for evidence, by, at in approvals:
        names.append(signed(evidence, by))
        forgotten.approvers = with_person(forgotten.approvers, by)
        forgotten.approved = max(forgotten.approved, at)
    forgotten.evidence = with_names(forgotten.evidence, names)


def _trim_scopes(dossier: Dossier, hard_limit: Instant) -> None:
    now = dossier.horizon

    def worth(scope: Scope) -> int:
        carries = not scope.prompted(hard_limit) and scope.id in dossier.filings
        return 0 if scope.shut_at(hard_limit) <= now else 2 if carries else 1

    latest = latest_of_each(dossier.scopes)
    dossier.spilled = {t: until for t, until in dossier.spilled.items() if until > now}
    free = sorted((s for s in dossier.scopes if latest[s.service] is not s), key=lambda s: (worth(s), *s.rank))
    cut = free[: len(dossier.scopes) - KEPT_SCOPES // 2]
    gone = {id(s) for s in cut}
    dossier.scopes = [s for s in dossier.scopes if id(s) not in gone]
    for scope in cut:
        if worth(scope) == 2:
            until = scope.shut_at(hard_limit)
            dossier.spilled[scope.transaction] = max(dossier.spilled.get(scope.transaction, 0), until)
    untold = [s.opened for s in cut if not s.tainted]
    if dossier.untold is not None:
        untold.append(dossier.untold)
    dossier.untold = max(untold, default=None)
    dossier.dropped += len(cut)
    dossier.forgotten.scopes = with_names(dossier.forgotten.scopes, [s.id for s in cut])
    kept = {s.id for s in dossier.scopes}
    _drop_filings(dossier, [s.id for s in cut if s.id not in kept])


def _drop_filings(dossier: Dossier, requests: Iterable[str]) -> None:
    """Cut the evidence of these requests; of who approved what he and others filed, it is kept that he filed it."""
    own = dossier.own
    # How often each evidence was filed by whom, as far as is kept.
    filed: dict[str, dict[str, int]] = {}
    for filing in dossier.every_filing():
        by = filed.setdefault(filing.evidence, {})
        by[filing.by] = by.get(filing.by, 0) + 1
    cut: list[Filing] = []
    approvals: list[tuple[str, str, Instant]] = []
    for request in requests:
        gone = dossier.filings.pop(request, [])
        cut += gone
        for filing in gone:
            by = filed[filing.evidence]
            by[filing.by] -= 1
            if not by[filing.by]:
                del by[filing.by]
        for filing in gone:
            by = filed[filing.evidence]
            if not by:
                approvals += [(filing.evidence, *one) for one in own.approvals.pop(filing.evidence, {}).items()]
            elif filing.by not in by and filing.by in own.approvals.get(filing.evidence, ()):
                dossier.filings.setdefault(NO_REQUEST, []).append(filing)
                by[filing.by] = 1
    dossier.dropped += len(cut)
    _forget_evidence(dossier, cut, approvals)


def _trim_sent(dossier: Dossier, reached: Reached, before: Instant) -> bool:
    """Whether anything was cut of what prompts no request any more that is not late."""
    cut = False
    for thing, sent in list(reached.sent.items()):
        if sent.ever is None and sent.let_go is not None and sent.let_go.at < before:
            del reached.sent[thing]
            known, cut = dossier.sent_cut, True
            dossier.sent_cut = sent.let_go.at if known is None else max(known, sent.let_go.at)
    return cut
