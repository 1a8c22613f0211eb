"""The clock of the services; nothing below them looks at one."""

import time
from collections.abc import Callable

from gate.facts import Instant

Clock = Callable[[], Instant]


def now() -> Instant:
    """The clock of this machine."""
    return time.time_ns() // 1_000
