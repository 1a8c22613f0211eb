"""Stands in for `gate/packing.py` where the gate is compiled: types pack and unpack themselves.

What the border takes is still checked by msgspec, against the types as they are written (`gate.shapes`).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gate import facts, shapes

_SHAPES: dict[Any, Any] = {facts.TYPES[name]: shape for name, shape in shapes.TYPES.items()}
_decode = msgspec.msgpack.Decoder().decode


def packed(value: Any) -> Any:
    """See the module that this stands in for."""
    return value.packed()


def decoder(kind: Any) -> Callable[[bytes | memoryview], Any]:
    """See the module that this stands in for."""
    return _decoder(kind, kind.unpacked)


def decoder_of_many(kind: Any) -> Callable[[bytes | memoryview], list[Any]]:
    """See the module that this stands in for."""
    unpacked = kind.unpacked
    return _decoder(kind, lambda rows: [unpacked(row) for row in rows])


def _decoder(kind: Any, unpacked: Callable[[Any], Any]) -> Callable[[bytes | memoryview], Any]:
    def decode(data: bytes | memoryview) -> Any:
        try:
            return unpacked(_decode(data))
        except (TypeError, IndexError, KeyError, AttributeError) as error:
            raise ValueError(f"no {kind.__name__.lower()}: {error}") from None

    return decode


def typed(kind: Any, row: list[Any]) -> Any:
    """See the module that this stands in for."""
    msgspec.convert(row, _SHAPES[kind])
    return kind.unpacked(row)


def shape(kind: Any) -> Any:
    """See the module that this stands in for."""
    return _SHAPES[kind]


def replaced(value: Any, **changes: Any) -> Any:
    """See the module that this stands in for."""
    fields = {name: getattr(value, name) for name in value.field_names()}
    return type(value)(**{**fields, **changes})
