"""Kafka records: both modes of CloudEvents read alike, what stands beside an event is checked, and nothing raises."""

import json
from datetime import datetime
from random import Random
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_python_murmur2

from gate.facts import Fact
from gate.policy import DAY
from state import MemoryStore
from streams.border.wire import SIZE_LIMIT, Read, Rejected, instant, read
from streams.embedded import Gate
from streams.kafka.record import REASONS, STRUCTURED, beside, dead_letter_headers, murmur2, partition_of, read_record
from streams.publish import unreadable_id
from tests.player import POLICY
from tests.promises.examples import DATA, example
from tests.promises.spoiling import spoilt

MINUTE = 60_000_000
PARTITIONS = 48
APPENDED = instant("2026-03-02T10:00:05Z")
KEY = b"cl-1"
PLACE = (partition_of(KEY, PARTITIONS), PARTITIONS)
Headers = list[tuple[str, bytes | None]]
AS_STRUCTURED: Headers = [("content-type", STRUCTURED)]


def take(
    value: bytes | None,
    headers: Headers,
    key: bytes | None = KEY,
    place: tuple[int, int] | None = PLACE,
    appended: int = APPENDED,
) -> Read | Rejected:
    """What the border makes of a record."""
    return read_record(value, key, headers, place, appended, MINUTE)


def structured(event: dict[str, Any]) -> bytes:
    """The value of a structured record."""
    return json.dumps(event).encode()


def binary(event: dict[str, Any]) -> tuple[bytes, Headers]:
    """Value and headers of a binary record."""
    headers: Headers = [(f"ce_{n}", v.encode()) for n, v in event.items() if n not in ("data", "datacontenttype")]
    return json.dumps(event["data"]).encode(), [*headers, ("content-type", b"application/json")]


def refused(taken: Read | Rejected) -> Rejected:
    """A reject."""
    assert isinstance(taken, Rejected), taken
    assert taken.reason in REASONS
    return taken


@pytest.mark.parametrize("name", DATA)
def test_every_type_says_the_same_in_both_modes(name: str) -> None:
    """The same fact, id and content, whichever way it was sent: a repetition in the other mode is a duplicate."""
    event = example(name)
    whole = take(structured(event), AS_STRUCTURED)
    assert isinstance(whole, Read), whole
    assert take(*binary(event)) == whole
    assert whole.fact.recorded == whole.recorded == APPENDED


def test_content_is_json_and_an_instant_not_their_spelling() -> None:
    """Other order, spaces, escapes, zone, way to write a number: the same content."""
    event = example("entity.registered")
    event["data"]["holding_percent"] = 12.0
    value, headers = binary(event)
    other = b'{ "un\\u0074il" : "2026-03-03T10:00:00Z", "services":["custody"],"control":false,"holding_percent":12,'
    other += b'"relation":"affiliate","entity":"aff-1" }'
    headers = [(n, b"2026-03-02T11:00:00.0000+01:00" if n == "ce_time" else v) for n, v in headers]
    first, second = take(value, binary(event)[1]), take(other, headers)
    assert isinstance(first, Read) and isinstance(second, Read), second
    assert first.content == second.content


def test_the_brokers_time_is_the_recorded_one() -> None:
    """Whatever the event says of it, even what is no time."""
    for said in ("2026-03-02T10:00:00Z", "1999-01-01T00:00:00Z", "yesterday"):
        event = {**example("client.asked"), "recordedtime": said}
        for taken in (take(structured(event), AS_STRUCTURED), take(*binary(event))):
            assert isinstance(taken, Read) and taken.fact.recorded == APPENDED


def test_what_happens_later_than_it_was_appended_is_from_the_future() -> None:
    """At the tolerance it is taken, a microsecond beyond it not."""
    event = example("client.asked")
    at = instant(event["time"])
    assert isinstance(take(structured(event), AS_STRUCTURED, appended=at - MINUTE), Read)
    for value, headers in ((structured(event), AS_STRUCTURED), binary(event)):
        assert refused(take(value, headers, appended=at - MINUTE - 1)).reason == "FROM_THE_FUTURE"


def test_what_is_ahead_may_be_a_repetition_where_it_lies_right() -> None:
    """What the event says is in the reject, save where it lies in another's place."""
    event = example("client.asked")
    value, early = structured(event), instant(event["time"]) - DAY
    right = refused(take(value, AS_STRUCTURED, appended=early))
    known = take(value, AS_STRUCTURED)
    assert isinstance(known, Read) and right.ahead is not None
    assert (right.ahead.key, right.ahead.content) == (known.key, known.content)
    wrong = refused(take(value, AS_STRUCTURED, key=b"somebody", appended=early))
    assert (wrong.reason, wrong.ahead) == ("FROM_THE_FUTURE", None)


@pytest.mark.parametrize(
    "kind",
    [
        b"application/cloudevents+json; charset=utf-8",
        b"Application/CloudEvents+JSON",
        b" application/cloudevents+json ",
    ],
)
def test_content_type_says_the_mode_with_parameters_and_in_any_case(kind: bytes) -> None:
    """And `ce_` headers beside a structured value are copies that nobody reads (Kafka binding, section 3.3)."""
    event = example("offer.proposed")
    copies: Headers = [("ce_id", b"another"), ("ce_time", b"never")]
    assert take(structured(event), [("Content-Type", kind), *copies]) == take(structured(event), AS_STRUCTURED)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], "NOT_A_CLOUDEVENT"),
        ([("content-type", b"application/json")], "NOT_A_CLOUDEVENT"),
        ([("content-type", b"application/cloudevents-batch+json")], "NOT_A_CLOUDEVENT"),
        ([("content-type", b"application/cloudevents+avro")], "NOT_A_CLOUDEVENT"),
        ([("content-type", None)], "NOT_A_CLOUDEVENT"),
        ([("content-type", STRUCTURED)] * 2, "REPEATED_HEADER"),
        ([("content-type", STRUCTURED), ("Content-Type", b"text/plain")], "REPEATED_HEADER"),
        ([("content-type", STRUCTURED), ("ce_id", b"1"), ("ce_id", b"1")], "REPEATED_HEADER"),
        ([("content-type", STRUCTURED), ("ce_\ud800\n", b"1"), ("ce_\ud800\n", b"1")], "REPEATED_HEADER"),
        ([("content-type", STRUCTURED), ("ce_x", b"1" * SIZE_LIMIT)], "TOO_LARGE"),
    ],
)
def test_a_structured_offer_beside_bad_headers_is_answered(headers: Headers, expected: str) -> None:
    """The mode is said, once; an offer that can be read all the same keeps what is needed to block it."""
    reject = refused(take(structured(example("offer.proposed")), headers))
    assert reject.reason == expected
    assert (reject.client, reject.offer, reject.at) == ("cl-1", "of-1", instant("2026-03-02T10:00:00Z"))


@pytest.mark.parametrize(
    ("filling", "expected"),
    [
        (b'"' + b"x" * 300_000 + b'"', "TOO_LARGE"),
        (b"[" * 501 + b"]" * 501, "NOT_JSON"),
        (b"9" * 4_301, "NOT_JSON"),
        (b'"\xff"', "NOT_UTF8"),
        (b'"\\ud83d"', "BAD_FIELD"),
    ],
)
def test_an_offer_whose_client_and_offer_can_be_seen_is_answered_in_both_modes(filling: bytes, expected: str) -> None:
    """In binary mode the client stands in a header and the offer in the value."""
    event = example("offer.proposed")
    event["data"] = {**event["data"], "x": 61_061}
    for value, headers in ((structured(event), AS_STRUCTURED), binary(event)):
        reject = refused(take(value.replace(b"61061", filling), headers))
        assert (reject.reason, reject.client, reject.offer) == (expected, "cl-1", "of-1")
        assert (reject.source, reject.id, reject.at) == (event["source"], event["id"], instant(event["time"]))


def test_an_attribute_that_is_no_unicode_is_refused_in_either_mode() -> None:
    """What a header holds is no UTF-8 then."""
    event = example("offer.proposed") | {"comment": "\ud83d"}
    reject = refused(take(structured(event), AS_STRUCTURED))
    assert (reject.reason, reject.client, reject.offer) == ("BAD_FIELD", "cl-1", "of-1")
    value, headers = binary(example("offer.proposed"))
    assert refused(take(value, [*headers, ("ce_comment", b"\xed\xa0\xbd")])).reason == "NOT_UTF8"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("ce_specversion", b"0.3", "NOT_A_CLOUDEVENT"),
        ("ce_specversion", None, "NOT_A_CLOUDEVENT"),
        ("ce_id", b"", "NOT_A_CLOUDEVENT"),
        ("ce_id", b"\xff", "NOT_UTF8"),
        ("ce_source", b"with space", "BAD_FIELD"),
        ("ce_type", b"gate61.client.greeted.v1", "UNKNOWN_TYPE"),
        ("ce_subject", "cl-\u202e1".encode(), "BAD_FIELD"),
        ("ce_time", b"2026-03-02T10:00:00", "BAD_TIME"),
        ("content-type", b"text/plain", "BAD_FIELD"),
        ("ce_data", b'{"offer": "of-2"}', None),
        ("ce_traceparent", b"00-\xff", "NOT_UTF8"),
        ("ce_traceparent", "00-\ufffd".encode(), None),
    ],
)
def test_attributes_of_a_binary_event_have_the_same_limits(name: str, content: bytes | None, expected: str) -> None:
    """Its headers are no easier to pass than an envelope; other ones matter to nobody."""
    value, headers = binary(example("offer.proposed"))
    taken = take(value, [*((n, v) for n, v in headers if n != name), (name, content)])
    if expected is None:
        assert taken == take(value, headers)
    else:
        assert refused(taken).reason == expected
        assert refused(taken).offer == ("of-1" if expected != "UNKNOWN_TYPE" else None)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (b"application/vnd.acme.offer+json", None),
        (b"Application/VND.Acme.Offer+JSON; charset=UTF-8", None),
        (b"application/json;charset=utf-8", None),
        (b"text/json", None),
        (b"application/geo+json-seq", "BAD_FIELD"),
        (b"application/jsonl", "BAD_FIELD"),
        (b"json", "BAD_FIELD"),
        (b"", "BAD_FIELD"),
        (b"\xff/json\xff", "BAD_FIELD"),
        (b"application/avro; x=application/json", "BAD_FIELD"),
        (b"application/cloudevents-batch+json", "BAD_FIELD"),
    ],
)
def test_every_type_that_is_json_is_read_as_json(kind: bytes, expected: str | None) -> None:
    """By its suffix too, with parameters and in any case; a batch is no data."""
    value, headers = binary(example("offer.proposed"))
    taken = take(value, [("content-type", kind) if name == "content-type" else (name, c) for name, c in headers])
    if expected is None:
        assert taken == take(value, headers)
    else:
        assert (refused(taken).reason, refused(taken).offer) == (expected, "of-1")


@pytest.mark.parametrize("missing", ["specversion", "id", "source", "type", "subject", "time"])
def test_an_attribute_that_is_missing_is_named(missing: str) -> None:
    """In both modes with the same reason and words."""
    event = {n: v for n, v in example("offer.proposed").items() if n != missing}
    said = [refused(take(structured(event), AS_STRUCTURED)), refused(take(*binary(event)))]
    assert said[0].reason == said[1].reason
    assert missing in said[0].message and missing in said[1].message


def test_a_repeated_attribute_is_refused_though_both_say_the_same() -> None:
    """Which one holds is for nobody to guess; readers of headers differ in it."""
    value, headers = binary(example("offer.proposed"))
    for twice in ("ce_id", "CE_ID", "ce_whatever", "content-type"):
        extra: Headers = [(twice, b"1"), (twice.upper(), b"1")]
        reject = refused(take(value, [*headers, *extra]))
        assert reject.reason == "REPEATED_HEADER" and twice.lower() in reject.message
        assert (reject.client, reject.offer) == ("cl-1", "of-1")
    assert isinstance(take(value, [*headers, ("other", b"1"), ("other", b"1")]), Read)


@pytest.mark.parametrize("name", ["ce_id", "ce_traceparent", "CE_Data"])
def test_a_header_that_is_not_utf_8_is_refused_as_over_http(name: str) -> None:
    """Also of an extension, which nothing else reads: in structured mode it would be refused, too."""
    value, headers = binary(example("offer.proposed"))
    garbled = [(n, c) for n, c in headers if n != name] + [(name, b"e-\xff")]
    taken = refused(take(value, garbled))
    assert (taken.reason, taken.client) == ("NOT_UTF8", KEY.decode()) and f"'{name.lower()}'" in taken.message
    kind = ("content-type", STRUCTURED)
    structured_one = take(structured(example("offer.proposed")), [kind, (name, b"\xff")])
    assert isinstance(structured_one, Read), "headers beside a structured event are no part of it"


def answer_id(value: bytes, headers: Headers) -> str:
    """Of the answer to an offer that cannot be read."""
    return unreadable_id(value, beside(headers), POLICY)


def test_the_same_offer_that_cannot_be_read_has_one_answer_wherever_it_is_sent() -> None:
    """A structured one its own bytes alone; a binary one also what its headers say of it, in any order and case."""
    event = example("offer.proposed")
    event["data"] = {**event["data"], "service": "gambling"}
    whole, gate = structured(event), Gate(POLICY, MemoryStore())
    reject = gate.take(whole)
    assert isinstance(reject, Rejected)
    in_files = json.loads(gate.answer_to_reject(reject, whole) or b"")["data"]["decision"]
    foreign: Headers = [("traceparent", b"00-1"), ("ce_id", b"another"), ("Other", None)]
    named: Headers = [("Content-Type", STRUCTURED + b"; charset=utf-8")]
    for headers in (AS_STRUCTURED, [*foreign, *AS_STRUCTURED], named):
        assert answer_id(whole, headers) == in_files
    value, own = binary(event)
    told = answer_id(value, own)
    assert told != in_files
    for headers in (own[::-1], [*own, ("traceparent", b"00-1")], [(name.upper(), said) for name, said in own]):
        assert answer_id(value, headers) == told
    for name, said in own:
        assert answer_id(value, [*(h for h in own if h[0] != name), (name, said and said + b"1")]) != told
    assert answer_id(value + b" ", own) != told


def test_a_record_without_a_value_is_no_event() -> None:
    """A tombstone, in either mode."""
    assert refused(take(None, AS_STRUCTURED)).reason == "NOT_JSON"
    assert refused(take(None, binary(example("offer.proposed"))[1])).reason == "NOT_JSON"


@pytest.mark.parametrize("key", [None, b"", b"cl-2", b'"cl-1"', b"cl-1\0", b"\xff" * 1_000_000])
def test_a_key_that_is_not_the_client_is_never_decided(key: bytes | None) -> None:
    """His events would not stay in order; the offer is blocked."""
    for value, headers in ((structured(example("offer.proposed")), AS_STRUCTURED), binary(example("offer.proposed"))):
        reject = refused(take(value, headers, key))
        assert (reject.reason, reject.client, reject.offer) == ("WRONG_PARTITION", "cl-1", "of-1")
        assert "key" in reject.message


def test_a_record_on_another_partition_is_never_decided() -> None:
    """The message says where it belongs and how other clients get there."""
    for number in range(PARTITIONS):
        taken = take(structured(example("offer.proposed")), AS_STRUCTURED, place=(number, PARTITIONS))
        if number == PLACE[0]:
            assert isinstance(taken, Read)
        else:
            assert refused(taken).reason == "WRONG_PARTITION"
            assert f"partition {PLACE[0]} " in refused(taken).message and "murmur2_random" in refused(taken).message


def test_what_is_known_beyond_one_client_has_any_key() -> None:
    """Its topic has one partition."""
    for key in (None, b"whatever"):
        assert isinstance(take(structured(example("asset.classified")), AS_STRUCTURED, key, None), Read)


def test_a_client_is_where_kafkas_own_clients_put_him() -> None:
    """Values of Kafka's own test of its hash (`UtilsTest.testMurmur2`), and kafka-python's on any key."""
    known = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }
    assert {key: (murmur2(key) + 2**31) % 2**32 - 2**31 for key in known} == known
    rng = Random(61)
    for length in range(200):
        key = rng.randbytes(length)
        assert murmur2(key) == kafka_python_murmur2(key) & 0xFFFFFFFF
        assert partition_of(key, 48) == (kafka_python_murmur2(key) & 0x7FFFFFFF) % 48


def test_dead_letters_say_why_in_headers() -> None:
    """UTF-8 text, whatever it is about."""
    headers = dead_letter_headers(partition=3, reason="NOT_UTF8", message="\ud800 é", topic="t")
    assert headers == [
        ("gate61.errors.topic", b"t"),
        ("gate61.errors.partition", b"3"),
        ("gate61.errors.reason", b"NOT_UTF8"),
        ("gate61.errors.message", "\\ud800 é".encode()),
    ]


# --- Against the SDK of CloudEvents ---


def sdk_event(name: str) -> CloudEvent:
    """The SDK's own event of an example."""
    event = example(name)
    attributes = {n: v for n, v in event.items() if n not in ("data", "time", "recordedtime")}
    return CloudEvent({**attributes, "time": datetime.fromisoformat(event["time"])}, event["data"])


@pytest.mark.parametrize("name", DATA)
def test_what_the_sdk_writes_is_read(name: str) -> None:
    """In both of its modes, as the same fact."""
    expected = take(structured(example(name)), AS_STRUCTURED)
    for write in (to_binary_event, to_structured_event):
        message = write(sdk_event(name))
        assert take(message.value, list(message.headers.items())) == expected


def fact_of(event: BaseCloudEvent) -> Fact | None:
    """What our reader makes of an event that the SDK has read."""
    attributes = {n: v for n, v in event.get_attributes().items() if n not in ("partitionkey", "recordedtime")}
    attributes["time"] = attributes["time"].isoformat()
    taken = read(json.dumps({**attributes, "data": event.get_data()}).encode(), 0, MINUTE, APPENDED)
    return taken.fact if isinstance(taken, Read) else None


def test_the_sdk_agrees_wherever_we_take_a_record_and_it_does_not_raise() -> None:
    """On spoilt events in both modes: it read the same. What it takes beyond that, we refuse."""
    rng, agreed = Random(64), 0
    for number in range(4_000):
        value, headers = spoilt_record(rng, number)
        taken = take(value, headers, place=None)
        if not isinstance(taken, Read) or value is None:
            continue
        plain = {name: content or b"" for name, content in headers}
        try:
            event = from_kafka_event(KafkaMessage(plain, None, value))
        except Exception:
            continue
        if plain.get("content-type") == STRUCTURED and len(plain) > 1:
            continue  # The SDK takes copies of attributes for the binary mode.
        assert fact_of(event) == taken.fact, (value, headers)
        agreed += 1
    assert agreed > 300


# --- Whatever comes ---


def spoilt_record(rng: Random, number: int) -> tuple[bytes | None, Headers]:
    """A spoilt event in one of the modes, its headers spoilt too."""
    value: bytes | None = spoilt(rng, number)
    headers: Headers = list(AS_STRUCTURED)
    if rng.random() < 0.5:
        event = example(rng.choice(list(DATA)), f"e-{number}")
        whole, headers = binary(event)
        value = whole if rng.random() < 0.6 else value
    for _ in range(rng.choice([0, 0, 1, 2])):
        spoil_headers(rng, headers)
    return (None if rng.random() < 0.02 else value), headers


def spoil_headers(rng: Random, headers: Headers) -> None:
    """One more thing that is wrong with them."""
    names = [
        "content-type",
        "Content-Type",
        "ce_id",
        "CE_Type",
        "ce_",
        "ce_data",
        "ce_\ud800",
        "",
        "x" * 70_000,
        "ce_é",
    ]
    contents = [None, b"", b"\xff\xfe", b"1.0", STRUCTURED, b"application/json", b"x" * 300_000, b"a\0b", b";;;"]
    one = (rng.choice(names), rng.choice(contents))
    place = rng.randrange(len(headers) + 1)
    match rng.randrange(5):
        case 0 if headers:
            del headers[place % len(headers)]
        case 1 if headers:
            headers.append(headers[place % len(headers)])
        case 2 if headers:
            headers[place % len(headers)] = (headers[place % len(headers)][0], one[1])
        case 3:
            headers.extend([one] * rng.choice([1, 2, 2_000]) if len(one[0] + str(one[1])) < 100 else [one])
        case _:
            headers.insert(place, one)


def test_hostile_records_end_as_a_fact_or_a_reject() -> None:
    """None raises, all reasons that one record alone can have occur."""
    rng, ends = Random(63), set()
    for number in range(30_000):
        value, headers = spoilt_record(rng, number)
        key = KEY if rng.random() < 0.9 else rng.choice([None, b"", b"\xff", b"cl-2"])
        taken = take(value, headers, key, PLACE if rng.random() < 0.9 else None, rng.choice([0, APPENDED, APPENDED]))
        ends.add(taken.reason if isinstance(taken, Rejected) else "fact")
        if isinstance(taken, Rejected):
            dead_letter_headers(topic="t", reason=taken.reason, message=taken.message)
    assert ends == {"fact", *REASONS} - {"ID_REUSED"}


@settings(max_examples=1500, deadline=None)
@given(
    st.none() | st.binary(max_size=60),
    st.none() | st.binary(max_size=20),
    st.lists(
        st.tuples(
            st.sampled_from(["content-type", "ce_id", "ce_specversion", "ce_type"]) | st.text(max_size=12),
            st.none() | st.sampled_from([STRUCTURED, b"1.0"]) | st.binary(max_size=20),
        ),
        max_size=5,
    ),
    st.integers(1, 100),
)
def test_no_bytes_headers_or_keys_make_it_raise(
    value: bytes | None, key: bytes | None, headers: Headers, partitions: int
) -> None:
    """Fuzzed from nothing."""
    assert refused(read_record(value, key, headers, (0, partitions), APPENDED, MINUTE)).message
