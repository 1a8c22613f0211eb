"""How the partitions of a worker go round: who does not get on is said, and is started again only where that helps."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from kafka import TopicPartition
from redis import Redis

from gate.policy import SECOND
from streams.kafka.topics import topics
from streams.worker.here import Here
from streams.worker.kafka_watch import KafkaWatch
from streams.worker.loop import PartitionLoop
from streams.worker.rounds import Rounds
from streams.worker.service import Gatekeeper, harmless
from tests.worker.keeper import NOWHERE, Clock, Keeper, Looping


async def test_a_worker_between_partitions_is_not_ready(keeper: Keeper) -> None:
    """It has nothing to be in trouble with, and decides nothing; one that was given none stands by."""
    await keeper.on_partitions_assigned([])
    assert keeper.trouble() == []
    await keeper.on_partitions_revoked([])
    assert "waiting for the group" in keeper.trouble()[0]


def test_what_is_there_and_does_not_come_is_said(rounds: Rounds, loops: dict[int, Looping], clock: Clock) -> None:
    """A transaction that somebody left open in the log of what happens around clients holds it back, without an error."""
    loops[1] = loop = Looping()
    for seconds, looked, said in (
        (0, 5, False),
        (25, 5, False),
        (31, 6, False),
        (61, 6, False),
        (62, 6, True),
        (63, 9, False),
    ):
        clock.seconds, loop.beat = seconds, seconds * SECOND
        rounds.saw(1, looked, 9)
        assert bool(rounds.trouble()) is said, seconds
        if said:
            assert "nothing more of `gate61.client-actions.v1:1` could be read for 31 s" in rounds.trouble()[0]
            assert "transaction" in rounds.trouble()[0] and "see that all brokers run" in rounds.trouble()[0]


def test_what_a_loop_waits_for_is_said_and_no_transaction_of_somebodys(
    rounds: Rounds, loops: dict[int, Looping], clock: Clock
) -> None:
    """It reads nothing while it publishes to a topic that does not take it; nor is it ready then."""
    loops[1] = loop = Looping(awaits=("to keep what it publishes", 0))
    for clock.seconds in range(0, 100, 5):
        rounds.saw(1, 5, 9)
        said = f"partition 1 has waited for {clock.seconds} s for Kafka to keep what it publishes; see `gate61 doctor`"
        assert rounds.trouble() == ([said] if clock.seconds > 5 else [])
    loop.awaits = None
    for clock.seconds in range(100, 125, 5):  # It goes on, and what it has not read yet may come at once.
        loop.beat = clock.seconds * SECOND
        assert rounds.trouble() == []
        rounds.saw(1, 5, 9)


def test_who_gets_nothing_done_though_kafka_answers_is_started_again(
    rounds: Rounds, loops: dict[int, Looping], clock: Clock
) -> None:
    """Not where Kafka is away, where Redis is the trouble, or where other partitions go on: another process would not help."""
    then, now = 600 * SECOND, 1_000 * SECOND
    clock.seconds = 1_000
    stuck, busy = Looping(KafkaError("no"), then, now, "waiting"), Looping(None, now, now)
    for found, heard, hangs in (
        ([stuck, stuck], 1, True),
        ([stuck, stuck], 500, False),
        ([stuck, busy], 1, False),
        ([stuck, replace(stuck, trouble=OSError("Redis"))], 1, False),
        ([replace(stuck, round=now)], 1, False),
        ([], 1, False),
    ):
        loops.clear()
        loops.update(enumerate(found))
        assert bool(rounds.hanging(now - heard * SECOND)) is hangs, (found, heard)


class Follower:
    """Hears of the register, or not; what it says of when is by a clock of its own."""

    polled = 0

    def last_poll_timestamp(self, place: TopicPartition) -> int:
        return self.polled


async def test_who_waits_for_kafka_is_left_alone_while_that_is_away(keeper: Keeper, clock: Clock) -> None:
    """Another process would wait as well; where Kafka answers, one that waits for minutes is started again."""
    loop = Looping(awaits=("to keep what it publishes", 0))
    keeper.loops[0] = loop  # type: ignore[assignment]
    for seconds, hangs in ((65, False), (299, False), (301, True)):
        clock.seconds = seconds
        assert bool(keeper.hanging()) is hangs, seconds
    await keeper._kafka_watch.missed(TimeoutError())
    clock.seconds = 3_600
    assert keeper.hanging() == [] and keeper.trouble() != []
    loop.awaits = None
    assert keeper.hanging() != [], "what waits for nothing hangs"


def test_kafka_was_heard_when_its_client_last_said_something_new(world: Here, clock: Clock) -> None:
    """By the clock that nobody sets, whatever the client's says."""
    watch, follower = KafkaWatch(NOWHERE, topics(""), world), Follower()
    for clock.seconds, follower.polled, heard in ((10, 0, 0), (20, 7, 20), (30, 7, 20), (40, 3, 40)):
        watch.hear(follower)
        assert watch.heard == heard * SECOND, clock.seconds


async def test_who_is_busy_judging_is_not_ready_and_is_left_alone(
    rounds: Rounds, loops: dict[int, Looping], world: Here, clock: Clock
) -> None:
    """Unless it is the same for minutes: what hangs is started again, also where its last trouble is not over."""
    busy = Looping(judging=True)
    others = replace(busy, judging=False), replace(busy, judging=False, state="waiting: KafkaError")
    apart = replace(busy, goes=False), replace(busy, judging=False, state="paused", paused=True)
    loops.update(enumerate((busy, *others, *apart)))

    async def judged(seconds: int) -> tuple[list[str], list[str]]:
        """What is said after so long of one partition's judging, in which the others wait for it."""

        def judge() -> tuple[list[str], list[str]]:
            clock.seconds += seconds
            return rounds.trouble(), rounds.hanging(world.steady())

        return await world.apart(judge)

    ready, alive = await judged(12)
    assert ready[:2] == [
        "partition 0 is still judging what it took 12 s ago",
        "partition 1 has not gone round for 12 s",
    ]
    assert alive == [] and not any("partition 3" in said for said in ready)
    _, alive = await judged(100)
    assert alive == [f"partition {n} has not gone round for 112 s" for n in (1, 2)]
    _, alive = await judged(301)
    assert alive == [f"partition {n} has not gone round for 413 s" for n in (0, 1, 2)]
    assert world.at_it == 0


async def test_a_timer_that_fails_says_so_and_goes_on(keeper: Keeper, capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(keeper: Gatekeeper) -> None:
        raise AttributeError("it has no place")

    await harmless(broken)(keeper)
    assert "timer failed" in capsys.readouterr().out


async def test_a_loop_that_ends_by_itself_ends_the_worker(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would judge its partition any more, and nothing would say so."""

    async def broken(loop: PartitionLoop) -> None:
        raise AssertionError("nothing catches this")

    monkeypatch.setattr(PartitionLoop, "run", broken)
    one: Any = Redis()
    absent: Any = None
    keeper._partitions, keeper._redis, keeper._standing = 2, one, absent
    keeper._run(0)
    await asyncio.wait_for(keeper._running[0], 5)
    assert keeper.crashed
