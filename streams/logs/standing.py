"""Whether logs still hold what was read last of them, so that what is read next follows on that.

A broker that comes back, or another one in its place, may have lost the end of a log, and platforms publish on at once: once
the log has grown past where it was read to, nothing would ever tell of what stands in between. Two things tell that it may be
so: whoever comes to lead a partition begins another epoch, and each batch says of which it is; and for a while nothing was
heard of the log. Then what was read last is looked for in its place, before anything that was read behind it is taken.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import time
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition

from streams.logs.lost import GIVE_BACK, other_record

SILENCE: Final = 1_000
"""Milliseconds in which no broker goes away and comes back with less than it had, nor another Kafka in its place."""

Heard = Callable[[TopicPartition], int | None]
"""When brokers said something last to who reads the log, in milliseconds since 1970; None if nothing is known."""
Look = Callable[[Mapping[TopicPartition, int], int], Awaitable[Mapping[TopicPartition, Sequence[Any]]]]
"""By log the first so many records from that offset on, asked now; none where a log begins behind it."""


class Stood(NamedTuple):
    """A record by where it stood. No log ever has two of one epoch at one offset; another log has another time there."""

    offset: int
    epoch: int
    timestamp: int


class Standing:
    """What was read last of some logs, by one who reads them on."""

    def __init__(self, heard: Heard, look: Look, do: str = GIVE_BACK, now: Callable[[], float] = time) -> None:
        """`do` says what to do where a log is another; `now` is the clock that `heard` goes by, in seconds."""
        self._heard, self._look, self._do, self._now = heard, look, do, now
        self._last: dict[TopicPartition, Stood] = {}
        self._sure: dict[TopicPartition, int] = {}
        """When each was last known to be the one that was read, in milliseconds."""

    def begin(self, log: TopicPartition, last: Any | None) -> None:
        """From now on what is read of a log follows on this record, which was just found there; None: on nothing."""
        self._last.pop(log, None)
        self._sure[log] = self._milliseconds()
        if last is not None:
            self._last[log] = _stood(last)

    def resume(self, log: TopicPartition, last: Any) -> None:
        """The same on a record of which it is not known whether it is still there."""
        self._last[log] = _stood(last)
        self._sure.pop(log, None)

    async def follows(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Whether these records, just read, follow on what was read before of their logs.

        Raises `LogLost` if not, and what looking raises where nobody says. `found` may name logs without records.
        """
        doubtful = {log: records[0] for log, records in found.items() if records and self._doubts(log, records[0])}
        if doubtful:
            await self._compare(doubtful, 2)
            for log in doubtful:
                self._sure[log] = self._heard(log) or 0
        for log in found:
            self._hear(log)

    def took(self, log: TopicPartition, records: Sequence[Any]) -> None:
        """These are read; what comes next follows on the last of them."""
        if records:
            self._last[log] = _stood(records[-1])

    async def stand(self, logs: Iterable[TopicPartition], by_now: bool = False) -> None:
        """Whether logs that may have nothing new are still those that were read, as far as brokers were heard since.

        `by_now`: as far as anybody was told anything of them until now. Raises as `follows`.
        """
        doubtful = [
            log for log in logs if log in self._last and (self._was_silent(log) or (by_now and self._is_silent(log)))
        ]
        if doubtful:
            asked = self._milliseconds()
            await self._compare(dict.fromkeys(doubtful), 1)
            for log in doubtful:
                self._sure[log] = max(asked, self._heard(log) or 0)
        for log in logs:
            self._hear(log)

    def _doubts(self, log: TopicPartition, first: Any) -> bool:
        last = self._last.get(log)
        return last is not None and (first.leader_epoch != last.epoch or self._was_silent(log))

    def _was_silent(self, log: TopicPartition) -> bool:
        """Whether for a while nothing was heard of it, until it was heard of last."""
        sure, heard = self._sure.get(log), self._heard(log)
        return sure is None or heard is None or abs(heard - sure) > SILENCE

    def _is_silent(self, log: TopicPartition) -> bool:
        """Whether nothing has been heard of it for a while."""
        known = max(self._sure.get(log, 0), self._heard(log) or 0)
        return abs(self._milliseconds() - known) > SILENCE

    def _hear(self, log: TopicPartition) -> None:
        """Where there was no silence, none has begun."""
        heard = self._heard(log)
        if heard is not None and (log not in self._last or not self._was_silent(log)):
            self._sure[log] = heard

    async def _compare(self, doubtful: Mapping[TopicPartition, Any | None], many: int) -> None:
        """Look for what was read last of each, with what was read behind it where that is given: of one and the same log."""
        last = {log: self._last[log] for log in doubtful}
        there = await self._look({log: stood.offset for log, stood in last.items()}, many)
        for log, next_ in doubtful.items():
            # Of a log whose beginning was deleted up to there nothing is left to compare.
            found = [_stood(record) for record in there.get(log, ())]
            wanted = [last[log]] if next_ is None else [last[log], _stood(next_)]
            if found and found[: len(wanted)] != wanted:
                raise other_record(f"`{log.topic}:{log.partition}`", last[log].offset, self._do)

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)


def _stood(record: Any) -> Stood:
    return Stood(record.offset, record.leader_epoch, record.timestamp)
