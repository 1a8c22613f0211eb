"""Every page, in both themes, under axe with all rules of WCAG 2.2 AA: no violation."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from streams.feed import FeedTrouble, Told
from tests.desk.chromium import Listening, Person, listening


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """A desk on which every kind of thing lies: held, released, blocked, refused, evidence, a case, acts, a reject."""
    with listening(tmp_path_factory.mktemp("desk")) as opened:
        opened.desk.people.add("all", "All", frozenset(("approver", "auditor", "admin")), "a word of many words", 0)  # type: ignore[arg-type]
        yield opened


async def busy(desk: Listening) -> None:
    for n in range(1, 5):
        await desk.held_offer(f"cl-{n}", f"of-{n}")
    await desk.happens("client.asked", {"channel": "chat"}, at="2026-03-02T12:00:00Z")
    plan = {"offer": "of-9", "service": "advice", "channel": "email", "content": "offer", "product": "plan"}
    await desk.happens("offer.proposed", plan)
    event = {"specversion": "1.0", "id": "bad", "source": "//x", "type": "gate61.offer.proposed.v1", "subject": "cl-1"}
    assert (await desk.sender.send({**event, "time": "2026-03-03T12:00:00Z", "data": {}})).status == "rejected"
    await desk.hears()


def look(person: Person, path: str, heading: str) -> None:
    """Axe finds nothing on the page, nor with every fold of it open."""
    person.page.goto(path)
    expect(person.page.locator("h1")).to_contain_text(heading)
    assert person.axe() == [], path
    folds = person.page.locator("details")
    if folds.count():
        folds.evaluate_all("all => all.forEach((each) => { each.open = true; })")
        assert person.axe() == [], f"{path}, unfolded"


def sign_in(person: Person) -> None:
    person.page.locator("#who").fill("all")
    person.page.locator("#password").fill("a word of many words")
    person.press("Enter")
    expect(person.page.locator("h1")).to_have_text("Queue")


EMPTY = (("/cases", "Cases"), ("/acts", "Acts"), ("/heat", "Held"), ("/types", "Asked"), ("/reads", "Who read"))
FULL = (
    *EMPTY,
    ("/health", "Sources"),
    ("/me", "All"),
    ("/people", "People"),
    ("/cases?closed=true", "Cases"),
    ("/clients/cl-1", "Client cl-1"),
    ("/clients/nobody", "Not found"),
    ("/nothing", "Not found"),
    ("/?country=XX", "Queue"),
    ("/?state=held&service=custody", "Queue"),
)


def test_axe_finds_nothing(browser: Browser, desk: Listening) -> None:
    themes = ("light", "dark")
    people = [Person(browser, desk, theme=theme) for theme in themes]
    for person in people:
        look(person, "/sign-in", "Sign in")
        person.page.locator("#who").fill("nobody")
        person.page.locator("#password").fill("nothing")
        person.press("Enter")
        expect(person.page.locator("#wrong")).to_be_visible()
        assert person.axe() == []
        sign_in(person)
        look(person, "/", "Queue")
        for path, heading in EMPTY:
            look(person, path, heading)
    desk.do(busy(desk))
    rita = Person(browser, desk, "rita")
    rita.page.get_by_role("link", name="of-1", exact=True).click()
    rita.page.get_by_label("Why it may be sent").fill("he waits for it")
    rita.page.get_by_role("button", name="Ask for release").click()
    expect(rita.page.get_by_text("waits for a second")).to_be_visible()
    rita.page.goto("/")
    rita.page.get_by_role("link", name="of-2", exact=True).click()
    rita.page.get_by_label("Why it is not sent").fill("not today")
    rita.page.get_by_role("button", name="Refuse").click()
    expect(rita.page.get_by_text("done", exact=True)).to_be_visible()
    for person in people:
        look(person, "/acts", "Acts")
    people[0].page.get_by_role("button", name="Sign").click()
    expect(people[0].page.get_by_text("done", exact=True).first).to_be_visible()
    late = {"by": "paid-friend", "rewarded": True}
    desk.do(desk.happens("referral.recorded", late, at="2026-03-01T12:00:00Z"))
    desk.do(desk.hears())
    for person in people:
        for path, heading in FULL:
            look(person, path, heading)
        look(person, "/", "Queue")
        person.press("j")
        expect(person.page.locator("tr.chosen")).to_have_count(1)
        assert person.axe() == [], "a row is chosen"
        person.press("?")
        assert person.axe() == [], "the keys are shown"
        person.press("Escape")
        for path in person.page.locator("a.open").evaluate_all("all => all.map((a) => a.getAttribute('href'))"):
            look(person, path, "Offer")
        for link in ("of-1", "of-2", "of-3"):
            look(person, f"/decisions/{chain(desk, link)}", "Offer")
        person.page.goto("/cases")
        look(person, person.page.locator("a.open").first.get_attribute("href") or "", "")
    vera = Person(browser, desk, "vera")
    for theme in themes:
        vera.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        look(vera, "/people", "Not for you")
    narrow = people[0].page
    narrow.set_viewport_size({"width": 380, "height": 800})
    look(people[0], "/", "Queue")
    look(people[0], "/clients/cl-1", "Client cl-1")
    narrow.goto("/")
    desk.do(trouble(desk))
    expect(narrow.get_by_text("The logs are not read")).to_be_visible(timeout=30_000)
    look(people[0], "/", "Queue")
    expect(narrow.get_by_text("The logs are not read")).to_be_visible()


async def trouble(desk: Listening) -> None:
    """From now on the gate does not answer."""

    async def nothing(seconds: float) -> list[Told]:
        raise FeedTrouble("the gate does not answer")

    desk.desk.feed.next = nothing  # type: ignore[method-assign]


def chain(desk: Listening, offer: str) -> str:
    """The first answer to an offer."""
    return next(str(d["decision"]) for d in desk.do(desk.decisions()) if d["offer"] == offer)
