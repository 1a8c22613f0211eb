"""What people may do, two where two are asked for: release, narrow (section 7)."""

from typing import Any

import pytest
from msgspec.structs import replace

from gate.dossier import Standing
from gate.facts import Released
from gate.people import refusal
from gate.policy import HOUR
from tests.player import POLICY
from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    Event,
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
    delivered,
    entity,
    event,
    held,
    let_go,
    located,
    narrowed,
    offer,
    proven,
    referred,
    relationship,
    released,
    tell,
    told_answers,
)

SOFT = held("WINDOW_SOFT_LIMIT")
HELD = [*clean_client(), offer(at="25 h")]
GONE = let_go("WINDOW_SOFT_LIMIT", until="30 h")
RELEASE = released(at="26 h", expires="30 h")
WATCHED = {"RELEASE_REFUSED", "SAME_PERSON_TWICE", "LATE_EVIDENCE"}


def watched(*words: Any) -> list[str]:
    """The cases that these stories look at."""
    return [why for why in cases(*words) if why in WATCHED]


# Release.


def test_two_people_let_a_held_answer_go() -> None:
    """The new answer may be sent until it expires, and keeps the reasons it had."""
    assert answers(HELD, RELEASE) == [SOFT, GONE]
    first, second = told_answers(HELD, RELEASE)
    assert second["supersedes"] == first["decision"] != second["decision"]
    assert second["because"] == {"source": "//story", "id": RELEASE["id"]}
    assert second["reasons"][0]["facts"] == [RELEASE["id"]]
    assert second["scope"] == first["scope"]
    assert watched(HELD, RELEASE) == []


def test_an_unclassified_asset_is_the_one_block_that_may_be_released() -> None:
    """Alone; with anything beside it, or another block, not."""
    new = [*clean_client(asset="new"), offer(asset="new")]
    assert answers(new, released()) == [blocked("TYPE_UNCLASSIFIED"), let_go("TYPE_UNCLASSIFIED", until="5 h")]
    more = [*clean_client(), offer(asset="new")]
    assert answers(more, released()) == [blocked("TYPE_UNCLASSIFIED", "TYPE_NOT_ASSESSED")]
    assert watched(more, released()) == ["RELEASE_REFUSED"]
    other = [*clean_client(), offer(asset="eth")]
    assert answers(other, released()) == [blocked("NEW_ASSET_TYPE")]
    assert watched(other, released()) == ["RELEASE_REFUSED"]


def refused(*words: Any) -> bool:
    """Whether the last word lets nothing go, and a case says why."""
    opened = [e["data"] for e in tell(*words).out if e["data"].get("why") in WATCHED]
    says_why = bool(opened) and opened[-1]["why"] == "RELEASE_REFUSED" and bool(opened[-1]["said"])
    return says_why and "RELEASED" not in {a.leading for a in answers(*words)}


def test_a_release_ends_within_a_day_of_its_signature() -> None:
    """Later than it is signed, and at most 24 hours on."""
    assert refused(HELD, released(at="26 h", expires="26 h"))
    assert refused(HELD, released(at="26 h", expires="25 h"))
    assert refused(HELD, released(at="26 h", expires="50 h + 1 us"))
    assert answers(HELD, released(at="26 h", expires="26 h + 1 us"))[1].may_send
    assert answers(HELD, released(at="26 h", expires="50 h"))[1].send_by == 50 * 3_600 * 10**6


def test_the_hours_of_a_release_are_the_policys() -> None:
    """A refusal says how many."""
    case = tell(HELD, released(at="26 h", expires="50 h + 1 us")).out[-1]["data"]
    assert "within 24 hours" in case["said"]
    strict = replace(POLICY, release_limit=2 * HOUR)
    late = refusal(_standing(), Released("dec", "a", "b", "x", 3 * HOUR), 0, strict)
    assert late is not None and "within 2 hours" in late
    assert refusal(_standing(), Released("dec", "a", "b", "x", 2 * HOUR), 0, strict) is None
    late = refusal(_standing(), Released("dec", "a", "b", "x", HOUR), 0, replace(POLICY, release_limit=HOUR // 2))
    assert late is not None and "within 0.5 hours" in late


def _standing() -> Standing:
    return Standing(0, "//s", "e", "of", "dec", 1, False, None, None, True)


def test_a_release_ends_before_the_window_is_shut() -> None:
    """At the hard limit at the latest; where no scope carries the answer, there is no such limit."""
    assert refused(HELD, released(at="9 d + 12 h", expires="10 d + 1 us"))
    assert answers(HELD, released(at="9 d + 12 h", expires="10 d"))[1].may_send
    lesson = [
        *clean_client(),
        offer(
            at="25 h", content="education", service="custody", promotes=[{"asset": "btc", "service": "exchange_funds"}]
        ),
    ]
    assert answers(lesson, RELEASE)[1] == let_go("WINDOW_SOFT_LIMIT", "MIXED_CONTENT", until="30 h")


def test_a_release_ends_before_the_window_of_what_carries_the_offer_by_now() -> None:
    """The later request turns out prompted: the answer is no softer for it, but the older request shuts sooner."""
    again = [asks(at="5 d", id="again"), *proven("again", "5 d + 10 min")]
    mail = contacted("4 d", by="blogger", promotes=[{"service": "exchange_funds"}])
    told = [*clean_client(), again, offer(at="9 d + 22 h")]
    beyond = released(at="9 d + 23 h", expires="10 d + 20 h")
    assert answers(told, beyond)[1].may_send and refused(told, mail, beyond)
    assert answers(told, mail, released(at="9 d + 23 h", expires="10 d"))[1].may_send


def test_only_the_standing_answer_may_be_released_and_only_once() -> None:
    """Not one that was superseded, released, allowed, another client's, or never given."""
    assert watched(HELD, RELEASE, released(at="27 h", expires="30 h", number=2)) == ["RELEASE_REFUSED"]
    assert watched(HELD, RELEASE, released(at="27 h", expires="30 h")) == ["RELEASE_REFUSED"]
    assert answers(HELD, RELEASE, released(at="27 h", expires="31 h")) == [SOFT, GONE]
    assert refused(clean_client(), offer(), released())
    assert refused(HELD, released(at="26 h", expires="30 h", number=2))
    assert refused(HELD, {**RELEASE, "subject": "ben"})
    worse = [contacted(at="1 h"), *clean_client(), offer(), contacted()]
    assert refused(worse, released())
    assert refused(worse, released(number=2))


def test_one_person_releases_nothing() -> None:
    """Who signs twice is one; the event stands recorded and opens a case."""
    alone = released(at="26 h", expires="30 h", second="st-one")
    assert answers(HELD, alone) == [SOFT]
    assert watched(HELD, alone) == ["SAME_PERSON_TWICE"]
    assert answers(HELD, alone, RELEASE) == [SOFT, GONE]


def test_people_may_refuse() -> None:
    """That changes nothing."""
    no = event("review.refused", "anna", "26 h", None, decision="@decision:offer-anna#1", by="st-one", reason="no")
    assert answers(HELD, no) == [SOFT]
    assert watched(HELD, no) == []
    assert answers(HELD, no, RELEASE) == [SOFT, GONE]


@pytest.mark.parametrize(
    ("late", "now"),
    [
        (contacted(), blocked("INITIATION_SOLICITED", "WINDOW_SOFT_LIMIT")),
        (complaint(), held("EVIDENCE_CONTRADICTED", "WINDOW_SOFT_LIMIT")),
        (contacted(at="24 h"), held("EXPOSED_SINCE_REQUEST", "WINDOW_SOFT_LIMIT")),
        (relationship("closed", at="1 h"), blocked("EXIT_ONLY", "WINDOW_SOFT_LIMIT")),
    ],
)
def test_what_is_new_takes_a_release_back(late: Event, now: Any) -> None:
    """Another block, and also another flag."""
    assert answers(HELD, RELEASE, late) == [SOFT, GONE, now]
    assert watched(HELD, RELEASE, late) == ["LATE_EVIDENCE"]


def test_what_is_not_new_leaves_a_release() -> None:
    """Later facts, facts in the firm's favour, and what counts for nothing."""
    for late in (contacted(at="26 h"), referred(), located("DE", "ip", at="1 h"), contacted(who="ben")):
        assert answers(HELD, RELEASE, late) == [SOFT, GONE]
        assert "LATE_EVIDENCE" not in watched(HELD, RELEASE, late)


def test_a_release_covers_the_solicitations_it_was_shown() -> None:
    """One more takes it back, also under the same code; its approval too."""
    flagged = [*clean_client(), complaint(), offer()]
    assert answers(flagged, released())[1:] == [let_go("EVIDENCE_CONTRADICTED", until="5 h")]
    second = complaint(at="90 min", solicited_at="-2 d", by="st-else")
    assert answers(flagged, released(), second)[2:] == [held("EVIDENCE_CONTRADICTED")]
    assert answers(flagged, released(), approved("complaint", "4 h"))[2:] == [blocked("EVIDENCE_CONTRADICTED")]


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        (contacted("10 min", by="stranger", id="touch"), "EXPOSED_SINCE_REQUEST"),
        (referred("-1 d", by="stranger") | {"id": "touch"}, "PROMOTER_UNKNOWN"),
        (campaign("feature", kind="eu_feature", id="touch"), "CAMPAIGN_EXPOSURE"),
        (complaint() | {"id": "touch"}, "EVIDENCE_CONTRADICTED"),
    ],
)
def test_a_release_covers_one_solicitation_not_another_that_is_alike_but_for_its_source(
    first: Event, shown: str
) -> None:
    """Who solicited, when and the id are the same, and it is another event; the same one again is none."""
    told = [first, clean_client(), offer(), released()]
    assert answers(told, first) == [held(shown), let_go(shown, until="5 h")]
    assert answers(told, {**first, "source": "//other"}) == [held(shown), let_go(shown, until="5 h"), held(shown)]
    both = [first, {**first, "source": "//other"}, clean_client(), offer(), released()]
    assert answers(both, located("AT", "ip", at="1 h")) == [held(shown), let_go(shown, until="5 h")]
    assert answers(both, {**first, "source": "//more"})[2:] == [held(shown)]


def test_a_release_covers_the_asset_it_was_shown() -> None:
    """Of an unclassified asset; when something else becomes unclassified, it falls."""
    new = [*clean_client(asset="new"), offer(asset="new", promotes=[{"asset": "new"}])]
    assert answers(new, released(), asset("new", at="-1 d", approved_by=None)) == [
        blocked("TYPE_UNCLASSIFIED"),
        let_go("TYPE_UNCLASSIFIED", until="5 h"),
    ]
    both = [
        asset("new", type_group="native", approved_by="st-x"),
        asset("new", at="1 h", approved_by="st-x", liquid=None),
    ]
    told = [both, clean_client(), offer(asset="new")]
    assert answers(told, released())[1:] == [let_go("TYPE_UNCLASSIFIED", until="5 h")]
    late = asset("btc", at="1 h", liquid=None)
    assert answers(told, released(), late)[2:] == [blocked("TYPE_UNCLASSIFIED")]


@pytest.mark.parametrize("by", ["nobody-known", "affiliate", "blogger"])
def test_a_release_covers_a_sending_whoever_turns_out_to_have_acted(by: str) -> None:
    """It was shown that sending: no fact is added where its offer arrives later."""
    sent = delivered("1 h", offer="of-other", id="went")
    late = offer("30 min", id="other", offer="of-other", by=by)
    shown, gone = held("EXPOSED_SINCE_REQUEST"), let_go("EXPOSED_SINCE_REQUEST", until="5 h")
    assert answers(clean_client(), sent, offer(), released(), late, of="offer-anna") == [shown, gone]
    back = [narrowed("went", at="70 min"), narrowed("went", BTC, at="80 min")]
    assert answers(clean_client(), sent, back, offer(), released(), late, of="offer-anna") == [shown, gone]


def test_a_release_taken_back_may_be_given_again() -> None:
    """Of the answer that stands now, if that is a flag."""
    told = [HELD, RELEASE, complaint()]
    again = released(at="27 h", expires="31 h", number=3)
    assert answers(told, again)[3:] == [let_go("EVIDENCE_CONTRADICTED", "WINDOW_SOFT_LIMIT", until="31 h")]


def test_a_release_is_refused_where_more_is_known_than_the_answer_says() -> None:
    """An equally grave fact that came in between did not change the answer, but no release covers it."""
    between = complaint(at="1 h")
    assert refused(HELD, between, RELEASE)
    second = complaint(at="90 min", solicited_at="-2 d", by="st-else")
    assert refused(clean_client(), complaint(), offer(), second, released())
    assert watched(HELD, complaint(at="26 h", solicited_at="25 h + 1 us"), RELEASE) == []


def test_a_release_of_what_the_register_brought_about() -> None:
    """It covers what was known then, like any other."""
    first, second = (campaign(f"feature-{n}", kind="eu_feature") for n in range(2))
    weak = held("CAMPAIGN_EXPOSURE")
    told = [clean_client(), offer(), first, released(number=2)]
    assert answers(told) == [ALLOWED, weak, let_go("CAMPAIGN_EXPOSURE", until="5 h")]
    assert answers(told, second)[3:] == [weak]
    early = [clean_client(), offer("1 h", id="early", offer="early"), first, offer()]
    assert answers(early, released()) == [weak, let_go("CAMPAIGN_EXPOSURE", until="5 h")]


def test_a_release_covers_what_was_narrowed_away_for_a_while() -> None:
    """What the answer leant on when it was given, not what was left of it when people signed."""
    features = [campaign(f"feature-{n}", at=f"-{60 - n} d", kind="eu_feature") for n in range(6)]
    told = [features, clean_client(), offer()]
    away = [narrowed(f"feature-{n}", at="90 min") for n in range(6)]
    back = narrowed("feature-5", BTC, at="95 min")
    assert answers(told, away, released(), back)[1:] == [let_go("CAMPAIGN_EXPOSURE", until="5 h")]


def test_a_release_does_not_reach_another_offer() -> None:
    """It is about one answer."""
    other = offer(at="26 h", id="other")
    assert answers(HELD, other, RELEASE) == [SOFT]


# Narrowing.

ONLY_ETH = [{"asset": "eth"}]
BTC = [{"service": "exchange_funds", "asset": "btc"}]


def test_two_people_narrow_a_campaign() -> None:
    """With all its versions; it then counts only for what it leaves, offered or asked for."""
    told = [campaign(), campaign(at="1 h", countries=["DE"]), *clean_client()]
    both = blocked("CAMPAIGN_EXPOSURE", "EXPOSED_SINCE_REQUEST")
    assert answer(told, offer()) == both
    assert answer(told, narrowed("ads"), offer()) == ALLOWED
    assert answer(told, narrowed("ads", ONLY_ETH), offer()) == ALLOWED
    fitting: list[list[Event]] = [BTC, [{}], [{"service": "exchange_funds"}], [{"asset": "btc"}], [*ONLY_ETH, *BTC]]
    for leaves in fitting:
        assert answer(told, narrowed("ads", leaves), offer()) == both, leaves
    for leaves in ([{"service": "custody"}], [{"product": "staking"}], [{"asset": "btc", "product": "staking"}]):
        assert answer(told, narrowed("ads", leaves), offer()) == ALLOWED, leaves
    assert answer(told, narrowed("ads", [{"asset": "ltc"}]), offer(asset="ltc")) == both
    assert answer(told, narrowed("ads", BTC), offer(asset="ltc")) == both


def test_a_campaign_at_the_time_of_the_offer_counts_though_another_was_narrowed() -> None:
    """At it, not after it."""
    told = [campaign(), *clean_client(), narrowed("ads")]
    assert answer(told, campaign("now", at="2 h"), offer(at="2 h")) == held("EXPOSED_SINCE_REQUEST")
    assert answer(told, offer(at="2 h"), campaign("now", at="2 h + 1 us")) == ALLOWED


def test_what_came_when_he_asked_came_before_though_something_was_narrowed() -> None:
    """A campaign at the very time of the request is not one since then; nor is a person whose touch was narrowed."""
    told = [campaign(), *clean_client(), narrowed("ads")]
    assert answer(told, campaign("then", at="0 h"), offer()) == blocked("CAMPAIGN_EXPOSURE")
    assert answer(told, campaign("then", at="1 us"), offer()) == held("EXPOSED_SINCE_REQUEST")
    then = contacted(at="0 h", id="mail")
    assert answer(clean_client(), then, narrowed("mail"), offer()) == blocked("INITIATION_SOLICITED")


def test_an_offer_that_arrives_late_does_not_know_what_began_after_it() -> None:
    """Also where something of his was narrowed."""
    told = [campaign(), *clean_client(), narrowed("ads")]
    assert answer(told, campaign("later", at="2 h + 1 us"), offer(at="2 h")) == ALLOWED
    assert answer(told, campaign("later", at="2 h"), offer(at="2 h")) == held("EXPOSED_SINCE_REQUEST")


def test_what_is_told_only_after_it_was_narrowed() -> None:
    """It counts for what was left of it, and who solicited for the firm for everything."""
    unknown, told = referred(by="stranger"), clean_client()
    assert answer(told, narrowed(unknown["id"], ONLY_ETH), unknown, offer()) == ALLOWED
    assert answer(told, narrowed(unknown["id"], BTC), unknown, offer()) == held("PROMOTER_UNKNOWN")
    firm = contacted()
    assert answer(told, narrowed(firm["id"], ONLY_ETH), firm, offer()) == blocked("INITIATION_SOLICITED")


def test_one_version_of_a_campaign_is_narrowed_by_its_event() -> None:
    """The other versions stay; another exposure's narrowing changes nothing."""
    told = [campaign(id="v1"), campaign(id="v2", at="1 h"), *clean_client()]
    assert answer(told, narrowed("v1"), offer()) == held("EXPOSED_SINCE_REQUEST")
    assert answer(told, narrowed("v2"), offer()) == blocked("CAMPAIGN_EXPOSURE")
    assert answer(told, narrowed("other"), offer()) == blocked("CAMPAIGN_EXPOSURE", "EXPOSED_SINCE_REQUEST")


def test_the_latest_narrowing_decides() -> None:
    """Of one time all hold; one signed by one person counts for nothing and opens a case."""
    told = [campaign(), *clean_client()]
    exposed = blocked("CAMPAIGN_EXPOSURE")
    assert answer(told, narrowed("ads", at="1 h"), narrowed("ads", BTC, at="90 min"), offer()) == exposed
    assert answer(told, narrowed("ads", BTC, at="1 h"), narrowed("ads", at="90 min"), offer()) == ALLOWED
    assert answer(told, narrowed("ads", at="90 min"), narrowed("ads", BTC, at="1 h"), offer()) == ALLOWED
    assert answer(told, narrowed("ads"), narrowed("ads", BTC), offer()) == exposed
    assert answer(told, narrowed("ads", BTC), narrowed("ads"), offer()) == exposed
    assert answer(told, narrowed("ads", second="st-one"), offer()) == exposed
    assert watched(told, narrowed("ads", second="st-one")) == ["SAME_PERSON_TWICE"]
    assert watched(told, narrowed("ads")) == []


def test_a_narrowing_of_a_version_and_of_its_campaign() -> None:
    """The later of the two decides."""
    told = [campaign(id="v1"), *clean_client()]
    assert answer(told, narrowed("ads", at="1 h"), narrowed("v1", BTC, at="90 min"), offer()) == blocked(
        "CAMPAIGN_EXPOSURE"
    )
    assert answer(told, narrowed("v1", BTC, at="1 h"), narrowed("ads", at="90 min"), offer()) == ALLOWED
    orders: list[tuple[list[Event], list[Event]]] = [([], BTC), (BTC, [])]
    for leaves in orders:  # Of two at one time the one that leaves it to count.
        both = [narrowed("ads", leaves[0]), narrowed("v1", leaves[1])]
        assert answer(told, both, offer()) == blocked("CAMPAIGN_EXPOSURE")


def test_a_narrowing_counts_from_its_time_on() -> None:
    """At the offer's time it does."""
    told = [campaign(), *clean_client()]
    assert answer(told, narrowed("ads", at="2 h"), offer(at="2 h")) == ALLOWED
    assert answer(told, offer(at="2 h"), narrowed("ads", at="2 h")) == blocked("CAMPAIGN_EXPOSURE")


def test_what_a_narrowing_works_on() -> None:
    """Tags, weak campaigns, unknown promoters, unapproved evidence, and what came after the request."""
    tagged = arrived(campaign="ads", id="came")
    for exposure, name in (
        ([campaign(countries=["US"]), tagged], "came"),
        ([campaign(kind="eu_feature")], "ads"),
        ([campaign(by="stranger")], "ads"),
        ([referred(by="stranger")], referred(by="stranger")["id"]),
        ([complaint()], complaint()["id"]),
        ([contacted(at="1 h", id="mail")], "mail"),
        ([referred(at="1 h", by="affiliate", rewarded=True)], referred(at="1 h", by="affiliate", rewarded=True)["id"]),
        ([complaint(solicited_at="1 h"), approved("complaint", "1 h")], complaint(solicited_at="1 h")["id"]),
    ):
        told = [clean_client(), exposure]
        assert answer(told, offer()).verdict != "allow"
        assert answer(told, narrowed(name), offer()) == ALLOWED, name
        assert answer(clean_client(), narrowed(name, at="0 h"), exposure, offer()) == ALLOWED, name
        assert answer(told, narrowed(name, BTC), offer()) == answer(told, offer()), name
    assert answer(clean_client(), campaign(countries=["US"]), tagged, narrowed("ads"), offer()) == blocked(
        "CAMPAIGN_EXPOSURE"
    )


def test_what_a_narrowing_does_not_lift() -> None:
    """A counting personal solicitation, approved evidence, and a prompt."""
    for exposure, name, code in (
        ([contacted(id="mail")], "mail", "INITIATION_SOLICITED"),
        ([arrived(via="affiliate", id="came")], "came", "PERSON_CHAIN_SOLICITATION"),
        ([complaint(), approved("complaint", "1 h")], complaint()["id"], "EVIDENCE_CONTRADICTED"),
        ([contacted(at="-1 d", by="blogger", content="education", promotes=BTC, id="mail")], "mail", "SCOPE_TAINTED"),
    ):
        assert answer(exposure, clean_client(), narrowed(name), offer()) == blocked(code)


def test_a_narrowing_of_an_independent_adds_nothing() -> None:
    """Who does not count, does not count."""
    told = [*clean_client(), referred()]
    assert answer(told, narrowed(referred()["id"], BTC), offer()) == ALLOWED
    unknown = referred(by="stranger")
    both = [narrowed(referred()["id"], BTC), narrowed(unknown["id"], BTC)]
    assert answer(told, unknown, both, offer()) == held("PROMOTER_UNKNOWN")


def test_a_narrowing_of_one_among_many() -> None:
    """Only the event it names; also where many came from the same promoter."""
    many = [referred(at=f"-{n} d", by="stranger") for n in range(1, 13)]
    told = [*clean_client(), *many]
    assert answer(told, narrowed(many[4]["id"]), offer()) == held("PROMOTER_UNKNOWN")
    assert answer(told, [narrowed(e["id"]) for e in many], offer()) == ALLOWED


def test_a_promoter_who_becomes_known_after_the_narrowing() -> None:
    """Once he counts, narrowing works on him no more."""
    told = [*REGISTER, *clean_client(), referred(by="stranger"), narrowed(referred(by="stranger")["id"])]
    assert answer(told, offer()) == ALLOWED
    assert answer(told, entity("stranger", "agent"), offer()) == blocked("PERSON_CHAIN_SOLICITATION")


def test_a_release_that_one_person_signed_names_what_it_was_about() -> None:
    """Whoever looks at the case finds the answer."""
    played = tell(clean_client(), offer(at="25 h"), released(at="26 h", expires="30 h", second="st-one"))
    (case,) = [e["data"] for e in played.out if e["type"] == "gate61.case.opened.v1"]
    (answer,) = played.answers["//story", "offer-anna"]
    assert case["why"] == "SAME_PERSON_TWICE" and case["decisions"] == [answer["decision"]]
