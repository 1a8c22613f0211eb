"""How far a partition has come. It is noted with the state, in the same write, so that both can only go back together."""

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
    GOVERNED,
    GREETED,
    IN,
    KAFKA,
    LEARNT,
    LOOKED,
    PARTITIONS,
    POLICY,
    RECORDED,
    REGISTER,
    TOLD,
    WALK,
)
from state.redis.look import Look, StateLost, as_number
from streams.closings import Limit, limits_from_bytes, limits_to_bytes
from streams.logs.merge import Log
from streams.worker.belonging import Noted, OtherPartitions, number_noted, spread_alike
from streams.worker.pins import Reach, written

_NEXT: Final = {Log.POLICY: POLICY, Log.REGISTER: REGISTER, Log.BETWEEN: BETWEEN}
"""The notes of the offset behind what was applied last;"""
_CAME: Final = {Log.POLICY: GOVERNED, Log.REGISTER: TOLD, Log.BETWEEN: GREETED, Log.ACTIONS: ACTED}
"""of the times of what was applied last of each log;"""
_IN: Final = {log: f"{name}{IN}" for log, name in _CAME.items()}
"""of the offset behind it and the epoch of whoever led the log then: a program that is older than this note leaves it as
it is."""
_ALWAYS: Final = (Log.BETWEEN, Log.ACTIONS)
"""The logs of which the time is noted also where nothing was applied of them."""

Applied = tuple[int, int, int, int]
"""By `Log`, the offset after what was applied."""


class Came(NamedTuple):
    """A record by what tells it from another one at its offset."""

    at: Instant
    """When it was appended; of what was applied never before that of the record before it."""
    epoch: int | None
    """Of whoever led the partition then; None if that was not noted. A log has no two records of one epoch at one offset."""


def another(there: Came, applied: Came) -> bool:
    """Whether the record that stands at an offset is not the one that was applied from there.

    Brokers give the time, so a log that was made anew gives a later one; a log that lost its end gives another epoch.
    """
    return there.at > applied.at or (applied.epoch is not None and there.epoch != applied.epoch)


class Place(NamedTuple):
    """How far a partition has come: by `Log` the next offset, and how many clients wait to be reopened."""

    policy: int
    register: int
    between: int
    actions: int
    walk: int


NEVER: Final = 1 << 62
"""An offset that is not reached: in the place to be reached, of a log that is taken as far as the others ask for."""


class Notes(Noted, Protocol):
    """What a store keeps beside its clients."""

    def note(self, name: str, data: bytes) -> None:
        """Keep it with the next commit."""


class Progress:
    """Offsets and times of one partition."""

    def __init__(self, notes: Noted, actions: int, partitions: int, kafka: str = "") -> None:
        """As noted. `actions` is the next offset as it is stored; raises `OtherPartitions` or `StateLost`.

        `kafka` is the id of the cluster whose logs are applied, to be noted; empty if it is not known.
        """

        def noted(name: str, default: int) -> int:
            return _noted(notes, name, default)

        spread_alike(number_noted(notes, PARTITIONS), partitions)
        self._partitions = partitions
        made = notes.noted(KAFKA) or b""
        self._kafka = kafka.encode() or made
        self.noted_kafka = self._kafka == made
        """Whether the state says from which Kafka it is made."""
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
        self.came: dict[Log, Came] = {
            log: Came(noted(_CAME[log], BEFORE_EVERYTHING), _epoch(notes, log, self.applied[log])) for log in Log
        }
        """What was applied last, by log: what else was applied must not move the times of what is read again."""
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

    @property
    def reach(self) -> Reach:
        """How far the logs were applied, and to what records."""
        came = self.came
        return Reach(
            self.applied, (came[Log.POLICY].at, came[Log.REGISTER].at, came[Log.BETWEEN].at, came[Log.ACTIONS].at)
        )

    @property
    def learnt_by(self) -> Reach:
        """How far they were when the register changed last. Policies and register go on once all are judged again."""
        return Reach(self.learnt, self.reach.appended[: Log.BETWEEN])

    def came_at(self, log: Log, came: Came) -> None:
        """That record of that log is applied."""
        self.came[log] = came
        self.recorded = max(self.recorded, came.at)
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
        ):
            notes.note(name, b"%d" % value)
        self._note_came(notes)
        if self._kafka:
            notes.note(KAFKA, self._kafka)
            self.noted_kafka = True
        notes.note(LEARNT, written(self.learnt))
        if self.former:
            notes.note(FORMER_LIMITS, limits_to_bytes(self.former))

    def _note_came(self, notes: Notes) -> None:
        for log, came in self.came.items():
            if came.epoch is not None or log in _ALWAYS:
                notes.note(_CAME[log], b"%d" % came.at)
            if came.epoch is not None:
                notes.note(_IN[log], b"%d.%d" % (self.applied[log], came.epoch))


def _noted(notes: Noted, name: str, default: int) -> int:
    found = number_noted(notes, name)
    return default if found is None else found


def _limits(stored: bytes | None) -> tuple[Limit, ...]:
    """Hard limits as they are noted; raises `StateLost`."""
    try:
        return limits_from_bytes(stored)
    except (ValueError, TypeError):
        raise StateLost("the state", f"holds other than limits as `{FORMER_LIMITS}`") from None


def _epoch(notes: Noted, log: Log, applied: int) -> int | None:
    """In which epoch the record before that offset was appended, where that is noted of it; raises `StateLost`."""
    next_, _, epoch = (notes.noted(_IN[log]) or b"").partition(b".")
    return as_number("the state", _IN[log], epoch) if as_number("the state", _IN[log], next_) == applied else None


def _applied(stored: bytes | None, default: Applied) -> Applied:
    """Offsets by log as they are noted; raises `StateLost`."""
    if not stored:
        return default
    parts = [as_number("the state", LEARNT, part or b" ") for part in stored.split(b".")]
    if len(parts) != len(Log):
        raise StateLost("the state", f"holds other than four offsets as `{LEARNT}`")
    policy, register, between, actions = (part or 0 for part in parts)
    return policy, register, between, actions


def applied_last(notes: Noted, log: Log) -> tuple[int, Came]:
    """The offset after what was applied of a log, and the record before it; raises `StateLost` for what is no number.

    Of what happens around clients the offset is not among the notes.
    """
    next_ = number_noted(notes, _NEXT[log]) or 0
    return next_, Came(_noted(notes, _CAME[log], BEFORE_EVERYTHING), _epoch(notes, log, next_))


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
    noted = [number_noted(notes, name) for name in (POLICY, REGISTER, BETWEEN, WALK)]
    if actions is None or any(n is None for n in noted):
        return None
    policy, register, between, walk = (n for n in noted if n is not None)
    return Place(policy, register, between, actions, int(walk >= 0))


def closed_to(notes: Noted) -> Instant:
    """Up to when scopes of a stored state were said to be closed; before everything where that cannot be read."""
    with suppress(StateLost):
        return _noted(notes, CLOSED, BEFORE_EVERYTHING)
    return BEFORE_EVERYTHING


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
