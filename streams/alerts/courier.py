"""Carries what waits to each receiver: channels side by side, so that one that hangs holds up nobody else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from streams.alerts import outbox
from streams.alerts.config import Channel
from streams.alerts.metrics import Metrics
from streams.alerts.outbox import Attempt, Delivery
from streams.alerts.receivers import Receiver
from streams.faults import cause
from streams.web.clock import Clock

AT_ONCE: Final = 8
"""Messages under way to one receiver."""
LOOK_SECONDS: Final = 0.5
T = TypeVar("T")
_log = structlog.get_logger("gate61.alerts")


class Do(Protocol):
    """Has the store's thread do something."""

    def __call__(self, work: Callable[..., T], *given: Any) -> Awaitable[T]: ...


class Courier:
    """One channel's messages."""

    def __init__(self, engine: Engine, channel: Channel, to: Receiver, do: Do, clock: Clock, metrics: Metrics) -> None:
        self.name = channel.name
        self._engine, self._channel, self._to = engine, channel, to
        self._do, self._clock, self._metrics = do, clock, metrics
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._failed: Exception | None = None
        self._unnoted = False
        """Whether the store did not take what came of a message, when it was tried last."""

    def wake(self) -> None:
        """There may be something to carry."""
        self._woken.set()

    async def round(self) -> None:
        """Set out with what is due, then wait until there may be more. Raises what keeps messages from being carried."""
        self._woken.clear()
        await self.carry()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()
        self._see_that_none_failed()

    async def stop(self) -> None:
        """Give up what is under way: it is sent again after the next start, under the same id."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def carry(self) -> None:
        """Set out with what is due, as far as there is room."""
        room = AT_ONCE - len(self._under_way)
        if room <= 0:
            return
        under_way = list(self._under_way)
        name, ordered = self._channel.name, self._channel.ordered
        for delivery in await self._do(outbox.due, self._engine, name, ordered, self._clock(), room, under_way):
            task = asyncio.create_task(self._one(delivery))
            self._under_way[delivery.id] = task

    async def settled(self) -> None:
        """Wait for what is under way."""
        while self._under_way:
            await asyncio.gather(*self._under_way.values())
        self._see_that_none_failed()

    def _see_that_none_failed(self) -> None:
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    async def _one(self, delivery: Delivery) -> None:
        try:
            attempt = await self._attempt(delivery)
            await self._noted(delivery, attempt)
        except Exception as error:  # It still waits, and is tried again; who runs the rounds is to know.
            self._failed = error
        finally:
            self._under_way.pop(delivery.id, None)
            self._woken.set()

    async def _noted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Until the store takes it: what has arrived is not sent again because of the store's trouble."""
        while True:
            try:
                state = await self._do(outbox.tried, self._engine, delivery, attempt, self._clock())
                break
            except SQLAlchemyError as error:
                self._suffer(error)
                await asyncio.sleep(LOOK_SECONDS)
        if self._unnoted:
            self._unnoted = False
            _log.info("the store can be used again", channel=self.name)
        self._metrics.attempt(self._channel.name, state, attempt)
        if state != outbox.SENT:
            _log.warning(
                "a message is dead; see `gate61 alerts dead list`" if state == outbox.DEAD else "a message waits",
                channel=self._channel.name,
                message=delivery.id,
                status=attempt.status,
                attempts=delivery.attempts + 1,
            )

    def _suffer(self, error: SQLAlchemyError) -> None:
        """Once for all messages that are under way, until it is over."""
        if not self._unnoted:
            what = "the results of messages cannot be stored; it is tried again"
            _log.error(what, channel=self.name, cause=cause(error))
        self._unnoted = True

    async def _attempt(self, delivery: Delivery) -> Attempt:
        if self._channel.kind == "pagerduty" and await self._do(outbox.overtaken, self._engine, delivery):
            return Attempt(True, "overtaken: a later message of its group has arrived, this one would undo it")
        try:
            return await self._to.send(delivery, self._clock())
        except Exception as error:  # Whatever a receiver makes us stumble over holds up no other message.
            _log.error("a message could not be sent", channel=self._channel.name, cause=cause(error))
            return Attempt(False, f"an error of ours ({type(error).__name__})")
