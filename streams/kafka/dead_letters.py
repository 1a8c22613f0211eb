"""Dead letters: records that could not be taken, as they came, with why (contract section 4).

Two topics hold them, one for what happens around clients and one for register and policies. A dead letter is named by its
place: `PARTITION:OFFSET`, or `register:OFFSET`. When one is replayed, a note is put behind it in the same partition of
the same topic, so that it is remembered where it lies: a record with the header `gate61.replayed` and without
`gate61.errors.*`, which all dead letters carry because the worker adds them last.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from kafka import KafkaConsumer
from msgspec import Struct

from gate.facts import Instant
from gate.instants import text
from gate.policy import MILLISECOND
from streams.border.raw import field_of
from streams.kafka.reading import Extent, extent, records
from streams.kafka.record import ERRORS, FIRST_ERROR, Headers, KeptHeaders
from streams.kafka.topics import Names

REPLAY: Final = "gate61.replay"
"""Header of a copy: the place of the dead letter that it was made of."""
REPLAYED: Final = "gate61.replayed"
"""Header of a note: the place of the dead letter that was replayed."""
REPLAYED_AS: Final = "gate61.replayed.as"
"""Header of a note: `TOPIC:PARTITION:OFFSET` of the copy."""
REGISTER: Final = "register"
NO_REASON: Final = "NOT_OF_THE_GATE"
"""Shown for a record that somebody else put there."""
_PLACE = re.compile(r"([0-9]{1,9}|register):([0-9]{1,18})")


class DeadLetter(Struct, frozen=True):
    """A record that could not be taken."""

    place: str
    topic: str
    partition: int
    offset: int
    """Where it lies now; where it came from is in `errors`."""
    at: Instant
    key: bytes | None
    value: bytes | None
    headers: KeptHeaders
    """As they came, without what the worker said."""
    errors: dict[str, str]
    """What the worker said: `OF_ERRORS`, and `cut` where it is less than came."""

    @property
    def reason(self) -> str:
        """A code of the closed list."""
        return self.errors.get("reason", NO_REASON)

    @property
    def message(self) -> str:
        """The reason for people."""
        return self.errors.get("message", "")


class Note(Struct, frozen=True):
    """That a dead letter was replayed, when, and as which record."""

    place: str
    at: Instant
    copy: str


class Choice(Struct, frozen=True):
    """Which dead letters; what is empty or None chooses all."""

    places: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    since: Instant | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Whether the letter is one of those."""
        return (
            (not self.places or letter.place in self.places)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.clients or (letter.key or b"").decode(errors="replace") in self.clients)
            and (self.since is None or letter.at >= self.since)
        )


class Survey(Struct, frozen=True):
    """What the topics held when they were looked through: what was chosen, and what was replayed already."""

    extents: tuple[Extent, Extent]
    """Of what happens around clients, and of register and policies."""
    found: dict[str, str]
    """Place and reason of each that was chosen."""
    notes: dict[str, Note]

    @property
    def reasons(self) -> Counter[str]:
        """How many were chosen, by reason."""
        return Counter(self.found.values())


def place_of(said: str) -> str:
    """A place as it is written in one way only; raises ValueError."""
    match = _PLACE.fullmatch(said.strip())
    if match is None:
        raise ValueError(f"`{said}` is no place; say PARTITION:OFFSET, such as 3:1742, or register:OFFSET")
    return f"{match[1] if match[1] == REGISTER else int(match[1])}:{int(match[2])}"


def read(record: Any, register: bool) -> DeadLetter | Note:
    """What a record of one of the two topics is."""
    kept, added = _parted(record.headers)
    said = {name.removeprefix(ERRORS): (value or b"").decode(errors="replace") for name, value in added}
    last = dict(kept)
    replayed = last.get(REPLAYED)
    at = record.timestamp * MILLISECOND
    if replayed is not None and not said:
        copy = last.get(REPLAYED_AS) or b""
        return Note(replayed.decode(errors="replace"), at, copy.decode(errors="replace"))
    place = f"{REGISTER if register else record.partition}:{record.offset}"
    return DeadLetter(place, record.topic, record.partition, record.offset, at, record.key, record.value, kept, said)


def _parted(headers: Headers) -> tuple[KeptHeaders, KeptHeaders]:
    """A record's own headers, and what the worker added behind them; a platform may send some of the same names."""
    places = [place for place, (name, _) in enumerate(headers) if name == f"{ERRORS}{FIRST_ERROR}"]
    begun = places[-1] if places else len(headers)
    added = tuple(h for h in headers[begun:] if h[0].startswith(ERRORS))
    own = tuple(h for place, h in enumerate(headers) if place < begun or not h[0].startswith(ERRORS))
    return own, added


def survey(consumer: KafkaConsumer, names: Names, choice: Choice) -> Survey:
    """Look through both topics, or, for places, from each to the end of its partition. Raises `KafkaError`."""
    extents = extent(consumer, names.rejected.name), extent(consumer, names.register_rejected.name)
    if choice.places:
        extents = _narrowed(extents, choice.places, True)
    found: dict[str, str] = {}
    notes: dict[str, Note] = {}
    for each in _all(consumer, names, extents):
        if isinstance(each, Note):
            notes[each.place] = each
        elif choice.takes(each):
            found[each.place] = each.reason
    return Survey(extents, found, notes)


def letters(consumer: KafkaConsumer, names: Names, surveyed: Survey) -> Iterator[DeadLetter]:
    """The chosen ones themselves, one after the other: they may be many and large. Raises `KafkaError`."""
    for each in _all(consumer, names, _narrowed(surveyed.extents, surveyed.found, False)):
        if isinstance(each, DeadLetter) and each.place in surveyed.found:
            yield each


def _narrowed(extents: tuple[Extent, Extent], places: Iterable[str], whole: bool) -> tuple[Extent, Extent]:
    """What is to be read for these places."""
    clients, register = extents
    return (
        _around(clients, _offsets(places, False), whole),
        _around(register, _offsets(places, True), whole),
    )


def _offsets(places: Iterable[str], register: bool) -> dict[int, list[int]]:
    """Those of one of the two topics, by partition; the register's has one."""
    found: dict[int, list[int]] = {}
    for place in places:
        of, _, offset = place.partition(":")
        if (of == REGISTER) is register:
            found.setdefault(0 if register else int(of), []).append(int(offset))
    return found


def _around(held: Extent, offsets: Mapping[int, Sequence[int]], whole: bool) -> Extent:
    """From the first of these offsets to the last, or to the whole end: that one was replayed is noted behind it."""
    bounds = {
        n: (max(first, min(offsets[n])), end if whole else max(offsets[n]) + 1)
        for n, (first, end) in held.bounds.items()
        if n in offsets
    }
    return Extent(held.topic, bounds)


def _all(consumer: KafkaConsumer, names: Names, extents: Iterable[Extent]) -> Iterator[DeadLetter | Note]:
    for held in extents:
        for record in records(consumer, held):
            yield read(record, held.topic == names.register_rejected.name)


def said_of(letter: DeadLetter, note: Note | None) -> dict[str, Any]:
    """A dead letter for other programs, without its headers and value."""
    errors = letter.errors
    return {
        "place": letter.place,
        "topic": letter.topic,
        "at": text(letter.at),
        "reason": letter.reason,
        "message": letter.message,
        **field_of("key", letter.key),
        "came_from": {name: errors.get(name) for name in ("topic", "partition", "offset")},
        "stage": errors.get("stage"),
        "attempts": errors.get("attempts"),
        "version": errors.get("version"),
        "policy": errors.get("policy"),
        "bytes": len(letter.value or b""),
        "cut": errors.get("cut"),
        "replayed": {"at": text(note.at), "as": note.copy} if note else None,
    }


def all_of(letter: DeadLetter, note: Note | None) -> dict[str, Any]:
    """A dead letter for other programs, whole."""
    headers = [{"name": name, **field_of("value", value)} for name, value in letter.headers]
    return {**said_of(letter, note), "headers": headers, **field_of("value", letter.value)}
