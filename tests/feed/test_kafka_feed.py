"""The topics as desk and alerts read them, without a broker: what the worker takes they take, too."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition

from gate.instants import text
from streams.feed import FeedTrouble, Told
from streams.feed.kafka import KafkaFeed
from streams.logs.standing import Standing
from streams.settings import Kafka
from tests.feeds import LOCATED
from tests.simulation.alone import BEGUN, Alone
from tests.simulation.world import Record

ACTIONS = TopicPartition("gate61.client-actions.v1", 0)


class Reading(KafkaFeed):
    """A feed whose brokers give it what happened around clients, as far as `there` holds it."""

    def __init__(self, alone: Alone) -> None:
        super().__init__(Kafka(("kafka:9092",)), "")
        self.there: Sequence[Record] = ()
        self._partitions, self._followed = 1, alone.followed
        self._standing = Standing(lambda _: None, self._never, now=lambda: 0)

    async def _never(self, places: Any, many: int) -> Any:
        raise AssertionError("nothing is in doubt")

    async def _ready(self) -> Any:
        return self

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        """As Kafka's client: what comes next."""
        begin = self._positions.get(self._log(ACTIONS), 0)
        return {ACTIONS: [r._replace(topic=ACTIONS.topic) for r in self.there[begin:]]}


def located(id: str, seconds: int) -> dict[str, Any]:
    return {**LOCATED, "id": id, "time": text((BEGUN + seconds * 1000) * 1000)}


def led_by_a_clock_that_is_behind() -> Alone:
    """Who comes to lead the partition after the first event has a clock that is a day behind."""
    alone = Alone()
    alone.act(located("before", 0))
    alone.later(days=-1)
    alone.act(located("behind-1", 1), located("behind-2", 2))
    alone.round(alone.actions)
    assert alone.partition.counts["taken", ""] == 3
    return alone


async def test_an_event_that_the_worker_took_is_told_though_a_new_leaders_clock_is_behind() -> None:
    alone = led_by_a_clock_that_is_behind()
    feed = Reading(alone)
    await feed.start({})
    feed.there = alone.actions
    told = list(await feed.next(0))
    assert [t.event["id"] for t in told] == ["before", "behind-1", "behind-2"]
    assert len({t.at for t in told}) == 1, "recorded no earlier than what stands before it"


async def test_a_feed_that_begins_behind_that_goes_on_from_the_time_it_had_come_to() -> None:
    alone = led_by_a_clock_that_is_behind()
    feed, again = Reading(alone), Reading(alone)
    await feed.start({})
    feed.there = alone.actions[:2]
    told: Told = (await feed.next(0))[-1]
    await again.start({told.log: told.offset + 1}, {told.log: told.mark}, {told.log: told.at})
    again.there = alone.actions
    assert [(t.event["id"], t.at) for t in await again.next(0)] == [("behind-2", told.at)]


async def test_an_input_with_a_time_that_its_sender_chose_is_trouble_as_for_the_worker() -> None:
    alone = led_by_a_clock_that_is_behind()
    feed = Reading(alone)
    await feed.start({})
    feed.there = [record._replace(timestamp_type=0) for record in alone.actions]
    with pytest.raises(FeedTrouble, match="LogAppendTime"):
        await feed.next(0)
