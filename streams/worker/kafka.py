"""The loop's logs and outputs on Kafka, by aiokafka."""

from asyncio import Future, Lock, Task, create_task, sleep, wait
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from time import monotonic
from typing import Any, NamedTuple, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from gate.facts import Instant
from streams.connection import connection
from streams.settings import Kafka
from streams.topics import Names
from streams.worker.following import Followed, made_anew
from streams.worker.loop import Answered, Bounds, Fetched
from streams.worker.merge import Ends, Log
from streams.worker.outputs import DECISIONS, Output
from streams.worker.pins import Unknown
from streams.worker.records import tolerate_names
from streams.worker.taking import BATCH, appended, fitting

BATCH_BYTES = 512 * 1024
"""Of one produce request a partition; a single record may be larger."""
ACKNOWLEDGE_SECONDS = 1.0
LOOK_MILLISECONDS = 5_000
"""Waited for answers that are there; other partitions wait with it."""
TICK_SECONDS = 0.001
"""The unit of append times."""
LARGEST_REQUEST = 32 * 1024 * 1024
METADATA_MILLISECONDS = 30_000
"""After so long it is asked again which topics there are: they may have been made anew, or got more partitions."""
REBALANCE_MILLISECONDS = 10_000
"""How long the group waits for a worker to let go of its partitions."""
ENDING_SECONDS = 5.0
"""What a producer that failed gets to send what others have given it."""
FOR_EVER = 2**31 - 1
"""Milliseconds, as many as the protocol has."""


def followed_logs(names: Names) -> dict[TopicPartition, Log]:
    """The two logs of one partition that everybody reads whole."""
    return {TopicPartition(names.policy.name, 0): Log.POLICY, TopicPartition(names.register.name, 0): Log.REGISTER}


class NotAssigned(Exception):
    """The partition is not this worker's now, so that its state is not either."""


class Looker:
    """Looks at the end of a log; the worker's partitions share it, one after the other."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self._alone = Lock()

    async def appended(self, places: Mapping[TopicPartition, int]) -> dict[TopicPartition, Instant]:
        """When the first record from that offset on was appended to each log; raises `LogLost` if nobody knows."""
        found: dict[TopicPartition, Instant] = {}
        async with self._alone:
            self.consumer.assign([*places])
            for log, offset in places.items():
                self.consumer.seek(log, offset)
            while missing := [log for log in places if log not in found]:
                came = await self.consumer.getmany(*missing, timeout_ms=LOOK_MILLISECONDS, max_records=1)
                if not came:
                    where = ", ".join(f"{log.topic}:{log.partition}" for log in missing)
                    raise KafkaTimeoutError(f"nothing came of what was taken last of {where}")
                found |= {log: appended(records[0]) for log, records in came.items()}
        return found

    async def beyond(self, log: TopicPartition, place: Sequence[int], since: int) -> Answered:
        """What the answers beyond that place were given on; none of them stands before the offset `since`."""
        async with self._alone:
            self.consumer.assign([log])
            first = (await self.consumer.beginning_offsets([log]))[log]
            end = (await self.consumer.end_offsets([log]))[log]
            # A log that ends before that was made anew.
            begin = max(first, since) if since <= end else first
            unknown = Unknown(place)
            await self._read(log, begin, end, unknown)
            return Answered(end, unknown.pins)

    async def _read(self, log: TopicPartition, begin: int, end: int, unknown: Unknown) -> None:
        self.consumer.seek(log, begin)
        position = begin
        while position < end:
            found = await self.consumer.getmany(log, timeout_ms=LOOK_MILLISECONDS, max_records=BATCH)
            for record in found.get(log, ()):
                unknown.add(record.headers)
            before, position = position, await self.consumer.position(log)
            if position == before:
                raise KafkaTimeoutError(f"nothing came of the end of {log.topic}:{log.partition}")


class KafkaSource:
    """The logs of one partition, out of the consumer that the worker's partitions share."""

    def __init__(
        self, consumer: AIOKafkaConsumer, looker: Looker, followed: Followed, names: Names, number: int
    ) -> None:
        self._consumer = consumer
        self._looker = looker
        self._decisions = TopicPartition(names.decisions.name, number)
        self._acknowledged = 0.0
        self._fetched = 0.0
        self._actions = TopicPartition(names.actions.name, number)
        self._between = TopicPartition(names.between.name, number)
        self._followed = followed
        self._logs = [*followed_logs(names), self._between, self._actions]
        """By `Log`."""

    async def bounds(self) -> Sequence[Bounds]:
        """See `Source`."""
        if not self._consumer.assignment().issuperset((self._actions, self._between)):
            raise NotAssigned("it is not this worker's now: the group is being divided anew, or the topic was")
        first, end = await self._consumer.beginning_offsets(self._logs), await self._consumer.end_offsets(self._logs)
        return [Bounds(first[log], end[log]) for log in self._logs]

    async def appended(self, actions: int, between: int) -> tuple[Instant | None, Instant | None]:
        """See `Source`."""
        asked = {log: at for log, at in ((self._actions, actions), (self._between, between)) if at >= 0}
        found = await self._looker.appended(asked) if asked else {}
        return found.get(self._actions), found.get(self._between)

    async def answered(self, place: Sequence[int], since: int) -> Answered:
        """See `Source`."""
        return await self._looker.beyond(self._decisions, place, since)

    async def seek(self, actions: int, between: int) -> None:
        """See `Source`."""
        self._consumer.seek(self._actions, actions)
        self._consumer.seek(self._between, between)

    async def read(self, seconds: float, actions: bool) -> tuple[Fetched, Fetched]:
        """See `Source`."""
        both = (self._actions, self._between)
        asked = both if actions else both[1:]
        found = await self._consumer.getmany(*asked, timeout_ms=int(seconds * 1000), max_records=BATCH)
        self._fetched = monotonic()
        of_actions, of_between = [await self._taken(p, found.get(p, ())) for p in both]
        return of_actions, of_between

    async def _taken(self, log: TopicPartition, records: Sequence[Any]) -> Fetched:
        """As many of the records as fit into a batch; the others are fetched again."""
        fit = fitting(records)
        if fit < len(records):
            self._consumer.seek(log, records[fit].offset)
        return Fetched(records[:fit], await self._consumer.position(log))

    async def ends(self) -> Ends:
        """See `Source`."""
        early = self._fetched + TICK_SECONDS - monotonic()
        if early > 0:
            await sleep(early)
        read = tuple(self._followed.read)  # It goes on while the brokers are asked.
        found = await self._consumer.end_offsets(self._logs)
        ends = [found[log] for log in self._logs]
        for log in (Log.POLICY, Log.REGISTER):
            if ends[log] < read[log]:
                raise made_anew(self._logs[log].topic, read[log])
        return ends

    async def acknowledge(self, actions: int, between: int) -> None:
        """See `Source`."""
        if monotonic() < self._acknowledged + ACKNOWLEDGE_SECONDS:
            return
        self._acknowledged = monotonic()
        with suppress(KafkaError):  # A hint only; the next one is newer.
            await self._consumer.commit({self._actions: actions, self._between: between})


class Sender:
    """The producer that the worker's partitions share, replaced by another one after it failed.

    What a producer could not send has used up its numbers, by which brokers tell repetitions from what is new: whatever the
    same producer sends to that partition afterwards is refused, for good. It has tried again by itself before it says so.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        self._make = make
        self.producer = make()
        self._alone = Lock()
        self._ending: set[Task[None]] = set()

    async def start(self) -> None:
        """Connect; raises `KafkaError`."""
        await self.producer.start()

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        await self.producer.stop()

    async def replace(self, failed: AIOKafkaProducer) -> None:
        """Another one instead of that, unless somebody has replaced it; raises `KafkaError` if there is none to be had."""
        async with self._alone:
            if failed is self.producer:
                await self._end(failed)
                other = self._make()
                try:
                    await other.start()
                except BaseException:
                    await other.stop()
                    raise
                self.producer = other

    async def _end(self, failed: AIOKafkaProducer) -> None:
        """Give what others have sent by it a chance to arrive; then they send it again by the next."""
        ending = create_task(failed.stop())
        self._ending.add(ending)
        ending.add_done_callback(self._ended)
        _, late = await wait([ending], timeout=ENDING_SECONDS)
        if late:
            failed._message_accumulator.fail_all(ProducerClosed())

    def _ended(self, ending: "Task[None]") -> None:
        self._ending.discard(ending)
        if not ending.cancelled():
            ending.exception()  # Looked at, and of no interest: it is gone.


class _Sent(NamedTuple):
    """A batch on its way: where to, how many records, and where it will be."""

    place: tuple[int, int]
    many: int
    kept: "Future[RecordMetadata]"

    @property
    def answers(self) -> bool:
        return self.place[0] == DECISIONS


class KafkaPublisher:
    """Outputs in batches, idempotent, each acknowledged by all replicas in sync."""

    def __init__(self, sender: Sender, names: Names) -> None:
        self._sender = sender
        self._names: Mapping[int, str] = {place: topic.name for place, topic in enumerate(names)}
        self._kept: dict[tuple[int, int], list[Output]] = {}
        """What was acknowledged of outputs of which others were not: all are published again, and these were already."""

    async def publish(self, outputs: Sequence[Output]) -> int | None:
        """See `Publisher`."""
        producer = self._sender.producer
        try:
            return await self._publish(producer, outputs)
        except KafkaError:
            await self._sender.replace(producer)
            raise

    async def _publish(self, producer: AIOKafkaProducer, outputs: Sequence[Output]) -> int | None:
        ordered = sorted(outputs, key=_place)  # A stable sort keeps the order within a partition.
        groups = {place: [*group] for place, group in groupby(ordered, key=_place)}
        begun = {place: self._had(place, group) for place, group in groups.items()}
        sent: list[_Sent] = []
        try:
            for place, group in groups.items():
                await self._send_all(producer, place, group[begun[place] :], sent)
            if sent:
                await wait([each.kept for each in sent])
            found = [(each, each.kept.result()) for each in sent]
        except BaseException:
            self._kept = {place: group[: begun[place] + _acknowledged(place, sent)] for place, group in groups.items()}
            raise
        self._kept = {}
        answers = [where.offset + each.many if where.offset >= 0 else None for each, where in found if each.answers]
        return answers[-1] if answers else None  # A broker that had this batch already need not say where.

    def _had(self, place: tuple[int, int], group: Sequence[Output]) -> int:
        """How many of these the topic's partition acknowledged when they could not all be published."""
        kept = self._kept.get(place, [])
        return len(kept) if group[: len(kept)] == kept else 0

    async def _send_all(
        self, producer: AIOKafkaProducer, place: tuple[int, int], group: Sequence[Output], sent: list[_Sent]
    ) -> None:
        if not group:
            return
        batch = producer.create_batch()
        for output in group:
            values = {"key": output.key, "value": output.value, "headers": [*output.headers]}
            if batch.append(timestamp=None, **values) is None:
                sent.append(_Sent(place, batch.record_count(), await self._send(producer, batch, *place)))
                batch = producer.create_batch()
                batch.append(timestamp=None, **values)
        sent.append(_Sent(place, batch.record_count(), await self._send(producer, batch, *place)))

    async def _send(
        self, producer: AIOKafkaProducer, batch: BatchBuilder, topic: int, partition: int
    ) -> "Future[RecordMetadata]":
        kept: Future[RecordMetadata] = await producer.send_batch(batch, self._names[topic], partition=partition)
        return kept


def failed(*consumers: AIOKafkaConsumer) -> BaseException | None:
    """What one of these has died of, if it has: it is tried again by none of them, and no read would ever end well."""
    for consumer in consumers:
        coordinator, fetcher = consumer._coordinator, consumer._fetcher
        names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
        tasks = [getattr(coordinator, name, None) for name in names] + [getattr(fetcher, "_fetch_task", None)]
        for task in tasks:
            if task is not None and task.done() and not task.cancelled() and task.exception():
                return cast(BaseException, task.exception())
        if getattr(coordinator, "_pending_exception", None):
            return cast(BaseException, coordinator._pending_exception)
    return None


def _acknowledged(place: tuple[int, int], sent: Sequence[_Sent]) -> int:
    """How many records of a topic's partition, from the first on, were acknowledged."""
    count = 0
    for each in sent:
        if each.place == place:
            if not each.kept.done() or each.kept.cancelled() or each.kept.exception():
                break
            count += each.many
    return count


def _place(output: Output) -> tuple[int, int]:
    return output.topic, output.partition


def consumer(kafka: Kafka, group: str, instance: str) -> AIOKafkaConsumer:
    """The consumer of all partitions of a worker, with static membership and no forgiveness for missing offsets."""
    tolerate_names()
    return AIOKafkaConsumer(
        **connection(kafka),
        group_id=group,
        group_instance_id=instance,
        client_id=f"gate61-{instance}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        # Both topics have as many partitions, so that this assignor gives each worker the same of both.
        partition_assignment_strategy=[RangePartitionAssignor],
        session_timeout_ms=10_000,
        rebalance_timeout_ms=REBALANCE_MILLISECONDS,
        heartbeat_interval_ms=2_000,
        metadata_max_age_ms=METADATA_MILLISECONDS,
        # Nobody polls while Redis is away, and who left the group then would never come back: whether a loop goes
        # round is asked of its beat (`Gatekeeper.hanging`).
        max_poll_interval_ms=FOR_EVER,
        # A record that comes while a fetch for other partitions is under way waits for that fetch to end.
        fetch_max_wait_ms=10,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )


def follower(kafka: Kafka, instance: str) -> AIOKafkaConsumer:
    """A consumer without a group; who uses it says where to begin, and nothing is passed over."""
    tolerate_names()
    return AIOKafkaConsumer(
        **connection(kafka),
        client_id=f"gate61-{instance}-register",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )


def producer(kafka: Kafka, instance: str) -> AIOKafkaProducer:
    """The producer of all outputs of a worker."""
    return AIOKafkaProducer(
        **connection(kafka),
        client_id=f"gate61-{instance}",
        enable_idempotence=True,
        acks="all",
        max_batch_size=BATCH_BYTES,
        max_request_size=LARGEST_REQUEST,
        linger_ms=0,
    )
