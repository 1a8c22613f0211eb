"""Every reference that the contract allows leads to its client's file, in a browser as well."""

from pathlib import Path

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from tests.desk.chromium import Person, listening

REFERENCES = ("..", ".", "/", "a/", "a/../b", "./", "../", "//x.example/", "x/file", ":", "@", "-")


def test_every_file_opens_and_is_worked_on(browser: Chromium, tmp_path: Path) -> None:
    """From the queue to the file, a filing there, and back, though browsers resolve paths."""
    with listening(tmp_path) as desk:
        for n, reference in enumerate(REFERENCES):
            offer = {"offer": f"of-{n}", "service": "custody", "channel": "email", "content": "offer"}
            desk.do(desk.happens("offer.proposed", offer, client=reference))
        desk.do(desk.hears())
        anna = Person(browser, desk, "anna")
        page = anna.page
        for reference in REFERENCES:
            page.goto("/")
            page.locator("td.num a").get_by_text(reference, exact=True).click()
            expect(page.locator("h1")).to_have_text(f"Client {reference}")
            page.get_by_text("File evidence").click()
            page.locator("#f-evidence").fill("ev-9")
            page.get_by_role("button", name="File", exact=True).click()
            expect(page.locator("h1")).to_have_text(f"Client {reference}")
            expect(page.locator("#acts")).to_contain_text("ev-9")
            with page.expect_response(lambda answer: "hx-request" in answer.request.headers) as part:
                desk.do(
                    desk.happens("client.asked", {"channel": "chat"}, client=reference)
                )  # The part of the page that changes is asked for anew.
            assert part.value.status == 200, part.value.url
            page.get_by_label("Client reference").fill(reference)
            page.get_by_label("Client reference").press("Enter")
            expect(page.locator("h1")).to_have_text(f"Client {reference}")
        assert not anna.complaints
