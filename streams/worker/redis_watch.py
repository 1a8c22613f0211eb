"""Whether Redis is fit to hold state, and what time it is there: it may be changed, and started anew, while a worker runs."""

from asyncio import to_thread
from contextlib import suppress

import structlog
from redis.exceptions import RedisError

from gate.facts import Instant
from gate.policy import SECOND
from state.finding import Finding, Level
from state.redis.health import append_only, complaints, renew
from state.redis.look import tag
from state.redis.servers import Servers
from streams.web.clock import ONE_SOURCE
from streams.worker.here import Here

RENEWED_AGAIN, RENEWED_RARELY = 60 * SECOND, 3600 * SECOND
"""After so long Redis is asked again to write its append-only file anew, where it could not, or may not be asked; doubled
each time up to the longest, as each try that fails leaves another file, and its disk may be full."""

log = structlog.get_logger("gate61.worker")


class RedisWatch:
    """What is known of Redis, asked again and again; while it is unfit, the world is held."""

    def __init__(self, redis: Servers, world: Here, where: str, store: str) -> None:
        """`where` is told to people; whoever holds that store is asked for the time."""
        self._redis = redis
        self._world = world
        self._where = where
        self._store = store
        self._ahead = False
        """Whether it was said that this machine's clock is ahead."""
        self._unrenewed: tuple[Instant, Finding] | None = None
        """When it was found last, by the steady clock, what keeps Redis from writing its append-only file anew; and that."""
        self._damaged: int | None = None
        """How often Redis had written its append-only file anew when it last could not write it; None once it did again."""
        self._again = RENEWED_AGAIN
        """After how long it is asked again."""

    async def meet(self) -> list[str]:
        """Why state may never be kept there; raises `RedisError` or `OSError` if it does not answer.

        What passes by itself holds the world from now on.
        """
        wrong = await to_thread(complaints, self._redis, lasting=True)
        if not wrong:
            await self.look()
            await to_thread(self._ask_time)  # Before any window is closed.
        return wrong

    async def look(self) -> None:
        """Ask again, say what has changed since, and have it write its file anew where that is due."""
        try:
            found = tuple(await to_thread(complaints, self._redis))
        except (RedisError, OSError):
            return  # The loops meet that themselves.
        with suppress(RedisError, OSError):
            await to_thread(self._ask_time)
        if found != self._world.unfit:
            log.warning("Redis is not fit to hold state" if found else "Redis is fit again", found=found)
        self._world.unfit = found
        self._compare_clocks()
        with suppress(RedisError, OSError):
            await self._renew()

    def warnings(self) -> list[str]:
        """What somebody should mend though offers are answered as ever."""
        found = [self._unrenewed[1]] if self._unrenewed else []
        return [*self._clock_is_ahead(), *(f"{f.what}; {f.do}" for f in found)]

    def _ask_time(self) -> None:
        self._world.clock.ask(self._redis.of(tag(self._store)))

    def _compare_clocks(self) -> None:
        ahead = bool(self._world.clock.ahead)
        if ahead != self._ahead:
            log.warning("clocks differ" if ahead else "clocks agree again", found=self._clock_is_ahead())
        self._ahead = ahead

    def _clock_is_ahead(self) -> list[str]:
        ahead = self._world.clock.ahead
        where = f"Redis at {self._where}"
        said = f"the clock of this machine is {ahead // SECOND} s ahead of that of {where}, by which windows are closed"
        return [f"{said}; {ONE_SOURCE}"] if ahead else []

    async def _renew(self) -> None:
        """Redis may have been started again, from a file that a crash cut."""
        file = await to_thread(append_only, self._redis)
        if not file.written:
            self._damaged = file.rewrites
            return
        if self._damaged != file.rewrites:
            self._damaged = None  # It was written anew, whoever asked; or Redis was started again.
        damaged = self._damaged is not None
        if file.renewed and not damaged:
            self._unrenewed, self._again = None, RENEWED_AGAIN
            return
        before = self._unrenewed
        if before is not None and self._world.steady() - before[0] < self._again:
            return
        found = await to_thread(renew, self._redis, before is not None, damaged)
        if found is None:
            return  # Somebody asked; what comes of that is seen later.
        if before is not None:
            self._again = min(2 * self._again, RENEWED_RARELY)
        self._unrenewed = None if found.level is Level.OK else (self._world.steady(), found)
        if found.level is Level.OK:
            self._damaged = None
            log.info(f"Redis {found.what}")
        elif before is None or before[1] != found:
            log.warning(found.what, do=found.do)
