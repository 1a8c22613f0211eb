"""Feeds that tests fill themselves."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gate.effects import Answer, Case
from gate.facts import OF_REGISTER
from streams.border.wire import Rejected, instant
from streams.embedded import Gate
from streams.feed import FeedTrouble, Kind, SourceHealth, Told

LOCATED = {
    "specversion": "1.0",
    "id": "desk-1",
    "source": "//gate61/desk",
    "type": "gate61.client.located.v1",
    "subject": "c-1",
    "time": "2026-03-02T12:00:00Z",
    "data": {"indicator": "ip", "country": "DE"},
}
"""What a desk may publish."""


class ListFeed:
    """A `Feed` over what was added; `trouble` makes it fail until it is empty again."""

    def __init__(self, told: Sequence[Told] = ()) -> None:
        self.told = list(told)
        self.trouble = ""
        self._positions: dict[str, int] = {}
        self._marks: dict[str, str] = {}

    def add(self, kind: Kind, event: Mapping[str, Any], at: int | None = None, log: str = "out") -> Told:
        """The next event of a log."""
        offset = 1 + max((t.offset for t in self.told if t.log == log), default=0)
        recorded = instant(event["time"]) if at is None else at
        told = Told(log, offset, kind, recorded, event, json.dumps(event).encode())
        self.told.append(told)
        return told

    async def start(
        self, positions: Mapping[str, int], marks: Mapping[str, str] = {}, times: Mapping[str, int] = {}
    ) -> None:
        """See `Feed`."""
        self._positions = dict(positions)
        self._marks = dict(marks)

    async def ends(self) -> Mapping[str, int]:
        """See `Feed`."""
        if self.trouble:
            raise FeedTrouble(self.trouble)
        return {told.log: told.offset + 1 for told in self.told}

    async def next(self, seconds: float, at_once: int = 500) -> Sequence[Told]:
        """See `Feed`; does not wait."""
        if self.trouble:
            raise FeedTrouble(self.trouble)
        last = {t.log: t.mark for t in self.told if t.offset + 1 == self._positions.get(t.log)}
        if any(last.get(log) != mark for log, mark in self._marks.items()):
            raise FeedTrouble("another store")
        found = [t for t in self.told if t.offset >= self._positions.get(t.log, 0)][:at_once]
        for told in found:
            self._positions[told.log], self._marks[told.log] = told.offset + 1, told.mark
        return found

    async def health(self) -> Sequence[SourceHealth]:
        """See `Feed`."""
        behind = sum(t.offset >= self._positions.get(t.log, 0) for t in self.told)
        return [SourceHealth("list", not self.trouble, behind, None, self.trouble or "answers")]

    async def close(self) -> None:
        """See `Feed`."""


def told_by(gate: Gate, lines: Sequence[bytes]) -> list[Told]:
    """What an embedded gate's logs hold after these lines."""
    feed = ListFeed()
    for line in lines:
        event = gate.read(line)
        followed = event if isinstance(event, Rejected) else gate.fold(event)
        if followed is None:
            continue
        if isinstance(followed, Rejected):
            known = {"reason": followed.reason, "message": followed.message, "raw": line.decode(errors="replace")}
            feed.add("rejected", known, gate.recorded, "rejected")
            continue
        assert gate.last is not None
        kind: Kind = "register" if type(gate.last.said) in OF_REGISTER else "action"
        feed.add(kind, json.loads(line), gate.recorded, "taken")
        for effect in followed:
            event = json.loads(gate.line_of(effect))
            feed.add(
                "decision" if isinstance(effect, Answer) else "case" if isinstance(effect, Case) else "notice", event
            )
    return feed.told
