"""A storm of bad records: more than half of a minute's. The partition pauses, so that somebody looks."""

from gate.facts import Instant
from gate.policy import MINUTE

LEAST = 100
"""Records; a few bad ones in a quiet minute are no storm."""
PAUSE_SECONDS = 60.0


class Storm:
    """Counts of the running minute."""

    def __init__(self) -> None:
        self._began: Instant | None = None
        self._read = 0
        self.refused = 0

    def saw(self, read: int, refused: int, now: Instant) -> float:
        """Records were read and some of them refused; seconds to pause. `now` is by a clock that nobody sets."""
        if self._began is None or now - self._began >= MINUTE:
            self._began, self._read, self.refused = now, 0, 0
        self._read += read
        self.refused += refused
        if self._read < LEAST or 2 * self.refused <= self._read:
            return 0.0
        self._began = None
        return PAUSE_SECONDS
