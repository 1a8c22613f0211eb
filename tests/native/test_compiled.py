"""The compiled gate is the same gate: stories, promises, stores and simulation hold for it too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams import native

ROOT = Path(__file__).parents[2]
WHAT = {
    "stories": ("tests/golden", "tests/stories", "tests/contracts"),
    "simulation": ("tests/simulation",),
    "model": ("tests/promises/test_model.py",),
    "promises": tuple(f"tests/promises/test_{name}.py" for name in ("border", "kafka_record", "time", "two_tiers")),
}
ENOUGH = "not " + " and not ".join(
    ("clocks_differ", "made_anew", "each_error", "cluster", "let_go_of", "wire_has_not_changed")
)
"""Long ones that speak of order, effects and servers, which no compiler touches, are left to the run of the sources; so is what
looks for objects that are not let go of, as nothing refers weakly to compiled ones, and what runs the program, which takes
the compiled gate by itself."""
PATCHING = "tests/stories/test_failing_rule.py"
"""Puts failing rules in the place of others, which compiled callers do not see."""
SIZES = {
    "GATE61_FIRST_HISTORY": "1000",
    "GATE61_HISTORIES": "9000",
    "GATE61_SIMULATIONS": "100",
    "GATE61_FUZZ": "10000",
    "GATE61_MACHINES": "100",
    "GATE61_TIERS": "200",
}


@pytest.mark.parametrize("what", WHAT)
def test_all_that_is_promised_holds_compiled(what: str) -> None:
    """In a process of its own; `make native` has built it of exactly these sources."""
    assert native.missing() == ""
    words = ["-m", "tests.native", "-q", "-x", "-p", "no:cacheprovider", "--color=no", f"--ignore={PATCHING}"]
    words += ["-k", ENOUGH, *WHAT[what]]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=os.environ | SIZES, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_a_build_of_other_sources_is_left_alone(tmp_path: Path) -> None:
    """And so is one that is not there."""
    assert "not compiled" in native.missing(tmp_path)
    (tmp_path / native.BUILT).write_text("cpython-311 of yesterday")
    assert "other sources" in native.missing(tmp_path)
    assert not native.prefer(tmp_path) and not native.preferred()


def test_any_change_of_the_sources_is_noticed(tmp_path: Path) -> None:
    """Also one that keeps a file's size."""
    (tmp_path / "gate").mkdir()
    file = tmp_path / "gate" / "one.py"
    file.write_text("limit = 1\n")
    before = native.made_of(tmp_path)
    file.write_text("limit = 2\n")
    assert native.made_of(tmp_path) != before
