"""Which scopes were said to be closed, when policies change: each is once, by the hard limit that was in force then.

What is remembered is up to when scopes are closed under the present hard limit, and under each one before it. So no scope
is said again because a policy lengthens the window, nor forgotten because one shortens it. What opened so long ago that one
of these had shut it counts as closed, whenever its request comes: it is said to be closed as soon as it does.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gate.dossier import BEFORE_EVERYTHING
from gate.facts import Instant


class Limit(NamedTuple):
    """A hard limit that was in force, and up to when scopes were closed by it."""

    hard: Instant
    until: Instant


class Closings(NamedTuple):
    """Up to when scopes are closed."""

    until: Instant = BEFORE_EVERYTHING
    """By the hard limit in force."""
    former: tuple[Limit, ...] = ()

    def told(self, opened: Instant, hard_limit: Instant) -> bool:
        """Whether a scope opened then was said to be closed; `hard_limit` is the one in force."""
        return opened + hard_limit <= self.until or self.shut(opened) is not None

    def shut(self, opened: Instant) -> Instant | None:
        """When a scope opened then closed by a hard limit that is in force no more; None if none of these passed."""
        return next((opened + f.hard for f in self.former if opened + f.hard <= f.until), None)

    def under(self, hard_limit: Instant, before: Instant) -> "Closings":
        """What holds from a change of the hard limit on; `before` is what it was."""
        return self if hard_limit == before else Closings(BEFORE_EVERYTHING, (*self.former, Limit(before, self.until)))


def limits_to_bytes(former: Sequence[Limit]) -> bytes:
    """Hard limits that were in force before, as they are noted."""
    return b" ".join(b"%d:%d" % limit for limit in former)


def limits_from_bytes(noted: bytes | None) -> tuple[Limit, ...]:
    """What is noted; raises `ValueError` for anything else."""
    return tuple(Limit(*map(int, limit.split(b":", 1))) for limit in (noted or b"").split())
