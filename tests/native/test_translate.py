"""What becomes of msgspec's classes when the gate is compiled; whatever is not known is refused, not guessed."""

import ast
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from deploy.native.translate import Unknown, Vocabulary, dispatch, refuse_what_changes, translated

SOURCE = '''
"""Words."""
from __future__ import annotations
from enum import IntEnum
from typing import Annotated, Any, Literal, NamedTuple, Optional
from msgspec import Meta, Struct, field
from mypy_extensions import mypyc_attr

Ident = Annotated[str, Meta(max_length=9)]
Pairs = tuple[tuple[str, bytes], ...]


class Weight(IntEnum):
    LIGHT = 0
    HEAVY = 1


class Thing(Struct, frozen=True, array_like=True, order=True):
    at: int
    id: Ident
    weight: Weight = Weight.LIGHT

    @property
    def heavy(self) -> bool:
        return self.weight is Weight.HEAVY


class _Said(Struct, frozen=True, array_like=True, omit_defaults=True):
    """Base."""


class Asked(_Said, frozen=True, tag=1):
    things: tuple[Thing, ...] | None = None
    words: tuple[str, ...] | Literal["all"] = "all"


class Told(_Said, frozen=True, tag=2):
    text: str


class File(Struct, array_like=True):
    said: Asked | Told
    seen: dict[Thing, list[Thing]] = field(default_factory=dict)
    last: tuple[int, list[str]] = (0, [])
    pairs: Pairs = ()
    state: tuple[str, tuple[str, ...]] = ("new", ())
    times: dict[str, tuple[int, bool]] = field(default_factory=dict)
    first: Thing | None = None


class Known(NamedTuple):
    file: File
    register: int = 0
'''


def both() -> tuple[dict[str, Any], dict[str, Any]]:
    """The source as it is, and translated."""
    words = Vocabulary()
    words.learn(ast.parse(SOURCE))
    found: list[dict[str, Any]] = []
    for source in (SOURCE, translated(SOURCE, words) + dispatch(words)):
        space: dict[str, Any] = {"__name__": "told"}
        exec(compile(source, "told", "exec"), space)
        found.append(space)
    return found[0], found[1]


def file(space: dict[str, Any], said: Any) -> Any:
    thing = space["Thing"](1, "a", space["Weight"].HEAVY)
    pairs = (("x", b"y"),)
    return space["File"](said, {thing: [thing]}, (5, ["q"]), pairs, ("old", ("b",)), {"k": (3, True)}, thing)


def test_rows_are_those_of_msgspec_and_come_back() -> None:
    """The same bytes are stored, whoever stores them; and both read them."""
    plain, native = both()
    tellings: tuple[Callable[[dict[str, Any]], Any], ...] = (
        lambda s: s["Asked"]((s["Thing"](1, "a"),), ("w",)),
        lambda s: s["Asked"](),
        lambda s: s["Told"]("t"),
    )
    for told in tellings:
        before, after = file(plain, told(plain)), file(native, told(native))
        stored = msgspec.msgpack.encode(before)
        assert msgspec.msgpack.encode(after.packed()) == stored
        assert native["File"].unpacked(msgspec.msgpack.decode(stored)) == after
        assert repr(after) == repr(before)


def test_fields_that_are_not_stored_yet_have_their_defaults() -> None:
    """A row of an older program is shorter."""
    _, native = both()
    short = native["File"].unpacked([[2, "t"]])
    assert short == native["File"](native["Told"]("t")) and short.seen == {}
    assert short.seen is not native["File"].unpacked([[2, "t"]]).seen


def test_comparison_order_and_hash_are_by_fields() -> None:
    """As msgspec's are."""
    _, native = both()
    thing = native["Thing"]
    assert thing(1, "a") == thing(1, "a") and hash(thing(1, "a")) == hash(thing(1, "a"))
    assert sorted([thing(2, "a"), thing(1, "b"), thing(1, "a")]) == [thing(1, "a"), thing(1, "b"), thing(2, "a")]
    assert thing(1, "a", native["Weight"].HEAVY).heavy and not thing(1, "a").heavy


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("class A(Struct, kw_only=True):\n    a: int\n", "kw_only"),
        (
            "class A(Struct, array_like=True):\n    a: int\nclass B(Struct, array_like=True):\n    b: A | int\n",
            "a union",
        ),
        ("class A(Struct, array_like=True):\n    a: Elsewhere\n", "`Elsewhere` is no type"),
    ],
)
def test_what_is_not_known_is_refused(source: str, why: str) -> None:
    """Better no build than another gate."""
    words = Vocabulary()
    with pytest.raises(Unknown, match=why):
        words.learn(ast.parse(source))
        translated(source, words)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("_ROW = ('a', 1)\ndef f(row: object) -> bool:\n    return row is _ROW\n", "compare with =="),
        ("import msgspec\nclass A(msgspec.Struct):\n    a: int\n", "msgspec's"),
    ],
)
def test_what_would_change_its_meaning_is_refused(source: str, why: str) -> None:
    """A compiled tuple has no identity: such a comparison once let an offer go that had to be blocked."""
    with pytest.raises(Unknown, match=why):
        refuse_what_changes(source, Vocabulary(), "here.py")
