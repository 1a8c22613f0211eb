"""Words to tell a story in: what happens around Anna, and what the gate should answer.

Times are told from the moment she asks, 2 March 2026, 9:00 UTC: "2 h", "-30 d", "10 d - 1 us"; a full time stays
as it is. An event's id is made of what it says, so that the same words are the same event; `id=` gives another.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from gate.policy import Policy
from tests.player import POLICY, Played, codes, play

Event = dict[str, Any]
Words = Event | list[Any]
ASKED = datetime(2026, 3, 2, 9, tzinfo=UTC)
ALL_CHANNELS = list(POLICY.required_channels)
_STEP = re.compile(r"([+-]?)\s*(\d+)\s*(us|s|min|h|d)\b")
_UNITS = {"us": 1, "s": 10**6, "min": 60 * 10**6, "h": 3_600 * 10**6, "d": 86_400 * 10**6}


def microseconds(told: str) -> int:
    """`24 h - 1 us` as microseconds after the request."""
    steps = [(-1 if sign == "-" else 1) * int(n) * _UNITS[unit] for sign, n, unit in _STEP.findall(told)]
    assert steps and not _STEP.sub("", told).strip(), f"`{told}` is no time"
    return sum(steps)


def when(told: str) -> str:
    """The time as an event carries it."""
    if "T" in told:
        return told
    return (ASKED + timedelta(microseconds=microseconds(told))).isoformat()


def event(name: str, subject: str, at: str, id: str | None, /, **data: Any) -> Event:
    """One event; fields that are None are left out."""
    said = {key.rstrip("_"): value for key, value in data.items() if value is not None}
    time = when(at)
    made = id or f"{name}-{blake2b(json.dumps([name, subject, time, said]).encode(), digest_size=5).hexdigest()}"
    return {
        "specversion": "1.0",
        "id": made,
        "source": "//story",
        "type": f"gate61.{name}.v1",
        "subject": subject,
        "time": time,
        "data": said,
    }


# The register.


def entity(entity: str, relation: str, at: str = "-3000 d", id: str | None = None, **more: Any) -> Event:
    """Who somebody is to the firm."""
    return event("entity.registered", entity, at, id, entity=entity, relation=relation, **more)


def asset(asset: str, at: str = "-3000 d", id: str | None = None, **changed: Any) -> Event:
    """A classification, complete and approved: like bitcoin unless said otherwise."""
    stated = {
        "class": "other",
        "technology": "pow",
        "liquid": True,
        "identifiable_issuer": False,
        "type_group": "native",
        "approved_by": "st-register",
    }
    stated |= {key.rstrip("_"): value for key, value in changed.items()}
    return event("asset.classified", asset, at, id, asset=asset, **stated)


def product(product: str, same_type_as: str | None = None, at: str = "-3000 d", **changed: Any) -> Event:
    """A product and what it is the same type as."""
    stated = {"service": "exchange_funds", "approved_by": "st-register", **changed}
    return event("product.classified", product, at, None, product=product, same_type_as=same_type_as, **stated)


def country(country: str, in_scope: bool, at: str = "-300 d") -> Event:
    """A country comes into scope or leaves it."""
    return event("country.scoped", country, at, None, country=country, in_scope=in_scope)


def campaign(
    campaign: str = "ads",
    at: str = "-60 d",
    by: str = "firm",
    kind: str = "advertising",
    id: str | None = None,
    **more: Any,
) -> Event:
    """A version of a campaign, in Germany unless said otherwise."""
    stated = {"countries": ["DE"], **more}
    return event("campaign.started", campaign, at, id, campaign=campaign, by=by, kind=kind, **stated)


def ended(campaign: str, at: str) -> Event:
    """A campaign ends."""
    return event("campaign.ended", campaign, at, None, campaign=campaign)


REGISTER: list[Event] = [
    entity("firm", "firm"),
    entity("affiliate", "affiliate"),
    entity("blogger", "independent"),
    asset("btc"),
    asset("ltc"),
    asset("eth", technology="evm"),
]


# The client.


def located(
    country: str = "DE",
    indicator: str = "kyc_residence",
    at: str = "-100 d",
    until: str | None = None,
    who: str = "anna",
) -> Event:
    """A sign of where the client is."""
    end = None if until is None else when(until)
    return event("client.located", who, at, None, indicator=indicator, country=country, until=end)


HERE: list[Event] = [*REGISTER, located()]
"""What is known, and a client in Germany who has not said a word."""


def asks(
    service: str = "exchange_funds",
    asset: str | None = "btc",
    at: str = "0 h",
    id: str | None = None,
    who: str = "anna",
    kind: str = "request",
    transaction: str = "t1",
    **more: Any,
) -> Event:
    """The client's own request."""
    return event(
        "client.requested",
        who,
        at,
        id or f"asked-{who}",
        service=service,
        asset=asset,
        transaction=transaction,
        channel="email",
        kind=kind,
        **more,
    )


def filed(
    evidence: str,
    supports: str,
    kind: str,
    at: str = "10 min",
    request: str | None = None,
    by: str = "st-filer",
    who: str = "anna",
    solicited_at: str | None = None,
    **more: Any,
) -> Event:
    """Evidence on file."""
    since = None if solicited_at is None else when(solicited_at)
    stated = {"evidence": evidence, "supports": supports, "kind": kind, "by": by, "request": request}
    return event("evidence.filed", who, at, None, **stated, solicited_at=since, **more)


def record(
    request: str = "asked-anna", at: str = "10 min", who: str = "anna", kind: str = "inbound_email", **more: Any
) -> Event:
    """The record of the request."""
    return filed(f"record-{request}", "initiation", kind, at, request, who=who, **more)


def search(
    request: str = "asked-anna", at: str = "10 min", channels: list[str] | None = None, who: str = "anna", **more: Any
) -> Event:
    """The search of the channels for solicitation."""
    stated = {"channels_searched": ALL_CHANNELS if channels is None else channels, **more}
    return filed(f"search-{request}", "no_solicitation", "channel_search", at, request, who=who, **stated)


def complaint(at: str = "1 h", solicited_at: str | None = "-1 d", who: str = "anna", **more: Any) -> Event:
    """Evidence that the client was solicited."""
    return filed("complaint", "solicitation", "complaint", at, who=who, solicited_at=solicited_at, **more)


def approved(evidence: str, at: str = "20 min", by: str = "st-second", who: str = "anna", **more: Any) -> Event:
    """Evidence is approved by another than its filer."""
    return event("evidence.approved", who, at, None, evidence=evidence, by=by, **more)


def retracted(
    evidence: str, at: str = "1 h", by: str = "st-one", second: str = "st-two", who: str = "anna", id: str | None = None
) -> Event:
    """Evidence is withdrawn by two people."""
    return event("evidence.retracted", who, at, id, evidence=evidence, by=by, second=second, reason="a mistake")


def proven(request: str = "asked-anna", at: str = "10 min", who: str = "anna") -> list[Event]:
    """Record and search, filed and approved at once."""
    papers = [record(request, at, who), search(request, at, who=who)]
    return papers + [approved(p["data"]["evidence"], at, who=who) for p in papers]


def clean_client(who: str = "anna", **asked: Any) -> list[Event]:
    """Everything in order: the register, a residence in Germany, a request and its proof."""
    request = asks(who=who, **asked)
    return [*REGISTER, located(who=who), request, *proven(request["id"], asked.get("at", "0 h") + " + 10 min", who)]


def declared(at: str = "5 min", who: str = "anna") -> Event:
    """A tick-box of own initiative."""
    return event("client.declared", who, at, None, claim="own_initiative", text_version="v1")


def question(at: str = "-1 h", who: str = "anna", id: str | None = None) -> Event:
    """What else do you have?"""
    return event("client.asked", who, at, id, channel="chat")


def arrived(at: str = "-1 d", who: str = "anna", id: str | None = None, **more: Any) -> Event:
    """The client came, by somebody's page or by a tag."""
    return event("client.arrived", who, at, id, path="link", **more)


def merged(other: str, at: str = "1 h", who: str = "anna") -> Event:
    """Two references, one person."""
    return event("client.merged", who, at, None, other=other)


# The firm.


def contacted(
    at: str = "-1 d",
    by: str = "firm",
    content: str = "marketing",
    who: str = "anna",
    id: str | None = None,
    **more: Any,
) -> Event:
    """The firm's side wrote to the client."""
    return event("firm.contacted", who, at, id, by=by, means="email", content=content, **more)


def referred(at: str = "-1 d", by: str = "blogger", rewarded: bool = False, who: str = "anna") -> Event:
    """Somebody sent the client."""
    return event("referral.recorded", who, at, None, by=by, rewarded=rewarded)


def offer(
    at: str = "2 h",
    service: str = "exchange_funds",
    asset: str | None = "btc",
    content: str = "offer",
    transaction: str | None = "t1",
    who: str = "anna",
    id: str | None = None,
    offer: str | None = None,
    **more: Any,
) -> Event:
    """The question to the gate: may this be sent?"""
    return event(
        "offer.proposed",
        who,
        at,
        id or f"offer-{who}",
        offer=offer or f"of-{who}",
        service=service,
        asset=asset,
        channel="email",
        content=content,
        transaction=transaction,
        **more,
    )


def delivered(at: str = "2 h", offer: str = "of-anna", who: str = "anna", id: str | None = None) -> Event:
    """An offer was sent."""
    return event("offer.delivered", who, at, id, offer=offer)


def relationship(state: str, at: str = "-1 d", second: str | None = "st-two", who: str = "anna", **more: Any) -> Event:
    """The relationship changes."""
    signed = {"by": "st-one", "second": second, "reason": "so decided", **more}
    return event("relationship.changed", who, at, None, state=state, **signed)


def narrowed(
    exposure: str, leaves: list[Event] | None = None, at: str = "1 h", second: str = "st-two", who: str = "anna"
) -> Event:
    """Two people say what an exposure still counts for."""
    signed = {"by": "st-one", "second": second, "reason": "looked at"}
    return event("taint.narrowed", who, at, None, exposure=exposure, leaves=leaves or [], **signed)


def released(
    offer: str = "offer-anna",
    at: str = "3 h",
    expires: str = "5 h",
    number: int = 1,
    second: str = "st-two",
    who: str = "anna",
) -> Event:
    """Two people let a held answer go: the first to that offer event, unless said otherwise."""
    signed = {"by": "st-one", "second": second, "reason": "looked at"}
    decision = f"@decision:{offer}#{number}"
    return event("review.released", who, at, None, decision=decision, expires=when(expires), **signed)


# The answer.


class Answer(NamedTuple):
    """What a sender and an auditor read first; `send_by` in microseconds after the request."""

    verdict: str
    leading: str
    codes: frozenset[str]
    may_send: bool
    send_by: int | None


def allowed(*expected: str, until: str | None = None) -> Answer:
    """It may be sent; the first code leads."""
    send_by = None if until is None else microseconds(until)
    return Answer("allow", expected[0], frozenset(expected), True, send_by)


def held(*expected: str) -> Answer:
    """A person must look; the first code leads."""
    return Answer("flag", expected[0], frozenset(expected), False, None)


def blocked(*expected: str) -> Answer:
    """It may not be sent; the first code leads."""
    return Answer("block", expected[0], frozenset(expected), False, None)


def let_go(*expected: str, until: str) -> Answer:
    """Two people released it, in spite of these reasons."""
    return Answer("flag", "RELEASED", frozenset(("RELEASED", *expected)), True, microseconds(until))


ALLOWED = allowed("WITHIN_WINDOW", until="24 h")
"""What Anna's own offer gets while everything is in order."""


def in_order(words: Iterable[Words]) -> list[Event]:
    """The events, in the order they are told in."""
    events: list[Event] = []
    for word in words:
        events += in_order(word) if isinstance(word, list) else [word]
    return events


def tell(*words: Words, policy: Policy = POLICY) -> Played:
    """Everything that comes out of the events; none may be rejected."""
    played = play(in_order(words), policy=policy)
    assert not played.rejected, played.rejected
    return played


def said(answer: dict[str, Any]) -> Answer:
    """The answer, of what the gate wrote."""
    listed = codes(answer)
    assert listed[0] == answer["leading"] and len(set(listed)) == len(listed)
    send_by = answer["send_by"] and (datetime.fromisoformat(answer["send_by"]) - ASKED) // timedelta(microseconds=1)
    return Answer(answer["verdict"], answer["leading"], frozenset(listed), answer["may_send"], send_by)


def told_answers(*words: Words, of: str | None = None, policy: Policy = POLICY) -> list[dict[str, Any]]:
    """All answers to the offer event `of` (the last one told), as written."""
    events = in_order(words)
    last = of or [e for e in events if e["type"] == "gate61.offer.proposed.v1"][-1]["id"]
    return tell(events, policy=policy).answers["//story", last]


def answers(*words: Words, of: str | None = None, policy: Policy = POLICY) -> list[Answer]:
    """All answers to the offer event `of` (the last one told)."""
    return [said(a) for a in told_answers(*words, of=of, policy=policy)]


def answer(*words: Words, of: str | None = None, policy: Policy = POLICY) -> Answer:
    """The only answer to the offer event `of` (the last one told)."""
    (only,) = answers(*words, of=of, policy=policy)
    return only


def cases(*words: Words) -> list[str]:
    """Why cases were opened, in order."""
    return [e["data"]["why"] for e in tell(*words).out if e["type"] == "gate61.case.opened.v1"]


def notices(*words: Words) -> list[tuple[str, str]]:
    """Notices in order: what was told, and the id of the event because of which."""
    told = []
    for e in tell(*words).out:
        name = e["type"].removeprefix("gate61.").removesuffix(".v1")
        if name not in ("offer.decided", "case.opened"):
            told.append((name, e["data"]["because"]))
    return told
