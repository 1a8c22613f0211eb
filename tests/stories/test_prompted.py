"""What the firm named first, the client did not ask for by himself (sections 4 and 5)."""

from itertools import permutations

import pytest

from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    Event,
    allowed,
    answer,
    arrived,
    asks,
    asset,
    blocked,
    clean_client,
    contacted,
    declared,
    delivered,
    entity,
    located,
    offer,
    proven,
    question,
    told_answers,
)

PROMPTED = blocked("SCOPE_TAINTED")
PAPERS = [*REGISTER, located(), *proven()]


def notice(at: str = "-1 d", **thing: str) -> Event:
    """A message of somebody independent that names a thing: it prompts, and does not solicit."""
    return contacted(at, by="blogger", content="education", promotes=[thing])


@pytest.mark.parametrize("own", [question(id="m1"), declared("-1 h") | {"id": "m1"}, arrived(id="m1")])
def test_a_request_may_follow_the_clients_own_word(own: Event) -> None:
    """A question, a declaration or an arrival of his own, not later than the request."""
    assert answer(PAPERS, own, asks(in_reply_to="m1"), offer()) == ALLOWED
    later = {**own, "time": "2026-03-02T09:00:00.000001Z"}
    assert answer(PAPERS, later, asks(in_reply_to="m1"), offer()) == PROMPTED
    equal = {**own, "time": "2026-03-02T09:00:00Z"}
    assert answer(PAPERS, equal, asks(in_reply_to="m1"), offer()) == ALLOWED
    assert answer(PAPERS, {**own, "subject": "ben"}, asks(in_reply_to="m1"), offer()) == PROMPTED


def test_a_request_that_answers_anything_else_is_prompted() -> None:
    """A message of the firm, an alert, a location, itself."""
    assert answer(PAPERS, asks(in_reply_to="alert-77"), offer()) == PROMPTED
    lesson = contacted(by="blogger", content="education", id="m1")
    assert answer(PAPERS, lesson, asks(in_reply_to="m1"), offer()) == PROMPTED
    assert answer(PAPERS, asks(in_reply_to="asked-anna"), offer()) == PROMPTED
    namesake = question(id="asked-anna") | {"source": "//other"}
    assert answer(PAPERS, namesake, asks(in_reply_to="asked-anna"), offer()) == PROMPTED
    here = located("DE", "ip")
    assert answer(PAPERS, here, asks(in_reply_to=here["id"]), offer()) == PROMPTED


def test_his_own_word_that_arrives_later_clears_the_request() -> None:
    """What a request replies to may be told after it."""
    for own in (
        question(id="m1"),
        declared("-1 h") | {"id": "m1"},
        arrived(id="m1"),
        asks("custody", at="-1 h", id="m1"),
    ):
        assert answer(PAPERS, asks(in_reply_to="m1"), own, offer()) == ALLOWED


def test_a_request_that_follows_a_prompted_one_is_prompted() -> None:
    """And one that follows an unprompted one is not."""
    first = asks("custody", at="-1 h", id="first")
    assert answer(PAPERS, first, asks(in_reply_to="first"), offer()) == ALLOWED
    prompted = asks("custody", at="-1 h", id="first", in_reply_to="alert-77")
    assert answer(PAPERS, prompted, asks(in_reply_to="first"), offer()) == PROMPTED
    same_time = [asks(in_reply_to="first"), asks("custody", id="first")]
    assert answer(PAPERS, same_time, offer()) == ALLOWED


def test_requests_of_one_time_that_reply_to_one_another_in_a_row() -> None:
    """The first was unprompted, and so are all, in whatever order they arrive and are named."""
    for names in permutations(("first", "second", "third")):
        row = [asks("custody", id=names[0]), asks("custody", id=names[1], in_reply_to=names[0])]
        row += [asks("custody", id=names[2], in_reply_to=names[1]), asks(in_reply_to=names[2])]
        for told in permutations(row):
            assert answer(PAPERS, [*told], offer()) == ALLOWED


def test_a_circle_of_requests_of_one_time_holds_nobody_else_up() -> None:
    """Each of the circle is prompted, and opens its scope; the others are not."""
    circle = [asks("custody", id="a", in_reply_to="b"), asks("advice", id="b", in_reply_to="a")]
    told = [circle[0], asks(), circle[1], asks("transfer", id="c", in_reply_to="asked-anna")]
    for row in permutations(told):
        assert answer(PAPERS, [*row], offer()) == ALLOWED
        for service, papers, codes in (
            ("custody", "a", {"SCOPE_TAINTED"}),
            ("advice", "b", {"SCOPE_TAINTED"}),
            ("transfer", "c", {"WITHIN_WINDOW"}),
        ):
            named = [{**e, "data": {**e["data"], "asset": None}} if "asset" in e["data"] else e for e in row]
            assert answer(PAPERS, named, proven(papers), offer(service=service, asset=None)).codes == codes


def test_two_requests_of_one_time_that_reply_to_each_other() -> None:
    """A circle helps nobody."""
    circle = [asks(in_reply_to="first"), asks("custody", id="first", in_reply_to="asked-anna")]
    assert answer(PAPERS, circle, offer()) == PROMPTED


@pytest.mark.parametrize(
    ("thing", "prompts"),
    [
        ({"service": "exchange_funds", "asset": "btc"}, True),
        ({"service": "exchange_funds", "asset": "ltc"}, True),
        ({"service": "exchange_funds"}, True),
        ({"asset": "btc"}, True),
        ({}, True),
        ({"asset": "unheard-of"}, True),
        ({"service": "custody", "asset": "btc"}, False),
        ({"service": "exchange_funds", "asset": "eth"}, False),
        ({"service": "exchange_funds", "asset": "meme"}, False),
        ({"service": "exchange_funds", "asset": "btc", "product": "staking"}, False),
    ],
)
def test_something_sent_to_him_named_it(thing: dict[str, str], prompts: bool) -> None:
    """The same service, product and an asset that nothing tells apart."""
    meme = asset("meme", type_group="meme")
    expected = PROMPTED if prompts else ALLOWED
    assert answer(PAPERS, meme, notice(**thing), asks(), offer()) == expected


def test_a_request_without_an_asset_agrees_with_all() -> None:
    """Either names none."""
    told = [*PAPERS, notice(service="exchange_funds", asset="eth"), asks(asset=None)]
    assert answer(told, offer(asset=None)) == PROMPTED


def test_a_request_for_a_product_agrees_with_the_same_product_only() -> None:
    """Staking was named; savings and the plain service were not."""
    staking = notice(service="exchange_funds", product="staking")
    assert answer(PAPERS, staking, asks(product="staking"), offer(product="staking")) == PROMPTED
    assert answer(PAPERS, staking, asks(product="savings"), offer(product="savings")) == ALLOWED


def test_what_was_sent_prompts_from_its_time_on() -> None:
    """At the request or before it, however long ago."""
    btc = {"service": "exchange_funds", "asset": "btc"}
    assert answer(PAPERS, notice(at="0 h", **btc), asks(), offer()) == PROMPTED
    assert answer(PAPERS, notice(at="-2000 d", **btc), asks(), offer()) == PROMPTED
    assert answer(PAPERS, asks(), notice(at="1 us", **btc), offer()) == ALLOWED
    assert answer(PAPERS, asks(), notice(at="0 h", **btc), offer()) == PROMPTED


def test_the_types_of_the_day_of_the_request_decide_whether_it_was_named() -> None:
    """A classification after the request tells nothing apart at it."""
    ether = notice(service="exchange_funds", asset="eth")
    later = asset("eth", at="1 us")
    assert answer(PAPERS, ether, asks(), later, offer()) == ALLOWED
    before = asset("eth", at="0 h")
    assert answer(PAPERS, ether, before, asks(), offer()) == PROMPTED


def test_an_offer_that_was_let_go_prompts_what_follows_it() -> None:
    """What the offer named, he does not ask for by himself."""
    sent = [*clean_client(), offer(), delivered()]
    second = asks(at="3 h", id="second", transaction="t2")
    own = offer(at="4 h", transaction="t2", id="offer-2", offer="of-2")
    assert answer(sent, second, proven("second", "3 h"), own) == PROMPTED
    other = asks(at="3 h", id="second", transaction="t2", asset="eth")
    offered = offer(at="4 h", transaction="t2", id="offer-2", offer="of-2", asset="eth")
    expected = allowed("WITHIN_WINDOW", until="27 h")
    assert answer(sent, other, proven("second", "3 h"), offered) == expected


def test_a_lesson_that_was_let_go_names_what_it_promotes() -> None:
    """Not its own service and asset; a pure one names nothing."""
    second = [asks(at="3 h", id="second", transaction="t2"), *proven("second", "3 h")]
    own = offer(at="4 h", transaction="t2", id="offer-2", offer="of-2")
    pure = offer(content="education")
    assert answer(clean_client(), pure, delivered(), second, own) == allowed("WITHIN_WINDOW", until="27 h")
    sister = entity("sister", "eu_authorised", services=["exchange_funds"])
    hers = offer(by="sister")
    assert answer(sister, clean_client(), hers, delivered(), second, own) == PROMPTED
    lesson = offer(by="sister", asset="eth", content="education", promotes=[{"asset": "btc"}])
    assert answer(sister, clean_client(), lesson, delivered(), second, own) == PROMPTED
    lesson = offer(by="sister", asset="btc", content="education", promotes=[{"asset": "eth"}])
    assert answer(sister, clean_client(), lesson, delivered(), second, own) == PROMPTED


def test_an_offer_to_a_client_abroad_names_its_own_thing() -> None:
    """It ended at step 2; when he moves here and asks for it, he was prompted."""
    abroad = [
        *REGISTER,
        located("US"),
        offer(at="-1 h", id="abroad"),
        delivered(at="-1 h"),
        located("DE", at="-30 min"),
    ]
    assert answer(abroad, asks(), proven(), offer(id="now", offer="of-now")) == PROMPTED
    other = [
        *REGISTER,
        located("US"),
        offer(at="-1 h", id="abroad", asset="eth"),
        delivered(at="-1 h"),
        located("DE", at="-30 min"),
    ]
    assert answer(other, asks(), proven(), offer(id="now", offer="of-now")) == ALLOWED


def test_the_softest_request_counts() -> None:
    """One prompted request does not spoil another of the same service."""
    prompted = asks(at="1 h", id="second", in_reply_to="alert-77")
    assert answer(clean_client(), prompted, proven("second", "1 h"), offer()) == ALLOWED


def test_of_two_words_under_one_id_the_one_that_helps_counts() -> None:
    """Two sources may use one id."""
    words = [question(id="m1"), {**question(at="1 h", id="m1"), "source": "//other"}]
    for told in (words, words[::-1]):
        assert answer(PAPERS, told, asks(in_reply_to="m1"), offer()) == ALLOWED


def test_of_two_sendings_the_one_before_the_request_prompts() -> None:
    """Also where the request arrives after both."""
    sent = [*clean_client(), offer(), delivered("150 min"), delivered("4 h")]
    own = offer(at="5 h", transaction="t2", id="offer-2", offer="of-2")
    between = [asks(at="3 h", id="second", transaction="t2"), *proven("second", "3 h")]
    before = [asks(at="130 min", id="second", transaction="t2"), *proven("second", "130 min")]
    assert answer(sent, between, own) == PROMPTED
    assert answer(sent, notice("1 h", service="custody"), between, own) == PROMPTED
    assert answer(sent, before, own) == allowed("WITHIN_WINDOW", until="24 h + 130 min")


def test_of_what_was_named_twice_the_time_that_speaks_against_the_firm_counts() -> None:
    """The first of what prompts for ever, the last of what was let go."""
    named = {"service": "exchange_funds", "asset": "btc"}
    assert answer(PAPERS, notice("-1 d", **named), notice("1 h", **named), asks(), offer()) == PROMPTED
    assert answer(PAPERS, asks(), notice("0 h", **named), offer()) == PROMPTED
    assert answer(PAPERS, asks(), notice("1 us", **named), offer()) == ALLOWED
    assert answer(PAPERS, notice("1 us", **named), asks(), offer()) == ALLOWED
    sister = entity("sister", "eu_authorised", services=["exchange_funds"])
    sends = [
        [offer(at, by="sister", id=name, offer=name), delivered(at, name)]
        for name, at in (("first", "-12 d"), ("second", "-2 d"))
    ]
    assert answer(PAPERS, sister, sends, asks(), offer()) == PROMPTED
    assert answer(PAPERS, sister, sends[:1], asks(), offer()) == ALLOWED
    (told,) = told_answers(PAPERS, sister, notice(**named), sends, asks(), offer())
    assert told["reasons"][0]["facts"] == [notice(**named)["id"], "asked-anna"]


def test_a_recurring_execution_may_be_prompted_too() -> None:
    """It opens no scope, but what replies to it is as good as it is; also where the sending arrives after it."""
    recurring = asks(at="-1 h", kind="recurring_execution", id="monthly", asset="ltc")
    for at, expected in (("-1 h - 1 us", PROMPTED), ("-1 h", PROMPTED), ("-1 h + 1 us", ALLOWED)):
        named = contacted(
            at, by="blogger", content="education", promotes=[{"service": "exchange_funds", "asset": "ltc"}]
        )
        own = [asks(asset="eth", in_reply_to="monthly"), offer(asset="eth")]
        assert answer(PAPERS, recurring, named, own) == expected
        assert answer(PAPERS, named, recurring, own) == expected
