"""The figures as bars: rates, processor time, latency. Plain SVG, readable in light and dark."""

from collections.abc import Sequence
from math import log10
from typing import NamedTuple
from xml.sax.saxutils import escape

from tests.bench.stream.report import OURS, TITLES, Results
from tests.bench.stream.rivals import RIVALS

WIDTH, LABEL, BAR, GAP = 900, 270, 18, 8
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.t{font-weight:600;font-size:15px}.b{fill:#8aa0b8}"
    ".o{fill:#1f6f54}rect.p{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}rect.p{fill:#181a1c}.b{fill:#62788f}.o{fill:#3aa981}}"
)


class Bar(NamedTuple):
    """One bar: from nothing, or from `low`, to `high`."""

    rival: str
    low: float
    high: float
    said: str


class Panel(NamedTuple):
    """Bars of one kind."""

    title: str
    bars: Sequence[Bar]
    logarithmic: bool = False


def panels(results: Results) -> list[Panel]:
    """What is drawn: only what was measured."""
    middles = [m for r in RIVALS if (m := results.middle(r.name))]
    found = [
        Panel(
            "Draining a backlog: events a second (longer is better)",
            [Bar(m.rival, 0, m.rate, f"{m.rate:,.0f}") for m in middles],
        ),
        Panel(
            "Processor time an event, Redis included: us (shorter is better)",
            [Bar(m.rival, 0, m.processor, f"{m.processor:.1f}") for m in middles],
        ),
    ]
    for rate in sorted({each.rate for each in results.latencies}):
        at = [each for each in results.latencies if each.rate == rate]
        bars = [Bar(e.rival, e.p50, e.p99, f"{e.p50:.0f} - {e.p99:.0f}") for e in at]
        found.append(
            Panel(
                f"Produce to answer at {rate:,} events a second: p50 to p99, ms, logarithmic (further left is better)",
                bars,
                True,
            )
        )
    return [panel for panel in found if panel.bars]


def svg(results: Results) -> str:
    """The whole picture."""
    drawn, y = [], 10
    for panel in panels(results):
        drawn.append(f'<text class="t" x="12" y="{y + 16}">{escape(panel.title)}</text>')
        y += 28
        for bar in panel.bars:
            drawn.append(_bar(panel, bar, y))
            y += BAR + GAP
        y += 14
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img"><style>{_STYLE}</style>'
    return "\n".join([head, f'<rect class="p" width="{WIDTH}" height="{y}"/>', *drawn, "</svg>"]) + "\n"


def _bar(panel: Panel, bar: Bar, y: int) -> str:
    begin, end = (_place(panel, value) for value in (bar.low, bar.high))
    kind = "o" if bar.rival == OURS else "b"
    middle = y + BAR - 5
    return (
        f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(TITLES[bar.rival])}</text>'
        f'<rect class="{kind}" x="{begin:.1f}" y="{y}" width="{max(2.0, end - begin):.1f}" height="{BAR}" rx="2"/>'
        f'<text x="{end + 6:.1f}" y="{middle}">{escape(bar.said)}</text>'
    )


def _place(panel: Panel, value: float) -> float:
    """Where a value lies, in pixels from the left."""
    room, most = WIDTH - LABEL - 110, max(bar.high for bar in panel.bars)
    if panel.logarithmic:
        return LABEL + room * log10(max(value, 1)) / log10(max(most, 10))
    return LABEL + room * value / most
