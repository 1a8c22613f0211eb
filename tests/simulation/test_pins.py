"""What is made of the headers of answers that the state does not know of, and in which order the logs are applied then."""

from collections.abc import Iterable, Sequence

import pytest

from streams.logs.merge import Arrival, Log, Merge
from streams.worker.pins import CAUSE, HEADER, Headers, Pin, Unknown, pin_of, reached, written


def said(*place: int, on: bytes = b"0:1") -> Headers:
    return [("content-type", b"x"), (HEADER, written(place)), (CAUSE, on)]


def found(place: Sequence[int], answers: Iterable[Headers]) -> list[Pin]:
    unknown = Unknown(place)
    for headers in answers:
        unknown.add(headers)
    return unknown.pins


@pytest.mark.parametrize(
    ("on", "last"),
    [(b"7:12", Log.ACTIONS), (b"register:3", Log.REGISTER), (b"between:0", Log.BETWEEN), (b"policy:1", Log.POLICY)],
)
def test_what_an_answer_was_given_on_came_last(on: bytes, last: Log) -> None:
    assert pin_of(said(1, 2, 3, 4, on=on)) == Pin(1, 2, 3, 4, last)


def test_copies_and_answers_without_the_header_do_not_matter() -> None:
    again = [said(1, 1, 0, 5), said(1, 1, 0, 6), [("x", b"y")], said(1, 1, 0, 5), said(1, 1, 0, 6), said(1, 2, 0, 6)]
    assert found((1, 1, 0, 5, 99), again) == [Pin(1, 1, 0, 6), Pin(1, 2, 0, 6)]


def test_copies_given_again_after_them_hide_no_answers() -> None:
    """Redis went back, half of it was given again, and then the worker died: the other half is still to come."""
    answers = [said(1, 1 + n // 400, 0, n) for n in range(1000)]
    assert (found((1, 2, 0, 700), [*answers, *answers[500:701]]))[-1] == Pin(1, 3, 0, 999)


def test_many_answers_take_no_memory() -> None:
    answers = (said(1, 5 + n // 10_000, 0, n) for n in range(30_000))
    assert found((1, 5, 0, 17), answers) == [
        *(Pin(1, 5, 0, 18), Pin(1, 5, 0, 9_999)),
        *(Pin(1, 6, 0, 10_000), Pin(1, 6, 0, 19_999)),
        *(Pin(1, 7, 0, 20_000), Pin(1, 7, 0, 29_999)),
    ]


@pytest.mark.parametrize("value", [None, b"", b"1.2.3", b"1.2.3.4.5", b"1.2.3.x", b"1.2.3.-4", b"9" * 30 + b".1.1.1"])
def test_a_header_that_says_something_else_is_passed_over(value: bytes | None) -> None:
    assert pin_of([(HEADER, value)]) is None


def test_a_place_is_reached_when_every_log_is() -> None:
    assert reached((1, 2, 3, 4, 99), Pin(1, 2, 3, 4)) and not reached((1, 2, 3, 3, 99), Pin(1, 2, 3, 4))
    assert not reached((0, 9, 9, 9), Pin(1, 2, 3, 4))


def merged(pin: Pin, register: Sequence[int], actions: Sequence[int]) -> list[tuple[Log, int]]:
    """In which order records with those times are applied."""
    merge = Merge([0, 0, 0, 0])
    for log, times in ((Log.REGISTER, register), (Log.ACTIONS, actions)):
        merge.add([Arrival(at, log, offset, None, None) for offset, at in enumerate(times)], len(times), log)
    order = []
    while arrival := merge.within(pin[:4], pin.last):
        merge.drop(arrival)
        order.append((arrival.log, arrival.offset))
    return order


REGISTER_0, ACTION_0, ACTION_1 = (Log.REGISTER, 0), (Log.ACTIONS, 0), (Log.ACTIONS, 1)


def test_what_an_answer_was_given_on_is_applied_last_whatever_its_time() -> None:
    assert merged(Pin(0, 1, 0, 2, Log.ACTIONS), [9], [1, 2]) == [ACTION_0, REGISTER_0, ACTION_1]
    assert merged(Pin(0, 1, 0, 2, Log.ACTIONS), [0], [1, 2]) == [REGISTER_0, ACTION_0, ACTION_1]
    assert merged(Pin(0, 1, 0, 2, Log.REGISTER), [0], [1, 2]) == [ACTION_0, ACTION_1, REGISTER_0]


def test_nothing_beyond_an_answer_is_applied_before_it() -> None:
    assert merged(Pin(0, 0, 0, 1, Log.ACTIONS), [0], [1, 2]) == [ACTION_0]


def test_an_answer_waits_for_logs_that_do_not_reach_as_far() -> None:
    assert merged(Pin(0, 2, 0, 2, Log.ACTIONS), [9], [1, 2]) == [ACTION_0, REGISTER_0]
