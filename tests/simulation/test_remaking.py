"""`gate61 rebuild` in the simulation: whatever workers were at when they were killed, nothing stays unsaid behind it."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from kafka import TopicPartition

from state.redis.store import RedisStore
from streams.kafka.topics import topics
from streams.settings import settings
from streams.worker.outputs import CASES, DECISIONS, FLAGGED, NOTICES
from streams.worker.rebuild import Rebuild
from tests.player import asked_again
from tests.progress import counted
from tests.promises.histories import history
from tests.simulation.run import PARTITIONS, Process, plan, settle, simulate
from tests.simulation.test_rebuilding import followed_of
from tests.simulation.test_simulation import (
    _OF_PEOPLE,
    CLOCKS,
    FAULTS,
    SEEDS,
    VERDICTS,
    WATCHED,
    _by_id,
    _contradictions,
    _places,
    _published,
    _stands,
    with_clocks,
)
from tests.simulation.world import Record, World
from tests.stories.telling import asset, campaign, clean_client, offer

NAMES = topics()
_TOPIC = {topic.name: place for place, topic in enumerate(NAMES)}


class Consumer:
    """As much of kafka-python's as making state anew uses."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._at: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def _log(self, place: TopicPartition) -> list[Record]:
        return self._world.logs.get((_TOPIC[place.topic], place.partition), [])

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self._at = dict.fromkeys(places, 0)

    def seek_to_beginning(self) -> None:
        self._at = dict.fromkeys(self._at, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._at[place] = offset

    def position(self, place: TopicPartition) -> int:
        return self._at[place]

    def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self._log(place)) for place in places}

    def pause(self, place: TopicPartition) -> None:
        self._paused.add(place)

    def resume(self, place: TopicPartition) -> None:
        self._paused.discard(place)

    def poll(self, _: int, max_records: int) -> Mapping[TopicPartition, list[Record]]:
        found = {}
        for place in self._at.keys() - self._paused:
            found[place] = self._log(place)[self._at[place] :][: self._world.rng.randrange(1, 9)]
            self._at[place] += len(found[place])
        return {place: records for place, records in found.items() if records}

    def close(self) -> None:
        """Nothing is held."""


class _Killed(Exception):
    """Whatever ends the making of state."""


def _maker(world: World, monkeypatch: pytest.MonkeyPatch, told: Callable[..., None]) -> Rebuild:
    """`gate61 rebuild` of that world, once it has read register and policies."""
    made = settings({"GATE61_KAFKA": "nowhere:1", "GATE61_REDIS": "redis://nowhere"})
    rebuild: Any = Rebuild(made, world.redis, told)  # type: ignore[arg-type]
    rebuild._partitions, rebuild._followed, rebuild._kafka = PARTITIONS, followed_of(world), world.kafka
    rebuild._acknowledged = {
        TopicPartition(name.name, number): at
        for number, both in world.acknowledged.items()
        for name, at in zip((NAMES.actions, NAMES.between), both, strict=True)
    }
    monkeypatch.setattr("streams.worker.rebuild.reader", lambda _: Consumer(world))
    monkeypatch.setattr(rebuild, "_wait_for_workers_to_leave", lambda: None)
    monkeypatch.setattr(
        rebuild,
        "_store",
        lambda number, below="": RedisStore(world.redis, f"t:{number}", below=below),  # type: ignore[arg-type]
    )
    made_anew: Rebuild = rebuild
    return made_anew


def _lose(world: World, number: int) -> None:
    """Of what there is, what says how far it came, or what was not published, is gone."""
    key, field = world.rng.choice([(b"outbox", b""), (b"notes", b"register"), (b"meta", b"next"), (b"meta", b"")])
    held = world.redis.data.get(b"{t:%d}:%b" % (number, key))
    if field and held:
        held.pop(field, None)
    elif held is not None:
        del world.redis.data[b"{t:%d}:%b" % (number, key)]


def _half(world: World, maker: Callable[..., Rebuild], number: int) -> None:
    """One that is killed, after its first key or some records."""
    left = iter(range(world.rng.randrange(4)))

    def told(*_: int) -> None:
        if next(left, None) is None:
            raise _Killed

    with suppress(_Killed):
        maker(world, told=told).make(number)


def _remaking(seed: int, loses: bool, monkeypatch: pytest.MonkeyPatch) -> Callable[[World], None]:
    """Makes state anew: at once, or after it was killed and a worker, or the next one, came upon what was left."""
    monkeypatch.setattr("streams.worker.partition.CLOSED_AT_ONCE", 1)
    monkeypatch.setattr("streams.worker.reopening.REOPENED_AT_ONCE", 1)
    rng = Random(seed)

    def maker(world: World, told: Callable[..., None] = lambda *_: None) -> Rebuild:
        return _maker(world, monkeypatch, told)

    def remade(world: World) -> None:
        for number in range(PARTITIONS):
            if loses and rng.random() < 0.5:
                _lose(world, number)
            for _ in range(rng.choice([0, 0, 1, 2])):
                _half(world, maker, number)
            if loses or rng.random() < 0.8:  # Else a worker goes on with what there is.
                maker(world).make(number)
                beside = (b"{t:%d}:%b" % (number, name) for name in (b"making", b"unpublished"))
                assert not any(map(world.redis.get, beside))

    return remade


LOSES = pytest.mark.parametrize("loses", [False, True])
"""Whether Redis lost how far the state had come, too."""


@LOSES
def test_what_was_remembered_and_not_published_is_published_behind_it(
    loses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers, notices and cases as `gate61 decide` gives them, wherever between two effects the workers died."""
    for seed in counted(range(SEEDS // 20)):
        planned, said = plan([e for e in history(seed, 60) if e["type"] != "gate61.client.merged.v1"])
        world = asyncio.run(simulate(seed, planned, FAULTS, remade=_remaking(seed, loses, monkeypatch)))
        assert _published(world, DECISIONS) == _by_id(said, "gate61.offer"), f"seed {seed}"
        assert _places(world, FLAGGED) == _places(world, DECISIONS, *WATCHED), f"seed {seed}"
        notices, expected = _published(world, NOTICES), _by_id(said, "gate61.scope", "gate61.relationship")
        assert {id: notices.get(id) for id in expected} == expected, f"seed {seed}"
        assert _published(world, CASES) == _by_id(said, "gate61.case"), f"seed {seed}"


@LOSES
def test_what_merged_clients_tell_each_other_arrives_behind_it(loses: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end no answer that stands is softer than all the facts together say (P1)."""
    for seed in counted(range(SEEDS // 20)):
        planned, _ = plan([e for e in history(seed, 60) if e["type"] not in _OF_PEOPLE])
        world = asyncio.run(simulate(seed, planned, FAULTS, remade=_remaking(seed, loses, monkeypatch)))
        have = _stands(_published(world, DECISIONS))
        for asked, answer in asked_again([json.loads(p.line or b"") for p in planned]).items():
            assert VERDICTS.index(have[asked]) >= VERDICTS.index(answer["verdict"]), f"seed {seed}, {asked}"


@LOSES
@pytest.mark.parametrize("clocks", CLOCKS)
def test_brokers_whose_clocks_differ_make_no_answer_contradict_what_was_published_before_it(
    clocks: str, loses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one published for half of those who watch."""
    for seed in counted(range(SEEDS // 100)):
        world = with_clocks(seed, CLOCKS[clocks], _remaking(seed, loses, monkeypatch))
        assert not [*_contradictions(world)], f"seed {seed}"
        assert _places(world, FLAGGED) == _places(world, DECISIONS, *WATCHED), f"seed {seed}"


def test_changes_of_the_register_that_nobody_told_of_are_told_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """They came after all that was acknowledged; the one before the last concerns an answer, and Redis lost the place."""
    events = [*clean_client(), offer(), campaign("ads", at="-60 d"), asset("doge", "-30 d")]
    planned, said = plan(events)
    told = len(planned) - 2

    async def run() -> World:
        world = await simulate(1, planned[:told], 0.0)
        for event in planned[told:]:
            world.clock = event.at
            world.append(event.topic, event.partition, event.key, event.line, event.headers)
        for number in range(PARTITIONS):
            world.redis.do(b"UNLINK", f"{{t:{number}}}:outbox")
            _maker(world, monkeypatch, lambda *_: None).make(number)
        await settle(world, [Process(world)])
        return world

    answers = _published(asyncio.run(run()), DECISIONS)
    assert answers == _by_id(said, "gate61.offer") and len(answers) == 2
