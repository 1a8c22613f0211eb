"""Bodies of requests as events: structured, a batch, JSON lines, or binary with `ce-` headers (CloudEvents HTTP 1.0)."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

import msgspec
from fastapi import Request

from streams.web.problems import Problem
from streams.wire import SIZE_LIMIT, Rejected, read_strict, rejected

BODY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of one request."""
EVENT_LIMIT: Final = 1_000
"""Events of one request, which are one transaction."""
JSON: Final = "application/json"
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


class Arrival(msgspec.Struct, frozen=True):
    """One event as it came: its bytes, and what stood beside them."""

    raw: bytes
    attributes: dict[str, str] = {}
    """Of a binary event."""
    headers: str | None = None
    """The same as they came, as JSON."""
    beside: tuple[tuple[str, bytes], ...] = ()
    """The same and the content type, as they would stand on Kafka."""
    refused: Rejected | None = None
    """Why it is no event, where that shows before it is read."""


def structured(arrival: Arrival) -> bytes:
    """An event that can be taken, as one JSON object."""
    if not arrival.attributes:
        return arrival.raw
    return msgspec.json.encode({**arrival.attributes, "data": msgspec.Raw(arrival.raw)})


def arrivals(request: Request, body: bytes) -> list[Arrival]:
    """The events of a request in its order; what is no event is one that will be rejected, and kept."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == STRUCTURED:
        return [Arrival(body)]
    if kind == BATCH:
        found = _batch(body)
    elif kind in LINES:
        lines = body.split(b"\n")
        found = [Arrival(line) for line in (lines if lines[-1] else lines[:-1])]
    elif any(name.startswith("ce-") for name in request.headers):
        return [_binary(request, body)]
    else:
        taken = ", ".join((STRUCTURED, BATCH, LINES[0]))
        raise Problem(415, f"send {taken}, or a binary CloudEvent with `ce-` headers", {"Accept": taken})
    if len(found) > EVENT_LIMIT:
        raise Problem(413, f"{len(found)} events at once; send at most {EVENT_LIMIT}. Nothing was taken")
    return found


def _batch(body: bytes) -> list[Arrival]:
    try:
        events = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError):
        return [Arrival(body, refused=_no_batch(body))]
    return [Arrival(bytes(event)) for event in events]


def _no_batch(body: bytes) -> Rejected:
    wrong = read_strict(body[: SIZE_LIMIT + 1], 0, 0)
    if isinstance(wrong, Rejected) and wrong.reason in ("NOT_UTF8", "NOT_JSON"):
        return Rejected(wrong.reason, wrong.message)
    return Rejected("NOT_JSON", "a batch is a JSON array of events")


def _binary(request: Request, body: bytes) -> Arrival:
    """Header values are percent-encoded UTF-8 (CloudEvents HTTP 1.0, section 3.1.3.2)."""
    given = [(name, value) for name, value in request.headers.items() if name.startswith("ce-")]
    attributes = {name[3:]: unquote(value, errors="replace") for name, value in given if name != "ce-data"}
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    refused = None
    twice = next((name for name, count in Counter(name for name, _ in given).items() if count > 1), None)
    if twice is not None:
        refused = rejected("REPEATED_HEADER", f"header `{twice[:64]}` stands twice", attributes, body)
    elif "specversion" not in attributes:
        refused = rejected("NOT_A_CLOUDEVENT", "header `ce-specversion` is missing", attributes, body)
    elif kind != JSON:
        refused = rejected("BAD_FIELD", "`content-type` of a binary event must be application/json", attributes, body)
    return Arrival(body, attributes, json.dumps(given), tuple(_beside(request)), refused)


def _beside(request: Request) -> Iterator[tuple[str, bytes]]:
    for name, value in request.headers.items():
        if name == "content-type":
            yield name, value.encode("latin-1")
        elif name.startswith("ce-"):
            yield f"ce_{name[3:]}", unquote_to_bytes(value.encode("latin-1"))
