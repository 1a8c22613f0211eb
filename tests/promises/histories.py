"""Seeded random histories: dense, with few distinct values and a coarse grid of times, so that edges meet.

A third of the seeds arrive in order of time, a third mildly late, a third in any order.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

START = datetime(2026, 3, 1, tzinfo=UTC)
EARLY = START - timedelta(days=30)
CHANNELS = ["email", "push", "ads", "search", "social", "influencers", "affiliates", "sponsorship", "calls", "group"]
SERVICES = ["custody", "exchange_funds"]
ASSETS = ["btc", "ltc", "eth"]
PRODUCTS = ["staking", "savings"]
ENTITIES = ["firm", "aff", "indep", "ghost", "eu"]
Event = dict[str, Any]


class History:
    """One random history in the making."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = Random(seed)
        self.pick = self.random.choice
        self.events: list[tuple[datetime, Event]] = []
        self.clients = ["c1", "c2", "c3"][: self.pick([1, 1, 2, 3])]
        self.grid = self.pick([1, 6, 12, 24])
        self.offers: list[Event] = []
        self.evidence: list[tuple[str, str]] = []
        self._open()
        deeds: list[Callable[[str, datetime], object]] = [
            *[self.request] * 6,
            *[self.offer] * 3,
            *[self.contact] * 2,
            *[self.register] * 4,
            *[self.release] * 3,
            self.send,
            self.locate,
            self.arrive,
            self.ask,
            self.declare,
            self.merge,
            self.refer,
            self.accuse,
            self.approve,
            self.retract,
            self.relate,
            self.narrow,
        ]
        while len(self.events) < size:
            self.pick(deeds)(self.pick(self.clients), self.time())
            if self.random.random() < 0.05:
                self.events.append((self.time(), dict(self.pick(self.events)[1])))

    def time(self) -> datetime:
        """A time on the grid, sometimes a microsecond off."""
        at = START + timedelta(hours=self.grid * self.random.randrange(max(2, 14 * 24 // self.grid)))
        return at + timedelta(microseconds=self.pick([0] * 8 + [-1, 1]))

    def add(self, name: str, subject: str, at: datetime, **data: Any) -> Event:
        """One event; None leaves a field out."""
        event = {
            "specversion": "1.0",
            "id": f"e{len(self.events) + 1}",
            "source": self.pick(["//s"] * 9 + ["//r"]),
            "type": f"gate61.{name}.v1",
            "subject": subject,
            "time": at.isoformat(),
            "data": {key.rstrip("_"): value for key, value in data.items() if value is not None},
        }
        self.events.append((at, event))
        return event

    def thing(self) -> Event:
        """A promoted thing."""
        pick = self.pick
        found = {"service": pick([*SERVICES, None]), "asset": pick([*ASSETS, None]), "product": pick([*PRODUCTS, None])}
        return {k: v for k, v in found.items() if v}

    def maybe(self, share: float, value: Any) -> Any:
        """The value in a share of cases."""
        return value if self.random.random() < share else None

    def _open(self) -> None:
        for entity, relation in (("firm", "firm"), ("aff", "affiliate"), ("indep", "independent")):
            self.add("entity.registered", entity, EARLY, entity=entity, relation=relation)
        for asset in ASSETS:
            self.add("asset.classified", asset, EARLY, **self._classification(asset, "t2" if asset == "eth" else "t1"))
        for client in self.clients:
            if self.random.random() < 0.9:
                country = self.pick(["DE", "DE", "DE", "FR", "US"])
                self.add("client.located", client, EARLY, indicator="kyc_residence", country=country)

    def _classification(self, asset: str, technology: str) -> Event:
        stated = {"liquid": True, "identifiable_issuer": False, "type_group": "g", "approved_by": "st"}
        return {"asset": asset, "class_": "other", "technology": technology, **stated}

    def request(self, client: str, at: datetime) -> None:
        """A request, mostly proven, and offers that follow it."""
        pick = self.pick
        asset, product = pick([*ASSETS, None]), pick([None, None, None, *PRODUCTS])
        service, transaction = pick(SERVICES), pick(["t1", "t2"])
        kind = pick(["request", "order", "order", "recurring_execution"])
        reply = self.maybe(0.2, f"e{self.random.randrange(1, len(self.events) + 6)}")
        asked = {"service": service, "asset": asset, "product": product, "transaction": transaction}
        event = self.add("client.requested", client, at, **asked, channel="x", kind=kind, in_reply_to=reply)
        if self.random.random() < 0.8:
            self._prove(client, at, event["id"])
        for _ in range(self.random.randrange(4)):
            offered = at + timedelta(hours=pick([0, 1, 2, 6, 12, 23, 24, 30, 48, 239, 240]))
            name = f"o{len(self.events) % 7}"
            asset = asset if self.random.random() < 0.8 else pick([*ASSETS, None])
            praise = self.maybe(0.15, [self.thing()])
            offer = {**asked, "asset": asset, "offer": name, "channel": "x", "content": "offer", "promotes": praise}
            self.offers.append(self.add("offer.proposed", client, offered, **offer))
            if self.random.random() < 0.4:
                self.add("offer.delivered", client, offered + timedelta(hours=pick([0, 0, 1, 12])), offer=name)

    def _prove(self, client: str, at: datetime, request: str) -> None:
        for supports, kind in (("initiation", "inbound_email"), ("no_solicitation", "channel_search")):
            evidence = self.pick([f"ev{len(self.events)}"] * 3 + [f"{kind}-{self.pick('ab')}"])
            filed = at + timedelta(minutes=self.pick([0, 10]))
            searched = CHANNELS if kind == "channel_search" else None
            named = {
                "evidence": evidence,
                "supports": supports,
                "kind": kind,
                "by": self.pick(["f1", "f1", "f1", "a1"]),
            }
            named["request"] = request
            self.add("evidence.filed", client, filed, **named, channels_searched=searched)
            self.evidence.append((client, evidence))
            if self.random.random() < 0.95:
                self.add("evidence.approved", client, filed, evidence=evidence, by=self.pick(["a1", "a1", "a1", "f1"]))

    def offer(self, client: str, at: datetime) -> None:
        """Any offer, notice, lesson or exit help."""
        pick = self.pick
        self.offers.append(
            self.add(
                "offer.proposed",
                client,
                at,
                offer=f"o{len(self.events) % 7}",
                service=pick(SERVICES),
                asset=pick([*ASSETS, None]),
                product=pick([*PRODUCTS, None, None]),
                by=pick([None, None, None, *ENTITIES]),
                transaction=pick(["t1", "t2", None]),
                channel="x",
                content=pick(["offer", "offer", "service_notice", "education", "exit_help"]),
                promotes=pick([None, None, [self.thing()], [self.thing(), self.thing()]]),
                link=self.maybe(0.5, True),
                contact_capture=self.maybe(0.3, True),
            )
        )

    def send(self, client: str, at: datetime) -> None:
        """A sending, of an offer or of nothing known."""
        self.add("offer.delivered", client, at, offer=f"o{self.random.randrange(7)}")

    def locate(self, client: str, at: datetime) -> None:
        """A location."""
        until = self.maybe(0.5, self.time().isoformat())
        country, indicator = self.pick(["DE", "FR", "US", "CH"]), self.pick(["ip", "kyc_residence", "declared"])
        self.add("client.located", client, at, indicator=indicator, country=country, until=until)

    def arrive(self, client: str, at: datetime) -> None:
        """An arrival, with or without somebody behind it."""
        campaign = self.pick([None, None, "k1", "k2", "k9"])
        self.add("client.arrived", client, at, path="link", via=self.pick([None, None, *ENTITIES]), campaign=campaign)

    def ask(self, client: str, at: datetime) -> None:
        """An open question."""
        self.add("client.asked", client, at, channel="x")

    def declare(self, client: str, at: datetime) -> None:
        """A tick-box."""
        self.add("client.declared", client, at, claim="own_initiative", text_version="1")

    def merge(self, client: str, at: datetime) -> None:
        """Two references, one person."""
        if len(self.clients) > 1 and self.random.random() < 0.6:
            self.add("client.merged", client, at, other=self.pick(self.clients))

    def contact(self, client: str, at: datetime) -> None:
        """Something the firm's side sent."""
        content = self.pick(["marketing", "education", "service_notice", "brand"])
        praise, link = self.maybe(0.5, [self.thing()]), self.maybe(0.3, True)
        by = self.pick(ENTITIES)
        self.add("firm.contacted", client, at, by=by, means="email", content=content, promotes=praise, link=link)

    def refer(self, client: str, at: datetime) -> None:
        """A referral."""
        self.add("referral.recorded", client, at, by=self.pick(ENTITIES), rewarded=self.random.random() < 0.3)

    def accuse(self, client: str, at: datetime) -> None:
        """Evidence of solicitation."""
        evidence, when = f"ev{len(self.events)}", self.maybe(0.7, self.time().isoformat())
        filed = {"supports": "solicitation", "kind": "complaint", "by": "f1", "solicited_at": when}
        self.add("evidence.filed", client, at, evidence=evidence, **filed)
        self.evidence.append((client, evidence))

    def approve(self, client: str, at: datetime) -> None:
        """An approval, sometimes by the filer."""
        if self.evidence:
            client, evidence = self.pick(self.evidence)
            self.add("evidence.approved", client, at, evidence=evidence, by=self.pick(["a1", "f1"]))

    def retract(self, client: str, at: datetime) -> None:
        """A retraction, sometimes by one person."""
        if self.evidence:
            client, evidence = self.pick(self.evidence)
            second = self.pick(["a2", "a2", "a1"])
            self.add("evidence.retracted", client, at, evidence=evidence, by="a1", second=second, reason="x")

    def relate(self, client: str, at: datetime) -> None:
        """A change of the relationship."""
        state, second = self.pick(["exempt", "suspended", "exit_only", "closed"]), self.pick([None, "a2"])
        self.add("relationship.changed", client, at, state=state, by="a1", second=second, reason="x")

    def narrow(self, client: str, at: datetime) -> None:
        """A narrowing of a campaign or of any event."""
        exposure = self.pick(["k1", "k2", f"e{self.random.randrange(1, len(self.events) + 1)}"])
        leaves = self.pick([[], [self.thing()]])
        second = self.pick(["a2", "a2", "a1"])
        self.add("taint.narrowed", client, at, exposure=exposure, by="a1", second=second, reason="x", leaves=leaves)

    def release(self, client: str, at: datetime) -> None:
        """A release, valid or not."""
        if self.offers:
            offer = self.pick(self.offers)
            at = datetime.fromisoformat(offer["time"]) + timedelta(hours=self.pick([0, 1, 2]))
            ends = (at + timedelta(hours=self.pick([1, 12, 24, 25]))).isoformat()
            decision = f"@decision:{offer['id']}#{self.pick([1, 1, 2])}"
            second = self.pick(["a2", "a2", "a1"])
            signed = {"decision": decision, "by": "a1", "second": second, "reason": "x", "expires": ends}
            self.add("review.released", offer["subject"], at, **signed)

    def register(self, client: str, at: datetime) -> None:
        """Something beyond one client."""
        pick = self.pick
        kind = self.random.randrange(7)
        if kind == 0:
            relation = pick(["firm", "group", "affiliate", "influencer", "independent", "eu_authorised"])
            more = {"holding_percent": pick([None, None, 20, 19.9]), "until": self.maybe(0.3, self.time().isoformat())}
            services = pick([None, ["custody"], SERVICES])
            self.add("entity.registered", "x", at, entity=pick(ENTITIES), relation=relation, services=services, **more)
        elif kind == 1:
            stated = self._classification(pick(ASSETS), pick(["t1", "t1", "t2"]))
            changed = {"class_": pick(["other", "other", "emt", "financial_instrument"]), "liquid": pick([True, None])}
            more = {"type_group": pick(["g", None, "h"]), "approved_by": pick(["st", "st", None])}
            self.add("asset.classified", "x", at, **{**stated, **changed, **more})
        elif kind == 2:
            same, approved = pick([*PRODUCTS, None]), pick(["st", None])
            mapped = {"product": pick(PRODUCTS), "same_type_as": same, "approved_by": approved}
            self.add("product.classified", "x", at, service=pick(SERVICES), **mapped)
        elif kind == 3:
            self.add("country.scoped", "x", at, country=pick(["DE", "CH", "US"]), in_scope=self.random.random() < 0.5)
        else:
            blocked = pick([None, True, False])
            excludes = None if blocked is None else [{"country": "DE", "geo_blocked": blocked}]
            where = pick(["EEA", "*", ["DE"], ["FR", "CH"]])
            what = {"campaign": pick(["k1", "k2"]), "kind": pick(["advertising", "eu_feature"]), "excludes": excludes}
            self.add("campaign.started", "x", at, by=pick(ENTITIES), countries=where, **what)


def history(seed: int, size: int = 40) -> list[Event]:
    """The events of one seed in the order of arrival, with the time each became known."""
    made = History(seed, size)
    random = Random(seed + 1)
    events = made.events
    late = [0, random.choice([0, 24, 100]), 10_000][seed % 3]
    order = sorted(events, key=lambda e: e[0] + timedelta(hours=late * random.choice([0, 0, random.random()])))
    recorded = EARLY
    arrived = []
    for at, event in order:
        recorded = max(recorded, at)
        arrived.append({**event, "recordedtime": recorded.isoformat()})
    return arrived
