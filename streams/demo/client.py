"""One client of the demo: each method is something that happens around the client and writes its event."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import NamedTuple

from gate.policy import REQUIRED_CHANNELS
from streams.demo.diary import Diary, Post, stamp
from streams.demo.house import FIRM

INTAKE = "st-intake"
REVIEW = "st-review"
SECOND = "st-second"

_LOCATED = Post("client.located", "loc", "kyc/locations")
_ARRIVED = Post("client.arrived", "arr", "web/arrivals")
_ASKED = Post("client.asked", "ask", "desk/questions")
_DECLARED = Post("client.declared", "decl", "onboarding/declarations")
_MERGED = Post("client.merged", "merge", "kyc/identities")
_CONTACTED = Post("firm.contacted", "send", "marketing/sends")
_REFERRED = Post("referral.recorded", "ref", "partners/referrals")
_PROPOSED = Post("offer.proposed", "prop", "offers/outbox")
_DELIVERED = Post("offer.delivered", "dlv", "offers/deliveries")
_FILED = Post("evidence.filed", "evf", "compliance/evidence")
_APPROVED = Post("evidence.approved", "eva", "compliance/evidence")
_RETRACTED = Post("evidence.retracted", "evr", "compliance/evidence")
_RELEASED = Post("review.released", "rel", "compliance/review")
_REFUSED = Post("review.refused", "rfs", "compliance/review")
_NARROWED = Post("taint.narrowed", "nar", "compliance/review")
_RELATION = Post("relationship.changed", "rlc", "compliance/relationship")

_INTAKES: Mapping[str, tuple[Post, str]] = {
    "email": (Post("client.requested", "mail", "mail/intake"), "inbound_email"),
    "app": (Post("client.requested", "ord", "app/orders"), "session_log"),
    "web": (Post("client.requested", "ord", "web/orders"), "session_log"),
    "chat": (Post("client.requested", "chat", "chat/transcripts"), "inbound_chat"),
    "call": (Post("client.requested", "call", "voice/calls"), "inbound_call"),
    "letter": (Post("client.requested", "ltr", "mailroom/letters"), "inbound_letter"),
}


class Thing(NamedTuple):
    """A service and, where named, the asset and the product."""

    service: str
    asset: str | None = None
    product: str | None = None

    def named(self) -> dict[str, object]:
        """As fields of an event."""
        return {field: value for field, value in self._asdict().items() if value is not None}


class Request(NamedTuple):
    """A request as later events refer to it."""

    event: str
    transaction: str
    at: datetime
    thing: Thing
    channel: str


class Offer(NamedTuple):
    """A proposed offer as later events refer to it."""

    event: str
    offer: str
    at: datetime

    @property
    def answer(self) -> str:
        """Placeholder of the first answer: its decision id is known to the gate only."""
        return f"@decision:{self.event}#1"


class Client:
    """A client by pseudonym, with the diary that the events go to."""

    def __init__(self, reference: str, diary: Diary, random: Random) -> None:
        self.reference = reference
        self.diary = diary
        self.random = random
        self._papers = 0

    def tell(self, post: Post, at: datetime, data: Mapping[str, object], known: datetime | None = None) -> str:
        """Write an event about this client."""
        return self.diary.tell(post, self.reference, at, data, known)

    def is_located(
        self, country: str, at: datetime, indicator: str = "kyc_residence", until: datetime | None = None
    ) -> str:
        """An indicator says where the client is."""
        data = {"indicator": indicator, "country": country, "until": stamp(until) if until else None}
        return self.tell(_LOCATED, at, data)

    def arrives(self, at: datetime, path: str = "direct", **more: object) -> str:
        """The client comes to the site, perhaps `via` someone or from a tagged `campaign`."""
        return self.tell(_ARRIVED, at, {"path": path, **more})

    def asks_for(
        self, thing: Thing, at: datetime, channel: str = "email", reply_to: str | None = None, kind: str = "request"
    ) -> Request:
        """The client asks for a service."""
        transaction = f"tx-{self.random.randrange(10_000, 100_000)}"
        data = {**thing.named(), "transaction": transaction, "channel": channel, "kind": kind, "in_reply_to": reply_to}
        event = self.tell(_INTAKES[channel][0], at, data)
        return Request(event, transaction, at, thing, channel)

    def wonders(self, at: datetime) -> str:
        """The client asks what else there is."""
        return self.tell(_ASKED, at, {"channel": "chat"})

    def ticks_the_box(self, at: datetime) -> str:
        """The client declares to have come of own initiative."""
        return self.tell(_DECLARED, at, {"claim": "own_initiative", "text_version": "terms-2026-01"})

    def turns_out_to_be(self, other: "Client", at: datetime) -> str:
        """Two references belong to one person."""
        return self.tell(_MERGED, at, {"other": other.reference})

    def hears_from(self, at: datetime, content: str, means: str, promotes: Sequence[Thing] = ()) -> str:
        """The firm sends the client something other than an offer."""
        promoted = [thing.named() for thing in promotes] or None
        return self.tell(_CONTACTED, at, {"by": FIRM, "means": means, "content": content, "promotes": promoted})

    def was_referred(self, at: datetime, by: str, known: datetime | None = None) -> str:
        """A partner's file says that the client was sent for a reward."""
        code = f"HL-{self.random.randrange(1000, 10_000)}"
        return self.tell(_REFERRED, at, {"by": by, "rewarded": True, "code": code}, known)

    def is_offered(
        self, thing: Thing, at: datetime, request: Request | None = None, content: str = "offer", **more: object
    ) -> Offer:
        """An offer or notice is put to the gate, under the transaction of the request if there is one."""
        name = f"of-{self.random.getrandbits(24):06x}"
        linked = {"channel": "email"} if request is None else _linked(request)
        event = self.tell(_PROPOSED, at, {"offer": name, **thing.named(), **linked, "content": content, **more})
        return Offer(event, name, at)

    def is_sent(self, offer: Offer, seconds: int = 40) -> str:
        """The offer goes out."""
        return self.tell(_DELIVERED, offer.at + timedelta(seconds=seconds), {"offer": offer.offer})

    def is_offered_and_sent(self, thing: Thing, at: datetime, request: Request) -> Offer:
        """An offer that nothing stands against goes out at once."""
        offer = self.is_offered(thing, at, request)
        self.is_sent(offer)
        return offer

    def paper(
        self, at: datetime, supports: str, kind: str, request: Request | None = None, by: str = INTAKE, **more: object
    ) -> str:
        """A piece of evidence is filed; returns its own id."""
        self._papers += 1
        name = f"ev-{self.reference.removeprefix('cl-')}-{self._papers}"
        data = {"evidence": name, "supports": supports, "request": request.event if request else None, "kind": kind}
        self.tell(_FILED, at, {**data, "digest": sha256(name.encode()).hexdigest(), "by": by, **more})
        return name

    def record(self, request: Request, at: datetime) -> str:
        """The inbound mail, log or call that shows the request."""
        return self.paper(at, "initiation", _INTAKES[request.channel][1], request)

    def search(self, request: Request, at: datetime, channels: Sequence[str] = REQUIRED_CHANNELS) -> str:
        """A search of the outgoing channels that found nothing."""
        return self.paper(at, "no_solicitation", "channel_search", request, channels_searched=list(channels))

    def is_approved(self, evidence: str, at: datetime, by: str = REVIEW) -> str:
        """Somebody approves a piece of evidence."""
        return self.tell(_APPROVED, at, {"evidence": evidence, "by": by, "second": SECOND})

    def is_proven(self, request: Request, minutes: int = 30) -> str:
        """Record and search are filed and approved within the hour; returns the record."""
        filed, approved = request.at + timedelta(minutes=minutes // 2), request.at + timedelta(minutes=minutes)
        record, search = self.record(request, filed), self.search(request, filed)
        self.is_approved(record, approved)
        self.is_approved(search, approved)
        return record

    def loses(self, evidence: str, at: datetime) -> str:
        """Two people take a piece of evidence back: it is another client's."""
        reason = "the recording is of another client"
        return self.tell(_RETRACTED, at, {"evidence": evidence, "by": REVIEW, "second": SECOND, "reason": reason})

    def is_released(self, offer: Offer, at: datetime, reason: str, second: str = SECOND) -> str:
        """People let a held answer go for four hours."""
        expires = stamp(at + timedelta(hours=4))
        data = {"decision": offer.answer, "by": REVIEW, "second": second, "reason": reason, "expires": expires}
        return self.tell(_RELEASED, at, data)

    def stays_held(self, offer: Offer, at: datetime, reason: str) -> str:
        """A person confirms that a held answer stays held."""
        return self.tell(_REFUSED, at, {"decision": offer.answer, "by": REVIEW, "reason": reason})

    def is_narrowed(self, campaign: str, at: datetime, second: str = SECOND) -> str:
        """People say that a campaign taints transfers only."""
        reason, leaves = "the boards in the hall spoke of transfers only", [Thing("transfer").named()]
        data = {"exposure": campaign, "by": REVIEW, "second": second, "reason": reason, "leaves": leaves}
        return self.tell(_NARROWED, at, data)

    def becomes(self, state: str, at: datetime, reason: str, second: str | None = SECOND) -> str:
        """The relationship changes."""
        return self.tell(_RELATION, at, {"state": state, "by": REVIEW, "second": second, "reason": reason})


def _linked(request: Request) -> dict[str, object]:
    return {"channel": request.channel, "transaction": request.transaction, "in_reply_to": request.event}
