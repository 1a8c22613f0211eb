"""The picture as a whole: server-drawn SVG that always comes out the same.

Classes for the style sheet: `shade`, `window` (with `soft`, `hard`, `tainted`), `grid`, `divider`, `stem`, `foot`,
`mark` with its tone, in it `shape`, `number` and `hit`; text is `lane`, `service`, `tick`, `date`, `key`.
"""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from gate.instants import text
from streams.desk.timeline.elements import LEFT, PLOT, WIDTH, joined, line, rect, words
from streams.desk.timeline.lanes import SHAPES, Named, lane
from streams.desk.timeline.marks import Lane, Mark, Tone, Window, anchored
from streams.desk.timeline.scale import Scale, Span, ticks
from streams.desk.timeline.windows import bars, shades

_TOP: Final = 6
_GAP: Final = 8
_AXIS: Final = 36
_LEGEND: Final = 26


def timeline(marks: Sequence[Mark], windows: Sequence[Window] = (), span: Span | None = None) -> Markup:
    """The picture of a file, or of a stretch of it; marks outside the stretch are counted at its ends.

    Every mark is a link to `#anchor(id)`, a row of `rows`. All times are UTC.
    """
    if not marks and not windows:
        return Markup('<p class="timeline-empty">Nothing is known of this client yet.</p>')
    scale = Scale((span or _whole(marks, windows)).widened(), LEFT, PLOT)
    named = anchored(marks)
    near = [w for w in windows if w.opened <= scale.span.last and w.hard >= scale.span.first]
    drawn, y = bars(near, scale, _TOP)
    y += _GAP
    for each in Lane:
        part, y = lane(each, named, scale, y)
        drawn.append(part)
    parts = [*shades(near, scale, y), *_grid(scale, y), *drawn, *_legend(marks, near, y + _AXIS)]
    return _sheet(_told(named, scale.span), parts, y + _AXIS + _LEGEND)


def _whole(marks: Sequence[Mark], windows: Sequence[Window]) -> Span:
    times = [t for m in marks for t in (m.at, m.recorded)] + [t for w in windows for t in (w.opened, w.hard)]
    return Span(min(times), max(times))


def _sheet(told: str, parts: Sequence[Markup], high: int) -> Markup:
    made = Markup(
        '<svg class="timeline" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" role="group" '
        'aria-labelledby="timeline-title" aria-describedby="timeline-desc">'
        '<title id="timeline-title">Timeline</title><desc id="timeline-desc">{told}</desc>{parts}</svg>'
    )
    return made.format(wide=WIDTH, high=high, told=told, parts=joined(parts))


def _told(named: Sequence[Named], span: Span) -> str:
    """The picture in words."""
    said = []
    for each in Lane:
        tones = [m.tone for _, m in named if m.lane is each]
        counts = [f"{tones.count(tone)} {tone}" for tone in reversed(Tone) if tone in tones and tone is not Tone.PLAIN]
        said.append(f"{each}: {len(tones)}" + (f" ({', '.join(counts)})" if counts else ""))
    return f"{text(span.first)} to {text(span.last)}. {'. '.join(said)}. The table holds the same."


def _grid(scale: Scale, bottom: int) -> list[Markup]:
    parts = [words("tick", 8, bottom + 14, "UTC")]
    for tick in ticks(scale.span):
        x = scale.x(tick.at)
        parts += [line("grid", x, 0, x, bottom + 4), words("tick", x, bottom + 16, tick.label, "middle")]
        if tick.date:
            parts.append(words("date", x, bottom + 30, tick.date, "middle"))
    return parts


def _legend(marks: Sequence[Mark], windows: Sequence[Window], top: int) -> list[Markup]:
    """What the shapes mean, of those that are there."""
    present = {m.tone for m in marks}
    tainted = {w.tainted for w in windows}
    x, y = LEFT, top + 16
    signs = [(_tone(tone, x, y), "event" if tone is Tone.PLAIN else tone.value) for tone in Tone if tone in present]
    foot = joined([line("stem", x + 6, y - 10, x + 6, y - 2), rect("foot", x + 4, y - 4, 4, 4)])
    signs += [(foot, "recorded")] if marks else []
    signs += [(_bar("soft", x, y), "before the soft limit"), (_bar("hard", x, y), "before the hard limit")] * (
        False in tainted
    )
    signs += [(_bar("tainted", x, y), "tainted")] * (True in tainted)
    parts, shift = [], 0
    for sign, said in signs:
        key = joined([sign, words("key", x + 18, y, said)])
        parts.append(Markup('<g transform="translate({} 0)">{}</g>').format(shift, key))
        shift += 30 + 13 * len(said) // 2
    return parts


def _tone(tone: Tone, x: int, y: int) -> Markup:
    made = Markup('<g class="mark {}"><path class="shape" d="M{} {}{}"/></g>')
    return made.format(tone.value, x + 6, y - 4, SHAPES[tone])


def _bar(name: str, x: int, y: int) -> Markup:
    return Markup('<g class="window">{}</g>').format(rect(name, x, y - 9, 12, 3 if name == "tainted" else 9))
