"""Outputs that are no larger than their topics take: one that is would stop its partition for good.

What an answer permits is never cut, nor who is meant: an event that comes in is small enough for that (`SIZE_LIMIT`).
Cut are sentences and lists of ids, and `cut` says so; each answer that a case names is published itself, too. Of a record
that could not be taken the beginning is kept, where compressed it was small enough for its own topic only: it lies there
whole, for good.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from streams.kafka.record import KeptHeaders
from streams.kafka.topics import LARGEST, LARGEST_LETTER

ROOM: Final = 16 * 1024
"""Bytes for headers, and for what Kafka adds; not for the key."""
LONGEST_LINE: Final = LARGEST - ROOM
_KEPT: Final = (1000, 100, 10, 0)
"""How much is kept of each list, the next where that is too much."""
_SENTENCE: Final = 200
"""Characters that are kept of a sentence at least."""
_BEGINNING: Final = 256 * 1024
"""Bytes that are kept of a value that is too large, of a key and of all headers."""
_LISTS: Final = {"facts", "decisions", "countries", "evidence"}


class Kept(NamedTuple):
    """What a dead letter holds of a record."""

    key: bytes | None
    value: bytes | None
    headers: KeptHeaders
    cut: str | None
    """What was cut, where something was."""


def kept_of(key: bytes | None, value: bytes | None, headers: KeptHeaders) -> Kept:
    """All of a record that its topic of dead letters takes, else its beginning; the same record gives the same."""
    sizes = len(value or b""), len(key or b""), sum(map(_size, headers))
    if sum(sizes) <= LARGEST_LETTER - ROOM:
        return Kept(key, value, headers, None)
    cut = f"of {sizes[0]} bytes of value with sha256 {sha256(value or b'').hexdigest()}, {sizes[1]} of key, {sizes[2]} of headers"
    first = key and key[:_BEGINNING], value and value[:_BEGINNING]
    return Kept(*first, tuple(_first(headers)), f"{cut}; whole where it came from")


def _first(headers: KeptHeaders) -> Iterator[tuple[str, bytes | None]]:
    held = 0
    for header in headers:
        held += _size(header)
        if held > _BEGINNING:
            return
        yield header


def _size(header: tuple[str, bytes | None]) -> int:
    return len(header[0].encode(errors="surrogatepass")) + len(header[1] or b"")


def fitting(line: bytes, key: bytes | None) -> bytes:
    """An event as it is published, cut where it is too large; the same bytes give the same."""
    most = LONGEST_LINE - len(key or b"")
    if len(line) <= most:
        return line
    event = msgspec.json.decode(line)
    whole = event["data"]
    for kept in _KEPT:
        event["data"] = {**_cut(whole, kept), "cut": True}
        line = msgspec.json.encode(event)
        if len(line) <= most:
            break
    return line


def _cut(said: Any, kept: int) -> Any:
    if isinstance(said, list):
        return [_cut(each, kept) for each in said]
    if isinstance(said, dict):
        return {name: _cut_field(name, value, kept) for name, value in said.items()}
    return said


def _cut_field(name: str, value: Any, kept: int) -> Any:
    if name in _LISTS:
        return value[:kept]
    if name == "said":
        return value if len(value) <= max(kept, _SENTENCE) else value[: max(kept, _SENTENCE)] + "…"
    return _cut(value, kept)
