"""Changes of the register that reach back: clients are judged again in portions, in the order of what changed."""

import asyncio
from collections.abc import Iterable

import pytest

from streams.policy_file import DEFAULT
from streams.worker import partition, reopening
from streams.worker.outputs import DECISIONS, Output
from tests.promises.test_concern import BUSY
from tests.simulation.alone import Alone
from tests.simulation.dense import dense
from tests.simulation.run import PARTITIONS, plan, simulate
from tests.simulation.test_rebuilding import _kept, _rebuilt
from tests.simulation.test_simulation import FAULTS, _by_id, _published
from tests.simulation.world import Record, World
from tests.stories.telling import REGISTER, asset, campaign, clean_client, located, offer

CLIENTS = 30


def with_clients() -> Alone:
    """Many clients who were told that an offer may be sent to them."""
    alone = Alone()
    alone.register(*REGISTER)
    for n in range(CLIENTS):
        who = f"c{n}"
        events = [e for e in clean_client(who) if e not in REGISTER]
        alone.act(*events, offer(who=who, id=f"offer-{n}"))
    alone.round(alone.actions)
    return alone


def answers(outputs: Iterable[Output]) -> list[bytes]:
    return [o.value or b"" for o in outputs if o.topic == DECISIONS]


def test_several_changes_one_after_the_other_are_never_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come at once: all of a batch is one write, and Redis does not take any length."""
    monkeypatch.setattr(reopening, "REOPENED_AT_ONCE", 7)
    alone = with_clients()
    alone.register(campaign("one"), campaign("two", at="-50 d"), campaign("three", at="-40 d"))
    alone.act(located("CH", who="c3"))
    rounds = [alone.round(alone.actions[-1:])]
    while alone.partition.waits:
        rounds.append(alone.round())
    told = [answers(outputs) for outputs in rounds]
    assert max(map(len, told)) <= 7 and sum(map(len, told)) == CLIENTS
    assert len(rounds) >= 3 * CLIENTS // 7
    assert alone.partition.place[:4] == (1, len(REGISTER) + 3, 0, len(alone.actions))


def test_clients_with_many_answers_are_fewer_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reopening, "TOLD_AT_ONCE", 10)
    alone = with_clients()
    alone.register(campaign("one"))
    told = [len(alone.round()) for _ in range(CLIENTS)]
    assert max(told) <= 12 and sum(map(bool, told)) > 5 and not alone.partition.waits


def test_a_batch_ends_once_judging_has_taken_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One record and one client at least; in the end the same is said, and the same is kept."""

    def told(seconds: float) -> tuple[list[int], list[bytes], dict[bytes, object]]:
        monkeypatch.setattr(partition, "JUDGED_SECONDS", seconds)
        alone = with_clients()
        while alone.partition.waits:
            alone.round()
        alone.register(campaign("one"))
        late = [located("FR", who=f"c{n}", at="-2 h") | {"id": f"late-{n}"} for n in range(CLIENTS)]
        alone.act(*late)
        rounds = [alone.round(alone.actions[-CLIENTS:])]
        while alone.partition.waits:
            rounds.append(alone.round())
        said = sorted(value for outputs in rounds for value in answers(outputs))
        kept = {key: value for key, value in alone.redis.data.items() if not key.endswith((b"meta", b"outbox"))}
        return [len(answers(outputs)) for outputs in rounds], said, kept

    (whole, *answered), portions = told(float("inf")), told(0.0)
    assert len(whole) == 1 and len(portions[0]) > CLIENTS // 2 and max(portions[0]) <= 4
    assert answered == [*portions[1:]]


@pytest.mark.parametrize(("bound", "seeds"), [("clients", 40), ("seconds", 10)])
def test_portions_change_no_byte(monkeypatch: pytest.MonkeyPatch, bound: str, seeds: int) -> None:
    """Not where workers crash between them either; and state made anew is the same."""
    if bound == "clients":
        monkeypatch.setattr(reopening, "REOPENED_AT_ONCE", 1)
    else:
        monkeypatch.setattr(partition, "JUDGED_SECONDS", 0.0)
    for seed in range(seeds):
        planned, said = plan([e for e in dense(seed) if e["type"] != "gate61.client.merged.v1"])
        world: World = asyncio.run(simulate(seed, planned, FAULTS if seed % 4 else 0.0))
        assert _published(world, DECISIONS) == _by_id(said, "gate61.offer"), f"seed {seed}"
        for number in range(PARTITIONS):
            made = _rebuilt(world, number)._redis.data
            assert _kept(made, number, True) == _kept(world.redis.data, number, True), f"seed {seed}"


def test_who_is_not_concerned_is_told_nothing_whoever_has_just_started() -> None:
    """A policy came since he was answered: what he would be told by it does not depend on what is kept in memory."""

    def told(restarts: bool) -> tuple[list[bytes | None], dict[bytes, object]]:
        alone = Alone()
        alone.register(*REGISTER)
        alone.act(*(event for event in BUSY if event not in REGISTER))
        outputs = alone.round(alone.actions)
        alone.govern(
            DEFAULT.read_bytes()
            .replace(b"soft_hours = 24", b"soft_hours = 0")
            .replace(b'version = "', b'version = "x-')
        )
        for coin, since in (("one", "2 h + 40 s"), ("two", "-1 d")):
            alone.register(asset(coin, at=since))
            outputs += alone.round()
            while alone.partition.waits:
                outputs += alone.round()
            if restarts:
                alone.restart()
        return [o.value for o in outputs], {k: v for k, v in alone.redis.data.items() if not k.endswith(b"meta")}

    assert told(restarts=True) == told(restarts=False)


def test_how_far_a_partition_looked_never_goes_back() -> None:
    """Behind the last record stands a transaction's mark; then something waits for the register's change to be walked."""
    alone = with_clients()
    of_clients, seen = alone.partition, list[int]()

    def batch(read: list[Record], upto: int) -> None:
        of_clients.read(read, upto, [], 0)
        of_clients.recall()
        of_clients.remember(of_clients.work([alone._governed, alone._registered, 0, upto], 0))
        seen.append(int(alone.store.noted("looked") or b""))

    end = len(alone.actions)
    batch([], end + 1)
    alone.register(campaign("one"), campaign("two", at="-50 d"))
    alone.act(located("CH", who="c3"))
    alone.actions[-1] = alone.actions[-1]._replace(offset=end + 1)
    for read in (alone.actions[-1:], [], [], [], [], []):
        batch(read, end + 2)
    assert seen == sorted(seen) and seen[0] == end + 1 and seen[-1] == end + 2
