"""Platforms may publish in transactions: what was taken back was never said, and markers in the logs hold up nothing."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer

from state.redis.reader import RedisReader
from state.redis.servers import AsyncServers
from streams.kafka.record import partition_of
from tests.bench.load import mixed, register
from tests.runtime import redis as parts
from tests.runtime.gate import CONTENT_TYPE, Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.test_worker import page
from tests.stories.telling import Event, asset, campaign, clean_client, in_order, located, offer


@pytest.fixture
def setting(kafka: Kafka, redis: parts.Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


def test_committed_events_are_decided_and_aborted_ones_are_not(setting: Setting) -> None:
    """The register in a transaction, clients' events in others, one of them aborted."""
    worker = setting.worker()
    worker.start()
    producer = KafkaProducer(bootstrap_servers=setting.kafka.servers, transactional_id=f"{setting.prefix}t", acks="all")
    producer.init_transactions()

    def send(lines: list[bytes]) -> None:
        for line in lines:
            key = line.split(b'"subject": "')[1].split(b'"')[0]
            place = partition_of(key, setting.partitions)
            producer.send(setting.names.actions.name, line, key=key, partition=place, headers=[CONTENT_TYPE])

    producer.begin_transaction()
    for line in register():
        producer.send(setting.names.register.name, line.encode(), partition=0, headers=[CONTENT_TYPE])
    producer.commit_transaction()
    lines = [line.encode() for line in mixed(30)]
    producer.begin_transaction()
    send(lines[:150])
    producer.commit_transaction()
    producer.begin_transaction()
    send(lines[150:200])
    producer.abort_transaction()
    producer.begin_transaction()
    send(lines[200:])
    producer.commit_transaction()
    offers = sum(b"offer.proposed" in line for line in (*lines[:150], *lines[200:]))
    wait_until(lambda: len(setting.decisions()) >= offers, 30, "all committed offers are decided")
    said = {answer["event"]["id"] for answer in setting.decisions().values()}
    assert not any(f'"{id}"'.encode() in line for id in said for line in lines[150:200])
    producer.close()
    assert worker.stop() == 0


@contextmanager
def open_transaction(setting: Setting, topic: str, event: Event, partition: int = 0) -> Iterator[KafkaProducer]:
    """Somebody has published an event in a transaction that he has not ended."""
    producer = KafkaProducer(bootstrap_servers=setting.kafka.servers, transactional_id=f"{setting.prefix}o", acks="all")
    producer.init_transactions()
    producer.begin_transaction()
    key = event["subject"].encode()
    producer.send(topic, json.dumps(event).encode(), key=key, partition=partition, headers=[CONTENT_TYPE]).get(10)
    try:
        yield producer
    finally:
        producer.commit_transaction()
        producer.close()


def test_what_stands_behind_an_open_transaction_is_not_decided_without(setting: Setting) -> None:
    """It was acknowledged, and cannot be read yet: offers wait for it, and it is said what they wait for."""
    worker = setting.worker()
    worker.start()
    setting.publish(in_order(clean_client()))
    setting.caught_up()
    with open_transaction(setting, setting.names.register.name, asset("xyz")):
        setting.publish([campaign("everywhere")])  # Kept before the offer is: they go to two topics.
        setting.publish([offer()])
        said = "partition %d is waiting: the log of the register cannot be read to its end: somebody's transaction"
        said %= partition_of(b"anna", setting.partitions)
        wait_until(lambda: said in page(worker, "readyz")[1], 20, "it says what it waits for")
        assert setting.decisions() == {}
    wait_until(lambda: len(setting.decisions()) == 1, 20, "the offer is decided")
    (answer,) = setting.decisions().values()
    assert answer["leading"] == "CAMPAIGN_EXPOSURE" and setting.differences() == []
    wait_until(lambda: page(worker, "readyz")[0] == 200, 10)
    assert worker.stop() == 0


def test_a_worker_that_starts_beside_an_open_transaction_of_policies_says_what_it_waits_for(setting: Setting) -> None:
    """It takes no part before it knows which policy is in force."""
    worker = setting.worker()
    with open_transaction(setting, setting.names.policy.name, asset("xyz")):
        worker.start()
        said = "waiting: the log of policies cannot be read to its end: somebody's transaction is open there"
        wait_until(lambda: said in page(worker, "readyz")[1], 20, "it says what it waits for")
        wait_until(lambda: "the log of policies cannot be read" in worker.said(), 5)
    wait_until(lambda: page(worker, "readyz")[0] == 200, 20)
    assert worker.stop() == 0


def test_a_mark_at_the_end_is_no_event_that_is_late(setting: Setting) -> None:
    """Each transaction leaves one behind its last event: whoever asks how far the stream was read is told beyond it."""
    worker = setting.worker()
    worker.start()
    number = partition_of(b"anna", setting.partitions)
    with open_transaction(setting, setting.names.actions.name, located(), number):
        pass

    async def looked() -> int | None:
        reader = RedisReader(AsyncServers(setting.redis.url, 5), setting.names.actions.name)
        try:
            return (await reader.places(setting.partitions))[number].next
        finally:
            await reader.close()

    wait_until(lambda: asyncio.run(looked()) == setting.ends()[number] == 2, 20, "the mark was looked at")
    assert setting.stored()[number] == 1
    wait_until(lambda: f'gate61_lag_records{{partition="{number}"}} 0.0' in page(worker, "metrics")[1], 20)
    assert worker.stop() == 0
