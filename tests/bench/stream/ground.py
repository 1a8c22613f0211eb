"""The same ground for all: one broker, one Redis, the same bytes in the same topics."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec

from streams.kafka.record import partition_of
from streams.kafka.topics import Names, topics
from tests.runtime.gate import CONTENT_TYPE
from tests.runtime.kafka import APPEND_TIME, Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis

JAVA = ("-Xms1g", "-Xmx1g", "-XX:+UseG1GC")
PATIENT = {"broker.heartbeat.interval.ms": "2000", "broker.session.timeout.ms": "9000"}
"""A busy broker must not lose its own controller."""


class _Client(msgspec.Struct):
    subject: str


_client = msgspec.json.Decoder(_Client)


class Ground:
    """Broker and Redis as child processes, and what is asked of them."""

    def __init__(self, folder: Path, partitions: int) -> None:
        self.folder, self.partitions = folder, partitions
        self.kafka = Kafka(folder / "kafka", PATIENT, JAVA)
        self.redis = Redis(folder / "redis")
        self._runs = 0

    def __enter__(self) -> "Ground":
        self.redis.start()
        self.kafka.start()
        self.admin = KafkaAdminClient(bootstrap_servers=self.kafka.servers)
        return self

    def __exit__(self, *_: object) -> None:
        self.admin.close()
        self.kafka.kill()
        self.redis.kill()

    def fresh(self, prefix: str) -> Names:
        """The topics of a prefix, all outputs empty, and Redis empty; what was published to inputs stays."""
        names = topics(prefix)
        inputs = (names.actions, names.register)
        there = set(self.admin.list_topics())
        old = [t.name for t in names if t.name in there and t not in inputs]
        if old:
            self.admin.delete_topics(old)
            wait_until(lambda: not set(old) & set(self.admin.list_topics()), 30, "outputs deleted")
        wanted = {t.name: t.partitions or self.partitions for t in names if t.name not in there or t.name in old}
        self.kafka.create(wanted, APPEND_TIME | {"max.message.bytes": "8388608"})
        with self.redis.client() as client:
            client.flushall()
        return names

    def output(self) -> str:
        """A new topic for a rival's answers."""
        name = f"answers-{self.next()}"
        self.kafka.create({name: self.partitions}, APPEND_TIME)
        return name

    def next(self) -> int:
        """A number not given before."""
        self._runs += 1
        return self._runs

    def remove(self, names: Iterable[str]) -> None:
        """Topics that nobody needs any more."""
        self.admin.delete_topics(list(names))

    def publish(self, register: Iterable[str], actions: Iterable[str], names: Names) -> None:
        """The register, then what happens around clients, each client's on his partition."""
        asyncio.run(self._publish(register, actions, names))

    async def _publish(self, register: Iterable[str], actions: Iterable[str], names: Names) -> None:
        async with producer(self.kafka.servers) as out:
            for line in register:
                await out.send_and_wait(names.register.name, line.encode(), headers=[CONTENT_TYPE])
            batches = {p: out.create_batch() for p in range(self.partitions)}
            for line in actions:
                value = line.encode()
                key = _client.decode(value).subject.encode()
                p = partition_of(key, self.partitions)
                given = {"key": key, "value": value, "headers": [CONTENT_TYPE]}
                if batches[p].append(timestamp=None, **given) is None:
                    await out.send_batch(batches[p], names.actions.name, partition=p)
                    batches[p] = out.create_batch()
                    batches[p].append(timestamp=None, **given)
            for p, batch in batches.items():
                await out.send_batch(batch, names.actions.name, partition=p)

    def ends(self, topic: str) -> dict[int, int]:
        """The offset after the last record, by partition."""
        places = [TopicPartition(topic, p) for p in range(self.partitions)]
        return {
            p.partition: o.offset
            for p, o in self.admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST)).items()
        }

    def committed(self, group: str, topic: str) -> int:
        """How many records of the topic a group says it is done with."""
        offsets = self.admin.list_group_offsets([group])[group]
        return sum(max(0, o.offset) for p, o in offsets.items() if p.topic == topic)

    def appended(self, topic: str, since: dict[int, int]) -> list[float]:
        """When each committed record from those offsets on was appended, in seconds since 1970, sorted; copies left out."""
        return asyncio.run(self._appended(topic, since))

    async def _appended(self, topic: str, since: dict[int, int]) -> list[float]:
        ends, found = self.ends(topic), list[float]()
        async with AIOKafkaConsumer(
            bootstrap_servers=self.kafka.servers, enable_auto_commit=False, isolation_level="read_committed"
        ) as consumer:
            places = [TopicPartition(topic, p) for p in ends]
            consumer.assign(places)
            await consumer.seek_to_beginning()
            seen = set[int]()
            while any([await consumer.position(p) < ends[p.partition] for p in places]):
                for place, records in (await consumer.getmany(timeout_ms=200)).items():
                    for record in records:
                        value = hash(record.value)
                        if record.offset >= since[place.partition] and value not in seen:
                            found.append(record.timestamp / 1000)
                        seen.add(value)
        return sorted(found)

    def redis_memory(self) -> int:
        """Bytes that Redis uses for its data."""
        with self.redis.client() as client:
            return int(client.info("memory")["used_memory"])


def producer(servers: str) -> AIOKafkaProducer:
    """Publishes the load; keeps order."""
    return AIOKafkaProducer(
        bootstrap_servers=servers, enable_idempotence=True, acks="all", linger_ms=0, max_batch_size=512 * 1024
    )


def idle_load() -> float:
    """How many processes the machine ran in the last minute, on average."""
    return os.getloadavg()[0]
