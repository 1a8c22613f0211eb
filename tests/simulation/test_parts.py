"""Messages between merged clients that are larger than any record of their topic: told in parts, judged as one."""

import asyncio
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from gate.effects import Greeting
from state import MemoryStore
from state.codec import greeting_to_bytes
from state.messages import PART, Part, message_from_bytes, message_to_records
from state.notes import PARTS
from streams.embedded import Gate
from streams.worker.outputs import BETWEEN, DECISIONS, REJECTED, Output
from tests.player import POLICY as GATE_POLICY
from tests.player import asked_again
from tests.promises.histories import history
from tests.simulation.alone import BEGUN, Alone
from tests.simulation.dense import dense
from tests.simulation.run import PARTITIONS, plan, simulate
from tests.simulation.test_rebuilding import _kept, _rebuilt
from tests.simulation.test_simulation import FAULTS, VERDICTS, _contradictions, _published, _stands
from tests.simulation.world import Record, World
from tests.stories.telling import REGISTER, clean_client, contacted, located, merged, offer

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

ASKED = clean_client("ben")[len(REGISTER) :]
"""What makes ben's offers lawful."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if topics took hardly anything: every message travels in parts."""
    monkeypatch.setattr("state.messages.LONGEST_GREETING", 300)
    monkeypatch.setattr("state.messages.PART_BYTES", 200)


def told() -> Greeting:
    """What anna tells ben of a past that spoils what he was answered."""
    gate = Gate(GATE_POLICY, MemoryStore())
    for event in [*clean_client(), *(contacted(at=f"-{n} h", id=f"c-{n}") for n in range(3, 9))]:
        gate.take(json.dumps(event).encode())
    fact = json.dumps(merged("ben")).encode()
    found = gate._clients.learn(gate.read(fact).fact)  # type: ignore[union-attr]
    return next(effect for effect in found if isinstance(effect, Greeting))


class Of(Alone):
    """Ben's partition, to which the messages come that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.between: list[Record] = []
        self.register(*REGISTER)
        self.act(*ASKED, offer(who="ben"))
        assert answered(self.round(self.actions)) == ["allow"]

    def hears(self, records: Sequence[bytes]) -> list[Output]:
        """These arrive; each is a batch, and before each of them another worker takes over."""
        return [output for record in records for output in self._hears(record)]

    def _hears(self, value: bytes) -> list[Output]:
        self.restart()
        at = len(self.between)
        self.between.append(Record("between", 0, at, BEGUN + 60_000, b"ben", value, ()))
        partition = self.partition
        partition.read([], len(self.actions), self.between[-1:], at + 1)
        partition.recall()
        outputs = partition.work([self._governed, self._registered, at + 1, len(self.actions)], 0)
        partition.remember(outputs)
        return outputs

    def kept(self) -> Any:
        """What is kept of ben."""
        return self.store._bytes_of(b"ben")


def answered(outputs: Sequence[Output]) -> list[str]:
    """The verdicts of the answers among these."""
    return [json.loads(o.value or b"")["data"]["verdict"] for o in outputs if o.topic == DECISIONS]


def test_parts_are_judged_as_one_message_in_the_place_of_the_last(small: None) -> None:
    """Whoever takes the partition over in between goes on with what came; before the last one nothing follows."""
    parts, of_whole, of_parts = message_to_records(told()), Of(), Of()
    assert len(parts) > 3 and all(part[:1] == PART for part in parts)
    assert of_parts.hears(parts[:-1]) == [] and of_parts.kept() == of_whole.kept()
    assert answered(of_parts.hears(parts[-1:])) == answered(of_whole.hears([greeting_to_bytes(told())])) == ["block"]
    assert of_parts.kept() == of_whole.kept()


@pytest.mark.parametrize("seed", range(20))
def test_copies_of_parts_change_nothing(small: None, seed: int) -> None:
    """A sender who was stopped publishes all again, or what was not kept: some come twice, or not in their order."""
    parts, once, again = message_to_records(told()), Of(), Of()
    random = Random(seed)
    came = [part for part in parts for _ in range(random.randrange(1, 3))]
    if seed % 2:
        random.shuffle(came)
    expected = [o.value for o in once.hears(parts)]
    assert [o.value for o in again.hears([*came, *parts, *parts[:2]])] == expected
    assert again.kept() == once.kept()
    notes = {name: again.store.noted(name) for name in again.store.noted_under(PARTS)}
    assert notes and not any(notes.values()), "of what is judged no part is kept"


def test_what_an_older_worker_says_in_one_record_is_understood(small: None) -> None:
    """Such records lie in the topic for good."""
    whole = greeting_to_bytes(told())
    assert message_from_bytes(whole) == told() and answered(Of().hears([whole])) == ["block"]


def test_how_a_part_is_stored_never_changes() -> None:
    """Such records, too, lie in the topic for good."""
    stored = bytes.fromhex("1e95a362656ec410000102030405060708090a0b0c0d0e0f0102c40378797a")
    assert message_from_bytes(stored) == Part("ben", bytes(range(16)), 1, 2, b"xyz")


def test_parts_that_make_no_message_are_refused_and_stop_nobody(small: None) -> None:
    """No worker ever sends them."""
    parts, ben = message_to_records(told()), Of()
    part = message_from_bytes(parts[0])
    assert isinstance(part, Part)
    forged = PART + bytes([0x95]) + parts[0][2:].replace(part.said[-9:], b"x" * 9)
    assert [o.topic for o in ben.hears([forged, *parts[1:]])] == [REJECTED]
    for garbage in (PART, PART + b"\x90", PART + b"\x95\xa1b\xc4\x01a\x02\x02\xc4\x01x"):
        assert [o.topic for o in ben.hears([garbage])] == [REJECTED]
    assert answered(ben.hears(parts)) == ["block"], "the message itself is not taken for told"


def test_in_trouble_too_no_answer_is_softer_than_all_facts_together(small: None) -> None:
    """Whatever goes wrong, no answer contradicts another, and state made anew is the same."""
    many = 0
    for seed in range(24):
        events = dense(seed) if seed % 2 else [e for e in history(seed, 60) if "merged" in e["type"] or _plain(e)]
        planned, _ = plan(events)
        world = asyncio.run(simulate(seed, planned, FAULTS))
        many += _parts(world)
        assert not [*_contradictions(world)], f"seed {seed}"
        have = _stands(_published(world, DECISIONS))
        for asked, answer in asked_again([json.loads(p.line or b"") for p in planned]).items():
            assert VERDICTS.index(have[asked]) >= VERDICTS.index(answer["verdict"]), f"seed {seed}, {asked}"
        for number in range(PARTITIONS):
            made = _rebuilt(world, number)._redis.data
            assert _kept(made, number, True) == _kept(world.redis.data, number, True), f"seed {seed}"
    assert many > 300


def _plain(event: dict[str, Any]) -> bool:
    return event["type"] not in ("gate61.review.released.v1", "gate61.offer.delivered.v1")


def _parts(world: World) -> int:
    logs = [world.logs.get((BETWEEN, number), []) for number in range(PARTITIONS)]
    return sum((record.value or b"")[:1] == PART for log in logs for record in log)


def test_a_past_that_cannot_be_compressed_reaches_who_is_the_same_person() -> None:
    """Made-up names by the thousand, larger than any record; other clients of the partition are answered."""
    random = Random(1)

    def made_up() -> list[dict[str, str]]:
        return [{"asset": "".join(random.choices(LETTERS, k=100))} for _ in range(1_700)]

    past = [offer(f"{n} s", who="anna", id=f"o-{n}", offer=f"o-{n}", promotes=made_up()) for n in range(70)]
    events = [
        *REGISTER,
        located(),
        contacted(at="-1 h"),
        *past,
        *ASKED,
        offer(who="ben", id="of-ben"),
        merged("ben"),
        offer(who="anna", id="last"),
    ]
    planned, said = plan(events)
    world = asyncio.run(simulate(1, planned, 0.0))
    assert _parts(world) > 8
    assert not [*_contradictions(world)]
    expected = {json.loads(line)["id"]: line for line in said if b"offer.decided" in line}
    assert _stands(_published(world, DECISIONS)) == _stands(expected)
