"""What is open in browsers hears when something changed, and asks for it anew: server-sent events without content."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import suppress
from time import monotonic
from typing import Any, Final, TypeVar

HEARTBEAT_SECONDS: Final = 15.0
GATHER_SECONDS: Final = 0.25
"""Changes that follow each other so closely are told as one."""
STREAMS: Final = 2_000
"""So many may be open; a further one is asked to come back later."""
FRESH_SECONDS: Final = 2.0
KNOWN: Final = 1_000
T = TypeVar("T")


class Live:
    """Tells everyone who listens."""

    def __init__(self) -> None:
        self.number = 0
        self.listening = 0
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Something changed."""
        self.number += 1
        self._next.set()
        self._next = asyncio.Event()

    async def stream(self) -> AsyncIterator[bytes]:
        """The events of one browser, until it goes away."""
        self.listening += 1
        seen = self.number
        try:
            yield b"retry: 2000\n\n"
            while True:
                if seen == self.number:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._next.wait(), HEARTBEAT_SECONDS)
                if seen == self.number:
                    yield b": nothing new\n\n"
                    continue
                await asyncio.sleep(GATHER_SECONDS)
                seen = self.number
                yield b"event: changed\ndata: %d\n\n" % seen
        finally:
            self.listening -= 1


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
