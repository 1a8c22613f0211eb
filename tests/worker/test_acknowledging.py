"""How far a group has read is a hint for tools: nobody waits for whoever keeps it."""

import asyncio
from typing import Any

from streams.kafka.topics import topics
from streams.logs.brokers import standing
from streams.logs.following import Followed
from streams.worker.kafka import KafkaSource


async def test_who_keeps_what_a_group_has_read_may_be_away() -> None:
    """Kafka's client asks for him for ever, and nothing would be decided meanwhile."""
    asked: list[object] = []

    class Away:
        async def commit(self, offsets: object) -> None:
            asked.append(offsets)
            await asyncio.Event().wait()

    logs: Any = Away()
    logs.records = None
    source = KafkaSource(logs, logs, logs, Followed(), standing(logs, logs), topics(""), 0)
    async with asyncio.timeout(5):
        await source.acknowledge(1, 0)
        await source.acknowledge(2, 0)
        assert len(asked) == 1, "it is not asked for every batch"
        await source.acknowledge(2, 0, at_once=True)
    assert len(asked) == 2
