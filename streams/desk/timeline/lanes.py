"""Lanes in the picture: marks in cells of fixed columns, on stems whose feet stand at the recorded time.

A column of a lane stacks up to `STACK` marks; where there are more it holds one mark with their number. So the picture
has a largest size, whatever a file holds, and nothing is left out of it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from gate.instants import text
from streams.desk.timeline.elements import CELL, COLUMNS, LEFT, PLOT, WIDTH, joined, line, listed, rect, short, words
from streams.desk.timeline.marks import Lane, Mark, Tone, delay
from streams.desk.timeline.scale import Scale

STACK: Final = 4
_FEET: Final = 14
"""Below the marks of a lane, where the recorded times stand."""
_INSET: Final = 7
"""A mark stays this far from the sides of its cell."""
_BEYOND: Final = 80
"""Wide enough for a million marks outside the scale."""
SHAPES: Final = {
    Tone.PLAIN: "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    Tone.SUPERSEDED: "m-4-4l8 8m0-8l-8 8",
    Tone.ALLOWED: "m0-5l5 9h-10z",
    Tone.RELEASED: "m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0zm3 0a3 3 0 1 1 6 0a3 3 0 1 1-6 0z",
    Tone.SOLICITS: "m0 5l5-9h-10z",
    Tone.HELD: "m0-6l6 6l-6 6l-6-6z",
    Tone.BLOCKED: "m-5-5h10v10h-10z",
}
"""Paths about a mark's middle, one for each tone: no meaning rests on colour alone."""
Named = tuple[str, Mark]
"""A mark under the name of its row."""


class _Cell(Struct, frozen=True):
    """The marks of one lane in one column."""

    column: int
    marks: list[Named]

    @property
    def rows(self) -> int:
        return min(len(self.marks), STACK)


def lane(name: Lane, marks: Iterable[Named], scale: Scale, top: int) -> tuple[Markup, int]:
    """One lane from `top` on, and where it ends; marks outside the scale are counted at its ends."""
    mine = [named for named in marks if named[1].lane is name]
    cells = _cells([named for named in mine if named[1].at in scale.span], scale)
    feet = top + max((c.rows for c in cells), default=1) * CELL + 2
    stems, drawn = [], []
    for cell in cells:
        draw = _stacked if len(cell.marks) <= STACK else _counted
        more, mark = draw(cell, scale, feet)
        stems += more
        drawn += mark
    earlier = [named for named in mine if named[1].at < scale.span.first]
    later = [named for named in mine if named[1].at > scale.span.last]
    beyond = _beyond(earlier, "earlier", 8, top + 34) + _beyond(later, "later", LEFT + PLOT + 8, top + 16)
    bottom = feet + _FEET
    inner = [line("divider", 0, bottom, WIDTH, bottom), words("lane", 8, top + 16, name.value)]
    inner += [*dict.fromkeys(stems), *drawn, *beyond]
    return Markup('<g role="group" aria-label="{}">{}</g>').format(name.value, joined(inner)), bottom


def _cells(marks: Sequence[Named], scale: Scale) -> list[_Cell]:
    found: dict[int, list[Named]] = {}
    for named in marks:
        column = min((scale.x(named[1].at) - LEFT) // CELL, COLUMNS - 1)
        found.setdefault(column, []).append(named)
    return [_Cell(column, held) for column, held in found.items()]


def _stacked(cell: _Cell, scale: Scale, feet: int) -> tuple[list[Markup], list[Markup]]:
    left = LEFT + cell.column * CELL
    stems: list[Markup] = []
    drawn: list[Markup] = []
    for row, (name, mark) in enumerate(cell.marks):
        x = min(max(scale.x(mark.at), left + _INSET), left + CELL - _INSET)
        top = feet - 2 - (row + 1) * CELL
        stems += _stem(mark, scale, x, top + CELL // 2, feet)
        shape = Markup('<path class="shape" d="M{} {}{}"/>').format(x, top + CELL // 2, SHAPES[mark.tone])
        drawn.append(_link(name, mark.tone.value, _said(mark), [_target(left, top, CELL), shape]))
    return stems, drawn


def _counted(cell: _Cell, scale: Scale, feet: int) -> tuple[list[Markup], list[Markup]]:
    left, top, high = LEFT + cell.column * CELL, feet - 2 - STACK * CELL, STACK * CELL
    middle, marks = left + CELL // 2, [mark for _, mark in cell.marks]
    stems = [part for mark in marks for part in _stem(mark, scale, middle, top + high - 2, feet)]
    gravest = max((mark.tone for mark in marks), key=list(Tone).index)
    many = str(len(marks)) if len(marks) < 1_000 else f"{len(marks) // 1_000}k"
    shape = Markup('<rect class="shape" x="{}" y="{}" width="{}" height="{}" rx="4"/>').format(
        left + 1, top + 2, CELL - 2, high - 4
    )
    number = words("number", middle, top + high // 2 + 4, many, "middle")
    said = f"{len(marks)} here, {text(marks[0].at)} to {text(marks[-1].at)}: {listed([short(m.label) for m in marks])}"
    link = _link(cell.marks[0][0], f"several {gravest}", said, [_target(left, top, high), shape, number])
    return stems, [link]


def _stem(mark: Mark, scale: Scale, x: int, y: int, feet: int) -> list[Markup]:
    """From a mark down to when it was recorded, which may lie outside the scale: then the stem has no foot."""
    to = min(max(x + scale.x(mark.recorded) - scale.x(mark.at), LEFT), LEFT + PLOT)
    if mark.recorded not in scale.span:
        return [line("stem beyond", x, y, to, feet + 4)]
    return [line("stem", x, y, to, feet + 4), rect("foot", to - 2, feet + 2, 4, 4)]


def _target(x: int, y: int, high: int, wide: int = CELL) -> Markup:
    """What a pointer can hit; nothing of it is seen but the focus."""
    hit = Markup('<rect class="hit" x="{}" y="{}" width="{}" height="{}" rx="4" fill="none" pointer-events="all"/>')
    return hit.format(x, y, wide, high)


def _link(name: str, tone: str, said: str, parts: Sequence[Markup]) -> Markup:
    made = Markup('<a class="mark {}" href="#{}" aria-label="{}"><title>{}</title>{}</a>')
    return made.format(tone, name, said, said, joined(parts))


def _said(mark: Mark) -> str:
    late = delay(mark.at, mark.recorded)
    recorded = f"; recorded {text(mark.recorded)}, {late}" if late else ""
    return f"{text(mark.at)}: {short(mark.label)}{recorded}"


def _beyond(marks: Sequence[Named], where: str, x: int, y: int) -> list[Markup]:
    if not marks:
        return []
    said = f"{len(marks)} {where}"
    target = _target(x - 4, y - 16, CELL, _BEYOND)
    return [_link(marks[0 if where == "later" else -1][0], "beyond", said, [target, words("beyond", x, y, said)])]
