"""The picture of a client's file: it hides nothing, grows with no file, and lets no text out of its place."""

import xml.etree.ElementTree as Xml
from collections.abc import Sequence
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from gate.policy import DAY, HOUR, SECOND
from streams.border.wire import instant
from streams.desk.timeline import Lane, Mark, Span, Tone, Window, anchor, rows, timeline

START = instant("2026-03-02T10:00:00Z")
ELEMENTS = {"svg", "title", "desc", "g", "a", "rect", "path", "line", "text"}
ATTRIBUTES = {
    *("width", "height", "viewBox", "x", "y", "x1", "x2", "y1", "y2", "rx", "d", "transform", "class", "id", "role"),
    *("href", "fill", "text-anchor", "pointer-events", "aria-label", "aria-labelledby", "aria-describedby"),
}
times = (
    st.sampled_from([START, START + DAY])
    | st.integers(START, START + HOUR)
    | st.integers(START - 400 * DAY, START + 400 * DAY)
)
texts = st.text(max_size=30) | st.sampled_from(["<script>alert(1)</script>", "\"'><img src=x onerror=y>", "]]>", "{0}"])
ids = st.text("ab:@/.-_1", min_size=1, max_size=4) | texts
marks = st.builds(Mark, st.sampled_from(Lane), times, times, texts, ids, st.sampled_from(Tone))
windows = st.builds(
    lambda service, at, soft, more, state: Window(service, at, at + soft, at + soft + more, state),
    texts,
    times,
    st.integers(0, DAY),
    st.integers(0, 10 * DAY),
    st.sampled_from(["open", "servicing_only", "tainted"]),
)


def mark(at: int, id: str = "e", lane: Lane = Lane.CLIENT, tone: Tone = Tone.PLAIN, late: int = 0) -> Mark:
    return Mark(lane, at, at + late, f"what {id} says", id, tone)


def read(picture: str) -> Xml.Element:
    """The picture as elements; controls that no XML may hold stand as they are in HTML, here as blanks."""
    return Xml.fromstring("".join(c if c.isprintable() else " " for c in picture))


def of(picture: Xml.Element, name: str, element: str = "*") -> list[Xml.Element]:
    """Elements of a class."""
    return [e for e in picture.iter() if name in e.get("class", "").split() and element in ("*", e.tag)]


def links(picture: Xml.Element) -> list[Xml.Element]:
    return list(picture.iter("a"))


def counted(link: Xml.Element) -> int:
    """How many marks a link stands for."""
    told = link.get("aria-label", "")
    return int(told.split()[0]) if {"several", "beyond"} & set(link.get("class", "").split()) else 1


def box(target: Xml.Element) -> tuple[int, int, int, int]:
    x, y, wide, high = (int(target.get(n, "")) for n in ("x", "y", "width", "height"))
    return x, y, x + wide, y + high


@given(st.lists(marks, max_size=60), st.lists(windows, max_size=8), st.none() | st.builds(Span, times, times))
def test_every_mark_is_there_once_and_every_link_leads_to_a_row(
    given: Sequence[Mark], open: Sequence[Window], span: Span | None
) -> None:
    """Drawn by itself, counted in a cell, or counted at an end of the stretch; the names of rows differ."""
    assume(given or open)
    picture = read(timeline(given, open, span))
    assert sum(counted(link) for link in links(picture)) == len(given)
    table = rows(given, open)
    names = [row.anchor for row in table if row.anchor]
    assert len(set(names)) == len(names) == len(given) and len(table) == len(given) + len(open)
    assert {link.get("href") for link in links(picture)} <= {f"#{name}" for name in names}


@given(st.lists(marks, min_size=1, max_size=60), st.lists(windows, max_size=8))
def test_targets_are_large_enough_and_never_overlap(given: Sequence[Mark], open: Sequence[Window]) -> None:
    """24 pixels on each side, inside the picture, one for each link."""
    picture = read(timeline(given, open))
    boxes = [box(target) for target in of(picture, "hit")]
    assert len(boxes) == len(links(picture)) > 0
    for n, (left, top, right, bottom) in enumerate(boxes):
        assert right - left >= 24 and bottom - top >= 24
        assert left >= 0 and right <= int(picture.get("width", "")) and bottom <= int(picture.get("height", ""))
        for other in boxes[:n]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


@given(st.lists(marks, max_size=40), st.lists(windows, max_size=8), st.randoms())
def test_the_order_of_what_is_given_changes_no_byte(given: list[Mark], open: list[Window], random: Random) -> None:
    """Neither of the picture nor of the table."""
    drawn, table = timeline(given, open), rows(given, open)
    random.shuffle(given)
    random.shuffle(open)
    assert timeline(given, open) == drawn
    assert rows(given, open) == table


@given(st.lists(marks, min_size=1, max_size=10), st.lists(windows, max_size=4))
def test_no_text_leaves_its_place(given: Sequence[Mark], open: Sequence[Window]) -> None:
    """Only the elements and attributes that are drawn, whatever labels, ids and services say; links stay in the page."""
    picture = read(timeline(given, open))
    assert links(picture)
    for element in picture.iter():
        assert element.tag in ELEMENTS and set(element.keys()) <= ATTRIBUTES
        assert element.get("href", "#").startswith("#") and " " not in element.get("href", "")


def test_scripts_are_words() -> None:
    """In a label, an id and a service."""
    bad = "<script>alert(1)</script>"
    drawn = timeline([Mark(Lane.OFFER, START, START, bad, bad)], [Window(bad, START, START + DAY, START + DAY, bad)])
    assert "<script" not in drawn and "&lt;script&gt;alert(1)&lt;/script&gt;" in drawn
    assert anchor(bad) == "event-%3Cscript%3Ealert%281%29%3C/script%3E"
    assert anchor("ev:1@x/y.z-_") == "event-ev:1@x/y.z-_"


def test_marks_of_one_moment_are_stacked_and_more_are_counted() -> None:
    """Four are seen each by itself; twelve as their number, with the gravest one's tone and all their names."""
    four = read(timeline([mark(START, f"e{n}") for n in range(4)]))
    assert len(links(four)) == 4 and len({box(t)[1] for t in of(four, "hit")}) == 4
    tones = [Tone.PLAIN, Tone.HELD, Tone.BLOCKED, Tone.ALLOWED]
    (several,) = links(read(timeline([mark(START, f"e{n:02}", tone=tones[n % 4]) for n in range(12)])))
    assert several.get("class") == "mark several blocked" and several.get("href") == "#event-e00"
    assert several.get("aria-label", "").startswith("12 here, 2026-03-02T10:00:00Z to 2026-03-02T10:00:00Z: what e00")
    assert several.get("aria-label", "").endswith("what e07 says; and 4 more, all in the table")
    assert [e.text for e in of(several, "number")] == ["12"]


def test_a_late_record_stands_where_it_became_known() -> None:
    """The foot of the stem lies as far to the right as the record came later; beside it a mark that came at once."""
    span = Span(START, START + 40 * DAY)
    picture = read(timeline([mark(START + 10 * DAY, "late", late=20 * DAY), mark(START + 5 * DAY, "now")], (), span))
    stems = [(int(s.get("x1", "")), int(s.get("x2", ""))) for s in of(picture, "stem", "line")[:2]]
    assert sorted(to - x for x, to in stems) == [0, 480]
    said = {link.get("href"): link.get("aria-label") for link in links(picture)}
    assert said["#event-late"] == (
        "2026-03-12T10:00:00Z: what late says; recorded 2026-04-01T10:00:00Z, 20 d 0 h later"
    )
    assert said["#event-now"] == "2026-03-07T10:00:00Z: what now says"


def test_what_was_recorded_outside_the_stretch_has_a_stem_without_a_foot() -> None:
    """And what happened outside is counted at its end, with a link to the nearest."""
    span = Span(START, START + DAY)
    late = mark(START + HOUR, "late", late=9 * DAY)
    before = [mark(START - HOUR, "b2"), mark(START - 2 * HOUR, "b1")]
    picture = read(timeline([late, *before, mark(START + 2 * DAY, "after")], (), span))
    assert len(of(picture, "stem", "line")) == 2 and len(of(picture, "beyond", "line")) == 1
    assert len(of(picture, "foot")) == 1, "only the legend's"
    ends = {link.get("href"): link.get("aria-label") for link in of(picture, "beyond", "a")}
    assert ends == {"#event-b2": "2 earlier", "#event-after": "1 later"}


def test_windows_are_bars_by_service_and_shades_behind() -> None:
    """To the soft limit and to the hard one; a tainted window is a line and no shade."""
    good = Window("exchange_funds", START, START + DAY, START + 10 * DAY, "open")
    bad = Window("transfer", START, START + DAY, START + 10 * DAY, "tainted")
    picture = read(timeline([], [good, bad], Span(START, START + 40 * DAY)))
    left = 168
    wide = {
        name: [box(e)[0] - left for e in of(picture, name)[:1]] + [box(e)[2] - left for e in of(picture, name)[:1]]
        for name in ("soft", "hard")
    }
    assert wide == {"soft": [0, 24], "hard": [0, 240]}
    assert len(of(picture, "shade")) == 2
    assert [e.text for e in of(picture, "service")] == ["exchange funds", "transfer"]
    titles = [e.findtext("title") for e in of(picture, "window") if e.find("title") is not None]
    assert titles[0] == (
        "exchange funds: opened 2026-03-02T10:00:00Z, soft limit 2026-03-03T10:00:00Z, hard limit 2026-03-12T10:00:00Z, open"
    )
    assert len(of(read(timeline([], [bad])), "shade")) == 0


def test_windows_that_touch_are_one_bar_that_names_each() -> None:
    """Someone who asks every hour: the bar goes on, nothing is drawn a hundred times."""
    many = [Window("custody", START + n * HOUR, START + DAY, START + 10 * DAY, "open") for n in range(100)]
    picture = read(
        timeline([], [*many, Window("custody", START + 30 * DAY, START + 31 * DAY, START + 40 * DAY, "open")])
    )
    found = [e for e in of(picture, "window") if e.find("title") is not None]
    assert len(found) == 2 and len(of(picture, "shade")) == 4
    assert (found[0].findtext("title") or "").endswith("; and 92 more, all in the table")
    assert len(rows([], many)) == 100


def test_the_table_says_when_what_who_and_how_late() -> None:
    """In the order of time, windows among the marks."""
    held = Mark(Lane.ANSWER, START, START + 3 * DAY, "held", "d1", Tone.HELD)
    table = rows([held, mark(START - HOUR, "e1")], [Window("custody", START, START + DAY, START + DAY, "open")])
    assert [(r.lane, r.id, r.delay) for r in table] == [
        ("The client", "e1", ""),
        ("Window", "", ""),
        ("Answers", "d1", "3 d 0 h later"),
    ]
    early = rows([mark(START, late=-20 * SECOND)])
    assert early[0].delay == "20 s earlier"


def test_of_a_long_text_the_picture_shows_the_beginning_and_says_so() -> None:
    """The table has the whole."""
    long = "a reason of compliance " * 50
    given = [Mark(Lane.FIRM, START, START, long, str(n)) for n in range(5)]
    for shown in (given[:1], given):
        (link,) = links(read(str(timeline(shown))))
        assert long[:300] + "…" in link.get("aria-label", "") and long not in link.get("aria-label", "")
        assert {row.label for row in rows(shown)} == {long}


def test_two_sources_may_use_one_id() -> None:
    """Each has a row of its own."""
    assert [r.anchor for r in rows([mark(START, "x"), mark(START + 1, "x")])] == ["event-x", "event-x~2"]


def test_the_picture_in_words_counts_each_lane() -> None:
    """For those who hear it."""
    given = [mark(START, "a"), mark(START, "b", Lane.ANSWER, Tone.HELD), mark(START, "c", Lane.ANSWER, Tone.BLOCKED)]
    told = read(timeline(given)).findtext("desc")
    assert told == (
        "2026-03-02T09:59:30Z to 2026-03-02T10:00:30Z. The firm's side: 0. The client: 1. Offers: 0. "
        "Answers: 2 (1 blocked, 1 held). The table holds the same."
    )


def test_a_file_of_any_size_has_a_picture_of_a_bounded_size() -> None:
    """20,000 events and 1,000 windows, half of the events late."""
    random = Random(5)
    lanes, tones = list(Lane), list(Tone)
    given = [
        mark(
            START + random.randrange(300 * DAY), f"e{n}", lanes[n % 4], tones[n % 7], n % 2 * random.randrange(30 * DAY)
        )
        for n in range(20_000)
    ]
    open = [
        Window(f"s{n % 10}", START + n * 6 * HOUR, START + n * 6 * HOUR + DAY, START + n * 6 * HOUR + 10 * DAY, "open")
        for n in range(1_000)
    ]
    drawn = timeline(given, open)
    assert len(drawn) < 1_000_000
    assert sum(counted(link) for link in links(read(drawn))) == 20_000


def test_nothing_known_is_said() -> None:
    """No picture of nothing."""
    assert timeline([]) == '<p class="timeline-empty">Nothing is known of this client yet.</p>'
    assert rows([]) == []


def test_the_ends_of_time_can_be_drawn() -> None:
    """The years 1 and 9999 in one file."""
    ends = [mark(instant("0001-01-01T00:00:00Z"), "first"), mark(instant("9999-12-31T23:59:59Z"), "last")]
    assert len(links(read(timeline(ends)))) == 2
    assert all(len(links(read(timeline([end])))) == 1 for end in ends)
