"""Never allowed at or beyond a limit: boundary times to the microsecond, in any zone, on any day of the calendar."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gate.instants import moment
from streams.border.wire import instant, instant_of
from tests.player import codes, play
from tests.stories.telling import (
    ALLOWED,
    ASKED,
    REGISTER,
    Event,
    allowed,
    answer,
    answers,
    asks,
    blocked,
    cases,
    clean_client,
    delivered,
    entity,
    held,
    in_order,
    let_go,
    located,
    microseconds,
    offer,
    proven,
    referred,
    released,
    said,
)

HOUR = microseconds("1 h")
DAY = microseconds("1 d")
SOFT = held("WINDOW_SOFT_LIMIT")
EXPIRED = blocked("WINDOW_EXPIRED")
WITHIN = {"WITHIN_WINDOW"}
around = st.integers(-3, 3) | st.integers(-3 * 10**6, 3 * 10**6) | st.integers(-20 * HOUR, 20 * HOUR)
zones = st.integers(-23 * 60 - 59, 23 * 60 + 59)
digits = st.text("0123456789", max_size=9)


def written(after: int, zone: int = 0, finer: str = "") -> str:
    """A moment so many microseconds after the request, in a zone of so many minutes, with finer digits."""
    moment = (ASKED + timedelta(microseconds=after)).astimezone(timezone(timedelta(minutes=zone)))
    text = moment.isoformat(timespec="microseconds")
    return text[:26] + finer + text[26:]


def asked_at(text: str) -> list[Event]:
    """Everything in order but for when the request was made, which the text says."""
    return in_order([REGISTER, located(), {**asks(), "time": text}, proven()])


# Limits of the window.


@settings(max_examples=150, deadline=None)
@given(around, zones, zones)
def test_nothing_is_allowed_at_or_beyond_the_soft_limit(off: int, zone: int, asked_zone: int) -> None:
    """The zones in which request and offer are written do not matter."""
    told = [*asked_at(written(0, asked_zone)), offer(at=written(DAY + off, zone))]
    assert answer(told) == (ALLOWED if off < 0 else SOFT)


@settings(max_examples=100, deadline=None)
@given(around, zones, zones)
def test_nothing_is_held_at_or_beyond_the_hard_limit(off: int, zone: int, asked_zone: int) -> None:
    """From there on nobody may release it either."""
    told = [*asked_at(written(0, asked_zone)), offer(at=written(10 * DAY + off, zone))]
    assert answer(told) == (SOFT if off < 0 else EXPIRED)


@settings(max_examples=150, deadline=None)
@given(st.integers(-2, 2), digits, digits)
def test_finer_digits_never_lengthen_a_window(off: int, asked: str, offered: str) -> None:
    """Whatever stands behind the microseconds, nothing is allowed a full day after the request."""
    told = [*asked_at(written(0, finer=asked)), offer(at=written(DAY + off, finer=offered))]
    waited = (DAY + off) * 10**9 + int(offered.ljust(9, "0")) - int(asked.ljust(9, "0"))
    assume(waited >= DAY * 10**9)
    assert answer(told) == SOFT


@settings(max_examples=100, deadline=None)
@given(around, zones, st.sampled_from(["24 h - 1 us", "23 h", "30 min"]))
def test_an_allow_is_sent_before_its_time_or_is_an_incident(off: int, zone: int, offered: str) -> None:
    """`send_by` is a day after the request, whenever the offer was made; at it the answer is void."""
    told = [*clean_client(), offer(at=offered)]
    (only,) = answers(told)
    assert only == allowed("WITHIN_WINDOW", until="24 h")
    sent = max(DAY + off, microseconds(offered))
    opened = cases(told, delivered(at=written(sent, zone)))
    assert opened == ([] if sent < DAY else ["DELIVERED_WITHOUT_PERMISSION"])


# Releases.


@settings(max_examples=100, deadline=None)
@given(st.integers(25 * HOUR, 10 * DAY - 1), around, zones)
def test_no_release_lasts_a_day_or_past_the_hard_limit(signed: int, off: int, zone: int) -> None:
    """It ends after its signature, at most 24 hours on, at the hard limit at the latest; at its end it is over."""
    expires = signed + DAY + off
    told = [*clean_client(), offer(at="25 h"), {**released(), "time": written(signed)}]
    told[-1]["data"] = {**told[-1]["data"], "expires": written(expires, zone)}
    last = answers(told)[-1]
    assert last.may_send == (signed < expires <= min(signed + DAY, 10 * DAY))
    if last.may_send:
        assert last.send_by == expires
        assert cases(told, delivered(at=written(expires - 1, zone))) == []
        assert cases(told, delivered(at=written(expires, zone))) == ["DELIVERED_WITHOUT_PERMISSION"]
    else:
        assert last == SOFT


@pytest.mark.parametrize(
    ("signed", "expires", "lets"),
    [
        ("26 h", "26 h", False),
        ("26 h", "26 h + 1 us", True),
        ("26 h", "50 h", True),
        ("26 h", "50 h + 1 us", False),
        ("9 d", "10 d", True),
        ("9 d + 1 us", "10 d", True),
        ("9 d + 1 us", "10 d + 1 us", False),
        ("10 d - 1 us", "10 d", True),
        ("10 d", "10 d + 1 us", False),
    ],
)
def test_edges_of_a_release(signed: str, expires: str, lets: bool) -> None:
    """To the microsecond."""
    got = answers(clean_client(), offer(at="25 h"), released(at=signed, expires=expires))
    assert got[1:] == ([let_go("WINDOW_SOFT_LIMIT", until=expires)] if lets else [])


# What was let go prompts up to and including ten days.


@settings(max_examples=100, deadline=None)
@given(around, zones)
def test_a_sending_that_was_let_go_prompts_for_ten_days(off: int, zone: int) -> None:
    """At the tenth day itself it still does."""
    sent = 2 * HOUR
    again = {**asks(id="second", transaction="t2"), "time": written(sent + 10 * DAY + off, zone)}
    told = [*clean_client(), offer(), delivered(at="2 h"), again]
    own = offer(at=written(sent + 10 * DAY + off + HOUR), id="later", offer="of-later", transaction="t2")
    assert ("SCOPE_TAINTED" in answer(told, own).codes) == (off <= 0)


# Ends of what is registered.


@settings(max_examples=100, deadline=None)
@given(st.integers(-3, 3) | st.integers(-HOUR, HOUR), zones)
def test_the_end_of_an_entry_is_outside_it(off: int, zone: int) -> None:
    """Of an indicator, of an authorisation, of a promoter's tie to the firm."""
    end = written(2 * HOUR, zone)
    now = offer(at=written(2 * HOUR + off))
    here = {**located("DE", "ip"), "data": {"indicator": "ip", "country": "DE", "until": end}}
    abroad = answer(located("US"), here, now)
    assert (abroad == allowed("OUT_OF_TERRITORY")) == (off >= 0)
    sister = entity("sister", "eu_authorised", services=["exchange_funds"], until=end)
    hers = answer(sister, located(), {**now, "data": {**now["data"], "by": "sister"}})
    assert (hers == allowed("AUTHORISED_ENTITY")) == (off < 0)
    friend = entity("friend", "independent", until=end)
    sent = {**referred(by="friend"), "time": written(2 * HOUR + off)}
    later = answer(friend, clean_client(), sent, offer(at="4 h"))
    assert later == (ALLOWED if off < 0 else held("EXPOSED_SINCE_REQUEST"))


# The calendar.


@pytest.mark.parametrize(
    ("asked", "offered", "expected"),
    [
        ("2026-03-28T12:00:00+01:00", "2026-03-29T12:59:59.999999+02:00", WITHIN),
        ("2026-03-28T12:00:00+01:00", "2026-03-29T13:00:00+02:00", {"WINDOW_SOFT_LIMIT"}),
        ("2026-10-24T12:00:00+02:00", "2026-10-25T10:59:59.999999+01:00", WITHIN),
        ("2026-10-24T12:00:00+02:00", "2026-10-25T11:00:00+01:00", {"WINDOW_SOFT_LIMIT"}),
        ("2026-10-25T02:30:00+02:00", "2026-10-26T01:29:59.999999+01:00", WITHIN),
        ("2026-10-25T02:30:00+01:00", "2026-10-26T01:30:00+01:00", WITHIN),
        ("2026-10-25T02:30:00+02:00", "2026-10-26T01:30:00+01:00", {"WINDOW_SOFT_LIMIT"}),
        ("2028-02-28T12:00:00Z", "2028-02-29T11:59:59.999999Z", WITHIN),
        ("2028-02-28T12:00:00Z", "2028-02-29T12:00:00Z", {"WINDOW_SOFT_LIMIT"}),
        ("2026-12-31T23:59:59Z", "2027-01-01T23:59:58.999999Z", WITHIN),
        ("2026-12-31T23:59:59Z", "2027-01-01T23:59:59Z", {"WINDOW_SOFT_LIMIT"}),
        ("9999-12-30T23:59:59.999999Z", "9999-12-31T23:59:59.999998Z", WITHIN),
        ("9999-12-30T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", {"WINDOW_SOFT_LIMIT"}),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z", WITHIN),
    ],
)
def test_a_day_has_24_hours(asked: str, offered: str, expected: set[str]) -> None:
    """When the clocks change, in a leap year, at the turn of a year and at the end of all years."""
    papers = [{**e, "time": asked} for e in proven()]
    told = [*REGISTER, located(), {**asks(), "time": asked}, *papers, offer(at=offered)]
    assert answer_codes(told) == expected


def answer_codes(told: list[Event]) -> set[str]:
    """The reasons of the only answer."""
    ((only,),) = play(told).answers.values()
    return set(codes(only))


def test_a_window_past_the_end_of_years_is_told_up_to_it() -> None:
    """It is no error, and a promise of no more than can be written."""
    last = "9999-12-31T23:00:00Z"
    papers = [{**e, "time": last} for e in proven()]
    played = play([*REGISTER, located(), {**asks(), "time": last}, *papers, offer(at=last)])
    ((only,),) = played.answers.values()
    assert (only["verdict"], only["send_by"]) == ("allow", "9999-12-31T23:59:59.999999Z")


def test_the_first_year_is_a_year() -> None:
    """An offer in year 1 is judged; nothing was in scope then."""
    first = "0001-01-01T00:00:00Z"
    told = [{**located(), "time": first}, offer(at=first)]
    assert answer_codes(in_order(told)) == {"OUT_OF_TERRITORY"}


# How times are written.


@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC))
@example(datetime(1, 1, 1, 0, 0, 0, 1, UTC))
def test_a_moment_is_kept_to_the_microsecond(at: datetime) -> None:
    """Also where seconds as a float would be some thirty beside it."""
    assert moment(instant_of(at)) == at


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T09:00:00Z",
        "2026-03-02t09:00:00z",
        "2026-03-02T09:00:00.000000Z",
        "2026-03-02T09:00:00.000000999999Z",
        "2026-03-02T10:00:00+01:00",
        "2026-03-02T09:00:00-00:00",
        "2026-03-01T23:30:00-09:30",
        "2026-03-03T08:59:00+23:59",
    ],
)
def test_one_moment_written_in_many_ways(text: str) -> None:
    """All are the moment of the request."""
    assert instant(text) * timedelta(microseconds=1) == ASKED - ASKED.fromtimestamp(0, ASKED.tzinfo)
    last = {**offer(), "time": "2026-03-03T08:59:59.999999Z"}
    ((only,),) = play([*asked_at(text), last]).answers.values()
    assert said(only) == ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T23:59:60Z",
        "2016-12-31T23:59:60Z",
        "2017-01-01T00:59:60+01:00",
        "2026-03-02T09:00:00",
        "2026-03-02",
        "2026-03-02T09:00Z",
        "2026-03-02 09:00:00Z",
        "2026-03-02T09:00:00,5Z",
        "2026-03-02T09:00:00.Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T09:60:00Z",
        "2026-02-29T09:00:00Z",
        "2026-13-01T09:00:00Z",
        "2026-00-01T09:00:00Z",
        "2026-03-02T09:00:00+24:00",
        "2026-03-02T09:00:00+01:60",
        "2026-03-02T09:00:00+0100",
        "2026-03-02T09:00:00+01:00:00",
        "2026-03-02T09:00:00 +01:00",
        "2026-03-02T09:00:00Z ",
        "2026-03-02T09:00:00Z\n",
        "２０２６-03-02T09:00:00Z",
        "2026-W10-1T09:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999-00:01",
        "10000-01-01T00:00:00Z",
        "-2026-03-02T09:00:00Z",
        "",
        "now",
        1772442000,
        None,
        True,
    ],
)
def test_what_is_no_time_is_rejected(text: object) -> None:
    """With `BAD_TIME`, nothing guessed: an offer is blocked; inside `data` the field is bad."""
    with pytest.raises(ValueError, match="is"):
        instant(text)
    played = play([{**offer(), "time": text}])
    assert [why for *_, why in played.rejected] == ["BAD_TIME"]
    ((only,),) = played.answers.values()
    assert (only["verdict"], only["leading"], only["may_send"]) == ("block", "UNREADABLE_OFFER", False)
    if text is None:
        return
    assert [why for *_, why in play([{**offer(), "recordedtime": text}]).rejected] == ["BAD_TIME"]
    until = {**located(), "data": {"indicator": "ip", "country": "DE", "until": text}}
    assert [why for *_, why in play([until]).rejected] == ["BAD_FIELD"]


def test_a_time_that_is_missing_is_no_time() -> None:
    """Not the moment of arrival."""
    timeless = {k: v for k, v in offer().items() if k != "time"}
    assert [why for *_, why in play([timeless]).rejected] == ["BAD_TIME"]


@pytest.mark.parametrize(
    ("recorded", "taken"),
    [
        ("2026-03-02T09:00:00Z", True),
        ("2026-03-02T08:59:00Z", True),
        ("2026-03-02T08:58:59.999999Z", False),
        ("2026-03-02T09:58:59.999999+01:00", False),
        ("2026-03-02T08:00:00Z", False),
        ("2036-03-02T09:00:00Z", True),
    ],
)
def test_no_event_happens_after_it_was_recorded(recorded: str, taken: bool) -> None:
    """But for the tolerance of a minute, itself included; what is rejected opens no scope."""
    played = play([*REGISTER, located(), {**asks(), "recordedtime": recorded}])
    assert [why for *_, why in played.rejected] == ([] if taken else ["FROM_THE_FUTURE"])
    assert bool(played.out) == taken


def test_what_was_taken_before_is_a_repetition_whenever_it_says_it_was_recorded() -> None:
    """Nothing follows from it, not a second answer either; the same id with other content is of the future still."""
    told = [*REGISTER, located(), asks(), offer()]
    earlier = [{**e, "recordedtime": "1999-01-01T00:00:00Z"} for e in told]
    again = play([*told, *earlier])
    assert again.rejected == [] and again.out == play(told).out
    other = {**earlier[-1], "data": {**earlier[-1]["data"], "channel": "sms"}}
    assert [why for *_, why in play([*told, other, *earlier]).rejected] == ["FROM_THE_FUTURE"]
    first = play([*earlier, *told])
    assert {why for *_, why in first.rejected} == {"FROM_THE_FUTURE"} and len(first.rejected) == len(told)
    assert [o["id"] for o in first.out[1:]] == [o["id"] for o in again.out]


def test_an_offer_from_the_future_is_blocked() -> None:
    """It is answered all the same, and a later one in good time is judged anew."""
    early = {**offer(), "recordedtime": "2026-03-02T10:58:59Z"}
    played = play([*clean_client(), early, offer()])
    (told,) = played.answers.values()
    assert [a["leading"] for a in told] == ["UNREADABLE_OFFER", "WITHIN_WINDOW"]
    assert [a["may_send"] for a in told] == [False, True]


@settings(max_examples=200, deadline=None)
@given(st.integers(-400 * DAY, 400 * DAY), zones, st.booleans(), digits)
def test_a_moment_is_the_same_in_every_zone(after: int, zone: int, lower: bool, finer: str) -> None:
    """To the microsecond; finer digits are cut."""
    text = written(after, zone, finer)
    asked = instant("2026-03-02T09:00:00Z")
    assert instant(text.lower() if lower else text) - asked == after
