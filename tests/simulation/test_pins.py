"""How far back the end of the answers' log is searched, and what is made of their headers."""

from collections.abc import Sequence

import pytest

from streams.worker.pins import HEADER, Bound, Headers, bound_of, reached, unknown_to, written


def log(*bounds: Bound | None) -> list[Headers]:
    return [[("x", b"y")] if b is None else [(HEADER, written(b))] for b in bounds]


@pytest.mark.parametrize("beyond", [0, 1, 63, 64, 65, 1_000, 4_000])
@pytest.mark.parametrize("known", [0, 1, 5_000])
async def test_every_answer_beyond_the_place_is_found_and_no_more_is_read_than_needed(known: int, beyond: int) -> None:
    records = log(*((1, 2, 0, n) for n in range(known + beyond)))
    read = 0

    async def fetch(begin: int, end: int) -> Sequence[Headers]:
        nonlocal read
        read += end - begin
        return records[begin:end]

    found = await unknown_to((1, 2, 0, known - 1), 0, len(records), fetch)
    assert found == [(1, 2, 0, n) for n in range(known, known + beyond)]
    assert read <= 64 + 5 * beyond


async def test_copies_and_answers_without_the_header_do_not_matter() -> None:
    records = log((1, 1, 0, 5), (1, 1, 0, 6), None, (1, 1, 0, 5), (1, 1, 0, 6), (1, 2, 0, 6))

    async def fetch(begin: int, end: int) -> Sequence[Headers]:
        return records[begin:end]

    assert await unknown_to((1, 1, 0, 5), 0, 6, fetch) == [(1, 1, 0, 6), (1, 2, 0, 6)]


@pytest.mark.parametrize("value", [None, b"", b"1.2.3", b"1.2.3.4.5", b"1.2.3.x", b"1.2.3.-4", b"9" * 30 + b".1.1.1"])
def test_a_header_that_says_something_else_is_passed_over(value: bytes | None) -> None:
    assert bound_of([(HEADER, value)]) is None


def test_a_place_is_reached_when_every_log_is() -> None:
    assert reached((1, 2, 3, 4, 99), (1, 2, 3, 4)) and not reached((1, 2, 3, 3, 99), (1, 2, 3, 4))
    assert not reached((0, 9, 9, 9), (1, 2, 3, 4))
