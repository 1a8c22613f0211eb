"""Files in TOML, of policies and of channels: whatever bytes they are, a table or what is wrong with them."""

import tomllib
from typing import Any, Final

LARGEST: Final = 64 * 1024
"""Bytes of a file; the default policy has some two thousand with all its sources."""
_DOTS: Final = 200
"""In one line: Python's reader takes the square of a dotted key's length."""


class NoTable(Exception):
    """Bytes that are no table; goes on from the name of what they are of."""


def table_of(text: bytes) -> dict[str, Any]:
    """The table that bytes say, in UTF-8 whatever this machine's locale, a byte-order mark left aside; raises `NoTable`."""
    if len(text) > LARGEST:
        raise NoTable(f"has {len(text)} bytes; {LARGEST} are the most")
    if any(line.count(b".") > _DOTS for line in text.splitlines()):
        raise NoTable(f"has a line with more than {_DOTS} dots; write tables as `[sections]`")
    try:
        return tomllib.loads(text.decode("utf-8-sig"))
    except ValueError as error:  # Of TOML, of UTF-8, and of numbers with thousands of digits.
        raise NoTable(f"is not TOML: {error}") from None
    except RecursionError:
        raise NoTable("is nested too deeply; there are sections, and lists of words in them") from None
