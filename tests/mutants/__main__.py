"""`make mutants`: breaks the gate in small ways, one at a time, and looks whether the tests notice.

A mutant that no test notices is a missing test, or the same gate: then `survivors.toml` says why. Any other one that
survives makes the run fail. `--sample` tries some of them, drawn by a seed; files may be named.
"""

import os
import platform
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from multiprocessing.connection import wait
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic

from streams.progress import bar
from tests.mutants.changes import Mutant, mutants
from tests.mutants.trial import Trial, preload

ROOT = Path(__file__).parents[2]
REASONS = Path(__file__).with_name("survivors.toml")
UNHURRIED = 5
"""Times what the tests take on the gate as it is: a mutant that takes longer does not end."""
Name = tuple[str, str, str]


def tried(sample: Sequence[Mutant], side_by_side: int) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant, and whether the tests noticed it, as that is found out; raises if they fail without any."""
    preload()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        trials = [Trial(ROOT, folder / str(n)) for n in range(side_by_side)]
        begun = monotonic()
        for trial in trials:
            trial.start(None)
        if any(trial.ended(float("inf")) for trial in _each_in_the_end(trials)):
            raise SystemExit("the tests fail on the gate as it is: nothing is to be learnt from mutants")
        limit = UNHURRIED * (monotonic() - begun)
        left, free, busy = list(reversed(sample)), trials, list[Trial]()
        while left or busy:
            while left and free:
                trial = free.pop()
                trial.start(left.pop())
                busy.append(trial)
            wait([trial.sentinel for trial in busy], timeout=1)
            for trial in [*busy]:
                noticed = trial.ended(limit)
                if noticed is not None:
                    busy.remove(trial)
                    free.append(trial)
                    assert trial.mutant is not None
                    yield trial.mutant, noticed


def _each_in_the_end(trials: Sequence[Trial]) -> Iterator[Trial]:
    for trial in trials:
        wait([trial.sentinel])
        yield trial


def reasons() -> dict[Name, str]:
    """Why a mutant is the same gate, by its name."""
    found = tomllib.loads(REASONS.read_text()) if REASONS.exists() else {}
    return {(s["file"], s["where"], change): s["why"] for s in found.get("same", ()) for change in s["changes"]}


def _report(path: Path, every: int, sample: Sequence[Mutant], survived: Sequence[Mutant], why: dict[Name, str]) -> None:
    """Figures by file, and the survivors with their reasons."""
    tried_of = Counter(str(m.path) for m in sample)
    alive_of = Counter(str(m.path) for m in survived)
    explained = sum(m.name in why for m in survived)
    killed = len(sample) - len(survived)
    different = len(sample) - explained
    commit = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    ground = f"{datetime.now(UTC):%Y-%m-%d}, {commit.stdout.strip()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        "# Mutants",
        "",
        "Written by `make mutants`: every small change of the law in `gate/`, and whether the tests notice it "
        "(stories, cases, and some hundred random histories beside an independent model and a replay of the past).",
        "",
        f"- {ground}",
        f"- tried {len(sample):,} of {every:,}; noticed {killed:,}, {killed / len(sample):.1%}",
        f"- the same gate, for a reason below: {explained}; of all others {killed / different:.1%} are noticed",
        "",
        "| file | tried | not noticed |",
        "|---|--:|--:|",
        *(f"| {file} | {many} | {alive_of[file] or ''} |" for file, many in sorted(tried_of.items())),
        "",
        "## Not noticed",
        "",
        "| where | change | why it is the same gate |",
        "|---|---|---|",
        *(_row(m, why.get(m.name, "**not known**")) for m in sorted(survived)),
    ]
    path.write_text("\n".join(lines) + "\n")


def _row(mutant: Mutant, why: str) -> str:
    change = mutant.change.replace("|", "\\|")
    return f"| {mutant.path}, {mutant.where} | `{change}` | {why} |"


def main() -> int:
    """Try all mutants, or a sample; write the report. 1 if one survives that nobody has explained."""
    asked = ArgumentParser(prog="make mutants")
    asked.add_argument("files", nargs="*", type=Path, help="only of these; all of gate/ otherwise")
    asked.add_argument("--sample", type=int, help="how many of them, drawn by the seed; all otherwise")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--report", type=Path, help="write it there; not written otherwise")
    given = asked.parse_args()
    files = [f.resolve() for f in given.files] or sorted((ROOT / "gate").rglob("*.py"))
    every = [m for path in files for m in mutants(ROOT, path)]
    sample = sorted(Random(given.seed).sample(every, min(given.sample or len(every), len(every))))
    why, survived = reasons(), list[Mutant]()
    for number, (mutant, noticed) in enumerate(tried(sample, os.cpu_count() or 1), 1):
        if not noticed:
            survived.append(mutant)
            if mutant.name not in why:
                print(f"{mutant.path}:{mutant.line}  {mutant.where}  {mutant.change}", flush=True)
        if sys.stdout.isatty():
            print(f"\r{bar(number / len(sample))} {number:,} of {len(sample):,}", end="\033[K", flush=True)
    unknown = [m for m in survived if m.name not in why]
    print(f"\n{len(sample) - len(survived):,} of {len(sample):,} noticed, {len(unknown)} survived for no known reason")
    if given.report:
        _report(given.report, len(every), sample, survived, why)
    return 1 if unknown else 0


if __name__ == "__main__":
    raise SystemExit(main())
