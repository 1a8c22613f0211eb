"""Harbour Lane, a fictional platform outside the Union: who belongs to it, what it lists, where it is seen."""

from datetime import UTC, datetime

from streams.demo.diary import Diary, Post, march

FIRM = "harbour-lane"
GROUP = "harbour-lane-holdings"
SISTER = "harbour-lane-europe"
AFFILIATE = "northpier-affiliates"
INFLUENCER = "coinlark-tv"
PAYMENTS = "quaypay"
NEWSPAPER = "tidewater-post"

LISTING = "st-listing"
"""The staff of the demo are desks, not people."""

_ENTITY = Post("entity.registered", "ent", "register/entities")
_ASSET = Post("asset.classified", "ast", "register/assets")
_PRODUCT = Post("product.classified", "prd", "register/products")
_STARTED = Post("campaign.started", "cps", "register/campaigns")
_ENDED = Post("campaign.ended", "cpe", "register/campaigns")
_SINCE = datetime(2026, 1, 5, 9, tzinfo=UTC)


def open_register(diary: Diary) -> None:
    """What the firm had on file before the month began, and what it adds in the course of it."""
    _entities(diary)
    _assets(diary)
    _products(diary)
    _campaigns(diary)


def _entities(diary: Diary) -> None:
    _entity(diary, FIRM, "firm")
    _entity(diary, GROUP, "group", holding_percent=100, control=True)
    _entity(diary, AFFILIATE, "affiliate")
    _entity(diary, PAYMENTS, "payment_partner")
    _entity(diary, SISTER, "eu_authorised", services=["custody", "exchange_funds"])
    _entity(diary, NEWSPAPER, "independent")


def register_influencer(diary: Diary, known: datetime) -> None:
    """The contract with the influencer turns up late: it was in force all month."""
    data = {"entity": INFLUENCER, "relation": "influencer"}
    diary.tell(_ENTITY, INFLUENCER, _SINCE, data, known=known)


def _entity(diary: Diary, name: str, relation: str, **more: object) -> None:
    diary.tell(_ENTITY, name, _SINCE, {"entity": name, "relation": relation, **more})


def _assets(diary: Diary) -> None:
    for asset, technology in (("btc", "utxo-pow"), ("ltc", "utxo-pow"), ("eth", "evm")):
        _asset(diary, asset, "other", technology, identifiable_issuer=False, type_group="large-cap-native")
    _asset(diary, "reef", "other", "evm", liquid=False, identifiable_issuer=False, type_group="thin-native")
    _asset(diary, "hlusd", "emt", "evm", reference_currency="USD", type_group="usd-money")
    _asset(diary, "hleur", "emt", "evm", reference_currency="EUR", type_group="eur-money")
    _asset(diary, "isle", "art", "evm", basket="mixed", type_group="mixed-baskets")
    _asset(diary, "lane-note", "financial_instrument", "evm")
    _asset(diary, "pier-badge", "unique_nft", "evm", liquid=False)
    _asset(diary, "bch", "other", "utxo-pow", identifiable_issuer=False, approved_by=None)
    _asset(diary, "bch", "other", "utxo-pow", at=march(20), identifiable_issuer=False)


def _asset(diary: Diary, asset: str, kind: str, technology: str, at: datetime = _SINCE, **more: object) -> None:
    """Liquid, with an identifiable issuer and approved, unless said otherwise."""
    stated = {"liquid": True, "identifiable_issuer": True, "approved_by": LISTING, **more}
    diary.tell(_ASSET, asset, at, {"asset": asset, "class": kind, "technology": technology, **stated})


def _products(diary: Diary) -> None:
    for product, same in (("staking", None), ("savings", None), ("savings-flex", "savings")):
        data = {"product": product, "service": "custody", "same_type_as": same, "approved_by": LISTING}
        diary.tell(_PRODUCT, product, _SINCE, data)


def _campaigns(diary: Diary) -> None:
    """A feature for one member state, advertising that is kept out of two, and a cup sponsored in two others."""
    _campaign(diary, "sepa-top-up", "eu_feature", march(2, 8), ["IE"])
    out = [{"country": "MT", "geo_blocked": True}, {"country": "CY", "geo_blocked": False}]
    _campaign(diary, "island-spring", "advertising", march(3, 8), ["SG", "MT", "CY"], excludes=out, languages=["en"])
    _campaign(diary, "north-cup", "sponsorship", march(16, 18), ["FR", "ES"], channels=["stadium", "tv"])
    diary.tell(_ENDED, "north-cup", march(29, 22), {"campaign": "north-cup"})


def _campaign(diary: Diary, name: str, kind: str, at: datetime, countries: list[str], **more: object) -> None:
    data = {"campaign": name, "by": FIRM, "kind": kind, "countries": countries, **more}
    diary.tell(_STARTED, name, at, data)
