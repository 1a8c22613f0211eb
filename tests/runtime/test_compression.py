"""Whatever platforms compress with, the worker reads: one batch that it could not unpack would stop a partition."""

import asyncio
from contextlib import closing

import pytest
from kafka import KafkaProducer

from streams.reading import extent, reader, records
from streams.settings import Kafka as Settings
from streams.worker.kafka import follower
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


async def _read(kafka: Kafka, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    consumer = follower(Settings((kafka.servers,)), "test")
    consumer.subscribe([topic])
    await consumer.start()
    found: list[tuple[bytes | None, bytes | None]] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < MANY:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [(r.key, r.value) for r in records]
    finally:
        await consumer.stop()
    return found
