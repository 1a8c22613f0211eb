"""The loop's logs on Kafka, by aiokafka; `streams.worker.publishing` is the way out."""

from asyncio import sleep, timeout
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from gate.facts import Instant
from streams.kafka.connection import connection, let_go, make_no_topics
from streams.kafka.topics import Names
from streams.logs.brokers import Looker, asker, cluster, followed_logs, standing, widths
from streams.logs.following import Followed
from streams.logs.lost import goes_not_on, other_record
from streams.logs.merge import Ends, Log
from streams.logs.records import read_alike
from streams.logs.standing import Standing
from streams.logs.taking import BATCH, appended, as_many_as_fit
from streams.settings import Kafka
from streams.worker.contracts import Answered, Bounds, Fetched
from streams.worker.pins import Unknown, must_be_there
from streams.worker.progress import Came

ACKNOWLEDGE_SECONDS = 1.0
"""After so long it is acknowledged again how far a partition has come."""
NOTED_SECONDS = 0.5
"""What Kafka gets to note that: its client looks for who keeps it however long that takes, and nothing is decided meanwhile."""
UNNOTED_SECONDS = 10.0
"""After so long it is tried again where that was not noted."""
TICK_SECONDS = 0.001
"""The unit of append times."""
REBALANCE_MILLISECONDS = 10_000
"""How long the group waits for a worker to let go of its partitions."""
ANSWER_MILLISECONDS = 2 * REBALANCE_MILLISECONDS
"""What a broker gets to answer the consumer of a group: it answers who joins only once all others have let go."""
FOR_EVER = 2**31 - 1
"""Milliseconds, as many as the protocol has."""


class NotAssigned(Exception):
    """The partition is not this worker's now, so that its state is not either."""


class KafkaSource:
    """The logs of one partition, out of the consumer that the worker's partitions share."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        looker: Looker,
        asker: AIOKafkaConsumer,
        followed: Followed,
        of_followed: Standing,
        names: Names,
        number: int,
    ) -> None:
        """`asker` is asked where logs end, see there; `of_followed` knows what was read last of register and policies."""
        self._consumer = consumer
        self._looker = looker
        self._asker = asker
        self._decisions = TopicPartition(names.decisions.name, number)
        self._acknowledged: tuple[int, int] | None = None
        """The offsets of both logs that were acknowledged last."""
        self._again = 0.0
        """From when on that is tried again."""
        self._fetched = 0.0
        self._actions = TopicPartition(names.actions.name, number)
        self._between = TopicPartition(names.between.name, number)
        self._followed = followed
        self._of_followed = of_followed
        self._standing = standing(consumer, looker)
        self._logs = [*followed_logs(names), self._between, self._actions]
        """By `Log`."""

    async def kafka(self) -> str:
        """See `Source`."""
        return await cluster(self._asker, self._actions.topic)

    async def bounds(self) -> Sequence[Bounds]:
        """See `Source`."""
        if not self._consumer.assignment().issuperset((self._actions, self._between)):
            raise NotAssigned("it is not this worker's now: the group is being divided anew, or the topic was")
        first, end = await self._consumer.beginning_offsets(self._logs), await self._consumer.end_offsets(self._logs)
        return [Bounds(first[log], end[log]) for log in self._logs]

    async def came(self, actions: int, between: int) -> tuple[Came | None, Came | None]:
        """See `Source`."""
        places = {self._actions: actions, self._between: between}
        asked = {log: at for log, at in places.items() if at >= 0}
        found = await self._looker.records(asked) if asked else {}
        last = {log: records[0] for log, records in found.items()}
        for log, record in last.items():
            if record.offset != places[log]:
                raise other_record(f"`{log.topic}:{log.partition}`", places[log])
        for log in places:
            self._standing.begin(log, last.get(log))
        stood = {log: Came(appended(record), record.leader_epoch) for log, record in last.items()}
        return stood.get(self._actions), stood.get(self._between)

    async def answered(self, place: Sequence[int], since: int) -> Answered:
        """See `Source`."""
        unknown = Unknown(place)
        end = await self._looker.each(self._decisions, since, lambda r: unknown.add(r.headers))
        if unknown.furthest:
            found = await self._asker.end_offsets([self._logs[log] for log in unknown.furthest])
            ends = {log: found[self._logs[log]] for log in unknown.furthest}
            there = await self._appended_at({log: offset for log, (offset, _) in unknown.appended.items()}, ends)
            answers = f"{self._decisions.topic}:{self._decisions.partition}"
            must_be_there(answers, unknown.furthest, ends, unknown.appended, there)
        return Answered(end, unknown.pins)

    async def _appended_at(self, offsets: Mapping[Log, int], ends: Mapping[Log, int]) -> dict[Log, Instant]:
        """When what stands at these offsets was appended, by log; without those that end before."""
        asked = {self._logs[log]: offset for log, offset in offsets.items() if offset < ends[log]}
        found = await self._looker.records(asked) if asked else {}
        # Of a log whose beginning was deleted up to there nothing is left to compare.
        first = {log: found[place][0] for log, place in enumerate(self._logs) if found.get(place)}
        return {Log(log): appended(r) for log, r in first.items() if r.offset == offsets[Log(log)]}

    async def seek(self, actions: int, between: int) -> None:
        """See `Source`."""
        self._consumer.seek(self._actions, actions)
        self._consumer.seek(self._between, between)

    async def read(self, seconds: float, wanted: Collection[Log]) -> tuple[Fetched, Fetched]:
        """See `Source`."""
        both, found = (self._actions, self._between), {}
        if asked := [self._logs[log] for log in wanted]:  # Of none, Kafka's client gives those of all partitions.
            found = await self._consumer.getmany(*asked, timeout_ms=int(seconds * 1000), max_records=BATCH)
        self._fetched = monotonic()
        await self._standing.follows({p: found.get(p, ()) for p in both})
        of_actions, of_between = [await self._taken(p, found.get(p, ())) for p in both]
        return of_actions, of_between

    async def _taken(self, log: TopicPartition, records: Sequence[Any]) -> Fetched:
        """As many of the records as fit into a batch; the others are fetched again."""
        fit = as_many_as_fit(records)
        if fit < len(records):
            self._consumer.seek(log, records[fit].offset)
        self._standing.took(log, records[:fit])
        return Fetched(records[:fit], await self._consumer.position(log))

    async def ends(self) -> Ends:
        """See `Source`."""
        early = self._fetched + TICK_SECONDS - monotonic()
        if early > 0:
            await sleep(early)
        read = tuple(self._followed.read)  # It goes on while the brokers are asked.
        found = await self._asker.end_offsets(self._logs)
        ends = [found[log] for log in self._logs]
        for log in (Log.POLICY, Log.REGISTER):
            if ends[log] < read[log]:
                raise goes_not_on(self._logs[log].topic, read[log])
        # One that lost its end and was written on may reach just as far as before: who follows it would never know.
        await self._of_followed.stand(self._logs[: Log.REGISTER + 1], by_now=True)
        return ends

    async def acknowledge(self, actions: int, between: int, at_once: bool = False) -> None:
        """See `Source`."""
        place = actions, between
        if place == self._acknowledged or (not at_once and monotonic() < self._again):
            return
        self._again = monotonic() + UNNOTED_SECONDS
        with suppress(KafkaError, TimeoutError):  # A hint only; it is tried again.
            async with timeout(NOTED_SECONDS):
                await self._consumer.commit({self._actions: actions, self._between: between})
            self._acknowledged, self._again = place, monotonic() + ACKNOWLEDGE_SECONDS


async def answers_anew(kafka: Kafka, topics: Sequence[str], seconds: float) -> bool:
    """Whether Kafka says within the time which topics there are to who comes to the addresses in the settings.

    A client of aiokafka's comes there when it starts, and from then on asks the brokers of which it heard last alone.
    """
    other = asker(kafka, "anew")
    try:
        async with timeout(seconds):
            await other.start()
            await widths(other, topics)
    except (KafkaError, TimeoutError, OSError):
        return False
    finally:
        await let_go(other)
    return True


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


def consumer(kafka: Kafka, group: str, instance: str) -> AIOKafkaConsumer:
    """The consumer of all partitions of a worker, with static membership and no forgiveness for missing offsets."""
    read_alike()
    make_no_topics()
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
        request_timeout_ms=ANSWER_MILLISECONDS,
        heartbeat_interval_ms=2_000,
        # Nobody polls while Redis is away, and who left the group then would never come back: whether a loop goes
        # round is asked of its beat (`Rounds.hanging`).
        max_poll_interval_ms=FOR_EVER,
        # A record that comes while a fetch for other partitions is under way waits for that fetch to end.
        fetch_max_wait_ms=10,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
