"""Time on a line: where an instant stands, and which instants are written below it. Whole numbers, so bytes repeat."""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from gate.facts import Instant
from gate.instants import EARLIEST, EPOCH, LATEST, moment
from gate.policy import DAY, HOUR, MINUTE, SECOND

LEAST: Final = MINUTE
"""No line shows less."""
_MOST_TICKS: Final = 10
_MONDAY: Final = 4 * DAY
"""1970 began on a Thursday; weeks are counted from the Monday after."""
_EVEN: Final = (
    *(n * SECOND for n in (10, 30)),
    *(n * MINUTE for n in (1, 5, 15, 30)),
    *(n * HOUR for n in (1, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14)),
)
_MONTHS: Final = (1, 3, 6, *(12 * n * ten for ten in (1, 10, 100, 1_000) for n in (1, 2, 5)))


class Span(Struct, frozen=True):
    """A stretch of time; both ends are inside."""

    first: Instant
    last: Instant

    def __contains__(self, at: Instant) -> bool:
        return self.first <= at <= self.last

    def widened(self) -> "Span":
        """At least `LEAST` long, about its middle."""
        side = max(0, LEAST - (self.last - self.first) + 1) // 2
        return Span(max(EARLIEST, self.first - side), min(LATEST, self.last + side))


class Scale(Struct, frozen=True):
    """A stretch of time laid on pixels from `left` on."""

    span: Span
    left: int
    width: int

    def x(self, at: Instant) -> int:
        """The pixel of an instant; of one outside, the nearer end's."""
        span = self.span
        inside = min(max(at, span.first), span.last)
        return self.left + (inside - span.first) * self.width // (span.last - span.first)


class Tick(Struct, frozen=True):
    """An instant that is written: `label`, and below it the date where it is another than before."""

    at: Instant
    label: str
    date: str = ""


def ticks(span: Span) -> list[Tick]:
    """At most ten even instants in UTC: hours on the hour, days at midnight, weeks on Monday, months on the first."""
    for step in _EVEN:
        if (span.last - span.first) // step < _MOST_TICKS:
            return _even(span, step)
    for months in _MONTHS:
        found = _firsts(span, months)
        if len(found) <= _MOST_TICKS:
            return [Tick(at, moment(at).date().isoformat()) for at in found]
    raise AssertionError("no calendar is longer than ten times five thousand years")


def _even(span: Span, step: int) -> list[Tick]:
    found: list[Tick] = []
    before = ""
    for at in range(_MONDAY - (_MONDAY - span.first) // step * step, span.last + 1, step):
        date = moment(at).date().isoformat()
        if step >= DAY:
            found.append(Tick(at, date))
            continue
        clock = moment(at).time().isoformat("minutes" if step >= MINUTE else "seconds")
        found.append(Tick(at, clock, "" if date == before else date))
        before = date
    return found


def _firsts(span: Span, months: int) -> list[Instant]:
    """The first days of every so many months; no more of them than show that there are too many."""
    begun, ended = (12 * at.year + at.month - 1 for at in (moment(span.first), moment(span.last)))
    wanted = range(begun // months * months, ended + 1, months)[: _MOST_TICKS + 2]
    found = [_first_of(month) for month in wanted if month >= 12]
    return [at for at in found if at >= span.first]


def _first_of(month: int) -> Instant:
    return (datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) - EPOCH) // EPOCH.resolution
