"""Bytes of logs as events, after the gate has judged whether they are."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gate.facts import OF_REGISTER, TYPES
from streams.border.media import STRUCTURED, media_of
from streams.feed.told import Kind

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_BINARY: Final = "ce_specversion"
"""The header that every event in binary mode has."""
_SAID: Final[dict[str, Kind]] = {
    "offer.decided": "decision",
    "case.opened": "case",
    "scope.opened": "notice",
    "scope.closed": "notice",
    "scope.tainted": "notice",
    "relationship.suspended": "notice",
}
_TAKEN: Final[dict[str, Kind]] = {n: "register" if said in OF_REGISTER else "action" for n, said in TYPES.items()}
_KINDS: Final[dict[str, Kind]] = {f"gate61.{name}.v1": kind for name, kind in (_SAID | _TAKEN).items()}


def kind_of(event: dict[str, Any]) -> Kind | None:
    """What an event is; None for none of the contract's."""
    kind = event.get("type")
    return _KINDS.get(kind) if isinstance(kind, str) else None


def event_of(data: bytes, headers: Sequence[tuple[str, bytes | None]] = ()) -> dict[str, Any] | None:
    """A structured event, or with `ce_` headers a binary one; None for what is neither."""
    try:
        content = _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    given = {name.lower(): (value or b"").decode(errors="replace") for name, value in headers}
    if media_of(given.get("content-type", "")) == STRUCTURED or _BINARY not in given:
        return content
    attributes = {name[3:]: value for name, value in given.items() if name.startswith("ce_")}
    return {**attributes, "data": content}
