"""Flagged offers for people and programs where there is no terminal: lines, or JSON. Text of others is escaped."""

import json
import sys
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from gate.facts import Instant
from gate.instants import text
from streams.since import age
from streams.terminal import plain
from streams.watch.answers import Flagged


class Remark(Struct, frozen=True):
    """Something to look at that keeps nothing from being read, and so is never over."""

    said: str


Tell = Callable[[str | Remark | None], None]
"""Hears of trouble when it begins, and None when it is over; and of what is to be remarked."""


class View(Protocol):
    """Where flagged offers go."""

    def show(self, flagged: Flagged, value: bytes, now: Instant) -> None:
        """An answer, and the bytes of its event."""

    def tell(self, told: str | Remark | None) -> None:
        """See `Tell`."""


class Lines:
    """A line for each; `source` is who is read."""

    def __init__(self, source: str) -> None:
        self._source = source

    def show(self, flagged: Flagged, value: bytes, now: Instant) -> None:
        """See `View`."""
        print(line_of(flagged, now), flush=True)

    def tell(self, told: str | Remark | None) -> None:
        """On standard error."""
        said = told.said if isinstance(told, Remark) else told or f"{self._source} answers again"
        print(f"gate61: {plain(said)}", file=sys.stderr, flush=True)


class Json(Lines):
    """The event of each in one line, with every control character as an escape."""

    def show(self, flagged: Flagged, value: bytes, now: Instant) -> None:
        """See `View`."""
        print(json.dumps(json.loads(value)), flush=True)


def line_of(flagged: Flagged, now: Instant) -> str:
    """`2026-03-02T10:14:07Z (3 s ago) blocked NEW_SERVICE_TYPE: …`."""
    parts = [
        f"{text(flagged.recorded)} ({age(flagged.recorded, now)} ago) {flagged.state} {flagged.leading}: {flagged.said}",
        f"offer {flagged.offer} to {flagged.client}",
        f"in {where(flagged)}",
    ]
    if flagged.may_send:
        parts.append(f"send by {_until(flagged)}")
    if flagged.supersedes:
        parts.append(f"supersedes {flagged.supersedes}")
    if flagged.cut:
        parts.append("cut, as it was too large")
    parts.append(flagged.decision)
    return plain("; ".join(parts))


def where(flagged: Flagged) -> str:
    """Wherever the client was ever located."""
    return ",".join(flagged.countries) or "no known country"


def _until(flagged: Flagged) -> str:
    return "any time" if flagged.until is None else text(flagged.until)
