"""Schemas of what goes in, from the types of the facts and the limits of the border. Never stricter than the gate."""

from collections.abc import Mapping
from typing import Any

from msgspec import inspect

from gate.facts import OF_REGISTER, TYPES
from streams.border.envelope import TIMES_INSIDE
from streams.border.wire import FIELDS
from streams.kafka.dead_letters import REPLAY
from streams.schemas.words import (
    IDENT_TEXT,
    SOURCE_TEXT,
    TEXT,
    TIME_TEXT,
    YES_OR_NO,
    Schema,
    list_of,
    maybe,
    object_of,
    one_of,
    pattern,
)


def said_of(name: str) -> str:
    """What an event says, in a sentence."""
    text = " ".join((TYPES[name].__doc__ or "").split())
    return text.removeprefix(f"`{name}`").lstrip(":;., ").removesuffix(".") or name.replace(".", " ")


def data_schema(name: str) -> Schema:
    """The data of an event; null is as absent, and fields that the gate does not know are left aside by it."""
    info = inspect.type_info(TYPES[name])
    assert isinstance(info, inspect.StructType)
    shown: Mapping[str, str] = dict(zip(TYPES[name].__struct_fields__, FIELDS[name], strict=True))  # type: ignore[attr-defined]
    return _object(info, shown, TIMES_INSIDE.get(TYPES[name]))


def _object(info: inspect.StructType, shown: Mapping[str, str], time: str | None = None) -> Schema:
    required: dict[str, Schema] = {}
    optional: dict[str, Schema] = {}
    for field in info.fields:
        schema = (TIME_TEXT if field.required else maybe(TIME_TEXT)) if field.name == time else _of(field.type)
        (required if field.required else optional)[shown.get(field.name, field.name)] = schema
    return object_of(required, optional)


def _of(it: inspect.Type) -> Schema:
    match it:
        case inspect.UnionType(types):
            some = [_of(each) for each in types if not isinstance(each, inspect.NoneType)]
            schema: Schema = some[0] if len(some) == 1 else {"anyOf": some}
            return maybe(schema) if it.includes_none else schema
        case inspect.LiteralType(values):
            return one_of([str(value) for value in values])
        case inspect.StrType(pattern=str(expression)):
            return pattern(expression)
        case inspect.StrType(max_length=int(most)):
            return {"type": "string", "maxLength": most}
        case inspect.FloatType(ge=least, le=largest):
            return {"type": "number", "minimum": least, "maximum": largest}
        case inspect.BoolType():
            return YES_OR_NO
        case inspect.VarTupleType(item_type=item):
            return list_of(_of(item))
        case inspect.StructType():
            return _object(it, {})
    raise AssertionError(f"no schema for {it}")


def event_schema(name: str, data: Schema) -> Schema:
    """The whole event in structured mode, around a schema of its data."""
    attributes: dict[str, Any] = {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {**IDENT_TEXT, "description": "With `source` it is unique; the same again must say the same."},
        "source": {**SOURCE_TEXT, "description": "The system that says so, such as //platform.example/offers."},
        "type": {"type": "string", "const": f"gate61.{name}.v1"},
        "subject": {**IDENT_TEXT, "description": _subject(name)},
        "time": {**TIME_TEXT, "description": "When it happened; the law's clocks run on this."},
        "data": data,
    }
    beside = {
        "recordedtime": {"description": "When it became known, in files; on Kafka the broker's time is used instead."},
        "datacontenttype": {"description": "application/json; data is always read as that."},
    }
    return object_of(attributes, beside)


REPLAYED: dict[str, Schema] = {
    REPLAY: {**TEXT, "description": "`gate61 dlq replay` says here of which dead letter this is the copy: its place."}
}
"""A header that copies of dead letters have in both modes."""


_KIND = "application/json or another type that is JSON, or left out; with any other the event is BAD_FIELD."


def headers_schema(name: str) -> Schema:
    """The headers of the event in binary mode, whose value is the data; header values are UTF-8 text.

    A schema can only name a header in one case; the gate reads names in any.
    """
    properties = event_schema(name, {})["properties"]
    said = {f"ce_{n}": properties[n] for n in ("specversion", "id", "source", "type", "subject", "time")}
    kind: Schema = {**TEXT, "description": _KIND}
    return object_of(said, {"content-type": kind, **REPLAYED})


def _subject(name: str) -> str:
    if TYPES[name] in OF_REGISTER:
        return "The id of the thing it is about."
    return "The client's reference, a pseudonym. On Kafka its bytes are the record's key."
