"""A log that is slow: what is read of the others meanwhile is bounded, and nothing is decided before its turn."""

import json
from collections.abc import Collection, Sequence
from random import Random
from typing import ClassVar

import pytest

from gate.policy import SECOND
from state.codec import UnknownLayout
from state.redis.owner import Moved
from state.redis.store import RedisStore
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.worker.contracts import Answered, Fetched
from streams.worker.loop import PartitionLoop
from streams.worker.outputs import BETWEEN, CONTENT_TYPE, DECISIONS, REJECTED
from streams.worker.partition import Partition
from tests.simulation.alone import Alone
from tests.simulation.going import going, rounds
from tests.simulation.world import ACTIONS, POLICY, REGISTER, Publisher, Record, Source, Surroundings, Trouble, World
from tests.stories.telling import REGISTER as OF_REGISTER
from tests.stories.telling import clean_client, offer
from tests.until import until

CLIENTS = 60
AT_ONCE = 50
"""Records that the simulated source hands out at most."""


class Stopping(Source):
    """Its next input stops whoever reads, some times."""

    stops = 0

    async def read(self, seconds: float, wanted: Collection[Log]) -> tuple[Fetched, Fetched]:
        if self.stops:
            self.stops -= 1
            raise Trouble("read")
        return await super().read(seconds, wanted)


async def test_a_register_that_is_read_slowly_fills_no_memory_with_what_waits_for_it() -> None:
    world = World(Random(1), 0.0)
    world.clock = 1_780_000_000_000_000
    world.append(POLICY, 0, None, DEFAULT.read_bytes())
    for event in OF_REGISTER:
        world.append(REGISTER, 0, None, json.dumps(event).encode(), (CONTENT_TYPE,))
    for n in range(CLIENTS):
        for event in (*clean_client(f"c{n}")[len(OF_REGISTER) :], offer(who=f"c{n}")):
            world.append(ACTIONS, 0, event["subject"].encode(), json.dumps(event).encode(), (CONTENT_TYPE,))
    followed = Followed()
    followed.add(Log.POLICY, world.logs[POLICY, 0][0])
    source, store = Stopping(world, 0), RedisStore(world.redis, "t:0", cached=3)  # type: ignore[arg-type]
    loop = PartitionLoop(Partition(0, 1, followed, store, "0"), source, Publisher(world), Surroundings(world))
    async with going(loop):
        await rounds(world, 100)
        assert 0 < source.at[0] <= AT_ONCE and loop.partition.next[0] == 0
        for record in world.logs[REGISTER, 0]:
            followed.add(Log.REGISTER, record)
        await until(lambda: len(world.logs.get((DECISIONS, 0), [])) == CLIENTS)
        await rounds(world, 1)
        source.stops, begun = 3, world.effects.count("assume")
        await until(lambda: world.effects.count("assume") == begun + 3)
        await rounds(world, 1)
        assert len(world.logs[DECISIONS, 0]) == CLIENTS, "what is known to be published is not published again"
        takes_over = Partition(0, 1, followed, store, "0")
        async with going(PartitionLoop(takes_over, Source(world, 0), Publisher(world), Surroundings(world))):
            await until(lambda: len(world.logs[DECISIONS, 0]) > CLIENTS)  # Whoever takes over does not know.


class HeldBack(Source):
    """Somebody's transaction is open among what happens around clients."""

    def _ends(self) -> list[int]:
        *others, actions = super()._ends()
        return [*others, actions + self.open]

    open = 1


async def test_an_open_transaction_fills_no_memory_with_what_merged_clients_tell_each_other() -> None:
    """It waits for what the transaction may hold, for as long as that is open."""
    world = World(Random(1), 0.0)
    world.append(POLICY, 0, None, DEFAULT.read_bytes())
    for _ in range(10 * AT_ONCE):
        world.append(BETWEEN, 0, b"anna", b"{}")
    followed = Followed()
    followed.add(Log.POLICY, world.logs[POLICY, 0][0])
    source, store = HeldBack(world, 0), RedisStore(world.redis, "t:0")  # type: ignore[arg-type]
    loop = PartitionLoop(Partition(0, 1, followed, store, "0"), source, Publisher(world), Surroundings(world))
    async with going(loop):
        await rounds(world, 100)
        assert 0 < source.at[1] <= AT_ONCE and loop.partition.next[1] == 0
        source.open = 0
        await until(lambda: loop.partition.next[1] == len(world.logs[BETWEEN, 0]))


class Looks(Source):
    """Notes from where published answers are looked at."""

    since: ClassVar[list[int]] = []

    async def answered(self, place: Sequence[int], since: int) -> Answered:
        self.since.append(since)
        return await super().answered(place, since)


async def test_the_answers_of_a_quiet_partition_are_looked_at_once() -> None:
    """State that was made anew notes none as known: with all of them read at each start, others would wait for that."""
    world = World(Random(1), 0.0)
    world.clock = 1_780_000_000_000_000
    world.append(POLICY, 0, None, DEFAULT.read_bytes())
    world.append(ACTIONS, 0, b"anna", json.dumps(offer(who="anna")).encode(), (CONTENT_TYPE,))
    followed = Followed()
    followed.add(Log.POLICY, world.logs[POLICY, 0][0])

    def started() -> PartitionLoop:
        store = RedisStore(world.redis, "t:0")  # type: ignore[arg-type]
        return PartitionLoop(
            Partition(0, 1, followed, store, "0"), Looks(world, 0), Publisher(world), Surroundings(world)
        )

    first = started()
    async with going(first):
        await until(lambda: (DECISIONS, 0) in world.logs)
    first.partition.kept(0)  # As it stands after `rebuild`.
    first.partition.part()
    for _ in range(2):
        async with going(started()):
            await rounds(world, 1)
    assert Looks.since == [0, 0, len(world.logs[DECISIONS, 0])]


class SetBack(Surroundings):
    """A machine whose clock goes back by as much as passes."""

    passed = 0

    def now(self) -> int:
        return self.world.clock - self.passed

    def steady(self) -> int:
        self.passed += SECOND
        return self.passed


async def test_an_idle_partition_whose_clock_is_set_back_still_finds_out_that_redis_forgot() -> None:
    """How long something takes is measured by a clock that nobody sets."""
    world = World(Random(1), 0.0)
    world.append(POLICY, 0, None, DEFAULT.read_bytes())
    followed = Followed()
    followed.add(Log.POLICY, world.logs[POLICY, 0][0])
    store = RedisStore(world.redis, "t:0")  # type: ignore[arg-type]
    loop = PartitionLoop(Partition(0, 1, followed, store, "0"), Source(world, 0), Publisher(world), SetBack(world))
    async with going(loop):
        await rounds(world, 1)
        world.redis.data.clear()
        begun = world.effects.count("work")
        await until(lambda: isinstance(loop.trouble, Moved))
        assert world.effects.count("work") <= begun + 20


def test_what_a_newer_worker_tells_of_a_merged_client_waits_for_one() -> None:
    """It is never passed over: it may forbid offers. What no worker ever wrote is refused, and stops nobody."""
    alone = Alone()
    told = [
        Record("between", 0, n, 1_780_000_000_100, b"anna", said, ()) for n, said in enumerate((b"{}", b"\x1f\x80"))
    ]
    alone.partition.read([], 0, told[:1], 1)
    assert [o.topic for o in alone.partition.work([1, 0, 1, 0], 0)] == [REJECTED]
    with pytest.raises(UnknownLayout, match="update this one"):
        alone.partition.read([], 0, told, 2)
