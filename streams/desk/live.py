"""What is open in browsers hears when something changed, and asks for it anew: server-sent events without content."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import suppress
from secrets import randbits
from time import monotonic
from typing import Any, Final, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

HEARTBEAT_SECONDS: Final = 15.0
GATHER_SECONDS: Final = 0.25
"""Changes that follow each other so closely are told as one."""
PAUSE_SECONDS: Final = 0.75
"""After a word, what changes in this time waits for the next: no page is asked for anew more than once a second."""
STREAMS: Final = 2_000
"""So many may be open; a further one is asked to come back later."""
FRESH_SECONDS: Final = 2.0
KNOWN: Final = 1_000
T = TypeVar("T")


class Live:
    """Tells everyone who listens."""

    def __init__(self) -> None:
        self.number = randbits(48)
        """What changed last. It begins anywhere, so that a desk started again does not seem to have changed nothing."""
        self.listening = 0
        self._over = False
        self._next = asyncio.Event()

    def end(self) -> None:
        """The desk stops: all streams end, and browsers come again when it is back."""
        self._over = True
        self.ring()

    def ring(self) -> None:
        """Something changed. For the loop that streams wait in; RuntimeError in another thread, which would break its waits."""
        asyncio.get_running_loop()
        self.number += 1
        self._next.set()
        self._next = asyncio.Event()

    async def stream(self, seen: int | None = None) -> AsyncIterator[bytes]:
        """The events of one browser, until it goes away; `seen` is the last change that its page shows."""
        self.listening += 1
        seen = self.number if seen is None else seen
        try:
            yield b"retry: 2000\n\n"
            while not self._over:
                if seen == self.number:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._next.wait(), HEARTBEAT_SECONDS)
                if seen == self.number:
                    yield b": nothing new\n\n"
                    continue
                await asyncio.sleep(GATHER_SECONDS)
                seen = self.number
                yield b"event: changed\ndata: %d\n\n" % seen
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self.listening -= 1


class Seen:
    """Notes with each request what had changed by then: what is read for it afterwards is no older."""

    def __init__(self, app: ASGIApp, live: Live) -> None:
        self._app, self._live = app, live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["seen"] = self._live.number
        await self._app(scope, receive, send)


class Recent:
    """What was looked up since the last change: when many browsers ask at once, the store is asked once."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._known: dict[Hashable, tuple[int, float, Any]] = {}

    def get(self, key: Hashable, look: Callable[[], T]) -> T:
        """What `look` finds, or found since the last change and within `FRESH_SECONDS`."""
        number, at = self._live.number, monotonic()
        known = self._known.get(key)
        if known is not None and known[0] == number and at - known[1] < FRESH_SECONDS:
            found: T = known[2]
            return found
        found = look()
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[key] = (number, at, found)
        return found
