"""The gate on the real parts: topics, workers as processes, what was published, and what should have been."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from gate.facts import Instant
from gate.instants import text
from state import MemoryStore, notes
from state.redis.look import StateLost
from state.redis.store import RedisStore
from streams.border.wire import Rejected
from streams.embedded import Gate
from streams.kafka.record import partition_of
from streams.kafka.topics import Names, topics
from streams.worker.outputs import Output, outbox_from_bytes
from tests.player import POLICY
from tests.runtime.kafka import APPEND_TIME, Kafka
from tests.runtime.process import Process, free_port, wait_until
from tests.runtime.redis import Cluster, Redis

OF_REGISTER = ("campaign.", "entity.", "asset.", "product.", "country.")
NOTED = [notes.POLICY, notes.REGISTER, notes.BETWEEN, notes.WALK]
OTHERS = 200
"""Records that others may have put behind what a partition published, as neighbours tell one client's."""
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")


class Out(NamedTuple):
    """A record that was published."""

    partition: int
    offset: int
    at: int
    """Milliseconds since 1970."""
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Setting:
    """One gate's topics on a broker, and its Redis or cluster of them."""

    def __init__(self, kafka: Kafka, redis: Redis | Cluster, prefix: str, folder: Path, partitions: int = 4) -> None:
        self.kafka, self.redis, self.prefix, self.folder, self.partitions = kafka, redis, prefix, folder, partitions
        self.names: Names = topics(prefix)
        for of_time in (True, False):
            wanted = {t.name: t.partitions or partitions for t in self.names if t.append_time is of_time}
            kafka.create(wanted, APPEND_TIME if of_time else APPEND_TIME | {"max.message.bytes": "8388608"})
        self.producer = KafkaProducer(bootstrap_servers=kafka.servers, acks="all", linger_ms=5, max_request_size=2**22)

    @property
    def server(self) -> Redis:
        """Its Redis, where that is one server and no cluster."""
        assert isinstance(self.redis, Redis)
        return self.redis

    def worker(self, name: str = "w1", interpreted: bool = False, **settings: str) -> "Worker":
        """A worker, not started yet; compiled as `make native` left it, or interpreted as where there is no compiler."""
        return Worker(self, name, settings, interpreted)

    def publish(self, events: Iterable[Mapping[str, Any] | bytes]) -> None:
        """As a platform does, in this order; returns when all are kept."""
        sent = []
        for event in events:
            line = event if isinstance(event, bytes) else json.dumps(event).encode()
            said = json.loads(line)
            if said["type"].removeprefix("gate61.").startswith(OF_REGISTER):
                place, key = (self.names.register.name, 0), None
            else:
                key = said["subject"].encode()
                place = (self.names.actions.name, partition_of(key, self.partitions))
            sent.append(self.producer.send(place[0], value=line, key=key, partition=place[1], headers=[CONTENT_TYPE]))
        self.producer.flush()
        for each in sent:
            each.get(30)

    def read(self, topic: str, partitions: int | None = None) -> list[Out]:
        """Everything a topic holds, by partition and offset."""
        with self._consumer() as consumer:
            places = [TopicPartition(topic, p) for p in range(partitions or self.partitions)]
            return sorted(_read(consumer, consumer.end_offsets(places)))

    def _consumer(self) -> "closing[Any]":
        return closing(KafkaConsumer(bootstrap_servers=self.kafka.servers, enable_auto_commit=False))

    def ends(self) -> dict[int, int]:
        """How far the log of what happens around clients goes, by partition."""
        with self._consumer() as consumer:
            places = [TopicPartition(self.names.actions.name, p) for p in range(self.partitions)]
            return {p.partition: end for p, end in consumer.end_offsets(places).items()}

    def stored(self) -> dict[int, int]:
        """The next offset that is stored, by partition."""
        with self.redis.client() as client:
            keys = [f"{{{self.names.actions.name}:{p}}}:meta" for p in range(self.partitions)]
            return {p: int(client.hget(k, "next") or 0) for p, k in enumerate(keys)}

    def caught_up(self, seconds: float = 60) -> float:
        """Wait until everything is decided, told to others and published; how many seconds it took."""
        begun, ends = time.monotonic(), self.ends()
        wait_until(lambda: self.stored() == ends, seconds, "all events decided")
        with self._consumer() as consumer:
            wait_until(lambda: self._stands_still(consumer), seconds, "all that follows published")
        return time.monotonic() - begun

    def _stands_still(self, consumer: Any) -> bool:
        """Whether nothing is left to do of any log.

        What was remembered is looked at first, and the ends of logs last: what was published meanwhile is seen.
        """
        came, outbox = self._remembered()
        last: dict[TopicPartition, set[bytes | None]] = {}
        for output in outbox:
            last.setdefault(TopicPartition(self.names[output.topic].name, output.partition), set()).add(output.value)
        there = _ends(consumer, last)
        published: dict[TopicPartition, set[bytes | None]] = {}
        for place in last:
            records = _read(consumer, {place: there[place]}, len(last[place]) + OTHERS)
            published[place] = {record.value for record in records}
        return all(last[place] <= published[place] for place in last) and came == _ends(consumer, came)

    def _remembered(self) -> tuple[dict[TopicPartition, int], list[Output]]:
        """How far all partitions have come in each log, no further than before what they still walk; and the last outputs."""
        came: dict[TopicPartition, int] = {}
        outbox: list[Output] = []
        with self.redis.client() as client:
            for number in range(self.partitions):
                key = f"{{{self.names.actions.name}:{number}}}:"
                policy, register, between, walk = client.hmget(f"{key}notes", NOTED)
                walked = min(int(register or 0), int(walk)) if int(walk or -1) >= 0 else int(register or 0)
                for topic, partition, upto in (
                    (self.names.policy, 0, int(policy or 0)),
                    (self.names.register, 0, walked),
                    (self.names.between, number, int(between or 0)),
                    (self.names.actions, number, int(client.hget(f"{key}meta", "next") or 0)),
                ):
                    place = TopicPartition(topic.name, partition)
                    came[place] = min(upto, came.get(place, upto))
                outbox += outbox_from_bytes(client.get(f"{key}outbox") or b"")
        return came, outbox

    def decisions(self) -> dict[str, dict[str, Any]]:
        """Every answer by its id; copies must be the same bytes."""
        return {id: json.loads(value)["data"] for id, value in self.published(self.names.decisions.name).items()}

    def published(self, topic: str) -> dict[str, bytes]:
        """Every record of a topic of outputs, by its event's id; copies must be the same bytes."""
        found: dict[str, bytes] = {}
        for record in self.read(topic):
            value = record.value or b""
            id = json.loads(value)["id"]
            assert found.setdefault(id, value) == value, f"two records say `{id}` and differ"
        return found

    def merged(self) -> Iterator[bytes]:
        """The input topics as one file of events, in the order of append times."""
        register = [(0, r) for r in self.read(self.names.register.name, 1)]
        actions = [(1, r) for r in self.read(self.names.actions.name)]
        latest: dict[tuple[int, int], Instant] = {}
        rows = []
        for rank, record in register + actions:
            place = (rank, record.partition)
            latest[place] = max(record.at, latest.get(place, 0))
            rows.append((latest[place], rank, record.partition, record.offset, record.value or b""))
        for at, *_, value in sorted(rows):
            event = json.loads(value)
            yield json.dumps({**event, "recordedtime": text(at * 1000)}).encode()

    def expected(self) -> dict[str, bytes]:
        """What `gate61 decide` says on the same log, by id."""
        gate = Gate(POLICY, MemoryStore())
        found: dict[str, bytes] = {}
        for line in self.merged():
            taken = gate.take(line)
            assert not isinstance(taken, Rejected), taken
            found |= {json.loads(out)["id"]: out for out in map(gate.line_of, taken)}
        return found

    def unreadable(self) -> list[str]:
        """What is wrong with clients' histories in Redis."""
        found = []
        for number in range(self.partitions):
            with self.redis.client() as client:
                store = RedisStore(client, f"{self.names.actions.name}:{number}")
                for dossier in store.dossiers():
                    try:
                        store.history(dossier.client)
                    except StateLost as error:
                        found.append(str(error))
        return found

    def differences(self) -> list[str]:
        """Where the published answers are not those of `gate61 decide`: missing, wrong, or too many."""
        want = {id: line for id, line in self.expected().items() if b'"gate61.offer.decided.v1"' in line}
        have = self.published(self.names.decisions.name)
        found = [f"missing {id}" for id in want.keys() - have.keys()]
        found += [f"too many: {id}" for id in have.keys() - want.keys()]
        return found + [f"wrong {id}" for id in want.keys() & have.keys() if want[id] != have[id]]


def _ends(consumer: Any, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Where these logs end; asked topic by topic, as kafka-python leaves out those of whose leaders it has still to hear."""
    asked: dict[str, list[TopicPartition]] = {}
    for place in places:
        asked.setdefault(place.topic, []).append(place)
    return {place: end for those in asked.values() for place, end in consumer.end_offsets(those).items()}


def _read(consumer: Any, ends: Mapping[TopicPartition, int], last: int | None = None) -> list[Out]:
    """What these places hold up to these offsets, or so many offsets at their ends."""
    consumer.assign([*ends])
    consumer.seek_to_beginning(*ends)
    for place, end in ends.items() if last is not None else ():
        consumer.seek(place, max(consumer.position(place), end - (last or 0)))
    found: list[Out] = []
    moved = time.monotonic()
    while any(consumer.position(place) < end for place, end in ends.items()):
        assert time.monotonic() < moved + 30, f"cannot read {[*ends]} to their ends"
        for records in consumer.poll(500).values():
            moved = time.monotonic()
            found += [Out(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]
    return found


class Worker(Process):
    """`gate61 worker` as a process."""

    def __init__(self, setting: Setting, name: str, settings: Mapping[str, str], interpreted: bool = False) -> None:
        self.port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "GATE61_KAFKA": setting.kafka.servers,
            "GATE61_REDIS": setting.redis.url,
            "GATE61_PREFIX": setting.prefix,
            "GATE61_PARTITIONS": str(setting.partitions),
            "GATE61_INSTANCE": name,
            "GATE61_HEALTH": f"127.0.0.1:{self.port}",
            **settings,
        }
        program = [str(Path(sys.executable).with_name("gate61"))]
        if interpreted:
            program = [sys.executable, "-c", "from streams.cli import main; main()"]
        super().__init__([*program, "worker"], setting.folder / name, name, environment)
        self.settings = environment
        """Its environment."""
