"""Events without anything unusual, as msgspec reads them in one go: the envelope, and what is said, with its types.

It stands apart from `streams.border.wire`, which can be compiled; a class of msgspec's cannot.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from types import GenericAlias
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

import msgspec

from gate.facts import TYPES, AssetClassified, EntityRegistered, EvidenceFiled, Exclusion, Located, Released, Thing
from gate.packing import shape

NESTED: Final = {
    "promotes": ("service", "asset", "product"),
    "leaves": ("service", "asset", "product"),
    "excludes": ("country", "geo_blocked"),
}
"""Fields of data that are lists of objects, and the fields of those."""
TIMES_INSIDE: Final[dict[type, str]] = {
    Located: "until",
    EvidenceFiled: "solicited_at",
    Released: "expires",
    EntityRegistered: "until",
}
"""The field of data that is a time, of those types that have one."""


def bare_name(type: str) -> str:
    """`offer.proposed` of `gate61.offer.proposed.v1`; any other word as it is."""
    return type.removeprefix("gate61.").removesuffix(".v1")


class Plain(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a structured event in order has, and no more; `type` is the class of it."""

    specversion: Literal["1.0"]
    id: str
    source: str
    subject: str
    time: str
    recordedtime: str | None = None
    datacontenttype: str | None = None
    data: Any
    """An object of which null and what is not said are left out when it is encoded."""


class Told(NamedTuple):
    """What a class of plain events is of the gate's."""

    name: str
    kind: Any
    time: int
    """The place of the field that is a time, -1 if there is none."""
    lists: tuple[tuple[int, Any], ...]
    """Places of fields that are lists of objects, and the kind of these."""


def _plain(name: str, kind: type) -> tuple[type, Told]:
    row, time = shape(kind), TIMES_INSIDE.get(kind, "")
    names = row.__struct_fields__
    lists = tuple((n, Exclusion if f == "excludes" else Thing) for n, f in enumerate(names) if f in NESTED)
    told = Told(f"gate61.{name}.v1", kind, names.index(time) if time else -1, lists)
    data = _object(row, time, {"kind": "class"} if kind is AssetClassified else None)
    return msgspec.defstruct("Event", [("data", data)], bases=(Plain,), tag_field="type", tag=told.name), told


def _object(row: Any, time: str = "", rename: Mapping[str, str] | None = None) -> type:
    """A class whose values are JSON objects, of one whose values are rows; `time` is told as text."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(row):
        kind: Any = str if field.name == time else field.type
        if field.name in NESTED:
            kind = GenericAlias(tuple, (_object(_member(field.type)), ...))
        fields.append((field.name, kind) if field.required else (field.name, kind | None, None))
    return msgspec.defstruct("Data", fields, forbid_unknown_fields=True, omit_defaults=True, rename=rename)


def _member(kind: Any) -> Any:
    """The class in `tuple[class, ...]`, also where that may be None."""
    first = get_args(kind)[0]
    return first if get_origin(kind) is tuple else _member(first)


# A share in percent may be written in several ways, which the strict reader makes one of.
_CLASSES = dict(_plain(name, kind) for name, kind in TYPES.items() if kind is not EntityRegistered)
TOLD: Final[Mapping[type, Told]] = _CLASSES
plain: Final[Callable[[bytes], Plain]] = msgspec.json.Decoder(reduce(or_, _CLASSES)).decode
"""Raises `msgspec.MsgspecError`, `ValueError` or `RecursionError` for whatever is not in order."""
values: Final[Callable[[Any], tuple[Any, ...]]] = msgspec.structs.astuple
"""Of an event's data, in the order of its kind's fields."""


def number(text: str) -> float | int:
    """A number with a point or an exponent; a whole one is as if written without. Raises `ValueError`, also for infinity."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"number `{text[:32]}` is too large")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
