"""Lists that are shown a page at a time, the latest first: each page says how many there are and where the next goes on."""

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_

PAGE: Final = 50
"""Rows on one page."""
_PLACE: Final = re.compile(r"(-?\d{1,18})\.(.+)", re.ASCII | re.DOTALL)


class Listed(Struct, frozen=True):
    """One page."""

    rows: Sequence[Any]
    total: int
    """How many there are on all pages."""
    after: str | None
    """Asks for the next page; None on the last."""


def listed(
    connection: Connection, asked: Select[Any], at: ColumnElement[int], tie: ColumnElement[str], after: str | None
) -> Listed:
    """The page after that place, or the first. `tie` orders what is of one time, and differs for any two such rows."""
    total = connection.execute(asked.with_only_columns(func.count(), maintain_column_froms=True)).scalar_one()
    place = _PLACE.fullmatch(after or "")
    if place:
        asked = asked.where(behind(at, int(place[1]), tie, place[2]))
    asked = asked.add_columns(at.label("place"), tie.label("tie")).order_by(at.desc(), tie).limit(PAGE + 1)
    rows = connection.execute(asked).all()
    more = len(rows) > PAGE
    return Listed(rows[:PAGE], total, f"{rows[PAGE - 1].place}.{rows[PAGE - 1].tie}" if more else None)


def behind(at: ColumnElement[int], last: int, tie: ColumnElement[str], tied: str) -> ColumnElement[bool]:
    """What comes after a row of that time and tie, where the latest stands first: said so that an index serves it."""
    return and_(at <= last, or_(at < last, tie > tied))
