"""The register and the policies, as their one-partition topics say: every worker reads both from the start.

The topics are the truth; each partition of the worker applies them in the order of append times (`streams.logs.merge`)
and stores only how far it did.
"""

from bisect import bisect_left
from threading import Lock
from typing import Any

from gate.facts import OF_REGISTER, Fact, Instant
from gate.policy import Policy
from streams.border.wire import Rejected, reused, understood
from streams.kafka.record import read_record
from streams.logs.lost import goes_not_on
from streams.logs.merge import Arrival, Log
from streams.logs.taking import Clamped
from streams.policy_file import PolicyRefused, parse


class Followed:
    """Both logs, whole, in the order of their offsets; shared by all partitions of a worker."""

    def __init__(self) -> None:
        self.policies: list[Arrival] = []
        self.register: list[Arrival] = []
        self.read = [0, 0]
        """By `Log.POLICY` and `Log.REGISTER`: the offset after the last record read."""
        self.tolerance: Instant = 0
        """By how much an event's time may ever have been ahead of when it was recorded."""
        self._clamped = Clamped[Log]()
        self._events: list[Fact | Rejected | None] = []
        self._places: dict[int, int] = {}
        self._contents: dict[bytes, bytes] = {}
        self._lock = Lock()

    def add(self, log: Log, record: Any) -> None:
        """Take the next record of one of the logs.

        Raises `LogLost` for one from before what was read, or whose time is not the broker's.
        """
        if record.offset < self.read[log]:
            raise goes_not_on(record.topic, self.read[log])
        arrivals = self.policies if log is Log.POLICY else self.register
        at = self._clamped.appended(log, record)
        event = _policy(record) if log is Log.POLICY else None
        if isinstance(event, Policy):
            self.tolerance = max(self.tolerance, event.clock_tolerance)
        if log is Log.REGISTER:
            self._places[record.offset] = len(arrivals)
        arrivals.append(Arrival(at, log, record.offset, record, event))
        self.read[log] = record.offset + 1

    def last(self, log: Log) -> Arrival | None:
        """What was read last of a log."""
        arrivals = self.policies if log is Log.POLICY else self.register
        return arrivals[-1] if arrivals else None

    def since(self, log: Log, offset: int) -> tuple[list[Arrival], int]:
        """What was read of a log from an offset on, and the offset after it."""
        read = self.read[log]
        arrivals = self.policies if log is Log.POLICY else self.register
        first = bisect_left(arrivals, offset, key=lambda a: a.offset)
        return [a for a in arrivals[first:] if a.offset < read], max(read, offset)

    def policy_at(self, at: Instant) -> Policy | None:
        """The policy in force at an append time: the latest until then, else the first ever; None if there is none."""
        usable = [a for a in self.policies if isinstance(a.event, Policy)]
        until = [a for a in usable if a.at <= at]
        found = until[-1] if until else usable[0] if usable else None
        return found.event if found else None

    def fact(self, offset: int) -> Fact | Rejected | None:
        """What the register's record at that offset says; None for a repetition.

        Asked only when the policies have been read as far as that record's time.
        """
        place = self._places[offset]
        with self._lock:
            while len(self._events) <= place:
                self._events.append(self._understood(self.register[len(self._events)]))
            return self._events[place]

    def _understood(self, arrival: Arrival) -> Fact | Rejected | None:
        policy = self.policy_at(arrival.at)
        if policy is None:
            raise AssertionError("partitions wait for a policy before anything else")
        record = arrival.record
        event = read_record(record.value, None, record.headers, None, arrival.at, policy.clock_tolerance)
        said = understood(event)
        if said is not None and self._contents.get(said.key) == said.content:
            return None
        if isinstance(event, Rejected):
            return event
        if type(event.fact.said) not in OF_REGISTER:
            message = "this topic holds the register; publish what happens around a client to its own"
            return event.refused("UNKNOWN_TYPE", message)
        if event.key in self._contents:
            return reused(event)
        self._contents[event.key] = event.content
        return event.fact


def _policy(record: Any) -> Policy | Rejected:
    try:
        return parse(record.value or b"", "of the policy topic")
    except PolicyRefused as refused:
        return Rejected("BAD_FIELD", str(refused))
