"""Time on a line: where instants stand, and which are written."""

from hypothesis import given
from hypothesis import strategies as st

from gate.instants import EARLIEST, LATEST, moment
from gate.policy import DAY, HOUR, SECOND
from streams.border.wire import instant
from streams.desk.timeline.scale import LEAST, Scale, Span, Tick, ticks

times = st.integers(EARLIEST, LATEST)
near = st.integers(instant("2026-01-01T00:00:00Z"), instant("2026-03-01T00:00:00Z"))
spans = st.builds(lambda a, b: Span(min(a, b), max(a, b)).widened(), times, times | near) | st.builds(
    lambda a, b: Span(a, a + b).widened(), near, st.integers(0, 40 * DAY)
)


def labels(first: str, last: str) -> list[tuple[str, str]]:
    return [(t.label, t.date) for t in ticks(Span(instant(first), instant(last)))]


@given(spans)
def test_one_to_ten_instants_are_written_in_order_and_none_outside(span: Span) -> None:
    """Whatever the stretch, from a minute to all years; all labels of days differ."""
    found = ticks(span)
    assert 1 <= len(found) <= 10
    assert [t.at for t in found] == sorted({t.at for t in found})
    assert all(t.at in span for t in found)


@given(spans, times, times)
def test_later_is_never_further_left(span: Span, a: int, b: int) -> None:
    """And nothing leaves the line."""
    scale = Scale(span, 100, 960)
    early, late = scale.x(min(a, b)), scale.x(max(a, b))
    assert 100 <= early <= late <= 1060
    assert (scale.x(span.first), scale.x(span.last)) == (100, 1060)


def test_hours_are_on_the_hour_and_say_a_new_date_once() -> None:
    """A night in hours."""
    assert labels("2026-03-01T22:10:00Z", "2026-03-02T04:00:00Z") == [
        ("23:00", "2026-03-01"),
        ("00:00", "2026-03-02"),
        ("01:00", ""),
        ("02:00", ""),
        ("03:00", ""),
        ("04:00", ""),
    ]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    """Two months in weeks; two years in quarters."""
    weeks = ticks(Span(instant("2026-01-01T00:00:00Z"), instant("2026-03-01T00:00:00Z")))
    assert {moment(t.at).weekday() for t in weeks} == {0} and len(weeks) == 8
    quarters = labels("2024-02-10T00:00:00Z", "2026-02-10T00:00:00Z")
    assert [label for label, _ in quarters] == [
        "2024-04-01",
        "2024-07-01",
        "2024-10-01",
        "2025-01-01",
        "2025-04-01",
        "2025-07-01",
        "2025-10-01",
        "2026-01-01",
    ]


def test_a_single_instant_has_a_minute_around_it() -> None:
    """Also at the ends of all time."""
    at = instant("2026-03-01T10:00:00Z")
    assert Span(at, at).widened() == Span(at - LEAST // 2, at + LEAST // 2)
    assert Span(at, at + HOUR).widened() == Span(at, at + HOUR)
    assert Span(EARLIEST, EARLIEST).widened() == Span(EARLIEST, EARLIEST + LEAST // 2)
    assert Span(LATEST, LATEST).widened() == Span(LATEST - LEAST // 2, LATEST)
    assert Tick(at, "10:00:00", "2026-03-01") == ticks(Span(at, at + 40 * SECOND))[0]
