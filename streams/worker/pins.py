"""Answers that were published and that the state no longer knows of: Redis went back. They are given again as they were.

Each answer says in headers how far every log was applied when it was given, and what it was given on. Where brokers'
clocks differ, a record may have been appended later with an earlier time, or come early with a later one; judged again
in the order of times it would change places, and the same answer would say something else. So until the latest published
answer is reached, the logs are applied as far as the answers say, one after the other (design section 3, assignment).
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gate.facts import Instant
from streams.logs.lost import LogLost
from streams.logs.merge import CALLED, Log

HEADER: Final = "gate61.read"
"""Header of an answer: by `Log`, the offset after what was applied when it was given, with dots between."""
APPENDED: Final = "gate61.appended"
"""Header of an answer: by `Log`, when the last record that was applied was appended, in microseconds since 1970."""
CAUSE: Final = "gate61.input"
"""Header of an answer: the record that it was given on, `PARTITION:OFFSET` or the log and the offset."""

Headers = Sequence[tuple[str, bytes | None]]
_LOGS: Final = {log.name.lower().encode(): log for log in Log}


class Pin(NamedTuple):
    """How far the logs are applied, by `Log` the offset after what is, and of which of them the last record was."""

    policy: int
    register: int
    between: int
    actions: int
    last: int = Log.ACTIONS


class Reach(NamedTuple):
    """How far the logs were applied, and to what records: what an answer says of both."""

    read: tuple[int, int, int, int]
    """By `Log`, the offset after what was applied."""
    appended: tuple[Instant, ...]
    """By `Log`, when the record before that was appended; an answer on a change of the register says it of the first two."""


def times(appended: Sequence[Instant]) -> bytes:
    """As the header says it; none of a log of which nothing was applied, or where that was not noted."""
    return b".".join([b"%d" % at if at >= 0 else b"" for at in appended])


def written(place: Sequence[int]) -> bytes:
    """As the header says it."""
    return b"%d.%d.%d.%d" % (place[0], place[1], place[2], place[3])


def pin_of(headers: Headers) -> Pin | None:
    """What an answer says of how far the logs were applied; None if it does not."""
    said = dict(headers)
    parts = (said.get(HEADER) or b"").split(b".")
    if len(parts) != 4 or not all(part.isdigit() and len(part) < 20 for part in parts):
        return None
    log = (said.get(CAUSE) or b"").partition(b":")[0]
    policy, register, between, actions = map(int, parts)
    return Pin(policy, register, between, actions, _LOGS.get(log, Log.ACTIONS))


def reached(place: Sequence[int], pin: Pin) -> bool:
    """Whether every log is applied as far."""
    return all(here >= there for here, there in zip(place[:4], pin[:4], strict=True))


class Unknown:
    """What answers beyond a place say, whatever order they and copies of them stand in.

    Between two that differ only in what happened around clients there is only one order, so that of each stretch the
    first and the last say all: a state that went back for days needs no memory for its answers.
    """

    def __init__(self, place: Sequence[int]) -> None:
        self._place = place
        self._first: dict[tuple[int, ...], Pin] = {}
        self._last: dict[tuple[int, ...], Pin] = {}
        self.furthest: dict[Log, int] = {}
        """By log of which anything was applied: the offset of the last record that was."""
        self.appended: dict[Log, tuple[int, Instant]] = {}
        """By log: the last of these records of which it is said when it was appended, and when."""

    def add(self, headers: Headers) -> None:
        """One more answer."""
        pin = pin_of(headers)
        if pin is not None and not reached(self._place, pin):
            rest = pin[:3]
            self._first[rest] = min(pin, self._first.get(rest, pin))
            self._last[rest] = max(pin, self._last.get(rest, pin))
            for log in Log:
                if pin[log] - 1 > self.furthest.get(log, -1):
                    self.furthest[log] = pin[log] - 1
            for log, at in zip(Log, (dict(headers).get(APPENDED) or b"").split(b"."), strict=False):
                offset = pin[log] - 1
                if at.isdigit() and len(at) < 20 and offset > self.appended.get(log, (-1, 0))[0]:
                    self.appended[log] = offset, int(at)

    @property
    def pins(self) -> list[Pin]:
        """What was said, in order."""
        return sorted({*self._first.values(), *self._last.values()})


def must_be_there(
    answers: str,
    furthest: Mapping[Log, int],
    ends: Mapping[Log, int],
    appended: Mapping[Log, tuple[int, Instant]],
    there: Mapping[Log, Instant],
) -> None:
    """Whether what published answers were given on is there still; raises `LogLost`.

    `furthest` and `appended` are of `Unknown`, `ends` the offsets after the logs' last records, `there` when the records
    were appended that stand at the offsets in `appended`, as far as there are any. Answers whose records are gone would
    hold up register and policies until the log is as long as it was: what came since would be judged by the register as
    it was then.
    """
    for log, offset in furthest.items():
        if offset >= ends[log]:
            raise _gone(answers, log, offset, f"ends at offset {ends[log]}")
    for log, at in there.items():
        offset, said = appended[log]
        if at > said:
            raise _gone(answers, log, offset, "holds a later record there")


def _gone(answers: str, log: Log, offset: int, what: str) -> LogLost:
    return LogLost(
        f"an answer in `{answers}` was given on what stood at offset {offset} of the log {CALLED[log]}, which {what}: it was "
        f"made anew, or lost its end. Give it back its log from a copy; if there is none, keep a copy of `{answers}` for your "
        "files, delete its records up to its end (kafka-delete-records.sh), and what was lost stays lost"
    )
