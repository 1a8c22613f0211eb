"""Where an event says two things at once, the one against the firm counts."""

import pytest

from tests.player import codes, play
from tests.stories.telling import (
    ALLOWED,
    HERE,
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
    contacted,
    country,
    delivered,
    entity,
    event,
    filed,
    held,
    let_go,
    located,
    merged,
    notices,
    offer,
    proven,
    question,
    record,
    relationship,
    released,
    retracted,
    search,
    tell,
    when,
)

SEARCHED = [search(), approved("search-asked-anna")]


def by(source: str, event: Event) -> Event:
    """The event, of another source."""
    return {**event, "source": source}


def test_a_reply_to_an_id_that_two_sources_use() -> None:
    """The client's question and the firm's message: it may answer the message."""
    own, mail = by("//app", question(id="m1")), by("//crm", contacted("-2 h", content="service_notice", id="m1"))
    asked, papers = asks(in_reply_to="m1"), proven()
    assert answer(HERE, own, asked, papers, offer()) == ALLOWED
    for told in ([own, mail, asked], [mail, own, asked]):
        assert answer(HERE, told, papers, offer()) == blocked("SCOPE_TAINTED")
    assert answers(HERE, own, asked, papers, offer(), mail)[1:] == [blocked("SCOPE_TAINTED")]
    again = by("//crm-2", contacted("1 h", content="service_notice", id="m1"))
    assert answer(HERE, own, mail, again, asked, papers, offer()) == blocked("SCOPE_TAINTED")
    to_ben = [merged("ben", at="-1 d"), by("//crm", contacted("-2 h", content="service_notice", id="m1", who="ben"))]
    assert answer(HERE, own, to_ben, asked, papers, offer()) == blocked("SCOPE_TAINTED")
    at_once = by("//crm", contacted("0 h", content="service_notice", id="m1"))
    assert answer(HERE, own, asked, at_once, papers, offer()) == blocked("SCOPE_TAINTED")
    later = by("//crm", contacted("1 min", content="service_notice", id="m1"))
    assert answer(HERE, own, asked, papers, later, offer()) == ALLOWED


def test_a_reply_to_an_id_that_an_offer_has_too() -> None:
    """The client's question and an offer of the firm's are both called 7: it may answer the offer."""
    own, asked, papers = question(id="7"), asks(in_reply_to="7"), proven()
    before = offer(at="-2 h", service="custody", offer="7", id="first")
    assert answer(HERE, own, before, asked, papers, offer()) == blocked("SCOPE_TAINTED")
    assert answer(HERE, before, own, asked, papers, offer()) == blocked("SCOPE_TAINTED")
    assert answer(HERE, own, asked, papers, before, offer()) == blocked("SCOPE_TAINTED")
    sent = delivered(at="-2 h", offer="7")
    assert answer(HERE, own, sent, asked, papers, offer()).leading != "WITHIN_WINDOW"
    later = offer(at="1 h", service="custody", offer="7", id="first")
    assert answer(HERE, own, asked, papers, later, offer()) == ALLOWED


def test_what_people_sign_under_the_id_of_the_clients_own_word() -> None:
    """The request may answer it: it is prompted at once, and a release that does so lets nothing go."""
    own, asked = by("//app", question(id="m1")), asks(in_reply_to="m1")
    told = [HERE, own, asked, proven()]
    refused = event("review.refused", "anna", "-30 min", "m1", decision="dec-1", by="st-one", reason="no")
    assert answer(told, refused, offer()) == blocked("SCOPE_TAINTED")
    signed = {**released(), "id": "m1", "time": when("-30 min")}
    late = [told, offer(at="25 h"), signed]
    assert answers(late)[1:] == [blocked("SCOPE_TAINTED", "WINDOW_SOFT_LIMIT")]
    assert cases(late) == ["LATE_EVIDENCE", "RELEASE_REFUSED"]


def test_a_release_covers_no_solicitation_whose_id_another_source_has_used() -> None:
    """Two desks number their papers alike."""
    first = by("//desk", filed("c1", "solicitation", "complaint", "1 h", solicited_at="-1 d")) | {"id": "n7"}
    second = filed("c2", "solicitation", "affiliate_report", "90 min", solicited_at="-1 d")
    told = [clean_client(), first, offer(), released()]
    doubted = held("EVIDENCE_CONTRADICTED")
    assert answers(told) == [doubted, let_go("EVIDENCE_CONTRADICTED", until="5 h")]
    assert answers(told, by("//other", second) | {"id": "n7"})[2:] == [doubted]


def test_who_filed_evidence_does_not_approve_it_for_somebody_else_who_filed_it_too() -> None:
    """In the firm's favour; against it an accusation is approved by anybody but its own filer."""
    twice = [record(by="st-a"), record("asked-anna", "11 min", by="st-b")]
    alone = blocked("EVIDENCE_UNAPPROVED")
    told = [HERE, asks(), SEARCHED]
    assert answer(told, twice, approved("record-asked-anna", by="st-a"), offer()) == alone
    assert answer(told, twice[:1], approved("record-asked-anna", by="st-b"), offer()) == ALLOWED
    assert answer(told, twice[1:], approved("record-asked-anna", by="st-a"), twice[0], offer()) == alone
    assert answer(told, twice, approved("record-asked-anna", by="st-c"), offer()) == ALLOWED
    said = [filed("c", "solicitation", "complaint", f"{n} min", by=who) for n, who in ((30, "st-a"), (31, "st-b"))]
    found = answer(clean_client(), said, approved("c", "40 min", by="st-a"), offer())
    assert found == blocked("EVIDENCE_CONTRADICTED")


def test_evidence_that_proves_two_things() -> None:
    """The client's mail shows that he asked, and that somebody courted him since: each counts by its own clock."""
    mail = filed("mail", "initiation", "inbound_email", "10 min", "asked-anna")
    courted = filed("mail", "solicitation", "complaint", "12 min", solicited_at="11 min")
    told = [HERE, asks(), SEARCHED, mail, courted]
    seen = "EXPOSED_SINCE_REQUEST"
    assert answers(told, approved("mail"), offer(), retracted("mail", "3 h")) == [
        held(seen),
        blocked("EVIDENCE_ABSENT", seen),
    ]
    assert answer(told, approved("mail", "5 h"), offer()) == blocked("EVIDENCE_UNAPPROVED", seen)
    assert answer(told, offer(), approved("mail", "5 h"), of="offer-anna") == blocked("EVIDENCE_UNAPPROVED", seen)
    gone = answer(told, approved("mail"), retracted("mail", "1 h"), offer())
    assert gone == blocked("EVIDENCE_ABSENT")
    early = answer(told, approved("mail"), retracted("mail", "3 h"), offer())
    assert early == blocked("EVIDENCE_ABSENT", seen)


@pytest.mark.parametrize("group", ["", " ", "\t"])
def test_a_blank_group_assesses_nothing(group: str) -> None:
    """Nor does a blank technology."""
    told = [entity("firm", "firm"), asset("btc", type_group=group), asset("ltc", type_group=group), located()]
    assert answer(told, asks(), proven(), offer(asset="ltc")) == held("TYPE_NOT_ASSESSED")
    blank = [entity("firm", "firm"), asset("btc", technology=group), located()]
    assert answer(blank, asks(), proven(), offer()) == blocked("TYPE_UNCLASSIFIED")


@pytest.mark.parametrize(("at", "verdict"), [("2025-06-01", "block"), ("2025-07-01", "block"), ("2025-07-02", "allow")])
def test_a_country_leaves_the_scope_only_after_it_came_in(at: str, verdict: str) -> None:
    """Of the policy's date and an entry the later counts; at one time the one against the firm."""
    assert answer(REGISTER, located("NO"), country("NO", False, f"{at}T00:00:00Z"), offer()).verdict == verdict


def test_who_signs_alone_is_found_whatever_order_it_arrives_in() -> None:
    """A change to a milder state, by what was before it at its own time."""
    told = clean_client()
    alone = ["SAME_PERSON_TWICE"]
    earlier, milder = relationship("suspended", "-5 d"), relationship("exempt", "1 d", second=None)
    assert cases(told, earlier, relationship("exempt", "2 d"), milder) == alone
    assert cases(told, relationship("suspended", "2 d"), milder) == []
    assert cases(told, relationship("exempt", "-1 d", second=None), earlier) == alone
    assert cases(told, filed("e9", "initiation", "inbound_email", by="st-a"), approved("e9", by="st-a")) == alone
    assert cases(told, filed("e9", "initiation", "inbound_email", by="st-a"), approved("e9", by="st-b")) == []


def test_a_scope_that_turns_out_spoilt_is_told_when_it_does() -> None:
    """By the approval of an accusation, or by where the client is found to have been."""
    spoilt = ["scope.opened", "scope.tainted", "relationship.suspended"]
    accused = filed("c", "solicitation", "complaint", "1 h", solicited_at="-1 d")
    assert [n for n, _ in notices(HERE, asks(), accused, approved("c", "2 h"))] == spoilt
    told = [REGISTER, campaign(countries=["FR"]), located("DE"), asks()]
    assert [n for n, _ in notices(told, located("FR", "ip", "1 h"))] == spoilt
    assert [n for n, _ in notices(told, located("CH", "ip", "1 h"))] == spoilt[:1]


def test_a_scope_is_opened_by_where_the_client_was() -> None:
    """Though he had moved when the request arrived."""
    left = [REGISTER, located("DE"), located("US", at="1 h"), asks()]
    assert [n for n, _ in notices(left)] == ["scope.opened"]
    came = [REGISTER, located("US"), located("DE", at="1 h"), asks()]
    assert notices(came) == []


def test_exposure_is_found_whatever_order_it_arrives_in() -> None:
    """A contact or campaign during an open scope, of this client or of who is the same person."""
    papers = proven()
    for exposure in (contacted("1 h"), campaign(at="1 h")):
        assert cases(HERE, asks(), papers, exposure) == cases(HERE, exposure, asks(), papers) == ["EXPOSURE"]
    for exposure in (contacted("0 h"), campaign(at="0 h")):
        assert cases(HERE, asks(), papers, exposure) == cases(HERE, exposure, asks(), papers) == []
    assert cases(REGISTER, asks(), campaign(at="1 h"), located()) == ["EXPOSURE"]
    assert cases(HERE, contacted("0 h"), asks()) == cases(HERE, asks(), contacted("0 h")) == []
    twins = [clean_client(), merged("ben", "30 min")]
    told = tell(twins, contacted("1 h", who="ben")).out
    exposed = [e["data"]["client"] for e in told if e["data"].get("why") == "EXPOSURE"]
    assert exposed == ["anna"], "whose scope is open"
    abroad = [clean_client(), located("FR", who="ben"), merged("ben", "30 min")]
    assert cases(abroad, campaign(at="1 h", countries=["FR"])) == ["IDENTITY_MERGED", "EXPOSURE"]


@pytest.mark.parametrize("code", ["EL", "UK", "EU", "XK", "ZZ", "de"])
def test_a_code_that_is_no_country(code: str) -> None:
    """What some write for Greece must not lead out of the Union."""
    assert answer(REGISTER, located("GB"), offer()) == allowed("OUT_OF_TERRITORY")
    played = play([*REGISTER, located(code), offer()])
    assert [why for _, _, why in played.rejected] == ["BAD_FIELD"]
    assert [codes(a) for a in played.answers["//story", "offer-anna"]] == [["INITIATION_UNKNOWN", "LOCATION_UNKNOWN"]]


def test_a_scope_is_said_to_be_spoilt_where_only_the_register_tells_so_later() -> None:
    """Whose tag it was, and that the client's country is in scope: with the first answer that says so, and once."""
    spoilt = ["scope.tainted", "relationship.suspended"]
    tagged, owner = arrived(campaign="promo", id="tag"), campaign("promo", at="1 h", countries=["FR"])
    offers = [offer(), offer("3 h", id="again", offer="again")]
    for told in ([tagged, asks(), owner, offers], [asks(), owner, offers, tagged]):
        found = notices(HERE, told)
        assert [name for name, _ in found] == ["scope.opened", *spoilt] and {by for _, by in found[1:]} == {"tag"}
    abroad = [REGISTER, located("CH"), campaign(countries=["CH"], id="ads")]
    found = notices(abroad, asks(), country("CH", True, "1 h"), offers)
    assert found == [(name, "ads") for name in spoilt]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("deposit", "deposit"), blocked("OTHER_REGIME", "TYPE_UNCLASSIFIED")),
        (("deposit", "unique_nft"), blocked("OTHER_REGIME", "TYPE_UNCLASSIFIED")),
        (("deposit", "other"), blocked("TYPE_UNCLASSIFIED")),
    ],
)
def test_classifications_of_one_time_that_all_state_another_regime(classes: tuple[str, str], expected: Answer) -> None:
    """They are different, so that the asset is unclassified; but that it is outside MiCA, all of them say."""
    told = [asset("eur", id=f"n{n}", type_group=f"g{n}", **{"class": one}) for n, one in enumerate(classes)]
    assert answer(HERE, told, asks(asset="eur"), proven(), offer(asset="eur")) == expected


def test_a_reply_to_an_id_that_two_own_events_share() -> None:
    """A question of the client's, and a request of his that was prompted itself: it may reply to the latter."""
    asked, reply, papers = by("//app", question(id="m1")), asks(in_reply_to="m1"), proven()
    for at in ("-2 h", "-1 h", "-30 min"):
        prompted = by("//web", asks("custody", "btc", at, "m1", in_reply_to="no"))
        for told in ([asked, prompted, reply], [prompted, reply, asked], [asked, reply, prompted]):
            assert answer(HERE, told, papers, offer()) == blocked("SCOPE_TAINTED")
        assert answers(HERE, asked, reply, papers, offer(), prompted)[-1] == blocked("SCOPE_TAINTED")
    assert answer(HERE, asked, reply, papers, {**prompted, "time": "2026-03-02T11:00:00Z"}, offer()) == ALLOWED
