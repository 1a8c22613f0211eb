"""Changes of the register that reach back: clients are judged again in portions, in the order of what changed."""

import asyncio
from collections.abc import Iterable

import pytest

from streams.worker import reopening
from streams.worker.outputs import DECISIONS, Output
from tests.simulation.alone import Alone
from tests.simulation.dense import dense
from tests.simulation.run import PARTITIONS, plan, simulate
from tests.simulation.test_rebuilding import _kept, _rebuilt
from tests.simulation.test_simulation import FAULTS, _by_id, _published
from tests.simulation.world import World
from tests.stories.telling import REGISTER, campaign, clean_client, located, offer

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


def test_portions_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where workers crash between them either; and state made anew is the same."""
    monkeypatch.setattr(reopening, "REOPENED_AT_ONCE", 1)
    for seed in range(40):
        planned, said = plan([e for e in dense(seed) if e["type"] != "gate61.client.merged.v1"])
        world: World = asyncio.run(simulate(seed, planned, FAULTS if seed % 4 else 0.0))
        assert _published(world, DECISIONS) == _by_id(said, "gate61.offer"), f"seed {seed}"
        for number in range(PARTITIONS):
            made = _rebuilt(world, number)._redis.data  # type: ignore[attr-defined]
            assert _kept(made, number, True) == _kept(world.redis.data, number, True), f"seed {seed}"
