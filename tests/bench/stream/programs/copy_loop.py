"""A raw copy loop: what reading and writing alone cost. No law, no state, at least once."""

import asyncio
import os
from time import monotonic

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

COMMIT_SECONDS = 1.0


async def main() -> None:
    """Copies every record to the same partition of the output."""
    servers, output = os.environ["BENCH_KAFKA"], os.environ["BENCH_OUTPUT"]
    consumer = AIOKafkaConsumer(
        os.environ["BENCH_INPUT"],
        bootstrap_servers=servers,
        group_id=os.environ["BENCH_GROUP"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=10,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, enable_idempotence=True, acks="all", max_batch_size=512 * 1024, linger_ms=0
    )
    await producer.start()
    await consumer.start()
    committed = monotonic()
    while True:
        sent = []
        for place, records in (await consumer.getmany(timeout_ms=1000, max_records=4000)).items():
            batch = producer.create_batch()
            for record in records:
                given = {"key": record.key, "value": record.value, "headers": [*record.headers]}
                if batch.append(timestamp=None, **given) is None:
                    sent.append(await producer.send_batch(batch, output, partition=place.partition))
                    batch = producer.create_batch()
                    batch.append(timestamp=None, **given)
            sent.append(await producer.send_batch(batch, output, partition=place.partition))
        for kept in sent:
            await kept
        if monotonic() > committed + COMMIT_SECONDS:
            await consumer.commit()
            committed = monotonic()


asyncio.run(main())
