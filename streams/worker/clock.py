"""The clock by which a worker closes windows: its machine's, unless that is ahead of Redis' clock.

Whatever is said to be closed is said for good, so of two clocks that differ the earlier counts. Answers to offers do
not depend on this: they go by when brokers appended what is judged.
"""

from collections.abc import Callable
from time import monotonic, time
from typing import Any, Final

from redis.exceptions import ResponseError

from gate.facts import Instant
from gate.policy import SECOND
from state.redis.errors import forbidden

AHEAD: Final = 60 * SECOND
"""From so far on clocks differ; below, windows close by the machine's own."""


class Clock:
    """This machine's clock, held against that of Redis."""

    def __init__(self, wall: Callable[[], float] = time, steady: Callable[[], float] = monotonic) -> None:
        """Both in seconds; `steady` is set by nobody, and so carries on what Redis said last."""
        self._wall, self._steady = wall, steady
        self._told: tuple[Instant, Instant] | None = None
        """What time it was by Redis' clock, and by the steady one when it had said so."""

    def steady(self) -> Instant:
        """Microseconds of a clock that nobody sets."""
        return int(self._steady() * SECOND)

    def now(self) -> Instant:
        """Microseconds since 1970, by the earlier of the two clocks where they differ."""
        return int(self._wall() * SECOND) - self.ahead

    @property
    def ahead(self) -> Instant:
        """Microseconds by which this machine's clock is ahead of Redis'; 0 where that is tolerated or not known."""
        said = self._told  # Another thread may ask meanwhile.
        if said is None:
            return 0
        told, then = said
        apart = int(self._wall() * SECOND) - (told + self.steady() - then)
        return apart if apart > AHEAD else 0

    def ask(self, redis: Any) -> None:
        """Ask Redis what time it is; raises `RedisError`. Where its user may not ask, this machine's clock counts."""
        try:
            seconds, micros = redis.time()
        except ResponseError as error:
            if not forbidden(error):
                raise
            self._told = None
        else:
            self._told = seconds * SECOND + micros, self.steady()
