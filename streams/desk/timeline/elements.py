"""Sizes of the picture, in pixels, and the plain elements it is made of. Classes only: no style may stand in a page."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

CELL: Final = 24
"""Sides of a mark's target, as WCAG 2.2 asks (2.5.8)."""
COLUMNS: Final = 40
LEFT: Final = 168
PLOT: Final = COLUMNS * CELL
RIGHT: Final = 88
WIDTH: Final = LEFT + PLOT + RIGHT
_SHORT: Final = 300
"""Characters of one label."""
_NAMED: Final = 8
"""So many are named where several stand in one place; the table has all."""


def rect(name: str, x: int, y: int, width: int, height: int) -> Markup:
    """A rectangle of a class."""
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(name, x, y, width, height)


def words(name: str, x: int, y: int, said: str, anchor: str = "start") -> Markup:
    """Text of a class from `x` on, or about it, its feet at `y`."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(name, x, y, anchor, said)


def line(name: str, x: int, y: int, to_x: int, to_y: int) -> Markup:
    """A line of a class."""
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(name, x, y, to_x, to_y)


def group(name: str, title: str, parts: Sequence[Markup]) -> Markup:
    """Elements of a class under one title, which a pointer shows."""
    return Markup('<g class="{}"><title>{}</title>{}</g>').format(name, title, joined(parts))


def joined(parts: Sequence[Markup]) -> Markup:
    """One after the other."""
    return Markup("").join(parts)


def short(said: str) -> str:
    """What a pointer shows of it, with a mark where it goes on; the table has the whole."""
    return said if len(said) <= _SHORT else said[:_SHORT] + "…"


def listed(said: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(said) - _NAMED
    return "; ".join(said[:_NAMED]) + (f"; and {more} more, all in the table" if more > 0 else "")
