"""The files that platforms get: a schema for each event, the AsyncAPI document, and the page of the reasons."""

import json

from gate.facts import TYPES
from streams import reasons
from streams.schemas import inputs, outputs
from streams.schemas.asyncapi import document
from streams.schemas.words import Schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, Schema]:
    """By path, the schema of every event in structured mode (its data stands under `properties`)."""
    found = {}
    for name in TYPES:
        whole = inputs.event_schema(name, inputs.data_schema(name))
        found[f"in/{name}.v1.json"] = _titled(name, inputs.said_of(name), whole)
        headers = _titled(
            name,
            f"{inputs.said_of(name)}; the headers of binary mode, their names in lower case",
            inputs.headers_schema(name),
        )
        found[f"in/{name}.v1.headers.json"] = headers
    for name, data in outputs.DATA.items():
        found[f"out/{name}.v1.json"] = _titled(name, outputs.SAID[name], outputs.event_schema(name, data))
    return found


def _titled(name: str, said: str, schema: Schema) -> Schema:
    return {"$schema": _DIALECT, "title": f"gate61.{name}.v1", "description": f"{said[0].upper()}{said[1:]}.", **schema}


def files() -> dict[str, str]:
    """By path, the text of every file that is written from the types."""
    whole = {**schemas(), "asyncapi.json": document()}
    texts = {path: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for path, content in whole.items()}
    return {**texts, "reasons.md": reasons.page()}
