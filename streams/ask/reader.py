"""Where the ask service has its knowledge from: one contract, over Redis and over the embedded gate."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from gate.facts import Instant
from gate.history import Record
from gate.instants import moment
from gate.known import Known
from gate.policy import SECOND, Policy
from streams.web.clock import ONE_SOURCE

T = TypeVar("T")


class ReadUpTo(Struct, frozen=True):
    """How far the stream was read when a question was answered."""

    partition: int | None
    """None for the embedded gate, which has no partitions."""
    next_offset: int | None
    """Of the partition the next record to take; of the embedded gate the number of the next event to come out."""
    recorded: Instant | None
    """When the last record that was taken was recorded; None if none was."""

    def told(self, now: Instant) -> dict[str, Any]:
        """As it stands in an answer; the age is in seconds."""
        recorded = None if self.recorded is None else moment(self.recorded)
        age = None if self.recorded is None else max(0, now - self.recorded) / SECOND
        return {
            "partition": self.partition,
            "next_offset": self.next_offset,
            "recorded_at": recorded,
            "age_seconds": age,
        }


class Seen(Struct, frozen=True):
    """What a question about one client is judged on; the dossier is a copy, used up by one judging."""

    known: Known
    policy: Policy
    read_up_to: ReadUpTo
    history: Sequence[Record] | None = None
    """Every record of the client, where it was asked for."""


Judge = Callable[[Seen], T | None]
"""Judges on what is seen; None asks for the history, and then it is called again with it."""


JudgeOf = Callable[[str], Judge[T]]
"""The same for whichever client."""


class Unreadable(Exception):
    """The state cannot be known now: nothing may be sent on it. The message says why."""


class Reader(Protocol):
    """Reads what is known; it changes nothing."""

    async def ask(self, client: str, judge: Judge[T]) -> T:
        """Judge on what is known of a client, somebody never seen having an empty dossier; or raise `Unreadable`."""

    def ask_each(self, clients: Sequence[str], judge_of: JudgeOf[T]) -> AsyncIterator[tuple[str, T | Unreadable]]:
        """The same for many different clients, as they come: those first who need no history."""

    async def ready(self) -> None:
        """Raise `Unreadable` with the reason while questions cannot be answered."""


def judged(answer: T | None) -> T:
    """An answer on the whole history; a question that asks for more than that is a mistake of ours."""
    if answer is None:
        raise AssertionError("a question with the whole history asked for more")
    return answer


def tolerated(policy: Policy) -> Instant:
    """By how much clocks may differ: what the policy tolerates of senders', and a second at least."""
    return max(policy.clock_tolerance, SECOND)


def require_clock(behind: Instant, policy: Policy) -> None:
    """Raise `Unreadable` where the clock is behind what was recorded: limits that have passed would not seem to have."""
    if behind > tolerated(policy):
        raise Unreadable(
            f"the clock of this machine is {behind / SECOND:.0f} s behind what was recorded last; {ONE_SOURCE}"
        )


def portions(clients: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """So many at a time, in order."""
    return (clients[at : at + size] for at in range(0, len(clients), size))
