"""What Redis holds of a partition, and whether that is all that was written: for its owner, and for who only looks."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from redis.exceptions import ResponseError

from state.notes import WEEK_OF_IDS
from state.redis.errors import unnamed

_META: Final = ("next", "batch", "begun", "clients", "notes", "ids")
_KEYS: Final[tuple[tuple[str, Any], ...]] = (
    ("meta", [None] * len(_META)),
    ("notes", {}),
    ("dossiers", 0),
    ("outbox", b"none"),
    ("making", None),
    ("seen", 0),
    ("seen", 0),
)
"""What is looked at, and what stands for what cannot be."""
WEEKS: Final = 6_000
"""Since 1970 that ids may be of: until 2084."""
_CHANGED: Final = "keys were evicted, removed or changed by something else than the gate"
_TWICE: Final = (
    "unless another program wrote there, Redis read a write that a crash had cut short in its append-only file together "
    "with the next one; let the user of GATE61_REDIS run BGREWRITEAOF, which prevents that"
)
_REFUSED: Final = (
    "its user lost a right, or its disk failed; the worker that can finish it waits until that is mended, or has ended"
)
_SHOWN: Final = 40
"""Bytes of what should be a number that are told."""


class StateLost(Exception):
    """Redis no longer holds all that was written to it, or something else. Nothing can be decided on the rest.

    `gate61 rebuild` makes the state anew from the topics.
    """

    def __init__(self, where: str, what: str, why: str = _CHANGED) -> None:
        super().__init__(f"{where} {what}: {why}; make the state anew with `gate61 rebuild`")
        self.what = what


class Written(NamedTuple):
    """What was found of the keys of a partition."""

    batch: int
    """The number of the last write; 0 where there was none."""
    written: Sequence[bytes | None]
    """How many clients, notes and ids the last write left; None of what it did not count."""
    there: Sequence[int]
    """How many clients and notes there are, and ids of this week and of the last."""
    outbox: bool
    """Whether there is one, which there is since the first write."""
    ids: bool
    """Whether there are any of whatever week; asked only where nothing was written."""
    begun: bytes | None
    """What write was begun last; None where that was not noted."""


class Look(NamedTuple):
    """What there is of a partition, of one moment, for who does not own it."""

    next: int | None
    """The next offset to read; None where nothing was written, or it cannot be read."""
    batch: int
    clients: int
    notes: Mapping[bytes, bytes]
    outbox: bool
    lost: str
    """Why nothing may be decided on it; empty where that is whole, or nothing."""
    making: bytes = b""
    """What `RedisStore.making` noted; empty where nothing is."""
    begun: bool = False
    """Whether the last write was begun and not done to its end: then its notes and outbox are of another place than `next`."""

    def noted(self, name: str) -> bytes | None:
        """What was kept beside the clients."""
        return self.notes.get(name.encode())


BESIDE: Final = "rebuild:"
"""Put behind a partition's tag: what the keys of a second state begin with, which is made to be compared with the first."""


def tag(partition: str) -> str:
    """What the keys of a partition, `TOPIC:NUMBER`, begin with."""
    return f"{{{partition}}}:"


def ids_of(at: str, week: int) -> list[str]:
    """The keys of the ids that are looked up in that week."""
    return [f"{at}seen:{w}" for w in (week, week - 1)]


def any_ids(redis: Any, at: str) -> bool:
    """Whether there are ids of any week: asked for by name, as looking for them would go through all of Redis."""
    return bool(redis.exists(*(f"{at}seen:{week}" for week in range(WEEKS))))


def as_number(where: str, name: str, stored: bytes | None) -> int | None:
    """A number as it is stored; raises `StateLost` for what is none."""
    try:
        return int(stored) if stored else None
    except ValueError:
        said = (stored or b"")[:_SHOWN].decode(errors="backslashreplace")
        raise StateLost(where, f"holds `{said}` as `{name}`, which is no number") from None


def looked_to(next_: int | None, looked: int | None) -> int | None:
    """The later of the next offset and the offset known to hold no more records."""
    return None if next_ is None else max(next_, looked or 0)


def examine(where: str, held: Written) -> None:
    """Whether all is there that was written, and nothing where nothing was; raises `StateLost`."""
    all_done(where, held.batch, held.begun)
    all_there(where, held.batch, held.written, held.there)
    if held.batch and not held.outbox:
        raise StateLost(where, "has no outbox: the last outputs may never have been published")
    if held.outbox and not held.batch:
        raise StateLost(where, "holds outputs and nothing else of what was written")
    if held.ids and not held.batch:
        raise StateLost(where, "holds ids and nothing else of what was written")


def all_done(where: str, batch: int, begun: bytes | None) -> None:
    """Whether the write that was begun last was done to its end, which counts it; raises `StateLost`.

    What was begun is the number of the write and, behind a colon, the token of who did it.
    """
    number = as_number(where, "begun", begun.partition(b":")[0] if begun else None)
    if (number or 0) > batch:
        raise StateLost(where, "holds the first part of a write whose end Redis refused", _REFUSED)


def all_there(where: str, batch: int, written: Sequence[bytes | None], there: Sequence[int]) -> None:
    """Whether there are as many clients, notes and ids as the last write left; raises `StateLost`."""
    clients, notes, *ids = there
    found, names = (clients, notes, sum(ids)), ("clients", "notes", "ids")
    left = [as_number(where, name, count) for name, count in zip(names, written, strict=True)]
    wanted = [here if count is None and batch else count or 0 for count, here in zip(left, found, strict=True)]
    if any(count != here for count, here in zip(wanted, found, strict=True)):
        counted = ", ".join(f"{h} of {w} {name}" for h, w, name in zip(found, wanted, names, strict=True))
        raise StateLost(where, f"holds {counted}")


def all_records(where: str, found: int, count: int) -> None:
    """Whether a client has as many records as were written; raises `StateLost`."""
    if found != count:
        why = _TWICE if found > count else _CHANGED
        raise StateLost(where, f"holds {found} records of a client who had {count}", why)


def wrong_type(error: ResponseError) -> bool:
    """Whether a key is of another type than the gate writes; who is not allowed to ask, or asks too early, is told other things."""
    return "WRONGTYPE" in str(error)


def look(redis: Any, at: str) -> Look:
    """What there is of the partition whose keys begin so; nothing is written, and nobody is disturbed."""
    week = 0
    while True:
        (meta, notes, clients, outbox, making, *ids), wrong = _found(redis, at, week)
        noted = _readable(notes.get(WEEK_OF_IDS.encode())) or 0
        if noted == week:
            break
        week = noted  # The ids of that week are to be counted in one moment with all else.
    next_, batch, *_ = meta
    found = Look(_readable(next_), _readable(batch) or 0, clients, notes, outbox == b"string", wrong, making or b"")
    if wrong:
        return found
    lost = _lost(redis, at, found, meta, (clients, len(notes), *ids))
    return found._replace(lost=lost, begun=_begun(found.batch, meta[2]))


def _found(redis: Any, at: str, week: int) -> tuple[list[Any], str]:
    """What each key holds, and which of them is not of its type."""
    asked = redis.pipeline(transaction=True)
    asked.hmget(f"{at}meta", _META).hgetall(f"{at}notes").hlen(f"{at}dossiers").type(f"{at}outbox").get(f"{at}making")
    for key in ids_of(at, week):
        asked.hlen(key)
    with unnamed():
        found, wrong = asked.execute(raise_on_error=False), ""
    for place, (name, nothing) in enumerate(_KEYS):
        if isinstance(found[place], ResponseError):
            if not wrong_type(found[place]):
                raise found[place]
            found[place], wrong = nothing, f"holds `{name}` as another type than was written"
    return found, wrong


def _begun(batch: int, begun: bytes | None) -> bool:
    try:
        all_done("", batch, begun)
    except StateLost:
        return True
    return False


def _readable(stored: bytes | None) -> int | None:
    try:
        return as_number("", "", stored)
    except StateLost:
        return None


def _lost(redis: Any, at: str, found: Look, meta: Sequence[bytes | None], there: Sequence[int]) -> str:
    next_, batch, begun, *written = meta
    try:
        for name, stored in (("next", next_), ("batch", batch), (WEEK_OF_IDS, found.noted(WEEK_OF_IDS))):
            as_number(at, name, stored)
        others = not found.batch and any_ids(redis, at)
        examine(at, Written(found.batch, written, there, found.outbox, others, begun))
    except StateLost as error:
        return error.what
    return ""
