"""The ids that a partition has seen, kept in Redis by the week in which they were recorded.

Each is looked up in this week and the last, so that it is recognised for seven days at least. By the day would keep fewer,
and ask eight times for every id. Whoever repeats an event later asks the history.
"""

from collections.abc import Sequence
from typing import Any, Final

from gate.facts import Instant
from gate.policy import DAY
from state.redis.transaction import Command

WEEK: Final = 7 * DAY


class Ids:
    """What is known of ids between two writes: those that were fetched, and new ones that are still to be written.

    Each, stored or not yet, stands with the week that it is kept by: wherever a batch ends, an older one may have been
    fetched or added with it.
    """

    def __init__(self, tag: str) -> None:
        self.week = 0
        """Now, by when what is taken was recorded."""
        self._tag = tag
        self._stored: set[int] = set()
        """Weeks of which ids are stored."""
        self._known: dict[bytes, tuple[int, bytes] | None] = {}
        self._new: dict[bytes, tuple[int, bytes]] = {}

    def forget(self, week: int) -> None:
        """Begin anew in that week with nothing fetched and nothing to write."""
        self.week = week
        self._known, self._new = {}, {}

    def look(self, redis: Any) -> None:
        """Ask of which weeks ids are stored."""
        self._stored = {w for w in (self.week - 1, self.week) if redis.exists(self._key(w))}

    def recorded(self, at: Instant) -> None:
        """The time by which ids seen from now on are recorded; weeks never go back."""
        self.week = max(self.week, at // WEEK)

    def _key(self, week: int) -> str:
        return f"{self._tag}seen:{week}"

    def unknown(self, ids: Sequence[bytes]) -> list[bytes]:
        """Those that were not fetched yet."""
        return [i for i in dict.fromkeys(ids) if i not in self._known]

    def ask(self, pipe: Any, unknown: Sequence[bytes]) -> list[int]:
        """Ask for ids in one round trip with whatever else the pipe asks; returns of which weeks, an answer each."""
        weeks = sorted((w for w in self._stored if w >= self.week - 1), reverse=True) if unknown else []
        for week in weeks:
            pipe.hmget(self._key(week), unknown)
        return weeks

    def fetched(self, unknown: Sequence[bytes], weeks: Sequence[int], answers: Sequence[Any]) -> None:
        """What was answered to `ask`."""
        self._known.update(dict.fromkeys(unknown))
        for week, contents in zip(reversed(weeks), reversed(answers), strict=True):  # The later week has the last word.
            if any(contents):
                known = zip(unknown, contents, strict=True)
                self._known |= {key: (week, content) for key, content in known if content}

    def is_known(self, key: bytes) -> bool:
        """Whether it was fetched, or is new, so that `content` may be asked for."""
        return key in self._new or key in self._known

    def content(self, key: bytes) -> bytes | None:
        """With what content an id was seen, in this week or the last; None if it was not. It must be known."""
        known = self._new.get(key)
        if known is None:
            known = self._known[key]
        return None if known is None or known[0] < self.week - 1 else known[1]

    def add(self, key: bytes, content: bytes) -> None:
        """An id is seen now."""
        self._new[key] = self.week, content

    def remove(self, key: bytes) -> None:
        """Take back that an id was new: it is one of long ago, and what came now does not stand in its place."""
        self._new.pop(key, None)

    def changes(self) -> list[Command]:
        """What a write does: add those that are new, remove the weeks in which nothing is looked up any more."""
        changes: list[Command] = []
        for week in self._added():
            added = (v for id, (at, content) in self._new.items() if at == week for v in (id, content))
            changes.append((b"HSET", self._key(week).encode(), *added))
        gone = [self._key(week).encode() for week in sorted(self._stored) if week < self.week - 1]
        if gone:
            changes.append((b"UNLINK", *gone))
        return changes

    def _added(self) -> list[int]:
        """Of which there are new ids that are kept: some may be of a week that the same batch has left behind."""
        return sorted({week for week, _ in self._new.values() if week >= self.week - 1})

    def written(self) -> None:
        """`changes` were done."""
        self._stored = {w for w in self._stored if w >= self.week - 1}.union(self._added())
        self._known, self._new = {}, {}
