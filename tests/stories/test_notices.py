"""What else the gate says: scopes that open, shut and are spoilt, and cases a person must look at (section 6)."""

import pytest

from gate.effects import case_of
from gate.facts import Asked, Fact
from tests.stories.telling import (
    ALLOWED,
    HERE,
    REGISTER,
    Event,
    answer,
    approved,
    arrived,
    asks,
    blocked,
    campaign,
    cases,
    clean_client,
    complaint,
    contacted,
    country,
    delivered,
    entity,
    located,
    merged,
    narrowed,
    notices,
    offer,
    proven,
    question,
    referred,
    released,
    retracted,
    tell,
    when,
)

OPENED = ("scope.opened", "asked-anna")
CLOSED = ("scope.closed", "asked-anna")
TAINTED = ("scope.tainted", "asked-anna")
SUSPENDED = ("relationship.suspended", "asked-anna")


def test_a_request_opens_a_scope() -> None:
    """Each by itself; a recurring execution and a question open none."""
    second = asks("custody", at="1 h", id="second")
    assert notices(HERE, asks(), second) == [OPENED, ("scope.opened", "second")]
    assert notices(HERE, asks(kind="order")) == [OPENED]
    assert notices(HERE, asks(kind="recurring_execution"), question("11 d")) == []
    assert notices(asks()) == [OPENED]


def test_a_client_out_of_territory_has_no_window() -> None:
    """As far as is known at the request."""
    assert notices(located("US"), asks()) == []
    assert notices(located("US"), located("DE", "ip"), asks()) == [OPENED]
    assert notices(located("US"), country("US", True), asks()) == [OPENED]


def test_the_notice_shows_the_scope() -> None:
    """Open, servicing only, tainted."""
    told = [*HERE, contacted(), asks(), asks("custody", id="second"), question(at="11 d")]
    shown = [
        (
            e["type"].removeprefix("gate61."),
            e["data"]["scope"]["state"],
            e["data"]["scope"]["opened_at"],
            e["data"]["client"],
        )
        for e in tell(*told).out
        if "scope" in e["data"] and "decision" not in e["data"]
    ]
    at, anna = "2026-03-02T09:00:00Z", "anna"
    assert shown == [
        ("scope.opened.v1", "open", at, anna),
        ("scope.tainted.v1", "tainted", at, anna),
        ("relationship.suspended.v1", "tainted", at, anna),
        ("scope.opened.v1", "open", at, anna),
        ("scope.tainted.v1", "tainted", at, anna),
        ("scope.closed.v1", "servicing_only", at, anna),
        ("scope.closed.v1", "servicing_only", at, anna),
    ]


def test_two_requests_under_one_id_open_two_scopes() -> None:
    """Of two sources; each is told with its own time."""
    told = tell(HERE, asks(), asks(at="1 h") | {"source": "//other"}).out
    assert [e["data"]["scope"]["opened_at"] for e in told] == ["2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z"]
    assert len({e["id"] for e in told}) == 2


def test_a_scope_closes_when_its_hard_limit_passes() -> None:
    """With the first event recorded then, whosever it is; once."""
    assert notices(HERE, asks(), question("10 d - 1 us", who="ben")) == [OPENED]
    assert notices(HERE, asks(), question("10 d", who="ben")) == [OPENED, CLOSED]
    assert notices(HERE, asks(), question("11 d"), question("12 d")) == [OPENED, CLOSED]
    both = [asks(), asks("custody", at="1 h", id="second"), question("30 d", who="ben")]
    assert notices(HERE, both)[2:] == [CLOSED, ("scope.closed", "second")]


def test_a_request_that_arrives_after_its_window_closes_at_once() -> None:
    """It opens late, and closes."""
    assert notices(HERE, question("20 d"), asks(), question("21 d")) == [OPENED, CLOSED]


def test_a_line_that_was_recorded_earlier_than_the_one_before_closes_no_later() -> None:
    """Up to then all are closed: nobody who starts again would look for it."""
    earlier = {**asks(at="5 d"), "recordedtime": when("12 d")}
    assert notices(REGISTER, question(at="20 d", who="ben"), earlier) == [OPENED, CLOSED]


def test_a_prompted_request_is_tainted_from_the_start() -> None:
    """No opening is told, but the taint; as the first it suspends the relationship; it closes like any other."""
    told = [HERE, asks(in_reply_to="alert-77"), question("11 d", who="ben")]
    assert notices(told) == [TAINTED, SUSPENDED, CLOSED]
    later = asks(at="1 h", id="second", in_reply_to="alert-77")
    assert notices(HERE, asks(), later) == [OPENED, ("scope.tainted", "second")]


def test_a_solicitation_found_before_the_request_taints_it() -> None:
    """A block of any kind, known before or found later; once."""
    spoilt = [OPENED, TAINTED, SUSPENDED]
    assert notices(contacted(), HERE, asks()) == spoilt
    assert notices(campaign(), HERE, asks()) == spoilt
    late = ("scope.tainted", contacted()["id"]), ("relationship.suspended", contacted()["id"])
    assert notices(HERE, asks(), contacted()) == [OPENED, *late]
    assert notices(HERE, asks(), contacted(), contacted(at="-2 d")) == [OPENED, *late]
    sent = delivered(at="-1 h", offer="of-unknown")
    assert [n for n, _ in notices(HERE, asks(), sent)] == ["scope.opened", "scope.tainted", "relationship.suspended"]


@pytest.mark.parametrize("by", ["firm", "affiliate"])
def test_a_tag_spoils_also_where_its_campaign_is_for_others(by: str) -> None:
    """Whoever of the firm's side it belongs to."""
    elsewhere = campaign(by=by, countries=["CH"])
    assert notices(elsewhere, HERE, asks()) == [OPENED]
    assert notices(elsewhere, HERE, arrived(campaign="ads"), asks()) == [OPENED, TAINTED, SUSPENDED]


def test_a_sending_that_was_not_let_go_brings_to_light_whose_tag_it_was() -> None:
    """What the register told only after the request is said with what arrives next."""
    tagged = [HERE, arrived(campaign="ads"), asks(), campaign(at="1 h")]
    sent = delivered("2 h", offer="of-unknown", id="sent")
    assert notices(tagged) == [OPENED]
    assert notices(tagged, sent) == [OPENED, ("scope.tainted", "sent"), ("relationship.suspended", "sent")]


def test_what_holds_at_the_request_spoils_it() -> None:
    """The country of the campaign left the scope afterwards; the request arrives late."""
    left = [HERE, campaign(), country("DE", False, "1 h"), question("2 h")]
    assert notices(left, asks()) == [OPENED, TAINTED, SUSPENDED]


def test_an_answer_that_brings_to_light_whose_tag_it_was_names_the_first_arrival() -> None:
    """Nothing arrived but the question whether to send."""
    visits = [arrived("-2 d", campaign="ads", id="first"), arrived(campaign="ads", id="second")]
    found = notices(HERE, visits, asks(), proven(), campaign(at="1 h"), offer())
    assert found == [OPENED, ("scope.tainted", "first"), ("relationship.suspended", "first")]


def test_two_requests_under_one_id_and_time_suspend_once() -> None:
    """Both are the first."""
    twice = [asks(), asks() | {"source": "//other"}]
    found = [name for name, _ in notices(HERE, twice, contacted())]
    assert found == ["scope.opened"] * 2 + ["scope.tainted", "relationship.suspended", "scope.tainted"]


def test_what_does_not_taint() -> None:
    """Independents, flags, and what came after the request."""
    for harmless in (
        referred(),
        referred(by="stranger"),
        contacted(at="1 us"),
        complaint(),
        campaign(kind="eu_feature"),
        arrived(),
    ):
        assert [n for n, _ in notices(HERE, asks(), harmless)] == ["scope.opened"], harmless


def test_only_the_first_scope_suspends() -> None:
    """A later one that is tainted does not."""
    second = asks(at="2 h", id="second")
    told = [HERE, asks(), contacted(at="1 h"), second]
    assert notices(told) == [OPENED, ("scope.opened", "second"), ("scope.tainted", "second")]
    assert [n for n, _ in notices(HERE, asks(), second, contacted())].count("relationship.suspended") == 1


def test_a_suspension_is_a_notice_only() -> None:
    """The answer has its own reasons; the relationship is as people leave it."""
    assert answer(contacted(), clean_client(), offer()) == blocked("INITIATION_SOLICITED")


def test_a_late_fact_taints_with_the_answer() -> None:
    """Found by a reaching-back arrival, also of a merged client."""
    told = [*clean_client(), offer()]
    late = contacted()
    assert notices(told, late) == [OPENED, ("scope.tainted", late["id"]), ("relationship.suspended", late["id"])]
    merger = merged("ben")
    assert notices(contacted(who="ben"), told, merger) == [
        OPENED,
        ("scope.tainted", merger["id"]),
        ("relationship.suspended", merger["id"]),
    ]
    accused = [*told, complaint(at="3 h")]
    approval = approved("complaint", at="4 h")
    assert notices(accused, approval)[1:] == [
        ("scope.tainted", approval["id"]),
        ("relationship.suspended", approval["id"]),
    ]


def test_an_exposure_that_counts_again_taints() -> None:
    """Two people had left nothing of it before he asked, and leave all of it later; the answer says no more then."""
    nothing, all_of_it = narrowed("ads", at="-2 d"), narrowed("ads", [{}], at="1 h")
    told = [campaign(), HERE, nothing, asks(), proven()]
    spoilt = [("scope.tainted", all_of_it["id"]), ("relationship.suspended", all_of_it["id"])]
    assert notices(told) == [OPENED]
    assert notices(told, all_of_it) == [OPENED, *spoilt]
    assert notices(told, all_of_it, offer(), question("3 h")) == [OPENED, *spoilt]
    assert answer(told, all_of_it, offer()) == blocked("CAMPAIGN_EXPOSURE")
    many = [asks(at=f"{n} min", id=f"r{n}", transaction=f"t{n}") for n in range(30)]
    found = [name for name, _ in notices(campaign(), HERE, nothing, many, all_of_it)]
    assert (found.count("scope.tainted"), found.count("relationship.suspended")) == (30, 1)


def test_an_accusation_that_was_approved_already_taints_at_once() -> None:
    """The approval arrived before the paper."""
    paper = complaint(at="1 h")
    told = [HERE, asks(), approved("complaint", at="30 min"), paper]
    assert notices(told) == [OPENED, ("scope.tainted", paper["id"]), ("relationship.suspended", paper["id"])]


# Cases.


def test_a_conflict_of_locations_is_looked_at_once() -> None:
    """With the answer that shows it; again only where the signs change."""
    told = [*REGISTER, located("US"), located("DE", "ip"), asks(), *proven()]
    assert cases(told) == []
    assert cases(told, offer()) == ["LOCATION_CONFLICT"]
    assert cases(told, offer(), offer(id="again")) == ["LOCATION_CONFLICT"]
    moved = located("FR", "ip", at="3 h")
    assert cases(told, offer(), moved, offer(at="4 h", id="again")) == ["LOCATION_CONFLICT"] * 2
    assert cases(told, located("US", "ip", at="1 h"), offer()) == []


def test_the_same_signs_in_another_order_are_no_other_conflict() -> None:
    """They arrived in one order and happened in another, in which a late fact has them told again."""
    signs = [located("DE", "ip", "-5 d"), located("FR", "sim", "-9 d"), located("US", at="-20 d")]
    late = asks(at="-2 h", id="old", transaction="t0")
    told = [REGISTER, signs, asks(), proven(), offer(), late, offer(at="4 h", id="again")]
    assert cases(told) == ["LOCATION_CONFLICT"]


def test_an_accusation_is_looked_at() -> None:
    """Whatever it is about; other evidence is not."""
    assert cases(HERE, complaint()) == ["EVIDENCE_CONTRADICTED"]
    assert cases(clean_client()) == []


def test_a_campaign_that_reached_open_scopes_is_one_case() -> None:
    """Not one a client, nor one a version; none where no scope is open, or nobody is reached."""
    many = [clean_client(), clean_client("ben"), clean_client("carl")]
    assert cases(many, campaign(at="1 h")) == ["EXPOSURE"]
    assert cases(many, campaign(at="1 h"), campaign(at="2 h", id="v2")) == ["EXPOSURE"]
    assert cases(many, campaign(at="1 h"), campaign("other", at="2 h")) == ["EXPOSURE"] * 2
    assert cases(many, campaign(at="1 h", countries=["US"])) == []
    assert cases(many, campaign(at="1 h", countries=["FR"])) == []
    assert cases(many, campaign(at="1 h", countries="*")) == ["EXPOSURE"]
    assert cases(many, campaign(at="1 h", countries="EEA")) == ["EXPOSURE"]
    assert cases(many, campaign(at="10 d - 1 us")) == ["EXPOSURE"]
    assert cases(many, campaign(at="10 d")) == []
    assert cases(many, campaign(at="-1 us")) == []
    assert cases(HERE, campaign(at="1 h")) == []
    (case,) = [e["data"] for e in tell(many, campaign(at="1 h")).out if e["type"] == "gate61.case.opened.v1"]
    assert "client" not in case and case["facts"] == [campaign(at="1 h")["id"]]


def test_a_contact_that_reached_an_open_scope_is_looked_at() -> None:
    """A promoting one, between the request and the hard limit."""
    told = clean_client()
    assert cases(told, contacted(at="1 us")) == ["EXPOSURE"]
    assert cases(told, contacted(at="10 d - 1 us")) == ["EXPOSURE"]
    assert cases(told, contacted(at="10 d")) == []
    assert cases(told, contacted(at="-1 us")) == []
    assert cases(told, contacted(at="1 h", content="education")) == []
    assert cases(told, contacted(at="1 h", content="education", link=True)) == ["EXPOSURE"]
    assert cases(told, contacted(at="1 h", who="ben")) == []
    assert cases(told, referred(at="1 h", by="affiliate")) == []


@pytest.mark.parametrize("narrowed_at", ["50 min", "2 h"])
def test_a_contact_that_people_narrowed_is_an_exposure_of_a_late_request(narrowed_at: str) -> None:
    """As in order of time; whatever they left of it, a person is to look."""
    mail, left = contacted(at="1 h", id="mail"), narrowed("mail", at=narrowed_at)
    assert cases(HERE, asks(), mail, left) == ["EXPOSURE"]
    assert cases(HERE, question("-2 d"), mail, left, asks()) == ["EXPOSURE"]


def test_who_reached_an_open_scope_does_not_matter_for_the_case() -> None:
    """The register may say only later whose agent somebody is: a person is to look, also where nothing is held."""
    told = [*clean_client(), entity("blogger", "independent", at="-1 d")]
    for reached in (contacted(at="1 h", by="blogger"), campaign(at="1 h", by="blogger")):
        assert cases(told, reached) == ["EXPOSURE"]
        assert answer(told, reached, offer()) == ALLOWED


def test_every_kind_of_case() -> None:
    """One story in which everything goes wrong."""
    told: list[Event] = [
        *clean_client(),
        located("US", at="-99 d"),
        located("DE", "ip", at="1 h"),
        offer(),
        contacted(at="1 h"),
        referred(by="affiliate"),
        complaint(at="3 h"),
        delivered(at="3 h", offer="of-unknown"),
        merged("ben", at="3 h"),
        retracted("complaint", at="4 h", second="st-one"),
        narrowed("ads", at="4 h", second="st-one"),
        released(number=9),
        entity("blogger", "affiliate", at="5 h"),
    ]
    assert set(cases(told)) == {
        "LATE_EVIDENCE",
        "LOCATION_CONFLICT",
        "DELIVERED_WITHOUT_PERMISSION",
        "EXPOSURE",
        "EVIDENCE_CONTRADICTED",
        "IDENTITY_MERGED",
        "SAME_PERSON_TWICE",
        "RELEASE_REFUSED",
    }


def test_a_case_names_a_thousand_decisions_at_most() -> None:
    """Each answer says itself which one it takes the place of."""
    fact = Fact("//story", "e-1", "anna", 0, 0, Asked("chat"))
    named = case_of("LATE_EVIDENCE", "many", "anna", fact, decisions=tuple(f"dec-{n}" for n in range(1500))).decisions
    assert named == tuple(f"dec-{n}" for n in range(1000))
