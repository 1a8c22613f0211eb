"""Windows in the picture: a row of bars for each service, and shades behind the lanes.

A window that is tainted lets nothing follow: it is a thin line below the bars and no shade.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from markupsafe import Markup

from gate.facts import Instant
from streams.desk.timeline.elements import group, listed, rect, words
from streams.desk.timeline.marks import Window, said_of
from streams.desk.timeline.scale import Scale

_ROW: Final = 18
_BAR: Final = 9
_LEAST: Final = 2
"""The shortest window is still seen."""


def shades(windows: Sequence[Window], scale: Scale, bottom: int) -> list[Markup]:
    """Times at which some window was before its hard limit, and over these the ones before its soft limit."""
    good = [w for w in windows if not w.tainted]
    hard = [rect("shade hard", x, 0, wide, bottom) for x, wide in _covered(((w.opened, w.hard) for w in good), scale)]
    soft = [rect("shade soft", x, 0, wide, bottom) for x, wide in _covered(((w.opened, w.soft) for w in good), scale)]
    return hard + soft


def bars(windows: Sequence[Window], scale: Scale, top: int) -> tuple[list[Markup], int]:
    """The rows of the services from `top` on, and where they end."""
    parts: list[Markup] = []
    ordered = sorted(windows, key=lambda w: (w.service, w.tainted, w.opened, w.hard, w.soft, w.state, w.because))
    for service, found in groupby(ordered, key=lambda w: w.service):
        parts.append(words("service", 8, top + _ROW - 6, service.replace("_", " ")))
        for tainted, several in groupby(found, key=lambda w: w.tainted):
            draw = _tainted if tainted else _good
            for touching in _touching(several, scale):
                parts.append(group("window", listed([said_of(w) for w in touching]), draw(touching, scale, top)))
        top += _ROW
    return parts, top


def _good(windows: Sequence[Window], scale: Scale, top: int) -> list[Markup]:
    hard = _covered(((w.opened, w.hard) for w in windows), scale)
    soft = _covered(((w.opened, w.soft) for w in windows), scale)
    found = [rect("hard", x, top + 2, wide, _BAR) for x, wide in hard]
    return found + [rect("soft", x, top + 2, wide, _BAR) for x, wide in soft]


def _tainted(windows: Sequence[Window], scale: Scale, top: int) -> list[Markup]:
    covered = _covered(((w.opened, w.hard) for w in windows), scale)
    return [rect("tainted", x, top + 3 + _BAR, wide, 3) for x, wide in covered]


def _touching(windows: Iterable[Window], scale: Scale) -> list[list[Window]]:
    """Windows, ordered by opening, in groups between which a gap can be seen."""
    groups: list[list[Window]] = []
    end = -1
    for window in windows:
        if scale.x(window.opened) > end:
            groups.append([])
        groups[-1].append(window)
        end = max(end, scale.x(window.hard), scale.x(window.opened) + _LEAST)
    return groups


def _covered(spans: Iterable[tuple[Instant, Instant]], scale: Scale) -> list[tuple[int, int]]:
    """What the spans cover together: where each stretch begins, and how wide it is."""
    found: list[list[int]] = []
    for first, last in sorted((scale.x(a), max(scale.x(b), scale.x(a) + _LEAST)) for a, b in spans):
        if not found or first > found[-1][1]:
            found.append([first, last])
        found[-1][1] = max(found[-1][1], last)
    return [(first, last - first) for first, last in found]
