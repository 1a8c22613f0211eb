"""`make prove`: the promises at their full sizes, hours long, with a progress bar and a written report.

`make test` runs the same tests at sizes for every change.
"""

import os
import re
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple

from streams.progress import bar
from tests import progress
from tests.reports import ground

ROOT = Path(__file__).parents[2]
UNHURRIED = ("-o", f"faulthandler_timeout={12 * 3600}")
"""A test of full size takes longer than what counts as hanging otherwise."""
HEAD = (
    "# Proofs",
    "",
    "Written by `make prove`: each row when it was run last, on which commit and machine. Seeds are numbered from 0.",
    "",
    "| row | shown | sizes | of full size | held | seconds | ground |",
    "|---|---|---|---|---|--:|---|",
)
ROW = re.compile(r"\| \d+ \|")


class Proof(NamedTuple):
    """One row: what is shown, by which tests, at which sizes."""

    row: str
    what: str
    tests: str
    sizes: dict[str, int]
    spread: bool = False
    """Whether its tests take one process each, and may run side by side."""


PROOFS = (
    Proof(
        "1", "the gate agrees with an independent model", "tests/promises/test_model.py", {"GATE61_HISTORIES": 500_000}
    ),
    Proof("2", "every store does what a naive one does", "tests/contracts", {"GATE61_MACHINES": 50_000}),
    Proof("3", "no trouble changes an answer, simulated", "tests/simulation", {"GATE61_SIMULATIONS": 20_000}, True),
    Proof(
        "4",
        "killed, frozen and robbed parts under load",
        "tests/runtime/test_crash.py",
        {"GATE61_CRASH_EVENTS": 1_000_000, "GATE61_CRASH_FAULTS": 100},
    ),
    Proof("5", "Redis in trouble", "tests/runtime/test_redis_trouble.py", {"GATE61_REDIS_WINDOWS": 200}),
    Proof("6", "hostile bytes", "tests/promises/test_border.py", {"GATE61_FUZZ": 1_000_000}),
    Proof("8", "1, 2 and 4 workers alike", "tests/runtime/test_worker.py", {"GATE61_REPLAYED": 1_000_000}),
)


def _run(proof: Proof, sizes: Mapping[str, int]) -> tuple[bool, float, str]:
    """One proof; whether it held, how many seconds it took, and what it said last."""
    side_by_side = ("-n", str(os.cpu_count() or 1), "--dist", "worksteal") if proof.spread else ()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-W",
        "ignore",
        "--color=no",
        *UNHURRIED,
        *side_by_side,
        proof.tests,
    ]
    with TemporaryDirectory() as folder:
        begun, said = time.monotonic(), [""]
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {name: str(size) for name, size in sizes.items()} | {progress.TOLD: folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        reading = Thread(target=_listen, args=(child, said))
        reading.start()
        while reading.is_alive():
            reading.join(0.5)
            _draw(time.monotonic() - begun, *progress.told(Path(folder)))
    return child.wait() == 0, time.monotonic() - begun, _last(said)


def _listen(child: "subprocess.Popen[str]", said: list[str]) -> None:
    assert child.stdout is not None
    said += (line.strip() for line in child.stdout if line.strip())


def _draw(seconds: float, done: int, of: int, test: str) -> None:
    """How far the test under way has come, on a terminal only."""
    if not sys.stdout.isatty():
        return
    shown = f"{bar(done / of)} {done:,} of {of:,}" if of else ""
    print(f"\r  {seconds:7.0f} s  {shown}  {test[:60]}", end="\033[K", flush=True)


def _last(said: Sequence[str]) -> str:
    """What went wrong, if something did: pytest's own line about it."""
    return next((line for line in reversed(said) if line.startswith(("FAILED", "ERROR", "E  "))), said[-1])


def _write(report: Path, row: str) -> None:
    """Put a row in the place of an earlier one; rows of other runs stay as they were."""
    rows = [line for line in report.read_text().splitlines() if ROW.match(line)] if report.exists() else []
    others = [line for line in rows if line.split("|")[1] != row.split("|")[1]]
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join([*HEAD, *sorted([*others, row])]) + "\n")


def main() -> int:
    """Run them all, or some rows; write the report."""
    asked = ArgumentParser(prog="make prove")
    asked.add_argument("--rows", default="", help="only these, such as 3,4")
    asked.add_argument("--share", type=float, default=1.0, help="of the full sizes")
    asked.add_argument("--report", type=Path, default=ROOT / "deploy" / "proofs" / "report.md")
    given = asked.parse_args()
    rows = [p for p in PROOFS if not given.rows or p.row in given.rows.split(",")]
    failed = 0
    part = "all" if given.share == 1 else f"{given.share:g}"
    for number, proof in enumerate(rows, 1):
        print(f"[{number} of {len(rows)}] {proof.what}: {proof.tests}", flush=True)
        begun_on = ground()
        sizes = {name: max(1, int(size * given.share)) for name, size in proof.sizes.items()}
        held, seconds, last = _run(proof, sizes)
        failed += not held
        done = "held" if held else f"FAILED: {last}"
        print(f"\r  {done} after {seconds:.0f} s\033[K" if sys.stdout.isatty() else f"  {done} after {seconds:.0f} s")
        told = ", ".join(f"{name.removeprefix('GATE61_').lower()} {size:,}" for name, size in sizes.items())
        result = "yes" if held else f"**no**: {last}"
        _write(
            given.report, f"| {proof.row} | {proof.what} | {told} | {part} | {result} | {seconds:,.0f} | {begun_on} |"
        )
    print(f"report: {given.report}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
