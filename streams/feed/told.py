"""One event of a log, and what reads logs on from a place.

Who reads keeps the places in the same transaction as what it makes of the events: killed at any point it neither loses
nor doubles. An answer may come again after a crash of a worker, at another place with the same bytes (design section 3,
the promise): what repeats a `decision` id is dropped by who reads.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from gate.facts import Instant
from state.journal import mark_of

Kind = Literal["decision", "notice", "case", "action", "register", "rejected"]


class Told(Struct, frozen=True):
    """One event as it stands in a log: what came in, or what the gate said."""

    log: str
    """Which log: of Kafka the topic's name without the gate's prefix, a colon, the partition."""
    offset: int
    """Where it stands there; offsets of a log grow."""
    kind: Kind
    """`action` came in around a client, `register` beyond one; `rejected` could not be taken."""
    at: Instant
    """When it counts as recorded there, in microseconds since 1970."""
    event: Mapping[str, Any]
    """The CloudEvent; of a rejected one `reason`, `message`, `raw` and, where they can be read, `source`, `id`, `client`."""
    data: bytes
    """Its bytes as they stand."""

    @property
    def mark(self) -> str:
        """What it is known by beside its place: kept with that, it tells whether a log is still the one that was read."""
        return mark_of(self.data)


class SourceHealth(Struct, frozen=True):
    """How it is with one source of events."""

    name: str
    reachable: bool
    behind: int
    """Events that are there and not read yet."""
    last: Instant | None
    """When the latest event that was read was recorded."""
    said: str
    """For people: what is wrong, or that nothing is."""


class FeedTrouble(Exception):
    """The source cannot be read now; asked again later it goes on where it was. Says what to look at."""


class Feed(Protocol):
    """Logs that are read on."""

    async def start(
        self, positions: Mapping[str, int], marks: Mapping[str, str] = {}, times: Mapping[str, Instant] = {}
    ) -> None:
        """Read on from these offsets by log; a log that is not named is read from its first event.

        `marks` are those of the events that were read last. Where a log holds no such event before that offset, `next`
        raises `FeedTrouble`; a log without one is the one that is found.
        `times` are those at which they count as recorded; what comes next counts as no earlier.
        """

    async def ends(self) -> Mapping[str, int]:
        """By log, the offset after its last event, asked now. Raises `FeedTrouble`."""

    async def next(self, seconds: float) -> Sequence[Told]:
        """What comes next, in order within a log; empty if nothing came in that time. Raises `FeedTrouble`."""

    async def health(self) -> Sequence[SourceHealth]:
        """How it is with the sources, asked now; never raises."""

    async def close(self) -> None:
        """Let go."""
