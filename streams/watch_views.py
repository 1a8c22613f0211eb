"""Flagged offers for people and programs: lines, JSON, or a table on a terminal. Text of others is escaped."""

import json
import sys
from collections import deque
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gate.facts import Instant
from gate.instants import text
from streams.explain import plain
from streams.since import age
from streams.watch import Flagged

KEPT_ROWS: Final = 500
"""More than fit on any screen."""
_FRAME: Final = 6
"""Lines of the table that are no rows."""
_STYLES: Final = {"held": "yellow", "blocked": "red", "released": "green"}


class View(Protocol):
    """Where flagged offers go."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def show(self, flagged: Flagged, value: bytes, now: Instant) -> None:
        """An answer, and the bytes of its event."""

    def tell(self, trouble: str | None) -> None:
        """Trouble begins; None: it is over."""

    def tick(self, now: Instant) -> None:
        """Time goes by."""


class Lines:
    """A line for each."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def show(self, flagged: Flagged, value: bytes, now: Instant) -> None:
        """See `View`."""
        print(line_of(flagged, now), flush=True)

    def tell(self, trouble: str | None) -> None:
        """On standard error."""
        said = "Kafka answers again" if trouble is None else plain(trouble)
        print(f"gate61: {said}", file=sys.stderr, flush=True)

    def tick(self, now: Instant) -> None:
        """See `View`."""


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
        f"in {_where(flagged)}",
    ]
    if flagged.may_send:
        parts.append(f"send by {_until(flagged)}")
    if flagged.supersedes:
        parts.append(f"supersedes {flagged.supersedes}")
    parts.append(flagged.decision)
    return plain("; ".join(parts))


def _where(flagged: Flagged) -> str:
    return ",".join(flagged.countries) or "no known country"


def _until(flagged: Flagged) -> str:
    if not flagged.may_send:
        return ""
    return "any time" if flagged.until is None else text(flagged.until)


class Screen:
    """A table that stays where it is, newest first, as long as the terminal is high."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._rows: deque[Flagged] = deque(maxlen=KEPT_ROWS)
        self._superseded: deque[str] = deque(maxlen=KEPT_ROWS)
        self._count = 0
        self._trouble = ""
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def show(self, flagged: Flagged, value: bytes, now: Instant) -> None:
        """See `View`."""
        self._count += 1
        self._rows.appendleft(flagged)
        if flagged.supersedes:
            self._superseded.append(flagged.supersedes)

    def tell(self, trouble: str | None) -> None:
        """Below the table."""
        self._trouble = trouble or ""

    def tick(self, now: Instant) -> None:
        """Ages go on; the terminal may have another size."""
        self._live.update(self.table(now), refresh=True)

    def table(self, now: Instant) -> Table:
        """What is to be seen."""
        table = Table(
            title=Text(plain(self._title)), title_justify="left", caption=self._caption(), caption_justify="left"
        )
        for name in ("age", "answer", "reason", "client", "offer", "where", "send by"):
            table.add_column(name, no_wrap=True)
        table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1)
        newest = sorted(self._rows, key=lambda f: f.recorded, reverse=True)
        gone = set(self._superseded)
        for flagged in newest[: max(1, self._console.size.height - _FRAME - 1)]:
            superseded = flagged.decision in gone
            style = "dim" if superseded else _STYLES[flagged.state]
            where = ",".join(flagged.countries) or "-"
            cells = (flagged.leading, flagged.client, flagged.offer, where, _until(flagged), flagged.said)
            answer = "superseded" if superseded else flagged.state
            shown = [Text(age(flagged.recorded, now)), Text(answer, style), *(Text(plain(c)) for c in cells)]
            table.add_row(*shown, style="dim" if superseded else "")
        return table

    def _caption(self) -> Text:
        count = Text(f"{self._count} so far; Ctrl-C ends", "dim")
        return Text.assemble(count, "  ", (plain(self._trouble), "bold red")) if self._trouble else count
