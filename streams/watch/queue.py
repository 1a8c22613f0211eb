"""The queue on a screen: what is held or blocked and stands, held before blocked, the latest first, as on the desk.

Whatever replaces an answer takes it off the list, and what became of it is told.
"""

from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from gate.instants import text
from streams.watch.answers import NOWHERE, REMEMBERED, Flagged, Wanted, digest

KEPT: Final = 10_000
"""Answers on the list; of more the last in its order fall off, and are counted."""
_Place = tuple[bool, int, str]


class Shown(Struct, frozen=True):
    """What is to be seen of the queue."""

    wanted: Wanted = Wanted()
    state: str = ""
    """`held` or `blocked`; empty for both."""
    words: str = ""
    """Every word must stand somewhere in an answer."""

    def takes(self, flagged: Flagged) -> bool:
        """Whether an answer is to be seen."""
        if (self.state and flagged.state != self.state) or not self.wanted.takes(flagged):
            return False
        if not self.words:
            return True
        names = (flagged.client, flagged.offer, flagged.decision, flagged.service, flagged.said)
        said = " ".join((*names, *flagged.countries, *(r.code for r in flagged.reasons))).casefold()
        return all(word in said for word in self.words.casefold().split())


class Queue:
    """What stands now."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        """Of ids of decisions: copies are dropped, and what comes after it was replaced."""
        self._open: dict[str, Flagged] = {}
        self._order: list[_Place] = []
        self.dropped = 0
        """How many fell off the end of the list."""

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Flagged]:
        return (self._open[id] for _, _, id in self._order)

    def take(self, flagged: Flagged) -> str:
        """Take an answer; returns what is to be told of one that went, empty if nothing."""
        if digest(flagged.decision) in self._seen:
            return ""
        self._remember(flagged.decision)
        before = None
        if flagged.supersedes is not None:
            before = self._open.get(flagged.supersedes)
            self._remove(flagged.supersedes)
            self._remember(flagged.supersedes)
        if not flagged.may_send:
            self._add(flagged)
        return _told(flagged, before)

    def _remember(self, id: str) -> None:
        self._seen[digest(id)] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _add(self, flagged: Flagged) -> None:
        insort(self._order, _place(flagged))
        self._open[flagged.decision] = flagged
        if len(self._order) > self._kept:
            del self._open[self._order.pop()[2]]
            self.dropped += 1

    def _remove(self, id: str) -> None:
        flagged = self._open.pop(id, None)
        if flagged is not None:
            del self._order[bisect_left(self._order, _place(flagged))]

    def seen(self, shown: Shown) -> list[Flagged]:
        """Those that are to be seen, in order."""
        return [flagged for flagged in self if shown.takes(flagged)]

    def counts(self) -> Counter[str]:
        """How many are held, and how many are blocked."""
        return Counter(flagged.state for flagged in self)

    def reasons(self) -> Counter[str]:
        """How many have each code among their reasons."""
        return Counter(code for flagged in self for code in {r.code for r in flagged.reasons})

    def countries(self) -> Counter[str]:
        """How many clients' offers there are by country; an offer counts in each."""
        return Counter(country for flagged in self for country in (set(flagged.countries) or {NOWHERE}))


def _place(flagged: Flagged) -> _Place:
    return flagged.state != "held", -flagged.recorded, flagged.decision


def _told(flagged: Flagged, before: Flagged | None) -> str:
    offer = f"offer {flagged.offer} to {flagged.client}"
    if flagged.may_send:
        until = "any time" if flagged.until is None else text(flagged.until)
        return f"released: {offer}, send by {until}"
    if flagged.supersedes is None:
        return ""
    was = "its earlier answer" if before is None else f"{before.state} {before.leading}"
    return f"superseded: {offer} was {was}, is {flagged.state} {flagged.leading}"
