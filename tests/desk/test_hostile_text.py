"""Text that would like to run, in every field that may hold free text: it is shown as it is, and runs nowhere."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.desk.chromium import Listening, Person, listening
from tests.desk.desks import Office
from tests.stories.telling import Event

SCRIPT = "<script>window.pwned=1</script>"
IMAGE = "\"><img src=x onerror='window.pwned=2'>"
TEMPLATE = "{{7*7}}${7*7}<%= 7*7 %>"
UNSEEN = "\u202egnp.exe\u2066\u0000\u0007\u001b[31m\u2028\ufeff\u200d"
ALL = f"{SCRIPT}{IMAGE}{TEMPLATE}{UNSEEN}</textarea></title></pre></svg><svg onload=window.pwned=3>"
REFERENCE = "javascript:window.pwned/4"
"""As much of it as an id may hold."""
LOOK = """() => ({
    pwned: window.pwned,
    scripts: [...document.scripts].map((s) => [new URL(s.src).pathname, s.textContent]),
    handlers: [...document.querySelectorAll("*")].flatMap((e) => e.getAttributeNames().filter((n) => n.startsWith("on"))),
    links: [...document.querySelectorAll("[href], [xlink\\\\:href], [src], [action], [hx-get], [hx-post]")].flatMap((e) =>
        ["href", "xlink:href", "src", "action", "hx-get", "hx-post"].map((n) => e.getAttribute(n)).filter(Boolean)),
    strange: document.querySelectorAll("img, iframe, object, embed, base, style, [style]").length,
})"""


async def hostile(desk: Listening) -> None:
    """A client whose file is full of it, in all that the contract leaves open."""
    client = REFERENCE
    await desk.held_offer(client, f"{REFERENCE}/of")
    for kind, data in (
        ("client.declared", {"claim": "own_initiative", "text_version": ALL}),
        ("client.asked", {"channel": ALL}),
        ("referral.recorded", {"by": REFERENCE, "rewarded": False, "code": ALL}),
        ("relationship.changed", {"state": "exempt", "by": REFERENCE, "reason": ALL, "second": "st-2"}),
        ("evidence.filed", {"evidence": REFERENCE, "supports": "initiation", "kind": "inbound_email", "by": "st-1"}),
        ("evidence.retracted", {"evidence": REFERENCE, "by": "st-1", "second": "st-2", "reason": ALL}),
        ("firm.contacted", {"by": REFERENCE, "means": "email", "content": "education"}),
    ):
        await desk.happens(kind, data, at="2026-03-02T06:00:00Z", client=client)
    things: tuple[Event, ...] = ({"asset": REFERENCE}, {"product": REFERENCE}, {"asset": REFERENCE, "link": True})
    for n, thing in enumerate(things):
        offer = {"offer": f"{REFERENCE}/{n}", "service": "custody", "channel": ALL, "content": "offer", **thing}
        await desk.happens("offer.proposed", offer, client=client)
    asset = {"asset": REFERENCE, "class": "other", "technology": ALL, "type_group": ALL, "dti": ALL}
    await desk.happens("asset.classified", asset, client=REFERENCE)
    campaign = {"campaign": REFERENCE, "by": "firm", "kind": "press", "countries": "*", "languages": [ALL]}
    await desk.happens("campaign.started", campaign, client=REFERENCE)
    source = f"//x/{SCRIPT}".replace(" ", "")
    spoilt: tuple[Event, ...] = (
        {"id": ALL, "data": {}},
        {"type": ALL},
        {"source": source, "data": {ALL: ALL, "offer": ALL}},
    )
    for spoiled in spoilt:
        event: Event = {"specversion": "1.0", "id": "r1", "source": "//x", "type": "gate61.offer.proposed.v1"}
        event |= {"subject": client, "time": "2026-03-03T12:00:00Z", "data": {}, **spoiled}
        assert (await desk.sender.send(event)).status == "rejected"
    await desk.hears()


def seen(person: Person, path: str) -> str:
    """The text of a page on which nothing ran and nothing can."""
    answer = person.page.goto(path)
    assert answer is not None and "default-src 'none'" in answer.headers["content-security-policy"]
    found: dict[str, Any] = person.page.evaluate(LOOK)
    assert found["pwned"] is None and not found["handlers"] and not found["strange"], (path, found)
    assert all(where.startswith("/static/") and not text for where, text in found["scripts"]), (path, found["scripts"])
    assert all(re.match(r"[/#?]", link) for link in found["links"]), (path, found["links"])
    return person.page.locator("body").inner_text()


async def test_a_file_is_shown_however_deep_and_long_what_it_holds_is(tmp_path: Path) -> None:
    """In fields that nobody knows, and up to what an event may have."""
    deep: Any = 10**4_299
    for _ in range(248):
        deep = [{"a": deep}]
    desk = Office(tmp_path)
    await desk.happens("client.located", {"indicator": "ip", "country": "DE", "x": deep})
    await desk.hears()
    page = await (await desk.signed_in("rita")).http.get("/clients/cl-1")
    desk.close()
    assert page.status_code == 200 and "x (a (a …))" in page.text


def test_nothing_runs_whatever_a_field_holds(browser: Browser, tmp_path: Path) -> None:
    """Not on any page, for people who see all of them; the text is there to be read, letter by letter."""
    with listening(tmp_path) as desk:
        desk.do(hostile(desk))
        desk.desk.people.add("root", ALL, frozenset(("approver", "auditor", "admin")), "a word of many words", 0)  # type: ignore[arg-type]
        anna = Person(browser, desk, "anna")
        page = anna.page
        page.get_by_role("link", name=f"{REFERENCE}/of", exact=True).click()
        page.get_by_label("Why it may be sent").fill(ALL.replace("\x00", ""))
        page.get_by_role("button", name="Ask for release").click()
        page.get_by_text("waits for a second").wait_for()
        decision = page.url.partition("#")[0].removeprefix(desk.url)
        page.get_by_label("Why it is not sent").fill(ALL.replace("\x00", ""))
        page.get_by_role("button", name="Refuse").click()
        page.get_by_text("done", exact=True).wait_for()
        client = f"/clients/{REFERENCE.replace('/', '%2F')}"
        text = seen(anna, client)
        for part in (SCRIPT, "onerror='window.pwned=2'", TEMPLATE):
            assert part in text, part
        assert TEMPLATE in seen(anna, "/acts") and REFERENCE in seen(anna, decision)
        queue = seen(anna, "/")
        assert REFERENCE in queue
        decisions = page.locator("a.open").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
        assert len(decisions) >= 3
        for path in decisions:
            seen(anna, path)
        for path in ("/heat", "/types", "/cases", "/cases?closed=true", "/me"):
            seen(anna, path)
        assert SCRIPT in seen(anna, "/health")
        for path in ("/sign-in", "/", "/clients", "/reads", "/decisions/", "/cases/", "/clients/", "/nothing/"):
            for word in (SCRIPT, IMAGE, "javascript:window.pwned=5", TEMPLATE, UNSEEN):
                given = page.evaluate("encodeURIComponent", word)
                if path.endswith("/") and path != "/":
                    seen(anna, f"{path}{given}")
                else:
                    seen(anna, f"{path}?" + "&".join(f"{n}={given}" for n in ("next", "ref", "who", "state", "reason")))
        anna.context.clear_cookies()
        page.goto(f"/sign-in?next={page.evaluate('encodeURIComponent', 'javascript:window.pwned=6')}")
        page.locator("#who").fill(IMAGE)
        page.locator("#password").fill(SCRIPT)
        page.keyboard.press("Enter")
        page.get_by_text("There is no such person").wait_for()
        assert page.locator("#who").input_value() == IMAGE
        page.locator("#who").fill("root")
        page.locator("#password").fill("a word of many words")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Queue").wait_for()
        assert page.url == f"{desk.url}/"
        assert SCRIPT in seen(anna, "/people") and SCRIPT in seen(anna, "/me") and REFERENCE in seen(anna, "/reads")
        said = [line for line in anna.complaints if "the server responded with a status of 4" not in line]
        assert not said, said
        anna.complaints.clear()
        anna.leave()


def test_what_is_told_to_scripts_is_no_script(browser: Browser, tmp_path: Path) -> None:
    """Configuration that stands in pages cannot be changed from a field: the page's own attributes hold no free text."""
    with listening(tmp_path) as desk:
        desk.do(hostile(desk))
        vera = Person(browser, desk, "vera")
        seen(vera, f"/clients/{REFERENCE.replace('/', '%2F')}")
        names = "e => [...e.querySelectorAll('*')].flatMap((x) => x.getAttributeNames())"
        found = set(vera.page.locator("html").evaluate(names))
        own = {name for name in found if name.startswith(("hx-", "sse-", "data-"))}
        assert own <= {"hx-ext", "sse-connect", "hx-get", "hx-select", "hx-select-oob", "hx-trigger", "hx-swap"} | {
            "data-key",
            "data-focus",
            "data-item",
        }, own
        assert (
            json.loads(vera.page.locator("meta[name=htmx-config]").get_attribute("content") or "")["allowEval"] is False
        )
        vera.leave()
