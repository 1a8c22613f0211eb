"""A world in one thread: Kafka, Redis and clocks as doubles, with a fault possible at every effect. Seeded throughout."""

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from io import BytesIO
from random import Random
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from gate.facts import Instant
from state.redis import owner as redis_owner
from streams.faults import fault
from streams.kafka.connection import said
from streams.kafka.topics import Names, topics
from streams.logs.merge import Log
from streams.logs.standing import Standing
from streams.worker.contracts import Answered, Bounds, Fetched
from streams.worker.outputs import BETWEEN, DECISIONS, Output
from streams.worker.pins import Unknown, must_be_there
from streams.worker.progress import Came

PLACES = {name: place for place, name in enumerate(Names._fields)}
ACTIONS, REGISTER, POLICY = PLACES["actions"], PLACES["register"], PLACES["policy"]


FOLLOWED = {Log.POLICY: TopicPartition("policy", 0), Log.REGISTER: TopicPartition("register", 0)}
"""The logs that everybody reads whole."""

LONGEST = 60
"""How slow something may be, in turns of the event loop; who waits for quiet waits longer."""
OF_KAFKA = 1024
"""Bytes that Kafka adds to one record at most, its batch's among them."""
KINDS = ("crash", "crash after", "fail", "fail after", "slow")


class Crash(BaseException):
    """The process is gone: no handler of it runs."""


class Trouble(Exception):
    """Something that was asked failed, before or after it was done."""


class Record(NamedTuple):
    """As a consumer hands it out."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp_type: int = 1
    """The broker's."""
    leader_epoch: int = 0

    @property
    def serialized_key_size(self) -> int:
        return len(self.key or b"")

    @property
    def serialized_value_size(self) -> int:
        return len(self.value or b"")


def _size(key: bytes | None, value: bytes | None, headers: Any) -> int:
    """Bytes of a record in a batch by itself, which Kafka adds some to."""
    said = sum(len(name) + len(held or b"") for name, held in headers)
    return OF_KAFKA + len(key or b"") + len(value or b"") + said


class World:
    """Logs, one Redis, one clock, and what goes wrong."""

    def __init__(self, rng: Random, faults: float) -> None:
        self.rng = rng
        self.faults = faults
        self.clock: Instant = 0
        self.logs: dict[tuple[int, int], list[Record]] = {}
        self.redis = FakeRedis()
        self.copies: list[dict[bytes, Any]] = []
        self.happened: list[str] = []
        self.effects: list[str] = []
        self.behind: dict[int, Instant] = {}
        """By topic, how much the clock of its broker is behind."""
        self.kafka = "this"
        """The id of its Kafka."""
        self.epoch = 0
        """Of whoever leads all partitions."""
        self.heard = 0
        """When whoever reads logs heard of them last, in milliseconds: they do all the time, unless somebody sets this on."""
        self.acknowledged: dict[int, tuple[int, int]] = {}
        """By partition, what its group acknowledged last of what happens around clients and between them."""
        self.planned: dict[int, str] = {}
        """By number of effect: what goes wrong there; instead of chance."""

    def append(self, topic: int, partition: int, key: bytes | None, value: bytes | None, headers: Any = ()) -> None:
        """A broker appends and says when; what is larger than the topic takes it refuses, however often it is sent.

        A message between clients is appended a millisecond or more after what it follows from was read (see `Source`).
        """
        if topic == BETWEEN:
            self.clock += 1000
        log = self.logs.setdefault((topic, partition), [])
        name = Names._fields[topic]
        if _size(key, value, headers) > topics()[topic].largest:
            raise Trouble(f"`{name}` takes no record of {_size(key, value, headers)} bytes")
        at = self.clock - self.behind.get(topic, 0)
        log.append(Record(name, partition, len(log), at // 1000, key, value, tuple(headers), leader_epoch=self.epoch))

    def lose_end(self, topic: int, partition: int, many: int) -> None:
        """The broker comes back without the last so many records of a log."""
        del self.logs[topic, partition][-many:]
        self.epoch += 2
        self.heard += 10_000

    def standing(self) -> Standing:
        """What somebody read last of the logs."""
        return Standing(lambda _: self.heard, self._look, now=lambda: self.heard / 1000)

    async def _look(self, places: Mapping[TopicPartition, int], many: int) -> dict[TopicPartition, list[Record]]:
        def found() -> dict[TopicPartition, list[Record]]:
            logs = {place: self.logs[PLACES[place.topic], place.partition] for place in places}
            return {place: log[places[place] : places[place] + many] for place, log in logs.items()}

        there: dict[TopicPartition, list[Record]] = await self.effect("look", found)
        return there

    async def effect(self, name: str, done: Callable[[], Any]) -> Any:
        """Something that a process does to the world: it may crash before or after it, or be told that it failed."""
        self.effects.append(name)
        if self.planned:
            kind = self.planned.pop(len(self.effects), "")
        else:
            kind = self.rng.choice(KINDS) if self.rng.random() < self.faults else ""
        await asyncio.sleep(0)
        if kind:
            self.happened.append(f"{kind} at {name}")
        if kind == "crash":
            raise Crash(name)
        if kind == "fail":
            raise Trouble(name)
        if kind == "slow":
            for _ in range(self.rng.randrange(1, LONGEST)):
                await asyncio.sleep(0)
        found = done()
        if kind == "crash after":
            raise Crash(name)
        if kind == "fail after":
            raise Trouble(name)
        return found

    def keep_copy(self) -> None:
        """What Redis would come back with if it lost its last seconds."""
        self.copies.append(copy.deepcopy(self.redis.data))

    def roll_back(self) -> None:
        """Redis loses what it took since some copy.

        Where clocks agree it may even come back with what it had lost before; else what followed from that was another
        order, and answers were published since.
        """
        if self.copies:
            self.happened.append("Redis rolled back")
            place = self.rng.randrange(len(self.copies))
            self.redis.data = copy.deepcopy(self.copies[place])
            if self.behind:
                del self.copies[place + 1 :]


class Surroundings:
    """The loop's view of it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def now(self) -> Instant:
        return self.world.clock

    def steady(self) -> Instant:
        return self.world.clock

    async def sleep(self, seconds: float, stopped: asyncio.Event) -> None:
        for _ in range(max(1, int(seconds * 8))):
            await asyncio.sleep(0)

    def held(self) -> str:
        return ""

    async def apart(self, work: Callable[..., Any], *given: Any) -> Any:
        return await self.world.effect(work.__name__, lambda: work(*given))

    aside = apart

    def said(self, error: Exception) -> str:
        return fault(error) or said(error)

    def say(self, partition: int, what: str, **details: object) -> None:
        self.world.happened.append(f"{partition} {what} {details}")


class Source:
    """The logs of one partition."""

    def __init__(self, world: World, number: int, of_followed: Standing | None = None) -> None:
        self.world, self.number = world, number
        self.at = [0, 0]
        self.standing, self.of_followed = world.standing(), of_followed or world.standing()
        self.acknowledged: tuple[int, int] | None = None
        """What was acknowledged last, of both logs."""

    def _place(self, topic: int) -> TopicPartition:
        return TopicPartition(Names._fields[topic], self.number)

    def _log(self, topic: int, partition: int | None = None) -> list[Record]:
        return self.world.logs.get((topic, self.number if partition is None else partition), [])

    def _ends(self) -> list[int]:
        by_log = {Log.POLICY: (POLICY, 0), Log.REGISTER: (REGISTER, 0)}
        by_log |= {Log.BETWEEN: (BETWEEN, self.number), Log.ACTIONS: (ACTIONS, self.number)}
        return [len(self.world.logs.get(by_log[log], [])) for log in Log]

    async def bounds(self) -> list[Bounds]:
        found: list[Bounds] = await self.world.effect("bounds", lambda: [Bounds(0, end) for end in self._ends()])
        return found

    async def kafka(self) -> str:
        found: str = await self.world.effect("kafka", lambda: self.world.kafka)
        return found

    async def came(self, actions: int, between: int) -> tuple[Came | None, Came | None]:
        def asked() -> list[Record | None]:
            return [self._log(t)[at] if at >= 0 else None for t, at in ((ACTIONS, actions), (BETWEEN, between))]

        there = await self.world.effect("came", asked)
        for topic, record in zip((ACTIONS, BETWEEN), there, strict=True):
            self.standing.begin(self._place(topic), record)
        of_actions, of_between = (Came(r.timestamp * 1000, r.leader_epoch) if r else None for r in there)
        return of_actions, of_between

    async def answered(self, place: Sequence[int], since: int) -> Answered:
        log: list[Record] = await self.world.effect("answered", lambda: self._log(DECISIONS))
        unknown = Unknown(place)
        for record in log[since:]:
            unknown.add(record.headers)
        logs = [self._log(POLICY, 0), self._log(REGISTER, 0), self._log(BETWEEN), self._log(ACTIONS)]
        there = {
            log: logs[log][offset].timestamp * 1000
            for log, (offset, _) in unknown.appended.items()
            if offset < len(logs[log])
        }
        must_be_there("answers", unknown.furthest, dict(zip(Log, self._ends(), strict=True)), unknown.appended, there)
        return Answered(len(log), unknown.pins)

    async def seek(self, actions: int, between: int) -> None:
        self.at = [actions, between]

    async def read(self, seconds: float, wanted: Collection[Log]) -> tuple[Fetched, Fetched]:
        most = self.world.rng.choice([1, 2, 5, 50])

        def fetched() -> tuple[Fetched, Fetched]:
            found = []
            for place, (topic, log) in enumerate(((ACTIONS, Log.ACTIONS), (BETWEEN, Log.BETWEEN))):
                many = self.world.rng.randrange(most + 1) if log in wanted else 0
                records = self._log(topic)[self.at[place] : self.at[place] + many]
                self.at[place] += len(records)
                found.append(Fetched(records, self.at[place]))
            return found[0], found[1]

        got: tuple[Fetched, Fetched] = await self.world.effect("read", fetched)
        places = [self._place(topic) for topic in (ACTIONS, BETWEEN)]
        await self.standing.follows({place: found.records for place, found in zip(places, got, strict=True)})
        for place, found in zip(places, got, strict=True):
            self.standing.took(place, found.records)
        return got

    async def ends(self) -> list[int]:
        found: list[int] = await self.world.effect("ends", self._ends)
        await self.of_followed.stand(FOLLOWED.values(), by_now=True)
        return found

    async def acknowledge(self, actions: int, between: int, at_once: bool = False) -> None:
        if (actions, between) != self.acknowledged:
            noted = {self.number: (actions, between)}
            await self.world.effect("acknowledge", lambda: self.world.acknowledged.update(noted))
            self.acknowledged = actions, between


class Publisher:
    """Appends a batch record by record; a crash may come in the middle."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def publish(self, outputs: Sequence[Output]) -> int | None:
        answers = None
        for output in outputs:

            def one(output: Output = output) -> int:
                self.world.append(output.topic, output.partition, output.key, output.value, output.headers)
                return len(self.world.logs[output.topic, output.partition])

            end = await self.world.effect("publish", one)
            answers = end if output.topic == DECISIONS else answers
        return answers


class FakeRedis:
    """As much of Redis as the store uses; keys, fields and values are bytes, as they are there."""

    def __init__(self) -> None:
        self.data: dict[bytes, Any] = {}

    @property
    def connection_pool(self) -> "FakeRedis":
        return self

    def get_connection(self) -> "Connection":
        return Connection(self)

    def release(self, connection: "Connection") -> None:
        pass

    def _assign(
        self, meta: bytes, outbox: bytes, dossiers: bytes, notes: bytes, probe: bytes, token: bytes
    ) -> list[Any]:
        assert probe not in self.data
        self.do(b"HSET", meta, "token", token)
        stated = self.hmget(meta, ["next", "batch", "begun", "clients", "notes", "ids"])
        return [self.data.get(outbox), stated, self.hlen(dossiers), self.hlen(notes)]

    def do(self, name: bytes, *said: Any) -> Any:
        """One command."""
        key, *values = map(_bytes, said)
        match name:
            case b"SET":
                (self.data[key],) = values
            case b"HSET":
                self.data.setdefault(key, {}).update(zip(values[::2], values[1::2], strict=True))
            case b"RPUSH":
                self.data.setdefault(key, []).extend(values)
            case b"UNLINK":
                for gone in (key, *values):
                    self.data.pop(gone, None)
            case b"HMGET":
                return self.hmget(key, values)
            case b"HLEN":
                return self.hlen(key)
            case b"WATCH":
                pass
            case b"EVAL" if key == redis_owner.TAKE_OVER:
                return self._assign(*values[1:])
            case _:
                assert name == b"EVAL" and key == redis_owner.WRITE_END
                many = int(values[0])
                (meta, dossiers, notes, ids, before, *histories), given = (
                    values[1 : many + 1],
                    deque(values[many + 1 :]),
                )
                self.do(b"HSET", meta, "next", given.popleft(), "batch", given.popleft())
                for history in histories:
                    self.do(b"RPUSH", history, *(given.popleft() for _ in range(int(given.popleft()))))
                assert not given
                self.do(b"HSET", meta, "clients", b"%d" % self.hlen(dossiers), "notes", b"%d" % self.hlen(notes))
                self.do(b"HSET", meta, "ids", b"%d" % (self.hlen(ids) + self.hlen(before)))
        return b"OK"

    def get(self, key: Any) -> Any:
        return self.data.get(_bytes(key))

    def hgetall(self, key: Any) -> Any:
        return dict(self.data.get(_bytes(key), {}))

    def type(self, key: Any) -> bytes:
        return b"string" if _bytes(key) in self.data else b"none"

    def unlink(self, *keys: Any) -> None:
        self.do(b"UNLINK", *keys)

    def hget(self, key: Any, field: Any) -> Any:
        return self.hmget(key, [field])[0]

    def hlen(self, key: Any) -> int:
        return len(self.data.get(_bytes(key), {}))

    def hmget(self, key: Any, fields: Sequence[Any]) -> list[Any]:
        held = self.data.get(_bytes(key), {})
        return [held.get(_bytes(field)) for field in fields]

    def exists(self, *keys: Any) -> int:
        return sum(_bytes(key) in self.data for key in keys)

    def lrange(self, key: Any, first: int, last: int) -> list[bytes]:
        return list(self.data.get(_bytes(key), []))

    def hkeys(self, key: Any) -> list[bytes]:
        return list(self.data.get(_bytes(key), {}))

    def hscan_iter(self, key: Any, count: int) -> Any:
        return iter(list(self.data.get(_bytes(key), {}).items()))

    def scan_iter(self, match: str, count: int) -> Iterator[bytes]:
        return (key for key in list(self.data) if key.startswith(match.removesuffix("*").encode()))

    def pipeline(self, transaction: bool) -> "Pipe":
        return Pipe(self)

    def close(self) -> None:
        pass


class Connection:
    """A connection to it, on which a transaction runs: nobody else has a turn meanwhile."""

    is_connected = True

    def __init__(self, redis: FakeRedis) -> None:
        self.redis = redis
        self.answers: deque[Any] = deque()
        self.queued: list[list[bytes]] | None = None

    def send_packed_command(self, packed: list[bytes]) -> None:
        for command in _commands(BytesIO(b"".join(packed))):
            if command == [b"MULTI"]:
                self.queued = []
                self.answers.append(b"OK")
            elif command == [b"EXEC"]:
                assert self.queued is not None
                self.answers.append([self.redis.do(*each) for each in self.queued])
                self.queued = None
            elif self.queued is not None:
                self.queued.append(command)
                self.answers.append(b"QUEUED")
            else:
                self.answers.append(self.redis.do(*command))

    def read_response(self) -> Any:
        return self.answers.popleft()

    def disconnect(self) -> None:
        self.answers.clear()


def _commands(sent: BytesIO) -> Iterator[list[bytes]]:
    """What was sent, as Redis reads it."""
    while many := sent.readline():
        assert many[:1] == b"*"
        command = []
        for _ in range(int(many[1:])):
            length = int(sent.readline().removeprefix(b"$"))
            command.append(sent.read(length))
            assert sent.readline() == b"\r\n"
        yield command


class Pipe:
    """Commands that go together."""

    def __init__(self, redis: FakeRedis) -> None:
        self.redis = redis
        self.found: list[Any] = []

    def _done(self, found: Any) -> "Pipe":
        self.found.append(found)
        return self

    def set(self, key: str, value: bytes) -> "Pipe":
        return self._done(self.redis.do(b"SET", key, value))

    def get(self, key: str) -> "Pipe":
        return self._done(self.redis.get(key))

    def type(self, key: str) -> "Pipe":
        return self._done(self.redis.type(key))

    def hgetall(self, key: str) -> "Pipe":
        return self._done(self.redis.hgetall(key))

    def hmget(self, key: str, fields: Sequence[Any]) -> "Pipe":
        return self._done(self.redis.hmget(key, fields))

    def lrange(self, key: str, first: int, last: int) -> "Pipe":
        return self._done(self.redis.lrange(key, first, last))

    def hlen(self, key: Any) -> "Pipe":
        return self._done(self.redis.hlen(key))

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        return self.found


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else value
