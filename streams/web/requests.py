"""Bodies of requests, no larger and no slower than allowed, and not too many large ones in memory at one time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from fastapi import Request

from streams.web.problems import Problem

BODY_SECONDS: Final = 20
SMALL: Final = 64 * 1024
"""Bytes of a body that are read before it needs a place: about what the server reads ahead of any request."""
AT_ONCE: Final = 32
"""Large bodies in memory at one time; others wait for a place."""


async def body_of(request: Request, limit: int) -> bytes:
    """The whole body, at most so many bytes; a Problem otherwise."""
    reading = _Reading(request, limit)
    await reading.beyond(limit)
    return bytes(reading.body)


class Room:
    """Places for large bodies. A small one needs none, so whoever sends slowly keeps nobody out who sends little."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def body_of(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """See `body_of`. A large one has its place until what is made of it is no longer needed."""
        reading = _Reading(request, limit)
        async with AsyncExitStack() as held:
            if await reading.beyond(SMALL):
                await held.enter_async_context(self._places)
                await reading.beyond(limit)
            yield bytes(reading.body)


class _Reading:
    """A body as far as it was read."""

    def __init__(self, request: Request, limit: int) -> None:
        for coding in request.headers.getlist("content-encoding"):
            if coding.lower() != "identity":
                raise Problem(415, f"content coding {coding.lower()[:32]!a} is not taken; send the body as it is")
        self.body = bytearray()
        self._parts, self._limit = request.stream(), limit

    async def beyond(self, size: int) -> bool:
        """Read on to its end, or until there is more than that; which of them it was. It has its time from now on."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in self._parts:
                    self.body += part
                    if len(self.body) > self._limit:
                        raise Problem(413, f"this request has at most {self._limit} bytes; nothing of it was taken")
                    if len(self.body) > size:
                        return True
        except TimeoutError:
            raise Problem(408, f"the body was not complete after {BODY_SECONDS} s; nothing of it was taken") from None
        return False
