"""The clock of the services; nothing below them looks at one."""

import time
from collections.abc import Callable
from typing import Final

from gate.facts import Instant

Clock = Callable[[], Instant]
ONE_SOURCE: Final = "let one time source set the clocks of all machines (NTP)"
"""What to do where they differ."""


def now() -> Instant:
    """The clock of this machine."""
    return time.time_ns() // 1_000
