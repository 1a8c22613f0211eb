"""Names of what a dossier has cut, as a filter of fixed size for each kind of thing, so that the history is seldom asked.

What a filter does not hold was never cut. What it seems to hold may be another name: the history is read for nothing then.
A filter fills up with a long past, so evidence is looked up in it only where who signs, and when, leaves it possible.
Source: B. Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13(7), 1970.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

from msgspec import Struct, field

from gate.facts import Instant
from gate.instants import EARLIEST, LATEST

SIZE: Final = 512
"""Bytes of a filter: with 500 names in it, one other name in 20 seems to be there; with 2,000, two in five."""

PEOPLE: Final = 64
"""People who are known by name; of more, it may have been anybody."""
ANYBODY: Final = "*"
"""No staff id."""


class Forgotten(Struct, array_like=True):
    """A filter for each kind of thing, empty while nothing of it was cut."""

    words: bytes = b""
    """Ids of the client's own events."""
    scopes: bytes = b""
    """Ids of requests whose scopes were cut."""
    papers: bytes = b""
    """Ids of requests whose evidence was cut although no scope of theirs was kept."""
    evidence: bytes = b""
    """Evidence of which a filing was cut, by itself and with who filed it or approved it (`signed`)."""
    offers: bytes = b""
    answered: bytes = b""
    """Ids of own words that requests replied to; also of such as are kept."""
    filers: list[str] = field(default_factory=list)
    """Who filed evidence that was cut."""
    approvers: list[str] = field(default_factory=list)
    """Who approved evidence that was cut."""
    approved: Instant = EARLIEST
    """The latest of these approvals."""
    offered: Instant = EARLIEST
    """The latest time of an offer that was cut."""


def everything() -> Forgotten:
    """Anything may have been cut, whoever signed it, and whenever."""
    full = b"\xff" * SIZE
    return Forgotten(full, full, full, full, full, full, [ANYBODY], [ANYBODY], LATEST, LATEST)


def signed(evidence: str, by: str) -> str:
    """The name of somebody's filing or approval of evidence; neither part can hold a blank."""
    return f"{evidence} {by}"


def may_be_among(people: list[str], by: str) -> bool:
    """Whether somebody may be one of these."""
    return by in people or ANYBODY in people


def with_person(people: list[str], by: str) -> list[str]:
    """These people and one more."""
    if may_be_among(people, by):
        return people
    return [*people, by] if len(people) < PEOPLE else [ANYBODY]


def with_names(held: bytes, names: Iterable[str]) -> bytes:
    """A filter that holds these names too."""
    bits = bytearray(held or SIZE)
    for name in names:
        for place in _places(name):
            bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def may_hold(held: bytes, name: str) -> bool:
    """Whether the name may be among those that a filter holds."""
    return bool(held) and all(held[place >> 3] >> (place & 7) & 1 for place in _places(name))


def _places(name: str) -> tuple[int, int]:
    """Two of the bits; the product spreads what names that count up have alike."""
    mixed = crc32(name.encode()) * 0x9E3779B1 & 0xFFFFFFFF
    return mixed >> 20, mixed >> 8 & 0xFFF
