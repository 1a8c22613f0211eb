"""Bodies of requests as events: structured, a batch, JSON lines, or binary with `ce-` headers (CloudEvents HTTP 1.0)."""

import json
import re
from collections import Counter
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec
from fastapi import Request

from streams.border.media import NO_JSON, STRUCTURED, holds_json, media_of
from streams.border.raw import is_text
from streams.border.wire import SIZE_LIMIT, Rejected, read_strict, rejected, too_large
from streams.web.problems import Problem

BODY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of one request."""
EVENT_LIMIT: Final = 1_000
"""Events of one request."""
JSON: Final = "application/json"
BATCH: Final = "application/cloudevents-batch+json"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
SIGNS_LIMIT: Final = 250_000
"""Brackets, commas and quotes of a batch that is no JSON as a whole: it is looked through, some 0.1 seconds for so many."""
_Elements = msgspec.defstruct(
    "_Elements", [(f"event_{n}", msgspec.Raw, msgspec.Raw()) for n in range(EVENT_LIMIT + 1)], array_like=True
)
"""The elements of an array up to one too many; the rest are read over, as each would take memory of its own."""
_BLANK: Final = b" \t\r\n"
_SIGNS: Final = (b"[", b"{", b",", b'"')
_SIGN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{},"]', re.DOTALL)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


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
    """The events of a request in its order; what is no event is one that will be rejected, and kept.

    More than `EVENT_LIMIT` of them, or another content type, are a Problem.
    """
    kind = media_of(request.headers.get("content-type", ""))
    if kind == STRUCTURED:
        return [Arrival(body)]
    if kind == BATCH:
        return _batch(body)
    if kind in LINES:
        return [Arrival(line) for line in _lines(body)]
    if any(name.startswith("ce-") for name in request.headers):
        return [_binary(request, body)]
    taken = ", ".join((STRUCTURED, BATCH, LINES[0]))
    raise Problem(415, f"send {taken}, or a binary CloudEvent with `ce-` headers", {"Accept": taken})


def _require_few(events: int) -> None:
    """Before anything is made of each of them."""
    if events > EVENT_LIMIT:
        raise Problem(413, f"more than {EVENT_LIMIT} events at once; send them in several requests. Nothing was taken")


def _lines(body: bytes) -> list[bytes]:
    """A newline at the end begins no further line; a blank one is a line."""
    whole = body.removesuffix(b"\n")
    _require_few(whole.count(b"\n") + 1)
    return whole.split(b"\n") if body else []


def _batch(body: bytes) -> list[Arrival]:
    try:
        found = msgspec.json.decode(body, type=_Elements)
    except (msgspec.MsgspecError, RecursionError):
        # What is wrong with one event is no reason to take none.
        apart = _apart(body)
        return [Arrival(body, refused=_no_batch(body))] if apart is None else [Arrival(event) for event in apart]
    events = [bytes(event) for event in msgspec.structs.astuple(found) if len(event)]
    _require_few(len(events))
    return [Arrival(event) for event in events]


def _apart(body: bytes) -> list[bytes] | None:
    """What stands between the commas of the outermost array, whatever it is; None where that cannot be told."""
    text = body.strip(_BLANK)
    if text[:1] != b"[" or text[-1:] != b"]" or sum(map(text.count, _SIGNS)) > SIGNS_LIMIT:
        return None
    found, depth, begin = list[bytes](), 0, 1
    for sign in _SIGN.finditer(text):
        kind = sign[0]
        if kind == b'"':
            return None  # The beginning of a text that has no end.
        if kind in b"[{":
            depth += 1
        elif kind in b"]}":
            depth -= 1
        if depth == 0 and sign.end() < len(text):
            return None
        if depth == 0 or (depth == 1 and kind == b","):
            found.append(text[begin : sign.start()].strip(_BLANK))
            _require_few(len(found))
            begin = sign.end()
    return found if depth == 0 else None


def _no_batch(body: bytes) -> Rejected:
    wrong = read_strict(body[: SIZE_LIMIT + 1], 0, 0)
    if isinstance(wrong, Rejected) and wrong.reason in ("NOT_UTF8", "NOT_JSON"):
        return Rejected(wrong.reason, wrong.message)
    return Rejected("NOT_JSON", "a batch is a JSON array of events")


def _binary(request: Request, body: bytes) -> Arrival:
    """Attributes in headers, the data in the body."""
    given = [(name, value) for name, value in request.headers.items() if name.startswith("ce-")]
    said = [(name[3:], _said(value)) for name, value in given]
    attributes = {name: value.decode(errors="replace") for name, value in said if name != "data"}
    kind = request.headers.get("content-type", JSON)
    beside = [(f"ce_{name}", value) for name, value in said]
    if "content-type" in request.headers:
        beside.append(("content-type", kind.encode("latin-1")))
    size = len(body) + sum(len(name) + len(value) for name, value in beside)
    wrong = too_large(size) if size > SIZE_LIMIT else _wrong(said, attributes, kind)
    refused = None if wrong is None else rejected(*wrong, attributes, body)
    return Arrival(body, attributes, json.dumps(given), tuple(beside), refused)


def _wrong(said: list[tuple[str, bytes]], attributes: dict[str, str], kind: str) -> tuple[str, str] | None:
    """Reason and message for what is wrong with the headers, if something is."""
    names = Counter(name for name, _ in said)
    twice = next((name for name, count in names.items() if count > 1), None)
    garbled = next((name for name, value in said if not is_text(value)), None)
    if garbled is not None:
        return "NOT_UTF8", f"the value of header `ce-{garbled[:64]}` is not UTF-8 once it is percent-decoded"
    if twice is not None:
        return "REPEATED_HEADER", f"header `ce-{twice[:64]}` appears twice"
    if "specversion" not in attributes:
        return "NOT_A_CLOUDEVENT", "header `ce-specversion` is missing"
    return None if holds_json(media_of(kind)) else ("BAD_FIELD", NO_JSON)


def _said(value: str) -> bytes:
    """What a header says: freed of double quotes, then percent-decoded, once (CloudEvents HTTP 1.0.2, section 3.1.3.2)."""
    quoted = _QUOTED.fullmatch(value.strip(" \t"))
    plain = value if quoted is None else _ESCAPED.sub(r"\1", quoted[1])
    return unquote_to_bytes(plain.encode("latin-1"))
