"""Whether register and policies are those by which state was made: what was applied last of them still stands there.

Its owner asks that when he takes it over; who only looks, `gate61 ask` and `doctor`, asks by what is noted with it.
"""

from typing import Final

from streams.logs.following import Followed
from streams.logs.lost import GIVE_BACK_THE_RULES, other_record
from streams.logs.merge import CALLED, Arrival, Log
from streams.worker.belonging import Noted
from streams.worker.progress import Came, another, applied_last

OF_RULES: Final = (Log.POLICY, Log.REGISTER)
"""The logs that say by what is judged, which everybody reads whole."""


def came_of(arrival: Arrival) -> Came:
    """A record by what tells it from another one at its offset."""
    return Came(arrival.at, arrival.record.leader_epoch)


def last_before(followed: Followed, log: Log, next_: int) -> Came | None:
    """The record that stands right before that offset; None where none does."""
    found, _ = followed.since(log, next_ - 1)
    return came_of(found[0]) if found and found[0].offset == next_ - 1 else None


def is_other(next_: int, applied: Came, there: Came | None) -> bool:
    """Whether what stands right before an offset is not what was applied from there, as far as that was noted."""
    return next_ > 0 and applied.epoch is not None and (there is None or another(there, applied))


def same_record(log: Log, next_: int, applied: Came, there: Came | None) -> None:
    """Whether it is; raises `LogLost`."""
    if is_other(next_, applied, there):
        raise other_record(f"the log {CALLED[log]}", next_ - 1, GIVE_BACK_THE_RULES)


def same_rules(notes: Noted, followed: Followed) -> None:
    """Whether state is made by the register and policies that were read; raises `LogLost`, or `StateLost` for no number.

    Of one that was applied further than it is read here nothing can be said.
    """
    for log in OF_RULES:
        next_, applied = applied_last(notes, log)
        if next_ <= followed.read[log]:
            same_record(log, next_, applied, last_before(followed, log, next_))
