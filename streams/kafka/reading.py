"""Topics read without a group, by commands that look at what is there: nothing is acknowledged, nobody is disturbed."""

from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from msgspec import Struct

from streams.kafka.connection import connection, opened
from streams.kafka.topics import missing
from streams.logs.records import read_alike
from streams.settings import Kafka

SECONDS = 10.0
"""How long Kafka may take to answer at first."""
STALLED_SECONDS = 30.0
_POLL_MILLISECONDS = 500


class NotRead(Exception):
    """A topic that is not there, or that cannot be read to its end."""


class Extent(Struct, frozen=True):
    """What a topic held when somebody looked: by partition the first offset there is, and the one after the last."""

    topic: str
    bounds: Mapping[int, tuple[int, int]]


def reader(kafka: Kafka, seconds: float = SECONDS) -> KafkaConsumer:
    """A consumer without a group; close it. Raises `KafkaError` if no broker answers in that time."""
    read_alike()
    return opened(
        KafkaConsumer,
        **connection(kafka),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        reconnect_backoff_max_ms=2_000,
        bootstrap_timeout_ms=int(seconds * 1000),
    )


def partitions(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """The partitions of a topic in order; raises `NotRead`."""
    must_have(consumer, topic)
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]


def must_have(consumer: KafkaConsumer, *topics: str) -> None:
    """Raises `NotRead` where a topic is not there: whoever reads or writes it would wait in vain, and hear of other things."""
    if lacking := [topic for topic in topics if not consumer.partitions_for_topic(topic)]:
        raise NotRead(missing(lacking))


def extent(consumer: KafkaConsumer, topic: str) -> Extent:
    """What a topic holds now."""
    places = partitions(consumer, topic)
    first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
    return Extent(topic, {p.partition: (first[p], end[p]) for p in places})


def records(consumer: KafkaConsumer, held: Extent) -> Iterator[Any]:
    """Every record of a topic up to where it ended then, in order within a partition; raises `NotRead`."""
    ends = {TopicPartition(held.topic, n): end for n, (first, end) in held.bounds.items() if first < end}
    if not ends:
        return
    consumer.assign(list(ends))
    for place in ends:
        consumer.seek(place, held.bounds[place.partition][0])
    moved = monotonic()
    while ends:
        for place, found in consumer.poll(_POLL_MILLISECONDS).items():
            yield from (r for r in found if place in ends and r.offset < ends[place])
            moved = monotonic()  # Whoever takes them may take his time, as a person does who reads.
        ends = {p: end for p, end in ends.items() if consumer.position(p, _POLL_MILLISECONDS) < end}
        if monotonic() - moved > STALLED_SECONDS:
            raise NotRead(f"`{held.topic}` cannot be read to its end: nothing came for {STALLED_SECONDS:g} s")
