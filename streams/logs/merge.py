"""Several logs as one, in the order of append times: the same order whoever reads them, whenever.

At one time a policy comes before the register, the register before messages between merged clients, and those before
what happens around a client (design section 3). A record waits until every log has been read as far as it reached
when the record was already there: what is appended later has a later time.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from gate.facts import Instant


class Log(IntEnum):
    """The logs of one partition, in their order at equal times."""

    POLICY = 0
    REGISTER = 1
    BETWEEN = 2
    ACTIONS = 3


_ORDER: Final = tuple(range(len(Log)))


CALLED: Final = {
    Log.POLICY: "of policies",
    Log.REGISTER: "of the register",
    Log.BETWEEN: "between merged clients",
    Log.ACTIONS: "of what happens around clients",
}
"""How people are told which log it is: "the log …"."""


class Arrival(NamedTuple):
    """One record of a log. `at` is its append time, never before that of the record before it."""

    at: Instant
    log: Log
    offset: int
    record: Any
    """As it came; kept for what cannot be taken."""
    event: Any
    """What it says."""


Ends = Sequence[int]
"""By log: the offset after its last record, as asked when all arrivals were there."""


class Merge:
    """The arrivals of one partition that wait for their turn."""

    def __init__(self, read: Sequence[int]) -> None:
        """`read` is, by log, the offset after the last record that was added or that is not wanted."""
        self.read = list(read)
        self._waiting: tuple[deque[Arrival], ...] = tuple(deque() for _ in Log)

    def add(self, arrivals: Sequence[Arrival], read: int, log: Log) -> None:
        """Take what was read of a log, which is read up to there now."""
        self._waiting[log].extend(arrivals)
        self.read[log] = read

    def waits(self) -> bool:
        """Whether anything waits."""
        return any(self._waiting)

    def holds(self, log: Log) -> bool:
        """Whether something of that log waits."""
        return bool(self._waiting[log])

    def first(self, log: Log) -> Arrival | None:
        """What waits of that log and came before all else of it."""
        waiting = self._waiting[log]
        return waiting[0] if waiting else None

    def missing(self, ends: Ends) -> list[Log]:
        """The logs that everything waits for: nothing of them waits, and they are not read to their ends."""
        return [log for log in Log if not self._waiting[log] and self.read[log] < ends[log]]

    def next(self, ends: Ends) -> Arrival | None:
        """The earliest arrival if it is certain that nothing earlier can come; it goes on waiting."""
        earliest = None
        for log in _ORDER:
            waiting = self._waiting[log]
            if not waiting:
                if self.read[log] < ends[log]:
                    return None
            elif earliest is None or waiting[0].at < earliest.at:
                earliest = waiting[0]
        return earliest

    def within(self, bounds: Ends, last: int | None = None) -> Arrival | None:
        """The earliest arrival before offsets by log, once all of them up to there are read or one of each waits.

        Of the log `last`, if one is named, the record before its offset has its turn after all others.
        """
        earliest = None
        for log in _ORDER:
            waiting = self._waiting[log]
            if not waiting:
                if self.read[log] < bounds[log]:
                    return None
            elif waiting[0].offset < bounds[log] - (log == last) and (earliest is None or waiting[0].at < earliest.at):
                earliest = waiting[0]
        if earliest is not None or last is None:
            return earliest
        waiting = self._waiting[last]
        return waiting[0] if waiting and waiting[0].offset < bounds[last] else None

    def drop(self, arrival: Arrival) -> None:
        """It had its turn."""
        self._waiting[arrival.log].popleft()

    def understand_again(self, log: Log, understood: Callable[[Arrival], Any]) -> None:
        """What waits of one log is read anew."""
        waiting = self._waiting[log]
        for place, arrival in enumerate(waiting):
            waiting[place] = Arrival(arrival.at, arrival.log, arrival.offset, arrival.record, understood(arrival))
