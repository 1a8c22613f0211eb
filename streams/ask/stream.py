"""How far the stream is: register and policies followed to their ends, and how long partitions have been behind.

The ask service has no group and commits nothing. While it cannot tell, questions are not answered.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from time import monotonic
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError, ResponseError

from gate.instants import LATEST
from gate.policy import SECOND
from state.redis import errors as redis_errors
from state.redis.look import StateLost
from state.redis.reader import Place, RedisReader
from streams.ask.reader import tolerated
from streams.faults import cause
from streams.kafka.connection import RUNS, Overheard, let_go
from streams.kafka.topics import missing, topics
from streams.logs.brokers import Looker, asker, cluster, followed_logs, follower, never_compacted, standing, widths
from streams.logs.following import Followed
from streams.logs.lost import LogLost, one_sequence
from streams.logs.merge import Log
from streams.logs.standing import Standing
from streams.settings import Settings, shown
from streams.web.clock import ONE_SOURCE, Clock, ahead
from streams.worker.applied import OF_RULES, same_rules
from streams.worker.belonging import OtherPartitions, kafka_alike, spread_alike
from streams.worker.progress import applied_last

LOOK_SECONDS = 0.5
FIRST_WAIT_SECONDS = 0.5
METADATA_SECONDS = 10.0
"""After so long it is asked again how many partitions there are."""
PATIENCE_SECONDS = 10.0
"""The longest wait before trying again."""
_log = structlog.get_logger("gate61.ask")


class Behind:
    """Since when each partition has been behind an end that it has not reached yet, and how far it was ever seen to be."""

    def __init__(self) -> None:
        self._marks: dict[int, tuple[int, float]] = {}
        self._furthest: dict[int, int] = {}

    def saw(self, partition: int, next_offset: int | None, end: int, waited: float, now: float) -> None:
        """What was seen of a partition; `waited` bounds how long it may have been behind when it is first seen.

        `next_offset` None: nothing is remembered of it, which is right for one that never held a record.
        """
        mark, reached = self._marks.get(partition), self._reached(partition, next_offset)
        if reached >= end or (mark is not None and reached >= mark[0]):
            self._marks[partition] = end, now
        elif mark is None:
            self._marks[partition] = end, now - waited

    def furthest(self, partition: int) -> int:
        """The greatest next offset that was ever seen."""
        return self._furthest.get(partition, 0)

    def _reached(self, partition: int, next_offset: int | None) -> int:
        reached = next_offset or 0
        self._furthest[partition] = max(reached, self.furthest(partition))
        return reached

    def seconds(self, partition: int, next_offset: int | None, now: float) -> float:
        """How long it has been behind; 0 for one that has reached the end that was seen."""
        mark, reached = self._marks.get(partition), self._reached(partition, next_offset)
        if mark is not None and reached >= mark[0]:
            return 0.0
        return float("inf") if mark is None or next_offset is None else now - mark[1]


class OtherTime(Exception):
    """This machine's clock and Redis's differ by more than is tolerated."""

    def __init__(self, seconds: float, where: str) -> None:
        way = "behind" if seconds < 0 else "ahead of"
        super().__init__(
            f"the clock of this machine is {abs(seconds):.0f} s {way} that of Redis at {where}; {ONE_SOURCE}"
        )


class Missing(Exception):
    """Topics that are not there, with what to do."""


class Stream(Protocol):
    """What a reader over Redis asks of the stream."""

    followed: Followed
    partitions: int

    def trouble(self) -> str:
        """Why questions cannot be answered; empty when they can."""

    def furthest(self, partition: int) -> int:
        """The next offset that a partition was seen to have come to: what is read from now on is as far, or was lost."""

    def behind(self, partition: int, next_offset: int | None) -> float:
        """Seconds for which the worker of a partition has been behind its end."""


class KafkaStream:
    """The stream of one cluster, watched in the background."""

    def __init__(self, settings: Settings, state: RedisReader, clock: Clock, lag: float) -> None:
        self.followed = Followed()
        self.partitions = 0
        self._settings, self._state, self._clock, self._lag = settings, state, clock, lag
        self._names = topics(settings.prefix)
        self._behind = Behind()
        self._looked = float("-inf")
        self._why = "the stream was not read yet"
        self._heard = Overheard()
        self._kafka = ""
        """The id of the cluster that is followed."""

    def trouble(self) -> str:
        """See `Stream`."""
        since = monotonic() - self._looked
        return f"{self._why}; the last look at the stream is too old" if since > self._lag else ""

    def furthest(self, partition: int) -> int:
        """See `Stream`."""
        return self._behind.furthest(partition)

    def behind(self, partition: int, next_offset: int | None) -> float:
        """See `Stream`."""
        return self._behind.seconds(partition, next_offset, monotonic())

    async def run(self) -> None:
        """Follow until cancelled; whatever trouble Kafka or Redis has is said and waited for."""
        wait = FIRST_WAIT_SECONDS
        while True:
            began = monotonic()
            # A task of its own: whatever ends it, also being cancelled by what it waited for, is only its own end.
            attempt = asyncio.create_task(self._attempt())
            try:
                await asyncio.wait([attempt])
            except asyncio.CancelledError:
                attempt.cancel()
                await asyncio.wait([attempt])
                raise
            ended = asyncio.CancelledError() if attempt.cancelled() else attempt.exception()
            if self._looked >= began:
                wait = FIRST_WAIT_SECONDS
            if isinstance(ended, LogLost | OtherPartitions | OtherTime):
                self._looked = float("-inf")  # What was seen before is of another log, of other partitions, or times.
            self._why = self._trouble(ended)
            _log.warning("the stream is not followed; it is tried again", trouble=self._why, seconds=wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, PATIENCE_SECONDS)

    def _trouble(self, error: BaseException | None) -> str:
        """What ended an attempt, where, and what to do."""
        match error:
            case Missing() | LogLost() | OtherPartitions() | OtherTime() | StateLost():
                return str(error)
            case KafkaError():
                where = ", ".join(self._settings.kafka.servers)
                why, do = self._heard.why(error)
                return f"Kafka at {where} cannot be read ({why}); {do or RUNS}"
            case RedisError():
                return redis_errors.said(error, shown(self._settings.redis))
            case None:
                return "following the stream has ended"
            case _:
                return f"the stream cannot be followed ({cause(error)})"

    async def _attempt(self) -> None:
        name = f"{self._settings.instance}-ask"
        consumer, ends = follower(self._settings.kafka, name), asker(self._settings.kafka, name)
        looker = Looker(follower(self._settings.kafka, f"{name}-looks"))
        clients = (consumer, ends, looker.consumer)
        try:
            for client in clients:
                await client.start()
            read = await self._meet(consumer, looker)
            # What is read goes on where a broker takes its time to say where logs end that it alone leads.
            await together(self._follow(consumer, read), self._look_on(ends, read))
        finally:
            for client in clients:
                await let_go(client)

    async def _meet(self, consumer: AIOKafkaConsumer, looker: Looker) -> Standing:
        """Where to read the two logs on, once all topics are there, and what that follows on."""
        self.partitions = await self._count(consumer)
        self._kafka = await cluster(consumer, self._names.actions.name)
        await never_compacted(self._settings.kafka, self._names)
        logs, read = followed_logs(self._names), standing(consumer, looker)
        consumer.assign([*logs])
        for place, log in logs.items():
            consumer.seek(place, self.followed.read[log])
            if (last := self.followed.last(log)) is not None:
                read.resume(place, last.record)
        return read

    async def _count(self, consumer: AIOKafkaConsumer) -> int:
        """How many partitions clients are spread over; raises `LogLost` where register or policies have several."""
        found = await widths(consumer, [topic.name for topic in self._names])
        if lacking := [name for name, many in found.items() if not many]:
            raise Missing(missing(lacking))
        one_sequence({place.topic: found[place.topic] for place in followed_logs(self._names)})
        return found[self._names.actions.name]

    async def _follow(self, consumer: AIOKafkaConsumer, read: Standing) -> None:
        """Read both logs as they grow."""
        logs = followed_logs(self._names)
        while True:
            found = await consumer.getmany(timeout_ms=int(LOOK_SECONDS * 1000))
            await read.follows(found)
            for place, records in found.items():
                for record in records:
                    self.followed.add(logs[place], record)
                read.took(place, records)
            for place, log in logs.items():
                self.followed.read[log] = max(self.followed.read[log], await consumer.position(place))

    async def _look_on(self, asker: AIOKafkaConsumer, read: Standing) -> None:
        """Look at all ends again and again, and now and then whether the topics are as wide as they were."""
        next_count = monotonic() + METADATA_SECONDS
        actions = [TopicPartition(self._names.actions.name, n) for n in range(self.partitions)]
        while True:
            if monotonic() >= next_count:
                next_count = monotonic() + METADATA_SECONDS
                if (many := await self._count(asker)) != self.partitions:
                    raise OtherPartitions(self.partitions, many)
            await self._look(asker, actions, read)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, asker: AIOKafkaConsumer, actions: list[TopicPartition], read: Standing) -> None:
        """One look at all ends: what is asked from now on leans on it."""
        began, logs = monotonic(), followed_logs(self._names)
        await self._same_time()
        ends = await asker.end_offsets([*actions, *logs])
        await read.stand(logs, by_now=True)
        places = await self._state.places(self.partitions)
        for place in places:
            spread_alike(place.spread, self.partitions)
            kafka_alike(place.kafka, self._kafka)
        await not_beyond(asker, _applied(actions, {log: place for place, log in logs.items()}, places), ends)
        for place in places:
            same_rules(place, self.followed)
        for number, (next_offset, recorded, *_) in enumerate(places):
            waited = float("inf") if recorded is None else max(0, self._clock() - recorded) / SECOND
            self._behind.saw(number, next_offset, ends[actions[number]], waited, began)
        if all(self.followed.read[log] >= ends[place] for place, log in logs.items()):
            self._looked = began
        else:
            self._why = (
                "register or policies are not read to their ends yet; a transaction may be open there, or a broker does not copy "
                "them"
            )

    async def _same_time(self) -> None:
        """Whether Redis has the same time; raises `OtherTime`. By a clock that is wrong limits have passed or not."""
        policy = self.followed.policy_at(LATEST)
        before = self._clock()
        try:
            told = await self._state.time()
        except ResponseError as error:
            if not redis_errors.forbidden(error):
                raise
            return  # Its user may not ask that.
        apart = ahead(before, told, self._clock())
        if policy is not None and abs(apart) > tolerated(policy):
            raise OtherTime(apart / SECOND, shown(self._settings.redis))


def _applied(
    actions: list[TopicPartition], rules: Mapping[Log, TopicPartition], places: list[Place]
) -> dict[TopicPartition, int]:
    """By log the offset behind the last record that a worker noted of it."""
    found = {log: place.next or 0 for log, place in zip(actions, places, strict=True)}
    return found | {rules[log]: max((applied_last(p, log)[0] for p in places), default=0) for log in OF_RULES}


async def not_beyond(
    asker: AIOKafkaConsumer, applied: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> None:
    """Whether each log goes as far as workers have read it; raises `LogLost`.

    `ends` are from before it was asked how far that is: who seems to have read beyond them may only have gone on since.
    """
    far = [log for log, read in applied.items() if read > ends[log]]
    again = await asker.end_offsets(far) if far else {}
    for log in far:
        if applied[log] > again[log]:
            raise LogLost(
                f"`{log.topic}:{log.partition}` ends at offset {again[log]}, and its worker has read as far as {applied[log]}: "
                "the topic was made anew or lost its end; what is remembered is of another log (`gate61 doctor`)"
            )


async def together(*endless: Coroutine[Any, Any, None]) -> None:
    """Do all of these until one of them ends, as that does."""
    tasks = [asyncio.create_task(each) for each in endless]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # Looked at: what the first one met is said.
