"""Since when, as people say it: so long ago, or from a time on."""

import re
from typing import Final

from gate.facts import Instant
from gate.instants import EARLIEST
from gate.policy import DAY, HOUR, MINUTE, SECOND
from streams.border.wire import instant

_AGO: Final = re.compile(r"([0-9]{1,9}) ?([smhdw])")
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


def since(text: str, now: Instant) -> Instant:
    """`90s`, `15m`, `1h`, `7d`, `2w` before now, or an RFC 3339 time with zone; raises ValueError."""
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return max(EARLIEST, now - int(ago[1]) * _UNITS[ago[2]])
    try:
        return instant(text)
    except ValueError:
        raise ValueError(
            f"`{text}` is no time; say how long ago, such as 15m, 1h or 7d, or 2026-03-02T10:14:07Z"
        ) from None


def age(at: Instant, now: Instant) -> str:
    """How long ago, in its two largest units: `3 s`, `2 min`, `1 h 5 min`, `3 d 4 h`."""
    seconds = max(0, now - at) // SECOND
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"
