"""A glance at bytes that are no event in order: so much of them as an answer to an offer needs.

Only what stands at the top and in the objects there is looked at. Whatever lies deeper is left out before anything is
read, so that neither nesting nor numbers can stop it, and the same bytes are seen the same whoever asks.
"""

import re
from collections import Counter
from json import JSONDecoder
from operator import itemgetter
from typing import Any, Final

LIMIT: Final = 1024 * 1024
"""Bytes that are looked at: what a Kafka record may have."""
_REGISTRY: Final = re.compile(rb"\0.{4}(?=[ \t\r\n]*\{)", re.DOTALL)
"""What serializers of a schema registry put before JSON: a zero and the schema's id (Confluent's wire format)."""
_DEPTH: Final = 2
_PLAIN: Final = r'[^"\[\]{}]*+'
_FLAT: Final = rf'{_PLAIN}(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"{_PLAIN})*+'
"""Whatever is no bracket, and texts, so that brackets in them are none. It never looks back."""
_LEAF: Final = rf"[\[{{]{_FLAT}[\]}}]"
"""An object or list in which there is no other."""
_TOGETHER: Final = 1_000
_PIECE: Final = re.compile(
    rf'{_FLAT}(?:({_LEAF}(?:{_FLAT}{_LEAF}){{0,{_TOGETHER}}})|([\[{{]++)|([\]}}]++)|"[\s\S]*+|\Z)', re.DOTALL
)
"""So many leaves, or some brackets: whatever many of the first are passed over at once. A text that does not end takes all
that is left.

Leaves are counted, not repeated as often as can be without looking back: where such a repetition ends within what it
repeats, Python 3.11.2 goes on from there."""
_BETWEEN: Final = re.compile(rf"({_FLAT})(?:{_LEAF}|\Z)", re.DOTALL)
"""What stands before each leaf, and behind the last."""


def registered(data: bytes) -> int:
    """How many bytes of a schema registry stand before an object: 5 or 0."""
    found = _REGISTRY.match(data)
    return found.end() if found else 0


def glance(data: bytes) -> dict[str, Any] | None:
    """A JSON object without what lies deep in it and without keys that stand twice; None where there is none to be seen.

    What is not UTF-8 stands as a replacement character, and no id has one. A byte-order mark, and what a schema registry's
    serializer writes, may stand before it, and anything behind it.
    """
    if len(data) > LIMIT:
        return None
    text = data[registered(data) :].decode(errors="replace").removeprefix("\ufeff").strip(" \t\r\n")
    if not text.startswith("{"):
        return None
    try:
        found: dict[str, Any] = _read(_shallow(text))[0]
    except ValueError:
        return None
    return found


def _shallow(text: str) -> str:
    """An object's text, with `0` in the place of every object and list that lies too deep, and perhaps what follows it."""
    kept: list[str] = []
    depth, begun = 0, 0
    for piece in _PIECE.finditer(text):
        kind = piece.lastindex
        if kind == 1:
            if depth == _DEPTH:
                first, last = piece.span(1)
                kept += (text[begun:first], _without_leaves(text[first:last]))
                begun = last
        elif kind == 2:
            first, last = piece.span(2)
            if depth <= _DEPTH < depth + last - first:
                kept += (text[begun : first + _DEPTH - depth], "0")
            depth += last - first
        elif kind == 3:
            first, last = piece.span(3)
            if depth - (last - first) <= _DEPTH < depth:
                begun = first + depth - _DEPTH
            depth -= last - first
            if depth <= 0:
                return "".join((*kept, text[begun : last + depth]))
    if depth > 0:
        raise ValueError("an object or a list is not closed")
    return text


def _without_leaves(text: str) -> str:
    """With `0` in the place of each."""
    # The blank makes sure that something stands behind the last one; behind that there is nothing, which is found, too.
    return "0".join(_BETWEEN.findall(text + " ")[:-1])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(map(itemgetter(0), pairs))
        return {name: value for name, value in found.items() if counts[name] == 1}
    return found


_read: Final = JSONDecoder(object_pairs_hook=_once, parse_int=str, strict=False).raw_decode
