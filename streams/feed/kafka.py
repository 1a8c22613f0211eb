"""The topics as a source: all of them in one consumer without a group, read on by offset."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import time
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError, KafkaTimeoutError

from gate.facts import OF_REGISTER, Instant
from gate.policy import MILLISECOND
from state.journal import mark_of
from streams.border.wire import Rejected
from streams.feed.events import event_of, kind_of
from streams.feed.told import FeedTrouble, Kind, SourceHealth, Told
from streams.kafka.connection import Overheard, connection, let_go, make_no_topics
from streams.kafka.record import ERRORS, read_record
from streams.kafka.topics import missing, topics
from streams.logs.brokers import Looker, follower, standing, widths
from streams.logs.following import Followed
from streams.logs.lost import LogLost, other_record
from streams.logs.merge import Log
from streams.logs.records import read_alike
from streams.logs.taking import Clamped
from streams.policy_file import load
from streams.settings import Kafka

AT_ONCE: Final = 2_000
ANSWER_SECONDS: Final = 10.0
LOOK_MILLISECONDS: Final = 500
SILENT_SECONDS: Final = 10.0
"""After so long in which brokers said nothing of a log they are asked whether they are there."""
ASKED_SECONDS: Final = 5.0
"""What they get to answer that."""
_TROUBLE: Final = (KafkaError, ConsumerStoppedError, LogLost, TimeoutError, OSError)
"""What keeps Kafka from being read; the consumer may be closed by whoever met it first."""
_OTHER_LOG: Final = (
    "give it back its log from a copy, or give desk and alerts a new store, too (`--store`, and `alerts --since`)"
)


class KafkaFeed:
    """A `Feed` over the topics of one gate."""

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        names = topics(prefix)
        self._where = ", ".join(kafka.servers)
        self._prefix = prefix
        self._rejects = {names.rejected.name, names.register_rejected.name}
        self._actions = names.actions.name
        self._inputs = {names.actions.name, names.register.name}
        self._policies = TopicPartition(names.policy.name, 0)
        outputs = (names.decisions, names.notices, names.cases, names.rejected, names.register_rejected)
        self._topics = [t.name for t in (names.actions, names.register, *outputs)]
        self._kafka = kafka
        self._heard = Overheard()
        self._consumer: AIOKafkaConsumer | None = None
        self._opening = asyncio.Lock()
        self._followed = Followed()
        self._default = load()
        """In force while there is no other."""
        self._partitions = 0
        self._answered = 0.0
        """When brokers last answered who asked them, in seconds since 1970."""
        self._positions: dict[str, int] = {}
        self._marks: dict[str, tuple[int, str]] = {}
        """By log the offset of what was read last, and its mark."""
        self._times: dict[str, Instant] = {}
        """By log, the latest of those at which what was read of it counts as recorded."""
        self._last: Instant | None = None

    async def start(
        self, positions: Mapping[str, int], marks: Mapping[str, str] = {}, times: Mapping[str, Instant] = {}
    ) -> None:
        """See `Feed`; Kafka is asked by the first `next`."""
        self._positions = dict(positions)
        self._marks = {log: (positions[log] - 1, mark) for log, mark in marks.items() if positions.get(log)}
        self._times = dict(times)
        await self.close()

    async def ends(self) -> Mapping[str, int]:
        """See `Feed`."""
        async with self._asked(0) as consumer:
            places = consumer.assignment() - {self._policies}
            return {self._log(place): end for place, end in (await consumer.end_offsets([*places])).items()}

    async def next(self, seconds: float) -> Sequence[Told]:
        """See `Feed`."""
        async with self._asked(seconds) as consumer:
            found = await consumer.getmany(timeout_ms=int(seconds * 1000), max_records=AT_ONCE)
            if not found:
                await self._not_deaf(consumer)
            await self._standing.follows(found)
            for place, records in found.items():
                self._standing.took(place, records)
            self._govern(found.pop(self._policies, ()))
            times = Clamped(self._times)
            told = [self._told(record, times) for place in sorted(found) for record in found[place]]
        self._times = times.latest
        for place, records in found.items():
            last = records[-1]
            self._positions[self._log(place)] = last.offset + 1
            self._marks[self._log(place)] = last.offset, mark_of(last.value or b"")
        seen = [t for t in told if t is not None]
        self._last = max((t.at for t in seen), default=self._last)
        return seen

    @asynccontextmanager
    async def _asked(self, seconds: float) -> AsyncIterator[AIOKafkaConsumer]:
        """The consumer, to be asked something that may take so long and an answer's time; its trouble as `FeedTrouble`."""
        try:
            async with asyncio.timeout(seconds + ANSWER_SECONDS):
                yield await self._ready()
        except FeedTrouble:
            await self.close()
            raise
        except _TROUBLE as error:
            await self.close()
            why, do = self._heard.why(error)
            raise FeedTrouble(f"Kafka at {self._where} cannot be read ({why}){'; ' if do else ''}{do}") from error

    async def _not_deaf(self, consumer: AIOKafkaConsumer) -> None:
        """Whether all brokers are heard; raises `KafkaError`. A consumer that reaches none waits without a word.

        One that knows only brokers that are gone would do so for ever; another one asks those that are named.
        """
        before = time() - SILENT_SECONDS
        heard = {log: (consumer.last_poll_timestamp(log) or 0) / 1000 for log in consumer.assignment()}
        silent = [log for log, at in heard.items() if max(at, self._answered) < before]
        if silent:
            try:
                async with asyncio.timeout(ASKED_SECONDS):
                    await consumer.end_offsets(silent)
            except TimeoutError:
                raise KafkaTimeoutError(f"no answer within {ASKED_SECONDS:g} s") from None
            self._answered = time()

    async def _ready(self) -> AIOKafkaConsumer:
        """The consumer, where it was or made anew, at the positions that were read to."""
        async with self._opening:
            if self._consumer is None:
                read_alike()
                make_no_topics()
                consumer = AIOKafkaConsumer(
                    **connection(self._kafka),
                    client_id="gate61-feed",
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    isolation_level="read_committed",
                    fetch_max_wait_ms=100,
                )
                looker = Looker(follower(self._kafka, "feed"))
                try:
                    await consumer.start()
                    await looker.consumer.start()
                    await self._meet(consumer, looker)
                except BaseException:
                    await let_go(consumer)
                    await let_go(looker.consumer)
                    raise
                self._consumer, self._looker, self._answered = consumer, looker, time()
            return self._consumer

    async def _meet(self, consumer: AIOKafkaConsumer, looker: Looker) -> None:
        """Read all policies there are, and go where the other logs were read to."""
        found = await widths(consumer, [self._policies.topic, *self._topics])
        if lacking := [topic for topic, many in found.items() if not many]:
            raise FeedTrouble(missing(lacking))
        places = [TopicPartition(topic, n) for topic, many in found.items() for n in range(many)]
        self._partitions = found[self._actions]
        consumer.assign(places)
        first = await consumer.beginning_offsets(places)
        for place in places:
            wanted = self._positions.get(self._log(place), first[place])
            if wanted < first[place]:
                log = self._log(place)
                raise FeedTrouble(
                    f"`{log}` begins at offset {first[place]} and {wanted} is to be read next: events are gone"
                )
            consumer.seek(place, wanted)
        self._standing = standing(consumer, looker, _OTHER_LOG)
        await self._same_logs(consumer, looker, places)
        end = (await consumer.end_offsets([self._policies]))[self._policies]
        self._followed = Followed()
        while await consumer.position(self._policies) < end:
            self._govern((await consumer.getmany(self._policies, timeout_ms=LOOK_MILLISECONDS)).get(self._policies, ()))

    async def _same_logs(self, consumer: AIOKafkaConsumer, looker: Looker, places: Sequence[TopicPartition]) -> None:
        """Whether what was read last of each log still stands there; raises `LogLost`."""
        read = {place: self._marks[self._log(place)] for place in places if self._log(place) in self._marks}
        ends = await consumer.end_offsets([*read]) if read else {}
        for place, (offset, _) in read.items():
            if ends[place] <= offset:
                raise LogLost(
                    f"`{self._log(place)}` ends at offset {ends[place]}, and was read to {offset}: {_OTHER_LOG}"
                )
        there = await looker.records({place: offset for place, (offset, _) in read.items()}) if read else {}
        for place, records in there.items():
            if (records[0].offset, mark_of(records[0].value or b"")) != read[place]:
                raise other_record(f"`{self._log(place)}`", read[place][0], _OTHER_LOG)
            self._standing.begin(place, records[0])

    def _govern(self, records: Sequence[Any]) -> None:
        """Policies say how far the clocks of platforms may be ahead."""
        for record in records:
            self._followed.add(Log.POLICY, record)

    def _log(self, place: TopicPartition) -> str:
        return f"{place.topic.removeprefix(self._prefix)}:{place.partition}"

    def _told(self, record: Any, times: Clamped[str]) -> Told | None:
        log = f"{record.topic.removeprefix(self._prefix)}:{record.partition}"
        is_input, data = record.topic in self._inputs, record.value or b""
        at = times.appended(log, record) if is_input else record.timestamp * MILLISECOND
        if record.topic in self._rejects:
            return Told(log, record.offset, "rejected", at, _rejected(record), data)
        event = event_of(data, record.headers)
        if event is None:
            return None
        kind = self._taken(record, at) if is_input else kind_of(event)
        return None if kind is None else Told(log, record.offset, kind, at, event, data)

    def _taken(self, record: Any, at: Instant) -> Kind | None:
        """What the gate takes an input as; None if it rejects it: then it stands among the dead letters."""
        policy = self._followed.policy_at(at) or self._default
        place = (record.partition, self._partitions) if record.topic == self._actions else None
        read = read_record(record.value, record.key, record.headers, place, at, policy.clock_tolerance)
        if isinstance(read, Rejected):
            return None
        kind: Kind = "register" if type(read.fact.said) in OF_REGISTER else "action"
        return kind if (kind == "action") == (record.topic == self._actions) else None

    async def health(self) -> Sequence[SourceHealth]:
        """See `Feed`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                consumer = await self._ready()
                ends = await consumer.end_offsets(list(consumer.assignment()))
                behind = dict.fromkeys((self._policies.topic, *self._topics), 0)
                for place, end in ends.items():
                    behind[place.topic] += max(0, end - await consumer.position(place))
        except (FeedTrouble, *_TROUBLE) as error:
            why = str(error) if isinstance(error, FeedTrouble) else self._heard.why(error)[0]
            return [SourceHealth(f"Kafka at {self._where}", False, 0, self._last, f"cannot be read: {why}")]
        how = {topic: "read to its end" if not n else f"{n} not read yet" for topic, n in behind.items()}
        return [SourceHealth(topic, True, n, self._last, how[topic]) for topic, n in behind.items()]

    async def close(self) -> None:
        """See `Feed`."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await let_go(consumer)
            await let_go(self._looker.consumer)


def _rejected(record: Any) -> dict[str, Any]:
    """Why, and what can still be read of it."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    raw = (record.value or b"").decode(errors="backslashreplace")
    told = {"reason": headers.get(f"{ERRORS}reason"), "message": headers.get(f"{ERRORS}message"), "raw": raw}
    event = event_of(record.value or b"", record.headers) or {}
    told |= {name: event.get(key) for name, key in (("source", "source"), ("id", "id"), ("client", "subject"))}
    return {name: value for name, value in told.items() if isinstance(value, str)}
