"""Another service, product or asset type may not be marketed at all (step 7)."""

from typing import Any

import pytest

from state import MemoryStore
from streams.embedded import Gate
from tests.player import POLICY, fill
from tests.stories.telling import (
    ALLOWED,
    Answer,
    Event,
    answer,
    asks,
    asset,
    blocked,
    clean_client,
    held,
    offer,
    product,
    told_answers,
)

ASKED_FOR = ("custody", "exchange_crypto", "execution", "placing")
NEW_SERVICE = blocked("NEW_SERVICE_TYPE")
NEW_PRODUCT = blocked("NEW_PRODUCT_TYPE")
NEW_ASSET = blocked("NEW_ASSET_TYPE")
UNCLASSIFIED = blocked("TYPE_UNCLASSIFIED")
NOT_ASSESSED = held("TYPE_NOT_ASSESSED")


def test_another_service_is_a_new_type() -> None:
    """Then only this row speaks in steps 6 to 8; where something promoted is of another, both are told."""
    assert answer(clean_client(), offer(service="custody")) == NEW_SERVICE
    assert answer(clean_client(), offer(service="custody", at="300 d", transaction="t9", asset="eth")) == NEW_SERVICE
    assert answer(clean_client(), offer(promotes=[{"service": "custody"}])) == NEW_SERVICE
    assert answer(clean_client(), offer(promotes=[{"service": "exchange_funds", "asset": "btc"}])) == ALLOWED


def test_of_many_services_asked_for_the_latest_request_of_four_is_named() -> None:
    """And the offer."""
    asked = [asks(service, at=f"{n} min", id=f"for-{service}-{n}") for n in (1, 2) for service in ASKED_FOR]
    (told,) = told_answers(clean_client(service="advice"), asked, offer(service="transfer"))
    assert told["reasons"][0]["facts"] == ["asked-anna", *(f"for-{s}-2" for s in sorted(ASKED_FOR)[:3]), "offer-anna"]


def staked(asked: str | None, offered: str | None, *classified: Event) -> Answer:
    """The client asked for one product and is offered another."""
    return answer(list(classified), clean_client(product=asked), offer(product=offered))


def test_another_product_is_a_new_type_unless_somebody_mapped_it() -> None:
    """Directly, either way, approved, in force, and for this service; nothing maps to plain."""
    assert staked("staking", "staking") == ALLOWED
    assert staked("staking", "savings") == NEW_PRODUCT
    assert staked("staking", None, product("staking", "savings")) == NEW_PRODUCT
    assert staked(None, "staking", product("staking", "savings")) == NEW_PRODUCT
    assert staked("staking", "savings", product("staking", "savings")) == ALLOWED
    assert staked("staking", "savings", product("savings", "staking")) == ALLOWED
    assert staked("staking", "savings", product("savings", "staking", approved_by=None)) == NEW_PRODUCT
    assert staked("staking", "savings", product("savings", "staking", service="custody")) == NEW_PRODUCT
    assert staked("staking", "savings", product("savings", "margin"), product("margin", "staking")) == NEW_PRODUCT
    assert staked("staking", "savings", product("savings", "staking"), product("savings", at="-1 d")) == NEW_PRODUCT
    both = [product("savings", "staking"), product("savings", "margin")]
    assert staked("staking", "savings", *both) == NEW_PRODUCT


def test_a_mapping_counts_from_its_time_on() -> None:
    """At the offer's time it is in force."""
    now = product("savings", "staking", at="2 h")
    assert answer(now, clean_client(product="staking"), offer(at="2 h", product="savings")) == ALLOWED
    assert answer(clean_client(product="staking"), offer(at="2 h - 1 us", product="savings"), now) == NEW_PRODUCT


EMT: dict[str, Any] = {"class_": "emt", "reference_currency": "USD"}
ART: dict[str, Any] = {"class_": "art", "basket": "fiat"}


def offered_another(one: dict[str, Any], other: dict[str, Any]) -> Answer:
    """The client asked for one asset and is offered another of these classifications."""
    return answer(asset("one", **one), asset("other", **other), clean_client(asset="one"), offer(asset="other"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"class_": "utility"}),
        ({}, {"technology": "evm"}),
        (EMT, {**EMT, "reference_currency": "EUR"}),
        (ART, {**ART, "basket": "mixed"}),
        ({}, {"liquid": False}),
        ({}, {"identifiable_issuer": True}),
        ({}, {"type_group": "meme"}),
    ],
)
def test_an_asset_told_apart_is_a_new_type(one: dict[str, Any], other: dict[str, Any]) -> None:
    """By a pair rule or by the firm's own groups, either way round; the same is the same."""
    assert offered_another(one, other) == NEW_ASSET
    assert offered_another(other, one) == NEW_ASSET
    assert offered_another(one, one) == ALLOWED
    assert offered_another(other, other) == ALLOWED


def test_currency_and_basket_tell_only_their_own_classes_apart() -> None:
    """A reference currency says nothing of what is no e-money token, nor a basket of what is no asset-referenced one."""
    assert offered_another({"reference_currency": "USD"}, {"reference_currency": "EUR"}) == ALLOWED
    assert offered_another({"basket": "fiat"}, {"basket": "mixed"}) == ALLOWED
    assert offered_another({**EMT, "basket": "fiat"}, {**EMT, "basket": "mixed"}) == ALLOWED
    assert offered_another({**ART, "reference_currency": "USD"}, {**ART, "reference_currency": "EUR"}) == ALLOWED


@pytest.mark.parametrize(
    "lacking",
    [
        {"technology": ""},
        {"liquid": None},
        {"identifiable_issuer": None},
        {**EMT, "reference_currency": None},
        {**EMT, "reference_currency": ""},
        {**ART, "basket": None},
    ],
)
def test_a_classification_that_lacks_something_is_none(lacking: dict[str, Any]) -> None:
    """Also for the very asset he asked for."""
    assert answer(asset("one", **lacking), clean_client(asset="one"), offer(asset="one")) == UNCLASSIFIED


def test_what_a_classification_may_lack() -> None:
    """A group, and the attributes of other classes."""
    for complete in ({"type_group": None}, EMT, ART, {"reference_currency": None}, {"basket": None}):
        assert answer(asset("one", **complete), clean_client(asset="one"), offer(asset="one")) == ALLOWED, complete


def test_an_asset_that_nobody_classified_or_approved() -> None:
    """Needed are all that offer and request name."""
    assert answer(clean_client(asset="new"), offer(asset="new")) == UNCLASSIFIED
    new = asset("new", approved_by=None)
    assert answer(new, clean_client(asset="new"), offer(asset="new")) == UNCLASSIFIED
    assert answer(new, clean_client(), offer(asset="new")) == blocked("TYPE_UNCLASSIFIED", "TYPE_NOT_ASSESSED")
    assert answer(new, clean_client(asset="new"), offer()) == blocked("TYPE_UNCLASSIFIED", "TYPE_NOT_ASSESSED")
    assert answer(clean_client(), offer(asset="unheard-of")) == blocked("TYPE_UNCLASSIFIED", "TYPE_NOT_ASSESSED")
    assert answer(clean_client(asset="new"), offer(asset=None)) == blocked("TYPE_UNCLASSIFIED", "ASSET_NOT_NAMED")


def test_what_both_state_tells_them_apart_though_one_is_not_approved() -> None:
    """A pair rule needs no approval, and leaves out what one of them does not state."""
    new = asset("new", approved_by=None, technology="evm")
    assert answer(new, clean_client(), offer(asset="new")) == blocked("TYPE_UNCLASSIFIED", "NEW_ASSET_TYPE")
    new = asset("new", liquid=None)
    assert answer(new, clean_client(), offer(asset="new")) == UNCLASSIFIED


def test_a_pair_that_nobody_assessed_is_held() -> None:
    """One of the two has no group."""
    assert offered_another({"type_group": None}, {}) == NOT_ASSESSED
    assert offered_another({}, {"type_group": None}) == NOT_ASSESSED
    assert offered_another({"type_group": None}, {"type_group": None}) == NOT_ASSESSED
    assert offered_another({"type_group": None}, {"technology": "evm"}) == NEW_ASSET


def test_the_classification_in_force_decides() -> None:
    """At the offer's time, also for what was asked for before."""
    now = asset("ltc", at="2 h", technology="evm")
    assert answer(clean_client(), now, offer(at="2 h", asset="ltc")) == NEW_ASSET
    assert answer(clean_client(), offer(at="2 h - 1 us", asset="ltc"), now) == ALLOWED
    assert answer(clean_client(asset="ltc"), now, offer(at="2 h", asset="btc")) == NEW_ASSET


def test_classifications_of_one_time() -> None:
    """The same twice is one, approved if both are; different ones are none."""
    same = asset("ltc", id="again")
    assert answer(clean_client(), same, offer(asset="ltc")) == ALLOWED
    unapproved = asset("ltc", id="again", approved_by=None)
    assert answer(clean_client(), unapproved, offer(asset="ltc")) == blocked("TYPE_UNCLASSIFIED", "TYPE_NOT_ASSESSED")
    for different in ({"class_": "utility"}, {"technology": "evm"}, {"liquid": False}, {"type_group": "meme"}):
        other = asset("ltc", **different)
        assert answer(clean_client(), other, offer(asset="ltc")) == blocked("TYPE_UNCLASSIFIED", "TYPE_NOT_ASSESSED")


def test_only_one_of_offer_and_request_names_an_asset() -> None:
    """A person must see whether it was asked for; where neither does, nothing is to see."""
    assert answer(clean_client(asset=None), offer()) == held("ASSET_NOT_NAMED")
    assert answer(clean_client(), offer(asset=None)) == held("ASSET_NOT_NAMED")
    assert answer(clean_client(asset=None), offer(asset=None)) == ALLOWED


def test_every_asset_and_product_that_was_ever_classified() -> None:
    """Each once, by name: what may be like another is looked for among them."""
    gate = Gate(POLICY, MemoryStore())
    for told in (
        asset("ltc"),
        product("staking"),
        asset("btc", at="1 h"),
        product("margin", at="1 h"),
        asset("ltc", "2 h"),
    ):
        gate.take(fill(told, {}))
    assert gate.register.assets() == ["btc", "ltc"]
    assert gate.register.products() == ["margin", "staking"]
