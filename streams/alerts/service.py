"""The process of the alerts: reads the logs on, lets groups speak, carries messages, and says how it is.

Order of effects: 1 read a batch; 2 fold it in, with its places, in one transaction; 3 groups that are due speak: messages
and what is noted as told, one transaction; 4 send; 5 note what came of it. Killed after 1 the batch is read again; after
2 or 3 nothing is missing; between 4 and 5 the message is sent again under its id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gate.facts import Instant
from gate.policy import HOUR
from streams.alerts import outbox
from streams.alerts.alone import NotAlone
from streams.alerts.config import Channel, Config
from streams.alerts.courier import Courier
from streams.alerts.grouping import begin, begun, fold, lapse
from streams.alerts.metrics import Metrics
from streams.alerts.posting import Poster
from streams.alerts.receivers import receiver
from streams.alerts.speaking import speak
from streams.alerts.tables import READ_TO, STORE
from streams.faults import cause
from streams.feed import Feed, FeedTrouble, SourceHealth
from streams.stores import read_to, trouble
from streams.web.clock import Clock, now

TICK_SECONDS: Final = 0.25
READ_SECONDS: Final = 1.0
TROUBLE_SECONDS: Final = 1.0
HEALTH_SECONDS: Final = 5.0
HANGING_SECONDS: Final = 60.0
T = TypeVar("T")
_log = structlog.get_logger("gate61.alerts")


class Alerts:
    """All of it, over one feed, one store and one configuration."""

    def __init__(
        self,
        feed: Feed,
        engine: Engine,
        config: Config,
        since: Instant | None = None,
        clock: Clock = now,
        poster: Poster | None = None,
        alone: Callable[[], bool] = lambda: True,
    ) -> None:
        """`since` is from when on the first start tells; None: of what is recorded from then on.

        `alone` is whether nobody else carries the messages of this store, asked in the store's thread."""
        self._feed, self._engine, self._config, self._clock = feed, engine, config, clock
        self._since = since
        self._alone = alone
        self.metrics = Metrics()
        self._thread = ThreadPoolExecutor(1, "store")
        self._poster = poster or Poster(config.allowed)
        self._couriers = [self._courier(channel) for channel in config.channels.values()]
        self._tasks: list[asyncio.Task[None]] = []
        self._beats: dict[str, float] = {}
        self._trouble: dict[str, str] = {"start": "starting"}
        self._forgot: Instant = 0
        self._began = False

    def _courier(self, channel: Channel) -> Courier:
        to = receiver(channel, self._poster, self._config.allowed)
        return Courier(self._engine, channel, to, self.do, self._clock, self.metrics)

    def do(self, work: Callable[..., T], *given: Any) -> Awaitable[T]:
        """In the store's thread, one after the other."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    async def start(self) -> None:
        """Go on where the store stands."""
        await self._know_beginning()
        for channel in self._config.channels.values():
            if not await self.do(outbox.known, self._engine, channel.name, channel.digest):
                _log.warning("nothing is sent: the receiver had said that it is gone (410)", channel=channel.name)
        left = {name for name, _ in await self.do(outbox.counts, self._engine)} - self._config.channels.keys()
        for name in sorted(left):
            _log.warning("messages wait for a channel that is not configured; they are kept", channel=name)
        loops = {"read": self._read, "speak": self._speak, "look": self._look}
        loops |= {f"send {courier.name}": partial(self._send, courier) for courier in self._couriers}
        self._tasks = [asyncio.create_task(self._again(name, work)) for name, work in loops.items()]

    async def _know_beginning(self) -> None:
        """From when on to tell; where the logs cannot be asked yet for their ends, it is not ready and reading begins with that."""
        known = await self.do(begun, self._engine)
        if known is not None:
            self._since = known
        elif self._since is not None:
            await self.do(begin, self._engine, self._since, {})
        else:
            with suppress(FeedTrouble):
                await self._begin_at_the_ends()
        if self._since is not None:
            self._trouble.pop("start", None)

    async def _begin_at_the_ends(self) -> None:
        """The first start, without a time given: from where the logs end now, as no clock here is theirs."""
        await self._feed.start({})
        await self.do(begin, self._engine, 0, await self._feed.ends())
        self._since = 0

    async def stop(self) -> None:
        """Stop in order: what is under way is given up, and sent again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(courier.stop() for courier in self._couriers))
        await self._feed.close()
        self._thread.shutdown()
        self._engine.dispose()

    async def _again(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """For ever; trouble is said, once, and waited out."""
        while True:
            self._beats[name] = asyncio.get_running_loop().time()
            try:
                await work()
                if self._trouble.pop(name, None):
                    _log.info("it goes on", what=name)
            except Exception as error:
                told = isinstance(error, FeedTrouble | NotAlone)
                said = str(error) if told else self._why(error)
                if self._trouble.get(name) != said:
                    _log.error("it does not go on, and is tried again", what=name, trouble=said)
                self._trouble[name] = said
                self.metrics.trouble.labels(type(error).__name__).inc()
                await asyncio.sleep(TROUBLE_SECONDS)
                self._began = self._began and name != "read"  # What was read and not folded in is read again.

    def _why(self, error: Exception) -> str:
        """What it is and what to do, without what is written or read."""
        if isinstance(error, SQLAlchemyError):
            return trouble(self._engine.url, error, STORE)
        return f"an error of ours ({cause(error)})"

    async def _begin(self) -> None:
        if self._since is None:
            await self._begin_at_the_ends()
            self._trouble.pop("start", None)
        await self._feed.start(*await self.do(read_to, self._engine, READ_TO))
        self._began = True

    async def _read(self) -> None:
        if not self._began:
            await self._begin()
        told = await self._feed.next(READ_SECONDS)
        if not told:
            return
        await self.do(self._must_be_alone)
        counts = await self.do(fold, self._engine, self._config, told, self._clock(), self._since or 0)
        self.metrics.took(counts)
        if counts["unreadable"]:
            _log.warning(
                "events that are not the gate's were skipped; see who writes there", count=counts["unreadable"]
            )

    async def _speak(self) -> None:
        await self.tick()
        await asyncio.sleep(TICK_SECONDS)

    async def tick(self) -> None:
        """Let go of what has lapsed, let groups speak that are due, and wake who carries."""
        await self.do(self._must_be_alone)
        at = self._clock()
        await self.do(lapse, self._engine, self._config, at)
        said = await self.do(speak, self._engine, self._config, at)
        self.metrics.said(said)
        if said:
            await self.do(outbox.bury_gone, self._engine)
            for courier in self._couriers:
                courier.wake()

    async def _send(self, courier: Courier) -> None:
        await self.do(self._must_be_alone)
        await courier.round()

    def _must_be_alone(self) -> None:
        """Before anything is folded in, said or sent: two who do so would double it."""
        if not self._alone():
            raise NotAlone

    async def _look(self) -> None:
        health = await self._feed.health()
        self.metrics.sources(health)
        self._hear(health)
        undelivered = await self.do(outbox.counts, self._engine)
        gone = await self.do(outbox.disabled, self._engine)
        self.metrics.stand(list(self._config.channels), undelivered, gone)
        if self._clock() > self._forgot + HOUR:
            await self.do(outbox.forget, self._engine, self._clock())
            self._forgot = self._clock()
        await asyncio.sleep(HEALTH_SECONDS)

    def _hear(self, health: Sequence[SourceHealth]) -> None:
        """A source that is away is trouble, though reading it only waits."""
        away = "; ".join(f"{each.name} {each.said}" for each in health if not each.reachable)
        if away and "read" not in self._trouble:
            self._trouble["sources"] = away
        else:
            self._trouble.pop("sources", None)

    def trouble(self) -> list[str]:
        """Why alerts are not given now; empty where they are."""
        return [f"{name}: {said}" for name, said in self._trouble.items()]

    def hanging(self) -> list[str]:
        """Loops that have not gone round for a minute: the process should be started anew."""
        at = asyncio.get_running_loop().time()
        return [name for name, beat in self._beats.items() if at - beat > HANGING_SECONDS]
