"""The list on the screen: only the lines that are to be seen are drawn, however long the queue is."""

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from gate.facts import Instant
from streams.since import age
from streams.terminal import plain
from streams.watch.answers import Flagged
from streams.watch.detail import TONES, left

_COLUMNS: Final = {
    "answer": 8,
    "age": 11,
    "reason": 26,
    "client": 16,
    "where": 8,
    "left": 16,
    "service": 18,
    "offer": 16,
}
"""Widths in cells, the most wanted first: a narrow terminal has the first of them. What is left over says why."""
_WHY: Final = 24
_LONGEST: Final = 500
"""Characters of one field that are looked at."""
Row = tuple[str, ...]


def columns(width: int) -> list[str]:
    """The columns for which there is room, besides the reason as a sentence."""
    chosen: list[str] = []
    for name, wide in _COLUMNS.items():
        if sum(_COLUMNS[c] + 1 for c in chosen) + wide + _WHY > width and len(chosen) >= 4:
            break
        chosen.append(name)
    return chosen


def cells(flagged: Flagged, now: Instant) -> dict[str, str]:
    """What stands in each column."""
    return {
        "answer": flagged.state,
        "age": age(flagged.recorded, now),
        "reason": flagged.leading,
        "client": flagged.client,
        "where": ",".join(flagged.countries) or "-",
        "left": left(flagged, now),
        "service": flagged.service or "-",
        "offer": flagged.offer,
        "why": flagged.said,
    }


class Rows(ScrollView, can_focus=True):
    """The answers that are to be seen, one of them chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False),
        Binding("g,home", "ends(False)", "first", show=False),
        Binding("G,end", "ends(True)", "last", show=False),
        Binding("enter", "open", "detail"),
    ]

    class Chosen(Message):
        """Another answer is chosen, or none."""

        def __init__(self, flagged: Flagged | None) -> None:
            super().__init__()
            self.flagged = flagged

    class Opened(Message):
        """The chosen one is to be read."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._rows: Sequence[Flagged] = ()
        self._at = 0
        self._now: Instant = 0

    @property
    def chosen(self) -> Flagged | None:
        """The answer that the cursor is on."""
        return self._rows[self._at] if self._rows else None

    def put(self, rows: Sequence[Flagged], now: Instant) -> None:
        """What is to be seen now; the cursor stays on its answer, or where that stood."""
        before = self.chosen
        place = next((n for n, f in enumerate(rows) if before is not None and f.decision == before.decision), None)
        self._rows, self._now = rows, now
        self._at = place if place is not None else max(0, min(self._at, len(rows) - 1))
        self.virtual_size = Size(self.size.width, len(rows))
        self._follow(before)

    def action_move(self, by: int) -> None:
        """The cursor goes down, or up."""
        self._go(self._at + by)

    def action_page(self, by: int) -> None:
        """By as much as is to be seen."""
        self._go(self._at + by * max(1, self.size.height - 1))

    def action_ends(self, last: bool) -> None:
        """To the last, or the first."""
        self._go(len(self._rows) - 1 if last else 0)

    def action_open(self) -> None:
        """Read the chosen one."""
        if self._rows:
            self.post_message(self.Opened())

    def _go(self, at: int) -> None:
        before = self.chosen
        self._at = max(0, min(at, len(self._rows) - 1))
        self._follow(before)

    def _follow(self, before: Flagged | None) -> None:
        self.scroll_to_region(Region(0, self._at, 1, 1), animate=False, force=True)
        self.refresh()
        if self.chosen is not before:
            self.post_message(self.Chosen(self.chosen))

    def on_click(self, event: Click) -> None:
        """The line under the pointer is chosen."""
        self._go(int(self.scroll_offset.y) + event.y)

    def render_line(self, y: int) -> Strip:
        """One line of the terminal."""
        place = int(self.scroll_offset.y) + y
        width, base = self.size.width, self.rich_style
        if place >= len(self._rows):
            return Strip.blank(width, base)
        flagged = self._rows[place]
        style = base + Style(reverse=True) if place == self._at else base
        told = cells(flagged, self._now)
        names = columns(width)
        segments = []
        for name in names:
            tone = Style(color=TONES[flagged.state]) if name == "answer" and place != self._at else Style()
            segments.append(Segment(set_cell_size(_short(told[name]), _COLUMNS[name]), style + tone))
            segments.append(Segment(" ", style))
        rest = max(0, width - sum(_COLUMNS[n] + 1 for n in names))
        segments.append(Segment(set_cell_size(_short(told["why"]), rest), style))
        return Strip(segments, width).crop(0, width)


def head(width: int) -> str:
    """The names of the columns."""
    names = columns(width)
    return "".join(f"{name:<{_COLUMNS[name]}} " for name in names) + "why"


def _short(said: str) -> str:
    return plain(said[:_LONGEST])
