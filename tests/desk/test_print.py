"""Pages on paper: light, whole, with what and when, and without what only a screen can be used for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.desk.chromium import Listening, Person, listening


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Listening]:
    with listening(tmp_path) as opened:
        yield opened


def shade(page: Page, what: str) -> int:
    """How bright the colour of the page's text or ground is, from 0 to 765."""
    text = page.evaluate(f"getComputedStyle(document.body).{what}")
    return sum(map(int, text.removeprefix("rgb(").removesuffix(")").split(",")))


@pytest.mark.parametrize("system", ["light", "dark"])
def test_an_answer_on_paper(browser: Browser, desk: Listening, system: str) -> None:
    """Browsers print no grounds: light text would not be seen. What is folded or scrolled on the screen is all there."""
    desk.do(desk.held_offer())
    rita = Person(browser, desk, "rita", system)
    page = rita.page
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.get_by_role("link", name="of-1", exact=True).click()
    expect(page.locator("h1")).to_contain_text("held")
    facts, first = page.locator("details"), page.locator("details pre").first
    assert facts.count() and page.locator("details[open]").count() == 0
    expect(first).to_be_hidden()
    assert shade(page, "color") > 600, "it is dark on the screen"
    page.emulate_media(media="print")
    assert shade(page, "color") < 150 and shade(page, "backgroundColor") == 765
    for each in page.locator("details pre").all():
        expect(each).to_be_visible()
        assert each.evaluate("e => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth")
        assert each.evaluate("e => getComputedStyle(e).maxHeight") == "none"
    head = page.locator(".printed")
    expect(head).to_be_visible()
    expect(head).to_contain_text("Offer of-1 · as of 2026-03-03 12:00")
    expect(head).to_contain_text("UTC · printed by Rita")
    for useless in ("header.top", "#do", "form", "button", "input", "select"):
        assert not any(each.is_visible() for each in page.locator(useless).all()), useless
    expect(page.locator("#why")).to_be_visible()
    page.emulate_media(media="screen")
    expect(head).to_be_hidden()
    expect(first).to_be_hidden()
    rita.leave()


def test_a_queue_on_paper_is_as_of_its_last_change(browser: Browser, desk: Listening) -> None:
    """It may have been open for hours."""
    desk.do(desk.held_offer())
    rita = Person(browser, desk, "rita")
    for path, heading in (("/", "Queue"), ("/acts", "Acts"), ("/cases", "Cases")):
        rita.page.emulate_media(media="print")
        rita.page.goto(path)
        head = rita.page.locator(".printed")
        before = head.inner_text()
        assert f"{heading} · as of 2026-03-0" in before
        desk.clock.pass_(minutes=5)
        desk.do(desk.held_offer(f"cl-{heading}", f"of-{heading}"))
        expect(head).not_to_have_text(before)
    rita.leave()
