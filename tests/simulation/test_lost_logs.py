"""A log that was made anew, or lost its end and grew again, is found out though it reaches as far as the state does."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from streams.worker.outputs import BETWEEN, CONTENT_TYPE, DECISIONS
from tests.simulation.dense import dense
from tests.simulation.run import PARTITIONS, Process, plan, simulate
from tests.simulation.world import ACTIONS, Record, World
from tests.stories.telling import clean_client, located, offer

HOUR = 3_600_000_000


async def _goes_on(world: World) -> list[str]:
    """What states the loops of a new worker come to."""
    process = Process(world)
    for _ in range(300):
        await asyncio.sleep(0)
    states = [loop.state for loop in process.loops]
    await process.kill()
    return states


def _anew(log: list[Record], after: int) -> Iterator[Record]:
    """The same records, of which those from some offset on were appended an hour later."""
    for record in log:
        yield record._replace(timestamp=record.timestamp + (HOUR // 1000 if record.offset >= after else 0))


@pytest.mark.parametrize("topic", [ACTIONS, BETWEEN])
@pytest.mark.parametrize("lost", ["all", "the end"])
def test_nothing_is_decided_on_a_log_that_is_another(topic: int, lost: str) -> None:
    planned, _ = plan([*dense(2), *clean_client("fritz"), *clean_client("gerd")])
    world = asyncio.run(simulate(2, planned, 0.0))
    answers = {n: list(world.logs.get((DECISIONS, n), [])) for n in range(PARTITIONS)}
    for n in range(PARTITIONS):
        log = world.logs[topic, n]
        world.logs[topic, n] = [*_anew(log, 0 if lost == "all" else len(log) - 1)]
        more = offer(who=("anna", "ben")[n], id="one more")
        world.append(ACTIONS, n, more["subject"].encode(), b"{}")
    states = asyncio.run(_goes_on(world))
    assert all(state.startswith("stopped: LogLost") and "gate61 rebuild" in state for state in states), states
    assert answers == {n: world.logs.get((DECISIONS, n), []) for n in range(PARTITIONS)}


def test_answers_that_their_log_lost_are_said() -> None:
    """They are not given again: whoever reads that log must be told."""
    planned, _ = plan([*clean_client(), offer(), *(located(at=f"{n} h") for n in range(3, 9))])
    world = asyncio.run(simulate(1, planned, 0.0))
    (number,) = (n for n in range(PARTITIONS) if world.logs.get((DECISIONS, n)))
    world.logs[DECISIONS, number].clear()
    world.happened.clear()
    assert set(asyncio.run(_goes_on(world))) == {"running"}
    assert [what for what in world.happened if f"{number} misses answers that were published" in what]


def test_answers_that_their_log_loses_while_a_worker_runs_are_said() -> None:
    """By the next ones: later on their offsets are all that is noted."""
    planned, _ = plan(
        [*clean_client(), offer(), offer("3 h", id="second"), *(located(at=f"{n} h") for n in range(4, 9))]
    )
    world = asyncio.run(simulate(1, planned, 0.0))
    (number,) = (n for n in range(PARTITIONS) if world.logs.get((DECISIONS, n)))

    async def runs() -> None:
        process = Process(world)
        for _ in range(300):
            await asyncio.sleep(0)
        world.logs[DECISIONS, number].clear()
        more = {**offer("10 h", id="third"), "subject": "anna"}
        world.append(ACTIONS, number, b"anna", json.dumps(more).encode(), (CONTENT_TYPE,))
        for _ in range(300):
            await asyncio.sleep(0)
        await process.kill()

    world.happened.clear()
    asyncio.run(runs())
    assert len(world.logs[DECISIONS, number]) == 1
    assert [what for what in world.happened if f"{number} misses answers that were published" in what]
