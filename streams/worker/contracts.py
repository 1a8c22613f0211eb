"""What the loop of a partition asks of the world: logs to read, a way out, and clocks, threads and somebody to tell.

Kafka and a process behind it (`kafka`, `publishing`, `here`), or doubles in memory, with the same contract.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from gate.facts import Instant
from streams.logs.merge import Ends, Log
from streams.worker.outputs import Output
from streams.worker.pins import Pin
from streams.worker.progress import Came

T = TypeVar("T")


class Bounds(NamedTuple):
    """The offsets that a topic's partition still has: the first, and the one after the last."""

    first: int
    end: int


class Fetched(NamedTuple):
    """Records of one log in the order of offsets, and the offset after what was looked at."""

    records: Sequence[Any]
    read: int


class Answered(NamedTuple):
    """The offset after the last published answer, and what those beyond some place were given on."""

    end: int
    pins: Sequence[Pin]
    """In order."""


class Source(Protocol):
    """The logs of one partition."""

    async def kafka(self) -> str:
        """The id of the Kafka cluster that has them; empty if it says none."""

    async def bounds(self) -> Sequence[Bounds]:
        """By `Log`; raises if the partition is not ours."""

    async def came(self, actions: int, between: int) -> tuple[Came | None, Came | None]:
        """What stands at these offsets; None where none is asked for, or none is left to be had.

        Both offsets are within the bounds, or negative, which asks for none. From then on what is read follows on these
        records. Raises `LogLost` where others stand there.
        """

    async def answered(self, place: Sequence[int], since: int) -> Answered:
        """What published answers beyond that place were given on; `since` is the offset to look from.

        Raises `LogLost` where that is gone.
        """

    async def seek(self, actions: int, between: int) -> None:
        """Read on from there; what was fetched before is dropped."""

    async def read(self, seconds: float, wanted: Collection[Log]) -> tuple[Fetched, Fetched]:
        """The next records of both, as soon as there are some of those wanted; of what is not, none.

        Raises `LogLost` where they do not follow on what was read before, see `streams.logs.standing`.
        """

    async def ends(self) -> Ends:
        """By `Log`: the offset after the last record, asked now, and a millisecond or more after the last `read` ended.

        So whatever is appended after this was asked has a later append time than all that was read, in milliseconds.
        Raises `LogLost` if register or policies do not hold what was read of them.
        """

    async def acknowledge(self, actions: int, between: int, at_once: bool = False) -> None:
        """Tell lag tools, now and then if not at once; may fail without harm."""


class Publisher(Protocol):
    """Where outputs go."""

    async def publish(self, outputs: Sequence[Output]) -> int | None:
        """Send and await that all are kept, in this order within a partition; raises if one is not.

        Returns the offset after the last answer, None if there was none or it is not known.
        """


class Surroundings(Protocol):
    """What the loop needs of the world: clocks, threads, and somebody to tell."""

    def now(self) -> Instant:
        """The time by which windows close."""

    def steady(self) -> Instant:
        """Microseconds of a clock that nobody sets: how long something takes is the difference of two of these."""

    async def sleep(self, seconds: float, stopped: asyncio.Event) -> None:
        """Wait; not longer than until somebody stops the loop."""

    def held(self) -> str:
        """Why nothing may be decided now, whatever works; empty if nothing is wrong."""

    async def apart(self, work: Callable[..., T], *given: Any) -> T:
        """Do what keeps a processor busy without holding up whoever only waits."""

    async def aside(self, work: Callable[..., T], *given: Any) -> T:
        """Do what mostly waits, for Redis, without holding up other partitions."""

    def said(self, error: Exception) -> str:
        """An error for people: with what it is about, and what to do where that is known."""

    def say(self, partition: int, what: str, **details: object) -> None:
        """Tell people and their tools."""
