"""What a client was told and what he asked: solicitations, prompts and the types of things.

Implements "judging" section 4 (requests, prompted or not), the solicitations of section 5 with
their promoters and narrowings, and the comparison of assets and products of step 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .facts import REGISTER, Event
from .known import (
    EVER,
    STANDINGS,
    STRONG,
    Known,
    Thing,
    courted_at,
    latest,
    promoted,
    thing,
    two_people,
)

OPENS_A_SCOPE = frozenset({"request", "order"})
ANSWERABLE = ("client.asked", "client.requested", "client.declared", "client.arrived")
ALWAYS_PROMOTES = frozenset({"marketing", "brand", "recommendation"})
NOTICES = frozenset({"service_notice", "education", "exit_help"})


@dataclass(frozen=True)
class Solicitation:
    """One act that may have made a client ask, with the moment from which it counts."""

    event: Event
    client: str
    """Whom it reached: his narrowings apply."""
    form: str
    """`personal`, `audience` or `evidenced`."""
    since: int
    standing: str
    names: frozenset[str]
    """What a narrowing may call it: a campaign or an event id."""
    weak: bool = False
    approved: bool = False


# Messages.


def solicits_at_all(data: dict[str, object]) -> bool:
    """Whether something is promoted, or a link or a contact capture is there."""
    return bool(data.get("promotes") or data.get("link") or data.get("contact_capture"))


def is_pure(offer: Event) -> bool:
    """A notice, a lesson or help with leaving, with nothing beside it (step 4)."""
    content = offer.data["content"]
    if content == "exit_help":
        return not offer.data.get("promotes")
    return content in NOTICES and not solicits_at_all(offer.data)


def promoted_by(offer: Event) -> list[Thing]:
    """What an offer promotes; without a service it is of the offer's ("judging" 3)."""
    service = offer.data["service"]
    return [each._replace(service=each.service or service) for each in promoted(offer.data)]


def things(offer: Event) -> list[Thing]:
    """What is judged: own thing and promoted ones, of a notice only the promoted ones."""
    own = [] if offer.data["content"] in NOTICES else [thing(offer.data)]
    return own + promoted_by(offer)


# Steps 1 and 2, needed here too: an offer that ended there names its own thing.


def early_ending(known: Known, offer: Event) -> str | None:
    """The code that ends the judging at step 1 or 2, if one does."""
    services = {offer.data["service"], *(str(each.service) for each in promoted_by(offer))}
    if known.authorised(offer.data.get("by"), services, offer.time):
        return "AUTHORISED_ENTITY"
    return "OUT_OF_TERRITORY" if whereabouts(known, offer) == "OUT_OF_TERRITORY" else None


def whereabouts(known: Known, offer: Event) -> str | None:
    """What step 2 finds about where the client is, or nothing."""
    live = known.located(offer.subject, offer.time)
    inside = [e for e in live if known.in_scope(e.data["country"], offer.time)]
    strong_inside = any(e.data["indicator"] in STRONG for e in inside)
    strong_outside = any(e.data["indicator"] in STRONG for e in live if e not in inside)
    if not inside:
        return "OUT_OF_TERRITORY" if strong_outside else "LOCATION_UNKNOWN"
    return "LOCATION_CONFLICT" if strong_outside and not strong_inside else None


# Deliveries.


def proposals(known: Known, delivered: Event) -> list[Event]:
    """The offer a delivery belongs to: the latest of its client and id that is not later."""
    same = [
        event
        for event in known.own(delivered.subject, "offer.proposed")
        if event.data["offer"] == delivered.data["offer"]
    ]
    return latest(same, delivered.time)


def named_by_delivery(known: Known, delivered: Event) -> Iterator[Thing]:
    """The things its offer was judged on ("judging" 4)."""
    for offer in proposals(known, delivered):
        if is_pure(offer):
            continue
        yield from things(offer)
        if offer.data["content"] in NOTICES and early_ending(known, offer):
            yield thing(offer.data)


def own_delivery(known: Known, delivered: Event, offer: Event) -> bool:
    """Whether this is the sending of the very offer that is judged."""
    return offer in proposals(known, delivered)


# Types.


def pair_rule(known: Known, one: str, other: str, at: int) -> bool:
    """Whether what both classifications state is told apart by one of P1-P6."""
    left, right = known.classification(one, at), known.classification(other, at)
    if left is None or right is None:
        return False
    names = ["class", "technology", "liquid", "identifiable_issuer"]
    names += ["reference_currency"] if left["class"] == right["class"] == "emt" else []
    names += ["basket"] if left["class"] == right["class"] == "art" else []
    return any(None not in (left[name], right[name]) and left[name] != right[name] for name in names)


def type_group(known: Known, asset: str, at: int) -> str | None:
    """The approved group of an asset, if it has one."""
    stated = known.classification(asset, at)
    return stated["type_group"] if stated and stated["approved"] else None


def compared(known: Known, one: str, other: str, at: int) -> str | None:
    """The code of step 7 that tells two named assets apart, or none."""
    if one == other:
        return None
    if pair_rule(known, one, other, at):
        return "NEW_ASSET_TYPE"
    groups = type_group(known, one, at), type_group(known, other, at)
    if None in groups:
        return "TYPE_NOT_ASSESSED"
    return "NEW_ASSET_TYPE" if groups[0] != groups[1] else None


def classified(known: Known, asset: str, at: int) -> bool:
    """Whether an asset has all that step 7 needs to know of it."""
    stated = known.classification(asset, at)
    if stated is None or not stated["approved"]:
        return False
    needed = ["technology", "liquid", "identifiable_issuer"]
    needed += {"emt": ["reference_currency"], "art": ["basket"]}.get(stated["class"], [])
    return all(stated[name] is not None for name in needed)


# Requests.


def scopes(known: Known, client: str, at: int) -> list[Event]:
    """The requests that have opened a scope by then."""
    return [
        event
        for event in known.own(client, "client.requested")
        if event.data["kind"] in OPENS_A_SCOPE and event.time <= at
    ]


def prompted(known: Known, request: Event, offer: Event, waiting: tuple[Event, ...] = ()) -> bool:
    """Whether the firm's own act called a request forth ("judging" 4), as `offer` is judged.

    A chain of answers that never reaches a beginning of the client's own is prompted.
    """
    if request in waiting:
        return True
    waiting = (*waiting, request)
    answered = request.data.get("in_reply_to")
    if answered is not None and not _own_beginning(known, request, answered, offer, waiting):
        return True
    return any(_agrees(known, each, request) for each in _named_before(known, request, offer))


def _own_beginning(known: Known, request: Event, answered: str, offer: Event, waiting: tuple[Event, ...]) -> bool:
    """Whether the id names own, not later, unprompted events of the client and nothing else, an offer neither."""
    named = [
        event
        for event in known.events
        if answered in (event.id, event.kind.startswith("offer.") and event.data["offer"])
        and event.subject == request.subject
        and event.kind not in REGISTER
        and event.time <= request.time
    ]
    return bool(named) and all(
        event.kind in ANSWERABLE and not (event.kind == "client.requested" and prompted(known, event, offer, waiting))
        for event in named
    )


def _named_before(known: Known, request: Event, offer: Event) -> Iterator[Thing]:
    """What was named to the client, or to one merged with him, at or before a request."""
    for member in known.group(request.subject):
        for event in known.own(member, "firm.contacted"):
            if event.time <= request.time:
                yield from promoted(event.data)
        for event in known.own(member, "offer.delivered"):
            if event.time > request.time or own_delivery(known, event, offer):
                continue
            if known.let_go[event.key] and request.time - event.time > known.numbers.hard:
                continue
            yield from named_by_delivery(known, event)


def _agrees(known: Known, named: Thing, request: Event) -> bool:
    """Whether a thing that was named is what is requested."""
    asked = thing(request.data)
    if named.service not in (None, asked.service) or named.product != asked.product:
        return False
    if named.asset is None or asked.asset is None:
        return True
    return compared(known, named.asset, asked.asset, request.time) != "NEW_ASSET_TYPE"


# Solicitations.


def solicitations(known: Known, offer: Event) -> list[Solicitation]:
    """All that count or are unknown, effective by the offer's time, of all merged clients."""
    found: list[Solicitation] = []
    for member in known.group(offer.subject):
        found += _personal(known, member, offer)
        found += _audience(known, member, offer)
        found += _tags(known, member, offer)
        found += _evidenced(known, member, offer)
    return [each for each in found if each.standing != "independent" and each.since <= offer.time]


def _personal(known: Known, member: str, offer: Event) -> Iterator[Solicitation]:
    """(a): contacts, referrals, arrivals by a page or code, sendings that were not let go."""
    for event in known.own(member, "firm.contacted", "referral.recorded", "client.arrived", "offer.delivered"):
        if event.time > offer.time:
            continue
        for standing in _personal_standings(known, event, offer):
            names = frozenset({event.id})
            yield Solicitation(event, member, "personal", event.time, standing, names)


def _personal_standings(known: Known, event: Event, offer: Event) -> list[str]:
    """Who stands behind a personal act, as standings at its time; none if it solicits nobody."""
    data, at = event.data, event.time
    if event.kind == "firm.contacted":
        solicits = data["content"] in ALWAYS_PROMOTES or solicits_at_all(data)
        return [known.standing(data["by"], at)] if solicits else []
    if event.kind == "client.arrived":
        return [known.standing(data["via"], at)] if "via" in data else []
    if event.kind == "referral.recorded":
        standing = known.standing(data["by"], at)
        return ["chain" if data["rewarded"] and standing != "firm" else standing]
    if known.let_go[event.key] or own_delivery(known, event, offer):
        return []
    offers = proposals(known, event)
    acted = [known.standing(each.data.get("by"), at) for each in offers]
    return ["firm" if standing in ("independent", "unknown") else standing for standing in acted] or ["firm"]


def _audience(known: Known, member: str, offer: Event) -> Iterator[Solicitation]:
    """(b): each version of a campaign that addresses a country where the client ever was."""
    ever = {e.data["country"] for e in known.own(member, "client.located") if e.time <= offer.time}
    ever = {country for country in ever if known.in_scope(country, offer.time)}
    for event in known.all_of("campaign.started"):
        reached = {country for country in ever if _addresses(known, event, country)}
        if event.time > offer.time or not reached:
            continue
        weak = event.data["kind"] == "eu_feature" or all(_kept_out(event, c) for c in reached)
        standing = known.standing(event.data["by"], event.time)
        names = frozenset({event.data["campaign"], event.id})
        yield Solicitation(event, member, "audience", event.time, standing, names, weak=weak)


def _addresses(known: Known, campaign: Event, country: str) -> bool:
    countries = campaign.data["countries"]
    if countries == "EEA":
        return country in known.numbers.since
    return countries == "*" or country in countries


def _kept_out(campaign: Event, country: str) -> bool:
    """Whether a country is excluded with geo-blocking, by all that the campaign says of it."""
    said = [e for e in campaign.data.get("excludes") or () if e["country"] == country]
    return bool(said) and all(each["geo_blocked"] for each in said)


def _tags(known: Known, member: str, offer: Event) -> Iterator[Solicitation]:
    """(b): an arrival by the tag of a campaign, never weak."""
    for event in known.own(member, "client.arrived"):
        tag = event.data.get("campaign")
        if tag is None or event.time > offer.time:
            continue
        versions = known.register("campaign.started", "campaign", tag)
        in_force = latest(versions, event.time)
        if not in_force:
            later = [e for e in versions if e.time <= offer.time]
            first = min((e.time for e in later), default=EVER)
            in_force = [e for e in later if e.time == first]
        standings = {known.standing(v.data["by"], event.time) for v in in_force} or {"unknown"}
        standing = min(standings, key=STANDINGS.index)
        yield Solicitation(event, member, "audience", event.time, standing, frozenset({event.id}))


def _evidenced(known: Known, member: str, offer: Event) -> Iterator[Solicitation]:
    """(c): evidence of solicitation that is not withdrawn, whatever its request."""
    for event in known.own(member, "evidence.filed"):
        if event.data["supports"] != "solicitation" or known.withdrawn(event, offer.time):
            continue
        yield Solicitation(
            event,
            member,
            "evidenced",
            courted_at(event, event.time),
            "chain",
            frozenset({event.id}),
            approved=known.approved(event, offer.time),
        )


def counts_for(known: Known, act: Solicitation, offered: Thing, asked: Event, at: int) -> bool:
    """Whether a solicitation still speaks after what two people narrowed it to ("judging" 5)."""
    if act.since <= asked.time and (
        (act.form == "personal" and act.standing != "unknown") or (act.form == "evidenced" and act.approved)
    ):
        return True
    narrowed = [
        event
        for event in known.own(act.client, "taint.narrowed")
        if event.data["exposure"] in act.names and two_people(event)
    ]
    deciding = latest(narrowed, at)
    left = [each for event in deciding for each in event.data["leaves"]]
    return not deciding or any(_fits(leaf, each) for leaf in left for each in (offered, thing(asked.data)))


def _fits(leaf: dict[str, str | None], each: Thing) -> bool:
    """Whether a thing is among those that stay tainted; a field left out fits all."""
    return all(leaf.get(name) in (None, getattr(each, name)) for name in ("service", "product", "asset"))
