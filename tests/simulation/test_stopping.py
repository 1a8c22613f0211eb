"""A loop that is told to stop ends at once, whatever it waits for, and leaves what it has not published to the next."""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, NoReturn
from weakref import ref

import pytest

from state.redis.owner import Fenced
from state.redis.store import RedisStore
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.worker.contracts import Answered, Fetched
from streams.worker.loop import PartitionLoop
from streams.worker.outputs import Output, outbox_from_bytes
from streams.worker.partition import Partition
from tests.simulation.world import ACTIONS, POLICY, REGISTER, Publisher, Source, Surroundings, Trouble, World
from tests.until import until


async def _for_ever() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


class Waiting(Source):
    """Kafka's client waits until the group is divided anew."""

    waits = False

    async def read(self, seconds: float, wanted: Collection[Log]) -> tuple[Fetched, Fetched]:
        self.waits = True
        await _for_ever()


class AtOnce(Source):
    """Nobody waits for anything."""

    async def answered(self, place: Sequence[int], since: int) -> Answered:
        return Answered(0, [])


class Silent(Publisher):
    """The brokers do not answer."""

    async def publish(self, outputs: Sequence[Output]) -> int | None:
        await _for_ever()


PUBLISHING = ("to keep what it publishes", 0)
"""What a loop waits for there, and since when by the world's clock."""


@pytest.fixture
def world() -> World:
    world = World(Random(1), 0.0)
    world.append(POLICY, 0, None, DEFAULT.read_bytes())
    world.append(ACTIONS, 0, b"x", b"not an event")
    return world


def _loop(world: World, source: Source, publisher: Publisher) -> PartitionLoop:
    followed = Followed()
    for record in world.logs[POLICY, 0]:
        followed.add(Log.POLICY, record)
    store = RedisStore(world.redis, "t:0")  # type: ignore[arg-type]
    return PartitionLoop(Partition(0, 1, followed, store, "0"), source, publisher, Surroundings(world))


def _outbox(world: World) -> list[Output]:
    return outbox_from_bytes(world.redis.data.get(b"{t:0}:outbox", b""))


async def test_a_loop_that_waits_for_records_ends_at_once(world: World) -> None:
    source = Waiting(world, 0)
    loop = _loop(world, source, Publisher(world))
    running = asyncio.create_task(loop.run())
    await until(lambda: source.waits)
    assert loop.state == "running"
    loop.stop()
    await asyncio.wait_for(running, 1)
    assert loop.trouble is None, "what it waited for was the records"


async def test_what_a_loop_could_not_publish_when_it_took_over_is_left_to_the_next(world: World) -> None:
    first = asyncio.create_task(_loop(world, Source(world, 0), Silent(world)).run())
    await until(lambda: _outbox(world))
    first.cancel()
    loop = _loop(world, Source(world, 0), Silent(world))
    running = asyncio.create_task(loop.run())
    await until(lambda: world.effects.count("assume") == 2 and loop.awaits == PUBLISHING)
    loop.stop()
    await asyncio.wait_for(running, 1)
    assert len(_outbox(world)) == 1


async def test_who_ends_before_the_policy_is_read_leaves_what_is_stored_as_it_is(world: World) -> None:
    """Above all that clients are still to be reopened: forgotten, what the register forbids them would be allowed."""
    world.append(REGISTER, 0, None, b"not an event")
    store = RedisStore(world.redis, "t:0")  # type: ignore[arg-type]
    store.assign()
    for name, value in {"policy": b"1", "register": b"1", "walk": b"0"}.items():
        store.note(name, value)
    store.commit(0)
    loop = PartitionLoop(
        Partition(0, 1, Followed(), store, "0"), AtOnce(world, 0), Publisher(world), Surroundings(world)
    )
    running = asyncio.create_task(loop.run())
    await until(lambda: loop.state.startswith("waiting: the policy"))
    loop.stop()
    await asyncio.wait_for(running, 1)
    assert store.noted("walk") == b"0"


async def test_what_a_loop_waits_for_kafka_to_do_is_known_meanwhile(world: World) -> None:
    loop = _loop(world, Source(world, 0), Silent(world))
    running = asyncio.create_task(loop.run())
    await until(lambda: loop.awaits == PUBLISHING)
    running.cancel()
    await asyncio.wait([running])
    assert loop.awaits is None


async def test_a_loop_that_lost_its_partition_has_told_so_when_it_ends(world: World) -> None:
    """Fencing and other trouble are counted when they are met: who is let go has no batch after it."""
    told: Counter[tuple[str, str]] = Counter()
    loop = _loop(world, Waiting(world, 0), Publisher(world))

    def took(partition: Partition) -> None:
        told.update(partition.counts)
        partition.counts.clear()

    loop.told = took
    running = asyncio.create_task(loop.run())
    await until(lambda: loop.state == "running")
    _loop(world, Source(world, 0), Publisher(world)).partition.assume("this")
    loop._trouble(_of(loop.partition.verify))
    loop.stop()
    await asyncio.wait_for(running, 1)
    assert told["trouble", "fenced"] and "another worker has taken" in loop.state


def _of(attempt: Callable[[], object]) -> Exception:
    """What an attempt meets."""
    with pytest.raises(Fenced) as met:
        attempt()
    return met.value


@contextmanager
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (RedisStore, "assign"),
        (Source, "seek"),
        (Partition, "read"),
        (Partition, "work"),
        (RedisStore, "commit"),
        (Source, "read"),
    ],
)
async def test_what_failed_is_let_go_of(world: World, monkeypatch: pytest.MonkeyPatch, where: type, what: str) -> None:
    """By itself, as a worker looks for cycles rarely: every attempt but the last, and then the partition that is given away."""
    met: list[ref[Trouble]] = []

    def fail(*_: Any) -> None:
        error = Trouble(what)
        met.append(ref(error))
        try:
            raise error
        finally:
            del error

    monkeypatch.setattr(where, what, fail)
    loop = _loop(world, Source(world, 0), Publisher(world))
    held = ref(loop.partition), ref(loop)
    with _no_collector():
        running = asyncio.create_task(loop.run())
        await until(lambda: len(met) > 5)
        loop.stop()
        await running
        assert sum(error() is not None for error in met) <= 1
        del loop, running
        assert [left() for left in held] == [None, None]
