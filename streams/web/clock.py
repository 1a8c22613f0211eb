"""The clock of the services; nothing below them looks at one."""

import time
from collections.abc import Callable
from typing import Final

from gate.facts import Instant

Clock = Callable[[], Instant]
ONE_SOURCE: Final = "let one time source set the clocks of all machines (NTP)"
"""What to do where they differ."""


def ahead(before: float, told: float, after: float) -> float:
    """By how much this clock is ahead of another one for certain, negative where it is behind, in the unit of all three.

    The other one told its time between the first and the last of these.
    """
    return before - told if told < before else min(0, after - told)


def now() -> Instant:
    """The clock of this machine."""
    return time.time_ns() // 1_000
