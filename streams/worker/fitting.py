"""Outputs that are no larger than their topics take: one that is would stop its partition for good.

What an answer permits is never cut, nor who is meant: an event that comes in is small enough for that (`SIZE_LIMIT`).
Cut are sentences and lists of ids, and `cut` says so; each answer that a case names is published itself, too.
"""

from typing import Any, Final

import msgspec

from streams.topics import LARGEST

ROOM: Final = 16 * 1024
"""Bytes for headers, and for what Kafka adds; not for the key."""
LONGEST_LINE: Final = LARGEST - ROOM
_KEPT: Final = (1000, 100, 10, 0)
"""How much is kept of each list, the next where that is too much."""
_SENTENCE: Final = 200
"""Characters that are kept of a sentence at least."""
_LISTS: Final = {"facts", "decisions", "countries", "evidence"}


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
