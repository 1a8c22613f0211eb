"""Notices, lessons and help with leaving pass; what promotes under their name does not (step 4)."""

from typing import Any, get_args

import pytest

from gate.facts import Service
from tests.stories.telling import (
    HERE,
    REGISTER,
    Answer,
    allowed,
    answer,
    asks,
    blocked,
    campaign,
    clean_client,
    held,
    located,
    offer,
    proven,
    relationship,
    told_answers,
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


@pytest.mark.parametrize("first", ["exchange_funds", "custody"])
def test_a_reason_of_two_things_has_the_graver_verdict(first: str) -> None:
    """A weak campaign spoke before she asked for the one, a strong one too before she asked for the other."""
    campaigns = [campaign("hints", at="-1 d", kind="eu_feature"), campaign("ads", at="30 min")]
    requests = [
        asks(id="asked-1"),
        asks("custody", id="asked-2", at="1 h"),
        proven("asked-1"),
        proven("asked-2", "1 h"),
    ]
    both = offer(
        service=first, promotes=[{"service": "exchange_funds", "asset": "btc"}, {"service": "custody", "asset": "btc"}]
    )
    assert answer(HERE, campaigns, requests, both) == blocked("CAMPAIGN_EXPOSURE", "EXPOSED_SINCE_REQUEST")
    only = offer(promotes=[{"service": "exchange_funds", "asset": "btc"}])
    assert answer(HERE, campaigns, requests, only) == held("CAMPAIGN_EXPOSURE", "EXPOSED_SINCE_REQUEST")


@pytest.mark.parametrize("things", [7, 8, 9, 10])
def test_of_many_things_eight_are_shown(things: int) -> None:
    """Sentences and facts of one reason, which a mail about everything would make as long as it likes."""
    services = get_args(Service)[:things]
    requests = [asks(service, id=f"asked-{service}") for service in services]
    promotes = [{"service": service, "asset": f"new-{n}"} for n, service in enumerate(services[1:])]
    (told,) = told_answers(HERE, requests, offer(service=services[0], promotes=promotes))
    reasons = {reason["code"]: reason for reason in told["reasons"]}
    assert reasons["EVIDENCE_ABSENT"]["facts"] == [f"asked-{service}" for service in services[:8]]
    unknown = [f"`new-{n}` is not classified" for n in range(things - 1)]
    more = ["and 1 more"] if things == 10 else []
    assert reasons["TYPE_UNCLASSIFIED"]["said"] == "; ".join(unknown[:8] + more)


def test_a_pure_notice_stands_alone_where_the_location_is_in_conflict() -> None:
    """It passes even where step 2 had something to say, and says nothing else."""
    where = [located("US"), located("DE", "ip")]
    assert answer(where, offer(content="service_notice")) == allowed("SERVICE_NOTICE")
    assert answer(where, offer(content="service_notice", link=True)) == blocked("MIXED_CONTENT", "LOCATION_CONFLICT")
