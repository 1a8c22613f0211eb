"""A scope is said to be closed once, whatever policies come and go, and whoever starts again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Protocol

import pytest

from gate.instants import text
from gate.policy import DAY
from state import SqliteStore
from state.redis.store import RedisStore
from streams.border.wire import instant
from streams.embedded import Gate
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.policy_file import DEFAULT, parse
from streams.worker import partition, reopening
from streams.worker.loop import PartitionLoop
from streams.worker.outputs import CONTENT_TYPE, NOTICES
from streams.worker.partition import Partition
from tests.simulation.alone import BEGUN, Alone
from tests.simulation.going import going, rounds
from tests.simulation.world import ACTIONS, POLICY, Publisher, Source, Surroundings, World
from tests.stories.telling import REGISTER, asks, campaign, entity, located, offer
from tests.until import until


def policy(hard_days: int, version: str) -> bytes:
    """The default one with another hard limit."""
    changed = (
        DEFAULT.read_text()
        .replace("hard_days = 10", f"hard_days = {hard_days}")
        .replace('version = "', f'version = "{version}-')
    )
    assert changed != DEFAULT.read_text()
    return changed.encode()


class Told(Protocol):
    """A gate to which time passes, over its restarts."""

    def asks(self, id: str, at: str | None = None) -> None: ...
    def later(self, days: int) -> None: ...
    def govern(self, policy: bytes) -> None: ...
    def closed(self) -> list[str]: ...
    @property
    def now(self) -> str: ...


class OfWorker:
    """One partition; every round is by another worker."""

    def __init__(self, _: Path) -> None:
        self.alone = Alone()

    @property
    def now(self) -> str:
        return self.alone.now

    def asks(self, id: str, at: str | None = None) -> None:
        self.alone.act(asks(at=at or self.now, id=id))

    def later(self, days: int) -> None:
        self.alone.later(days=days)

    def govern(self, policy: bytes) -> None:
        self.alone.govern(policy)

    def closed(self) -> list[str]:
        """Which scopes are said to be closed by now; an event brings the time."""
        self.asks(f"at-{len(self.alone.actions)}")
        outputs = self.alone.round(self.alone.actions[self.alone.partition.next[0] :])
        self.alone.restart()
        return list(closings(o.value or b"" for o in outputs))


class Embedded:
    """An embedded gate on a file, opened anew every time."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock, self.policy, self.count = folder / "gate.db", Alone(), DEFAULT.read_bytes(), 0
        self.lines: list[bytes] = []

    @property
    def now(self) -> str:
        return self.clock.now

    def asks(self, id: str, at: str | None = None) -> None:
        self.lines.append(json.dumps(asks(at=at or self.now, id=id)).encode())

    def later(self, days: int) -> None:
        self.clock.later(days=days)

    def govern(self, policy: bytes) -> None:
        self.policy = policy

    def closed(self) -> list[str]:
        self.count += 1
        self.asks(f"at-{self.count}")
        gate = Gate(parse(self.policy, "it"), SqliteStore(self.path))
        taken: list[Any] = [gate.take(line) for line in self.lines]
        self.lines = []
        gate.commit()
        gate.store.close()
        return list(closings(gate.line_of(effect) for effects in taken for effect in effects))


def closings(lines: Any) -> Iterator[str]:
    """The requests whose scopes are said to be closed."""
    for event in map(json.loads, lines):
        if event["type"] == "gate61.scope.closed.v1":
            yield event["data"]["because"]


@pytest.mark.parametrize("kind", [OfWorker, Embedded])
def test_a_policy_forgets_no_scope_that_is_to_be_closed(kind: Callable[[Path], Told], tmp_path: Path) -> None:
    """Its limit had passed before; or passes with the policy, which shortens the window."""
    gate = kind(tmp_path)
    gate.asks("first")
    assert gate.closed() == []
    gate.later(11)
    gate.govern(policy(10, "same"))
    assert "first" in gate.closed()
    gate.asks("second")
    gate.later(7)
    assert gate.closed() == []
    gate.govern(policy(5, "shorter"))
    assert "second" in gate.closed()
    gate.later(20)
    assert "second" not in gate.closed()


@pytest.mark.parametrize("kind", [OfWorker, Embedded])
def test_no_scope_is_said_to_be_closed_again(kind: Callable[[Path], Told], tmp_path: Path) -> None:
    """By a policy that lengthens the window of some that were closed; those that were open close by the new one."""
    gate = kind(tmp_path)
    gate.asks("first")
    gate.later(8)
    gate.asks("second")
    gate.later(3)
    assert gate.closed() == ["first"]
    gate.govern(policy(20, "longer"))
    assert gate.closed() == []
    gate.later(9)
    told = gate.closed()
    assert "first" not in told and "second" not in told
    gate.later(9)
    assert "second" in gate.closed()
    gate.later(30)
    assert not {"first", "second"} & set(gate.closed())


@pytest.mark.parametrize("kind", [OfWorker, Embedded])
def test_what_a_limit_of_before_had_shut_closes_when_it_comes(kind: Callable[[Path], Told], tmp_path: Path) -> None:
    """A request that comes late, under another policy: at once and once, whoever starts again or governs since."""
    gate = kind(tmp_path)
    gate.govern(policy(1, "short"))
    assert gate.closed() == []
    then = gate.now
    gate.later(3)
    gate.closed()
    gate.govern(policy(10, "longer"))
    gate.closed()
    gate.asks("late", then)
    assert gate.closed().count("late") == 1
    gate.govern(policy(5, "between"))
    for _ in range(2):
        gate.later(20)
        assert "late" not in gate.closed()


def test_it_says_the_limit_that_had_shut_it() -> None:
    """As if the request had come in time: its notice is of when that limit passed."""
    alone = Alone()
    alone.govern(policy(1, "short"))
    alone.act(asks(at=alone.now, who="ben"))
    alone.round(alone.actions)
    then = instant(alone.now)
    alone.later(days=3)
    alone.govern(policy(10, "longer"))
    alone.act(asks(at=text(then), id="late"))
    told = [json.loads(o.value or b"") for o in alone.round(alone.actions[-1:])]
    (notice,) = [e for e in told if e["data"].get("because") == "late" and e["type"] == "gate61.scope.closed.v1"]
    scope = notice["data"]["scope"]
    assert notice["time"] == scope["hard_until"] == scope["soft_until"] == text(then + DAY)
    assert scope["opened_at"] == text(then)


def _told_under_another(starts_again: bool) -> tuple[int, list[bytes | None]]:
    """How often the store was asked for what it holds when a policy came, and all that came out since."""
    alone = Alone()
    alone.register(*REGISTER)
    alone.act(located(at=alone.now, who="ben"), asks(at=alone.now, who="ben", id="bens"))
    alone.act(*(offer(alone.now, who="ben", id=f"o{n}", offer=f"o{n}") for n in range(60)))
    alone.act(located(at=alone.now), asks(at=alone.now))
    alone.round(alone.actions)
    asked = 0

    def counted(ask: Callable[..., Any]) -> Callable[..., Any]:
        def count(*given: Any) -> Any:
            nonlocal asked
            asked += 1
            return ask(*given)

        return count

    with pytest.MonkeyPatch.context() as patched:
        for name in ("dossiers", "history"):
            patched.setattr(RedisStore, name, counted(getattr(RedisStore, name)))
        alone.govern(policy(10, "same"))
        outputs = alone.round()
    if starts_again:
        alone.restart()
    alone.register(campaign("ads", alone.now), entity("pal", "affiliate"), campaign("early", by="pal"))
    outputs += alone.round()
    while alone.partition.waits:
        outputs += alone.round()
    alone.later(days=11)
    alone.act(located("FR", "ip", alone.now))
    return asked, [output.value for output in outputs + alone.round(alone.actions[-1:])]


def test_a_policy_with_the_same_limit_recalls_nobody() -> None:
    """What is known across clients is what whoever starts under it finds, and is not asked for again."""
    asked, goes_on = _told_under_another(starts_again=False)
    _, starts_again = _told_under_another(starts_again=True)
    assert asked == 0 and goes_on == starts_again
    told = b"".join(value or b"" for value in goes_on)
    assert told.count(b"gate61.scope.closed.v1") == 2 and b"EXPOSURE" in told and b"scope.tainted" in told


def test_a_worker_closes_so_many_at_once_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those due at one instant together; whoever takes over goes on; who asks too late to be in time is closed at once."""
    monkeypatch.setattr(partition, "CLOSED_AT_ONCE", 3)
    gate = OfWorker(Path())
    at = gate.alone.now
    for n in range(5):
        gate.alone.act(asks(at=at, id=f"alike-{n}", who=f"a{n}"))
    for n in range(7):
        gate.asks(f"next-{n}")
    gate.later(11)
    found = [gate.closed(), gate.closed()]
    assert len(found[0]) == 5 and len(found[1]) == 3
    gate.alone.act(*(asks(at=at, id=f"late-{n}", who=f"l{n}") for n in range(4)))
    found += [gate.closed() for _ in range(4)]
    assert set(found[2]) >= {f"late-{n}" for n in range(4)}
    closed = [id for ids in found for id in ids]
    expected = {f"{kind}-{n}" for kind, many in (("alike", 5), ("next", 7), ("late", 4)) for n in range(many)}
    assert sorted(closed) == sorted(expected)


def test_the_clock_closes_nothing_beyond_a_policy_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a change of the register that is walked: by the limit that is in force then, it is not over."""
    monkeypatch.setattr(reopening, "REOPENED_AT_ONCE", 1)
    alone, clients = Alone(), ("a", "b", "c")
    alone.register(*REGISTER)
    opened = instant(alone.now)
    for who in clients:
        alone.act(
            located(at=alone.now, who=who), asks(at=alone.now, who=who), offer(at=alone.now, who=who, id=f"o-{who}")
        )
    alone.round(alone.actions)
    alone.later(days=9)
    alone.register(campaign("one", at="-60 d"))
    alone.govern(policy(12, "longer"))

    def closed(days: int) -> list[str]:
        return [id for _ in range(5) for id in closings(o.value or b"" for o in alone.round(now=opened + days * DAY))]

    assert closed(11) == [] and not alone.partition.waits
    assert len(closed(13)) == len(clients)


async def test_the_clock_closes_nothing_before_policies_are_read_to_their_end() -> None:
    """As where the worker was away when the policy came, or reads that log more slowly than others."""
    world = World(Random(1), 0.0)
    world.clock = BEGUN * 1000
    world.append(POLICY, 0, None, DEFAULT.read_bytes())
    world.append(ACTIONS, 0, b"anna", json.dumps(asks(at=text(world.clock), id="his")).encode(), (CONTENT_TYPE,))
    followed = Followed()
    followed.add(Log.POLICY, world.logs[POLICY, 0][0])
    store = RedisStore(world.redis, "t:0")  # type: ignore[arg-type]
    running = Partition(0, 1, followed, store, "0")
    loop = PartitionLoop(running, Source(world, 0), Publisher(world), Surroundings(world))

    def closed() -> list[str]:
        return list(closings(r.value or b"" for r in world.logs[NOTICES, 0]))

    async with going(loop):
        await until(lambda: world.logs.get((NOTICES, 0)))
        world.clock += 9 * DAY
        world.append(POLICY, 0, None, policy(12, "longer"))
        world.clock += 2 * DAY
        await rounds(world, 5)
        followed.add(Log.POLICY, world.logs[POLICY, 0][1])
        await rounds(world, 5)
        assert closed() == []
        world.clock += 2 * DAY
        await until(closed)
        await rounds(world, 5)
        assert closed() == ["his"]


def test_a_batch_says_no_more_than_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is judged with the next one: the same is said, in the same order."""

    def told(most: int) -> list[list[bytes | None]]:
        monkeypatch.setattr(partition, "OUTBOX_BYTES", most)
        alone = Alone()
        alone.register(*REGISTER)
        for n in range(20):
            alone.act(located(who=f"c{n}"), offer(at=alone.now, who=f"c{n}", id=f"o{n}", offer=f"o{n}"))
        rounds = [alone.round(alone.actions)]
        while alone.partition.waits:
            rounds.append(alone.round())
        return [[o.value for o in outputs] for outputs in rounds]

    (whole,) = told(1 << 30)
    portions = told(10_000)
    assert [value for outputs in portions for value in outputs] == whole
    assert len(portions) > 2 and all(sum(len(v or b"") for v in outputs) < 20_000 for outputs in portions)
