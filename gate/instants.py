"""Instants as text: RFC 3339 in UTC, from whole microseconds."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from gate.facts import Instant

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
LATEST: Final[Instant] = (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) - EPOCH) // _MICROSECOND
EARLIEST: Final[Instant] = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // _MICROSECOND


@lru_cache(1 << 12)  # An answer and the scope it is on name the same times, again and again.
def moment(at: Instant) -> datetime:
    """The same in UTC; later than year 9999 is its end."""
    return EPOCH + timedelta(0, 0, at if at < LATEST else LATEST)


def text(at: Instant) -> str:
    """`2026-03-02T10:14:07Z`, with six digits of a second only where there are some."""
    return moment(at).isoformat()[:-6] + "Z"
