"""Single strokes of a random history: what happens around one client, and in the register.

A `Plan` collects events with their times; `histories` puts them in an order of arrival. Values are
few and times lie on a coarse grid, so that ties, exact limits and coincidences are common.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")
Data = dict[str, Any]

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_772_438_400_000_000
"""2 March 2026, 8:00 UTC."""
CHANNELS = ["email", "push", "ads", "search", "social", "influencers", "affiliates", "sponsorship", "calls", "group"]
INSIDE = ("DE", "FR", "NO")
OUTSIDE = ("US", "SG")
BORDERLINE = "CH"
STAFF = ("st-a", "st-b", "st-c")
SERVICES = ("exchange_funds", "custody", "advice")
PRODUCTS = ("savings", "staking")
ENTITIES = ("firm-1", "aff-1", "ind-1", "sis-1")
CAMPAIGNS = ("cam-1", "cam-2", "cam-3")

_LIKE_BTC: Data = {
    "class": "other",
    "technology": "pow",
    "liquid": True,
    "identifiable_issuer": False,
    "type_group": "large",
}
_EMT: Data = {**_LIKE_BTC, "class": "emt", "technology": "evm", "identifiable_issuer": True}
ASSETS: dict[str, Data] = {
    "btc": _LIKE_BTC,
    "ltc": _LIKE_BTC,
    "kas": {**_LIKE_BTC, "type_group": None},
    "bonk": {**_LIKE_BTC, "type_group": "meme"},
    "eth": {**_LIKE_BTC, "technology": "evm"},
    "thin": {**_LIKE_BTC, "liquid": False},
    "gray": {**_LIKE_BTC, "liquid": None},
    "usdm": {**_EMT, "reference_currency": "USD"},
    "eurm": {**_EMT, "reference_currency": "EUR"},
    "mix": {**_EMT, "class": "art", "basket": "mixed"},
    "fia": {**_EMT, "class": "art", "basket": "fiat"},
    "share": {**_EMT, "class": "financial_instrument", "type_group": None},
    "pic": {**_EMT, "class": "unique_nft", "liquid": False, "type_group": None},
    "bch": {},
}


def written(at: int, zone: int = 0, *, long: bool = False) -> str:
    """A moment as RFC 3339, in a zone of whole hours."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    text = moment.astimezone(timezone(timedelta(hours=zone))).isoformat(
        timespec="microseconds" if long or at % 1_000_000 else "seconds"
    )
    return text if zone else text.replace("+00:00", "Z")


@dataclass
class Stroke:
    """One event to come, before it has a place in the order of arrival."""

    time: int
    kind: str
    subject: str
    data: Data
    id: str
    source: str
    after: str | None = None
    """The id of an event that arrives before it."""
    late: bool = False
    """Whether it arrives near the end, where the order is not that of time."""


@dataclass
class Plan:
    """A history in the making."""

    rng: Random
    clients: tuple[str, ...]
    assets: tuple[str, ...]
    calm: frozenset[str] = frozenset()
    """Clients whose papers are in order and whose offers keep to what was asked for."""
    strokes: list[Stroke] = field(default_factory=list)

    def add(self, at: int, kind: str, subject: str, /, after: str | None = None, **data: Any) -> Stroke:
        """One more event; fields that are None are left out."""
        said = {name: value for name, value in data.items() if value is not None}
        stroke = Stroke(at, kind, subject, said, f"e-{len(self.strokes)}", f"//f/{kind.split('.')[0]}", after)
        self.strokes.append(stroke)
        return stroke

    def odds(self, chance: float) -> bool:
        """True that often."""
        return self.rng.random() < chance

    def pick(self, values: Iterable[T], *weights: int) -> T:
        """One of some values."""
        return self.rng.choices(list(values), weights or None)[0]

    def moment(self) -> int:
        """Somewhere on the grid of the first days, rarely a microsecond beside it."""
        hours = self.pick((-48, -24, -1, 0, 1, 2, 3, 24, 26, 48, 72, 240, 264))
        return START + hours * HOUR + (self.pick((-1, 1)) if self.odds(0.05) else 0)

    def asset(self) -> str | None:
        """An asset, mostly one of the first two; sometimes none."""
        return self.pick((*self.assets, None), *(6, 4, *[2] * (len(self.assets) - 2)), 1)

    def product(self) -> str | None:
        """Mostly the plain service."""
        return self.pick((None, *PRODUCTS), 8, 1, 1)

    def thing(self) -> Data:
        """A thing as messages and narrowings name it; each field may be left out."""
        named = {
            "service": self.pick((*SERVICES, None), 4, 1, 1, 2),
            "asset": self.asset() if self.odds(0.6) else None,
            "product": self.product(),
        }
        return {name: value for name, value in named.items() if value is not None}

    def things(self) -> list[Data]:
        """One or two things, rarely an empty list."""
        return [self.thing() for _ in range(self.pick((0, 1, 2), 1, 6, 2))]

    def entity(self) -> str:
        """One of the register's entities or one it does not know."""
        return self.pick((*ENTITIES, "ghost"), 3, 3, 3, 1, 2)

    def two(self, fault: float = 0.15) -> Data:
        """Two people, sometimes one and the same."""
        first = self.pick(STAFF)
        second = first if self.odds(fault) else self.pick([s for s in STAFF if s != first])
        return {"by": first, "second": second, "reason": "because"}

    def of(self, client: str, *kinds: str) -> list[Stroke]:
        """What was planned of some types around a client."""
        return [s for s in self.strokes if s.subject == client and s.kind in kinds]


# The register.


def register(plan: Plan) -> None:
    """The entries that nearly every history needs, early."""
    early = START - 30 * DAY
    plan.add(early, "entity.registered", "firm-1", entity="firm-1", relation="firm")
    for name in plan.assets:
        if ASSETS[name]:
            classify(plan, name, early)
    for name, relation in zip(ENTITIES[1:], ("affiliate", "independent", "eu_authorised"), strict=True):
        if plan.odds(0.75):
            enter(plan, name, relation, early)
    if plan.odds(0.3):
        map_products(plan, early)


def classify(plan: Plan, asset: str, at: int) -> None:
    """A classification, mostly approved."""
    said = ASSETS[asset] or _LIKE_BTC
    by = "st-a" if plan.odds(0.93) else None
    plan.add(at, "asset.classified", asset, asset=asset, approved_by=by, **said)


def enter(plan: Plan, entity: str, relation: str, at: int) -> None:
    """An entity's registration with all it may hold."""
    holding = plan.pick((None, 19.9, 20, 75), 8, 1, 1, 1) if relation == "independent" else None
    services = list(SERVICES[: plan.pick((1, 2, 3))]) if relation == "eu_authorised" else None
    plan.add(
        at,
        "entity.registered",
        entity,
        entity=entity,
        relation=relation,
        holding_percent=holding,
        control=True if plan.odds(0.05) else None,
        services=services,
        until=written(plan.moment()) if plan.odds(0.15) else None,
    )


def map_products(plan: Plan, at: int) -> None:
    """One product mapped to the other, mostly approved and of the right service."""
    one, other = plan.pick((PRODUCTS, PRODUCTS[::-1]))
    plan.add(
        at,
        "product.classified",
        one,
        product=one,
        service=plan.pick(SERVICES, 5, 3, 1),
        same_type_as=other if plan.odds(0.8) else None,
        approved_by="st-a" if plan.odds(0.8) else None,
    )


def campaign(plan: Plan, at: int) -> None:
    """A campaign or one more version of it."""
    name = plan.pick(CAMPAIGNS)
    countries = plan.pick(("EEA", "*", ["FR"], ["DE", "NO"], ["US"], ["CH", "DE"]), 1, 1, 5, 3, 4, 2)
    excludes = [
        {"country": country, "geo_blocked": plan.odds(0.8)} for country in plan.rng.sample(INSIDE, plan.pick((1, 2)))
    ]
    plan.add(
        at,
        "campaign.started",
        name,
        campaign=name,
        by=plan.pick((*ENTITIES, "ghost"), 4, 2, 5, 1, 3),
        kind=plan.pick(("advertising", "eu_feature", "brand", "press"), 3, 3, 1, 1),
        countries=countries,
        excludes=excludes if plan.odds(0.4) else None,
        promotes=plan.things() if plan.odds(0.3) else None,
    )
    if plan.odds(0.2):
        plan.add(at + DAY, "campaign.ended", name, campaign=name)


def change_register(plan: Plan) -> None:
    """A later or tied entry about something the register has."""
    at = plan.moment() if plan.odds(0.8) else START - 30 * DAY
    kind = plan.pick(("asset", "entity", "product", "country", "campaign"), 2, 3, 1, 2, 5)
    if kind == "asset":
        name = plan.pick(plan.assets[1:])
        said = ASSETS[plan.pick(plan.assets)] or _LIKE_BTC
        plan.add(at, "asset.classified", name, asset=name, approved_by="st-b", **said)
    elif kind == "entity":
        relation = plan.pick(
            ["agent", "affiliate", "influencer", "payment_partner", "group", "eu_authorised", "independent"]
        )
        enter(plan, plan.pick((*ENTITIES[1:], "ghost")), relation, at)
    elif kind == "product":
        map_products(plan, at)
    elif kind == "country":
        country = plan.pick((BORDERLINE, "NO", "FR"), 3, 1, 1)
        plan.add(at, "country.scoped", country, country=country, in_scope=plan.odds(0.5))
    else:
        campaign(plan, at)


# Around one client.


def locate(plan: Plan, client: str) -> None:
    """Where a client is: mostly one strong indicator inside, sometimes less clear."""
    at = START - plan.pick((1, 2, 30)) * DAY
    way = plan.pick(("inside", "conflict", "outside", "weak", "none", "border"), 40, 3, 1, 2, 1, 1)
    strong = plan.pick(("kyc_residence", "registered_office", "tax_residence"), 5, 1, 1)
    if way in ("inside", "border"):
        country = BORDERLINE if way == "border" else plan.pick(INSIDE, 6, 2, 2)
        plan.add(at, "client.located", client, indicator=strong, country=country)
    if way in ("conflict", "outside"):
        plan.add(at, "client.located", client, indicator=strong, country=plan.pick(OUTSIDE))
    if way in ("conflict", "weak"):
        relocate(plan, client, at, weak=True)


def relocate(plan: Plan, client: str, at: int, *, weak: bool) -> None:
    """One more indicator, weak or any, sometimes with an end."""
    indicator = plan.pick(("ip", "declared", "sim", "bank_account", "temporary_stay"))
    plan.add(
        at,
        "client.located",
        client,
        indicator=indicator if weak else "kyc_residence",
        country=plan.pick((*INSIDE, *OUTSIDE, BORDERLINE), 4, 2, 2, 1, 1, 2),
        until=written(plan.moment()) if plan.odds(0.3) else None,
    )


def request(plan: Plan, client: str) -> Stroke:
    """A request with its record, search and approvals, each with a small chance of a fault."""
    earlier = plan.of(client, "client.requested", "client.asked", "firm.contacted", "offer.proposed")
    calm = client in plan.calm
    answered = plan.pick(earlier).id if earlier and not calm and plan.odds(0.25) else None
    asked = plan.add(
        START + plan.pick((0, 1, 24, 26, 72, 240), 8, 3, 2, 2, 2, 2) * HOUR,
        "client.requested",
        client,
        service=plan.pick(SERVICES, 6, 2, 1),
        asset=plan.pick(plan.assets[:2]) if calm else plan.asset(),
        product=None if calm and plan.odds(0.8) else plan.product(),
        transaction=f"tx-{plan.pick((1, 2, 3))}",
        channel="email",
        kind=plan.pick(("request", "order", "recurring_execution"), 14, 7, 0 if calm else 1),
        in_reply_to="e-none" if plan.odds(0.02) else answered,
    )
    fault = 0.01 if calm else 0.06
    if not plan.odds(fault):
        kind = plan.pick(("inbound_email", "session_log", "tick_box"), 10, 5, 0 if calm else 1)
        evidence(plan, asked, "initiation", kind, fault)
    split = [CHANNELS[:6], CHANNELS[5:]]
    for some in split if plan.odds(0.1) else [CHANNELS]:
        if not plan.odds(fault):
            evidence(plan, asked, "no_solicitation", "channel_search", fault, channels_searched=some)
    return asked


def evidence(plan: Plan, asked: Stroke, supports: str, kind: str, fault: float, **more: Any) -> Stroke:
    """Evidence for a request, filed and approved soon, unless something goes wrong."""
    name = f"ev-{0 if plan.odds(fault / 3) else len(plan.strokes)}"
    at = asked.time + plan.pick((0, 10, -10), 3, 6, 1) * MINUTE
    filed = plan.add(
        at,
        "evidence.filed",
        asked.subject,
        evidence=name,
        supports=supports,
        kind=kind,
        by="st-a",
        request=None if plan.odds(fault / 3) else asked.id,
        **more,
    )
    if not plan.odds(fault):
        approve(plan, filed, "st-b" if not plan.odds(fault) else "st-a")
    return filed


def approve(plan: Plan, filed: Stroke, by: str) -> None:
    """An approval, rarely dated before the filing."""
    at = filed.time + plan.pick((0, 10, 60, -10), 9, 27, 2, 1) * MINUTE
    second = plan.pick((None, "st-c", by), 2, 2, 1)
    name = filed.data["evidence"]
    plan.add(at, "evidence.approved", filed.subject, evidence=name, by=by, second=second)
