"""A worker's service that was not started: no broker, no Redis, and a clock that tests set."""

from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaConnectionError

from gate.facts import Instant
from gate.policy import SECOND
from streams.logs.brokers import Looker
from streams.settings import Kafka as Servers
from streams.settings import Settings
from streams.worker.here import Here
from streams.worker.metrics import Metrics
from streams.worker.service import Gatekeeper

NOWHERE = Servers(("127.0.0.1:1",))


class Clock:
    """A steady clock."""

    seconds = 0

    def steady(self) -> Instant:
        return self.seconds * SECOND


class Ending:
    """One of Kafka's clients, that ends at once."""

    async def stop(self) -> None:
        pass


class Keeper(Gatekeeper):
    """The service, as if it had met Kafka and had its partitions."""

    settings = Settings(NOWHERE, "redis://127.0.0.1:1", None, "", 2, "gate61", "w1", ("127.0.0.1", 1))
    metrics = Metrics()

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        set_clock(self._world, clock)
        self.ready = ""
        self._met = True
        self.clients = [Ending() for _ in range(4)]
        """Those that are asked whether they hear Kafka."""
        self._consumer, self._follower, self._asker, looking = self.clients
        self._looker = Looker(looking)
        self._sender: Any = Ending()


def set_clock(world: Here, clock: Clock) -> None:
    """What lasts in these surroundings is by that clock from now on."""
    world.clock.steady = clock.steady  # type: ignore[method-assign]


@dataclass
class Looping:
    """What is seen of a loop from outside."""

    trouble: Exception | None = None
    round: Instant = 0
    beat: Instant = 0
    state: str = "running"
    awaits: tuple[str, Instant] | None = None
    goes: bool = True
    judging: bool = False
    paused: bool = False


class Brokers:
    """Brokers that answer nobody, until they do."""

    def __init__(self) -> None:
        self.there = False
        self.lacking: list[str] = []
        """Topics that they do not have."""
        self.unheard: object = None
        """The client that does not hear them though they are there."""

    async def widths(self, client: object, topics: list[str]) -> dict[str, int]:
        """See `brokers.widths`."""
        if not self.there or client is self.unheard:
            raise KafkaConnectionError("no broker")
        return {topic: int(topic not in self.lacking) for topic in topics}
