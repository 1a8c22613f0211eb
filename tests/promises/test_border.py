"""Whatever bytes come: a fact, a duplicate or a reject with a reason from the closed list, and never an error."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.wire import REASONS, SIZE_LIMIT, Read, Rejected, instant, read
from tests.player import play

MINUTE = 60_000_000
GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "prop-1",
    "source": "//platform.example/offers",
    "type": "gate61.offer.proposed.v1",
    "subject": "cl-1",
    "time": "2026-03-02T10:00:00Z",
    "data": {"offer": "of-1", "service": "custody", "channel": "email", "content": "offer"},
}


def reason(line: bytes) -> str | None:
    """The reason of a reject, or None for a fact."""
    taken = read(line, 0, MINUTE)
    return taken.reason if isinstance(taken, Rejected) else None


def line(**changes: Any) -> bytes:
    """The good event with changes; `data__NAME` changes a field of data, None removes."""
    event = json.loads(json.dumps(GOOD))
    for name, value in changes.items():
        place, key = (event["data"], name[6:]) if name.startswith("data__") else (event, name)
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (b"\xff\xfe", "NOT_UTF8"),
        (b'{"a": "' + b"x" * SIZE_LIMIT + b'"}', "TOO_LARGE"),
        (b"", "NOT_JSON"),
        (b"{", "NOT_JSON"),
        (b"[" * 100_000, "NOT_JSON"),
        (b'{"a": NaN}', "NOT_JSON"),
        (b'{"a": 1e999}', "NOT_JSON"),
        (b'{"id": "1", "id": "2"}', "DUPLICATE_KEY"),
        (b"[1]", "NOT_A_CLOUDEVENT"),
        (line(specversion="0.3"), "NOT_A_CLOUDEVENT"),
        (line(id=None), "NOT_A_CLOUDEVENT"),
        (line(type="gate61.client.greeted.v1"), "UNKNOWN_TYPE"),
        (line(id="a\u0000b"), "BAD_FIELD"),
        (line(id="a\u202eb"), "BAD_FIELD"),
        (line(subject=None), "BAD_FIELD"),
        (line(data=None), "BAD_FIELD"),
        (line(data__service=None), "BAD_FIELD"),
        (line(data__service="gambling"), "BAD_FIELD"),
        (line(data__link="yes"), "BAD_FIELD"),
        (line(data__promotes=[{"service": "nothing"}]), "BAD_FIELD"),
        (line(data__promotes="custody"), "BAD_FIELD"),
        (line(data__note="\ud800"), "BAD_FIELD"),
        (line(time=None), "BAD_TIME"),
        (line(time="2026-03-02T10:00:00"), "BAD_TIME"),
        (line(time="2026-02-30T10:00:00Z"), "BAD_TIME"),
        (line(time="2026-03-02T23:59:60Z"), "BAD_TIME"),
        (line(time=1772445600), "BAD_TIME"),
        (line(recordedtime="yesterday"), "BAD_TIME"),
        (line(recordedtime="2026-03-02T09:58:59.999999Z"), "FROM_THE_FUTURE"),
    ],
)
def test_what_cannot_be_taken_has_its_reason(bad: bytes, expected: str) -> None:
    """One reason a line, in the order of the contract's list."""
    assert reason(bad) == expected


@pytest.mark.parametrize(
    "good",
    [
        line(),
        line(data__asset=None, data__unheard_of={"a": [1]}),
        line(recordedtime="2026-03-02T09:59:00Z"),
        line(time="2026-03-02t10:00:00.1234567+01:00"),
        line(traceparent="00-abc"),
    ],
)
def test_what_can_be_taken_is_taken(good: bytes) -> None:
    """Unknown fields, extension attributes and the tolerated minute stop nothing."""
    assert reason(good) is None


def test_finer_digits_are_cut() -> None:
    """A time is never rounded up past a limit."""
    assert instant("1970-01-01T00:00:00.9999999Z") == 999_999
    assert instant("1970-01-01T01:00:00+01:00") == 0


def test_a_duplicate_changes_nothing_and_a_reused_id_is_rejected() -> None:
    """Same content in other order and other zone is the same; other content is not."""
    again = {**GOOD, "time": "2026-03-02T11:00:00+01:00", "data": dict(reversed(GOOD["data"].items()))}
    other = {**GOOD, "data": {**GOOD["data"], "service": "transfer"}}
    played = play([GOOD, again, other, other])
    assert [r[2] for r in played.rejected] == ["ID_REUSED", "ID_REUSED"]
    answers = played.answers[GOOD["source"], GOOD["id"]]
    assert [a["leading"] for a in answers] == ["INITIATION_UNKNOWN", "UNREADABLE_OFFER"]
    assert answers[0]["decision"] != answers[1]["decision"]


def test_an_unreadable_offer_is_answered_once() -> None:
    """Blocked for whoever can be read; the same bytes are not answered again."""
    bad = json.dumps({**GOOD, "data": {"offer": "of-1"}})
    played = play([bad, bad])
    assert len(played.rejected) == 2
    assert [a["leading"] for a in played.answers[GOOD["source"], GOOD["id"]]] == ["UNREADABLE_OFFER"]


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    """Fuzzed from nothing."""
    taken = read(data, 0, MINUTE)
    assert isinstance(taken, Rejected) and taken.reason in REASONS


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=3000, deadline=None)
@given(st.sampled_from([*GOOD, *(f"data__{n}" for n in [*GOOD["data"], "promotes", "asset", "by"])]), _json)
def test_no_value_in_any_place_makes_it_raise(name: str, value: Any) -> None:
    """Fuzzed from a good event."""
    taken = read(line(**{name: value}), 0, MINUTE)
    assert isinstance(taken, Read) or taken.reason in REASONS


@settings(max_examples=2000, deadline=None)
@given(st.integers(0, 300), st.binary(min_size=1, max_size=3))
def test_no_damage_makes_it_raise(place: int, damage: bytes) -> None:
    """Fuzzed by overwriting bytes of a good event."""
    good = line()
    place %= len(good)
    taken = read(good[:place] + damage + good[place + len(damage) :], 0, MINUTE)
    assert isinstance(taken, Read) or taken.reason in REASONS
