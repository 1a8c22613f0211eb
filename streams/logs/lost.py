"""What is wrong with a log on which nothing may be decided, and what to do, in one place for all who read logs.

Records that are gone, or others than those that state was made from, may be facts against the firm: on the rest more would
be allowed than on all. So nothing is skipped, and somebody has to look.
"""

from collections.abc import Mapping, Sequence
from typing import Final


class LogLost(Exception):
    """A log does not have what must be read next, or not as it must be. Somebody has to look: nothing is skipped."""


GIVE_BACK: Final = (
    "stop the workers and give its state back the log it was made from, or make the state anew with `gate61 rebuild`: offers "
    "before that offset that were never answered stay unanswered, and an unanswered offer may not be sent"
)
"""What to do where a log that state was made from is another, or ends before."""
_BEGIN_ANEW: Final = "from a copy, or begin a new gate under another GATE61_PREFIX"
"""What else to do where that is the register or the policies: state made from the rest would allow what they forbade."""
GIVE_BACK_THE_RULES: Final = (
    f"stop the workers and give it back its log {_BEGIN_ANEW}: state that is made anew by what is left of it would allow what "
    "the rest forbade"
)
"""What to do where one of these is another than state was made by, or ends before."""

ONE_AGAIN: Final = (
    "give it back its log, of one partition, from a copy, or publish all inputs again, in order, to new topics, under another "
    "GATE61_PREFIX"
)
"""What to do where one of these has several partitions."""


def other_record(what: str, offset: int, do: str = GIVE_BACK) -> LogLost:
    """What is wrong with a log, `what` it is called, that has another record at an offset than was read from there."""
    return LogLost(
        f"{what} holds another record at offset {offset} than was taken from there: it was made anew, or lost its end and has "
        f"grown since; {do}"
    )


def begins_too_late(what: str, first: int, wanted: int, new: bool) -> LogLost:
    """The same of one that begins behind what must be read next; `new`: by somebody who never read any of it."""
    return LogLost(
        f"{what} begins at offset {first}, and {wanted} must be read next: records were deleted "
        + ("before they were ever read" if new else "unread")
        + "; keep this topic for good, and see `gate61 doctor`"
    )


def ends_too_early(what: str, end: int, wanted: int, do: str) -> LogLost:
    """The same of one that ends before what must be read next."""
    return LogLost(
        f"{what} ends at offset {end}, and {wanted} must be read next: it was made anew, or lost its end; {do}"
    )


def goes_not_on(topic: str, read: int) -> LogLost:
    """The same of register or policies that do not go on where they were read to."""
    return LogLost(
        f"`{topic}` was read as far as offset {read} and does not go on there: the topic was made anew or lost its end. "
        f"Give it back its log {_BEGIN_ANEW}; then start the workers again"
    )


def with_a_senders_time(topic: str, offset: int) -> LogLost:
    """The same of one that has a record whose time is not the broker's: he could say that he told in time."""
    return LogLost(
        f"`{topic}` has a time that its sender chose, at offset {offset}: nobody knows when that was "
        "recorded. Set message.timestamp.type=LogAppendTime (`gate61 topics plan`), and publish all inputs again, in "
        "order, to new topics, under another GATE61_PREFIX"
    )


def whole(beginnings: Mapping[str, int]) -> None:
    """Whether register and policies have their beginnings, by topic; raises `LogLost`."""
    for topic, first in beginnings.items():
        if first:
            raise LogLost(
                f"`{topic}` begins at offset {first}, and must be read from 0: records were deleted. Give it back its log "
                f"{_BEGIN_ANEW}; keep this topic for good (`gate61 doctor`)"
            )


def one_sequence(partitions: Mapping[str, int]) -> None:
    """Whether register and policies have one partition each, by topic, 0 of one that is missing; raises `LogLost`.

    All who decide read the first one, and whoever publishes may put facts against the firm into any.
    """
    wrong = [f"`{topic}` has {many} partitions" for topic, many in partitions.items() if many > 1]
    if wrong:
        raise LogLost(f"{' and '.join(wrong)}, of which only the first is read: it must have one; {ONE_AGAIN}")


def whole_keys(compacted: Sequence[str]) -> None:
    """Whether no topic of inputs is compacted; raises `LogLost` with those that are."""
    if compacted:
        raise LogLost(
            f"{' and '.join(f'`{topic}`' for topic in compacted)}: earlier records of a key are removed, or soon will be "
            "(cleanup.policy), and facts against the firm with them. Publish everything again, in order, to new topics that "
            "are not compacted; `gate61 topics apply` sets one right that never held a record"
        )
