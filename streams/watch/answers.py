"""Flagged offers as they are watched: what is read of an answer, which are wanted, which were seen before.

A decision record can appear more than once, always the same bytes (design, the promise): what repeats a `decision` id is
dropped. Only so many ids are remembered; copies come within a batch of each other.
"""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

from gate.facts import Instant
from gate.people import releasable
from streams.border.wire import instant_of

REMEMBERED: Final = 100_000
"""Ids of decisions: more than the batches of all partitions that a crash can repeat."""
NOWHERE: Final = "NONE"
"""As a country: of clients whom nothing locates."""
DECIDED: Final = "gate61.offer.decided.v1"
Zoned = Annotated[datetime, msgspec.Meta(tz=True)]


class Why(msgspec.Struct, frozen=True):
    """A reason."""

    code: str
    said: str
    verdict: str = ""
    law: str = ""
    facts: tuple[str, ...] = ()


class Window(msgspec.Struct, frozen=True):
    """The window of the request that the offer leans on."""

    service: str
    opened_at: Zoned
    soft_until: Zoned
    hard_until: Zoned
    asset: str | None = None
    state: str = ""


class Initiation(msgspec.Struct, frozen=True):
    """Whose initiative it was, and on what proof."""

    state: str
    grade: str = ""
    evidence: tuple[str, ...] = ()


class Cause(msgspec.Struct, frozen=True):
    """The fact that forced a later answer."""

    id: str


class Policy(msgspec.Struct, frozen=True):
    """What it was judged by."""

    version: str
    digest: str


class Flagged(msgspec.Struct, frozen=True):
    """An answer that holds, blocks, or was let go by two people (contract section 4, `offer.decided`)."""

    decision: str
    client: str
    offer: str
    verdict: str
    may_send: bool
    leading: str
    reasons: tuple[Why, ...]
    recorded_at: Zoned
    send_by: Zoned | None = None
    supersedes: str | None = None
    countries: tuple[str, ...] = ()
    scope: Window | None = None
    initiation: Initiation | None = None
    at: Zoned | None = None
    """When it would be sent."""
    because: Cause | None = None
    policy: Policy | None = None
    offered: str | None = msgspec.field(default=None, name="service")
    """The offer's own service; a block of what could not be read may not know it."""
    cut: bool = False
    """Whether sentences and ids were left out, as its topic takes no more."""

    @property
    def state(self) -> str:
        """`held`, `blocked` or `released`."""
        return "released" if self.may_send else "held" if self.verdict == "flag" else "blocked"

    @property
    def said(self) -> str:
        """The leading reason as a sentence."""
        return next((r.said for r in self.reasons if r.code == self.leading), "")

    @property
    def recorded(self) -> Instant:
        """When the gate had to answer."""
        return instant_of(self.recorded_at)

    @property
    def until(self) -> Instant | None:
        """Until when it may be sent; None for no limit, or where it may not be sent."""
        return None if self.send_by is None else instant_of(self.send_by)

    @property
    def hard_until(self) -> Instant | None:
        """Until when people may release it; None where nobody may, or there is no window."""
        open = releasable(self.verdict, [reason.code for reason in self.reasons])
        return instant_of(self.scope.hard_until) if open and self.scope is not None else None

    @property
    def service(self) -> str:
        """Of the offer; of an answer that does not say it, of the request that it leans on."""
        return self.offered or ("" if self.scope is None else self.scope.service)


class _Event(msgspec.Struct, frozen=True):
    type: str
    data: Flagged


_decoder = msgspec.json.Decoder(_Event)


def read(value: bytes | None) -> Flagged | None:
    """The answer in a record; None if it is none."""
    try:
        event = _decoder.decode(value or b"")
        return event.data if event.type == DECIDED and event.data.recorded >= 0 else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


class Wanted(msgspec.Struct, frozen=True):
    """Which answers; what is empty wants all."""

    reasons: frozenset[str] = frozenset()
    """Any of an answer's codes, not only the leading one."""
    countries: frozenset[str] = frozenset()
    """Wherever the client was ever located; `NOWHERE` for clients whom nothing locates."""
    clients: frozenset[str] = frozenset()

    def takes(self, flagged: Flagged) -> bool:
        """Whether the answer is one of those."""
        return (
            (not self.reasons or _meet(self.reasons, (r.code for r in flagged.reasons)))
            and (not self.countries or _meet(self.countries, flagged.countries or (NOWHERE,)))
            and (not self.clients or flagged.client in self.clients)
        )


def _meet(wanted: frozenset[str], found: Iterable[str]) -> bool:
    return not wanted.isdisjoint(found)


class Watched:
    """What was seen so far."""

    def __init__(self, wanted: Wanted, remembered: int = REMEMBERED) -> None:
        self._wanted = wanted
        self._remembered = remembered
        self._seen: OrderedDict[bytes, bool] = OrderedDict()

    def take(self, flagged: Flagged) -> bool:
        """Whether to show it: wanted and no copy, or it replaces one that was shown, which then no longer stands."""
        id = digest(flagged.decision)
        if id in self._seen:
            return False
        replaces = flagged.supersedes is not None and self._seen.get(digest(flagged.supersedes), False)
        shown = self._wanted.takes(flagged) or replaces
        self._seen[id] = shown
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return shown


def digest(decision: str) -> bytes:
    """Ids are short, but who wrote them is not checked."""
    return blake2b(decision.encode("utf-8", "surrogatepass"), digest_size=12).digest()
