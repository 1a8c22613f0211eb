"""How a worker's clients of Kafka are made and let go, and what they say, without a broker."""

import asyncio
import gc
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    TopicAuthorizationFailedError,
)
from kafka.errors import KafkaError as OtherKafkaError

from streams.kafka import administration
from streams.kafka.connection import let_go
from streams.kafka.reading import reader
from streams.kafka.topics import topics
from streams.logs import brokers
from streams.logs.brokers import asker, follower, never_compacted
from streams.publisher import Publisher
from streams.settings import Kafka as Servers
from streams.worker.kafka import ANSWER_MILLISECONDS, REBALANCE_MILLISECONDS, consumer
from streams.worker.publishing import NotKept, producer
from tests.runtime.process import free_port
from tests.worker.keeper import NOWHERE


def _left() -> tuple[int, int]:
    """Threads of Kafka's clients, and open files that nothing lets go of by itself."""
    gc.collect()
    return sum(t.name.startswith("kafka") for t in threading.enumerate()), len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    "meet",
    [
        lambda servers: asyncio.run(never_compacted(servers, topics(""))),
        lambda servers: reader(servers, 0.2),
        lambda servers: Publisher([*servers.servers], "//x", bootstrap_timeout_ms=200),
    ],
    ids=["who asks", "who reads", "who publishes"],
)
def test_a_client_that_meets_no_broker_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, meet: Callable[[Servers], object]
) -> None:
    """No thread, no open file: a worker asks every minute, and Kafka may be away for days."""
    monkeypatch.setattr(administration, "SECONDS", 0.2)
    servers, before = Servers((f"127.0.0.1:{free_port()}",)), _left()
    logging.disable()  # What is caught of it holds the sockets that it tells of.
    try:
        for _ in range(3):
            with pytest.raises((KafkaError, OtherKafkaError, ConnectionError)):
                meet(servers)
        assert _left() == before
    finally:
        logging.disable(logging.NOTSET)


async def test_every_client_of_kafkas_hears_of_new_brokers_within_seconds() -> None:
    """By itself it would within minutes, and know none of those that are left if others are gone by then."""
    readers = consumer(NOWHERE, "g", "w1"), follower(NOWHERE, "w1"), asker(NOWHERE, "w1")
    writer = producer(NOWHERE, "w1")
    ages = [client._metadata_max_age_ms for client in (*(reader._client for reader in readers), writer.client)]
    assert ages == [10_000] * 4
    for client in (*readers, writer):
        await let_go(client)


def test_who_may_not_publish_is_told_of_the_right_and_not_of_a_plan() -> None:
    """`gate61 topics plan` looks at no rights; what else a topic does not take, it may."""
    refused = str(NotKept("gate61.notices.v1", 0, TopicAuthorizationFailedError("gate61.notices.v1")))
    assert "give the user of GATE61_KAFKA the right" in refused and "topics plan" not in refused
    assert "see `gate61 topics plan`" in str(NotKept("gate61.notices.v1", 0, MessageSizeTooLargeError("too large")))
    ahead = str(NotKept("gate61.notices.v1", 0, InvalidTimestampError()))
    assert "set this machine's clock right" in ahead and "`gate61 topics plan`" in ahead
    ended = str(NotKept("gate61.notices.v1", 0, ProducerClosed()))
    assert "topics plan" not in ended and "by the next one it is published again" in ended


@pytest.mark.parametrize("made", [follower, asker])
async def test_a_broker_that_stands_still_is_not_waited_for_long(
    made: Callable[[Servers, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be asked by chance what any other could say; a group's gets longer, as it answers once all have let go."""
    still = asyncio.Event()

    async def says_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await still.wait()
        writer.close()

    assert brokers.ANSWER_MILLISECONDS <= 10_000 < REBALANCE_MILLISECONDS + 5_000 <= ANSWER_MILLISECONDS
    monkeypatch.setattr(brokers, "ANSWER_MILLISECONDS", 300)
    server = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    client = made(Servers((f"127.0.0.1:{server.sockets[0].getsockname()[1]}",)), "w1")
    try:
        with pytest.raises(KafkaConnectionError):
            await asyncio.wait_for(client.start(), 10)
    finally:
        still.set()
        await let_go(client)
        server.close()
