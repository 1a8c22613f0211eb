"""Whatever platforms compress with, the worker reads: one batch that it could not unpack would stop a partition."""

import asyncio
from contextlib import closing

import pytest
from aiokafka import TopicPartition
from kafka import KafkaProducer

from streams.kafka.reading import extent, reader, records
from streams.kafka.topics import Names, topics
from streams.logs.brokers import Looker, follower, standing
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.settings import Kafka as Settings
from streams.worker.kafka import KafkaSource
from tests.runtime.kafka import APPEND_TIME, Kafka

MANY = 200


@pytest.mark.parametrize("way", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_what_kafka_itself_compresses_is_read(kafka: Kafka, prefix: str, way: str) -> None:
    """The broker compresses as the topic says, by the same code as Java platforms do."""
    topic = f"{prefix}{way}"
    kafka.create({topic: 1}, {**APPEND_TIME, "compression.type": way})
    producer = KafkaProducer(bootstrap_servers=kafka.servers, linger_ms=50)
    sent = [(f"k-{n}".encode(), (f"value {n} " * 20).encode()) for n in range(MANY)]
    for key, value in sent:
        producer.send(topic, value, key, [("content-type", b"x")])
    producer.close(30)
    assert asyncio.run(_read(kafka, topic)) == sent
    with closing(reader(Settings((kafka.servers,)))) as consumer:  # As `dlq`, `watch` and `rebuild` read.
        assert [(r.key, r.value) for r in records(consumer, extent(consumer, topic))] == sent


def test_a_small_fetch_that_unpacks_to_very_much_is_taken_in_portions(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is passed over: what does not fit into a batch is the beginning of the next."""
    monkeypatch.setattr("streams.logs.taking.BATCH_MEMORY", 3_000_000)
    names = topics(prefix)
    kafka.create({names.actions.name: 1, names.between.name: 1}, APPEND_TIME)
    producer = KafkaProducer(
        bootstrap_servers=kafka.servers,
        compression_type="gzip",
        linger_ms=500,
        batch_size=32_000_000,
        max_request_size=64_000_000,
    )
    sizes = [900_000] * 9 + [10] * 5 + [4_000_000, 10]
    for n, size in enumerate(sizes):
        headers = [("filler", bytes(size))] if n == 2 else []
        producer.send(names.actions.name, None if headers else bytes(size), b"%d" % n, headers, partition=0)
    producer.close(30)
    portions = asyncio.run(_portions(kafka, names, len(sizes)))
    assert [key for portion in portions for key in portion] == [b"%d" % n for n in range(len(sizes))]
    assert [len(portion) for portion in portions] == [3, 3, 8, 1, 1]


async def _portions(kafka: Kafka, names: Names, many: int) -> list[list[bytes]]:
    consumer = follower(Settings((kafka.servers,)), "test")
    places = [TopicPartition(t.name, 0) for t in (names.actions, names.between)]
    consumer.assign(places)
    await consumer.start()
    looker = Looker(consumer)
    source = KafkaSource(consumer, looker, consumer, Followed(), standing(consumer, looker), names, 0)
    portions: list[list[bytes]] = []
    try:
        await source.seek(0, 0)
        async with asyncio.timeout(30):
            while sum(map(len, portions)) < many:
                actions, _ = await source.read(0.5, (Log.ACTIONS, Log.BETWEEN))
                assert actions.read == sum(map(len, portions)) + len(actions.records)
                portions += [[record.key for record in actions.records]] if actions.records else []
    finally:
        await consumer.stop()
    return portions


async def _read(kafka: Kafka, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    consumer = follower(Settings((kafka.servers,)), "test")
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek(TopicPartition(topic, 0), 0)
    found: list[tuple[bytes | None, bytes | None]] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < MANY:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [(r.key, r.value) for r in records]
    finally:
        await consumer.stop()
    return found
