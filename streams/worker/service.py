"""The service that runs the partitions which the group gives to this worker."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
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
from state.finding import Finding, Level
from state.redis_health import complaints, renew
from state.redis_look import tag
from state.redis_servers import Servers
from state.redis_store import RedisStore
from streams import policy_file
from streams.connection import let_go, said
from streams.settings import Settings, shown
from streams.topics import Names, missing, topics
from streams.web.clock import ONE_SOURCE
from streams.worker import kafka
from streams.worker.following import Followed, made_anew, whole
from streams.worker.here import Here
from streams.worker.loop import LONGEST_WAIT, ONE_INSTANCE, UNREAD, PartitionLoop, unread
from streams.worker.merge import Log, LogLost
from streams.worker.metrics import Metrics
from streams.worker.outputs import Output
from streams.worker.partition import Partition
from streams.worker.progress import FIXED, OtherPartitions, same_spread
from streams.worker.publishing import KafkaPublisher, Sender, producer

log = structlog.get_logger("gate61.worker")
STOP_SECONDS = 5.0
"""What a partition gets to finish its batch before it is left as it is; the next owner goes on from what is stored.

All partitions of the group wait for it, and after `kafka.REBALANCE_MILLISECONDS` the group goes on without this worker.
"""
REDIS_SECONDS = 5.0
REACH_SECONDS = 2.0
RENEWED_AGAIN = 60 * SECOND
"""After so long Redis is asked again to write its append-only file anew, where it could not, or may not be asked."""
INPUTS_SECONDS = 60.0
"""After so long it is asked again whether topics of inputs keep everything."""
KAFKA_SECONDS = 5.0
"""What Kafka gets to answer whoever only asks whether it is there."""
STALLED_SECONDS = 30
"""What is there and not read for so long, though the loop goes round, is held back by a transaction."""
AWAITED_SECONDS = 5
"""What Kafka does sooner than that where it is well, and what a round takes."""
DEAF = 300 * SECOND
"""Trouble with Kafka that another process might not have."""
UNHEARD_SECONDS = 60
"""After so long without an answer it is looked whether Kafka answers who comes to it anew."""
BUSY_SECONDS = 10
"""A round takes less where not much is to be judged."""
HANGS_SECONDS = 60
"""No round takes so long, but for what is judged,"""
STUCK_SECONDS = 300
"""and no event takes so long to judge."""
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
            log.error("timer failed", timer=timer.__name__, error=said(error))

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
        self._world = Here(shown(self.settings.redis))
        self._met = False
        """Whether Kafka's clients were connected; until then `ready` says what it is with Kafka."""
        self._away: tuple[Instant, str] | None = None
        """Since when Kafka has not answered, by the steady clock, and what came instead."""
        self._ahead = False
        """Whether it was said that this machine's clock is ahead."""
        self._unrenewed: tuple[Instant, Finding] | None = None
        """When Redis was last asked to write its append-only file anew, by the steady clock, and what keeps it from that."""
        self._missing: list[str] = []
        """Topics that Kafka does not have."""
        self._stalled: dict[int, tuple[int, Instant]] = {}
        """By partition that has more than it could look at: how far it looked, and since when by the steady clock."""
        self._polled = (0, self._world.steady())
        """When brokers said something of the register last, by Kafka's client; when that was seen, by the steady clock."""

    async def on_start(self) -> None:
        """Connect, waiting for whatever is not there yet; then take part in the group."""
        settings = self.settings
        self._redis = Servers(settings.redis, REDIS_SECONDS)
        self._sender = Sender(lambda: producer(settings.kafka, settings.instance))
        self._follower = kafka.follower(settings.kafka, settings.instance)
        self._consumer = kafka.consumer(settings.kafka, f"{settings.prefix}{settings.group}", settings.instance)
        self._looker = kafka.Looker(kafka.follower(settings.kafka, f"{settings.instance}-answers"))
        self._asker = kafka.asker(settings.kafka, settings.instance)
        self.add_future(self._begin())

    async def _begin(self) -> None:
        try:
            await self._patiently("Redis", self._meet_redis)
            for client in (self._sender, self._follower, self._looker.consumer, self._asker, self._consumer):
                await self._patiently("Kafka", client.start)
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
        wrong = await asyncio.to_thread(complaints, self._redis)
        if wrong:
            raise CannotStart("; ".join(wrong))
        await asyncio.to_thread(self._ask_time)  # Before any window is closed.

    def _ask_time(self) -> None:
        self._world.clock.ask(self._redis.of(tag(f"{self._names.actions.name}:0")))

    async def _meet_topics(self) -> int:
        """How many partitions clients are spread over; all topics must be there and as wide."""
        known = await kafka.widths(self._consumer, [t.name for t in self._names])
        wide = self.settings.partitions if not known[self._names.actions.name] else known[self._names.actions.name]
        wrong = [f"`{t.name}` has {known[t.name]}" for t in self._names if known[t.name] != (t.partitions or wide)]
        if lacking := [name for name, many in known.items() if not many]:
            raise KafkaError(missing(lacking))
        if wrong:
            raise CannotStart(f"topics have other numbers of partitions than {wide}: {', '.join(wrong)}")
        return wide

    async def _meet_inputs(self) -> None:
        """Nothing that was ever published may be gone, or about to go."""
        await kafka.never_compacted(self.settings.kafka, self._names)

    async def _meet_state(self) -> None:
        """No partition's state may have been made with another number of them."""
        stores = [self._store(number) for number in range(self._partitions)]
        await asyncio.to_thread(same_spread, stores, self._partitions)

    async def _meet_logs(self) -> None:
        """Both one-partition topics must have all that was ever appended to them."""
        first = await self._follower.beginning_offsets([*kafka.followed_logs(self._names)])
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
        logs = kafka.followed_logs(self._names)
        self._follower.assign([*logs])
        for place in logs:
            self._follower.seek(place, 0)
        while not self.should_stop:
            try:
                found = await self._follower.getmany(timeout_ms=500)
                for place, records in found.items():
                    for record in records:
                        self._followed.add(logs[place], record)
                for place, which in logs.items():
                    self._followed.read[which] = max(self._followed.read[which], await self._follower.position(place))
            except OffsetOutOfRangeError as error:
                place, offset = next(iter(error.args[0].items()))
                raise made_anew(place.topic, offset) from None
            except KafkaError as error:
                log.warning("waiting for register", error=said(error))
                await asyncio.sleep(1.0)

    async def _govern(self) -> None:
        """The policy topic says which policy is in force; where it is empty, the worker's own is put there first."""
        own, text = policy_file.read(self.settings.policy)
        await self._read_policies()
        known = [a.event for a in self._followed.policies if isinstance(a.event, Policy)]
        if not known:
            first = Output(Names._fields.index("policy"), 0, None, text)
            await KafkaPublisher(self._sender, self._names).publish([first])
        elif self.settings.policy and known[-1].digest != own.digest:
            raise CannotStart(f"{policy_file.not_in_force(own, known[-1])}: {policy_file.PUT_IN_FORCE}")

    async def _read_policies(self) -> None:
        """Wait until the log of policies is read as far as it goes now, and say so where that takes long."""
        place = TopicPartition(self._names.policy.name, 0)
        end = (await self._asker.end_offsets([place]))[place]
        begun, waiting = self._world.steady(), f"waiting: {unread([Log.POLICY])}"
        while self._followed.read[Log.POLICY] < end:
            if self._world.steady() - begun > UNREAD and self.ready != waiting:
                self.ready = waiting
                log.warning("waiting for policy", why=unread([Log.POLICY]))
            await asyncio.sleep(0.02)

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
        source = kafka.KafkaSource(self._consumer, self._looker, self._asker, self._followed, self._names, number)
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
        """Redis may be changed while it runs: what it must be is asked again and again."""
        try:
            found = tuple(await asyncio.to_thread(complaints, self._redis))
        except (RedisError, OSError):
            return  # The loops meet that themselves.
        with suppress(RedisError, OSError):
            await asyncio.to_thread(self._ask_time)
        if found != self._world.unfit:
            log.warning("Redis is not fit to hold state" if found else "Redis is fit again", found=found)
        self._world.unfit = found
        self._compare_clocks()
        with suppress(RedisError, OSError):
            await self._renew()

    async def _renew(self) -> None:
        """Redis may have been started again, from a file that a crash cut."""
        before = self._unrenewed
        if before is not None and self._world.steady() - before[0] < RENEWED_AGAIN:
            return
        found = await asyncio.to_thread(renew, self._redis)
        self._unrenewed = None if found is None or found.level is Level.OK else (self._world.steady(), found)
        if found is not None and found.level is Level.OK:
            log.info(f"Redis {found.what}")
        elif found is not None and (before is None or before[1] != found):
            log.warning(found.what, do=found.do)

    def _compare_clocks(self) -> None:
        ahead = bool(self._world.clock.ahead)
        if ahead != self._ahead:
            log.warning("clocks differ" if ahead else "clocks agree again", found=self._ahead_of_redis())
        self._ahead = ahead

    @Service.timer(INPUTS_SECONDS)
    @harmless
    async def _look_after_inputs(self) -> None:
        """Topics may be configured otherwise while it runs."""
        if not self._met:
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
        """Ask Kafka for its topics, which costs it nothing; say when it goes away, when it is back, and what it lacks."""
        topics = [t.name for t in self._names if t != self._names.clock]
        try:
            async with asyncio.timeout(KAFKA_SECONDS):
                for client in (self._consumer, self._looker.consumer, self._asker, self._follower):
                    found = await kafka.widths(client, topics)
        except (KafkaError, TimeoutError, OSError) as error:
            if self.should_stop:
                return  # Its clients were ended meanwhile.
            if self._away is not None:
                await self._listen(topics)
            else:
                why = f"no answer within {KAFKA_SECONDS:g} s" if isinstance(error, TimeoutError) else said(error)
                self._away = self._world.steady(), why
                log.warning("Kafka does not answer; waiting, nothing is lost", kafka=self._servers(), error=why)
        else:
            if self._away is not None:
                log.warning("Kafka answers again", seconds=self._seconds_since(self._away[0]))
            self._away = None
            self._lacks([name for name, many in found.items() if not many])
            if self.loops and (wider := self._wider(found)):
                self._refuse("cannot go on", CannotStart(wider))

    async def _listen(self, topics: list[str]) -> None:
        """End where Kafka answers others: clients that know none of its brokers any more would wait for ever."""
        away = self._away is not None and self._seconds_since(self._away[0]) > UNHEARD_SECONDS
        if away and await kafka.answers_anew(self.settings.kafka, topics, KAFKA_SECONDS):
            why = "Kafka answers who comes anew, and not this worker, which knows only brokers that are gone; start it again"
            self._refuse("cannot go on", CannotStart(why))

    def _lacks(self, topics: list[str]) -> None:
        if topics != self._missing:
            log.warning(missing(topics) if topics else "no topics are missing any more")
        self._missing = topics

    def _servers(self) -> str:
        return ", ".join(self.settings.kafka.servers)

    @Service.timer(2.0)
    @harmless
    async def _watch(self) -> None:
        """A client of Kafka's that has died does not come back: whoever started the worker starts it again."""
        if self.loops:
            self._heard()
        error = kafka.failed(self._consumer, self._follower, self._looker.consumer)
        if error is not None:
            # Kafka's client has no name for the error of a member whose instance another one has taken.
            hint = {"do": ONE_INSTANCE} if isinstance(error, UnknownError) else {}
            log.error("Kafka's client has died; the worker ends, start it again", error=said(error), **hint)
            await self.crash(error)

    def _wider(self, found: Mapping[str, int]) -> str:
        """What is wrong where partitions were added to the inputs: clients would be looked for in the wrong place."""
        inputs = {name: found[name] for name in (self._names.actions.name, self._names.between.name)}
        wrong = [
            f"`{name}` has {many} partitions" for name, many in inputs.items() if many not in (0, self._partitions)
        ]
        had = f"had {self._partitions} when the worker started"
        return f"{' and '.join(wrong)} and {had}: {FIXED}" if wrong else ""

    @Service.timer(5.0)
    @harmless
    async def _measure(self) -> None:
        """Gauges that no batch moves."""
        self.metrics.register.set(self._followed.read[Log.REGISTER])
        states: dict[str, int] = {}
        ends = await self._ends()
        for number, loop in self.loops.items():
            if number in ends and loop.partition.assumed:
                self._saw(number, loop.partition.looked, ends[number])
            self.metrics.beat.labels(number).set((self._world.steady() - loop.beat) / SECOND)
            states[loop.state.partition(":")[0]] = states.get(loop.state.partition(":")[0], 0) + 1
        self.metrics.assigned.clear()
        for state, count in states.items():
            self.metrics.assigned.labels(state).set(count)

    def _saw(self, number: int, looked: int, end: int) -> None:
        """How far a partition has looked, and how far there is something."""
        self.metrics.lag.labels(number).set(max(0, end - looked))
        before = self._stalled.pop(number, None)
        if looked < end and self._goes_round(number):
            self._stalled[number] = before if before and before[0] == looked else (looked, self._world.steady())

    def _goes_round(self, number: int) -> bool:
        """Whether a partition reads on, again and again."""
        loop = self.loops.get(number)
        return loop is not None and loop.state == "running" and self._seconds_since(loop.beat) <= AWAITED_SECONDS

    def _seconds_since(self, then: Instant) -> int:
        return (self._world.steady() - then) // SECOND

    def _awaiting(self) -> list[str]:
        """Partitions that wait for Kafka longer than they do where it is well."""
        waited = {
            n: (loop.awaits[0], self._seconds_since(loop.awaits[1])) for n, loop in self.loops.items() if loop.awaits
        }
        return [
            f"partition {n} has waited for {seconds} s for Kafka {what}; see `gate61 doctor`"
            for n, (what, seconds) in waited.items()
            if seconds > AWAITED_SECONDS
        ]

    def _busy(self) -> list[str]:
        """Partitions whose round takes long for another reason: what comes meanwhile is not answered yet."""
        late = {n: self._seconds_since(loop.beat) for n, loop in self.loops.items() if loop.goes and not loop.awaits}
        return [
            f"partition {n} is still judging what it took {seconds} s ago"
            if self.loops[n].judging
            else f"partition {n} has not gone round for {seconds} s"
            for n, seconds in late.items()
            if seconds > BUSY_SECONDS and self.loops[n].state == "running"
        ]

    def _unreadable(self) -> list[str]:
        """Partitions that go round, and whose next record is there and does not come."""
        waited = {n: self._seconds_since(since) for n, (_, since) in self._stalled.items() if self._goes_round(n)}
        return [
            f"nothing more of `{self._names.actions.name}:{n}` can be read for {seconds} s, though there is more: end the "
            "transaction that somebody has open there"
            for n, seconds in waited.items()
            if seconds > STALLED_SECONDS
        ]

    async def _ends(self) -> dict[int, int]:
        """The offset after the last record of each of this worker's partitions; of none while Kafka does not answer."""
        places = {TopicPartition(self._names.actions.name, number): number for number in self.loops}
        if not places or self._away is not None:
            return {}
        try:
            async with asyncio.timeout(REACH_SECONDS):
                found = await self._asker.end_offsets([*places])
        except (KafkaError, TimeoutError, OSError):
            return {}
        return {places[place]: end for place, end in found.items()}

    def _heard(self) -> Instant:
        """When brokers said something of the register last, by the steady clock; Kafka's client notes it by another."""
        polled = self._follower.last_poll_timestamp(TopicPartition(self._names.register.name, 0)) or 0
        if polled != self._polled[0]:
            self._polled = polled, self._world.steady()
        return self._polled[1]

    def trouble(self) -> list[str]:
        """What keeps this worker from deciding, for `/readyz`."""
        found = [self.ready] if self.ready else []
        if self._away is not None:
            since, why = self._away
            seconds = self._seconds_since(since)
            found.append(
                f"Kafka at {self._servers()} has not answered for {seconds} s ({why}); see that it runs, and GATE61_KAFKA"
            )
        if self._missing:
            found.append(missing(self._missing))
        found += [*self._awaiting(), *self._busy(), *self._unreadable()]
        return found + [f"partition {n} is {loop.state}" for n, loop in self.loops.items() if loop.state != "running"]

    def warnings(self) -> list[str]:
        """What somebody should mend though offers are answered as ever, for `/readyz`."""
        found = [self._unrenewed[1]] if self._unrenewed else []
        return [*self._ahead_of_redis(), *(f"{f.what}; {f.do}" for f in found)]

    def _ahead_of_redis(self) -> list[str]:
        ahead = self._world.clock.ahead
        where = f"Redis at {shown(self.settings.redis)}"
        said = f"the clock of this machine is {ahead // SECOND} s ahead of that of {where}, by which windows are closed"
        return [f"{said}; {ONE_SOURCE}"] if ahead else []

    def hanging(self) -> list[str]:
        """Why the process should be started again, for `/livez`; trouble that is waited for is none.

        Loops that did not go round for a minute although nothing is known to be wrong and nothing is judged, or one thing
        for ever; and all of them where none got anything done with Kafka for long, though Kafka answers who follows the
        register.
        """
        now = self._world.steady()
        deaf = [loop for loop in self.loops.values() if isinstance(loop.trouble, KafkaError)]
        since = max((loop.round for loop in deaf), default=now)
        if len(deaf) == len(self.loops) and now - since > DEAF and now - self._heard() < DEAF:
            return [f"no partition got anything done with Kafka for {(now - since) // SECOND} s"]
        judges = self._world.at_it <= STUCK_SECONDS * SECOND
        late = {n: self._seconds_since(loop.beat) for n, loop in self.loops.items() if loop.goes and not loop.paused}
        return [
            f"partition {n} has not gone round for {seconds} s"
            for n, seconds in late.items()
            if seconds > HANGS_SECONDS and not (self.loops[n].judging and judges)
        ]
