"""Whatever bytes come: a fact, a duplicate or a reject with a reason from the closed list, and never an error."""

import json
import os
from collections import Counter
from collections.abc import Callable
from random import Random
from time import perf_counter, process_time, thread_time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state import MemoryStore
from streams.border.glance import LIMIT, glance
from streams.border.wire import REASONS, SIZE_LIMIT, Read, Rejected, _read_plain, instant, read, read_strict
from streams.embedded import Gate
from tests.player import POLICY, play
from tests.progress import counted
from tests.promises.examples import DATA, example
from tests.promises.spoiling import spoilt

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
        (line(comment="cut in the middle of \ud83d"), "BAD_FIELD"),
        (line(comment={"a": [{"\udc00": 1}]}), "BAD_FIELD"),
        (line(**{"\ud83d": 1}), "BAD_FIELD"),
        (line(datacontenttype="\udc00\ud83d"), "BAD_FIELD"),
        (line(recordedtime="\ud83d"), "BAD_FIELD"),
        (line(count=61_061).replace(b"61061", b"-" + b"9" * 4_300), "NOT_JSON"),
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


def test_what_nobody_sees_is_named() -> None:
    """A mark that editors hide, and nothing at all."""
    for bad, said in (
        (b"\xef\xbb\xbf" + line(), "begins with a byte-order mark"),
        (b" \r", "nothing stands here"),
        (b"\0\0\0\0\7" + line(), "begins with a schema registry's prefix (00 00 00 00 07): write plain JSON"),
        (b"\0\0\0\0\xff" + line(), "begins with a schema registry's prefix (00 00 00 00 FF): write plain JSON"),
        (b"\0\0\0\7" + line(), "Expecting value at character 0"),
        (b"\1\0\0\0\xff" + line(), "byte 4 is not UTF-8"),
    ):
        rejected = read(bad, 0, 0)
        assert isinstance(rejected, Rejected) and said in rejected.message


@pytest.mark.parametrize(
    "good",
    [
        line(),
        line(data__asset=None, data__unheard_of={"a": [1]}),
        line(recordedtime="2026-03-02T09:59:00Z"),
        line(time="2026-03-02t10:00:00.1234567+01:00"),
        line(traceparent="00-abc"),
        line(comment="\U0001f600 \\ud83d", count=2**70, x={"a\u0000": 1.7976931348623157e308}),
        line(count=61_061).replace(b"61061", b"-" + b"9" * 4_299),
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


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _stating(value: str) -> bytes:
    """The good offer with a field that the gate does not look at."""
    return line(data__x=0).replace(b'"x": 0', b'"x": ' + value.encode())


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (_stating(json.dumps("x" * 300_000)), "TOO_LARGE"),
        (_stating(json.dumps("x" * (LIMIT - len(_stating('""'))))), "TOO_LARGE"),
        (_stating("[" * 150_000 + "]" * 150_000), "TOO_LARGE"),
        (_stating("[" * 501 + "]" * 501), "NOT_JSON"),
        (_stating('{"a":' * 20_000 + '"}]\\\\"' + "}" * 20_000), "NOT_JSON"),
        (_stating("9" * 4_301), "NOT_JSON"),
        (_stating("NaN"), "NOT_JSON"),
        (_stating("1e999"), "NOT_JSON"),
        (b"\xef\xbb\xbf" + line(), "NOT_JSON"),
        (b"\0\0\0\0\7" + line(), "NOT_JSON"),
        (b"\0\xff\n\0{ " + line(), "NOT_UTF8"),
        (_stating(f'{{"id": 1, "id": {"9" * 4_301}}}'), "NOT_JSON"),
        (_stating('"?"').replace(b"?", b"\xff"), "NOT_UTF8"),
        (_stating('"?').replace(b"?", b'\xc3"'), "NOT_UTF8"),
        (line() + b",", "NOT_JSON"),
        (line() + b"\0", "NOT_JSON"),
        (line() + b"}]", "NOT_JSON"),
        (line() + line(subject="cl-2"), "NOT_JSON"),
        (line() + b'{"subject": [', "NOT_JSON"),
    ],
    ids="large largest large-and-deep deep deep-objects digits nan infinity mark registry registry-bytes twice-inside byte cut comma nul bracket two another-cut".split(),  # noqa: SIM905
)
def test_an_offer_whose_client_and_offer_can_be_seen_is_answered(bad: bytes, expected: str) -> None:
    """Whatever stands in the way of reading the rest; once, under the event that it is."""
    rejects, answers = [], []
    gate = Gate(POLICY, MemoryStore())
    for _ in range(2):
        reject = gate.take(bad)
        assert isinstance(reject, Rejected)
        rejects.append(reject)
        answers.append(gate.answer_to_reject(reject, bad))
    assert [r.reason for r in rejects] == [expected] * 2 and answers[1] is None
    assert answers[0] is not None
    told = json.loads(answers[0])["data"]
    assert (told["client"], told["offer"], told["leading"]) == ("cl-1", "of-1", "UNREADABLE_OFFER")
    assert told["event"] == {"source": GOOD["source"], "id": "prop-1"} and told["at"] == GOOD["time"]


def _recorded_at(*lines: bytes) -> str:
    """When it became known that the last of these lines is an offer that cannot be read."""
    gate = Gate(POLICY, MemoryStore())
    for before in lines[:-1]:
        assert not isinstance(gate.take(before), Rejected)
    reject = gate.take(lines[-1])
    assert isinstance(reject, Rejected)
    return str(json.loads(gate.answer_to_reject(reject, lines[-1]) or b"")["data"]["recorded_at"])


def test_an_unreadable_offer_became_known_when_a_readable_one_would_have() -> None:
    """Recorded where it says so, else at the later of its time and the line before."""
    early, late = "2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z"
    before = line(id="prop-0", recordedtime=late)
    unknown = {"data__service": None}
    assert _recorded_at(line(**unknown)) == GOOD["time"]
    assert _recorded_at(line(**unknown, recordedtime=late)) == late
    assert _recorded_at(line(recordedtime=early)) == early, "what is from the future was known before it happened"
    assert _recorded_at(before, line(**unknown)) == late
    assert _recorded_at(before, line(**unknown, recordedtime="2026-03-02T10:00:30Z")) == "2026-03-02T10:00:30Z"
    assert _recorded_at(before, line(time="noon")) == late
    assert _recorded_at(line(time="noon", recordedtime=late)) == late
    assert _recorded_at(before, line(recordedtime="noon")) == late
    assert _recorded_at(line(recordedtime="noon")) == GOOD["time"]
    again = line(id="prop-0", recordedtime="2026-03-04T09:00:00Z", data__service="transfer")
    assert _recorded_at(before, again) == "2026-03-04T09:00:00Z", "also where its id was reused"
    assert _recorded_at(_stating("NaN").replace(b'"time"', b'"recordedtime": "%s", "time"' % late.encode())) == late


@pytest.mark.parametrize(
    "bad",
    [
        _stating(json.dumps("x" * (LIMIT - len(_stating('""')) + 1))),
        _stating("NaN")[:-1],
        b"\0\0\0\7" + line(),
        b"\1\0\0\0\7" + line(),
        b"\0\0\0\0\0\7" + line(),
        b"\0\0\0\0\7\0\0\0\0\7" + line(),
        _stating("NaN").replace(b'"subject"', b'"subject": "cl-2", "subject"'),
        _stating("NaN").replace(b'"type"', b'"type": "gate61.client.asked.v1", "type"'),
        _stating("NaN").replace(b'"data"', b'"data": {"offer": "of-2"}, "data"'),
        _stating("NaN").replace(b'"offer":', b'"offer": "of-2", "offer":'),
        _stating("NaN").replace(b"cl-1", b"cl-\xff"),
        _stating("NaN").replace(b"of-1", b"of-\xc3"),
        _stating("NaN").replace(b'"offer": "of-1"', b'"a": {"offer": "of-1"}'),
        _stating("NaN").replace(b"offer.proposed", b"client.asked"),
        b"[" + _stating("NaN") + b"]",
        json.dumps({"event": GOOD}).encode().replace(b'"custody"', b"NaN"),
    ],
    ids="larger cut four-bytes no-zero six-bytes twice clients types datas offers client-bytes offer-bytes deeper type list inside".split(),  # noqa: SIM905
)
def test_where_client_or_offer_cannot_be_told_there_is_no_answer(bad: bytes) -> None:
    """A block in somebody else's name would be worse than none: what nobody answered may not be sent anyhow."""
    gate = Gate(POLICY, MemoryStore())
    reject = gate.take(bad)
    assert isinstance(reject, Rejected) and gate.answer_to_reject(reject, bad) is None


@settings(max_examples=1000, deadline=None)
@given(_json, st.sampled_from(["NaN", "[" * 501 + "]" * 501, "9" * 5_000]), st.booleans())
def test_a_glance_sees_what_a_reader_sees(value: Any, unreadable: str, spaced: bool) -> None:
    """Texts with brackets, quotes and escapes hide nothing and pretend nothing."""
    event = {**GOOD, "x": value, "data": {**GOOD["data"], "y": value, "offer": "of-[{1"}, "z": {"w": 0}}
    text = json.dumps(event, ensure_ascii=spaced, separators=None if spaced else (",", ":"))
    marked = text.replace('"w": 0' if spaced else '"w":0', f'"w": {unreadable}').encode("utf-8", "surrogatepass")
    seen = glance(marked)
    assert seen is not None and {n: seen[n] for n in GOOD if n != "data"} == {n: GOOD[n] for n in GOOD if n != "data"}
    assert seen["data"]["offer"] == "of-[{1"


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=200) | st.text('{}[]",:\\ 1a', max_size=60).map(str.encode))
def test_no_bytes_stop_a_glance(data: bytes) -> None:
    """Fuzzed from nothing, and from what JSON is made of."""
    seen = glance(data)
    assert seen is None or isinstance(seen, dict)


def test_the_worst_a_record_can_hold_is_seen_in_time() -> None:
    """As much as Kafka takes, of whatever costs most."""
    for filling in ("[],", '"",', '"\\"",', '{"a":[]},', '{"a":1,"a":2},', "[[[]]],"):
        bad = _stating("[" + filling * ((LIMIT - 300) // len(filling)) + "0]")
        before = perf_counter()
        assert glance(bad) is not None and len(bad) > LIMIT - 400
        assert perf_counter() - before < 2, filling


def _least(work: Callable[[], object]) -> float:
    """Seconds of the processor, at best."""
    taken = []
    for _ in range(5):
        before = process_time()
        work()
        taken.append(process_time() - before)
    return min(taken)


@pytest.mark.alone
@pytest.mark.parametrize("thing", ["{}", '{"service":"custody","asset":"btc"}'])
def test_a_glance_at_many_things_takes_little_longer_than_reading_them(thing: str) -> None:
    """An offer of some 300,000 things is passed over at once, and not bracket by bracket."""
    bad = _stating("[" + f"{thing}," * ((LIMIT - 300) // (len(thing) + 1)) + "0]")
    assert _least(lambda: glance(bad)) < 3 * _least(lambda: json.loads(bad))


@pytest.mark.parametrize("deep", ["[x]", "{x}", '["]", x]', "[[x], x]", '{"a": [x], {}}', "[[[[[x]]]], x]", "[]", "[}"])
def test_what_lies_too_deep_is_not_read(deep: str) -> None:
    """Whether or not there is more in it; what lies less deep is, and must be JSON."""
    text = f'{{"a": {{"b": {deep}, "c": {deep},"d": "[{{"}}, "e": [1, {deep}, {deep}, {{"f": {deep}}}], "g": []}}'
    assert glance(text.encode()) == {"a": {"b": "0", "c": "0", "d": "[{"}, "e": ["1", "0", "0", "0"], "g": []}
    for bad in (f'{{"a": [x, {deep}]}}', f'{{"a": {{"b": x, "c": {deep}}}}}', f'{{"a": x, "b": [{deep}]}}'):
        assert glance(bad.encode()) is None


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    """Fuzzed from nothing."""
    taken = read(data, 0, MINUTE)
    assert isinstance(taken, Rejected) and taken.reason in REASONS


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


FUZZED = int(os.environ.get("GATE61_FUZZ", "100000"))
SLOW_SECONDS = 0.050
CHUNK = 250
"""Lines to one gate, so that histories stay short."""


def _end(gate: Gate, line: bytes) -> str:
    """How one line ends: `fact`, `duplicate`, or the reason of its reject. What it brings about can be written down."""
    gate.last = None
    taken = gate.take(line)
    if isinstance(taken, Rejected):
        assert gate.last is None, "a rejected line is no fact"
        answer = gate.answer_to_reject(taken, line)
        lines = [] if answer is None else [answer]
        end = taken.reason
    else:
        lines = [gate.line_of(effect) for effect in taken]
        end = "duplicate" if gate.last is None else "fact"
        assert end == "fact" or not taken, "a duplicate changes nothing"
    for out in lines:
        json.loads(out)
    return end


def _seconds(lines: list[bytes]) -> float:
    """How long the last of these lines takes, at best of three."""
    best = 1e9
    for _ in range(3):
        gate = Gate(POLICY, MemoryStore())
        for line in lines[:-1]:
            _end(gate, line)
        before = thread_time()
        _end(gate, lines[-1])
        best = min(best, thread_time() - before)
    return best


def test_hostile_lines_end_as_exactly_one_of_fact_duplicate_or_reject() -> None:
    """None raises, none takes over 50 ms, and all ends occur. `GATE61_FUZZ` sets how many lines."""
    rng = Random(61)
    ends: Counter[str] = Counter()
    slow: list[float] = []
    for start in counted(range(0, FUZZED, CHUNK)):
        gate = Gate(POLICY, MemoryStore())
        lines: list[bytes] = []
        for number in range(start, start + CHUNK):
            lines.append(spoilt(rng, number))
            before = thread_time()
            ends[_end(gate, lines[-1])] += 1
            if thread_time() - before > SLOW_SECONDS and (seconds := _seconds(lines)) > SLOW_SECONDS:
                slow.append(seconds)
    assert set(ends) <= {"fact", "duplicate", *REASONS}
    assert not slow, f"{len(slow)} lines over 50 ms, the slowest {max(slow):.3f} s"
    if FUZZED >= 20_000:
        assert set(ends) == {"fact", "duplicate", *REASONS}, ends
        assert ends["fact"] > FUZZED // 20, ends


def _both(data: bytes) -> tuple[object, object]:
    """What the border makes of a line, and what it makes of it without the quick reader."""
    return read(data, 0, MINUTE), read_strict(data, 0, MINUTE)


def _below(frames: int, data: bytes) -> object:
    """What the border makes of a line when it is called from so far down."""
    return _below(frames - 1, data) if frames else read(data, 0, MINUTE)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_how_deep_an_event_may_be_nested_does_not_depend_on_who_reads_it(opening: str) -> None:
    """500 objects and lists in one another are taken, brackets in texts are none, and more are refused by name."""
    closing = "]" if opening == "[" else "}"

    def nested(depth: int, inside: str = "1") -> bytes:
        value = opening * depth + inside + closing * depth
        return json.dumps({**GOOD, "data": {**GOOD["data"], "x": 0}}).replace('"x": 0', f'"x": {value}').encode()

    kept, refused = nested(498, json.dumps('\\" [[{' * 300)), [nested(499), nested(900), nested(50_000)[:90_000]]
    assert isinstance(read(kept, 0, MINUTE), Read)
    for line in (kept, *refused):
        assert _below(0, line) == _below(300, line)
    for line in refused:
        taken = read(line, 0, MINUTE)
        assert isinstance(taken, Rejected) and (taken.reason, "500 objects" in taken.message) == ("NOT_JSON", True)


def test_a_key_that_stands_twice_among_many_is_found_at_once() -> None:
    """Nobody else waits while the names of one object are compared."""
    names = [*range(25_000), 24_999]
    many = ("{" + ",".join(f'"{name}":0' for name in names) + "}").encode()
    assert len(many) < SIZE_LIMIT
    before = perf_counter()
    taken = read(many, 0, MINUTE)
    assert isinstance(taken, Rejected) and taken.reason == "DUPLICATE_KEY" and "`'24999'`" in taken.message
    assert perf_counter() - before < 1


def test_the_quick_reader_and_the_strict_one_agree() -> None:
    """On every spoilt line: the same fact with the same digests, or the same reject to the letter."""
    rng, taken = Random(62), 0
    for number in counted(range(FUZZED // 5)):
        line = spoilt(rng, number)
        quick, strict = _both(line)
        assert quick == strict and repr(quick) == repr(strict), line[:500]
        taken += isinstance(quick, Read)
    assert taken > FUZZED // 100


def test_what_is_taken_can_be_handed_on_as_it_came() -> None:
    """By readers that are stricter than the gate's, and written again by them: desk and alerts read what was taken."""
    rng, taken = Random(63), 0
    for number in counted(range(FUZZED // 5)):
        line = spoilt(rng, number)
        if isinstance(read(line, 0, MINUTE), Read):
            msgspec.json.encode(msgspec.json.decode(line, type=dict[str, Any]))
            taken += 1
    assert taken > FUZZED // 100


@settings(max_examples=2000, deadline=None)
@given(st.sampled_from([*GOOD, *(f"data__{n}" for n in [*GOOD["data"], "x", 'a"b', "a\\"])]), _json)
def test_both_readers_agree_on_any_value(name: str, value: Any) -> None:
    """Also where the text holds no escapes, which is the quick reader's own ground."""
    event = json.loads(line(**{name: value}))
    for text in (json.dumps(event), json.dumps(event, ensure_ascii=False, separators=(",", ":"))):
        quick, strict = _both(text.encode("utf-8", "surrogatepass"))
        assert quick == strict and repr(quick) == repr(strict)


_ODD: tuple[object, ...] = (
    None,
    "",
    "x y",
    "a" * 129,
    "DE",
    "eth",
    "2026-03-02T10:00:00.1234567+01:00",
    5,
    5.0,
    1e3,
    True,
    {},
    [],
)
_ODD_LISTS: tuple[list[object], ...] = (
    ["a"],
    ["a", "a"],
    [None],
    [{}],
    [{"service": None}],
    [{"service": "custody", "x": 1}],
    [{"asset": "eth"}] * 2,
)


@pytest.mark.parametrize("name", DATA)
def test_both_readers_agree_on_every_field_of_every_type(name: str) -> None:
    """Also with fields and keys that nobody knows, and keys that stand twice, at any depth; and the quick one is used."""
    whole = example(name)
    texts = [json.dumps(whole)]
    for field in (*whole["data"], "x"):
        texts += [json.dumps({**whole, "data": {**whole["data"], field: value}}) for value in (*_ODD, *_ODD_LISTS)]
    for key in ("id", "type", "data", "service", *whole["data"]):
        texts += [text.replace(f'"{key}":', f'"{key}": "eth", "{key}":', 1) for text in (texts[0], texts[-1])]
    for text in texts:
        for spaced in (text, text.replace(": ", " :\t"), text.replace(", ", ",")):
            quick, strict = _both(spaced.encode())
            assert quick == strict and repr(quick) == repr(strict), spaced
    quickly = _read_plain(texts[0].encode(), 0, MINUTE, None)
    assert (quickly is None) == (name == "entity.registered"), "what is as it should be is read in one go"


@pytest.mark.parametrize("name", DATA)
def test_a_good_event_of_every_type_is_taken(name: str) -> None:
    """With every optional field, and with none of them absent but null."""
    whole = example(name)
    taken = read(json.dumps(whole).encode(), 0, MINUTE)
    assert isinstance(taken, Read), taken
    for field in whole["data"]:
        bare = read(json.dumps({**whole, "data": {**whole["data"], field: None}}).encode(), 0, MINUTE)
        absent = {k: v for k, v in whole["data"].items() if k != field}
        gone = read(json.dumps({**whole, "data": absent}).encode(), 0, MINUTE)
        assert (bare.fact if isinstance(bare, Read) else bare) == (gone.fact if isinstance(gone, Read) else gone)


def test_how_far_an_event_is_ahead_is_said_with_what_to_do() -> None:
    """In seconds, begun ones counted, against those that are tolerated."""
    told = read(line(recordedtime="2026-03-02T09:58:59.999999Z"), 0, 60_000_000)
    assert isinstance(told, Rejected) and told.message.startswith(
        "`time` is 61 s later than when the event was recorded, and 60 s are tolerated; set the clock"
    )


def test_what_is_no_object_is_not_called_a_line() -> None:
    """It may be the value of a record, or the body of a request."""
    told = read(b"[]", 0, 0)
    assert isinstance(told, Rejected) and told.message == "it is not a JSON object"
