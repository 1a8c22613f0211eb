"""One offer, judged from scratch on everything that arrived ("judging" sections 2, 3 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .facts import Event
from .known import Known, Thing, thing
from .law import (
    NOTICES,
    Solicitation,
    classified,
    compared,
    counts_for,
    early_ending,
    is_pure,
    prompted,
    scopes,
    solicitations,
    things,
    whereabouts,
)

GRAVITY = ("allow", "flag", "block")
DECLARING = frozenset({"attestation", "tick_box", "terms_clause"})
ROWS = [
    "LOCATION_UNKNOWN",
    "LOCATION_CONFLICT",
    "OTHER_REGIME",
    "OUT_OF_SCOPE_NFT",
    "MIXED_CONTENT",
    "EXIT_ONLY",
    "SUSPENDED",
    "INITIATION_UNKNOWN",
    "INITIATION_SOLICITED",
    "PERSON_CHAIN_SOLICITATION",
    "CAMPAIGN_EXPOSURE",
    "EVIDENCE_CONTRADICTED",
    "PROMOTER_UNKNOWN",
    "EXPOSED_SINCE_REQUEST",
    "SCOPE_TAINTED",
    "ATTESTATION_ONLY",
    "EVIDENCE_ABSENT",
    "EVIDENCE_UNAPPROVED",
    "CHANNELS_NOT_SEARCHED",
    "NEW_SERVICE_TYPE",
    "NEW_PRODUCT_TYPE",
    "TYPE_UNCLASSIFIED",
    "NEW_ASSET_TYPE",
    "TYPE_NOT_ASSESSED",
    "ASSET_NOT_NAMED",
    "WINDOW_EXPIRED",
    "WINDOW_SOFT_LIMIT",
    "OUTSIDE_ORIGINAL_TRANSACTION",
    "WITHIN_WINDOW",
]
"""All reasons that do not end the judging, in the order of steps and rows."""


class Reason(NamedTuple):
    """One finding, with the solicitations, assets or products it is about."""

    code: str
    verdict: str
    facts: frozenset[str] = frozenset()


class Judgement(NamedTuple):
    """What all facts say of one offer; `opened` is the earliest scope it rests on."""

    verdict: str
    leading: str
    reasons: tuple[Reason, ...]
    opened: int | None


def judge(known: Known, offer: Event) -> Judgement:
    """Steps 1 to 8 in order ("judging" 2)."""
    ending = early_ending(known, offer) or _pure_ending(offer)
    if ending:
        return Judgement("allow", ending, (Reason(ending, "allow"),), None)
    before = list(_where(known, offer)) + list(_regime(known, offer)) + list(_content(offer))
    after = list(_relationship(known, offer))
    opened: list[int] = []
    solicited = solicitations(known, offer)
    for each in things(offer):
        request, reasons = _against_softest(known, offer, each, solicited)
        opened += [] if request is None else [request.time]
        after += reasons
    if things(offer) and not after:
        after.append(Reason("WITHIN_WINDOW", "allow"))
    return _led(before + after, min(opened, default=None))


def gravest(reasons: list[Reason]) -> str:
    """The gravest verdict of some reasons; of none it is allow."""
    return max((reason.verdict for reason in reasons), key=GRAVITY.index, default="allow")


def _led(reasons: list[Reason], opened: int | None) -> Judgement:
    """The gravest verdict wins; of equally grave reasons the earlier step and row leads."""
    verdict = gravest(reasons)
    leading = min((r.code for r in reasons if r.verdict == verdict), key=ROWS.index)
    return Judgement(verdict, leading, tuple(reasons), opened)


# Steps 2 to 5.


def _where(known: Known, offer: Event) -> Iterator[Reason]:
    found = whereabouts(known, offer)
    if found:
        yield Reason(found, "flag")


def _regime(known: Known, offer: Event) -> Iterator[Reason]:
    for each in things(offer):
        stated = known.classes(each.asset, offer.time)
        if not stated or not stated <= {"financial_instrument", "deposit", "unique_nft"}:
            continue
        code = "OUT_OF_SCOPE_NFT" if stated == {"unique_nft"} else "OTHER_REGIME"
        yield Reason(code, "block", frozenset({f"asset {each.asset}"}))


def _pure_ending(offer: Event) -> str | None:
    if not is_pure(offer):
        return None
    return {
        "service_notice": "SERVICE_NOTICE",
        "exit_help": "EXIT_SERVICE",
        "education": "EDUCATION_ONLY",
    }[offer.data["content"]]


def _content(offer: Event) -> Iterator[Reason]:
    if offer.data["content"] in NOTICES:
        yield Reason("MIXED_CONTENT", "flag" if offer.data.get("promotes") else "block")


def _relationship(known: Known, offer: Event) -> Iterator[Reason]:
    state = known.relationship(offer.subject, offer.time)
    if state in ("exit_only", "closed"):
        yield Reason("EXIT_ONLY", "block")
    if state == "suspended":
        yield Reason("SUSPENDED", "block")


# Steps 6 to 8.


def _against_softest(
    known: Known, offer: Event, offered: Thing, solicited: list[Solicitation]
) -> tuple[Event | None, list[Reason]]:
    """A thing against the scope with the softest result; of equals the latest ("judging" 4)."""
    opened = scopes(known, offer.subject, offer.time)
    if not opened:
        return None, [Reason("INITIATION_UNKNOWN", "block")]
    results = [
        (request, _against(known, offer, offered, request, solicited))
        for request in opened
        if request.data["service"] == offered.service
    ]
    if not results:
        return None, [Reason("NEW_SERVICE_TYPE", "block")]
    return max(
        results,
        key=lambda each: (-GRAVITY.index(gravest(each[1])), each[0].time, each[0].key),
    )


def _against(known: Known, offer: Event, offered: Thing, request: Event, solicited: list[Solicitation]) -> list[Reason]:
    """All that steps 6 to 8 find about a thing against one scope."""
    return [
        *_solicited(known, offer, offered, request, solicited),
        *_initiated(known, offer, request),
        *_typed(known, offer, offered, request),
        *_timed(known, offer, request),
    ]


def _solicited(
    known: Known, offer: Event, offered: Thing, request: Event, solicited: list[Solicitation]
) -> Iterator[Reason]:
    """Step 6, its rows on solicitations."""
    for act in solicited:
        if counts_for(known, act, offered, request, offer.time):
            code, verdict = _row(act, request.time)
            yield Reason(code, verdict, frozenset({" ".join(act.event.key)}))


def _row(act: Solicitation, opened: int) -> tuple[str, str]:
    """The row and verdict of step 6 for one solicitation."""
    if act.since > opened:
        return "EXPOSED_SINCE_REQUEST", "flag"
    if act.form == "evidenced":
        return "EVIDENCE_CONTRADICTED", "block" if act.approved else "flag"
    if act.standing == "unknown":
        return "PROMOTER_UNKNOWN", "flag"
    if act.form == "audience":
        return "CAMPAIGN_EXPOSURE", "flag" if act.weak else "block"
    return ("INITIATION_SOLICITED" if act.standing == "firm" else "PERSON_CHAIN_SOLICITATION"), "block"


def _initiated(known: Known, offer: Event, request: Event) -> Iterator[Reason]:
    """Step 6, its rows on the prompt and on records; of the latter the first that fits."""
    if prompted(known, request, offer):
        yield Reason("SCOPE_TAINTED", "block")
    filed = known.filed_for(request, offer.time)
    records = [e for e in filed if is_record(e)]
    if not records:
        declared = any(e.data["kind"] in DECLARING for e in filed) or any(
            e.time <= offer.time for e in known.own(request.subject, "client.declared")
        )
        yield Reason("ATTESTATION_ONLY" if declared else "EVIDENCE_ABSENT", "block")
    elif not any(known.approved(e, offer.time) for e in records):
        yield Reason("EVIDENCE_UNAPPROVED", "block")
    elif not _searched(known, filed, offer.time) >= known.numbers.channels:
        yield Reason("CHANNELS_NOT_SEARCHED", "flag")


def is_record(filed: Event) -> bool:
    """Whether evidence is an inbound record of a request."""
    kind, supports = str(filed.data["kind"]), str(filed.data["supports"])
    return supports == "initiation" and (kind.startswith("inbound_") or kind == "session_log")


def _searched(known: Known, filed: list[Event], at: int) -> set[str]:
    """The channels that approved searches cover together."""
    return {
        channel
        for event in filed
        if event.data["kind"] == "channel_search"
        and event.data["supports"] == "no_solicitation"
        and known.approved(event, at)
        for channel in event.data.get("channels_searched") or ()
    }


def _typed(known: Known, offer: Event, offered: Thing, request: Event) -> Iterator[Reason]:
    """Step 7: product and assets."""
    asked, at = thing(request.data), offer.time
    service = str(offered.service)
    if offered.product != asked.product and not (
        known.maps(offered.product, asked.product, service, at)
        or known.maps(asked.product, offered.product, service, at)
    ):
        about = frozenset(f"product {name}" for name in (offered.product, asked.product))
        yield Reason("NEW_PRODUCT_TYPE", "block", about)
    assets = [name for name in (offered.asset, asked.asset) if name is not None]
    unclassified = {name for name in assets if not classified(known, name, at)}
    if unclassified:
        about = frozenset(f"asset {name}" for name in unclassified)
        yield Reason("TYPE_UNCLASSIFIED", "block", about)
    about = frozenset(f"asset {name}" for name in assets)
    if len(assets) == 1:
        yield Reason("ASSET_NOT_NAMED", "flag", about)
    apart = compared(known, assets[0], assets[1], at) if len(assets) == 2 else None
    if apart:
        yield Reason(apart, "flag" if apart == "TYPE_NOT_ASSESSED" else "block", about)


def _timed(known: Known, offer: Event, request: Event) -> Iterator[Reason]:
    """Step 8: the window and the transaction."""
    waited = offer.time - request.time
    if waited >= known.numbers.hard:
        yield Reason("WINDOW_EXPIRED", "block")
    elif waited >= known.numbers.soft:
        yield Reason("WINDOW_SOFT_LIMIT", "flag")
    if offer.data.get("transaction") != request.data["transaction"]:
        yield Reason("OUTSIDE_ORIGINAL_TRANSACTION", "block")
