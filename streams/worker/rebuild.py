"""State made anew from the topics: the same judging in the same order, without publishing anything again.

A partition whose Redis still knows how far it came is rebuilt to that very place. One that lost even that is rebuilt to
what the group last acknowledged, all of whose outputs were kept; the worker goes on from there and says the rest again,
the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version as version_of
from time import monotonic, sleep
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from msgspec import Struct
from redis import Redis

from state.redis_look import StateLost
from state.redis_store import RedisStore
from streams.administration import administrator
from streams.codecs import unpack_every_codec
from streams.connection import connection
from streams.settings import Settings
from streams.topics import Names, topics
from streams.worker.following import Followed, whole
from streams.worker.merge import Log, LogLost
from streams.worker.partition import Partition
from streams.worker.pins import Pin, Unknown
from streams.worker.pins import reached as reached_by
from streams.worker.progress import Place, place_of, same_spread

LEAVE_SECONDS = 15.0
NEVER = 1 << 62
"""An offset that is not reached."""
NOWHERE = (0,) * len(Log)


class StillRunning(Exception):
    """Workers have the partitions; two may not write one state."""


class Rebuilt(Struct, frozen=True):
    """One partition."""

    partition: int
    events: int
    clients: int
    place: Place | None
    """How far its state had come; None if that was lost."""
    differs: tuple[str, ...] | None
    """Clients whose bytes are not the same as before, if that was asked."""


class Rebuild:
    """Reads the topics of a gate, for one partition after the other."""

    def __init__(self, settings: Settings, redis: Redis, told: Callable[[int, int, int], None]) -> None:
        """`told` hears of progress: partition, events judged, events to judge."""
        self._settings = settings
        self._redis = redis
        self._told = told
        self._names: Names = topics(settings.prefix)
        self._followed = Followed()
        self._group = f"{settings.prefix}{settings.group}"

    def begin(self) -> int:
        """Read register and policies; returns how many partitions there are. Raises `LogLost`, `OtherPartitions`."""
        admin = administrator(self._settings.kafka)
        try:
            kept = admin.list_group_offsets({self._group: None}).get(self._group, {})
            self._acknowledged = {p.partition: o.offset for p, o in kept.items() if p.topic == self._names.actions.name}
        finally:
            admin.close()
        logs = {TopicPartition(self._names.policy.name, 0): Log.POLICY}
        logs[TopicPartition(self._names.register.name, 0)] = Log.REGISTER
        consumer = self._consumer()
        try:
            consumer.assign([*logs])
            whole({place.topic: first for place, first in consumer.beginning_offsets([*logs]).items()})
            consumer.seek_to_beginning()
            ends = consumer.end_offsets([*logs])
            while any(consumer.position(p) < ends[p] for p in logs):
                for place, records in consumer.poll(500).items():
                    for record in records:
                        self._followed.add(logs[place], record)
            for place, log in logs.items():
                self._followed.read[log] = max(self._followed.read[log], ends[place])
            partitions = len(consumer.partitions_for_topic(self._names.actions.name) or ())
            same_spread((self._store(n).look() for n in range(partitions)), partitions)
            return partitions
        finally:
            consumer.close()

    def may_make(self, numbers: Sequence[int]) -> None:
        """Whether these partitions have all that their state was made from; raises `LogLost` before anything is removed."""
        places = [TopicPartition(t.name, n) for t in (self._names.actions, self._names.between) for n in numbers]
        consumer = self._consumer()
        try:
            _from_their_beginning(consumer.beginning_offsets(places))
        finally:
            consumer.close()

    def check(self, number: int, partitions: int) -> Rebuilt:
        """Rebuild beside the state and compare, byte for byte; the state is not touched."""
        stored, place = self._stored(number)
        beside = self._store(number, "rebuild:")
        beside.clear()
        try:
            events = self._replay(number, partitions, beside, place or self._acknowledged_place(number))
            differs = tuple(stored.differences(beside))
            return Rebuilt(number, events, beside.count(), place, differs)
        finally:
            beside.clear()

    def make(self, number: int, partitions: int) -> Rebuilt:
        """Remove the state of a partition and make it anew."""
        self._wait_for_workers_to_leave()
        store, place = self._stored(number)
        until = place or self._acknowledged_place(number)
        store.clear()
        events = self._replay(number, partitions, store, until)
        return Rebuilt(number, events, store.count(), place, None)

    def _wait_for_workers_to_leave(self) -> None:
        """A stopped worker keeps its place in the group for as long as its session lasts."""
        admin = administrator(self._settings.kafka)
        try:
            deadline = monotonic() + LEAVE_SECONDS
            while admin.describe_groups([self._group]).get(self._group, {}).get("members"):
                if monotonic() > deadline:
                    raise StillRunning(f"workers of group `{self._group}` are running; stop them first")
                sleep(0.5)
        finally:
            admin.close()

    def _stored(self, number: int) -> tuple[RedisStore, Place | None]:
        store = self._store(number)
        found = store.look()
        try:
            # Without an outbox the last outputs may never have been published: it is no place to make anew up to.
            return store, place_of(found, found.next) if found.outbox else None
        except StateLost:
            return store, None

    def _store(self, number: int, below: str = "") -> RedisStore:
        return RedisStore(self._redis, f"{self._names.actions.name}:{number}", below=below)

    def _acknowledged_place(self, number: int) -> Place:
        return Place(NEVER, NEVER, NEVER, self._acknowledged.get(number, 0), 1)

    def _replay(self, number: int, partitions: int, store: RedisStore, until: Place) -> int:
        if not until.actions and not until.between:
            return 0
        partition = Partition(number, partitions, self._followed, store, version_of("gate61"))
        partition.assume()
        if not partition.open():
            return 0
        places = [TopicPartition(t.name, number) for t in (self._names.actions, self._names.between)]
        consumer = self._consumer()
        try:
            partition.pin([pin for pin in self._pins(consumer, number) if reached_by(until, pin)])
            consumer.assign(places)
            consumer.seek_to_beginning()
            ends = consumer.end_offsets(places)
            all_ends = [*self._followed.read, ends[places[1]], ends[places[0]]]
            reached = False
            while not reached:
                found = consumer.poll(500, max_records=2000)
                read = [(found.get(p, ()), consumer.position(p)) for p in places]
                partition.read(*read[0], *read[1])
                partition.recall()
                reached = partition.rework(all_ends, until)
                self._told(number, min(partition.place.actions, until.actions), until.actions)
                reached = reached or (not found and all(consumer.position(p) >= ends[p] for p in places))
            return partition.place.actions
        finally:
            consumer.close()

    def _pins(self, consumer: Any, number: int) -> list[Pin]:
        """What the published answers say of the order in which the logs were applied."""
        answers = TopicPartition(self._names.decisions.name, number)
        consumer.assign([answers])
        consumer.seek_to_beginning()
        end, unknown = consumer.end_offsets([answers])[answers], Unknown(NOWHERE)
        while consumer.position(answers) < end:
            for record in consumer.poll(500, max_records=2000).get(answers, ()):
                unknown.add(record.headers)
        return unknown.pins

    def _consumer(self) -> Any:
        unpack_every_codec()
        return KafkaConsumer(
            **connection(self._settings.kafka),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
        )


def _from_their_beginning(beginnings: Mapping[TopicPartition, int]) -> None:
    """Whether no record was deleted: on the rest more would be allowed than on all; raises `LogLost`."""
    for topic in {place.topic for place in beginnings}:
        gone = [f"{p.partition} (begins at {first})" for p, first in beginnings.items() if p.topic == topic and first]
        if gone:
            raise LogLost(
                f"records of `{topic}` were deleted, in partition {', '.join(gone)}: state made from the rest would allow what "
                "they forbid, so nothing was changed. Keep the state that there is, or bring it back from a copy of Redis' "
                "files; or give the topic back its log from a copy. Keep this topic for good (`gate61 doctor`)"
            )
