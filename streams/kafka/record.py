"""Kafka records in: structured and binary CloudEvents (contract section 1), and where a client's records belong.

The Kafka protocol binding of CloudEvents says by `content-type` which mode it is: `application/cloudevents+json` is
structured, anything else with `ce_` headers is binary. A record with neither is no CloudEvent, whatever its value holds:
a sender who leaves the mode out may have left more out. An offer that can still be read in it is answered with a block.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from gate.facts import Instant
from gate.packing import replaced
from streams.border.media import NO_JSON, holds_json, media_of
from streams.border.media import STRUCTURED as OF_STRUCTURED
from streams.border.raw import is_text
from streams.border.wire import REASONS as OF_EVENTS
from streams.border.wire import SIZE_LIMIT, Read, Rejected, read, read_parts, rejected, too_large, understood

REASONS: Final = (*OF_EVENTS, "REPEATED_HEADER", "WRONG_PARTITION")
"""Why a record cannot be taken: the reasons of events, and two of what stands beside them."""
Headers = Sequence[tuple[str, bytes | None]]
"""Of a record, as they came: names may be repeated, and values missing."""
KeptHeaders = tuple[tuple[str, bytes | None], ...]
"""The same where they are kept."""
STRUCTURED: Final = OF_STRUCTURED.encode()
ERRORS: Final = "gate61.errors."
"""What the names of headers begin with that say of a dead letter why it is one."""
OF_ERRORS: Final = ("topic", "partition", "offset", "stage", "reason", "message", "attempts", "version", "policy")
"""What these are, beside `cut`."""
FIRST_ERROR: Final = OF_ERRORS[0]
"""What is always said of a dead letter, before all else: behind a platform's own headers it shows where they end."""
_MINE: Final = "content-type"
_PREFIX: Final = "ce_"
_REPLACED: Final = "\ufffd"
"""Stands in for what is not UTF-8; or somebody has written it."""
_MASK: Final = 0xFFFFFFFF


def read_record(
    value: bytes | None,
    key: bytes | None,
    headers: Headers,
    place: tuple[int, int] | None,
    appended: Instant,
    tolerance: Instant,
) -> Read | Rejected:
    """What a record says; never raises.

    `place` is the partition that the record lies in and how many there are; None where clients are not spread.
    `appended` is the broker's time, in microseconds, already clamped to be no earlier than the record's before.
    """
    data = value or b""
    if len(headers) == 1 and headers[0][0] == _MINE and headers[0][1] == STRUCTURED:
        event = read(data, appended, tolerance, appended)
    else:
        event = _read_headers(data, headers, appended, tolerance)
    said = understood(event)
    wrong = None if place is None or said is None else _misplaced(said, key, place)
    if wrong is None:
        return event
    # What lies in the wrong place repeats nothing.
    return replaced(event, ahead=None) if isinstance(event, Rejected) else event.refused("WRONG_PARTITION", wrong)


def _misplaced(event: Read, key: bytes | None, place: tuple[int, int]) -> str | None:
    """What is wrong with where a record lies; None if nothing is."""
    if key is None or key != event.fact.client.encode():
        return "the record's key must be the subject's bytes, so that a client stays in one partition"
    right = partition_of(key, place[1])
    if right == place[0]:
        return None
    return (
        f"the client belongs to partition {right} and the record lies in {place[0]}; partition "
        "by murmur2 of the key, as Kafka's own clients do (librdkafka: partitioner=murmur2_random)"
    )


def _read_headers(data: bytes, headers: Headers, appended: Instant, tolerance: Instant) -> Read | Rejected:
    attributes: dict[str, object] = {}
    kind: bytes | None = None
    repeated = None
    garbled: str | None = None
    size = len(data)
    seen: set[str] = set()
    for name, content in headers:
        name = name.lower()
        if name != _MINE and not name.startswith(_PREFIX):
            continue
        size += len(name) + len(content or b"")
        repeated = name if name in seen else repeated
        seen.add(name)
        if name == _MINE:
            kind = content
        else:
            said = (content or b"").decode(errors="replace")
            attributes[name.removeprefix(_PREFIX)] = said
            if _REPLACED in said and not is_text(content or b""):
                garbled = name
    media = "" if kind is None else media_of(kind.decode("latin-1"))
    if media == OF_STRUCTURED:
        attributes = {}
    if size > SIZE_LIMIT:
        return rejected(*too_large(size), attributes, data)
    if garbled is not None and media != OF_STRUCTURED:
        return rejected("NOT_UTF8", f"the value of header {garbled[:64]!a} is not UTF-8", attributes, data)
    if repeated is not None:
        return rejected("REPEATED_HEADER", f"header {repeated[:64]!a} appears twice", attributes, data)
    if media == OF_STRUCTURED:
        return read(data, appended, tolerance, appended)
    if "specversion" not in attributes:
        message = (
            "neither `content-type: application/cloudevents+json` nor header `ce_specversion`: it is no CloudEvent"
        )
        return rejected("NOT_A_CLOUDEVENT", message, attributes, data)
    if kind is not None and not holds_json(media):
        return rejected("BAD_FIELD", NO_JSON, attributes, data)
    attributes.pop("data", None)
    return read_parts(attributes, data, appended, tolerance, appended)


def beside(headers: Headers) -> list[tuple[str, bytes]]:
    """The headers that are part of an event; of a structured one none are, whatever else stands there."""
    named = [(name.lower(), content or b"") for name, content in headers]
    found = [(name, content) for name, content in named if name == _MINE or name.startswith(_PREFIX)]
    structured = any(name == _MINE and media_of(content.decode("latin-1")) == OF_STRUCTURED for name, content in found)
    return [] if structured else found


@lru_cache(1 << 16)
def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's default partitioner puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """The 32-bit hash of Kafka's default partitioner (MurmurHash2 by Austin Appleby, with Kafka's seed), unsigned."""
    length = len(key)
    hashed = 0x9747B28C ^ length
    whole = length & ~3
    for place in range(0, whole, 4):
        word = int.from_bytes(key[place : place + 4], "little") * 0x5BD1E995 & _MASK
        word = (word ^ word >> 24) * 0x5BD1E995 & _MASK
        hashed = (hashed * 0x5BD1E995 & _MASK) ^ word
    if length & 3:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * 0x5BD1E995 & _MASK
    hashed = (hashed ^ hashed >> 13) * 0x5BD1E995 & _MASK
    return hashed ^ hashed >> 15


def dead_letter_headers(*, topic: str, **errors: object) -> list[tuple[str, bytes]]:
    """What is added to the headers of a record that could not be taken: where it came from, why, and by whom."""
    said = {FIRST_ERROR: topic, **errors}
    return [(f"{ERRORS}{name}", str(value).encode(errors="backslashreplace")) for name, value in said.items()]
