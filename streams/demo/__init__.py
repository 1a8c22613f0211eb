"""A shipped month of a fictional platform, for the demo and the tests; `streams.demo.month` writes it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PATH: Final = Path(__file__).with_name("month.jsonl")
"""Its events, one a line, in the order of arrival."""
_PLACEHOLDER: Final = re.compile(rb"@decision:([A-Za-z0-9._:/-]+)#(\d+)")


def filled(line: bytes, decisions: Mapping[str, Sequence[str]]) -> bytes:
    """A line of the month with the decision ids that its placeholders stand for: by offer event, in the order of answers."""
    return _PLACEHOLDER.sub(lambda m: decisions[m[1].decode()][int(m[2]) - 1].encode(), line)
