"""How far long tests have come, for whoever waits for them: `make prove` names a folder, and draws what stands there."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
TOLD: str = "GATE61_PROGRESS"
"""Names the folder, in which each process that runs tests has a file; without it nothing is told."""
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
    """Write down that so much is done of the test under way."""
    folder = os.environ.get(TOLD)
    if folder:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].partition(" ")[0]
        process = os.environ.get("PYTEST_XDIST_WORKER", "all")
        Path(folder, process).write_text(f"{done} {of} {test}")


def told(folder: Path) -> tuple[int, int, str]:
    """What was written down last, by all processes together, and of which tests; nothing of nothing if that was nothing yet."""
    done, of, tests = 0, 0, []
    for file in sorted(folder.iterdir()):
        with suppress(ValueError):  # One is just being written.
            its_done, its_of, test = file.read_text().split()
            done, of = done + int(its_done), of + int(its_of)
            tests.append(test)
    return done, of, ", ".join(tests)
