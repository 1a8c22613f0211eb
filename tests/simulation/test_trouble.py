"""A partition in trouble: it is not taken for well before it got something done, and counts nothing that did not happen."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from state.redis.store import RedisStore
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.worker.loop import FIRST_WAIT, LONGEST_WAIT, PartitionLoop
from streams.worker.outputs import CONTENT_TYPE, DECISIONS
from streams.worker.partition import Partition
from tests.simulation.world import ACTIONS, POLICY, Publisher, Source, Surroundings, Trouble, World
from tests.stories.telling import offer

OFFERS = 40


class Failing(Surroundings):
    """Work that fails as long as somebody says so; how long it was waited after errors is kept."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.fails: Callable[[str], bool] = lambda work: False
        self.rested: list[float] = []

    async def sleep(self, seconds: float, stopped: asyncio.Event) -> None:
        if seconds >= FIRST_WAIT:
            self.rested.append(seconds)
        await super().sleep(seconds, stopped)

    async def apart(self, work: Callable[..., Any], *given: Any) -> Any:
        if self.fails(work.__name__):
            raise Trouble(work.__name__)
        return await super().apart(work, *given)

    aside = apart


class Behind(Source):
    """A log that is not read to its end, for which everything waits."""

    async def ends(self) -> list[int]:
        found = await super().ends()
        return [end + (log is Log.BETWEEN) for log, end in zip(Log, found, strict=True)]


@pytest.fixture
def world() -> World:
    world = World(Random(1), 0.0)
    world.clock = 1_780_000_000_000_000
    world.append(POLICY, 0, None, DEFAULT.read_bytes())
    return world


@pytest.fixture
def failing(world: World) -> Failing:
    return Failing(world)


@pytest.fixture
def loop(world: World, failing: Failing) -> PartitionLoop:
    followed = Followed()
    followed.add(Log.POLICY, world.logs[POLICY, 0][0])
    store = RedisStore(world.redis, "t:0")  # type: ignore[arg-type]
    return PartitionLoop(Partition(0, 1, followed, store, "0"), Source(world, 0), Publisher(world), failing)


async def test_a_mistake_of_our_own_is_not_called_waiting(loop: PartitionLoop, failing: Failing, world: World) -> None:
    """Nothing that is waited for mends it: whoever looks is to know, and where to look; never what a client is called."""

    async def broken(work: Callable[..., Any], *given: Any) -> Any:
        if work.__name__ == "recall":
            raise KeyError("anna")
        return await failing.apart(work, *given)

    failing.aside = broken  # type: ignore[method-assign]
    await _states(loop, lambda: loop.trouble)
    assert loop.state.startswith("stopped: KeyError") and "anna" not in loop.state
    assert not [said for said in world.happened if "anna" in said]


def _offers(world: World, many: int) -> None:
    for n in range(many):
        said = json.dumps(offer(who="anna", id=f"o{n}", offer=f"o{n}")).encode()
        world.append(ACTIONS, 0, b"anna", said, (CONTENT_TYPE,))


async def _states(loop: PartitionLoop, until: Callable[[], object]) -> set[str]:
    """What it is in meanwhile."""
    found = set[str]()
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(20):
        while not until():
            await asyncio.sleep(0)
            found.add(loop.state.partition(":")[0])
    running.cancel()
    await asyncio.wait([running])
    return found


async def test_a_partition_that_is_stuck_stays_in_trouble_while_records_come(
    world: World, failing: Failing, loop: PartitionLoop
) -> None:
    """It took them, which is nothing done; and it is tried again more and more rarely."""
    _offers(world, OFFERS)
    loop._source, rounds = Behind(world, 0), 0

    def fails(work: str) -> bool:
        """Nothing of it is judged in one round, and in another it fails."""
        nonlocal rounds
        rounds += work == "work"
        return work == "work" and world.rng.random() < 0.5 and loop.partition.holds

    failing.fails = fails
    await _states(loop, lambda: failing.rested)
    failing.rested.clear()
    assert await _states(loop, lambda: len(failing.rested) > 9) == {"waiting"}
    assert rounds > 15 and failing.rested == [0.5, 1, 2, 4, 8, *[LONGEST_WAIT] * 5]


@pytest.mark.parametrize("many", [0, OFFERS])
async def test_who_got_over_his_trouble_is_well_at_once(
    world: World, failing: Failing, loop: PartitionLoop, many: int
) -> None:
    """Also where nothing comes; the next trouble is its first again."""
    _offers(world, many)
    failing.fails = lambda work: len(failing.rested) < 3
    await _states(loop, lambda: loop.state == "running" and loop.trouble is None and len(failing.rested) == 3)
    assert failing.rested == [0.5, 1, 2] and loop._wait == FIRST_WAIT
    assert len(world.logs.get((DECISIONS, 0), [])) == 0 or many


async def test_answers_are_counted_when_they_are_remembered_each_once(
    world: World, failing: Failing, loop: PartitionLoop
) -> None:
    """Not when a batch is judged that Redis does not take, nor again with the one that it takes; errors when they are met."""
    _offers(world, OFFERS)
    fails = iter(["remember", "remember", "work", "remember"])
    next_fails = next(fails)

    def failing_next(work: str) -> bool:
        nonlocal next_fails
        if work != next_fails or (not loop.partition.holds and loop.partition.remembered == loop.partition.place):
            return False
        next_fails = next(fails, "")
        return True

    failing.fails = failing_next
    told: Counter[tuple[str, str]] = Counter()

    def took(partition: Partition) -> None:
        told.update(partition.counts)
        partition.counts.clear()

    loop.told = took
    await _states(loop, lambda: len(world.logs.get((DECISIONS, 0), [])) == OFFERS and not next_fails)
    assert sum(many for (what, _), many in told.items() if what == "block") == OFFERS == told["taken", ""]
    assert told["trouble", "waiting"] == 4
