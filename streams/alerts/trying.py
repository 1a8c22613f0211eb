"""What a person does by hand: a test alert, and dead messages sent again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from secrets import token_hex
from typing import Any, Final, TypeVar

from sqlalchemy import Engine

from gate.instants import text
from streams.alerts import outbox
from streams.alerts.alone import alone
from streams.alerts.config import Channel, Config
from streams.alerts.courier import Courier
from streams.alerts.metrics import Metrics
from streams.alerts.outbox import Attempt, Delivery
from streams.alerts.posting import Poster
from streams.alerts.receivers import receiver, trial
from streams.web.clock import now

PATIENCE_SECONDS: Final = 35.0
"""For what the running process sends: a little more than the longest attempt."""
T = TypeVar("T")


async def try_channel(channel: Channel, allowed: frozenset[str]) -> list[tuple[str, Attempt]]:
    """Send a test alert; where that opens an incident, resolve it."""
    to = receiver(channel, Poster(allowed), allowed)
    id, at = token_hex(12), now()
    sent = [("test alert", await to.send(_trial(channel, id, 1), at))]
    if channel.kind == "pagerduty" and sent[0][1].arrived:
        sent.append(("its incident resolved", await to.send(_trial(channel, id, 2), at)))
    return sent


def _trial(channel: Channel, id: str, sequence: int) -> Delivery:
    at = now()
    body = trial(channel, id, text(at), over=sequence > 1)
    message = f"msg_test{id}{sequence}"
    return Delivery(0, message, channel.name, f"test-{id}", sequence, "test", body, "waiting", at, 0, None, "", None)


async def send_again(
    engine: Engine, config: Config, ids: Sequence[str], poster: Poster | None = None
) -> list[Delivery]:
    """Have dead messages sent, by the process that runs or by this one; how it stands after one attempt of each."""
    named = outbox.named(engine, ids)
    receivers = {each.channel for each in named}
    # Where the receiver is gone they stay dead, until it is enabled.
    there = {c for c in receivers if outbox.known(engine, c, config.channels[c].digest)}
    again = [each.id for each in named if each.channel in there]
    outbox.again(engine, again, now())
    with alone(engine) as is_alone:
        if is_alone():
            await _carry(engine, config, again, poster or Poster(config.allowed), is_alone)
        if not is_alone():
            await _wait(engine, again)
    return outbox.named(engine, ids)


def _untried(engine: Engine, ids: Sequence[str]) -> list[Delivery]:
    return [e for e in outbox.named(engine, ids) if e.state == outbox.WAITING and e.attempts == 0]


async def _wait(engine: Engine, ids: Sequence[str]) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while _untried(engine, ids) and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.2)


async def _carry(
    engine: Engine, config: Config, ids: Sequence[str], poster: Poster, is_alone: Callable[[], bool]
) -> None:
    """One attempt of each, as long as nobody else carries."""
    metrics = Metrics()
    for name in sorted({each.channel for each in outbox.named(engine, ids)}):
        channel = config.channels[name]
        courier = Courier(engine, channel, receiver(channel, poster, config.allowed), _do, now, metrics)
        left = len(_untried(engine, ids))
        while left and is_alone():
            await courier.carry()
            await courier.settled()
            before, left = left, len([e for e in _untried(engine, ids) if e.channel == name])
            if left == before:
                break  # The receiver asked to be left alone.


def _do(work: Callable[..., T], *given: Any) -> Awaitable[T]:
    return asyncio.to_thread(work, *given)
