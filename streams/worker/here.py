"""What a partition's loop needs of the world, as it is: clocks, threads, somebody to tell."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from redis.exceptions import RedisError

from gate.facts import Instant
from state.redis import errors as redis_errors
from streams.faults import fault
from streams.kafka.connection import Overheard
from streams.worker.clock import Clock

WAITING_AT_ONCE = 8
"""Partitions that wait for Redis at one time; Python runs one thread at a time besides."""

T = TypeVar("T")
log = structlog.get_logger("gate61.worker")


class Here:
    """The real surroundings of a loop."""

    unfit: tuple[str, ...] = ()
    """Why Redis may not hold state, as it was found last."""

    def __init__(self, redis: str) -> None:
        """`redis` is where that is, as people may be told."""
        self._redis = redis
        self.clock = Clock()
        self.heard = Overheard()
        """Why Kafka could not be reached, as its clients log it."""
        # Python runs one thread at a time anyhow; judging on always the same one keeps a processor's caches warm.
        self._judging = ThreadPoolExecutor(1, "judging")
        self._since: Instant | None = None
        # Not the threads that whoever asks how Redis is has: partitions may occupy all of these while it is slow.
        self._waiting = ThreadPoolExecutor(WAITING_AT_ONCE, "waiting")

    def held(self) -> str:
        """What is wrong with Redis."""
        return "; ".join(self.unfit)

    def now(self) -> Instant:
        """See `Surroundings`."""
        return self.clock.now()

    def steady(self) -> Instant:
        """See `Surroundings`."""
        return self.clock.steady()

    async def sleep(self, seconds: float, stopped: asyncio.Event) -> None:
        """Wait; not longer than until somebody stops the loop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), seconds)

    async def apart(self, work: Callable[..., T], *given: Any) -> T:
        """In the one thread that judges."""
        return await asyncio.get_running_loop().run_in_executor(self._judging, self._judged, work, *given)

    def _judged(self, work: Callable[..., T], *given: Any) -> T:
        self._since = self.steady()
        try:
            return work(*given)
        finally:
            self._since = None

    @property
    def at_it(self) -> Instant:
        """For how long the one thread has been at what it does, which is one partition's; others wait for it."""
        since = self._since  # That thread sets it meanwhile.
        return 0 if since is None else self.steady() - since

    async def aside(self, work: Callable[..., T], *given: Any) -> T:
        """In another thread, of which there are some."""
        return await asyncio.get_running_loop().run_in_executor(self._waiting, work, *given)

    def said(self, error: Exception) -> str:
        """See `Surroundings`."""
        if isinstance(error, RedisError):
            return redis_errors.said(error, self._redis)
        if mistake := fault(error):
            return mistake
        what, do = self.heard.why(error)
        return f"{what}; {do}" if do else what

    def say(self, partition: int, what: str, **details: object) -> None:
        """A line of log; never what events hold."""
        tell = log.info if what == "assumed" else log.warning
        tell(f"partition {what}", partition=partition, **details)
