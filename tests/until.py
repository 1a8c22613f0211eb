"""Waiting, within an event loop, for what a test means: as long as it takes, and no longer."""

import asyncio
from collections.abc import Callable


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Returns in the turn in which it is true; `TimeoutError` if that does not come within the time."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0)
