"""CloudEvents in: bytes become a typed fact, or a reject with a reason from a closed list. No bytes make it raise.

Source: contract section 1. Order of the checks is the order of the list of reasons, but for the size, which comes first.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import Any, Final

import msgspec

from gate.facts import IDENT_PATTERN, TYPES, AssetClassified, Fact, Instant, Proposed
from gate.instants import EARLIEST, EPOCH, LATEST
from gate.packing import replaced, shape, typed
from gate.policy import DAY, SECOND
from streams.border.complaints import IDENT_RULE, complaint
from streams.border.envelope import NESTED, TIMES_INSIDE, TOLD, Told, number, plain, values
from streams.border.glance import glance, registered

SIZE_LIMIT: Final = 256 * 1024
"""Bytes of one event; more is refused before it is read."""
DEPTH_LIMIT: Final = 500
"""How many objects and lists may stand in one another.

Half of what Python's own reader takes: where that stops depends on who calls it, and the same bytes must end the same.
"""
DIGITS_LIMIT: Final = 4_300
"""Of a whole number, a minus among them: as many as Python and msgspec read. Python's environment may say otherwise; the
program sees to it."""
REASONS: Final = (
    "NOT_UTF8",
    "TOO_LARGE",
    "NOT_JSON",
    "DUPLICATE_KEY",
    "NOT_A_CLOUDEVENT",
    "UNKNOWN_TYPE",
    "BAD_FIELD",
    "BAD_TIME",
    "FROM_THE_FUTURE",
    "ID_REUSED",
)
IDENT: Final = re.compile(IDENT_PATTERN)
SOURCE: Final = re.compile(r"[!-~]{1,512}")
TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,32})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_BY_NAME: Final = {f"gate61.{name}.v1": said for name, said in TYPES.items()}


class Read(msgspec.Struct, frozen=True):
    """An event that can be taken, with the digests of its id and its content."""

    fact: Fact
    key: bytes
    content: bytes
    recorded: Instant | None

    def refused(self, reason: str, message: str) -> "Rejected":
        """The reject of this event, for something beside what it says."""
        fact = self.fact
        offer = fact.said.offer if isinstance(fact.said, Proposed) else None
        return Rejected(reason, message, fact.source, fact.id, fact.client, offer, fact.at, self.recorded)


class Rejected(msgspec.Struct, frozen=True):
    """What can't be taken, with the reason and what can still be read of it."""

    reason: str
    message: str
    source: str | None = None
    id: str | None = None
    client: str | None = None
    offer: str | None = None
    """Client and offer of an `offer.proposed` that must be answered all the same."""
    at: Instant | None = None
    recorded: Instant | None = None
    """When it became known, where that is said."""
    ahead: Read | None = None
    """The event, where nothing but its time stands in the way: if it was taken before, it is a repetition all the same."""


class _Trouble(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Duplicate(_Trouble):
    pass


def instant(text: object) -> Instant:
    """An RFC 3339 time with zone, in microseconds (finer digits are cut, so a limit is never passed); ValueError if not."""
    if not isinstance(text, str) or TIME.fullmatch(text) is None:
        raise ValueError("is not an RFC 3339 time with zone, such as 2026-03-02T10:14:07Z")
    return _instant(text)


def instant_of(at: datetime) -> Instant:
    """A time with zone, to the microsecond: seconds as a float would not hold that."""
    since = at - EPOCH
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def _instant(text: str) -> Instant:
    """Of what is known to look like a time."""
    try:
        at = instant_of(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no time that exists ({error})") from None
    if not EARLIEST <= at <= LATEST:
        raise ValueError("is outside the years 1 to 9999")
    return at


def read(data: bytes, previous: Instant, tolerance: Instant, appended: Instant | None = None) -> Read | Rejected:
    """One line or record. `previous` is when the line before was recorded, `tolerance` what a clock may be ahead.

    `appended` is when a broker recorded it: used instead of what the event itself says.
    """
    return _read_plain(data, previous, tolerance, appended) or read_strict(data, previous, tolerance, appended)


def read_strict(data: bytes, previous: Instant, tolerance: Instant, appended: Instant | None = None) -> Read | Rejected:
    """Like `read`, looking at everything; it says what is wrong."""
    return read_parts({}, data, previous, tolerance, appended)


def read_parts(
    attributes: dict[str, Any], data: bytes, previous: Instant, tolerance: Instant, appended: Instant | None
) -> Read | Rejected:
    """An event whose attributes, if any, travel beside its data (the binary mode of CloudEvents)."""
    try:
        event = _beside(attributes, _json(data))
    except _Duplicate as duplicate:
        return _rejected(duplicate, _beside(attributes, _lenient(data)))
    except _Trouble as trouble:
        return _rejected(trouble, _beside(attributes, glance(data)))
    try:
        return _fact(event, previous, tolerance, appended)
    except _Trouble as trouble:
        return _rejected(trouble, event)


def _beside(attributes: dict[str, Any], parsed: object) -> object:
    return {**attributes, "data": parsed} if attributes else parsed


def too_large(size: int, limit: int = SIZE_LIMIT) -> tuple[str, str]:
    """Reason and message for an event of so many bytes, with all that belongs to it."""
    return "TOO_LARGE", f"{size} bytes; an event has at most {limit}"


def rejected(reason: str, message: str, attributes: dict[str, Any], data: bytes) -> Rejected:
    """A reject for a reason beside the event itself, with what can be read of it."""
    return _rejected(_Trouble(reason, message), _beside(attributes, _lenient(data)))


def _rejected(trouble: _Trouble, event: object) -> Rejected:
    if not isinstance(event, dict):
        return Rejected(trouble.reason, str(trouble))

    def attribute(name: str, pattern: re.Pattern[str]) -> str | None:
        value = event.get(name)
        return value if isinstance(value, str) and pattern.fullmatch(value) else None

    offer = None
    data = event.get("data")
    if event.get("type") == "gate61.offer.proposed.v1" and isinstance(data, dict):
        named = data.get("offer")
        offer = named if isinstance(named, str) and IDENT.fullmatch(named) else None
    source, id, client = attribute("source", SOURCE), attribute("id", IDENT), attribute("subject", IDENT)
    at, recorded = _maybe(event.get("time")), _maybe(event.get("recordedtime"))
    return Rejected(trouble.reason, str(trouble), source, id, client, offer, at, recorded)


def _maybe(time: object) -> Instant | None:
    try:
        return instant(time)
    except ValueError:
        return None


def understood(taken: Read | Rejected) -> Read | None:
    """What an event says that can be taken, or could be had it come before: see `Rejected.ahead`."""
    return taken if isinstance(taken, Read) else taken.ahead


def reused(read: Read) -> Rejected:
    """The reject of an event whose id stood before with other content."""
    fact = read.fact
    message = f"id `{fact.id}` of `{fact.source}` was used before with other content; the first stands"
    return read.refused("ID_REUSED", message)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise _Duplicate("DUPLICATE_KEY", f"key `{twice[:64]!a}` appears twice in one object")
    return found


def _whole(text: str) -> int:
    if len(text) > DIGITS_LIMIT:
        raise ValueError(f"a number of {len(text)} digits; at most {DIGITS_LIMIT} are read")
    return int(text)


def _constant(text: str) -> Any:
    raise _Trouble("NOT_JSON", f"`{text}` is not JSON")


_MARK: Final = "\ufeff"
_BLANK: Final = " \t\r\n"
_strict: Final[Callable[[str], Any]] = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=number, parse_int=_whole, parse_constant=_constant
).decode


_ENVELOPE: Final = re.compile(f"{IDENT.pattern}\n{IDENT.pattern}\n{TIME.pattern}", re.ASCII)
"""What is checked of id, subject and time, in one go."""
_QUOTES: Final = 26
"""Around the seven keys of an envelope, and around their values but the data."""


def _read_plain(data: bytes, previous: Instant, tolerance: Instant, appended: Instant | None) -> Read | None:
    """An event without anything unusual, read in a third of the time; None for the strict reader to look.

    Without a backslash two quotes stand around every string and nowhere else, so that their number tells whether
    something was left out because its key appears twice, or because it is null.
    """
    # Not `in`: CPython makes and drops an error first, in case the bytes are a number.
    if len(data) > SIZE_LIMIT or data.find(b"\\") >= 0:
        return None
    try:
        event = plain(data)
        stated = _encode(event.data)
        more = (event.recordedtime is not None) + (event.datacontenttype is not None)
        if data.count(b'"') != _QUOTES + 4 * more + stated.count(b'"'):
            return None
        if _ENVELOPE.fullmatch(f"{event.id}\n{event.subject}\n{event.time}") is None or not _is_source(event.source):
            return None
        at = _instant(event.time)
        recorded = appended
        if recorded is None and event.recordedtime is not None:
            recorded = instant(event.recordedtime)
        when = recorded if recorded is not None else max(at, previous)
        if at > when + tolerance:
            return None
        told = TOLD[type(event)]
        fact = Fact(event.source, event.id, event.subject, at, when, _plainly(told, event.data))
        return _digested(fact, told.name, stated, recorded)
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
        return None


def _plainly(told: Told, data: Any) -> Any:
    """What was said, from its JSON object."""
    fields = [*values(data)]
    if told.time >= 0 and fields[told.time] is not None:
        fields[told.time] = instant(fields[told.time])
    for place, kind in told.lists:
        if fields[place] is not None:
            fields[place] = tuple(kind(*values(item)) for item in fields[place])
    return told.kind(*fields)


@lru_cache(1024)
def _is_source(source: str) -> bool:
    return SOURCE.fullmatch(source) is not None


_encode: Final[Callable[[Any], bytes]] = msgspec.json.Encoder(order="sorted").encode


def _digested(fact: Fact, name: str, stated: bytes, recorded: Instant | None) -> Read:
    """With digests of its id and its content, of 64 bits each."""
    key = blake2b(f"{fact.source}\0{fact.id}".encode(), digest_size=8).digest()
    content = blake2b(f"{name}\0{fact.client}\0{fact.at}\0".encode() + stated, digest_size=8).digest()
    return Read(fact, key, content, recorded)


def _json(data: bytes, limit: int = SIZE_LIMIT) -> Any:
    if len(data) > limit:
        raise _Trouble(*too_large(len(data), limit))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _Trouble("NOT_UTF8", _of_registry(data) or f"byte {error.start} is not UTF-8") from None
    if _too_deep(data):
        raise _Trouble("NOT_JSON", f"more than {DEPTH_LIMIT} objects and lists in one another")
    try:
        return _strict(text)
    except json.JSONDecodeError as error:
        if not text.strip(_BLANK):
            raise _Trouble("NOT_JSON", "nothing stands here") from None
        if text.startswith(_MARK):
            raise _Trouble("NOT_JSON", "it begins with a byte-order mark (EF BB BF): write UTF-8 without one") from None
        if said := _of_registry(data):
            raise _Trouble("NOT_JSON", said) from None
        raise _Trouble("NOT_JSON", f"{error.msg.removesuffix(' at')} at character {error.pos}") from None
    except RecursionError:
        raise _Trouble("NOT_JSON", "nested too deeply for who calls the gate from so far down") from None
    except ValueError as error:
        raise _Trouble("NOT_JSON", str(error)[:200]) from None


def _of_registry(data: bytes) -> str:
    """What is wrong with bytes that a schema registry's serializer has written; empty for any others."""
    prefix = data[: registered(data)]
    return (
        f"it begins with a schema registry's prefix ({prefix.hex(' ').upper()}): write plain JSON, with a serializer "
        "that puts nothing before it"
        if prefix
        else ""
    )


def _too_deep(data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= DEPTH_LIMIT:
        return False
    # Without what is escaped, every second piece between quotes is text.
    outside = b"".join(_ESCAPED.sub(b"", data).split(b'"')[::2])
    brackets = outside.translate(None, _NO_BRACKETS)
    return any(depth > DEPTH_LIMIT for depth in accumulate(map(_DEEPER.__getitem__, brackets)))


_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
_DEEPER: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS: Final = bytes(c for c in range(256) if c not in _DEEPER)


def object_of(data: bytes, limit: int = SIZE_LIMIT) -> dict[str, Any] | Rejected:
    """A JSON object that is no event, read as strictly as one; it may have another limit of bytes."""
    try:
        value = _json(data, limit)
    except _Trouble as trouble:
        return Rejected(trouble.reason, str(trouble))
    return value if isinstance(value, dict) else Rejected("BAD_FIELD", "this is not a JSON object")


def _lenient(data: bytes) -> object:
    """What can still be read: of keys that stand twice the last, or else what can be seen at a glance."""
    try:
        if len(data) <= SIZE_LIMIT and not _too_deep(data):
            return json.loads(data.decode(), parse_int=_whole)
    except (ValueError, RecursionError):
        pass
    return glance(data)


def _fact(event: Any, previous: Instant, tolerance: Instant, appended: Instant | None) -> Read | Rejected:
    if not isinstance(event, dict):
        raise _Trouble("NOT_A_CLOUDEVENT", "it is not a JSON object")
    if event.get("specversion") != "1.0":
        raise _Trouble("NOT_A_CLOUDEVENT", '`specversion` must be "1.0"')
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise _Trouble("NOT_A_CLOUDEVENT", f"`{name}` is missing or not a string")
    source, id, name = event["source"], event["id"], event["type"]
    kind = _BY_NAME.get(name)
    if kind is None:
        raise _Trouble("UNKNOWN_TYPE", f"type {name[:64]!a} is not one of the contract's; deploy/schemas has them all")
    if IDENT.fullmatch(id) is None:
        raise _Trouble("BAD_FIELD", f"`id` {IDENT_RULE}")
    if not _is_source(source):
        raise _Trouble("BAD_FIELD", "`source` must have 1 to 512 printable characters without space")
    client = event.get("subject")
    if not isinstance(client, str) or IDENT.fullmatch(client) is None:
        raise _Trouble("BAD_FIELD", f"`subject` {IDENT_RULE}")
    data = event.get("data")
    if not isinstance(data, dict):
        raise _Trouble("BAD_FIELD", "`data` must be a JSON object")
    for attribute, value in event.items():
        if attribute != "data":
            _canonical({attribute: value}, f"attribute {attribute[:64]!a}")
    stated = _canonical(data, "`data`")
    said = _said(kind, data)
    at, recorded = _times(event, appended)
    when = recorded if recorded is not None else max(at, previous)
    found = _digested(Fact(source, id, client, at, when, said), name, stated, recorded)
    return found if at <= when + tolerance else _from_the_future(found, tolerance)


def _from_the_future(read: Read, tolerance: Instant) -> Rejected:
    fact = read.fact
    late, tolerated = -(-(fact.at - fact.recorded) // SECOND), tolerance // SECOND
    said = f"`time` is {late} s later than when the event was recorded, and {tolerated} s are tolerated"
    message = f"{said}; set the clock that says it, or send it when it has happened"
    return replaced(read.refused("FROM_THE_FUTURE", message), ahead=read)


def _canonical(content: dict[str, Any], where: str) -> bytes:
    """An object the same however it was written; `where` in the event it stands.

    All of an event must have such a form, also what the gate does not look at: it is handed on as it came.
    """
    try:
        return _encode(content)
    except (msgspec.MsgspecError, ValueError, OverflowError):
        said = f"{where} holds text that is not Unicode (half of a surrogate pair): cut text between characters"
        raise _Trouble("BAD_FIELD", said) from None


def _times(event: dict[str, Any], appended: Instant | None) -> tuple[Instant, Instant | None]:
    try:
        name = "time"
        at = instant(event.get("time"))
        if appended is not None:
            return at, appended
        name = "recordedtime"
        given = event.get("recordedtime")
        return at, None if given is None else instant(given)
    except ValueError as error:
        raise _Trouble("BAD_TIME", f"`{name}` {error}") from None


def _said(kind: type, data: dict[str, Any]) -> Any:
    """The typed content; unknown fields are left aside, null is as absent."""
    inside = TIMES_INSIDE.get(kind)
    if inside is not None and data.get(inside) is not None:
        try:
            data[inside] = instant(data[inside])
        except ValueError as error:
            raise _Trouble("BAD_FIELD", f"`data.{inside}` {error}") from None
    if kind is AssetClassified:
        data["kind"] = data.get("class")
    return _typed(kind, data)


def _typed(kind: type, data: dict[str, Any]) -> Any:
    tag, names, things = _LAYOUT[kind]
    for name in things:
        if name in data:
            data[name] = _nested(name, data[name])
    try:
        return typed(kind, [tag, *map(data.get, names)])
    except msgspec.ValidationError as error:
        raise _Trouble("BAD_FIELD", complaint(str(error), kind, _fields(kind))) from None


def _nested(name: str, items: object) -> object:
    """A list of objects as the gate packs them; what is no list is left for the types to refuse."""
    if not isinstance(items, list):
        return items
    if not all(isinstance(item, dict) for item in items):
        raise _Trouble("BAD_FIELD", f"`data.{name}` must be a list of objects")
    return [[item.get(n) for n in NESTED[name]] for item in items]


def _layout(kind: type) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    row = shape(kind)
    names = row.__struct_fields__
    return row.__struct_config__.tag, names, tuple(n for n in names if n in NESTED)


_LAYOUT: Final = {kind: _layout(kind) for kind in TYPES.values()}


def _fields(kind: type) -> tuple[str, ...]:
    names = _LAYOUT[kind][1]
    return tuple("class" if name == "kind" else name for name in names) if kind is AssetClassified else names


FIELDS: Final = {name: _fields(kind) for name, kind in TYPES.items()}
"""By event name, the fields of data that the gate looks at."""
