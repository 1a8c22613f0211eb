"""Whether Kafka answers a worker's clients and has its topics: they wait for it without a word, for minutes."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from gate.facts import Instant
from gate.policy import SECOND
from streams.kafka.connection import RUNS
from streams.kafka.topics import Names, missing
from streams.logs import brokers
from streams.settings import Kafka
from streams.worker import kafka
from streams.worker.here import Here

KAFKA_SECONDS = 5.0
"""What Kafka gets to answer whoever only asks whether it is there."""
UNHEARD_SECONDS = 60
"""After so long without an answer it is looked whether Kafka answers who comes to it anew."""

log = structlog.get_logger("gate61.worker")


class KafkaWatch:
    """What is known of Kafka, asked again and again; says when it goes away, when it is back, and what it lacks."""

    def __init__(self, settings: Kafka, names: Names, world: Here) -> None:
        self._settings = settings
        self._register = TopicPartition(names.register.name, 0)
        self._topics = [t.name for t in names if t != names.clock]
        self._world = world
        self._away: tuple[Instant, str, str] | None = None
        """Since when Kafka has not answered, by the steady clock, what came instead, and what to do."""
        self._missing: list[str] = []
        """Topics that Kafka does not have."""
        self._polled = 0
        """When brokers last said something of the register, by the clock of Kafka's client."""
        self.heard: Instant = world.steady()
        """When that was seen, by the steady clock."""

    @property
    def away(self) -> bool:
        """Whether Kafka did not answer when it was asked last."""
        return self._away is not None

    async def ask(self, clients: Sequence[AIOKafkaConsumer]) -> Mapping[str, int]:
        """How many partitions each topic has; raises `KafkaError`, `TimeoutError`, `OSError` if one gets no answer."""
        async with asyncio.timeout(KAFKA_SECONDS):
            for client in clients:
                found = await brokers.widths(client, self._topics)
        return found

    def answered(self, found: Mapping[str, int]) -> None:
        """Take note of what `ask` found."""
        if self._away is not None:
            log.warning("Kafka answers again", seconds=self._seconds(self._away[0]))
        self._away = None
        lacking = [name for name, many in found.items() if not many]
        if lacking != self._missing:
            log.warning(missing(lacking) if lacking else "no topics are missing any more")
        self._missing = lacking

    async def missed(self, error: Exception) -> str:
        """Take note of what `ask` raised; why the process should end, empty if it should not.

        Kafka may answer others: clients that know none of its brokers any more would wait for ever.
        """
        silent = TimeoutError(f"no answer within {KAFKA_SECONDS:g} s")
        why, do = self._world.heard.why(silent if isinstance(error, TimeoutError) else error)
        if self._away is None:
            self._away = self._world.steady(), why, do
            log.warning("Kafka does not answer; waiting, nothing is lost", kafka=self._servers, error=why, do=do)
            return ""
        self._away = self._away[0], why, do  # The reason is often known only later.
        unheard = self._seconds(self._away[0]) > UNHEARD_SECONDS
        if unheard and await kafka.answers_anew(self._settings, self._topics, KAFKA_SECONDS):
            gone = "which may know only brokers, or a password, that are gone"
            return f"Kafka answers new connections but not this worker, {gone}; restart it"
        return ""

    def hear(self, follower: AIOKafkaConsumer) -> None:
        """Note when who follows the register heard of it last."""
        polled = follower.last_poll_timestamp(self._register) or 0
        if polled != self._polled:
            self._polled, self.heard = polled, self._world.steady()

    def trouble(self) -> list[str]:
        """What keeps Kafka from being of use; empty if nothing is known to."""
        found = []
        if self._away is not None:
            since, why, do = self._away
            found.append(
                f"Kafka at {self._servers} has not answered for {self._seconds(since)} s ({why}); {do or RUNS}"
            )
        if self._missing:
            found.append(missing(self._missing))
        return found

    @property
    def _servers(self) -> str:
        return ", ".join(self._settings.servers)

    def _seconds(self, since: Instant) -> int:
        return (self._world.steady() - since) // SECOND
