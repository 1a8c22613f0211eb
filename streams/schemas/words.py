"""What schemas are put together from: JSON Schema of draft 2020-12, in words that older drafts read alike."""

from typing import Any

from streams.border.wire import IDENT, SOURCE, TIME

Schema = dict[str, Any]


def pattern(python: str) -> Schema:
    """Text of a pattern; its digits are those of ASCII, its ends those of the text."""
    inner = python.removeprefix(r"\A").removesuffix(r"\Z").replace(r"\d", "[0-9]")
    return {"type": "string", "pattern": f"^(?:{inner})$"}


TIME_TEXT: Schema = {**pattern(TIME.pattern), "description": "RFC 3339 with zone."}
"""Without `format`: what validators make of `date-time` differs, and some are stricter than the gate."""
IDENT_TEXT, SOURCE_TEXT = pattern(IDENT.pattern), pattern(SOURCE.pattern)
TEXT: Schema = {"type": "string"}
YES_OR_NO: Schema = {"type": "boolean"}


def one_of(values: "list[str] | tuple[str, ...]") -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(values)}


def maybe(schema: Schema) -> Schema:
    """That, or null."""
    if "enum" in schema:
        return {"type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [*schema["anyOf"], {"type": "null"}]}


def list_of(items: Schema) -> Schema:
    """Any number of those."""
    return {"type": "array", "items": items}


def object_of(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object; fields that are not named may be there too."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}
