"""How far a partition has come. It is noted with the state, in the same write, so that both can only go back together."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from gate.dossier import BEFORE_EVERYTHING
from gate.facts import Instant
from streams.worker.merge import Log
from streams.worker.pins import written

_CAME: Final = {Log.BETWEEN: "greeted", Log.ACTIONS: "acted"}
"""The notes of the times of what was applied last of each log."""
_SPREAD: Final = "partitions"
"""The note of how many partitions clients were spread over."""

Applied = tuple[int, int, int, int]
"""By `Log`, the offset after what was applied."""


class Place(NamedTuple):
    """How far a partition has come: by `Log` the next offset, and how many clients wait to be reopened."""

    policy: int
    register: int
    between: int
    actions: int
    walk: int


class Notes(Protocol):
    """What a store keeps beside its clients."""

    def note(self, name: str, data: bytes) -> None:
        """Keep it with the next commit."""

    def noted(self, name: str) -> bytes | None:
        """What was kept."""


class OtherPartitions(Exception):
    """The topic's number of partitions is not that of the state: clients would be looked for in the wrong place."""

    def __init__(self, spread: int, partitions: int) -> None:
        super().__init__(
            f"the state was made with clients spread over {spread} partitions, and the topic has {partitions}: their number "
            "is fixed for the life of the state. Publish all inputs again, in order, to topics of the number you want, "
            "under another GATE61_PREFIX"
        )


def same_spread(stores: Iterable[Notes], partitions: int) -> None:
    """Whether no partition's state was made with another number of them; raises `OtherPartitions`.

    A partition that is new has no state to tell by: without this it would decide on clients whose facts lie elsewhere.
    """
    for notes in stores:
        found = notes.noted(_SPREAD)
        if found and int(found) != partitions:
            raise OtherPartitions(int(found), partitions)


class Progress:
    """Offsets and times of one partition."""

    def __init__(self, notes: Notes, actions: int, partitions: int) -> None:
        """As noted. `actions` is the next offset as it is stored; raises `OtherPartitions`."""

        def noted(name: str, default: int) -> int:
            found = notes.noted(name)
            return int(found) if found else default

        same_spread([notes], partitions)
        self._notes = notes
        self._partitions = partitions
        self.actions = actions
        self.between = noted("between", 0)
        self.register = noted("register", 0)
        self.policy = noted("policy", 0)
        self.answers = noted("answers", 0)
        """The offset of their log before which this state has every answer that was published."""
        self.recorded: Instant = noted("recorded", BEFORE_EVERYTHING)
        """The append time of what was applied last, of any log."""
        self.closed: Instant = noted("closed", BEFORE_EVERYTHING)
        """Up to when scopes are closed."""
        self.born: Instant = noted("born", self.recorded)
        """When the first record was appended."""
        self.came: dict[Log, Instant] = {log: noted(name, BEFORE_EVERYTHING) for log, name in _CAME.items()}
        """When what was applied last was appended, by log: what else was applied must not move the times of what is
        read again."""
        self.walked = noted("walk", -1)
        """The offset of the register's record behind which clients were still to be reopened; -1 for none."""
        learnt = notes.noted("learnt")
        policy, register, between, then = map(int, learnt.split(b".")) if learnt else self.applied
        self.learnt: Applied = (policy, register, between, then)
        """How far the logs were applied when the register changed last."""

    @property
    def applied(self) -> Applied:
        """How far the logs were applied."""
        return self.policy, self.register, self.between, self.actions

    def came_at(self, log: Log, at: Instant) -> None:
        """A record of that log, appended then, is applied."""
        self.came[log] = at
        self.recorded = max(self.recorded, at)
        if self.born == BEFORE_EVERYTHING:
            self.born = self.recorded

    def note(self, walking: bool) -> None:
        """Keep it with the next commit; `walking` if clients are still to be reopened behind the register."""
        for name, value in (
            ("between", self.between),
            ("answers", self.answers),
            ("register", self.register),
            ("policy", self.policy),
            ("recorded", self.recorded),
            ("closed", self.closed),
            (_SPREAD, self._partitions),
            ("born", self.born),
            ("walk", self.register - 1 if walking else -1),
            *((name, self.came[log]) for log, name in _CAME.items()),
        ):
            self._notes.note(name, b"%d" % value)
        self._notes.note("learnt", written(self.learnt))


def place_of(notes: Notes, actions: int | None) -> Place | None:
    """How far a stored state came, for who does not own it; None for no state. `actions` is its next offset."""
    noted = [notes.noted(name) for name in ("policy", "register", "between", "walk")]
    if actions is None or any(n is None for n in noted):
        return None
    policy, register, between, walk = (int(n) for n in noted if n is not None)
    return Place(policy, register, between, actions, int(walk >= 0))
