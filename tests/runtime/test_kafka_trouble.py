"""What Kafka and its client do to a worker: it says so, goes on by itself or ends, and allows nothing meanwhile."""

import asyncio

import pytest
from aiokafka import ConsumerRebalanceListener

from streams.settings import Kafka as Servers
from streams.settings import Settings
from streams.topics import topics
from streams.worker.kafka import consumer
from streams.worker.metrics import Metrics
from streams.worker.service import Gatekeeper
from tests.runtime.kafka import Kafka


class Keeper(Gatekeeper):
    """A service that was not started."""

    settings = Settings(
        Servers(("127.0.0.1:1",)), "redis://127.0.0.1:1", None, "", 2, "gate61", "w1", ("127.0.0.1", 1)
    )
    metrics = Metrics()


class Told(ConsumerRebalanceListener):  # type: ignore[misc]
    """How often partitions were given and taken."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.taken = 0

    async def on_partitions_assigned(self, assigned: object) -> None:
        self.given.set()

    async def on_partitions_revoked(self, revoked: object) -> None:
        self.taken += 1


async def test_who_polls_nothing_for_a_day_keeps_its_partitions(kafka: Kafka, prefix: str) -> None:
    """Redis is away for as long as it is: who left the group meanwhile would never come back by itself."""
    names = topics(prefix)
    kafka.create({names.actions.name: 2})
    member, told = consumer(Servers((kafka.servers,)), f"{prefix}group", "w1"), Told()
    await member.start()
    try:
        member.subscribe([names.actions.name], listener=told)
        await asyncio.wait_for(told.given.wait(), 20)
        taken = told.taken
        member._subscription._last_fetch_ended -= 86_400
        await asyncio.sleep(3)  # A heartbeat looks for it.
        assert told.taken == taken and len(member.assignment()) == 2
    finally:
        await member.stop()


async def test_a_worker_between_partitions_is_not_ready() -> None:
    """It has nothing to be in trouble with, and decides nothing; one that was given none stands by."""
    keeper = Keeper()
    await keeper.on_partitions_assigned([])
    assert keeper.trouble() == []
    await keeper.on_partitions_revoked([])
    assert "waiting for the group" in keeper.trouble()[0]
