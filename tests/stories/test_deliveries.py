"""What was sent without an answer that lets it is an incident and a solicitation (sections 4 and 5)."""

import pytest

from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    Event,
    Words,
    allowed,
    answer,
    answers,
    asks,
    blocked,
    cases,
    clean_client,
    contacted,
    delivered,
    entity,
    event,
    held,
    located,
    narrowed,
    offer,
    proven,
    released,
    tell,
    told_answers,
)

SOLICITED = blocked("INITIATION_SOLICITED")
NEXT = [asks(at="40 h", id="second", transaction="t2", asset="eth"), *proven("second", "40 h")]
NEXT_OFFER = offer(at="41 h", transaction="t2", asset="eth", id="next", offer="of-next")
GOOD = allowed("WITHIN_WINDOW", until="64 h")
HELD = [*clean_client(), offer(at="25 h"), released(at="26 h", expires="30 h")]


def incident(*words: Words) -> bool:
    """Whether the sending was not let go: a case, and a solicitation of the next request."""
    opened = cases(*words).count("DELIVERED_WITHOUT_PERMISSION")
    solicits = answer(*words, NEXT, NEXT_OFFER) != GOOD
    assert bool(opened) == solicits
    return solicits


@pytest.mark.parametrize(
    ("told", "sent", "expected"),
    [
        ([*clean_client(), offer()], "2 h", False),
        ([*clean_client(), offer()], "24 h - 1 us", False),
        ([*clean_client(), offer()], "24 h", True),
        ([*clean_client(), offer()], "25 h", True),
        ([*clean_client(), offer()], "2 h - 1 us", True),
        ([*clean_client(), offer(at="24 h")], "24 h", True),
        ([*clean_client(), offer(service="custody")], "2 h", True),
        ([*clean_client(), offer(content="education", asset="ltc")], "39 h", False),
        (HELD, "26 h", False),
        (HELD, "26 h - 1 us", True),
        (HELD, "30 h - 1 us", False),
        (HELD, "30 h", True),
        ([*clean_client(), offer(), offer(at="25 h", id="again")], "24 h - 1 us", False),
        ([*clean_client(), offer(), offer(at="3 h", id="again", service="custody")], "3 h", True),
        ([*clean_client(), offer(service="custody"), offer(at="3 h", id="again")], "3 h", False),
        ([*clean_client(), offer(), offer(id="again", service="custody")], "3 h", True),
        ([*clean_client(), offer(who="ben", content="education", offer="of-anna")], "2 h", True),
        ([*clean_client(), offer(offer="of-other")], "2 h", True),
    ],
)
def test_whether_a_sending_was_let_go(told: list[Event], sent: str, expected: bool) -> None:
    """By the answer standing then to the latest proposal of that offer; of one time all must let it."""
    assert incident(told, delivered(at=sent)) == expected


def test_it_solicits_from_when_it_was_sent() -> None:
    """At a request or before it blocks, after it a person must look."""
    told = [*REGISTER, located()]
    own = [asks(asset="eth"), *proven()]
    eth = offer(asset="eth", id="next", offer="of-next")
    assert answer(told, delivered(at="0 h"), own, eth) == SOLICITED
    assert answer(told, own, delivered(at="1 us"), eth) == held("EXPOSED_SINCE_REQUEST")
    assert answer(told, own, delivered(at="2 h"), eth) == held("EXPOSED_SINCE_REQUEST")
    assert answer(told, own, eth, delivered(at="2 h + 1 us")) == ALLOWED


def test_who_acted_in_the_offer_solicited() -> None:
    """The affiliate; the firm, which sent it, where nobody is named who counts."""
    told = [*clean_client()]
    since = held("EXPOSED_SINCE_REQUEST")
    for by, expected in ((None, since), ("affiliate", since), ("blogger", since), ("stranger", since)):
        hers = offer(at="1 h", service="custody", by=by, id="hers", offer="of-hers")
        assert answer(told, hers, delivered("1 h", "of-hers"), offer()) == expected
    for by, expected in (
        (None, SOLICITED),
        ("affiliate", blocked("PERSON_CHAIN_SOLICITATION")),
        ("blogger", SOLICITED),
        ("stranger", SOLICITED),
    ):
        hers = offer(at="1 h", service="custody", by=by, id="hers", offer="of-hers")
        assert answer(told, hers, delivered("1 h", "of-hers"), NEXT, NEXT_OFFER) == expected


def test_no_offer_is_judged_on_its_own_delivery() -> None:
    """Sent without permission at its own time: the answer that stands is not made worse by it."""
    told = [*clean_client(), offer(at="24 h")]
    assert answers(told, delivered(at="24 h")) == [held("WINDOW_SOFT_LIMIT")]
    early = [*clean_client(), delivered(at="2 h"), offer(at="2 h")]
    assert answers(early) == [ALLOWED]
    earlier = [*clean_client(), delivered(at="2 h - 1 us"), offer(at="2 h")]
    assert answers(earlier) == [held("EXPOSED_SINCE_REQUEST")]
    others = [*clean_client(), delivered(at="2 h", offer="of-other"), offer(at="2 h")]
    assert answers(others) == [held("EXPOSED_SINCE_REQUEST")]
    both = [*clean_client(), delivered(at="2 h", offer="of-other"), delivered(at="2 h"), offer(at="2 h")]
    assert answers(both) == [held("EXPOSED_SINCE_REQUEST")]


def test_nor_on_its_own_delivery_before_1970() -> None:
    """Times may be any of the years 1 to 9999."""
    then = "-25000 d"
    here = [event("country.scoped", "DE", "-26000 d", None, country="DE", in_scope=True), located(at="-26000 d")]
    told = [*here, asks(at="-25001 d")]
    alone = answer(told, offer(at=then))
    assert alone.verdict == "block" and "EXPOSED_SINCE_REQUEST" not in alone.codes
    assert answer(told, delivered(at=then), offer(at=then)) == alone
    others = answer(told, delivered(at=then), delivered(at=then, offer="of-other"), offer(at=then))
    assert "EXPOSED_SINCE_REQUEST" in others.codes


def test_nor_on_its_own_delivery_that_was_narrowed_before() -> None:
    """Two people said of it beforehand what it counts for."""
    sent = [narrowed("mine", [{"asset": "btc"}], at="1 h"), delivered(id="mine")]
    assert answer(clean_client(), sent, offer()) == ALLOWED
    assert answer(clean_client(), sent, offer(at="2 h + 1 us")) == held("EXPOSED_SINCE_REQUEST")


def test_of_sendings_of_its_time_an_offer_is_judged_on_those_of_others() -> None:
    """Whichever arrived first."""
    mine, other = delivered(id="mine"), delivered(offer="of-other", id="other")
    for sent in ([mine, other], [other, mine]):
        (told,) = told_answers(clean_client(), sent, offer())
        (reason,) = told["reasons"]
        assert (reason["code"], reason["facts"]) == ("EXPOSED_SINCE_REQUEST", ["other", "asked-anna"])


def test_it_is_settled_when_it_arrives() -> None:
    """An answer superseded later does not make an incident of a sending that was let go, nor a release an undoing."""
    let = [*clean_client(), offer(), delivered(at="2 h")]
    assert "DELIVERED_WITHOUT_PERMISSION" not in cases(let, contacted())
    assert answers(let, contacted(), of="offer-anna") == [ALLOWED, SOLICITED]
    unlet = [*clean_client(), offer(at="25 h"), delivered(at="25 h")]
    assert incident(unlet, released(at="25 h", expires="30 h"))
    taken_back = [*clean_client(), offer(), contacted(at="1 h", by="stranger"), delivered(at="2 h")]
    assert cases(taken_back).count("DELIVERED_WITHOUT_PERMISSION") == 1
    before_it = [*clean_client(), delivered(at="2 h"), offer(at="2 h")]
    assert cases(before_it).count("DELIVERED_WITHOUT_PERMISSION") == 1


def test_a_late_sending_reaches_back() -> None:
    """Behind the answers to other offers."""
    told = [*clean_client(), offer(at="3 h")]
    late = delivered(at="1 h", offer="of-other")
    assert answers(told, late) == [ALLOWED, held("EXPOSED_SINCE_REQUEST")]
    assert answers(told, delivered(at="3 h", offer="of-other")) == [ALLOWED, held("EXPOSED_SINCE_REQUEST")]
    assert answers(told, delivered(at="3 h + 1 us", offer="of-other")) == [ALLOWED]
    twice = [*clean_client(), offer(service="custody"), offer(at="3 h", id="again")]
    assert answers(twice, delivered(at="150 min")) == [ALLOWED, held("EXPOSED_SINCE_REQUEST")]


def test_what_it_names_prompts() -> None:
    """For ever if it was not let go; up to and including ten days if it was."""
    own = offer(id="later", offer="of-later", at="12 d + 1 h", transaction="t2")
    for sent, at, prompted in (("2 h", "10 d + 2 h", True), ("2 h", "10 d + 2 h + 1 us", False)):
        later = [asks(at=at, id="second", transaction="t2"), *proven("second", "12 d")]
        told = [*clean_client(), offer(), delivered(at=sent), later]
        assert ("SCOPE_TAINTED" in answer(told, own).codes) == prompted
    unlet = [*clean_client(), offer(at="25 h"), delivered(at="25 h")]
    years = [asks(at="900 d", id="second", transaction="t2"), *proven("second", "900 d")]
    expected = blocked("INITIATION_SOLICITED", "SCOPE_TAINTED")
    assert answer(unlet, years, offer(id="later", at="901 d - 1 us", transaction="t2")) == expected


def test_what_a_lesson_names_does_not_depend_on_where_the_client_has_moved() -> None:
    """He was here when it was judged, so it names what it promotes; that it arrived when he was abroad changes nothing."""
    lesson = offer(content="education", asset="eth", promotes=[{"asset": "btc"}])
    told = [*clean_client(), located("US", at="3 h"), lesson, released(at="4 h", expires="6 h"), delivered(at="5 h")]
    assert answer(told, located("DE", at="6 h"), NEXT, NEXT_OFFER) == GOOD


def test_what_a_released_lesson_names_is_what_is_known_when_it_is_released() -> None:
    """He was abroad when it was proposed, as was told later: nothing was judged then, and it names its own thing, too."""
    lesson = offer(content="education", asset="eth", promotes=[{"asset": "btc"}])
    told = [*clean_client(), lesson, located("US", at="1 h"), released(at="4 h", expires="6 h"), delivered(at="5 h")]
    assert answer(told, located("DE", at="6 h"), NEXT, NEXT_OFFER) == blocked("SCOPE_TAINTED")


def test_a_sending_of_nothing_known_names_nothing() -> None:
    """It is the firm's solicitation all the same."""
    told = [*REGISTER, located(), delivered(at="-1 d", offer="of-unknown"), asks(), *proven()]
    assert answer(told, offer()) == SOLICITED


def test_a_case_names_the_answers_to_look_at() -> None:
    """The standing answer of the offer that was sent."""
    out = tell(clean_client(), offer(service="custody"), delivered()).out
    decision = next(e["data"]["decision"] for e in out if "decision" in e["data"])
    (case,) = [e["data"] for e in out if e["data"].get("why") == "DELIVERED_WITHOUT_PERMISSION"]
    assert case["decisions"] == [decision]


def test_what_the_sister_may_offer_may_be_sent() -> None:
    """An answer that ended at steps 1 to 4 has no time limit."""
    sister = entity("sister", "eu_authorised", services=["exchange_funds"])
    assert not incident(sister, clean_client(), offer(by="sister"), delivered(at="39 h"))


def test_the_new_answer_comes_first() -> None:
    """Before those that it takes back, also where all have one time: another proposal names what was sent."""
    sister = entity("sister", "eu_authorised", services=["exchange_funds"])
    told = [sister, offer("-1 h", asset="eth", by="sister", id="p1", offer="x"), delivered("0 h", "x")]
    told += [*clean_client(), *proven(at="0 h"), offer("0 h", id="a", offer="own")]
    late = offer("0 h", by="sister", id="p2", offer="x")
    answered = [e["data"] for e in tell(told, late).out if e["type"] == "gate61.offer.decided.v1"]
    assert [a["event"]["id"] for a in answered] == ["p1", "a", "p2", "a"]


def test_a_case_of_several_proposals_is_the_same_whichever_way_it_is_found() -> None:
    """Where a late fact had them judged again the dossier holds them in another order; the ids of a case must not."""
    told = [clean_client(), offer(id="z", offer="x", transaction="another"), offer(id="a", offer="x")]
    found = []
    for late in ([], [located("AT", "ip", "1 h")]):
        out = tell([*told, *late], delivered("3 h", "x")).out
        found += [e["data"] for e in out if e["data"].get("why") == "DELIVERED_WITHOUT_PERMISSION"]
    assert len(found) == 2 and found[0] == found[1]
