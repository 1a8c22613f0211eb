"""A partition's loop at work in a simulated world, as a worker has it: it is begun, goes round, and is stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.worker.loop import PartitionLoop
from tests.simulation.world import World
from tests.until import until


@asynccontextmanager
async def going(loop: PartitionLoop) -> AsyncIterator[None]:
    """The loop goes round for as long as this lasts."""
    running = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        loop.stop()
        await asyncio.wait_for(running, 20)


async def rounds(world: World, many: int) -> None:
    """Until so many more rounds are over; in each there is work, though it be none."""
    upto = world.effects.count("work") + many + 1
    await until(lambda: world.effects.count("work") >= upto)
