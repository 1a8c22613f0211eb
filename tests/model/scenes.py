"""Short scenes that bring a rule to its edge: a clean client, one disturbance, an offer or two.

Each takes a plan and a client and adds between five and a dozen events around one moment.
"""

from __future__ import annotations

from .recipes import (
    ASSETS,
    CAMPAIGNS,
    CHANNELS,
    DAY,
    ENTITIES,
    HOUR,
    MINUTE,
    PRODUCTS,
    SERVICES,
    START,
    Data,
    Plan,
    Stroke,
    written,
)

AROUND = (-DAY, -HOUR, 0, 1, 10 * MINUTE, HOUR, 2 * HOUR)
"""When a disturbance comes, counted from a request."""


def clean(plan: Plan, client: str, at: int | None = None, **fields: str | None) -> Stroke:
    """A request with approved record and search, all there half an hour later."""
    at = START + plan.pick((0, 1, 24, 48)) * HOUR if at is None else at
    asked: Data = {"service": "exchange_funds", "asset": "btc", "product": None} | fields
    request = plan.add(
        at,
        "client.requested",
        client,
        transaction=f"tx-{plan.pick((1, 2, 3))}",
        channel="email",
        kind="request",
        **asked,
    )
    record = {"supports": "initiation", "kind": "inbound_chat"}
    search = {"supports": "no_solicitation", "kind": "channel_search", "channels_searched": CHANNELS}
    for said in (record, search):
        name = f"ev-{len(plan.strokes)}"
        filed = at + plan.pick((0, 10)) * MINUTE
        plan.add(filed, "evidence.filed", client, evidence=name, request=request.id, by="st-a", **said)
        plan.add(at + 10 * MINUTE, "evidence.approved", client, evidence=name, by="st-b")
    return request


def offer(plan: Plan, asked: Stroke, wait: int, **fields: object) -> Stroke:
    """An offer of what was asked for, or of something else, after a while."""
    names = ("service", "asset", "product", "transaction")
    said = {name: asked.data.get(name) for name in names} | {"content": "offer"} | fields
    return plan.add(
        asked.time + wait,
        "offer.proposed",
        asked.subject,
        offer=f"of-{len(plan.strokes)}",
        channel="chat",
        **said,
    )


def send(plan: Plan, proposed: Stroke, at: int) -> Stroke:
    """A sending, which mostly arrives after its offer."""
    after = proposed.id if plan.odds(0.9) else None
    return plan.add(at, "offer.delivered", proposed.subject, after, offer=proposed.data["offer"])


def wait(plan: Plan) -> int:
    """How long after a request an offer comes: mostly within the soft limit."""
    return plan.pick((HOUR, 3 * HOUR, DAY - 1, DAY, 3 * DAY), 6, 6, 1, 1, 2)


def exposure(plan: Plan, client: str, at: int) -> tuple[Stroke, str]:
    """An act that may count as a solicitation, and what a narrowing would call it."""
    by = plan.pick((*ENTITIES, "ghost"), 3, 2, 2, 1, 4)
    way = plan.pick(("contact", "campaign", "tag", "referral", "report", "via"), 3, 5, 3, 2, 3, 1)
    if way == "campaign":
        act = campaign(plan, plan.pick(CAMPAIGNS), at, by)
        return act, plan.pick((act.data["campaign"], act.id), 4, 1)
    if way == "contact":
        things = [plan.thing()] if plan.odds(0.7) else None
        content = plan.pick(("marketing", "education"))
        act = plan.add(at, "firm.contacted", client, by=by, means="push", content=content, promotes=things)
    elif way == "tag":
        tag = plan.pick((*CAMPAIGNS[:2], "cam-9"))
        act = plan.add(at, "client.arrived", client, path="link", campaign=tag)
        if plan.odds(0.7) and tag != "cam-9":
            campaign(plan, tag, at + plan.pick(AROUND), by)
        return act, plan.pick((act.id, tag), 3, 1)
    elif way == "referral":
        act = plan.add(at, "referral.recorded", client, by=by, rewarded=plan.odds(0.2))
    elif way == "via":
        act = plan.add(at, "client.arrived", client, path="link", via=by)
    else:
        act = report(plan, client, at)
    return act, act.id


def report(plan: Plan, client: str, at: int) -> Stroke:
    """Evidence of solicitation, dated or not, before or after it was filed."""
    name = f"ev-{len(plan.strokes)}"
    act = plan.add(
        at + plan.pick((0, HOUR, DAY)),
        "evidence.filed",
        client,
        evidence=name,
        supports="solicitation",
        kind="complaint",
        by="st-a",
        solicited_at=written(at) if plan.odds(0.8) else None,
    )
    if plan.odds(0.4):
        by = plan.pick(("st-b", "st-a"), 4, 1)
        plan.add(act.time + plan.pick((-DAY, 0, HOUR)), "evidence.approved", client, evidence=name, by=by)
    if plan.odds(0.2):
        gone = act.time + plan.pick((-HOUR, 0, HOUR))
        plan.add(gone, "evidence.retracted", client, evidence=name, **plan.two())
    return act


def campaign(plan: Plan, name: str, at: int, by: str) -> Stroke:
    """A version of a campaign that may reach clients in Germany, Norway or France."""
    shut = [{"country": "DE", "geo_blocked": plan.odds(0.7)}]
    if plan.odds(0.3):
        shut.append({"country": plan.pick(("DE", "NO")), "geo_blocked": plan.odds(0.7)})
    return plan.add(
        at,
        "campaign.started",
        name,
        campaign=name,
        by=by,
        kind=plan.pick(("advertising", "eu_feature"), 3, 1),
        countries=plan.pick(("EEA", "*", ["DE"], ["NO"], ["FR"], ["DE", "NO"])),
        excludes=shut if plan.odds(0.5) else None,
    )


# Scenes.


def narrowed(plan: Plan, client: str) -> None:
    """An exposure around a request, then one or two narrowings, then an offer."""
    asked = clean(plan, client)
    act, name = exposure(plan, client, asked.time + plan.pick(AROUND))
    at = max(act.time, asked.time) + plan.pick((0, MINUTE, HOUR))
    for time in (at, at + plan.pick((0, -MINUTE, MINUTE))) if plan.odds(0.4) else (at,):
        leaves = plan.pick(([], [{"service": "advice"}], [{"asset": "btc"}], [plan.thing()], [{}]), 4, 3, 2, 3, 1)
        plan.add(time, "taint.narrowed", client, exposure=name, leaves=leaves, **plan.two(0.1))
    asset = plan.pick((None, "btc", "ltc"), 1, 5, 3)
    offer(plan, asked, at - asked.time + plan.pick((0, HOUR, 3 * HOUR)), asset=asset)


def exposed(plan: Plan, client: str) -> None:
    """An exposure at an edge of a request or of an offer, with whoever stands behind it."""
    asked = clean(plan, client)
    act, _ = exposure(plan, client, asked.time + plan.pick(AROUND))
    for _ in range(plan.pick((1, 2))):
        offer(plan, asked, plan.pick((wait(plan), max(0, act.time - asked.time))))
    by = act.data.get("by") or act.data.get("via")
    if by in ENTITIES[1:] and plan.odds(0.6):
        again(plan, str(by), act.time + plan.pick((-DAY, -1, 0, 0, 1, HOUR)))


def again(plan: Plan, entity: str, at: int) -> None:
    """One or two entries about an entity, the second at the same time."""
    for _ in range(plan.pick((1, 2))):
        relation = plan.pick(("affiliate", "independent", "group", "firm", "eu_authorised"))
        plan.add(
            at,
            "entity.registered",
            entity,
            entity=entity,
            relation=relation,
            holding_percent=plan.pick((None, 19.99, 20), 6, 1, 1),
            services=list(SERVICES[:2]) if relation == "eu_authorised" else None,
            until=written(at + plan.pick((0, HOUR, DAY))) if plan.odds(0.3) else None,
        )


def named(plan: Plan, client: str) -> None:
    """Something sent, then a request for it or for its like, at the limits of the ten days."""
    first = clean(plan, client)
    content = plan.pick(("offer", "service_notice", "education", "exit_help"), 6, 2, 1, 1)
    things = [plan.thing()] if plan.odds(0.5) else None
    link = True if plan.odds(0.3) else None
    asset = plan.pick(plan.assets)
    sent = offer(plan, first, HOUR, content=content, promotes=things, link=link, asset=asset)
    went = send(plan, sent, sent.time + plan.pick((0, MINUTE, DAY)))
    later = went.time + plan.pick((0, 1, HOUR, 10 * DAY - 1, 10 * DAY, 10 * DAY + 1), 1, 1, 2, 1, 2, 2)
    second = clean(plan, client, later, asset=plan.pick((asset, "btc", "ltc", None), 3, 1, 1, 1))
    offer(plan, second, plan.pick((0, HOUR), 1, 5))
    if plan.odds(0.3):
        reclassify(plan, second.time + plan.pick((-1, 0, MINUTE)))


def asked_again(plan: Plan, client: str) -> None:
    """Requests that answer questions, each other, themselves, or the firm."""
    asked = clean(plan, client)
    question = plan.add(asked.time - plan.pick((0, HOUR)), "client.asked", client, channel="chat")
    second = clean(plan, client, asked.time + plan.pick((0, 0, HOUR)), service=plan.pick(SERVICES))
    others = [asked.id, question.id, second.id, "e-none"]
    second.data["in_reply_to"] = plan.pick(others, 4, 3, 1, 1)
    if plan.odds(0.5):
        asked.data["in_reply_to"] = plan.pick(others, 1, 2, 3, 1)
    if plan.odds(0.3):
        plan.add(
            asked.time - HOUR,
            "firm.contacted",
            client,
            by="firm-1",
            means="call",
            content="education",
            promotes=[plan.thing()],
        )
    offer(plan, second, wait(plan))


def reclassify(plan: Plan, at: int) -> None:
    """Another word on an asset, sometimes two at one time."""
    asset = plan.pick(plan.assets)
    for _ in range(plan.pick((1, 2), 2, 1)):
        said = ASSETS[plan.pick((asset, *plan.assets))]
        by = "st-a" if plan.odds(0.8) else None
        if said:
            plan.add(at, "asset.classified", asset, asset=asset, approved_by=by, **said)


def typed(plan: Plan, client: str) -> None:
    """Assets and products side by side, with entries that come at the very offer."""
    asset, product = plan.pick((*plan.assets, None)), plan.pick((None, *PRODUCTS), 3, 2, 2)
    asked = clean(plan, client, asset=asset, product=product)
    made = offer(plan, asked, wait(plan), asset=plan.pick((*plan.assets, None)))
    if plan.odds(0.5):
        reclassify(plan, made.time + plan.pick((-HOUR, 0, 1)))
    if product is not None or plan.odds(0.3):
        other = plan.pick(PRODUCTS)
        made.data["product"] = other
        for _ in range(plan.pick((1, 2), 2, 1)):
            plan.add(
                made.time - plan.pick((0, HOUR)),
                "product.classified",
                other,
                product=other,
                service=plan.pick(SERVICES, 5, 1, 1),
                same_type_as=plan.pick((product, None), 4, 1),
                approved_by="st-a" if plan.odds(0.8) else None,
            )


def several(plan: Plan, client: str) -> None:
    """One message with two things that rest on two scopes, sent near the end of one of them."""
    one = clean(plan, client, START)
    two = clean(plan, client, START + plan.pick((0, HOUR, 3 * HOUR)), service="custody")
    two.data["transaction"] = one.data["transaction"]
    things = [{"service": "custody", "asset": plan.pick(("btc", "ltc", None), 4, 1, 1)}]
    late = plan.pick((4 * HOUR, DAY - 1, DAY, DAY + HOUR), 5, 1, 1, 3)
    content = plan.pick(("offer", "service_notice"), 4, 1)
    made = offer(plan, one, late, promotes=things, content=content)
    ends = plan.pick((one.time, two.time)) + DAY
    sent = send(plan, made, max(made.time, ends + plan.pick((-1, 0))))
    offer(plan, two, sent.time - two.time + MINUTE)


def doubled(plan: Plan, client: str) -> None:
    """Two references that are one person: the other one brings what it has."""
    other = plan.pick(plan.clients)
    asked = clean(plan, client)
    made = offer(plan, asked, wait(plan))
    plan.add(made.time + plan.pick((-HOUR, DAY)), "client.merged", client, other=other)
    at = asked.time + plan.pick(AROUND)
    way = plan.pick(("state", "exposure", "place"))
    if way == "state":
        state = plan.pick(("closed", "suspended", "exit_only"))
        plan.add(at, "relationship.changed", other, state=state, by="st-a", reason="so")
        state = plan.pick(("exempt", "suspended", "closed"))
        plan.add(at + plan.pick((0, 1)), "relationship.changed", other, state=state, **plan.two(0.3))
    elif way == "exposure":
        _, name = exposure(plan, other, at)
        who = plan.pick((client, other))
        plan.add(at, "taint.narrowed", who, exposure=name, leaves=[], **plan.two(0.1))
    else:
        country, until = plan.pick(("US", "DE", "NO")), written(at + plan.pick((0, DAY)))
        plan.add(at, "client.located", other, indicator="kyc_residence", country=country, until=until)


def placed(plan: Plan, client: str) -> None:
    """Locations that begin, end, tie or change scope at the very moment of an offer."""
    asked = clean(plan, client)
    made = offer(plan, asked, wait(plan))
    if plan.odds(0.4):
        made.data["content"] = plan.pick(("service_notice", "education", "exit_help"))
        made.data["promotes"] = [plan.thing()]
    for _ in range(plan.pick((1, 2))):
        plan.add(
            made.time + plan.pick((-DAY, 0, 1)),
            "client.located",
            client,
            indicator=plan.pick(("kyc_residence", "ip", "sim"), 3, 2, 1),
            country=plan.pick(("US", "DE", "CH")),
            until=written(made.time + plan.pick((0, 1))) if plan.odds(0.4) else None,
        )
    if plan.odds(0.4):
        for inside in (True, False) if plan.odds(0.3) else (plan.odds(0.5),):
            at = made.time - plan.pick((0, HOUR))
            plan.add(at, "country.scoped", "CH", country="CH", in_scope=inside)
    if plan.odds(0.6):
        send(plan, made, made.time + plan.pick((0, MINUTE)))
        offer(plan, clean(plan, client, made.time + HOUR), HOUR)


def unlawfully_sent(plan: Plan, client: str) -> None:
    """An offer that was held, of whoever, is sent all the same; an offer follows."""
    asked = clean(plan, client)
    by = plan.pick((*ENTITIES, "ghost", None))
    held = offer(plan, asked, HOUR, by=by, transaction=plan.pick((None, "tx-9", asked.data["transaction"])))
    went = send(plan, held, held.time + plan.pick((0, MINUTE, DAY)))
    twin = offer(plan, asked, went.time - asked.time + plan.pick((0, 1, HOUR)))
    if plan.odds(0.4):
        twin.data["offer"] = held.data["offer"]
    if plan.odds(0.6):
        offer(plan, clean(plan, client, went.time + plan.pick((0, HOUR)), asset="eth"), HOUR, asset="eth")


SCENES = (
    narrowed,
    exposed,
    named,
    asked_again,
    typed,
    several,
    doubled,
    placed,
    unlawfully_sent,
)
