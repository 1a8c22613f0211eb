"""Answers that were published and that the state no longer knows of: Redis went back. They are given again as they were.

Each answer says in a header how far every log was applied when it was given. Where brokers' clocks differ, a record may
have been appended later with an earlier time; judged again in the order of times it would come first, and the same
answer would say something else. So until the latest published answer is reached, the logs are applied as far as the
answers say, one after the other (design section 3, assignment).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

HEADER: Final = "gate61.read"
"""Header of an answer: by `Log`, the offset after what was applied when it was given, with dots between."""
FIRST_LOOK: Final = 64
"""Records looked at first, from the end; four times as many with every further look."""

Bound = tuple[int, int, int, int]
"""By `Log`, the offset after what is applied."""
Headers = Sequence[tuple[str, bytes | None]]


def written(bound: Sequence[int]) -> bytes:
    """As the header says it."""
    return b"%d.%d.%d.%d" % (bound[0], bound[1], bound[2], bound[3])


def bound_of(headers: Headers) -> Bound | None:
    """What an answer says of how far the logs were applied; None if it does not."""
    for name, value in headers:
        parts = (value or b"").split(b".") if name == HEADER else []
        if len(parts) == 4 and all(part.isdigit() and len(part) < 20 for part in parts):
            return int(parts[0]), int(parts[1]), int(parts[2]), int(parts[3])
    return None


def reached(place: Sequence[int], bound: Bound) -> bool:
    """Whether every log is applied as far."""
    return all(here >= there for here, there in zip(place, bound, strict=False))


async def unknown_to(
    place: Sequence[int], first: int, end: int, fetch: Callable[[int, int], Awaitable[Sequence[Headers]]]
) -> list[Bound]:
    """The bounds of answers beyond a place, in order; `fetch` gets the headers of answers from one offset to another.

    Answers stand in the order in which they were given but for copies, so that one within the place ends the search.
    """
    found: set[Bound] = set()
    look = FIRST_LOOK
    while end > first:
        begin = max(first, end - look)
        bounds = [bound for headers in await fetch(begin, end) if (bound := bound_of(headers)) is not None]
        beyond = [bound for bound in bounds if not reached(place, bound)]
        found.update(beyond)
        if len(beyond) < len(bounds):
            break
        end, look = begin, 4 * look
    return sorted(found)
