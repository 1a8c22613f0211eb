"""The loop's outputs on Kafka, by aiokafka: in order, idempotent, and by another producer after any error."""

from asyncio import FIRST_COMPLETED, Event, Future, Lock, Task, create_task, timeout, wait
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, KafkaConnectionError, KafkaError, KafkaTimeoutError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from streams.kafka.connection import connection, forbidden, let_go, make_no_topics, said
from streams.kafka.topics import Names
from streams.settings import Kafka
from streams.worker.outputs import DECISIONS, Output

BATCH_BYTES = 512 * 1024
"""Of one produce request a partition; a single record may be larger."""
LARGEST_REQUEST = 32 * 1024 * 1024
ENDING_SECONDS = 5.0
"""What a producer that failed gets to send what others have given it."""
STARTING_SECONDS = 10.0
"""What the next one gets to connect."""
PUBLISH_SECONDS = 50.0
"""What a producer gets to have a batch kept: more than it tries by itself, and less than `/livez` waits for a loop."""

T = TypeVar("T")


class Sender:
    """The producer that the worker's partitions share, replaced by another one after it failed.

    What a producer could not send has used up its numbers, by which brokers tell repetitions from what is new: whatever the
    same producer sends to that partition afterwards is refused, for good. It has tried again by itself before it says so.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        self._make = make
        self.producer = make()
        self._replaced = Event()
        """Set once the producer has sent what it will ever send."""
        self._alone = Lock()
        self._refused = 0
        """How often no other producer was to be had."""
        self._ending: set[Task[None]] = set()

    async def start(self) -> None:
        """Connect; raises `KafkaError`."""
        await self.producer.start()

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        await self.producer.stop()

    async def while_it_lasts(self, publishing: Coroutine[Any, Any, T]) -> T:
        """What that comes to before the producer is replaced, and within `PUBLISH_SECONDS`; else raises `KafkaError`.

        aiokafka's producer completes batches when it is stopped, and leaves whoever waits for a topic's metadata waiting
        for ever.
        """
        replaced = self._replaced
        both = create_task(publishing), create_task(replaced.wait())
        try:
            await wait(both, timeout=PUBLISH_SECONDS, return_when=FIRST_COMPLETED)
            if both[0].done():
                return both[0].result()
            raise ProducerClosed(_ENDED) if replaced.is_set() else KafkaTimeoutError(_NOTHING_SAID)
        finally:
            for task in both:
                task.cancel()
            await wait(both)  # It notes on its way out what was kept.

    async def replace(self, failed: AIOKafkaProducer) -> None:
        """Another one instead of that, unless somebody has replaced it; raises `KafkaError` if there is none to be had.

        Who waited while somebody else found that there is none does not try again at once: with all partitions of a worker
        that would take half an hour.
        """
        refused = self._refused
        async with self._alone:
            if failed is not self.producer:
                return
            if refused != self._refused:
                raise KafkaConnectionError(_NO_OTHER)
            await self._end(failed)
            other = self._make()
            try:
                async with timeout(STARTING_SECONDS):
                    await other.start()
            except BaseException as error:
                self._refused += 1
                await let_go(other)
                if isinstance(error, TimeoutError):
                    raise KafkaTimeoutError(_NO_OTHER) from None
                raise
            self.producer, self._replaced = other, Event()

    async def _end(self, failed: AIOKafkaProducer) -> None:
        """Give what others have sent by it a chance to arrive; then they send it again by the next."""
        ending = create_task(failed.stop())
        self._ending.add(ending)
        ending.add_done_callback(self._ended)
        _, late = await wait([ending], timeout=ENDING_SECONDS)
        if late:
            failed._message_accumulator.fail_all(ProducerClosed())
        self._replaced.set()

    def _ended(self, ending: "Task[None]") -> None:
        self._ending.discard(ending)
        if not ending.cancelled():
            ending.exception()  # Looked at, and of no interest: it is gone.


_NO_OTHER = "no other producer was to be had after an error; see that all brokers run"
_ENDED = "the producer was ended after another partition's error; by the next one it is published again"
_NOTHING_SAID = f"Kafka has not acknowledged what was published for {PUBLISH_SECONDS:g} s; see that all brokers run"


class NotKept(KafkaError):  # type: ignore[misc]
    """Outputs that a topic did not take."""

    def __init__(self, topic: str, partition: int, error: Exception) -> None:
        if isinstance(error, ProducerClosed):  # That is no fault of the topic's.
            super().__init__(f"`{topic}:{partition}` has not taken what was published: {_ENDED}")
            return
        do = "" if forbidden(error) else "; see `gate61 topics plan`"
        if isinstance(error, InvalidTimestampError):
            do = f"; set this machine's clock right, or let the topic take the broker's time{do}"
        super().__init__(f"`{topic}:{partition}` does not take what is published: {said(error)}{do}")


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
            return await self._sender.while_it_lasts(self._publish(producer, outputs))
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
            found = [(each, self._result(each)) for each in sent]
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

    def _result(self, sent: _Sent) -> "RecordMetadata":
        try:
            return sent.kept.result()
        except KafkaError as error:
            raise NotKept(self._names[sent.place[0]], sent.place[1], error) from error

    async def _send(
        self, producer: AIOKafkaProducer, batch: BatchBuilder, topic: int, partition: int
    ) -> "Future[RecordMetadata]":
        try:
            kept: Future[RecordMetadata] = await producer.send_batch(batch, self._names[topic], partition=partition)
        except (KafkaError, AssertionError) as error:  # The latter where the topic has no such partition.
            raise NotKept(self._names[topic], partition, error) from error
        return kept


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


def producer(kafka: Kafka, instance: str) -> AIOKafkaProducer:
    """The producer of all outputs of a worker."""
    make_no_topics()
    return AIOKafkaProducer(
        **connection(kafka),
        client_id=f"gate61-{instance}",
        enable_idempotence=True,
        acks="all",
        max_batch_size=BATCH_BYTES,
        max_request_size=LARGEST_REQUEST,
        linger_ms=0,
    )
