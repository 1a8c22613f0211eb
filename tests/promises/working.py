"""How much work something is, counted and not timed."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls(work: Callable[[], object]) -> int:
    """How many functions are called meanwhile, Python's own included: the same each time, on any machine."""
    many = 0

    def count(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal many
        many += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return many
