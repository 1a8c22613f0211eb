"""The envelope of an event without anything unusual, as msgspec reads it in one go.

It stands apart from `streams.wire`, which can be compiled; a class of msgspec's cannot.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec


class Plain(msgspec.Struct, forbid_unknown_fields=True):
    """What a structured event in order has, and no more."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]
    recordedtime: str | None = None
    datacontenttype: str | None = None


def number(text: str) -> float | int:
    """A number with a point or an exponent; a whole one is as if written without. Raises `ValueError`, also for infinity."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"number `{text[:32]}` is too large")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


plain: Final[Callable[[bytes], Plain]] = msgspec.json.Decoder(Plain, float_hook=number).decode
"""Raises `msgspec.MsgspecError`, `ValueError` or `RecursionError` for whatever is not in order."""
