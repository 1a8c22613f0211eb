"""One mutant before the tests: in a copy of the project, and in a process that begins where the tests' libraries are read."""

import os
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic

import hypothesis  # noqa: F401
import pytest

from tests.mutants.changes import Mutant, mutated, without_any

SIZES = {"GATE61_HISTORIES": "150", "GATE61_TIERS": "100"}
"""Random histories that a mutant is shown at most."""
QUICK = ("tests/golden/test_wire.py::test_every_sentence_is_as_it_was", "tests/golden/test_codec.py")
SLOW = (
    "tests/stories/test_busy_client.py",
    "tests/stories/test_every_code.py",
    "tests/promises/test_two_tiers.py",
    "tests/promises/test_limits.py",
    "tests/promises/test_from_history.py",
    "tests/promises/test_long_past.py",
    "tests/promises/test_time.py",
    "tests/promises/test_model.py",
)
_LEFT_BEHIND = shutil.ignore_patterns(".venv", ".git", ".parts", "__pycache__", ".*_cache", "*.so")
_PRINTED = "printed.log"
"""In the copy: what the tests of the last mutant printed."""
_AS_LONG_AS_IT_TAKES = ("-o", "faulthandler_timeout=0")
"""Whoever waits for a trial has a limit of his own: several side by side take longer than one."""
_OURS = {"gate", "state", "streams", "tests", "deploy"}


def preload() -> None:
    """Read what every run of the tests reads, so that its process need not."""
    for plugin in entry_points(group="pytest11"):
        plugin.load()


class Trial:
    """A copy of the project in which one mutant after the other is tried."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.mutant: Mutant | None = None
        self.begun = 0.0
        self._root, self._folder = root, folder
        self._process: BaseProcess | None = None
        shutil.copytree(root, folder, ignore=_LEFT_BEHIND)
        for path in (root / "gate").rglob("*.py"):
            self._restore(path.relative_to(root))

    def start(self, mutant: Mutant | None) -> None:
        """Try it; None tries the gate as it is."""
        if mutant is not None:
            (self._folder / mutant.path).write_text(mutated(self._root, mutant))
        self.mutant, self.begun = mutant, monotonic()
        self._process = get_context("fork").Process(target=_test, args=(self._root, self._folder))
        self._process.start()

    def _restore(self, path: Path) -> None:
        """The file as mutants are written, or a test that reads sources would notice each by its quotes."""
        (self._folder / path).write_text(without_any(self._root, path))

    @property
    def sentinel(self) -> int:
        """Readable once the tests have ended."""
        assert self._process is not None
        return self._process.sentinel

    @property
    def printed(self) -> str:
        """What the tests printed."""
        return (self._folder / _PRINTED).read_text()

    def ended(self, limit: float) -> bool | None:
        """Whether the tests noticed, also by not ending within the limit in seconds; None while they run."""
        process = self._process
        assert process is not None
        if process.is_alive() and monotonic() < self.begun + limit:
            return None
        noticed = process.is_alive() or process.exitcode != 0
        process.kill()
        process.join()
        if self.mutant is not None:
            self._restore(self.mutant.path)
        return noticed


def _test(root: Path, folder: Path) -> None:
    os.chdir(folder)
    printed = os.open(_PRINTED, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(printed, stream)
    sys.path[:] = [str(folder), *(p for p in sys.path if Path(p).resolve() != root)]
    for name in [n for n in sys.modules if n.partition(".")[0] in _OURS]:
        del sys.modules[name]
    sys.dont_write_bytecode = True
    os.environ |= SIZES
    code = 0
    for tests in _courses(folder):
        code = code or pytest.main(["-x", "-q", "--no-header", "-p", "no:cacheprovider", *_AS_LONG_AS_IT_TAKES, *tests])
    os._exit(code)  # Without an orderly end: what the parent holds open is not this process's to close.


def _courses(folder: Path) -> list[Sequence[str]]:
    """The tests in courses, the quick ones first: most mutants do not get far."""
    stories = sorted(str(p.relative_to(folder)) for p in (folder / "tests" / "stories").glob("test_*.py"))
    return [QUICK, [s for s in stories if s not in SLOW], SLOW]
