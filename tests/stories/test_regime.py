"""What is outside MiCA falls under other rules (step 3)."""

import pytest

from tests.stories.telling import (
    ALLOWED,
    allowed,
    answer,
    asset,
    blocked,
    clean_client,
    entity,
    held,
    located,
    offer,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("financial_instrument", "OTHER_REGIME"),
        ("deposit", "OTHER_REGIME"),
        ("unique_nft", "OUT_OF_SCOPE_NFT"),
    ],
)
def test_an_asset_of_another_regime_is_not_let_go(kind: str, code: str) -> None:
    """Offered or only promoted, and also where it is what the client asked for."""
    other = asset("thing", class_=kind)
    expected = blocked(code, "WITHIN_WINDOW")
    assert answer(other, clean_client(asset="thing"), offer(asset="thing")) == expected
    assert answer(other, clean_client(), offer(asset="thing")) == blocked(code, "NEW_ASSET_TYPE")
    promoted = offer(promotes=[{"asset": "thing"}])
    assert answer(other, clean_client(), promoted) == blocked(code, "NEW_ASSET_TYPE")
    mixed = offer(content="education", asset=None, promotes=[{"asset": "thing"}])
    assert answer(other, clean_client(asset="thing"), mixed) == blocked(code, "MIXED_CONTENT", "WITHIN_WINDOW")


@pytest.mark.parametrize("kind", ["other", "utility"])
def test_what_mica_covers_is_not_of_another_regime(kind: str) -> None:
    """The nearest classes that pass."""
    assert answer(asset("thing", class_=kind), clean_client(asset="thing"), offer(asset="thing")) == ALLOWED


def test_a_unique_token_is_out_of_scope() -> None:
    """MiCA does not reach it, so nor does its exemption."""
    picture = asset("picture", class_="unique_nft", liquid=False)
    assert answer(picture, clean_client(), offer(asset="picture")) == blocked("OUT_OF_SCOPE_NFT", "NEW_ASSET_TYPE")


def test_three_classes_of_one_time_all_outside() -> None:
    """Whichever it is, MiCA's exemption does not reach it."""
    three = [asset("thing", class_=kind) for kind in ("financial_instrument", "deposit", "unique_nft")]
    assert "OTHER_REGIME" in answer(three, clean_client(), offer(asset="thing")).codes


def test_the_class_in_force_when_it_is_offered_decides() -> None:
    """From the reclassification on, not before; what conflicts at one time is no classification."""
    now = asset("btc", at="2 h", class_="deposit")
    assert answer(clean_client(), now, offer(at="2 h")) == blocked("OTHER_REGIME", "WITHIN_WINDOW")
    assert answer(clean_client(), offer(at="2 h - 1 us"), now) == ALLOWED
    both = [now, asset("btc", at="2 h")]
    assert answer(clean_client(), both, offer(at="2 h")) == blocked("TYPE_UNCLASSIFIED")


def test_a_notice_is_not_about_its_asset() -> None:
    """A pure notice offers nothing; nor does one that promotes something else."""
    share = asset("share", class_="financial_instrument")
    assert answer(share, clean_client(), offer(asset="share", content="service_notice")) == allowed("SERVICE_NOTICE")
    lesson = offer(asset="share", content="education", promotes=[{"asset": "btc"}])
    expected = held("MIXED_CONTENT", "WITHIN_WINDOW")
    assert answer(share, clean_client(), lesson) == expected


def test_what_ends_before_is_not_looked_at() -> None:
    """Steps 1 and 2 stand alone."""
    share = asset("share", class_="financial_instrument")
    sister = entity("sister", "eu_authorised", services=["exchange_funds"])
    assert answer(share, sister, located(), offer(asset="share", by="sister")) == allowed("AUTHORISED_ENTITY")
    assert answer(share, located("US"), offer(asset="share")) == allowed("OUT_OF_TERRITORY")
