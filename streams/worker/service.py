"""The service that runs the partitions which the group gives to this worker."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import wraps
from importlib.metadata import version as version_of
from typing import Any, ClassVar, TypeVar

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, UnknownError
from mode import Service
from redis.exceptions import RedisError

from gate.facts import Instant
from gate.policy import SECOND, Policy
from state.redis.servers import Servers
from state.redis.store import RedisStore
from streams import policy_file
from streams.kafka.connection import let_go, said
from streams.kafka.topics import Names, missing, topics
from streams.logs import brokers
from streams.logs.following import Followed
from streams.logs.lost import GIVE_BACK_THE_RULES, LogLost, goes_not_on, whole
from streams.logs.merge import Log
from streams.settings import Settings, shown
from streams.worker import kafka
from streams.worker.belonging import OtherPartitions, inputs_as_wide, same_kafka, same_spread
from streams.worker.here import Here
from streams.worker.kafka_watch import KafkaWatch
from streams.worker.loop import LONGEST_WAIT, ONE_INSTANCE, UNREAD, PartitionLoop, unread
from streams.worker.metrics import Metrics
from streams.worker.outputs import Output
from streams.worker.partition import Partition
from streams.worker.progress import unfinished
from streams.worker.publishing import KafkaPublisher, Sender, producer
from streams.worker.redis_watch import RedisWatch
from streams.worker.rounds import Rounds

log = structlog.get_logger("gate61.worker")
STOP_SECONDS = 5.0
"""What a partition gets to finish its batch before it is left as it is; the next owner goes on from what is stored.

All partitions of the group wait for it, and after `kafka.REBALANCE_MILLISECONDS` the group goes on without this worker.
"""
REDIS_SECONDS = 5.0
REACH_SECONDS = 2.0
INPUTS_SECONDS = 60.0
"""After so long it is asked again whether topics of inputs keep everything."""
UNFOLLOWED, FOLLOWED_AGAIN = 5 * SECOND, 10 * SECOND
"""For so long register and policies were refused before it is said; and so long after the last refusal they are not."""
DIVIDING = "waiting for the group to say which partitions are this worker's"
CLIENTS_IN_MEMORY = 80_000
"""Clients kept in memory by a worker that has all partitions, some 700 MB at most; others are asked of Redis again."""

T = TypeVar("T")


class CannotStart(Exception):
    """The worker cannot do its work here; the message says what to do."""


def harmless(timer: Callable[["Gatekeeper"], Awaitable[None]]) -> Callable[["Gatekeeper"], Awaitable[None]]:
    """What a timer meets is said, and met again the next time: nobody's partitions stop for a gauge."""

    @wraps(timer)
    async def guarded(keeper: "Gatekeeper") -> None:
        try:
            await timer(keeper)
        except Exception as error:
            log.error("timer failed", timer=timer.__name__, error=keeper._world.said(error))

    return guarded


class Gatekeeper(Service, ConsumerRebalanceListener):  # type: ignore[misc]
    """Follows register and policies, and runs a loop for each partition it is given."""

    settings: Settings
    metrics: Metrics
    refused: ClassVar[bool] = False
    """Whether the worker ended because it cannot do its work here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.loops: dict[int, PartitionLoop] = {}
        self.ready = "starting"
        """Empty when ready, else what is missing."""
        self._running: dict[int, asyncio.Future[None]] = {}
        self._followed = Followed()
        self._names: Names = topics(self.settings.prefix)
        where = shown(self.settings.redis)
        self._world = Here(where)
        self._redis = Servers(self.settings.redis, REDIS_SECONDS)
        self._redis_watch = RedisWatch(self._redis, self._world, where, f"{self._names.actions.name}:0")
        self._kafka_watch = KafkaWatch(self.settings.kafka, self._names, self._world)
        self._rounds = Rounds(self.loops, self._world, self._names.actions.name)
        self._unfollowed: tuple[Instant, Instant, str] | None = None
        """When register and policies were first refused, and last, by the steady clock; and how."""
        self._partitions = 0
        """How many clients are spread over; 0 until that was asked."""
        self._made: list[int] = []
        """The partitions of which there was state when it started."""
        self._met = False
        """Whether Kafka's clients were connected; until then `ready` says what it is with Kafka."""

    async def on_start(self) -> None:
        """Connect, waiting for whatever is not there yet; then take part in the group."""
        settings = self.settings
        self._sender = Sender(lambda: producer(settings.kafka, settings.instance))
        self._follower = brokers.follower(settings.kafka, settings.instance)
        self._consumer = kafka.consumer(settings.kafka, f"{settings.prefix}{settings.group}", settings.instance)
        self._looker = brokers.Looker(brokers.follower(settings.kafka, f"{settings.instance}-answers"))
        self._asker = brokers.asker(settings.kafka, settings.instance)
        self._standing = brokers.standing(self._follower, self._looker)
        self.add_future(self._begin())

    async def _begin(self) -> None:
        try:
            await self._patiently("Redis", self._meet_redis)
            for client in (self._sender, self._follower, self._looker.consumer, self._asker, self._consumer):
                await self._patiently(f"Kafka at {', '.join(self.settings.kafka.servers)}", client.start)
            self._met = True
            self._partitions = await self._patiently("topics", self._meet_topics)
            await self._patiently("topics", self._meet_inputs)
            await self._patiently("Redis", self._meet_state)
            await self._patiently("register", self._meet_logs)
            self.add_future(self._follow())
            await self._patiently("policy", self._govern)
            self.ready = DIVIDING
            both = [self._names.actions.name, self._names.between.name]
            self._consumer.subscribe(both, listener=self)
        except (CannotStart, LogLost, OtherPartitions, policy_file.PolicyRefused) as error:
            self._refuse("cannot start", error)

    async def _patiently(self, what: str, attempt: Callable[[], Any]) -> Any:
        """Until it works: trouble is said, not died of."""
        wait = 0.5
        while True:
            try:
                return await attempt()
            except (KafkaError, RedisError, OSError) as error:
                why = self._world.said(error)
                self.ready = f"waiting for {what}: {why}"
                log.warning(f"waiting for {what}", error=why, seconds=wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    async def _meet_redis(self) -> None:
        if wrong := await self._redis_watch.meet():
            raise CannotStart("; ".join(wrong))

    async def _meet_topics(self) -> int:
        """How many partitions clients are spread over; all topics must be there and, but for outputs, as wide."""
        known = await brokers.widths(self._consumer, [t.name for t in self._names])
        if lacking := [name for name, many in known.items() if not many]:
            raise KafkaError(missing(lacking))
        wide = known[self._names.actions.name]
        inputs_as_wide(self._names, known, wide)
        outputs = {t.name: (known[t.name], t.partitions or wide) for t in self._names if not t.is_input}
        if narrow := [f"`{name}` has {many}" for name, (many, least) in outputs.items() if many < least]:
            raise CannotStart(
                f"clients are spread over {wide} partitions, and {', '.join(narrow)}: what belongs into the others cannot be "
                f"published. Add them: `kafka-topics.sh --alter --topic TOPIC --partitions {wide}`"
            )
        for name, (many, enough) in outputs.items():
            if many > enough:
                log.warning(
                    "a topic has more partitions than are published to", topic=name, partitions=many, used=enough
                )
        return wide

    async def _meet_inputs(self) -> None:
        """Nothing that was ever published may be gone, or about to go."""
        await brokers.never_compacted(self.settings.kafka, self._names)

    async def _meet_state(self) -> None:
        """No partition's state may have been made from another Kafka, or with another number of them."""
        stores = [self._store(number) for number in range(self._partitions)]
        await asyncio.to_thread(same_kafka, stores, await brokers.cluster(self._asker, self._names.actions.name))
        await asyncio.to_thread(same_spread, stores, self._partitions)
        looks = [await asyncio.to_thread(store.look) for store in stores]
        self._made = [number for number, look in enumerate(looks) if look.batch]
        for number, look in enumerate(looks):
            goal = unfinished(look)
            if goal is not None:
                log.warning("state was left half made; it is gone on with", partition=number, of=goal.actions)

    async def _meet_logs(self) -> None:
        """Both one-partition topics must have all that was ever appended to them."""
        first = await self._follower.beginning_offsets([*brokers.followed_logs(self._names)])
        whole({place.topic: offset for place, offset in first.items()})

    async def _follow(self) -> None:
        """Read both one-partition topics from the start, for as long as the worker lives, which ends where one is lost."""
        try:
            await self._read_logs()
        except LogLost as error:
            self._refuse("register or policies are lost", error)

    def _refuse(self, what: str, error: Exception) -> None:
        """End the process in order; what to do has been said in one line, and a traceback would only hide it."""
        log.error(what, error=str(error))
        type(self).refused = True
        signal.raise_signal(signal.SIGTERM)

    async def _read_logs(self) -> None:
        logs = brokers.followed_logs(self._names)
        self._follower.assign([*logs])
        for place in logs:
            self._follower.seek(place, 0)
        while not self.should_stop:
            try:
                for place, records in (await self._next(logs)).items():
                    for record in records:
                        self._followed.add(logs[place], record)
                    self._standing.took(place, records)
                for place, which in logs.items():
                    self._followed.read[which] = max(self._followed.read[which], await self._follower.position(place))
            except OffsetOutOfRangeError as error:
                place, offset = next(iter(error.args[0].items()))
                raise goes_not_on(place.topic, offset) from None
            except KafkaError as error:
                self._cannot_follow(said(error))
                await asyncio.sleep(1.0)

    async def _next(self, logs: Iterable[TopicPartition]) -> Mapping[TopicPartition, Sequence[Any]]:
        """What comes next of register and policies; raises `LogLost` where it does not follow on what was read of them."""
        found: Mapping[TopicPartition, Sequence[Any]] = await self._follower.getmany(timeout_ms=500)
        try:
            await self._standing.follows(found)
            await self._standing.stand(logs)
        except KafkaError:
            for place, records in found.items():
                self._follower.seek(place, records[0].offset)
            raise
        return found

    def _cannot_follow(self, why: str) -> None:
        log.warning("waiting for register", error=why)
        now, before = self._world.steady(), self._unfollowed
        first = before[0] if before is not None and now - before[1] < FOLLOWED_AGAIN else now
        self._unfollowed = first, now, why

    def _unfollowed_for(self) -> list[str]:
        """Why register and policies cannot be read, if that lasts; partitions only see that they are not."""
        if self._unfollowed is None:
            return []
        first, last, why = self._unfollowed
        lasts = last - first >= UNFOLLOWED and self._world.steady() - last < FOLLOWED_AGAIN
        return [f"register and policies cannot be read: {why}"] if lasts else []

    async def _govern(self) -> None:
        """The policy topic says which policy is in force; where it is empty, the worker's own is put there first."""
        own, text = policy_file.read(self.settings.policy)
        known = await self._policies()
        if not known:
            self._must_be_new()
            known = await self._put_first(own, text)
        if self.settings.policy and known[-1].digest != own.digest:
            raise CannotStart(f"{policy_file.not_in_force(own, known[-1])}: {policy_file.PUT_IN_FORCE}")

    def _must_be_new(self) -> None:
        """Whether no partition was judged by a policy yet; raises `LogLost`: which one that was is not known."""
        if self._made:
            raise LogLost(
                f"`{self._names.policy.name}` holds no policy that can be used, and there is state of "
                f"{len(self._made)} partitions that was made by one: it would be gone on with by another; {GIVE_BACK_THE_RULES}"
            )

    async def _put_first(self, own: Policy, text: bytes) -> list[Policy]:
        """Publish the worker's own where there is none; all that are there then, as others may do so at the same moment."""
        await KafkaPublisher(self._sender, self._names).publish([Output(Names._fields.index("policy"), 0, None, text)])
        known = await self._policies()
        if self.settings.policy and known[0].digest != own.digest == known[-1].digest:
            raise CannotStart(
                f"another worker that started at the same moment put version {known[0].version} (digest {known[0].digest}) "
                f"in force, and this one its own, {own.version} (digest {own.digest}), in that one's place: give all workers "
                "one GATE61_POLICY, and see that it is in force (`gate61 policy publish FILE`)"
            )
        return known

    async def _policies(self) -> list[Policy]:
        """All that may be used, once the log of policies is read as far as it goes now; says so where that takes long."""
        place = TopicPartition(self._names.policy.name, 0)
        end = (await self._asker.end_offsets([place]))[place]
        begun, waiting = self._world.steady(), f"waiting: {unread([Log.POLICY])}"
        while self._followed.read[Log.POLICY] < end:
            if self._world.steady() - begun > UNREAD and self.ready != waiting:
                self.ready = waiting
                log.warning("waiting for policy", why=unread([Log.POLICY]))
            await asyncio.sleep(0.02)
        return [a.event for a in self._followed.policies if isinstance(a.event, Policy)]

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Run a loop for each; a worker of a group has the same partitions of both topics."""
        for number in sorted({p.partition for p in assigned}):
            if number not in self.loops:
                self._run(number)
        self.ready = ""  # Also with none: there may be more workers than partitions.

    def _store(self, number: int) -> RedisStore:
        return RedisStore(self._redis, f"{self._names.actions.name}:{number}", CLIENTS_IN_MEMORY // self._partitions)

    def _run(self, number: int) -> None:
        partition = Partition(number, self._partitions, self._followed, self._store(number), version_of("gate61"))
        source = kafka.KafkaSource(
            self._consumer, self._looker, self._asker, self._followed, self._standing, self._names, number
        )
        loop = PartitionLoop(partition, source, KafkaPublisher(self._sender, self._names), self._world)
        loop.told = self.metrics.took
        loop.seconds = self.metrics.batch.observe
        self.loops[number] = loop
        self._running[number] = self.add_future(loop.run())  # What it does not catch itself ends the worker.

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish the batches under way, then let go."""
        self.ready = DIVIDING
        await self._let_go({p.partition for p in revoked})

    async def _let_go(self, numbers: set[int]) -> None:
        for number in numbers & self.loops.keys():
            self.loops.pop(number).stop()
            self.metrics.forget(number)
        tasks = [self._running.pop(n) for n in sorted(numbers & self._running.keys())]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()

    async def on_stop(self) -> None:
        """Finish, flush, leave."""
        await self._let_go(set(self.loops))
        for client in (self._consumer, self._follower, self._looker.consumer, self._asker, self._sender):
            await let_go(client)
        await asyncio.to_thread(self._redis.close)
        log.info("stopped")

    @Service.timer(2.0)
    @harmless
    async def _examine(self) -> None:
        await self._redis_watch.look()

    @Service.timer(INPUTS_SECONDS)
    async def _look_after_inputs(self) -> None:
        await self.look_after_inputs()

    @harmless
    async def look_after_inputs(self) -> None:
        """Topics may be configured otherwise while it runs."""
        if not self._met or self._kafka_watch.away:
            return
        try:
            await self._meet_inputs()
        except LogLost as error:
            self._refuse("cannot go on", error)
        except KafkaError:
            return  # That it does not answer is found elsewhere.

    @Service.task
    async def _reach(self) -> None:
        """Whether Kafka answers: its clients wait for it without a word, and without an error for minutes."""
        while not self.should_stop:
            await self.sleep(REACH_SECONDS)
            if self._met:
                await self.reach()

    @harmless
    async def reach(self) -> None:
        """Ask Kafka for its topics, which costs it nothing; end where another process would do better than this one."""
        clients = (self._consumer, self._looker.consumer, self._asker, self._follower)
        try:
            found = await self._kafka_watch.ask(clients)
            self._kafka_watch.answered(found)
            if self._partitions:
                inputs_as_wide(self._names, found, self._partitions)
        except LogLost as error:
            self._refuse("cannot go on", error)
        except (KafkaError, TimeoutError, OSError) as error:
            if self.should_stop:
                return  # Its clients were ended meanwhile.
            if wrong := await self._kafka_watch.missed(error):
                self._refuse("cannot go on", CannotStart(wrong))

    @Service.timer(2.0)
    @harmless
    async def _watch(self) -> None:
        """A client of Kafka's that has died does not come back: whoever started the worker starts it again."""
        if self.loops:
            self._kafka_watch.hear(self._follower)
        error = kafka.failed(self._consumer, self._follower, self._looker.consumer)
        if error is not None:
            # Kafka's client has no name for the error of a member whose instance another one has taken.
            hint = {"do": ONE_INSTANCE} if isinstance(error, UnknownError) else {}
            log.error("Kafka's client has died; the worker ends, start it again", error=said(error), **hint)
            await self.crash(error)

    @Service.timer(5.0)
    @harmless
    async def _measure(self) -> None:
        """Gauges that no batch moves."""
        self.metrics.register.set(self._followed.read[Log.REGISTER])
        ends = await self._ends()
        for number, loop in self.loops.items():
            if number in ends and loop.partition.assumed:
                looked, end = loop.partition.looked, ends[number]
                self.metrics.lag.labels(number).set(max(0, end - looked))
                self._rounds.saw(number, looked, end)
            self.metrics.beat.labels(number).set((self._world.steady() - loop.beat) / SECOND)
        self.metrics.assigned.clear()
        for state, count in Counter(loop.state.partition(":")[0] for loop in self.loops.values()).items():
            self.metrics.assigned.labels(state).set(count)

    async def _ends(self) -> dict[int, int]:
        """The offset after the last record of each of this worker's partitions; of none while Kafka does not answer."""
        places = {TopicPartition(self._names.actions.name, number): number for number in self.loops}
        if not places or self._kafka_watch.away:
            return {}
        try:
            async with asyncio.timeout(REACH_SECONDS):
                found = await self._asker.end_offsets([*places])
        except (KafkaError, TimeoutError, OSError):
            return {}
        return {places[place]: end for place, end in found.items()}

    def trouble(self) -> list[str]:
        """What keeps this worker from deciding, for `/readyz`."""
        return [
            *([self.ready] if self.ready else []),
            *self._kafka_watch.trouble(),
            *self._unfollowed_for(),
            *self._rounds.trouble(),
        ]

    def warnings(self) -> list[str]:
        """What somebody should mend though offers are answered as ever, for `/readyz`."""
        return self._redis_watch.warnings()

    def hanging(self) -> list[str]:
        """Why the process should be started again, for `/livez`; trouble that is waited for is none."""
        return self._rounds.hanging(self._kafka_watch.heard, self._kafka_watch.away)
