"""A time that its sender chose is believed by nobody who judges by it."""

from typing import Any

import pytest

from state.redis.store import RedisStore
from streams.logs.following import Followed
from streams.logs.lost import LogLost
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.worker.partition import Partition
from tests.simulation.alone import Alone
from tests.simulation.world import FakeRedis, Record
from tests.stories.telling import question

CHOSEN = 0
"""The type of such a time."""


def _record(topic: str, value: bytes, kind: int = 1) -> Record:
    return Record(topic, 0, 0, 1, b"anna", value, (), kind)


@pytest.mark.parametrize("log", [Log.POLICY, Log.REGISTER])
def test_of_register_and_policies_whoever_reads_them(log: Log) -> None:
    """The worker, `gate61 rebuild` and the synchronous question take them by the same door."""
    with pytest.raises(LogLost, match="`one of them` has a time that its sender chose, at offset 0"):
        Followed().add(log, _record("one of them", DEFAULT.read_bytes(), CHOSEN))


@pytest.mark.parametrize("log", [Log.BETWEEN, Log.ACTIONS])
def test_of_what_a_partition_takes_whoever_reads_it(log: Log) -> None:
    """Nothing of such a batch is taken."""
    followed = Followed()
    followed.add(Log.POLICY, _record("policies", DEFAULT.read_bytes()))
    partition = Partition(0, 1, followed, RedisStore(FakeRedis(), "t:0"), "0")  # type: ignore[arg-type]
    partition.assume("this")
    assert partition.open()
    both: list[list[Record]] = [[], []]
    both[log is Log.BETWEEN] = [_record("clients", b"{}"), _record("clients", b"{}", CHOSEN)]
    with pytest.raises(LogLost, match="`clients` has a time that its sender chose"):
        partition.read(both[0], 2, both[1], 2)
    assert not partition.waits


def test_the_past_of_a_client_that_comes_late_is_held_against_his_history_once_a_batch() -> None:
    """It may have come before, longer ago than ids are looked up; each event by itself would take the square of it."""

    class Counted(FakeRedis):
        asked = 0

        def lrange(self, key: Any, first: int, last: int) -> list[bytes]:
            self.asked += 1
            return super().lrange(key, first, last)

    redis = Counted()
    alone = Alone(redis=redis)
    past = [question(f"{n} min", id=f"q{n}") for n in range(50)]
    alone.act(*past[:25])
    alone.round(alone.actions)
    alone.later(weeks=5)
    changed = question("7 min", id="q8")
    alone.act(question(id="now"), *past, changed)
    before = redis.asked
    told = alone.round(alone.actions[25:])
    assert redis.asked == before + 1
    counts = alone.partition.counts
    assert (counts["taken", ""], counts["repeated", ""], counts["rejected", "ID_REUSED"]) == (51, 25, 1)
    assert len(told) == 1
