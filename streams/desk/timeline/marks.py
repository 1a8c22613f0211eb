"""What a client's timeline holds: marks in four lanes and windows, on both clocks; and the same in rows of a table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from urllib.parse import quote

from msgspec import Struct

from gate.facts import Instant
from gate.instants import text
from streams.since import age


class Lane(StrEnum):
    """Whose doing a mark is, from top to bottom; the value is what is written beside the lane."""

    FIRM = "The firm's side"
    CLIENT = "The client"
    OFFER = "Offers"
    ANSWER = "Answers"


class Tone(StrEnum):
    """What a mark means, from the quietest to the gravest; each has a shape and a class of its own."""

    PLAIN = "plain"
    SUPERSEDED = "superseded"
    ALLOWED = "allowed"
    RELEASED = "released"
    SOLICITS = "solicits"
    HELD = "held"
    BLOCKED = "blocked"


class Mark(Struct, frozen=True):
    """One event or answer: when it happened, when it was recorded, and what to say of it."""

    lane: Lane
    at: Instant
    recorded: Instant
    label: str
    """Text of others may stand in it; it is escaped where it is shown."""
    id: str
    """Of the event, or of the decision."""
    tone: Tone = Tone.PLAIN
    place: int = 0
    """In its log, which tells what came first of one time."""


class Window(Struct, frozen=True):
    """A scope's time: offers may follow from `opened` to `soft`, are held to `hard`, and blocked from then on."""

    service: str
    opened: Instant
    soft: Instant
    hard: Instant
    state: str
    """As on the wire: `open`, `servicing_only`, `tainted`."""
    because: tuple[str, ...] = ()
    """Ids of events: what showed that it is tainted, and what an answer says of that."""

    @property
    def tainted(self) -> bool:
        """Whether nothing may be offered in it, however early."""
        return self.state == "tainted"


class Row(Struct, frozen=True):
    """A mark or a window as a row of the table that says the same as the picture."""

    anchor: str
    """The row's `id`, which the mark's link leads to; empty for a window."""
    id: str
    """Of the event, or of the decision; empty for a window."""
    lane: str
    at: Instant
    recorded: Instant | None
    delay: str
    """How much later, or earlier, it was recorded; empty within a second."""
    label: str
    tone: Tone


def anchor(id: str) -> str:
    """The name of a row, for links to it from anywhere: `event-ID`; what no id of the contract holds comes as percents."""
    return "event-" + quote(id, safe=":@/")


def anchored(marks: Iterable[Mark]) -> list[tuple[str, Mark]]:
    """Marks in the order of their times, each under a name of its own; ids of several sources may be alike."""
    lanes = list(Lane)
    ordered = sorted(marks, key=lambda m: (m.at, m.recorded, lanes.index(m.lane), m.place, m.id, m.label, m.tone))
    known: Counter[str] = Counter()
    found = []
    for mark in ordered:
        name = anchor(mark.id)
        known[name] += 1
        found.append((name if known[name] == 1 else f"{name}~{known[name]}", mark))
    return found


def rows(marks: Sequence[Mark], windows: Sequence[Window] = ()) -> list[Row]:
    """Everything that the picture shows, in the order of time; a window stands where it opens, before its marks."""
    found = [Row("", "", "Window", w.opened, None, "", said_of(w), Tone.PLAIN) for w in _ordered(windows)]
    for name, mark in anchored(marks):
        late = delay(mark.at, mark.recorded)
        found.append(Row(name, mark.id, mark.lane.value, mark.at, mark.recorded, late, mark.label, mark.tone))
    return sorted(found, key=lambda r: r.at)


def delay(at: Instant, recorded: Instant) -> str:
    """`3 d 4 h later`, `20 s earlier`, or nothing within a second."""
    apart = age(min(at, recorded), max(at, recorded))
    return "" if apart == "0 s" else f"{apart} {'later' if recorded > at else 'earlier'}"


def said_of(window: Window) -> str:
    """A window in words."""
    limits = f"soft limit {text(window.soft)}, hard limit {text(window.hard)}"
    service, state = (word.replace("_", " ") for word in (window.service, window.state))
    why = f" because of {', '.join(window.because)}" if window.because else ""
    return f"{service}: opened {text(window.opened)}, {limits}, {state}{why}"


def _ordered(windows: Sequence[Window]) -> list[Window]:
    return sorted(windows, key=lambda w: (w.opened, w.service, w.soft, w.hard, w.state, w.because))
