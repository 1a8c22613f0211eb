"""One simulated run: events come in while workers crash, freeze, come back, and Redis forgets."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from re import sub
from typing import Any, NamedTuple

from gate.instants import text
from state import MemoryStore
from state.redis.store import RedisStore
from streams.border.wire import Rejected, instant
from streams.embedded import Gate
from streams.kafka.record import KeptHeaders, partition_of
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.worker.loop import PartitionLoop
from streams.worker.outputs import CONTENT_TYPE
from streams.worker.partition import Partition
from tests.player import POLICY as GATE_POLICY
from tests.player import fill
from tests.simulation.world import (
    ACTIONS,
    FOLLOWED,
    LONGEST,
    POLICY,
    REGISTER,
    Crash,
    Publisher,
    Source,
    Surroundings,
    World,
)

PARTITIONS = 2
REMADE = 0.1
"""How often state is made anew."""
OF_REGISTER = ("campaign.", "entity.", "asset.", "product.", "country.")


class Planned(NamedTuple):
    """A record to come: when the broker appends it, and where."""

    at: int
    topic: int
    partition: int
    key: bytes | None
    line: bytes | None
    headers: KeptHeaders = (CONTENT_TYPE,)


def plan(events: list[dict[str, Any]]) -> tuple[list[Planned], list[bytes]]:
    """When each event is appended, and the same events as lines for the embedded gate, with what it answered."""
    at = 0
    planned, said = [], []
    gate = Gate(GATE_POLICY, MemoryStore())
    decisions: dict[str, list[str]] = {}
    for event in events:
        stated = [instant(event[k]) for k in ("time", "recordedtime") if isinstance(event.get(k), str)]
        at = max(at + 100_000, *(-(-t // 1000) * 1000 for t in stated))
        event = {**event, "recordedtime": text(at)}
        line = fill(event, decisions)
        register = event["type"].removeprefix("gate61.").startswith(OF_REGISTER)
        key = event["subject"].encode()
        place = (REGISTER, 0) if register else (ACTIONS, partition_of(key, PARTITIONS))
        planned.append(Planned(at, *place, key, line))
        taken = gate.take(line)
        outs = [] if isinstance(taken, Rejected) else [gate.line_of(effect) for effect in taken]
        for out in outs:
            told = json.loads(out)
            if told["type"] == "gate61.offer.decided.v1":
                decisions.setdefault(told["data"]["event"]["id"], []).append(told["data"]["decision"])
        said += outs
    return planned, said


def with_policies(seed: int, planned: list[Planned]) -> list[Planned]:
    """The plan with two more policies, which differ in their version."""
    rng = Random(seed)
    policies = []
    for name in ("one", "two"):
        version = sub(rb'(?m)^version = "', b'version = "%b-' % name.encode(), DEFAULT.read_bytes(), count=1)
        policies.append(Planned(rng.choice(planned).at, POLICY, 0, None, version))
    return sorted([*planned, *policies], key=lambda p: p.at)


def with_poison(seed: int, planned: list[Planned]) -> list[Planned]:
    """The plan with records among them that cannot be taken, such as any client of Kafka's can send."""
    rng = Random(seed)
    poison = [
        Planned(
            rng.choice(planned).at,
            *rng.choice([(ACTIONS, 0), (ACTIONS, 1), (REGISTER, 0)]),
            rng.choice([None, b"", b"x", b"\xff"]),
            rng.choice([None, b"", b"\xff\x00", b"{}", b'{"n": %d}' % n]),
            rng.choice(_ODD),
        )
        for n in range(8)
    ]
    return sorted([*planned, *poison], key=lambda p: p.at)


_ODD: list[KeptHeaders] = [
    (),
    (CONTENT_TYPE,),
    (("a", None),),
    (("ce_id", None), ("a", b"\xff")),
    (("a", b""), ("a", b"")),
]


class Process:
    """One worker with all partitions, until it crashes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.followed = Followed()
        self.standing = world.standing()
        self.loops = [self._loop(n) for n in range(PARTITIONS)]
        self.tasks = [asyncio.create_task(loop.run()) for loop in self.loops]
        self.tasks.append(asyncio.create_task(self._follow()))

    def _loop(self, number: int) -> PartitionLoop:
        store = RedisStore(self.world.redis, f"t:{number}", cached=3)  # type: ignore[arg-type]
        partition = Partition(number, PARTITIONS, self.followed, store, "0")
        return PartitionLoop(
            partition, Source(self.world, number, self.standing), Publisher(self.world), Surroundings(self.world)
        )

    async def _follow(self) -> None:
        while True:
            for log, topic in ((Log.POLICY, POLICY), (Log.REGISTER, REGISTER)):
                records = self.world.logs.get((topic, 0), [])
                new = records[self.followed.read[log] :][: self.world.rng.randrange(4)]
                await self.standing.follows({FOLLOWED[log]: new})
                await self.standing.stand([FOLLOWED[log]])
                for record in new:
                    self.followed.add(log, record)
                self.standing.took(FOLLOWED[log], new)
            await asyncio.sleep(0)

    @property
    def dead(self) -> bool:
        return any(t.done() for t in self.tasks)

    async def kill(self) -> None:
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with suppress(Crash, asyncio.CancelledError):
                await task

    def idle(self) -> bool:
        """Whether everything there is has been decided and published."""
        return all(
            loop.state == "running"
            and not loop.partition.waits
            and loop.partition.remembered == loop.partition.place
            and loop.partition.next == tuple(len(self.world.logs.get((t, n), [])) for t in (ACTIONS, _BETWEEN))
            and self.followed.read == [len(self.world.logs.get((t, 0), [])) for t in (POLICY, REGISTER)]
            for n, loop in enumerate(self.loops)
        )


_BETWEEN = 3


async def simulate(
    seed: int,
    planned: list[Planned],
    faults: float,
    fault: tuple[int, str] | None = None,
    behind: Mapping[int, int] | None = None,
    remade: Callable[[World], None] | None = None,
) -> World:
    """Feed the plan to workers in trouble, then let one catch up in peace. `fault` is the only one: which effect, how.

    `behind` is by topic how much its broker's clock is behind, in microseconds. `remade` now and then makes state anew,
    right after all workers were killed, whatever they were at.
    """
    rng = Random(seed)
    world = World(rng, faults)
    world.behind = dict(behind or {})
    world.planned = dict([fault]) if fault else {}
    world.append(POLICY, 0, None, DEFAULT.read_bytes())
    processes = [Process(world)]
    for event in planned:
        world.clock = max(event.at, world.clock)
        world.append(event.topic, event.partition, event.key, event.line, event.headers)
        for _ in range(rng.choice([0, 0, 3, 20, 60])):
            await asyncio.sleep(0)
        await _happen(world, processes)
        if remade is not None and rng.random() < REMADE:
            while processes:
                await processes.pop().kill()
            remade(world)
            processes.append(Process(world))
    await settle(world, processes)
    return world


async def settle(world: World, processes: list[Process]) -> None:
    """One worker catches up in peace."""
    world.faults = 0.0
    while len(processes) > 1:
        await processes.pop().kill()
    quiet = 0
    for _ in range(20_000):
        await asyncio.sleep(0)
        if processes[0].dead:
            await processes.pop().kill()
            processes.append(Process(world))
        quiet = quiet + 1 if processes[0].idle() else 0
        if quiet > LONGEST:
            break
    assert processes[0].idle(), [p.state for p in processes[0].loops]
    await processes[0].kill()


async def _happen(world: World, processes: list[Process]) -> None:
    """What goes wrong around the workers."""
    rng = world.rng
    for process in [p for p in processes if p.dead]:
        processes.remove(process)
        await process.kill()
    if rng.random() < world.faults and len(processes) < 3:
        world.happened.append("another worker takes over")
        processes.append(Process(world))
    if not processes:
        processes.append(Process(world))
    if rng.random() < 2 * world.faults:
        world.keep_copy()
    if rng.random() < world.faults / 2:
        world.roll_back()
