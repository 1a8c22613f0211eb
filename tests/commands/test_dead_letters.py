"""What a record of the dead letters is, which are chosen, and where a copy belongs: without a broker."""

import base64
import json
from typing import Any, NamedTuple

import pytest
from kafka import TopicPartition

from gate.policy import SECOND
from streams.commands.dlq import Shown, _lines, _page, _row
from streams.kafka.dead_letters import Choice, DeadLetter, Note, all_of, letters, place_of, read, survey
from streams.kafka.record import dead_letter_headers, partition_of
from streams.kafka.replay import Done, Inputs, Left, Target, decide
from streams.kafka.topics import topics
from streams.since import age, since
from tests.commands.program import run

NAMES = topics("x-")
NOW = 1_772_445_600_000_000
EVENT = {
    "specversion": "1.0",
    "id": "loc-1",
    "source": "//platform",
    "type": "gate61.client.located.v1",
    "subject": "anna",
    "time": "2026-03-02T09:00:00Z",
    "data": {"indicator": "kyc_residence", "country": "DE"},
}
STRUCTURED = ("content-type", b"application/cloudevents+json")
REPLAYED_BEFORE = ("gate61.replay", b"0:1")


class Record(NamedTuple):
    """As Kafka's clients hand it out."""

    topic: str = NAMES.rejected.name
    partition: int = 3
    offset: int = 17
    timestamp: int = NOW // 1000
    key: bytes | None = b"anna"
    value: bytes | None = json.dumps(EVENT).encode()
    headers: tuple[tuple[str, bytes | None], ...] = (STRUCTURED,)


def errors(**changed: Any) -> tuple[tuple[str, bytes | None], ...]:
    """What the worker adds."""
    said: dict[str, Any] = {"topic": NAMES.actions.name, "partition": 3, "offset": 5, "reason": "WRONG_PARTITION"}
    return tuple(dead_letter_headers(**{**said, "message": "elsewhere", **changed}))


def letter(record: Record = Record(), register: bool = False, **changed: Any) -> DeadLetter:
    """A dead letter."""
    found = read(record._replace(headers=(*record.headers, *errors(**changed))), register)
    assert isinstance(found, DeadLetter)
    return found


def event(**changed: Any) -> bytes:
    """An event, changed."""
    return json.dumps({**EVENT, **changed}).encode()


def test_a_dead_letter_is_the_record_as_it_came_and_what_the_worker_said() -> None:
    """The worker speaks last, so that what a platform wrote under the same name does not count."""
    forged = (("gate61.errors.reason", b"NOT_JSON"), ("gate61.errors.topic", b"elsewhere"))
    found = letter(Record(headers=(*forged, STRUCTURED, ("empty", None), ("empty", b"\xff"))))
    assert (found.place, found.reason, found.message) == ("3:17", "WRONG_PARTITION", "elsewhere")
    assert found.headers == (*forged, STRUCTURED, ("empty", None), ("empty", b"\xff")), "nothing of it is lost"
    assert found.errors["topic"] == NAMES.actions.name
    assert letter(register=True).place == "register:17"


def test_nobody_but_the_program_can_say_that_something_was_replayed() -> None:
    """A platform's record with the header of a note is a dead letter: the worker's headers are in it."""
    note = (("gate61.replayed", b"3:4"), ("gate61.replayed.as", b"t:1:2"))
    assert read(Record(key=None, value=None, headers=note), False) == Note("3:4", NOW, "t:1:2")
    assert letter(Record(headers=note)).headers == note


def test_choices() -> None:
    """Each narrows; none takes all."""
    one = letter()
    assert Choice().takes(one)
    assert Choice(frozenset({"3:17"}), frozenset({"WRONG_PARTITION"}), frozenset({"anna"}), NOW).takes(one)
    assert not Choice(places=frozenset({"3:18"})).takes(one)
    assert not Choice(reasons=frozenset({"NOT_JSON"})).takes(one)
    assert not Choice(clients=frozenset({"ann"})).takes(one)
    assert not Choice(since=NOW + 1).takes(one)


@pytest.mark.parametrize(("said", "place"), [("3:17", "3:17"), ("03:0017", "3:17"), ("register:4", "register:4")])
def test_places(said: str, place: str) -> None:
    """One place has one name."""
    assert place_of(said) == place


@pytest.mark.parametrize("said", ["3", "3:", ":3", "-1:2", "a:1", "3:1:2", "٣:1", ""])
def test_what_is_no_place_is_refused(said: str) -> None:
    """With what to say instead."""
    with pytest.raises(ValueError, match="PARTITION:OFFSET"):
        place_of(said)


class Reading:
    """A consumer of topics that hold so many dead letters a partition; notes what it reads."""

    def __init__(self, each: int, notes: frozenset[int]) -> None:
        self._each, self._notes = each, notes
        self._places: dict[TopicPartition, int] = {}
        self.read: list[tuple[str, int, int]] = []

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0} if topic == NAMES.register_rejected.name else {0, 1, 2, 3}

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 5)

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self._each)

    def assign(self, places: list[TopicPartition]) -> None:
        self._places = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._places[place] = offset

    def position(self, place: TopicPartition, _: int) -> int:
        return self._places[place]

    def poll(self, _: int) -> dict[TopicPartition, list[Record]]:
        found = {}
        for place, offset in self._places.items():
            if offset < self._each:
                self._places[place] += 1
                self.read.append((place.topic, place.partition, offset))
                note = (("gate61.replayed", b"2:17"), ("gate61.replayed.as", b"t:1:2"))
                said = note if offset in self._notes else (STRUCTURED, *errors())
                found[place] = [Record(place.topic, place.partition, offset, headers=said)]
        return found


def test_of_a_place_only_what_stands_behind_it_is_read() -> None:
    """That is where it would be noted that it was replayed; then the letter itself, and nothing else."""
    consumer = Reading(20, frozenset({19}))
    surveyed = survey(consumer, NAMES, Choice(frozenset({"2:17"})))
    assert list(surveyed.found) == list(surveyed.notes) == ["2:17"]
    assert [found.place for found in letters(consumer, NAMES, surveyed)] == ["2:17"]
    topic = NAMES.rejected.name
    assert consumer.read == [(topic, 2, 17), (topic, 2, 18), (topic, 2, 19), (topic, 2, 17)]


@pytest.mark.parametrize("place", ["2:20", "2:4", "4:6", "register:20"])
def test_where_no_dead_letter_is_none_is_found(place: str) -> None:
    """Behind the end, deleted since, or of a partition that is not there."""
    surveyed = survey(Reading(20, frozenset()), NAMES, Choice(frozenset({place})))
    assert not surveyed.found and not list(letters(Reading(20, frozenset()), NAMES, surveyed))


def test_places_of_both_topics_are_read() -> None:
    """In the order of the topics, whatever was named first."""
    consumer = Reading(20, frozenset())
    surveyed = survey(consumer, NAMES, Choice(frozenset({"register:6", "3:7", "3:6"})))
    assert [found.place for found in letters(consumer, NAMES, surveyed)] == ["3:6", "3:7", "register:6"]
    assert {(topic, partition) for topic, partition, _ in consumer.read} == {
        (NAMES.rejected.name, 3),
        (NAMES.register_rejected.name, 0),
    }


COUNTS = {NAMES.actions.name: 8, NAMES.between.name: 8, NAMES.register.name: 1, NAMES.policy.name: 1}
INPUTS = Inputs(NAMES, COUNTS, 60 * SECOND)


def test_a_copy_goes_where_its_key_belongs() -> None:
    """That heals a wrong partition, and a clock that was ahead heals with time."""
    assert INPUTS.target(letter(), NOW) == Target(NAMES.actions.name, partition_of(b"anna", 8))
    ahead = letter(Record(value=event(time="2026-03-02T10:05:00Z")), reason="FROM_THE_FUTURE")
    refused = INPUTS.target(ahead, NOW)
    assert isinstance(refused, Left) and "FROM_THE_FUTURE" in refused.why
    assert isinstance(INPUTS.target(ahead, NOW + 300 * SECOND), Target)


def test_register_and_policy_go_back_to_their_own_topics() -> None:
    """Both have one partition, and keys that say nothing."""
    entity = event(type="gate61.entity.registered.v1", data={"entity": "firm", "relation": "firm"})
    of_register = letter(Record(value=entity, key=None), register=True, topic=NAMES.register.name)
    assert INPUTS.target(of_register, NOW) == Target(NAMES.register.name, 0)
    of_policy = letter(Record(value=b"[window]", key=None), register=True, topic=NAMES.policy.name)
    refused = INPUTS.target(of_policy, NOW)
    assert isinstance(refused, Left) and "refused again" in refused.why


@pytest.mark.parametrize(
    ("record", "changed", "why"),
    [
        (Record(value=b"{"), {}, "NOT_JSON"),
        (Record(key=b"ben"), {}, "must be the subject's bytes"),
        (Record(key=None), {}, "no key"),
        (Record(), {"reason": "ID_REUSED"}, "the first event of that id stands"),
        (Record(), {"topic": "payments"}, "`payments`, which is no input of this gate"),
        (Record(), {"topic": NAMES.register.name}, "publish it there"),
        (Record(), {"topic": NAMES.between.name}, "no message between merged clients"),
        (
            Record(value=event(type="gate61.campaign.ended.v1", data={"campaign": "c"})),
            {"reason": "UNKNOWN_TYPE"},
            "publish it there",
        ),
    ],
)
def test_what_would_be_refused_again_is_left(record: Record, changed: dict[str, Any], why: str) -> None:
    """With the reason, so that no pile grows of itself."""
    left = INPUTS.target(letter(record, **changed), NOW)
    assert isinstance(left, Left) and why in left.why


def test_what_the_gate_did_not_put_there_is_left() -> None:
    """Without the worker's headers nobody knows where it came from."""
    foreign = read(Record(), False)
    assert isinstance(foreign, DeadLetter) and foreign.reason == "NOT_OF_THE_GATE"
    left = INPUTS.target(foreign, NOW)
    assert isinstance(left, Left) and "no dead letter of the gate" in left.why


def test_what_was_replayed_is_not_sent_again() -> None:
    """A note decides before anything else."""
    done = decide(letter(), INPUTS, {"3:17": Note("3:17", NOW, "t:1:2")}, NOW)
    assert isinstance(done, Done) and (done.what, done.said) == ("before", "t:1:2, 2026-03-02T10:00:00Z")


EVIL = "\x1b[2J\x07\u202e\x9b31m\r\nforged row"


def test_no_byte_of_others_reaches_the_terminal_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Key, headers, message and value are escaped; a line of a value cannot pass for one of ours."""
    evil = EVIL.encode()
    found = letter(
        Record(key=evil, value=evil, headers=((EVIL, evil), ("bytes", b"\xff"))), message=EVIL, reason=EVIL, topic=EVIL
    )
    _page(found, Note("3:17", NOW, EVIL), Shown.AUTO)
    shown = capsys.readouterr().out
    row = _row(found, None)
    assert "\n" not in row
    for words in (shown.replace("\n", ""), row):
        assert all(c.isprintable() for c in words)
    assert "\\x1b[2J" in shown and "\\xff" in shown
    assert not any(line.startswith("forged") for line in shown.splitlines())
    assert "  | forged row" in shown.splitlines()


@pytest.mark.parametrize(
    ("data", "shown", "lines"),
    [
        ("größe\n".encode(), Shown.AUTO, ["größe", ""]),
        (b"\xff\x00", Shown.AUTO, ["/wA="]),
        (b"\xff\x00", Shown.TEXT, ["\\xff\\x00"]),
        (b"ab", Shown.BASE64, ["YWI="]),
        (bytes(33), Shown.HEX, [f"000000  {'00 ' * 31}00", "000020  00"]),
    ],
)
def test_values_are_shown_as_asked(data: bytes, shown: Shown, lines: list[str]) -> None:
    """By itself as text, or in base64 where it is none."""
    assert list(_lines(data, shown)) == lines


def test_as_json_nothing_is_lost() -> None:
    """Bytes that are no text are in base64 under a name that says so; control characters are JSON's escapes."""
    found = all_of(letter(Record(key=b"\xff", value=EVIL.encode(), headers=(("a", None), ("b", b"\xfe")))), None)
    assert base64.b64decode(found["key_base64"]) == b"\xff" and found["value"] == EVIL
    assert found["headers"] == [{"name": "a", "value": None}, {"name": "b", "value_base64": "/g=="}]
    assert found["came_from"] == {"topic": NAMES.actions.name, "partition": "3", "offset": "5"}
    assert "\x1b" not in json.dumps(found)


@pytest.mark.parametrize(("said", "ago"), [("90s", 90), ("15m", 900), ("1h", 3600), ("2 d", 172_800), ("1w", 604_800)])
def test_since_so_long_ago(said: str, ago: int) -> None:
    """In the units that people use."""
    assert since(said, NOW) == NOW - ago * SECOND


def test_since_a_time() -> None:
    """With a zone; anything else is refused with examples."""
    assert since("2026-03-02T11:00:00+01:00", NOW) == NOW
    for wrong in ("yesterday", "1y", "2026-03-02", "-1h", ""):
        with pytest.raises(ValueError, match="say how long ago"):
            since(wrong, NOW)


def test_ages() -> None:
    """Two units at most."""
    ages = [age(NOW - seconds * SECOND, NOW) for seconds in (-5, 3, 59, 60, 3_660, 90_000, 864_000)]
    assert ages == ["0 s", "3 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h", "10 d 0 h"]


@pytest.mark.parametrize(
    "words",
    [
        ["dlq", "replay"],
        ["dlq", "replay", "--all", "1:2"],
        ["dlq", "replay", "--all", "--reason", "NOT_JSON"],
        ["dlq", "replay", "1-2"],
        ["dlq", "show", "x"],
        ["dlq", "list", "--since", "yesterday"],
    ],
)
def test_wrong_use_is_refused_before_anything_is_touched(words: list[str]) -> None:
    """Exit 2, one line."""
    done = run(*words, GATE61_KAFKA="127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, b"") and done.stderr.count(b"\n") == 1
