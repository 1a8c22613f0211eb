"""What is asked of brokers by who reads logs, by aiokafka: the worker, `gate61 ask`, and whoever follows a gate."""

from asyncio import Lock, to_thread
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from aiokafka.protocol.offset import OffsetRequest
from kafka.errors import KafkaError as OtherKafkaError

from streams.kafka.administration import administrator, compacted
from streams.kafka.connection import connection, make_no_topics, said
from streams.kafka.topics import Names, inputs
from streams.logs.lost import GIVE_BACK, whole_keys
from streams.logs.merge import Log
from streams.logs.records import read_alike
from streams.logs.standing import Standing
from streams.logs.taking import BATCH
from streams.settings import Kafka

ANSWER_MILLISECONDS = 8_000
"""What a broker gets to answer who only reads logs, or asks where they end: one that stands still is asked by chance what any
of them could say, and so holds up those who need nothing of it."""
LOOK_MILLISECONDS: Final = 5_000
"""Waited for records that are there; other partitions wait with it."""


_NO_CONSUMER: Final = -2
"""Who says that he is this replica is told where a leader's log ends, and not how far a consumer may read it (the protocol's
`DEBUGGING_REPLICA_ID` of ListOffsets)."""


def followed_logs(names: Names) -> dict[TopicPartition, Log]:
    """The two logs of one partition that everybody reads whole."""
    return {TopicPartition(names.policy.name, 0): Log.POLICY, TopicPartition(names.register.name, 0): Log.REGISTER}


def follower(kafka: Kafka, instance: str) -> AIOKafkaConsumer:
    """A consumer without a group; who uses it says where to begin, and nothing is passed over."""
    return _alone(kafka, f"{instance}-register", "read_committed")


def asker(kafka: Kafka, instance: str) -> AIOKafkaConsumer:
    """A client that reads nothing and is asked where logs end.

    What stands behind the first record of an open transaction cannot be read until that ends, nor what other brokers have
    not copied yet, and whoever published it may have been told that it is there: nothing may be decided as if it were not.
    """
    alone = _alone(kafka, f"{instance}-ends", "read_uncommitted")
    send = alone._client.send

    async def unlimited(node: int, request: Any, **how: Any) -> Any:
        if isinstance(request, OffsetRequest):
            request._replica_id = _NO_CONSUMER
        return await send(node, request, **how)

    alone._client.send = unlimited
    return alone


def _alone(kafka: Kafka, name: str, isolation: str) -> AIOKafkaConsumer:
    read_alike()
    make_no_topics()
    return AIOKafkaConsumer(
        **connection(kafka),
        client_id=f"gate61-{name}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=isolation,
        request_timeout_ms=ANSWER_MILLISECONDS,
        fetch_max_wait_ms=50,
    )


class Looker:
    """Looks at the end of a log; all who read logs in this process share it, one after the other."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self._alone = Lock()

    async def records(self, places: Mapping[TopicPartition, int], many: int = 1) -> dict[TopicPartition, list[Any]]:
        """By log, its first so many records, or more, from that offset on; none of one that begins behind it.

        Raises `KafkaError` where they do not come.
        """
        async with self._alone:
            first = await self.consumer.beginning_offsets([*places])
            found: dict[TopicPartition, list[Any]] = {log: [] for log in places if first[log] <= places[log]}
            if found:
                self.consumer.assign([*found])
            for log in found:
                self.consumer.seek(log, places[log])
            while missing := [log for log, records in found.items() if len(records) < many]:
                came = await self.consumer.getmany(*missing, timeout_ms=LOOK_MILLISECONDS, max_records=many)
                if not came:
                    where = ", ".join(f"{log.topic}:{log.partition}" for log in missing)
                    raise KafkaTimeoutError(f"Kafka does not deliver the last records that were taken from {where}")
                for log, records in came.items():
                    found[log] += records
        return found

    async def each(self, log: TopicPartition, since: int, take: Callable[[Any], None]) -> int:
        """Hand on every record from that offset to the end, which is returned; all there are of a log that ends before.

        That was made anew. Raises `KafkaError` where they do not come.
        """
        async with self._alone:
            self.consumer.assign([log])
            first = (await self.consumer.beginning_offsets([log]))[log]
            end: int = (await self.consumer.end_offsets([log]))[log]
            position = max(first, since) if since <= end else first
            self.consumer.seek(log, position)
            while position < end:
                found = await self.consumer.getmany(log, timeout_ms=LOOK_MILLISECONDS, max_records=BATCH)
                for record in found.get(log, ()):
                    take(record)
                before, position = position, await self.consumer.position(log)
                if position == before:
                    raise KafkaTimeoutError(f"Kafka does not deliver the end of {log.topic}:{log.partition}")
            return end


def standing(consumer: AIOKafkaConsumer, looker: Looker, do: str = GIVE_BACK) -> Standing:
    """What that consumer read last of its logs, looked for by another client."""

    def heard(log: TopicPartition) -> int | None:
        return consumer.last_poll_timestamp(log) if log in consumer.assignment() else None

    return Standing(heard, looker.records, do)


async def widths(client: AIOKafkaConsumer, topics: Sequence[str]) -> dict[str, int]:
    """How many partitions each topic has, asked now; 0 of one that is missing. Raises `KafkaError` if no broker says."""
    found = await _described(client, topics)
    return {topic: len(found.partitions_for_topic(topic) or ()) for topic in topics}


async def cluster(client: AIOKafkaConsumer, topic: str) -> str:
    """The id of the Kafka cluster that has the topic, asked now; empty if it says none. Raises `KafkaError`."""
    return (await _described(client, [topic])).id


async def _described(client: AIOKafkaConsumer, topics: Sequence[str]) -> "_Cluster":
    found = _Cluster()
    if not await client._client._metadata_update(found, [*topics]):
        raise KafkaConnectionError("no broker says which topics there are")
    return found


class _Cluster(ClusterMetadata):  # type: ignore[misc]
    """What a broker says of the cluster, with the id that aiokafka passes over."""

    id = ""

    def update_metadata(self, metadata: Any) -> None:
        self.id = getattr(metadata, "cluster_id", None) or ""
        super().update_metadata(metadata)


async def never_compacted(kafka: Kafka, names: Names) -> None:
    """Whether the inputs have all that was ever appended to them; raises `LogLost`, or `KafkaError` if no broker says."""
    try:
        found = await to_thread(_compacted, kafka, names)
    except OtherKafkaError as error:
        raise KafkaConnectionError(said(error)) from None
    whole_keys(found)


def _compacted(kafka: Kafka, names: Names) -> list[str]:
    with closing(administrator(kafka)) as admin:
        return compacted(admin, inputs(names))
