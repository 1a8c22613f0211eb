"""The picture in a real browser, under the policy that allows no style and no script in a page."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from axe_playwright_python.sync_playwright import Axe
from markupsafe import Markup
from playwright.sync_api import Browser, Page, Route, sync_playwright

from gate.policy import DAY, HOUR
from streams.border.wire import instant
from streams.desk.timeline import Lane, Mark, Tone, Window, rows, timeline

STYLES = Path(__file__).parents[2] / "streams" / "desk" / "static"
START = instant("2026-03-02T10:00:00Z")
HOSTILE = "<script>document.title='ran'</script>\" onload=\"document.title='ran'"
POLICY = "default-src 'none'; style-src 'self'"
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"target-size": {"enabled": True}},
}
PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>File</title>'
    '<link rel="stylesheet" href="/all.css"></head><body><main><h1>File</h1>'
    '<div class="drawing" tabindex="0" role="group" aria-label="Timeline, scrolls sideways">{}</div>'
    '<table><caption>Events</caption><thead><tr><th scope="col">What</th></tr></thead><tbody>{}</tbody></table>'
    "</main></body></html>"
)


def page_of_a_file() -> str:
    """Some 160 marks in every tone, busy hours, late ones, and one that would like to run."""
    random = Random(7)
    lanes, tones = list(Lane), list(Tone)
    marks = [
        Mark(lane, at, at + n % 3 * DAY, f"event {n}", f"e:{n}", tones[n % 7])
        for n in range(160)
        for lane, at in [(lanes[n % 4], START + (random.randrange(40 * DAY) if n % 2 else random.randrange(HOUR)))]
    ]
    marks.append(Mark(Lane.OFFER, START + 55 * DAY, START + 56 * DAY, HOSTILE, "late", Tone.BLOCKED))
    windows = [Window(HOSTILE, START, START + DAY, START + 10 * DAY, s) for s in ("open", "tainted")]
    table = [
        Markup('<tr id="{}"><td>{}</td></tr>').format(row.anchor or f"w{n}", row.label)
        for n, row in enumerate(rows(marks, windows))
    ]
    return PAGE.format(timeline(marks, windows), Markup("").join(table))


def answer(route: Route) -> None:
    if route.request.url.endswith(".css"):
        css = "".join(path.read_text() for path in sorted(STYLES.glob("*.css")))
        route.fulfill(body=css, content_type="text/css")
    else:
        headers = {"Content-Security-Policy": POLICY, "Content-Type": "text/html; charset=utf-8"}
        route.fulfill(body=page_of_a_file(), headers=headers)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[tuple[Page, list[str]]]:
    """The page open in one theme, and what the browser complains of."""
    opened = chromium.new_page(color_scheme=request.param, viewport={"width": 1400, "height": 900})
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text))
    opened.route("**/*", answer)
    opened.goto("http://desk.example/client")
    yield opened, complaints
    opened.close()


def test_the_browser_obeys_and_axe_finds_nothing(page: tuple[Page, list[str]]) -> None:
    """Nothing in the picture is against the policy, nothing runs, and WCAG 2.2 AA has no complaint."""
    opened, complaints = page
    assert opened.title() == "File" and complaints == []
    found = Axe().run(opened, options=RULES).response
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
    assert {"link-name", "color-contrast"} <= {p["id"] for p in found["passes"]}


def test_a_mark_leads_to_its_row(page: tuple[Page, list[str]]) -> None:
    """By a click, and by the keyboard."""
    opened, _ = page
    opened.locator("a.mark.blocked[href='#event-late']").click()
    assert opened.locator("tr:target").get_attribute("id") == "event-late"
    first = opened.locator("svg.timeline a").first
    first.focus()
    opened.keyboard.press("Enter")
    assert "#" + (opened.locator("tr:target").get_attribute("id") or "") == first.get_attribute("href")
