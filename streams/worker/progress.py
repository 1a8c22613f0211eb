"""How far a partition has come. It is noted with the state, in the same write, so that both can only go back together."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from gate.dossier import BEFORE_EVERYTHING
from gate.facts import Instant
from state.notes import (
    ACTED,
    ANSWERS,
    BETWEEN,
    BORN,
    CLOSED,
    FORMER_LIMITS,
    GREETED,
    LEARNT,
    LOOKED,
    PARTITIONS,
    POLICY,
    RECORDED,
    REGISTER,
    WALK,
)
from state.redis_look import Look, StateLost, as_number
from streams.closings import Limit, limits_from_bytes, limits_to_bytes
from streams.worker.merge import Log
from streams.worker.pins import written

_CAME: Final = {Log.BETWEEN: GREETED, Log.ACTIONS: ACTED}
"""The notes of the times of what was applied last of each log."""

Applied = tuple[int, int, int, int]
"""By `Log`, the offset after what was applied."""


class Place(NamedTuple):
    """How far a partition has come: by `Log` the next offset, and how many clients wait to be reopened."""

    policy: int
    register: int
    between: int
    actions: int
    walk: int


NEVER: Final = 1 << 62
"""An offset that is not reached: in the place to be reached, of a log that is taken as far as the others ask for."""


class Noted(Protocol):
    """What a store kept beside its clients."""

    def noted(self, name: str) -> bytes | None:
        """What was kept."""


class Notes(Noted, Protocol):
    """What a store keeps beside its clients."""

    def note(self, name: str, data: bytes) -> None:
        """Keep it with the next commit."""


FIXED: Final = (
    "their number is fixed for the life of the state. Publish all inputs again, in order, to topics of the number you want, "
    "under another GATE61_PREFIX"
)
"""What to do where a topic has another number of partitions."""


class OtherPartitions(Exception):
    """The topic's number of partitions is not that of the state: clients would be looked for in the wrong place."""

    def __init__(self, spread: int, partitions: int) -> None:
        super().__init__(
            f"the state was made with clients spread over {spread} partitions, and the topic has {partitions}: {FIXED}"
        )


def same_spread(stores: Iterable[Noted], partitions: int) -> None:
    """Whether no partition's state was made with another number of them; raises `OtherPartitions`.

    A partition that is new has no state to tell by: without this it would decide on clients whose facts lie elsewhere.
    """
    for notes in stores:
        with suppress(StateLost):  # That partition stops by itself; the others say how many there are.
            spread_alike(_number(notes, PARTITIONS), partitions)


def spread_alike(found: int | None, partitions: int) -> None:
    """Whether state says that its clients are spread over so many, or nothing of it; raises `OtherPartitions`."""
    if found and found != partitions:
        raise OtherPartitions(found, partitions)


def _number(notes: Noted, name: str) -> int | None:
    """What is noted under that name; raises `StateLost` for what is no number."""
    return as_number("the state", name, notes.noted(name))


class Progress:
    """Offsets and times of one partition."""

    def __init__(self, notes: Noted, actions: int, partitions: int) -> None:
        """As noted. `actions` is the next offset as it is stored; raises `OtherPartitions` or `StateLost`."""

        def noted(name: str, default: int) -> int:
            found = _number(notes, name)
            return default if found is None else found

        spread_alike(_number(notes, PARTITIONS), partitions)
        self._partitions = partitions
        self.actions = actions
        self.between = noted(BETWEEN, 0)
        self.register = noted(REGISTER, 0)
        self.policy = noted(POLICY, 0)
        self.answers = noted(ANSWERS, 0)
        """The offset of their log before which this state has every answer that was published."""
        self.recorded: Instant = noted(RECORDED, BEFORE_EVERYTHING)
        """The append time of what was applied last, of any log."""
        self.closed: Instant = noted(CLOSED, self.recorded)
        """Up to when scopes are closed; less than that where those that are due are closed in portions."""
        self.former = _limits(notes.noted(FORMER_LIMITS))
        """Hard limits of policies before the one in force."""
        self.born: Instant = noted(BORN, self.recorded)
        """When the first record was appended."""
        self.came: dict[Log, Instant] = {log: noted(name, BEFORE_EVERYTHING) for log, name in _CAME.items()}
        """When what was applied last was appended, by log: what else was applied must not move the times of what is
        read again."""
        self.looked = max(actions, noted(LOOKED, actions))
        """The offset up to which what happens around clients was looked at: transactions leave marks that are no records."""
        self.walked = noted(WALK, -1)
        """The offset of the register's record behind which clients were still to be reopened; -1 for none."""
        self.learnt: Applied = _applied(notes.noted(LEARNT), self.applied)
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

    def note(self, notes: Notes, walking: bool) -> None:
        """Keep it with the next commit; `walking` if clients are still to be reopened behind the register."""
        for name, value in (
            (BETWEEN, self.between),
            (ANSWERS, self.answers),
            (REGISTER, self.register),
            (POLICY, self.policy),
            (RECORDED, self.recorded),
            (CLOSED, self.closed),
            (LOOKED, self.looked),
            (PARTITIONS, self._partitions),
            (BORN, self.born),
            (WALK, self.register - 1 if walking else -1),
            *((name, self.came[log]) for log, name in _CAME.items()),
        ):
            notes.note(name, b"%d" % value)
        notes.note(LEARNT, written(self.learnt))
        if self.former:
            notes.note(FORMER_LIMITS, limits_to_bytes(self.former))


def _limits(stored: bytes | None) -> tuple[Limit, ...]:
    """Hard limits as they are noted; raises `StateLost`."""
    try:
        return limits_from_bytes(stored)
    except (ValueError, TypeError):
        raise StateLost("the state", f"holds other than limits as `{FORMER_LIMITS}`") from None


def _applied(stored: bytes | None, default: Applied) -> Applied:
    """Offsets by log as they are noted; raises `StateLost`."""
    if not stored:
        return default
    parts = [as_number("the state", LEARNT, part or b" ") for part in stored.split(b".")]
    if len(parts) != len(Log):
        raise StateLost("the state", f"holds other than four offsets as `{LEARNT}`")
    policy, register, between, actions = (part or 0 for part in parts)
    return policy, register, between, actions


def unreadable(notes: Noted, partitions: int) -> str:
    """What of a stored state no worker could go on from; empty if that is nothing."""
    try:
        Progress(notes, 0, partitions)
    except StateLost as error:
        return error.what
    except OtherPartitions:
        pass  # That concerns all partitions: see `same_spread`.
    return ""


def place_of(notes: Noted, actions: int | None) -> Place | None:
    """How far a stored state came, for who does not own it; None for no state. `actions` is its next offset.

    Raises `StateLost` where that cannot be read.
    """
    noted = [_number(notes, name) for name in (POLICY, REGISTER, BETWEEN, WALK)]
    if actions is None or any(n is None for n in noted):
        return None
    policy, register, between, walk = (n for n in noted if n is not None)
    return Place(policy, register, between, actions, int(walk >= 0))


def goal_to_bytes(place: Place) -> bytes:
    """A place as it is noted while state is made anew to it."""
    return b".".join([b"%d" % part for part in place])


def unfinished(found: Look) -> Place | None:
    """The place to which a stored state was to be made anew and has not come; None for one that nobody left half made.

    A worker that goes on with such a state passes that place some time.
    """
    parts = found.making.split(b".")
    if len(parts) != len(Place._fields) or not all(part.isdigit() and len(part) < 20 for part in parts):
        return None
    policy, register, between, actions, walk = (int(part) for part in parts)
    goal = Place(policy, register, between, actions, walk)
    here: Place | None = None
    with suppress(StateLost):
        here = place_of(found, found.next)
    return None if here is not None and reaches(here, goal) else goal


def reaches(here: Place, goal: Place) -> bool:
    """Whether one place lies at or behind another in every log that the other says something of."""
    return all(at >= to or to == NEVER for at, to in zip(here[:4], goal[:4], strict=True))
