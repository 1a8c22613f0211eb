"""What happened: the typed facts of the contract, one type for each event.

A fact is the envelope (`Fact`) around what was said (`Located`, `Requested`, ...). Times are whole microseconds
since 1970-01-01T00:00Z, so that limits are exact. Source: contract sections 1-3.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

IDENT_PATTERN: Final = "[A-Za-z0-9._:@/-]{1,128}"
Ident = Annotated[str, Meta(pattern=rf"\A{IDENT_PATTERN}\Z")]
"""An id of the platform: a reference, never a name of a person."""
Country = Annotated[
    str,
    Meta(
        pattern=r"\A(?:A[D-GILMOQ-UWXZ]|B[ABD-JL-OQ-TVWYZ]|C[ACDF-IK-ORU-Z]|D[EJKMOZ]|E[CEGHR-T]|F[I-KMOR]"
        r"|G[ABD-IL-NP-UWY]|H[KMNRTU]|I[DEL-OQ-T]|J[EMOP]|K[EG-IMNPRWYZ]|L[A-CIKR-VY]|M[AC-HK-Z]|N[ACE-GILOPRUZ]|OM"
        r"|P[AE-HK-NR-TWY]|QA|R[EOSUW]|S[A-EG-OR-TVX-Z]|T[CDF-HJ-ORTVWZ]|U[AGMSYZ]|V[ACEGINU]|W[FS]|Y[ET]|Z[AMW])\Z"
    ),
]
"""One of the 249 codes that ISO 3166-1 alpha-2 assigns: `EL` or `UK` would be a country outside the Union by mistake."""
Text = Annotated[str, Meta(max_length=4096)]
Share = Annotated[float, Meta(ge=0, le=100)]
Instant = int
"""Microseconds since 1970-01-01T00:00Z."""

Service = Literal[
    "custody",
    "trading_platform",
    "exchange_funds",
    "exchange_crypto",
    "execution",
    "placing",
    "reception_transmission",
    "advice",
    "portfolio_management",
    "transfer",
]
"""The ten services of MiCA Art. 3(1)(16)."""
Indicator = Literal[
    "kyc_residence", "registered_office", "tax_residence", "declared", "ip", "sim", "bank_account", "temporary_stay"
]
Relation = Literal[
    "firm", "group", "agent", "affiliate", "influencer", "payment_partner", "eu_authorised", "independent"
]
RelationshipState = Literal["exempt", "suspended", "exit_only", "closed"]
Supports = Literal["initiation", "solicitation", "no_solicitation"]
EvidenceKind = Literal[
    "inbound_email",
    "inbound_call",
    "inbound_chat",
    "inbound_letter",
    "session_log",
    "channel_search",
    "affiliate_report",
    "campaign_report",
    "attestation",
    "tick_box",
    "terms_clause",
    "complaint",
]


class _Said(Struct, frozen=True, array_like=True, omit_defaults=True):
    """Base of everything an event can say."""


class Thing(Struct, frozen=True, array_like=True):
    """A service, an asset and a product that are offered, promoted or asked for; None fits what the context says."""

    service: Service | None = None
    asset: Ident | None = None
    product: Ident | None = None


class Located(_Said, frozen=True, tag=1):
    """`client.located`: an indicator of where the client is."""

    indicator: Indicator
    country: Country
    until: Instant | None = None


class Arrived(_Said, frozen=True, tag=2):
    """`client.arrived`: how the client came."""

    path: Literal["direct", "search", "link", "qr", "app_store", "event", "unknown"]
    via: Ident | None = None
    campaign: Ident | None = None


class Requested(_Said, frozen=True, tag=3):
    """`client.requested`: the client asked for a service himself."""

    service: Service
    transaction: Ident
    channel: Text
    kind: Literal["request", "order", "recurring_execution"]
    asset: Ident | None = None
    product: Ident | None = None
    in_reply_to: Ident | None = None


class Asked(_Said, frozen=True, tag=4):
    """`client.asked`: an open question; it opens no scope."""

    channel: Text
    transaction: Ident | None = None


class Declared(_Said, frozen=True, tag=5):
    """`client.declared`: a tick-box, clause or declaration."""

    claim: Literal["own_initiative"]
    text_version: Text


class Merged(_Said, frozen=True, tag=6):
    """`client.merged`: another reference turned out to be the same person."""

    other: Ident


class Contacted(_Said, frozen=True, tag=7):
    """`firm.contacted`: anything but an offer that went to the client."""

    by: Ident
    means: Literal["email", "push", "call", "meeting", "chat", "letter", "event", "app", "web"]
    content: Literal["marketing", "brand", "education", "service_notice", "recommendation"]
    promotes: tuple[Thing, ...] | None = None
    link: bool | None = None
    contact_capture: bool | None = None
    campaign: Ident | None = None

    @property
    def promoting(self) -> bool:
        """Whether it solicits (judging section 5, solicitations, letter a)."""
        if self.content in ("marketing", "brand", "recommendation"):
            return True
        return bool(self.promotes or self.link or self.contact_capture)


class Referred(_Said, frozen=True, tag=8):
    """`referral.recorded`: somebody sent the client."""

    by: Ident
    rewarded: bool
    code: Text | None = None


class Proposed(_Said, frozen=True, tag=9):
    """`offer.proposed`: the question to the gate."""

    offer: Ident
    service: Service
    channel: Text
    content: Literal["offer", "service_notice", "education", "exit_help"]
    asset: Ident | None = None
    product: Ident | None = None
    by: Ident | None = None
    transaction: Ident | None = None
    in_reply_to: Ident | None = None
    promotes: tuple[Thing, ...] | None = None
    link: bool | None = None
    contact_capture: bool | None = None

    @property
    def own(self) -> Thing:
        """The thing the offer itself is about."""
        return Thing(self.service, self.asset, self.product)

    @property
    def promoted(self) -> tuple[Thing, ...]:
        """The promoted things; one without a service is of the offer's (judging section 3)."""
        return tuple(Thing(t.service or self.service, t.asset, t.product) for t in self.promotes or ())

    @property
    def things(self) -> tuple[Thing, ...]:
        """What is judged in steps 3 and 6-8: own and promoted, or only the promoted of a notice, each once."""
        things = ((self.own,) if self.content == "offer" else ()) + self.promoted
        return things if len(things) < 2 else tuple(dict.fromkeys(things))

    @property
    def mixed(self) -> bool:
        """Whether it is a notice, lesson or exit help that promotes something as well."""
        return self.content != "offer" and bool(self.promotes)

    @property
    def pure(self) -> bool:
        """Whether it ends at step 4: a notice, lesson or exit help with nothing promoted."""
        if self.content == "offer" or self.promotes:
            return False
        return self.content == "exit_help" or not (self.link or self.contact_capture)


class Delivered(_Said, frozen=True, tag=10):
    """`offer.delivered`: an offer was sent."""

    offer: Ident


class EvidenceFiled(_Said, frozen=True, tag=11):
    """`evidence.filed`."""

    evidence: Ident
    supports: Supports
    kind: EvidenceKind
    by: Ident
    request: Ident | None = None
    channels_searched: tuple[Text, ...] | None = None
    digest: Text | None = None
    solicited_at: Instant | None = None
    solicited_by: Ident | None = None


class EvidenceApproved(_Said, frozen=True, tag=12):
    """`evidence.approved`; whether a filer approves himself, `by` alone decides."""

    evidence: Ident
    by: Ident
    second: Ident | None = None


class EvidenceRetracted(_Said, frozen=True, tag=13):
    """`evidence.retracted`, of two people."""

    evidence: Ident
    by: Ident
    second: Ident
    reason: Text


class Released(_Said, frozen=True, tag=14):
    """`review.released`: two people let a held answer go."""

    decision: Ident
    by: Ident
    second: Ident
    reason: Text
    expires: Instant


class Refused(_Said, frozen=True, tag=15):
    """`review.refused`: a person confirms that it stays held."""

    decision: Ident
    by: Ident
    reason: Text


class Narrowed(_Said, frozen=True, tag=16):
    """`taint.narrowed`: two people say what an exposure leaves tainted."""

    exposure: Ident
    by: Ident
    second: Ident
    reason: Text
    leaves: tuple[Thing, ...]


class RelationshipChanged(_Said, frozen=True, tag=17):
    """`relationship.changed`."""

    state: RelationshipState
    by: Ident
    reason: Text
    second: Ident | None = None


class Exclusion(Struct, frozen=True, array_like=True):
    """A country that a campaign excludes."""

    country: Country
    geo_blocked: bool


class CampaignStarted(_Said, frozen=True, tag=21):
    """`campaign.started`: one version of a campaign."""

    campaign: Ident
    by: Ident
    kind: Literal[
        "advertising",
        "sponsorship",
        "influencer",
        "affiliate",
        "brand",
        "search",
        "app_store",
        "event",
        "press",
        "website",
        "eu_feature",
    ]
    countries: tuple[Country, ...] | Literal["EEA", "*"]
    excludes: tuple[Exclusion, ...] | None = None
    languages: tuple[Text, ...] | None = None
    channels: tuple[Text, ...] | None = None
    promotes: tuple[Thing, ...] | None = None


class CampaignEnded(_Said, frozen=True, tag=22):
    """`campaign.ended`: kept for the record; an audience never lapses."""

    campaign: Ident


class EntityRegistered(_Said, frozen=True, tag=23):
    """`entity.registered`: what an entity is to the firm from then on."""

    entity: Ident
    relation: Relation
    holding_percent: Share | None = None
    control: bool | None = None
    services: tuple[Service, ...] | None = None
    until: Instant | None = None


class AssetClassified(_Said, frozen=True, tag=24):
    """`asset.classified`; `class` is a word of Python, hence `kind`."""

    asset: Ident
    kind: Literal["emt", "art", "utility", "other", "financial_instrument", "unique_nft", "deposit"]
    technology: Text
    reference_currency: Text | None = None
    basket: Literal["fiat", "crypto", "mixed"] | None = None
    liquid: bool | None = None
    identifiable_issuer: bool | None = None
    type_group: Text | None = None
    approved_by: Ident | None = None
    dti: Text | None = None
    caip19: Text | None = None


class ProductClassified(_Said, frozen=True, tag=25):
    """`product.classified`."""

    product: Ident
    service: Service
    same_type_as: Ident | None = None
    approved_by: Ident | None = None


class CountryScoped(_Said, frozen=True, tag=26):
    """`country.scoped`."""

    country: Country
    in_scope: bool


ClientSaid = (
    Located
    | Arrived
    | Requested
    | Asked
    | Declared
    | Merged
    | Contacted
    | Referred
    | Proposed
    | Delivered
    | EvidenceFiled
    | EvidenceApproved
    | EvidenceRetracted
    | Released
    | Refused
    | Narrowed
    | RelationshipChanged
)
RegisterSaid = CampaignStarted | CampaignEnded | EntityRegistered | AssetClassified | ProductClassified | CountryScoped
OF_REGISTER: Final[frozenset[type]] = frozenset(
    (CampaignStarted, CampaignEnded, EntityRegistered, AssetClassified, ProductClassified, CountryScoped)
)
ANSWERABLE: Final[frozenset[type]] = frozenset((Asked, Requested, Declared, Arrived))
"""The client's own words and deeds: what a request may reply to without being prompted (judging section 4)."""
OF_EVIDENCE: Final[frozenset[type]] = frozenset((EvidenceFiled, EvidenceApproved, EvidenceRetracted))
STRICTNESS: Final = {"exempt": 0, "suspended": 1, "exit_only": 2, "closed": 3}
"""How strict the states of a relationship are; the greater is stricter."""


class Fact(Struct, frozen=True, array_like=True):
    """One accepted event. `client` is the subject: a client, or the thing a register event is about."""

    source: str
    id: str
    client: str
    at: Instant
    recorded: Instant
    said: ClientSaid | RegisterSaid

    @property
    def key(self) -> tuple[str, str]:
        """What makes an event unique: (source, id)."""
        return (self.source, self.id)


TYPES: Final[dict[str, type]] = {
    "client.located": Located,
    "client.arrived": Arrived,
    "client.requested": Requested,
    "client.asked": Asked,
    "client.declared": Declared,
    "client.merged": Merged,
    "firm.contacted": Contacted,
    "referral.recorded": Referred,
    "offer.proposed": Proposed,
    "offer.delivered": Delivered,
    "evidence.filed": EvidenceFiled,
    "evidence.approved": EvidenceApproved,
    "evidence.retracted": EvidenceRetracted,
    "review.released": Released,
    "review.refused": Refused,
    "taint.narrowed": Narrowed,
    "relationship.changed": RelationshipChanged,
    "campaign.started": CampaignStarted,
    "campaign.ended": CampaignEnded,
    "entity.registered": EntityRegistered,
    "asset.classified": AssetClassified,
    "product.classified": ProductClassified,
    "country.scoped": CountryScoped,
}
"""Event names of the contract (without `gate61.` and `.v1`) and what they say."""
