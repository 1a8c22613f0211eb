"""Values of the gate as plain rows and back: what is stored, what travels, what the border checks.

Here msgspec does all of it. Where the gate runs compiled its types are not msgspec's, and `deploy/native/packing.py`
stands in for this module: the same rows, so that one reads what the other wrote.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def packed(value: Any) -> Any:
    """A value as an encoder of msgspec's takes it."""
    return value


def decoder(kind: type[T]) -> Callable[[bytes | memoryview], T]:
    """Reads MessagePack; raises `ValueError` (msgspec's errors are) for what is not of that kind."""
    return msgspec.msgpack.Decoder(kind).decode


def decoder_of_many(kind: type[T]) -> Callable[[bytes | memoryview], list[T]]:
    """Reads MessagePack of a list of them."""
    return msgspec.msgpack.Decoder(list[kind]).decode  # type: ignore[valid-type]


def typed(kind: type[T], row: list[Any]) -> T:
    """A value from the row of its fields, behind its tag if it has one; raises `msgspec.ValidationError`."""
    return msgspec.convert(row, kind)


def shape(kind: type) -> Any:
    """The class of msgspec's that says which tag and fields an event's kind has, and of which types."""
    return kind


def replaced(value: T, **changes: Any) -> T:
    """The same with other values in some fields."""
    return msgspec.structs.replace(value, **changes)  # type: ignore[type-var]
