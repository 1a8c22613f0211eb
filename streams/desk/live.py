"""What is open in browsers hears when something changed, and asks for it anew: server-sent events without content."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

HEARTBEAT_SECONDS: Final = 15.0
GATHER_SECONDS: Final = 0.25
"""Changes that follow each other so closely are told as one."""
STREAMS: Final = 2_000
"""So many may be open; a further one is asked to come back later."""


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
