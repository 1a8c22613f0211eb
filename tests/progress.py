"""How far a long test has come, for whoever waits for it: `make prove` names a file, and draws what stands there."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
TOLD: str = "GATE61_PROGRESS"
"""Names the file; without it nothing is told."""
_SECONDS = 0.2


def counted(items: Sequence[T]) -> Iterator[T]:
    """The items one by one, telling how many are done of how many."""
    last = -_SECONDS
    for done, item in enumerate(items):
        if monotonic() >= last + _SECONDS:
            last = monotonic()
            tell(done, len(items))
        yield item
    tell(len(items), len(items))


def tell(done: int, of: int) -> None:
    """Write down that so much is done."""
    file = os.environ.get(TOLD)
    if file:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].partition(" ")[0]
        Path(file).write_text(f"{done} {of} {test}")


def told(file: Path) -> tuple[int, int, str]:
    """What was written down last, and in which test; nothing of nothing if that was nothing yet."""
    try:
        done, of, test = file.read_text().split()
    except (OSError, ValueError):
        return 0, 0, ""
    return int(done), int(of), test
