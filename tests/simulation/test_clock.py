"""Windows close by the earlier of two clocks: what is said to be closed is said for good."""

from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from gate.policy import SECOND
from streams.worker.clock import Clock


class Machine:
    """A machine's two clocks in seconds, and a Redis elsewhere."""

    def __init__(self) -> None:
        self.set, self.passed, self.redis = 1_000_000.0, 50.0, 1_000_000.0
        self.mute = False
        self.clock = Clock(lambda: self.set, lambda: self.passed)

    def time(self) -> tuple[int, int]:
        if self.mute:
            raise NoPermissionError("no permissions to run the 'time' command")
        return int(self.redis), int(self.redis % 1 * 1e6)

    def later(self, seconds: float) -> None:
        self.set, self.passed, self.redis = self.set + seconds, self.passed + seconds, self.redis + seconds

    @property
    def now(self) -> float:
        return self.clock.now() / SECOND


@pytest.mark.parametrize(
    ("ahead", "by"),
    [(0, 0), (59.0, 59.0), (61.0, 0), (86_400.0, 0), (-86_400.0, -86_400.0)],
)
def test_the_earlier_clock_counts_where_they_differ(ahead: float, by: float) -> None:
    """By more than a minute. Redis' clock goes on with whatever time passes until it is asked again."""
    machine = Machine()
    machine.set += ahead
    machine.clock.ask(machine)
    assert machine.now == machine.redis + by
    machine.later(30.0)
    assert machine.now == machine.redis + by
    assert bool(machine.clock.ahead) is (ahead > 60)


def test_a_clock_that_is_set_ahead_closes_nothing_until_redis_is_asked_again() -> None:
    """Nor afterwards; where both are set ahead, it is that time."""
    machine = Machine()
    machine.clock.ask(machine)
    machine.set += 86_400
    assert machine.now == machine.redis
    machine.clock.ask(machine)
    assert machine.now == machine.redis
    machine.redis += 86_400
    machine.clock.ask(machine)
    assert machine.now == machine.set == machine.redis


def test_where_redis_does_not_say_what_time_it_is_the_machines_clock_counts() -> None:
    machine: Any = Machine()
    assert machine.now == machine.set
    machine.set += 86_400
    machine.clock.ask(machine)
    machine.mute = True
    machine.clock.ask(machine)
    assert machine.now == machine.set
