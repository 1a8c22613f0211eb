"""A worker without its surroundings; every test has one of its own."""

import pytest

from streams.worker.here import Here
from streams.worker.rounds import Rounds
from tests.worker.keeper import Brokers, Clock, Keeper, Looping, set_clock


@pytest.fixture
def clock() -> Clock:
    """How long everything lasts is by this one."""
    return Clock()


@pytest.fixture
def keeper(clock: Clock) -> Keeper:
    """The service, not started."""
    return Keeper(clock)


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    """Whom the service asks for its topics; they are away."""
    found = Brokers()
    monkeypatch.setattr("streams.logs.brokers.widths", found.widths)
    return found


@pytest.fixture
def world(clock: Clock) -> Here:
    """Surroundings of loops."""
    world = Here("redis://127.0.0.1:1")
    set_clock(world, clock)
    return world


@pytest.fixture
def loops() -> dict[int, Looping]:
    """The loops of a worker, by partition."""
    return {}


@pytest.fixture
def rounds(loops: dict[int, Looping], world: Here) -> Rounds:
    """What is seen of them."""
    return Rounds(loops, world, "gate61.client-actions.v1")  # type: ignore[arg-type]
