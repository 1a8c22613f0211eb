"""A desk that really listens, and people who sit before it in Chromium."""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from streams.desk.tables import position
from streams.stores import positions
from tests.desk.desks import PASSWORD, Office
from tests.runtime.process import wait_until

PROGRAM = "/usr/bin/chromium"
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"target-size": {"enabled": True}},
}
T = TypeVar("T")


class Listening(Office):
    """An office whose desk listens on a port and follows its gate by itself."""

    def __init__(self, folder: Path, store: str | None = None) -> None:
        super().__init__(folder, store)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2_000)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        config = uvicorn.Config(self.app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve(sockets=[self._listener]))

    def start(self) -> None:
        """Returns when it listens."""
        self._thread.start()
        wait_until(lambda: self._server.started, 10, "the desk does not listen")

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Something of the office, done where the desk runs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def hears(self) -> None:
        """The desk reads by itself; wait until it has read all."""
        logs = {"taken": self.intake.taken, "out": self.intake.out}
        for _ in range(1_000):
            last = {log: self.intake.run(partial(page, 0, 1)).result() for log, page in logs.items()}
            known = await asyncio.to_thread(positions, self.engine, position)
            if all(known.get(log, 1) > number for log, (_, number) in last.items()):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the desk does not read on")

    def stop(self) -> None:
        """Ends the server, then the office."""
        self._loop.call_soon_threadsafe(self.desk.live.end)
        self._server.should_exit = True
        self._thread.join(15)
        self._loop.close()
        self.close()


@contextmanager
def listening(folder: Path, store: str | None = None) -> Iterator[Listening]:
    """A desk that listens, for one story."""
    desk = Listening(folder, store)
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    """One Chromium."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Person:
    """Somebody in a browser of his own. What the browser complains of is in `complaints`."""

    def __init__(self, browser: Browser, desk: Listening, who: str = "", theme: Any = "light") -> None:
        self.desk = desk
        self.context: BrowserContext = browser.new_context(
            base_url=desk.url, color_scheme=theme, viewport={"width": 1400, "height": 900}
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(8_000)
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        if who:
            self.sign_in(who)

    def _heard(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning", "log"):  # Not what the browser would do otherwise in a form.
            self.complaints.append(said.text)

    def sign_in(self, who: str) -> None:
        """By the form, from the keyboard."""
        self.page.goto("/sign-in")
        expect(self.page.locator("#who")).to_be_focused()
        self.page.keyboard.type(who)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("h1")).to_have_text("Queue")

    def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def focused(self) -> str:
        """What has the focus: its accessible words or its name."""
        said = "e => e.getAttribute('aria-label') || e.innerText || e.name || e.id || e.tagName"
        return str(self.page.evaluate(f"({said})(document.activeElement)"))

    def axe(self) -> list[Any]:
        """What axe finds against WCAG 2.2 AA."""
        found = Axe().run(self.page, options=RULES).response
        assert found["passes"]
        return [(v["id"], v["nodes"][0]["html"], v["nodes"][0]["failureSummary"]) for v in found["violations"]]

    def leave(self) -> None:
        """Closes the browser; nothing was complained of in all that time."""
        self.context.close()
        assert not self.complaints, self.complaints
