"""A real browser on its way to the provider and back, under the desk's own policy for content."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.desk.access.conftest import Firm
from tests.desk.access.idp import Idp, listening
from tests.serving.service import Clock

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def here(idp: Idp, clock: Clock, tmp_path: Path) -> Iterator[tuple[Firm, str]]:
    """The desk on this machine's loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    firm = Firm(idp, clock, tmp_path / "desk.db", url)
    with listening(firm.app, listener):
        yield firm, url
    firm.engine.dispose()


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def test_there_and_back_and_out(here: tuple[Firm, str], page: Page) -> None:
    """Nothing on the way is stopped by the policy, neither in nor out; axe has no complaint of the page."""
    firm, url = here
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(f"{url}/acts")
    assert page.url.startswith(f"{url}/sign-in")
    found = Axe().run(page, options=RULES).response
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
    page.get_by_role("link", name="Sign in with the provider").click()
    page.wait_for_url(f"{url}/acts")
    assert page.get_by_role("link", name="Rita Reviewer").is_visible()
    assert {c["name"] for c in page.context.cookies()} == {"gate61"}
    page.goto(f"{url}/me")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{url}/sign-in")
    assert page.context.cookies() == [] and complaints == []
    page.get_by_role("link", name="sign out at the provider").click()
    page.wait_for_url(f"{firm.idp.issuer}/end_session?**")
