"""A topic followed as it grows, all partitions, without a group. Trouble with Kafka is waited out; it is said by `tell`.

Records of a partition come in their order; those of several partitions come mixed.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import attrgetter
from time import monotonic, sleep
from typing import Any, Final, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, KafkaError, LogTruncationError, OffsetOutOfRangeError

from gate.facts import Instant
from gate.policy import MILLISECOND
from streams.kafka.connection import Overheard
from streams.kafka.reading import partitions
from streams.watch.views import Remark, Tell

ASKED_SECONDS: Final = 5.0
"""After so long a silence Kafka is asked whether it is there."""
ANSWER_MILLISECONDS: Final = 2_000
DEAF_SECONDS: Final = 60.0
"""After so long without an answer another consumer is made: one that knows only brokers that are gone hears none again."""
CLOSE_MILLISECONDS: Final = 1_000
T = TypeVar("T")


class Tail:
    """Where the reading has come to."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        topic: str,
        tell: Tell,
        another: Callable[[], KafkaConsumer],
    ) -> None:
        """`another` makes a consumer in place of one that hears nothing any more, or raises `KafkaError`."""
        self._consumer = consumer
        self._topic = topic
        self._tell = tell
        self._another = another
        self._heard_of = Overheard()
        self._trouble = False
        self._since = 0.0
        """When trouble began, or another consumer was last looked for."""
        self._heard = monotonic()
        self._places: list[TopicPartition] = []
        self._next: dict[TopicPartition, int] = {}
        self._there: dict[TopicPartition, int] = {}
        """Where the log ended when the reading began."""

    def begin(self, since: Instant | None, from_start: bool = False) -> None:
        """Read from a time on, from the first record there is, or (None) what comes from now on.

        Raises `NotRead`, `KafkaError`.
        """
        places, limit = partitions(self._consumer, self._topic), ANSWER_MILLISECONDS
        self._places = places
        self._there = self._patiently(lambda: self._consumer.end_offsets(places, limit))
        self._next = dict(self._there)
        if from_start:
            self._next = self._patiently(lambda: self._consumer.beginning_offsets(places, limit))
        if since is not None:
            asked = dict.fromkeys(places, max(0, since // MILLISECOND))
            found = self._patiently(lambda: self._consumer.offsets_for_times(dict(asked), limit))
            self._next |= {place: at.offset for place, at in found.items() if at is not None}
        self._go_there()

    def close(self) -> None:
        """Let go."""
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_MILLISECONDS)

    def _go_there(self) -> None:
        """Have the consumer read on where the reading has come to."""
        self._consumer.assign(self._places)
        for place, offset in self._next.items():
            self._consumer.seek(place, offset)

    def caught_up(self) -> bool:
        """Whether all was read that was there when the reading began."""
        at = {place: self._consumer.position(place, ANSWER_MILLISECONDS) for place in self._there}
        return all((at[place] or 0) >= end for place, end in self._there.items())

    def poll(self, seconds: float) -> list[Any]:
        """What has come, by the time of its publishing; empty after so many seconds. Raises `KafkaError` for no rights."""
        try:
            found = self._consumer.poll(int(seconds * 1000))
            if found:
                self._over()
            elif monotonic() - self._heard > ASKED_SECONDS:
                self._consumer.end_offsets(self._places, ANSWER_MILLISECONDS)
                self._over()
        except LogTruncationError as error:
            self._go_on({place: at.offset for place, at in error.divergent_offsets.items() if at is not None})
            return []
        except OffsetOutOfRangeError:
            self._go_on({})
            return []
        except KafkaError as error:
            self._suffer(error)
            return []
        for place, records in found.items():
            self._next[place] = records[-1].offset + 1
        return sorted((r for records in found.values() for r in records), key=attrgetter("timestamp"))

    def _go_on(self, same: Mapping[TopicPartition, int]) -> None:
        """Records were removed before they were read, or a broker lost its last ones.

        `same` is by partition up to where the log is the one that was read: what it has behind that has not been seen.
        """
        places, limit = self._places, ANSWER_MILLISECONDS
        first = self._patiently(lambda: self._consumer.beginning_offsets(places, limit))
        end = self._patiently(lambda: self._consumer.end_offsets(places, limit))
        for place in places:
            there = min(max(same.get(place, self._next[place]), first[place]), end[place])
            if there != self._next[place]:
                gone = f"partition {place.partition} has no record {self._next[place]} any more; going on at {there}"
                self._tell(Remark(gone))
                self._next[place] = there
            self._consumer.seek(place, there)

    def _patiently(self, ask: Callable[[], T]) -> T:
        while True:
            try:
                found = ask()
            except KafkaError as error:
                self._suffer(error)
                sleep(0.5)
            else:
                self._over()
                return found

    def _suffer(self, error: KafkaError) -> None:
        """Wait, unless waiting does not help."""
        if isinstance(error, AuthorizationError):
            raise error
        self._heard = monotonic()
        if not self._trouble:
            self._trouble, self._since = True, monotonic()
            why, do = self._heard_of.why(error)
            self._tell(f"Kafka does not answer ({why}); waiting, nothing is lost{'; ' if do else ''}{do}")
        elif monotonic() - self._since > DEAF_SECONDS:
            self._since = monotonic()
            self._listen_anew()

    def _listen_anew(self) -> None:
        """Read on by another consumer, if there is a broker for it."""
        with suppress(KafkaError):
            consumer = self._another()
            self.close()
            self._consumer = consumer
            if self._next:
                self._go_there()

    def _over(self) -> None:
        self._heard = monotonic()
        if self._trouble:
            self._trouble = False
            self._tell(None)
