"""Notices, lessons and help with leaving pass; what promotes under their name does not (step 4)."""

from typing import Any

import pytest

from tests.stories.telling import (
    REGISTER,
    Answer,
    allowed,
    answer,
    blocked,
    clean_client,
    held,
    located,
    offer,
    relationship,
)

PASSES = {
    "service_notice": allowed("SERVICE_NOTICE"),
    "exit_help": allowed("EXIT_SERVICE"),
    "education": allowed("EDUCATION_ONLY"),
}


@pytest.mark.parametrize(("content", "expected"), PASSES.items())
def test_what_offers_nothing_passes(content: str, expected: Answer) -> None:
    """Also to a client of whom nothing is known, or whose relationship ended; no scope limits it."""
    assert answer(offer(content=content)) == expected
    assert answer(located("US", "ip"), located("DE", "sim"), offer(content=content)) == expected
    assert answer(clean_client(), relationship("closed"), offer(content=content, at="300 d")) == expected
    assert answer(clean_client(), offer(content=content, link=False, promotes=[])) == expected


@pytest.mark.parametrize("carrier", ["link", "contact_capture"])
def test_a_lesson_that_leads_on_is_marketing(carrier: str) -> None:
    """A link or a form blocks a notice or a lesson, and stops no way out."""
    leads: dict[str, Any] = {carrier: True}
    leads_not: dict[str, Any] = {carrier: False}
    for content in ("service_notice", "education"):
        assert answer(clean_client(), offer(content=content, **leads)) == blocked("MIXED_CONTENT")
        assert answer(clean_client(), offer(content=content, **leads_not)) == PASSES[content]
    assert answer(clean_client(), offer(content="exit_help", **leads)) == allowed("EXIT_SERVICE")


@pytest.mark.parametrize("content", PASSES)
def test_a_lesson_that_promotes_is_held_and_judged_on(content: str) -> None:
    """What it promotes is judged as an offer would be; its own service and asset are not."""
    promotes = [{"service": "exchange_funds", "asset": "btc"}]
    about_another = offer(content=content, service="custody", asset="eth", promotes=promotes)
    assert answer(clean_client(), about_another) == held("MIXED_CONTENT", "WITHIN_WINDOW")
    another = offer(content=content, promotes=[{"asset": "eth"}])
    assert answer(clean_client(), another) == blocked("NEW_ASSET_TYPE", "MIXED_CONTENT")
    late = offer(content=content, promotes=promotes, at="24 h")
    assert answer(clean_client(), late) == held("MIXED_CONTENT", "WINDOW_SOFT_LIMIT")
    assert answer(*REGISTER, located(), about_another) == blocked("INITIATION_UNKNOWN", "MIXED_CONTENT")


def test_an_offer_with_a_link_is_an_offer() -> None:
    """The carriers matter for notices and lessons only."""
    expected = allowed("WITHIN_WINDOW", until="24 h")
    assert answer(clean_client(), offer(link=True, contact_capture=True)) == expected


def test_what_a_message_promotes_is_judged_with_it() -> None:
    """All reasons are listed, the gravest wins; what is left out is of the offer's service, plain, of no asset."""
    judged = offer(promotes=[{"asset": "btc"}, {"service": "custody"}, {"product": "staking", "asset": "btc"}])
    expected = blocked("NEW_SERVICE_TYPE", "NEW_PRODUCT_TYPE")
    assert answer(clean_client(), judged) == expected
    assert answer(clean_client(), offer(promotes=[{}])) == held("ASSET_NOT_NAMED")
    assert answer(clean_client(asset=None), offer(asset=None, promotes=[{}])) == allowed("WITHIN_WINDOW", until="24 h")


def test_a_pure_notice_stands_alone_where_the_location_is_in_conflict() -> None:
    """It passes even where step 2 had something to say, and says nothing else."""
    where = [located("US"), located("DE", "ip")]
    assert answer(where, offer(content="service_notice")) == allowed("SERVICE_NOTICE")
    assert answer(where, offer(content="service_notice", link=True)) == blocked("MIXED_CONTENT", "LOCATION_CONFLICT")
