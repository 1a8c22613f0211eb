"""Bodies of requests, no larger and no slower than allowed."""

import asyncio
from typing import Final

from fastapi import Request

from streams.web.problems import Problem

BODY_SECONDS: Final = 20


async def body_of(request: Request, limit: int) -> bytes:
    """The whole body, at most so many bytes; a Problem otherwise."""
    coding = request.headers.get("content-encoding", "identity").lower()
    if coding != "identity":
        raise Problem(415, f"content coding {coding[:32]!a} is not taken; send the body as it is")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise Problem(413, f"this request has at most {limit} bytes; nothing of it was taken")
                parts.append(part)
    except TimeoutError:
        raise Problem(408, f"the body was not complete after {BODY_SECONDS} s; nothing of it was taken") from None
    return b"".join(parts)
