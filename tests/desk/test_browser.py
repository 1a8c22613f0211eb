"""People before the desk, in real Chromium: what changes before their eyes, and what only a keyboard does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.desk.chromium import Listening, Person, listening
from tests.desk.desks import PASSWORD
from tests.desk.rows import fill


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Listening]:
    with listening(tmp_path) as opened:
        yield opened


def stays(page: Page) -> None:
    """Marks this very document: `stayed` tells whether it was left since."""
    page.evaluate("window.marked = true")


def stayed(page: Page) -> bool:
    return bool(page.evaluate("window.marked === true"))


def test_two_people_release_an_offer_and_a_late_fact_takes_it_back_before_their_eyes(
    browser: Browser, desk: Listening
) -> None:
    """Nobody loads a page anew; each sees what the other did, and what the gate said."""
    desk.do(desk.held_offer())
    rita, anna = Person(browser, desk, "rita"), Person(browser, desk, "anna")
    anna.page.goto("/acts")
    expect(anna.page.get_by_text("Nothing waits.")).to_be_visible()
    rita.page.get_by_role("link", name="of-1").click()
    rita.page.get_by_label("Why it may be sent").fill("the client waits for the quote")
    stays(anna.page)
    rita.page.get_by_role("button", name="Ask for release").click()
    expect(rita.page.get_by_text("waits for a second")).to_be_visible()
    stays(rita.page)
    sign = anna.page.get_by_role("button", name=re.compile("^Sign release"))
    expect(sign).to_be_visible()
    assert stayed(anna.page)
    sign.click()
    expect(anna.page.locator("#part").get_by_text("done", exact=True)).to_be_visible()
    expect(rita.page.locator("#part").get_by_text("done", exact=True)).to_be_visible()
    expect(rita.page.locator("#head .tag")).to_have_text(["held", "replaced"])
    assert stayed(rita.page)
    rita.page.get_by_role("link", name="The answer that replaced it").click()
    expect(rita.page.locator("#head .tag")).to_have_text("released")
    anna.page.goto("/")
    expect(anna.page.get_by_text("Nothing waits.")).to_be_visible()
    stays(anna.page)
    stays(rita.page)
    late = {"by": "paid-friend", "rewarded": True}
    desk.do(desk.happens("referral.recorded", late, at="2026-03-01T12:00:00Z"))
    expect(rita.page.locator("#head .tag")).to_have_text(["released", "replaced"])
    expect(anna.page.locator("tr[data-item]")).to_contain_text("PERSON_CHAIN_SOLICITATION")
    assert stayed(rita.page) and stayed(anna.page)
    rita.leave()
    anna.leave()


def test_a_change_while_a_page_was_on_its_way_is_seen(browser: Browser, desk: Listening) -> None:
    """Between the reading of a page and the opening of its stream, and several at once."""
    rita = Person(browser, desk, "rita")
    rita.page.goto("about:blank")  # The queue of the sign-in is left: its stream is not the one that waits.
    rita.page.route("**/live?*", lambda route: (desk.do(desk.held_offer()), route.continue_()), times=1)
    rita.page.goto("/")
    expect(rita.page.get_by_role("link", name="of-1")).to_be_visible()
    for n in range(2, 6):
        desk.do(desk.held_offer(f"cl-{n}", f"of-{n}"))
    expect(rita.page.locator("tr[data-item]")).to_have_count(5)
    rita.leave()


def test_the_whole_queue_by_keyboard_until_nothing_waits(browser: Browser, desk: Listening) -> None:
    """Take, open, go back, refuse with a reason; the last one is released by two. No mouse."""
    for n in range(1, 5):
        desk.do(desk.held_offer(f"cl-{n}", f"of-{n}"))
    rita, anna = Person(browser, desk, "rita"), Person(browser, desk, "anna")
    page = rita.page
    rows = page.locator("tr[data-item]")
    expect(rows).to_have_count(4)
    rita.press("j", "j", "k", "j", "j")
    expect(rows.nth(2)).to_have_class("chosen")
    offer = rita.focused()
    rita.press("a")
    assert rita.focused().startswith(f"Take {offer} of ")
    rita.press("Enter")
    expect(rows.nth(2).get_by_role("button", name=f"Let go {offer}")).to_be_visible()
    expect(rows.nth(2)).to_contain_text("rita")
    assert rita.focused() == offer
    rita.press("Enter")
    expect(page.locator("h1")).to_contain_text(f"Offer {offer}")
    rita.press("u")
    expect(rows).to_have_count(4)
    for left in (3, 2, 1):
        rita.press("j", "Enter")
        expect(page.locator("h1")).to_contain_text("held")
        rita.press("x")
        page.keyboard.type("not before the call")
        rita.press("Enter")
        expect(page.locator("#acts").get_by_text("done", exact=True)).to_be_visible()
        rita.press("g", "q")
        expect(rows).to_have_count(left)
    rita.press("j", "Enter")
    expect(page.locator("h1")).to_contain_text("held")
    rita.press("r")
    expect(page.get_by_label("Why it may be sent")).to_be_focused()
    page.keyboard.type("he asked on the phone")
    rita.press("Enter")
    expect(page.get_by_text("waits for a second")).to_be_visible()
    anna.press("g", "a")
    expect(anna.page.get_by_role("button", name=re.compile("^Sign"))).to_be_visible()
    anna.press("s")
    expect(anna.page.locator("tr.chosen")).to_have_count(1)
    anna.press("s", "Enter")
    expect(anna.page.locator("#part").get_by_text("done", exact=True).first).to_be_visible()
    rita.press("g", "q")
    expect(page.get_by_text("Nothing waits.")).to_be_visible()
    said = [d["leading"] for d in desk.do(desk.decisions())]
    assert said.count("RELEASED") == 1
    rita.leave()
    anna.leave()


def test_letters_do_nothing_to_an_item_that_nobody_chose(browser: Browser, desk: Listening) -> None:
    """Nor while somebody writes, nor to the next one when the chosen one goes."""
    for n in (1, 2):
        desk.do(desk.held_offer(f"cl-{n}", f"of-{n}"))
    rita, rolf = Person(browser, desk, "rita"), Person(browser, desk, "rolf")
    rows = rita.page.locator("tr[data-item]")
    rita.press("/")
    rita.page.keyboard.type("ajjx")
    expect(rita.page.locator("#ref")).to_have_value("ajjx")
    rita.press("Escape", "a")
    expect(rows.nth(0)).to_have_class("chosen")
    assert "rita" not in rows.nth(0).inner_text()
    gone = rita.focused()
    rolf.page.get_by_role("link", name=gone).click()
    expect(rolf.page.locator("h1")).to_contain_text("held")
    rolf.press("x")
    rolf.page.keyboard.type("not today")
    rolf.press("Enter")
    expect(rows).to_have_count(1)
    expect(rita.page.locator("tr.chosen")).to_have_count(0)
    rita.press("j", "a", "Enter")
    expect(rows.get_by_role("button", name="Let go")).to_be_visible()
    rita.leave()
    rolf.leave()


def test_no_letter_signs_takes_releases_or_refuses(browser: Browser, desk: Listening) -> None:
    """However often one is pressed: it leads to the button, or to what is to be said first, and no further."""
    desk.do(desk.held_offer())
    rita, anna = Person(browser, desk, "rita"), Person(browser, desk, "anna")
    sent: list[str] = []
    for person in (rita, anna):
        person.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    rita.press("a", "a", "a", "r", "x", "s")
    assert rita.focused() == "Take of-1 of cl-1"
    rita.page.get_by_role("link", name="of-1", exact=True).click()
    expect(rita.page.locator("h1")).to_contain_text("held")
    rita.press("s", "a", "a")
    assert rita.focused() == "Assign to me"
    for letter, label in (("r", "Why it may be sent"), ("x", "Why it is not sent")):
        rita.press(letter)
        expect(rita.page.get_by_label(label)).to_be_focused()
        rita.press("Escape")
    assert not sent
    rita.page.get_by_label("Why it may be sent").fill("he asked on the phone")
    rita.press("Enter")
    expect(rita.page.get_by_text("waits for a second")).to_be_visible()
    sent.clear()
    anna.page.goto("/acts")
    anna.press("s", "s", "s")
    assert anna.focused().startswith("Sign release of ")
    expect(anna.page.locator('form[data-form="s"]')).to_have_count(1)
    assert not sent and [d["leading"] for d in desk.do(desk.decisions())] == ["WINDOW_SOFT_LIMIT"]
    rita.leave()
    anna.leave()


def keys_work(page: Page, used: bool) -> None:
    """Of the letters that choose, act, go and help, each does something or none does."""
    for key in ("j", "a", "g", "?"):
        page.keyboard.press(key)
    expect(page.locator("tr.chosen")).to_have_count(1 if used else 0)
    expect(page.get_by_role("dialog")).to_have_count(1 if used else 0)
    page.keyboard.press("Escape")


def test_single_keys_are_switched_off_for_good(browser: Browser, desk: Listening) -> None:
    """For who dictates, or whose hand slips: on every page, in every tab, until they are switched on again."""
    desk.do(desk.held_offer())
    rita = Person(browser, desk, "rita")
    other = rita.context.new_page()
    for page, used in ((rita.page, False), (other, True)):
        for each in (rita.page, other):
            each.goto("/")
            each.evaluate("addEventListener('storage', () => { window.heard = true; })")
        page.get_by_role("button", name="Keys").click()
        expect(page.get_by_role("button", name="Close")).to_be_focused()
        page.get_by_role("checkbox", name="Use single keys").press("Space")
        page.keyboard.press("Escape")
        keys_work(page, used)
        apart = other if page is rita.page else rita.page
        apart.wait_for_function("window.heard === true")
        keys_work(apart, used)
        page.reload()
        keys_work(page, used)
    rita.leave()


def test_tab_goes_through_everything_and_the_focus_is_seen(browser: Browser, desk: Listening) -> None:
    """In the order of the page, with a ring, under nothing else; the first stop skips to the content."""
    fill(desk.engine, 60, desk.clock())
    rita = Person(browser, desk, "rita")
    rita.page.goto("/")
    rita.press("Tab")
    assert rita.focused() == "Skip to the content"
    seen: list[str] = []
    look = """() => {
        const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
        const top = document.elementFromPoint(box.x + Math.min(box.width, 20) / 2, box.y + box.height / 2);
        const shown = top && (e.contains(top) || top.contains(e));
        return [shown, style.outlineStyle, parseFloat(style.outlineWidth), e.matches("a, button, input, select")];
    }"""
    while len(seen) < 300:
        shown, style, width, known = rita.page.evaluate(look)
        name = rita.focused()
        assert shown and style != "none" and width >= 2 and known, (name, shown, style, width, known)
        seen.append(name)
        rita.press("Tab")
        if rita.page.evaluate("document.activeElement === document.body"):
            break
    at = [
        seen.index(name) for name in ("Skip to the content", "gate61", "Queue", "Acts", "Keys", "held", "cl-0", "of-0")
    ]
    assert at == sorted(at) and "Next page" in seen
    rita.page.goto("/")
    rita.press("Tab", "Enter", "Tab")
    assert rita.focused() == "held", "the link skips what is above the content"
    for _ in range(49):
        rita.press("j")
    for _ in range(49):
        rita.press("k")
        assert rita.page.evaluate(look)[0], f"{rita.focused()} is hidden"
    rita.leave()


def test_filters_are_links_and_stay_when_something_changes(browser: Browser, desk: Listening) -> None:
    """A filtered page has an address of its own; focus, chosen row and place survive what comes in."""
    for n in (1, 2, 3):
        desk.do(desk.held_offer(f"cl-{n}", f"of-{n}"))
    rita = Person(browser, desk, "rita")
    page, rows = rita.page, rita.page.locator("tr[data-item]")
    page.get_by_role("link", name="custody", exact=True).click()
    page.get_by_role("link", name="DE", exact=True).click()
    assert page.url == f"{desk.url}/?country=DE&service=custody"
    stays(page)
    rita.press("j", "j")
    chosen = rita.focused()
    desk.do(desk.held_offer("cl-4", "of-4"))
    expect(rows).to_have_count(4)
    assert rita.focused() == chosen
    expect(page.locator("tr.chosen")).to_contain_text(chosen)
    assert page.locator(".filters [aria-current]").all_inner_texts() == ["custody", "DE"]
    page.get_by_role("link", name="nobody", exact=True).focus()
    desk.do(desk.held_offer("cl-5", "of-5"))
    expect(rows).to_have_count(5)
    assert rita.focused() == "nobody" and stayed(page)
    page.get_by_role("button", name="Take of-5 of cl-5").focus()
    desk.do(desk.held_offer("cl-6", "of-6"))
    expect(rows).to_have_count(6)
    assert rita.focused() == "Take of-5 of cl-5" and stayed(page)
    page.goto("/?state=blocked")
    expect(page.get_by_text("Nothing waits under these filters.")).to_be_visible()
    rita.leave()


def test_a_reason_half_written_is_not_lost_when_something_changes(browser: Browser, desk: Listening) -> None:
    """Not even when the answer no longer stands: then that is said beside it."""
    desk.do(desk.held_offer())
    rita = Person(browser, desk, "rita")
    page = rita.page
    page.get_by_role("link", name="of-1").click()
    expect(page.locator("h1")).to_contain_text("held")
    rita.press("x")
    page.keyboard.type("the client said ")
    stays(page)
    late = {"by": "paid-friend", "rewarded": True}
    desk.do(desk.happens("referral.recorded", late, at="2026-03-01T12:00:00Z"))
    expect(page.locator("#head")).to_contain_text("This answer no longer stands.")
    page.keyboard.type("no")
    expect(page.get_by_label("Why it is not sent")).to_have_value("the client said no")
    assert stayed(page)
    rita.press("Enter")
    expect(page.locator("main")).to_contain_text("this answer no longer waits for anybody")
    rita.complaints = [c for c in rita.complaints if "409" not in c]
    rita.leave()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme_is_the_systems_until_somebody_chooses(browser: Browser, desk: Listening, system: str) -> None:
    """And then it is his, on every page, in every visit."""
    rita = Person(browser, desk, "rita", system)
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 27)"
    own, other = (light, dark) if system == "light" else (dark, light)
    assert rita.page.evaluate(ground) == own
    rita.page.get_by_role("button", name="Switch between light and dark").click()
    assert rita.page.evaluate(ground) == other
    rita.page.goto("/cases")
    assert rita.page.evaluate(ground) == other
    rita.page.get_by_role("button", name="Switch between light and dark").press("Enter")
    rita.page.reload()
    assert rita.page.evaluate(ground) == own
    rita.leave()


def test_the_keys_are_shown_on_the_page(browser: Browser, desk: Listening) -> None:
    """And letters do nothing behind the list."""
    rita = Person(browser, desk, "rita")
    rita.press("?")
    expect(rita.page.get_by_role("dialog", name="Keys")).to_be_visible()
    rita.press("g", "c")
    assert rita.page.url == f"{desk.url}/"
    rita.press("Escape")
    expect(rita.page.get_by_role("dialog", name="Keys")).to_be_hidden()
    rita.leave()


def test_without_scripts_there_are_no_buttons_that_need_them(browser: Browser, desk: Listening) -> None:
    """What the desk is for works all the same; theme and keys are what scripts do."""
    desk.do(desk.held_offer())
    page = browser.new_context(base_url=desk.url, java_script_enabled=False).new_page()
    page.goto("/sign-in")
    expect(page.locator("#theme, #help")).to_have_count(2)
    for button in page.locator("#theme, #help").all():
        expect(button).to_be_hidden()
    page.fill("#who", "rita")
    page.fill("#password", PASSWORD)
    page.click("button.go")
    page.get_by_role("button", name="Take of-1 of cl-1").click()
    expect(page.locator("h1")).to_contain_text("Offer of-1")
    page.goto("/")
    expect(page.locator("tr[data-item]")).to_contain_text("rita")
    page.context.close()


def test_who_is_signed_out_while_the_line_is_down_is_shown_the_door(browser: Browser, desk: Listening) -> None:
    """No word reaches the page, and its stream is refused from then on: it does not stay as if nothing were."""
    rita = Person(browser, desk, "rita")
    rita.page.route("**/live?*", lambda route: route.abort())
    rita.page.goto("/cases")
    expect(rita.page.locator("h1")).to_have_text("Cases")
    desk.desk.people.enable("rita", False, desk.clock())
    rita.page.unroute("**/live?*")
    expect(rita.page.locator("h1")).to_have_text("Sign in", timeout=15_000)
    rita.complaints = []  # The line that is down is what it complains of.
    rita.leave()


def test_who_is_signed_out_elsewhere_is_shown_the_door(browser: Browser, desk: Listening) -> None:
    """The open page hears of it with the next change."""
    rita = Person(browser, desk, "rita")
    desk.desk.people.enable("rita", False, desk.clock())
    desk.do(desk.held_offer())
    expect(rita.page.locator("h1")).to_have_text("Sign in")
    assert "of-1" not in rita.page.content()
    rita.complaints = [c for c in rita.complaints if "401" not in c and c != "[object Event]"]
    rita.leave()
