"""Each arrival judges again every earlier offer it may touch; what turns out too soft is superseded (section 1)."""

import pytest

from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    Answer,
    Event,
    allowed,
    answer,
    answers,
    approved,
    arrived,
    asks,
    asset,
    blocked,
    campaign,
    cases,
    clean_client,
    complaint,
    contacted,
    country,
    declared,
    ended,
    entity,
    held,
    located,
    merged,
    offer,
    product,
    proven,
    question,
    record,
    referred,
    relationship,
    retracted,
    tell,
    told_answers,
)

TOLD = [*clean_client(), offer()]


@pytest.mark.parametrize(
    ("late", "now"),
    [
        (contacted(), blocked("INITIATION_SOLICITED")),
        (contacted(at="1 h"), held("EXPOSED_SINCE_REQUEST")),
        (referred(by="affiliate", at="-300 d"), blocked("PERSON_CHAIN_SOLICITATION")),
        (referred(by="stranger"), held("PROMOTER_UNKNOWN")),
        (arrived(via="affiliate"), blocked("PERSON_CHAIN_SOLICITATION")),
        (campaign(), blocked("CAMPAIGN_EXPOSURE")),
        (campaign(kind="eu_feature"), held("CAMPAIGN_EXPOSURE")),
        (complaint(at="30 d"), held("EVIDENCE_CONTRADICTED")),
        (complaint(at="30 d", solicited_at=None), held("EVIDENCE_CONTRADICTED")),
        (complaint(at="30 d", solicited_at="1 h"), held("EXPOSED_SINCE_REQUEST")),
        (retracted("record-asked-anna", at="30 d"), blocked("EVIDENCE_ABSENT")),
        (asset("btc", at="1 h", approved_by=None), blocked("TYPE_UNCLASSIFIED")),
        (asset("btc", at="1 h", class_="deposit"), blocked("OTHER_REGIME", "WITHIN_WINDOW")),
        (located("US", at="-1 d", until="-1 h"), held("LOCATION_UNKNOWN", "WITHIN_WINDOW")),
        (relationship("closed", at="1 h", second=None), blocked("EXIT_ONLY")),
    ],
)
def test_a_late_fact_against_the_firm_takes_the_answer_back(late: Event, now: Answer) -> None:
    """The new answer names what it replaces and because of what, and a case is opened."""
    first, second = told_answers(TOLD, late)
    assert (first["supersedes"], first["because"]) == (None, None)
    assert second["supersedes"] == first["decision"] != second["decision"]
    assert second["because"] == {"source": "//story", "id": late["id"]}
    assert second["at"] == first["at"]
    assert answers(TOLD, late) == [ALLOWED, now]
    assert cases(TOLD, late).count("LATE_EVIDENCE") == 1
    case = next(e["data"] for e in tell(TOLD, late).out if e["data"].get("why") == "LATE_EVIDENCE")
    assert (case["decisions"], case["facts"], case["client"]) == ([first["decision"]], [late["id"]], "anna")


@pytest.mark.parametrize(
    "late",
    [
        contacted(at="2 h + 1 us"),
        contacted(by="blogger"),
        referred(),
        campaign(by="blogger"),
        campaign(countries=["US"]),
        complaint(at="30 d", solicited_at="2 h + 1 us"),
        asset("btc", at="2 h + 1 us", class_="deposit"),
        located("US", at="2 h + 1 us"),
        relationship("closed", at="2 h + 1 us"),
        contacted(who="ben"),
        complaint(at="30 d", who="ben"),
        retracted("record-asked-anna", at="30 d", who="ben"),
        retracted("record-asked-anna", at="30 d", second="st-one"),
        asset("doge", at="-1 d", class_="deposit"),
        country("US", True),
        ended("ads", at="-1 d"),
        declared(),
        question(),
        asks("custody", at="1 h", id="second", in_reply_to="alert-77"),
    ],
)
def test_a_fact_that_does_not_touch_it_changes_nothing(late: Event) -> None:
    """Later than the offer, of somebody else, or not against the firm."""
    assert answers(TOLD, late, of="offer-anna") == [ALLOWED]
    assert "LATE_EVIDENCE" not in cases(TOLD, late)


def test_a_late_fact_in_the_firms_favour_changes_nothing() -> None:
    """The standing answer stays; the firm may propose the offer again."""
    told = [*REGISTER, located(), asks(), offer()]
    again = offer(id="offer-again", at="2 h")
    assert answers(told, proven(), of="offer-anna") == [blocked("EVIDENCE_ABSENT")]
    assert answers(told, proven(), again) == [ALLOWED]
    unasked = [*REGISTER, located(), offer()]
    assert answers(unasked, asks(), proven(), of="offer-anna") == [blocked("INITIATION_UNKNOWN")]
    nowhere = [*REGISTER, asks(), *proven(), offer()]
    assert answers(nowhere, located(at="1 h"), of="offer-anna") == [held("LOCATION_UNKNOWN", "WITHIN_WINDOW")]


def test_a_fact_that_is_equally_grave_changes_nothing() -> None:
    """Block stays block and flag stays flag, whatever the reasons."""
    told = [contacted(), *clean_client(), offer()]
    assert answers(told, referred(by="affiliate"), of="offer-anna") == [blocked("INITIATION_SOLICITED")]
    flagged = [contacted(at="1 h"), *clean_client(), offer()]
    assert answers(flagged, referred(by="stranger"), of="offer-anna") == [held("EXPOSED_SINCE_REQUEST")]


def test_it_goes_from_bad_to_worse() -> None:
    """Allow, flag, block: each answer replaces the one before it."""
    told = told_answers(TOLD, complaint(), approved("complaint", "3 h"))
    assert [a["verdict"] for a in told] == ["allow", "flag", "block"]
    assert [a["supersedes"] for a in told] == [None, told[0]["decision"], told[1]["decision"]]


def test_the_approval_of_an_accusation_reaches_back() -> None:
    """To when the client was solicited, or before everything; after the offer it does not."""
    filed = [*clean_client(), complaint(), offer()]
    flagged, block = held("EVIDENCE_CONTRADICTED"), blocked("EVIDENCE_CONTRADICTED")
    assert answers(filed, approved("complaint", at="30 d")) == [flagged, block]
    assert answers(filed, approved("complaint", at="30 d", by="st-filer")) == [flagged]
    undated = [*clean_client(), complaint(solicited_at=None), offer()]
    assert answers(undated, approved("complaint", at="30 d")) == [flagged, block]
    after = [*clean_client(), complaint(at="3 h", solicited_at="150 min"), offer()]
    assert answers(after, approved("complaint", at="30 d")) == [ALLOWED]


def test_the_retraction_of_an_accusation_does_not_reach_back() -> None:
    """It helps later offers only, and the standing answer stays."""
    filed = [*clean_client(), complaint(), offer()]
    again = offer(id="offer-again", at="4 h")
    assert answers(filed, retracted("complaint", at="3 h"), of="offer-anna") == [held("EVIDENCE_CONTRADICTED")]
    assert answers(filed, retracted("complaint", at="3 h"), again) == [ALLOWED]
    before = offer(id="offer-again", at="3 h - 1 us")
    assert answers(filed, retracted("complaint", at="3 h"), before) == [held("EVIDENCE_CONTRADICTED")]


def test_an_offer_that_arrives_late_is_judged_at_its_time() -> None:
    """On what was before it, not on what came after."""
    later = [contacted(at="3 h"), located("US", at="3 h"), relationship("closed", at="3 h")]
    assert answer(clean_client(), later, offer()) == ALLOWED
    assert answer(clean_client(), later, offer(at="3 h")) == allowed("OUT_OF_TERRITORY")
    assert answer(contacted(at="1 h"), clean_client(), later, offer()) == held("EXPOSED_SINCE_REQUEST")


def test_the_register_may_change_behind_an_answer() -> None:
    """A promoter, a product, a country."""
    known = [*clean_client(), referred(), offer()]
    late = entity("blogger", "affiliate", at="-2 d")
    assert answers(known, late) == [ALLOWED, blocked("PERSON_CHAIN_SOLICITATION")]
    assert answers(known, entity("blogger", "affiliate", at="-1 d + 1 us")) == [ALLOWED]
    mapped = [product("savings", "staking"), *clean_client(product="staking"), offer(product="savings")]
    assert answers(mapped, product("savings", "margin", at="1 h")) == [ALLOWED, blocked("NEW_PRODUCT_TYPE")]
    swiss = [*REGISTER, located("CH"), offer()]
    told = [allowed("OUT_OF_TERRITORY"), blocked("INITIATION_UNKNOWN")]
    assert answers(swiss, country("CH", True, at="1 h")) == told
    assert answers(swiss, country("CH", True, at="2 h + 1 us")) == told[:1]
    sister = [entity("sister", "eu_authorised", services=["exchange_funds"]), located(), offer(by="sister")]
    assert answers(sister, entity("sister", "group", at="1 h")) == [allowed("AUTHORISED_ENTITY"), told[1]]


def test_a_campaign_is_weighed_by_what_its_promoter_was_at_its_start() -> None:
    """Also where that becomes known later."""
    told = [*REGISTER, campaign(by="newcomer"), *clean_client(), offer()]
    assert answers(told, entity("newcomer", "agent", at="-60 d")) == [
        held("PROMOTER_UNKNOWN"),
        blocked("CAMPAIGN_EXPOSURE"),
    ]
    assert answers(told, entity("newcomer", "agent", at="-59 d")) == [held("PROMOTER_UNKNOWN")]


def test_all_offers_behind_a_late_fact_are_judged_again() -> None:
    """Those from its effective time on, each by itself; one case for all."""
    told = [*clean_client(), offer(at="1 h", id="first"), offer(at="2 h", id="second"), offer(at="3 h", id="third")]
    late = contacted(at="2 h")
    assert answers(told, late, of="first") == [ALLOWED]
    for later in ("second", "third"):
        assert answers(told, late, of=later) == [ALLOWED, held("EXPOSED_SINCE_REQUEST")]
    assert cases(told, late).count("LATE_EVIDENCE") == 1


def test_a_merger_found_out_late_reaches_back_before_everything() -> None:
    """To both, whatever its time."""
    told = [*clean_client(), contacted(who="ben"), offer()]
    assert answers(told, merged("ben", at="30 d")) == [ALLOWED, blocked("INITIATION_SOLICITED")]
    assert answers(told, merged("anna", at="30 d", who="ben")) == [ALLOWED, blocked("INITIATION_SOLICITED")]


def test_a_late_message_may_prompt_an_earlier_request() -> None:
    """And a late word of the client's own may not clear an answer that stands."""
    named = contacted(by="blogger", content="education", promotes=[{"asset": "btc"}])
    assert answers(TOLD, named) == [ALLOWED, blocked("SCOPE_TAINTED")]
    replied = [*REGISTER, located(), asks(in_reply_to="m1"), *proven(), offer()]
    again = offer(at="3 h", id="again")
    assert answers(replied, question(id="m1"), of="offer-anna") == [blocked("SCOPE_TAINTED")]
    assert answers(replied, question(id="m1"), again) == [ALLOWED]


def test_the_same_event_again_changes_nothing() -> None:
    """A duplicate, of the offer or of a late fact."""
    late = contacted()
    assert answers(TOLD, offer(), of="offer-anna") == [ALLOWED]
    assert len(tell(TOLD, late, late, offer()).out) == len(tell(TOLD, late).out)


def test_an_offer_proposed_again_is_answered_by_itself() -> None:
    """Another event with the same offer id."""
    again = offer(id="offer-again", at="25 h")
    assert answers(TOLD, again) == [held("WINDOW_SOFT_LIMIT")]
    assert answers(TOLD, again, of="offer-anna") == [ALLOWED]


def test_a_record_filed_late_does_not_count_behind_the_offer() -> None:
    """Evidence for the firm counts from its own time."""
    told = [*REGISTER, located(), asks()]
    papers = [record(at="3 h"), approved("record-asked-anna", at="3 h")]
    assert answer(told, papers, offer()) == blocked("EVIDENCE_ABSENT")
