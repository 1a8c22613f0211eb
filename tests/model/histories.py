"""Seeded random histories, dense and adversarial, for comparing a gate with the oracle.

Of the seeds a third arrives in order of time, a third mildly shuffled, a third in any order. Decision
ids are written as `@decision:ID#N`: the N-th answer to the offer event with that id.
"""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from .recipes import (
    ASSETS,
    DAY,
    HOUR,
    MINUTE,
    SERVICES,
    START,
    Plan,
    Stroke,
    approve,
    change_register,
    evidence,
    locate,
    register,
    relocate,
    request,
    written,
)
from .scenes import SCENES

Data = dict[str, Any]

OFFER_WAITS = (
    (0, 1),
    (30 * MINUTE, 6),
    (HOUR, 10),
    (3 * HOUR, 8),
    (DAY - 1, 2),
    (DAY, 3),
    (DAY + HOUR, 7),
    (3 * DAY, 6),
    (10 * DAY - 1, 2),
    (10 * DAY, 2),
    (11 * DAY, 1),
)
STAGED = 0.6
"""How many histories are made of scenes."""
DISTURBING = frozenset(
    [
        "firm.contacted",
        "referral.recorded",
        "client.arrived",
        "client.merged",
        "campaign.started",
        "entity.registered",
        "asset.classified",
        "country.scoped",
        "relationship.changed",
    ]
)
CALM = 0.65
"""How many clients have all in order until something bad comes in late."""
LATE = 0.7
"""How many of the bad things arrive at the end, where the order is not that of time."""
DELIVERY_WAITS = (0, 1, MINUTE, HOUR, DAY, DAY + 1)


def history(seed: int, size: int = 40) -> list[Data]:
    """About `size` CloudEvents in their order of arrival."""
    rng = Random(seed)
    clients = tuple(f"cl-{number}" for number in range(1, rng.choice((1, 2, 2, 2, 3, 4)) + 1))
    others = [name for name in ASSETS if name not in ("btc", "ltc")]
    assets = ("btc", "ltc", *rng.sample(others, rng.choice((1, 2))))
    calm = frozenset(client for client in clients if rng.random() < CALM)
    plan = Plan(rng, clients, assets, calm)
    register(plan)
    for client in clients:
        locate(plan, client)
    if rng.random() < STAGED:
        stage(plan, size)
    else:
        improvise(plan, size)
    return spoil(rng, arrange(plan, seed % 3))


def stage(plan: Plan, size: int) -> None:
    """Scenes that bring a few rules to their edges, and what people do about the offers."""
    scenes = plan.rng.sample(SCENES, 2)
    while len(plan.strokes) < size:
        client = plan.rng.choice(plan.clients)
        before = len(plan.strokes)
        plan.rng.choice((*scenes, *scenes, *SCENES))(plan, client)
        for made in [each for each in plan.strokes[before:] if each.kind == "offer.proposed"]:
            if plan.odds(0.15):
                release(plan, client, made)
        for stroke in plan.strokes[before:]:
            stroke.late = stroke.kind in DISTURBING and plan.odds(0.5)


def improvise(plan: Plan, size: int) -> None:
    """Single strokes around clients who began with a request and an offer."""
    rng = plan.rng
    for client in plan.clients:
        request(plan, client)
        propose(plan, client)
    while len(plan.strokes) < size:
        client = rng.choice(plan.clients)
        act = rng.choices([each for each, _ in ACTS], [weight for _, weight in ACTS])[0]
        before = len(plan.strokes)
        act(plan, client)
        for stroke in plan.strokes[before:]:
            stroke.late = client in plan.calm and act not in (propose, release, deliver)


# Acts.


def propose(plan: Plan, client: str) -> None:
    """An offer near one of the client's requests, mostly of the very thing; often delivered."""
    asked = plan.pick(plan.of(client, "client.requested"))
    wait = plan.pick([w for w, _ in OFFER_WAITS], *[weight for _, weight in OFFER_WAITS])
    earlier = plan.of(client, "offer.proposed")
    odd = 0.03 if client in plan.calm else 0.15
    offer = plan.add(
        asked.time + wait,
        "offer.proposed",
        client,
        offer=f"of-{len(plan.strokes)}",
        service=plan.pick(SERVICES) if plan.odds(odd) else asked.data["service"],
        asset=plan.asset() if plan.odds(odd * 2) else asked.data.get("asset"),
        product=plan.product() if plan.odds(odd) else asked.data.get("product"),
        by=plan.pick((None, "firm-1", "sis-1", "aff-1", "ghost"), 30, 2, 1, 1, 1),
        channel="email",
        transaction=plan.pick((None, "tx-1")) if plan.odds(odd) else asked.data["transaction"],
        content="offer",
        promotes=plan.things() if plan.odds(odd / 2) else None,
    )
    if plan.odds(0.06):
        offer.data["promotes"] = [_part(plan, plan.pick(plan.of(client, "client.requested")))]
    if earlier and plan.odds(odd):
        offer.data["offer"] = plan.pick(earlier).data["offer"]
    if plan.odds(odd):
        mix(plan, offer)
    if plan.odds(0.15):
        deliver(plan, client, offer, asked)
    if plan.odds(0.25):
        release(plan, client, offer)


def mix(plan: Plan, offer: Stroke) -> None:
    """Another content than an offer, pure or with something promoted, a link, a form."""
    offer.data["content"] = plan.pick(("service_notice", "education", "exit_help"))
    asked = plan.pick(plan.of(offer.subject, "client.requested"))
    if plan.odds(0.6):
        offer.data["promotes"] = [_part(plan, asked)] if plan.odds(0.6) else plan.things()
    if plan.odds(0.25):
        offer.data[plan.pick(("link", "contact_capture"))] = plan.odds(0.8)


def _part(plan: Plan, asked: Stroke) -> Data:
    """What was asked for as a promoted thing, sometimes without its service or its asset."""
    names = [name for name in ("service", "asset", "product") if plan.odds(0.85)]
    return {name: asked.data[name] for name in names if name in asked.data}


def deliver(plan: Plan, client: str, offer: Stroke | None = None, asked: Stroke | None = None) -> None:
    """A sending: at once, soon, at the exact end of the answer, too late, or of nothing known."""
    offers = plan.of(client, "offer.proposed")
    if offer is None and offers and plan.odds(0.8):
        offer = plan.pick(offers)
    if offer is None:
        plan.add(plan.moment(), "offer.delivered", client, offer="of-none")
        return
    at = offer.time + plan.pick(DELIVERY_WAITS, 1, 1, 6, 2, 1, 1)
    if asked is not None and asked.time + DAY > offer.time and plan.odds(0.2):
        at = asked.time + DAY + plan.pick((0, -1, 1))
    after = offer.id if plan.odds(0.9) else None
    plan.add(at, "offer.delivered", client, after=after, offer=offer.data["offer"])


def release(plan: Plan, client: str, offer: Stroke | None = None) -> None:
    """A release of a held answer, mostly in good order; sometimes a refusal."""
    offers = plan.of(client, "offer.proposed")
    offer = offer or plan.pick(offers)
    decision = f"@decision:{offer.id}#{plan.pick((1, 2, 3), 12, 3, 1)}"
    at = offer.time + plan.pick((0, 10, 60), 1, 4, 2) * MINUTE
    if plan.odds(0.1):
        plan.add(at, "review.refused", client, offer.id, decision=decision, by="st-a", reason="no")
        return
    lasts = plan.pick((HOUR, DAY, DAY + 1, 0, 4 * HOUR), 6, 3, 1, 1, 3)
    subject = plan.pick(plan.clients) if plan.odds(0.04) else client
    signed = plan.two(0.1)
    expires = written(at + lasts)
    plan.add(at, "review.released", subject, offer.id, decision=decision, expires=expires, **signed)
    if plan.odds(0.5):
        sent = at + plan.pick((0, MINUTE, lasts, -MINUTE), 2, 5, 1, 1)
        plan.add(sent, "offer.delivered", client, offer.id, offer=offer.data["offer"])


def contact(plan: Plan, client: str) -> None:
    """A message of the firm or of somebody else, promoting or not."""
    content = plan.pick(("marketing", "brand", "education", "service_notice", "recommendation"), 3, 1, 2, 2, 1)
    plan.add(
        plan.moment(),
        "firm.contacted",
        client,
        by=plan.entity(),
        means="email",
        content=content,
        promotes=plan.things() if plan.odds(0.5) else None,
        link=plan.odds(0.5) if plan.odds(0.3) else None,
        contact_capture=plan.odds(0.5) if plan.odds(0.2) else None,
    )


def refer(plan: Plan, client: str) -> None:
    """A referral, rewarded or not."""
    at, by = plan.moment(), plan.entity()
    plan.add(at, "referral.recorded", client, by=by, rewarded=plan.odds(0.3))


def arrive(plan: Plan, client: str) -> None:
    """An arrival, direct, by somebody's page, by a tag, or by both."""
    plan.add(
        plan.moment(),
        "client.arrived",
        client,
        path="link",
        via=plan.entity() if plan.odds(0.4) else None,
        campaign=plan.pick(("cam-1", "cam-2", "cam-9")) if plan.odds(0.4) else None,
    )


def report(plan: Plan, client: str) -> None:
    """Evidence of solicitation, dated or not; often approved, sometimes taken back."""
    dated = plan.odds(0.75)
    asked = plan.pick(plan.of(client, "client.requested"))
    filed = evidence(
        plan,
        asked,
        "solicitation",
        plan.pick(("complaint", "affiliate_report", "tick_box"), 4, 4, 1),
        0.5,
        solicited_at=written(plan.moment()) if dated else None,
        solicited_by=plan.entity() if plan.odds(0.5) else None,
    )
    filed.time = plan.moment()
    if plan.odds(0.3):
        retract(plan, client)


def retract(plan: Plan, client: str) -> None:
    """A withdrawal of some evidence by two people, or by one who signs twice."""
    filed = plan.of(client, "evidence.filed")
    if filed:
        name = plan.pick(filed).data["evidence"]
        plan.add(plan.moment(), "evidence.retracted", client, evidence=name, **plan.two())


def approve_again(plan: Plan, client: str) -> None:
    """One more approval of something, rarely under another client's reference."""
    filed = plan.of(client, "evidence.filed")
    if filed:
        approve(plan, plan.pick(filed), plan.pick(("st-a", "st-b")))
        if plan.odds(0.1):
            plan.strokes[-1].subject = plan.pick(plan.clients)


def narrow(plan: Plan, client: str) -> None:
    """A narrowing of a campaign or of one event, to nothing, to a thing or to two."""
    kinds = ("firm.contacted", "client.arrived", "referral.recorded", "evidence.filed")
    exposures = [s.id for s in plan.of(client, *kinds, "offer.delivered")]
    exposures += [s.data["campaign"] for s in plan.strokes if s.kind == "campaign.started"] * 2
    exposures += [s.id for s in plan.strokes if s.kind == "campaign.started"]
    if exposures:
        exposure, leaves = plan.pick(exposures), plan.things()
        plan.add(plan.moment(), "taint.narrowed", client, exposure=exposure, leaves=leaves, **plan.two())


def relate(plan: Plan, client: str) -> None:
    """A change of the relationship, stricter or milder, signed by one or two."""
    signed = plan.two(0.3)
    if plan.odds(0.3):
        del signed["second"]
    state = plan.pick(("exempt", "suspended", "exit_only", "closed"), 4, 2, 1, 1)
    plan.add(plan.moment(), "relationship.changed", client, state=state, **signed)


def merge(plan: Plan, client: str) -> None:
    """Two references found to be one person."""
    plan.add(plan.moment(), "client.merged", client, other=plan.pick(plan.clients))


def ask(plan: Plan, client: str) -> None:
    """An open question or a declaration."""
    if plan.odds(0.6):
        plan.add(plan.moment(), "client.asked", client, channel="chat")
    else:
        plan.add(plan.moment(), "client.declared", client, claim="own_initiative", text_version="v1")


def move(plan: Plan, client: str) -> None:
    """One more location."""
    relocate(plan, client, plan.moment(), weak=plan.odds(0.7))


def chain(plan: Plan, client: str) -> None:
    """A request that answers another request, or a question, of the same client."""
    asked = request(plan, client)
    earlier = [s for s in plan.of(client, "client.requested", "client.asked") if s is not asked]
    if earlier:
        asked.data["in_reply_to"] = plan.pick(earlier).id


ACTS = (
    (propose, 60),
    (lambda plan, client: request(plan, client), 8),
    (chain, 5),
    (lambda plan, _: change_register(plan), 12),
    (contact, 6),
    (refer, 3),
    (arrive, 5),
    (report, 5),
    (retract, 2),
    (approve_again, 3),
    (narrow, 6),
    (relate, 3),
    (merge, 2),
    (ask, 4),
    (move, 3),
    (release, 8),
    (deliver, 4),
)


# Order of arrival.


def arrange(plan: Plan, disorder: int) -> list[Data]:
    """The events in an order of arrival: of time, mildly shuffled, or any."""
    rng = plan.rng
    rank = {stroke.id: (stroke.time, rng.random()) for stroke in plan.strokes}
    order = sorted(plan.strokes, key=lambda stroke: rank[stroke.id])
    if disorder:
        late = [each for each in order if each.late and rng.random() < LATE]
        order = [each for each in order if each not in late] + late
        share = 0.1 if disorder == 1 else rng.choice((0.1, 0.2, 0.3, 1.0))
        reach = 6 if disorder == 1 else len(order)
        for stroke in [each for each in order if rng.random() < share]:
            place = order.index(stroke)
            order.insert(max(0, order.index(stroke) + rng.randint(-reach, reach)), order.pop(place))
    for stroke in [each for each in order if each.after]:
        place, needed = order.index(stroke), _index(order, str(stroke.after))
        if needed > place:
            order.insert(needed, order.pop(place))
    return _events(rng, order)


def _index(order: list[Stroke], name: str) -> int:
    return next(place for place, stroke in enumerate(order) if stroke.id == name)


def _events(rng: Random, order: list[Stroke]) -> list[Data]:
    """CloudEvents with the moment of recording where they arrive late."""
    clock, events = START - 60 * DAY, []
    for stroke in order:
        event: Data = {
            "specversion": "1.0",
            "id": stroke.id,
            "source": stroke.source,
            "type": f"gate61.{stroke.kind}.v1",
            "subject": stroke.subject,
            "time": written(stroke.time, rng.choice((0, 0, 1, -5)), long=rng.random() < 0.1),
            "data": stroke.data,
        }
        clock = max(clock, stroke.time)
        if clock > stroke.time and rng.random() < 0.7:
            event["recordedtime"] = written(clock)
        elif rng.random() < 0.02:
            event["recordedtime"] = written(stroke.time - MINUTE)
        events.append(event)
    return events


def spoil(rng: Random, events: list[Data]) -> list[Data]:
    """Repetitions, reused ids and events that can't be taken, here and there."""
    for event in [copy.deepcopy(each) for each in events if rng.random() < 0.06]:
        way = rng.choice(("again", "again", "reused", "future", "field", "time", "type"))
        first = next(place for place, each in enumerate(events) if each["id"] == event["id"])
        if way == "reused":
            event["time"] = written(START + rng.randint(0, 3) * HOUR)
        elif way == "future":
            event.update(id=event["id"] + "-f", recordedtime=written(START - 90 * DAY))
        elif way == "field":
            event["id"] += "-x"
            event["data"].pop(rng.choice(("service", "by", "evidence", "country", "offer")), None)
        elif way == "time":
            event["id"] += "-t"
            event["time"] = event["time"].removesuffix("Z")[:19]
        elif way == "type":
            event["id"] += "-y"
            event["type"] = "gate61.client.greeted.v1"
        events.insert(rng.randint(first + 1, len(events)), event)
    return events
