"""Whoever was solicited before he asked did not come by his own exclusive initiative (step 6)."""

from typing import Any

import pytest
from msgspec import structs

from tests.player import POLICY
from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    Event,
    answer,
    approved,
    arrived,
    asks,
    blocked,
    campaign,
    clean_client,
    complaint,
    contacted,
    country,
    ended,
    entity,
    filed,
    held,
    located,
    offer,
    referred,
    retracted,
    told_answers,
)

CHAIN = blocked("PERSON_CHAIN_SOLICITATION")
FIRM = blocked("INITIATION_SOLICITED")
UNKNOWN = held("PROMOTER_UNKNOWN")
SINCE = held("EXPOSED_SINCE_REQUEST")
CAMPAIGN = blocked("CAMPAIGN_EXPOSURE")
WEAK = held("CAMPAIGN_EXPOSURE")


@pytest.mark.parametrize("content", ["marketing", "brand", "recommendation"])
def test_the_firm_wrote_first(content: str) -> None:
    """At the time of the request or before it blocks, however long ago; after it a person must look."""
    assert answer(contacted(content=content), clean_client(), offer()) == FIRM
    assert answer(contacted(at="-2000 d", content=content), clean_client(), offer()) == FIRM
    assert answer(clean_client(), contacted(at="0 h", content=content), offer()) == FIRM
    assert answer(clean_client(), contacted(at="1 us", content=content), offer()) == SINCE
    assert answer(clean_client(), contacted(at="2 h", content=content), offer()) == SINCE
    assert answer(clean_client(), offer(), contacted(at="2 h + 1 us", content=content)) == ALLOWED


@pytest.mark.parametrize("content", ["education", "service_notice"])
def test_a_lesson_or_notice_of_the_firm_solicits_only_when_it_leads_on(content: str) -> None:
    """Something promoted, a link or a form make it a solicitation."""
    assert answer(contacted(content=content), clean_client(), offer()) == ALLOWED
    assert answer(contacted(content=content, link=False, promotes=[]), clean_client(), offer()) == ALLOWED
    carriers: list[dict[str, Any]] = [{"link": True}, {"contact_capture": True}, {"promotes": [{"service": "custody"}]}]
    for more in carriers:
        assert answer(contacted(content=content, **more), clean_client(), offer()) == FIRM, more


@pytest.mark.parametrize("relation", ["group", "agent", "affiliate", "influencer", "payment_partner", "eu_authorised"])
def test_somebody_of_the_firms_chain_reached_the_client(relation: str) -> None:
    """By a message, by a referral, or by a page that led here."""
    known = entity("partner", relation)
    for reach in (contacted(by="partner"), referred(by="partner"), arrived(via="partner")):
        assert answer(known, clean_client(), reach, offer()) == CHAIN


def test_a_friend_may_send_a_friend() -> None:
    """Independent does not count, before or after; a reward, close links or control make a chain of it."""
    for reach in (contacted(by="blogger"), referred(), arrived(via="blogger"), referred(at="1 h")):
        assert answer(clean_client(), reach, offer()) == ALLOWED
    assert answer(clean_client(), referred(rewarded=True), offer()) == CHAIN
    assert answer(clean_client(), referred(rewarded=True, at="1 h"), offer()) == SINCE
    assert answer(clean_client(), referred(by="firm", rewarded=True), offer()) == FIRM
    for share, expected in ((19.99, ALLOWED), (20, CHAIN), (100, CHAIN)):
        owner = entity("owner", "independent", holding_percent=share)
        assert answer(owner, clean_client(), referred(by="owner"), offer()) == expected
    assert answer(entity("owner", "independent", control=True), clean_client(), referred(by="owner"), offer()) == CHAIN
    assert (
        answer(entity("owner", "independent", control=False), clean_client(), referred(by="owner"), offer()) == ALLOWED
    )


def test_a_promoter_whom_nobody_registered_is_held() -> None:
    """Not registered, not yet, or over; rewarded he counts."""
    assert answer(clean_client(), referred(by="stranger"), offer()) == UNKNOWN
    assert answer(clean_client(), referred(by="stranger", at="1 h"), offer()) == SINCE
    assert answer(clean_client(), referred(by="stranger", rewarded=True), offer()) == CHAIN
    over = entity("former", "affiliate", until="2026-03-01T09:00:00Z")
    assert answer(over, clean_client(), referred(by="former", at="-1 d"), offer()) == UNKNOWN
    assert answer(over, clean_client(), referred(by="former", at="-1 d - 1 us"), offer()) == CHAIN
    later = entity("former", "independent", at="-1 d + 1 us")
    assert answer(later, clean_client(), referred(by="former", at="-1 d"), offer()) == UNKNOWN
    assert answer(later, clean_client(), referred(by="former", at="-1 d + 1 us"), offer()) == ALLOWED


def test_of_two_entries_at_one_time_the_one_against_the_firm_decides() -> None:
    """Also where one of them is over."""
    both = [entity("x", "independent"), entity("x", "affiliate")]
    assert answer(both, clean_client(), referred(by="x"), offer()) == CHAIN
    both = [entity("x", "independent"), entity("x", "affiliate", until="2026-01-01T00:00:00Z")]
    assert answer(both, clean_client(), referred(by="x"), offer()) == UNKNOWN
    once = entity("x", "affiliate", at="-4000 d")
    both = [entity("x", "independent", id="one"), entity("x", "independent", id="two")]
    assert answer(once, both, clean_client(), referred(by="x"), offer()) == ALLOWED


def test_an_arrival_with_nobody_behind_it_is_his_own() -> None:
    """No page, no code, no tag."""
    assert answer(clean_client(), arrived(), offer()) == ALLOWED


def test_a_campaign_in_his_country_came_first() -> None:
    """At the request or before it, however long ago, also when it ended; after it a person must look."""
    assert answer(campaign(at="-2000 d"), clean_client(), offer()) == CAMPAIGN
    assert answer(campaign(at="0 h"), clean_client(), offer()) == CAMPAIGN
    assert answer(campaign(at="1 us"), clean_client(), offer()) == SINCE
    assert answer(campaign(at="2 h"), clean_client(), offer()) == SINCE
    assert answer(clean_client(), offer(), campaign(at="2 h + 1 us")) == ALLOWED
    assert answer(campaign(kind="brand", by="affiliate"), REGISTER, clean_client(), offer()) == CAMPAIGN


def test_a_campaign_elsewhere_reaches_nobody_here() -> None:
    """Its countries must hold one in which the client was ever located and that is in scope."""
    assert answer(campaign(countries=["FR", "US"]), clean_client(), offer()) == ALLOWED
    assert answer(campaign(countries="EEA"), clean_client(), offer()) == CAMPAIGN
    assert answer(campaign(countries="*"), clean_client(), offer()) == CAMPAIGN
    assert answer(campaign(countries=["US", "DE"]), clean_client(), offer()) == CAMPAIGN
    was_there = located("FR", "ip", at="-90 d", until="-80 d")
    assert answer(campaign(countries=["FR"], at="-1 d"), was_there, clean_client(), offer()) == CAMPAIGN
    abroad = located("US", "ip", at="-90 d", until="-80 d")
    assert answer(campaign(countries=["US"]), abroad, clean_client(), offer()) == ALLOWED
    assert answer(campaign(countries=["US"]), abroad, country("US", True), clean_client(), offer()) == CAMPAIGN
    not_yet = located("FR", "ip", at="3 h")
    assert answer(campaign(countries=["FR"]), clean_client(), offer(), not_yet) == ALLOWED


def test_only_countries_in_scope_count_for_a_worldwide_campaign() -> None:
    """A country that left the scope is no audience."""
    moved = located("CH", "ip", at="-90 d", until="-80 d")
    told = [clean_client(), moved, campaign(countries=["CH"])]
    assert answer(told, offer()) == ALLOWED
    assert answer(told, country("CH", True, at="2 h"), offer(at="2 h")) == CAMPAIGN
    assert answer(told, offer(at="2 h"), country("CH", True, at="2 h + 1 us")) == ALLOWED


def test_a_weak_campaign_is_held() -> None:
    """A feature for Europe, or one that kept all of the client's countries out by address."""
    assert answer(campaign(kind="eu_feature"), clean_client(), offer()) == WEAK
    out = [{"country": "DE", "geo_blocked": True}]
    assert answer(campaign(excludes=out), clean_client(), offer()) == WEAK
    assert answer(campaign(excludes=out, countries="*"), clean_client(), offer()) == WEAK
    only_said = [{"country": "DE", "geo_blocked": False}]
    assert answer(campaign(excludes=only_said), clean_client(), offer()) == CAMPAIGN
    assert answer(campaign(excludes=out + only_said), clean_client(), offer()) == CAMPAIGN
    assert answer(campaign(excludes=only_said + out), clean_client(), offer()) == CAMPAIGN
    assert answer(campaign(excludes=[{"country": "FR", "geo_blocked": True}]), clean_client(), offer()) == CAMPAIGN
    both = [located("FR", "ip", at="-90 d"), clean_client()]
    everywhere = campaign(excludes=out, countries=["DE", "FR"])
    assert answer(everywhere, both, offer()) == CAMPAIGN
    not_here = campaign(excludes=[{"country": "FR", "geo_blocked": True}], countries=["DE", "FR"])
    assert answer(not_here, both, offer()) == CAMPAIGN
    out_of_both = campaign(excludes=[*out, {"country": "FR", "geo_blocked": True}], countries=["DE", "FR"])
    assert answer(out_of_both, both, offer()) == WEAK
    assert answer(campaign(excludes=out, at="1 h"), clean_client(), offer()) == SINCE


def test_who_runs_the_campaign_matters() -> None:
    """Independent does not count; unknown is held, also if it is weak."""
    assert answer(REGISTER, campaign(by="blogger"), clean_client(), offer()) == ALLOWED
    assert answer(REGISTER, campaign(by="stranger"), clean_client(), offer()) == UNKNOWN
    assert answer(REGISTER, campaign(by="stranger", kind="eu_feature"), clean_client(), offer()) == UNKNOWN
    assert (
        answer(REGISTER, campaign(by="stranger"), clean_client(), entity("stranger", "independent"), offer()) == ALLOWED
    )
    assert (
        answer(REGISTER, campaign(by="blogger"), clean_client(), entity("blogger", "agent", at="-60 d"), offer())
        == CAMPAIGN
    )
    assert (
        answer(REGISTER, campaign(by="blogger"), clean_client(), entity("blogger", "agent", at="-59 d"), offer())
        == ALLOWED
    )


def test_every_version_of_a_campaign_keeps_its_audience() -> None:
    """A later version elsewhere does not undo the earlier one."""
    moved_on = [campaign(at="-60 d"), campaign(at="-50 d", countries=["FR"])]
    assert answer(moved_on, clean_client(), offer()) == CAMPAIGN
    strong_later = [campaign(at="-60 d", kind="eu_feature"), campaign(at="1 h")]
    assert answer(strong_later, clean_client(), offer()) == held("CAMPAIGN_EXPOSURE", "EXPOSED_SINCE_REQUEST")


def test_an_ended_campaign_still_reached_him() -> None:
    """However long ago, it never lapses."""
    assert answer(campaign(), ended("ads", at="-50 d"), clean_client(), offer()) == CAMPAIGN


def test_a_tag_leads_back_to_its_campaign() -> None:
    """Never weak; whose it was, the version in force at the arrival says, else the first known by then."""
    elsewhere: dict[str, Any] = {"countries": ["US"], "kind": "eu_feature"}
    assert answer(campaign(**elsewhere), clean_client(), arrived(campaign="ads"), offer()) == CAMPAIGN
    assert answer(campaign(**elsewhere), clean_client(), arrived(campaign="ads", at="0 h"), offer()) == CAMPAIGN
    assert answer(campaign(**elsewhere), clean_client(), arrived(campaign="ads", at="1 us"), offer()) == SINCE
    assert answer(campaign(**elsewhere), clean_client(), arrived(campaign="other"), offer()) == UNKNOWN
    assert (
        answer(REGISTER, campaign(by="stranger", **elsewhere), clean_client(), arrived(campaign="ads"), offer())
        == UNKNOWN
    )
    assert (
        answer(REGISTER, campaign(by="blogger", **elsewhere), clean_client(), arrived(campaign="ads"), offer())
        == ALLOWED
    )
    first = campaign(by="blogger", at="1 h", **elsewhere)
    second = campaign(by="firm", at="90 min", **elsewhere)
    assert answer(REGISTER, first, second, clean_client(), arrived(campaign="ads"), offer()) == ALLOWED
    later = campaign(at="2 h + 1 us", **elsewhere)
    assert answer(clean_client(), arrived(campaign="ads"), offer(at="2 h"), later) == UNKNOWN
    then = campaign(at="2 h", **elsewhere)
    assert answer(clean_client(), arrived(campaign="ads"), then, offer(at="2 h")) == CAMPAIGN
    now = campaign(at="-1 d", by="blogger", **elsewhere)
    assert (
        answer(REGISTER, campaign(**elsewhere), now, clean_client(), arrived(campaign="ads", at="-1 d"), offer())
        == ALLOWED
    )
    assert (
        answer(REGISTER, campaign(**elsewhere), now, clean_client(), arrived(campaign="ads", at="-2 d"), offer())
        == CAMPAIGN
    )


def test_one_arrival_may_have_two_behind_it() -> None:
    """A page and a tag."""
    elsewhere = campaign(countries=["US"])
    expected = blocked("PERSON_CHAIN_SOLICITATION", "CAMPAIGN_EXPOSURE")
    assert answer(elsewhere, clean_client(), arrived(via="affiliate", campaign="ads"), offer()) == expected


def test_evidence_says_he_was_solicited() -> None:
    """Held until approved, then blocked; after the request it is an exposure."""
    approve = approved("complaint", at="90 min")
    assert answer(clean_client(), complaint(), offer()) == held("EVIDENCE_CONTRADICTED")
    assert answer(clean_client(), complaint(), approve, offer()) == blocked("EVIDENCE_CONTRADICTED")
    assert answer(clean_client(), complaint(), approved("complaint", by="st-filer"), offer()) == held(
        "EVIDENCE_CONTRADICTED"
    )
    assert answer(clean_client(), complaint(solicited_at="0 h"), offer()) == held("EVIDENCE_CONTRADICTED")
    assert answer(clean_client(), complaint(solicited_at="1 us"), approve, offer()) == SINCE
    assert answer(clean_client(), complaint(solicited_at=None), offer()) == held("EVIDENCE_CONTRADICTED")
    assert answer(clean_client(), complaint(at="-1 d", solicited_at="1 h"), offer()) == held("EVIDENCE_CONTRADICTED")
    assert answer(clean_client(), complaint(at="3 h", solicited_at="2 h + 1 us"), offer()) == ALLOWED


def test_evidence_of_solicitation_is_about_whoever_solicited() -> None:
    """Also of another request, also of an independent."""
    another = complaint(request="another", solicited_by="blogger")
    assert answer(clean_client(), another, offer()) == held("EVIDENCE_CONTRADICTED")


def test_forged_evidence_is_withdrawn() -> None:
    """By two people, after it was filed."""
    told = [*clean_client(), complaint(), approved("complaint", at="1 h")]
    assert answer(told, retracted("complaint", at="90 min"), offer()) == ALLOWED
    assert answer(told, retracted("complaint", at="1 h + 1 us"), offer()) == ALLOWED
    assert answer(told, retracted("complaint", at="1 h"), offer()) == blocked("EVIDENCE_CONTRADICTED")
    assert answer(told, retracted("complaint", second="st-one"), offer()) == blocked("EVIDENCE_CONTRADICTED")
    assert answer(told, retracted("another"), offer()) == blocked("EVIDENCE_CONTRADICTED")
    letter = filed("letter", "solicitation", "inbound_letter", solicited_at="-2 d")
    assert answer(told, letter, retracted("complaint", at="90 min"), offer()) == held("EVIDENCE_CONTRADICTED")


def test_evidence_that_approves_itself() -> None:
    """By the policy's lists, of kinds and of filers: also where it speaks against the firm."""
    for trusted in (
        structs.replace(POLICY, self_approving_kinds=frozenset(("complaint",))),
        structs.replace(POLICY, self_approving_filers=frozenset(("st-filer",))),
    ):
        assert answer(clean_client(), complaint(), offer(), policy=trusted) == blocked("EVIDENCE_CONTRADICTED")


def test_all_who_came_before_are_listed() -> None:
    """The gravest leads, of equals the first in the order of judging."""
    everybody = [
        contacted(),
        referred(by="affiliate"),
        referred(by="stranger"),
        campaign(),
        complaint(),
        contacted(at="1 h"),
    ]
    expected = blocked(
        "INITIATION_SOLICITED",
        "PERSON_CHAIN_SOLICITATION",
        "CAMPAIGN_EXPOSURE",
        "EVIDENCE_CONTRADICTED",
        "PROMOTER_UNKNOWN",
        "EXPOSED_SINCE_REQUEST",
    )
    assert answer(clean_client(), everybody, offer()) == expected


def test_a_reason_names_the_earliest_before_and_the_latest_after() -> None:
    """Four each at most, and the request."""
    before = [referred(at=f"-{n} d", by="affiliate") for n in range(1, 7)]
    (told,) = told_answers(clean_client(), before, offer())
    facts = told["reasons"][0]["facts"]
    assert facts == [*(e["id"] for e in before[:1:-1]), "asked-anna"]
    (told,) = told_answers(clean_client(), before, referred(at="0 h", by="affiliate"), offer())
    assert told["reasons"][0]["facts"] == facts
    then = referred(at="0 h", by="affiliate")
    (told,) = told_answers(clean_client(), then, offer())
    assert told["reasons"][0]["facts"] == [then["id"], "asked-anna"]
    after = [contacted(at=f"{n} min") for n in range(1, 7)]
    (told,) = told_answers(clean_client(), after, offer())
    assert told["reasons"][0]["facts"] == [*(e["id"] for e in after[2:]), "asked-anna"]
    (told,) = told_answers(clean_client(), complaint(), campaigns(5), offer())
    early, late = campaigns(5)[:5][::-1], campaigns(5)[5:]
    assert [r["code"] for r in told["reasons"]] == [
        "CAMPAIGN_EXPOSURE",
        "EVIDENCE_CONTRADICTED",
        "EXPOSED_SINCE_REQUEST",
    ]
    assert told["reasons"][0]["facts"] == [*(e["id"] for e in early[:4]), "asked-anna"]
    assert told["reasons"][2]["facts"] == [*(e["id"] for e in late[1:]), "asked-anna"]


def campaigns(number: int) -> list[Event]:
    """As many before the request as after it, each its own."""
    before = [campaign(f"before-{n}", at=f"-{n} d") for n in range(1, number + 1)]
    return before + [campaign(f"after-{n}", at=f"{n} min") for n in range(30, 30 + number)]


def test_nobody_asked() -> None:
    """Without any request there is no initiative, whoever wrote; nor is it one to ask a question."""
    told = [*REGISTER, located(), contacted()]
    assert answer(told, offer()) == blocked("INITIATION_UNKNOWN")
    assert answer(told, asks(kind="recurring_execution"), offer()) == blocked("INITIATION_UNKNOWN")
    assert answer(told, offer(at="2 h"), asks(at="2 h + 1 us")) == blocked("INITIATION_UNKNOWN")
