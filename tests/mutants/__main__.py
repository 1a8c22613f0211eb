"""`make mutants`: breaks the gate in small ways, one at a time, and looks whether the tests notice.

A mutant that no test notices is a missing test, or the same gate: then `survivors.toml` says why. Any other one that
survives makes the run fail. What was found out is kept by file; of a file that has not changed since only what survived
is tried again, as tests are added and seldom taken away. `--all` tries everything.
"""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from streams.progress import bar
from tests.mutants.changes import Mutant, mutants
from tests.mutants.found import Found
from tests.mutants.trial import Trial, preload

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "deploy" / "proofs" / "mutants.md"
UNHURRIED = 5
"""Times what the tests take on the gate as it is: a mutant that takes longer does not end."""


def tried(sample: Sequence[Mutant], side_by_side: int) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant, and whether the tests noticed it, in this order; raises if they fail without any."""
    preload()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        trials = [Trial(ROOT, folder / str(n)) for n in range(side_by_side)]
        limit = UNHURRIED * _seconds_without_any(trials)
        left, free, busy = list(reversed(sample)), trials, list[Trial]()
        found: dict[Mutant, bool] = {}
        for mutant in sample:
            while mutant not in found:
                while left and free:
                    trial = free.pop()
                    trial.start(left.pop())
                    busy.append(trial)
                wait([trial.sentinel for trial in busy], timeout=1)
                for trial in [*busy]:
                    noticed = trial.ended(limit)
                    if noticed is not None and trial.mutant is not None:
                        found[trial.mutant] = noticed
                        busy.remove(trial)
                        free.append(trial)
            yield mutant, found.pop(mutant)


def _seconds_without_any(trials: Sequence[Trial]) -> float:
    """How long the tests take on the gate as it is, side by side."""
    begun = monotonic()
    for trial in trials:
        trial.start(None)
    for trial in trials:
        wait([trial.sentinel])
        if trial.ended(float("inf")):
            raise SystemExit(
                f"{trial.printed}\nthe tests fail on the gate as it is: nothing is to be learnt from mutants"
            )
    return monotonic() - begun


def _draw(done: int, of: int) -> None:
    if sys.stdout.isatty():
        print(f"\r{bar(done / of)} {done:,} of {of:,}", end="\033[K" if done < of else "\033[K\n", flush=True)


def main() -> int:
    """Try what is to be tried and write the report. 1 if a mutant survives that nobody has explained."""
    asked = ArgumentParser(prog="make mutants")
    asked.add_argument("files", nargs="*", type=Path, help="only of these; all of gate/ otherwise")
    asked.add_argument(
        "--all", action="store_true", help="also what was noticed before, in files that have not changed"
    )
    given = asked.parse_args()
    found = Found(ROOT, REPORT)
    files = [f.resolve() for f in given.files] or sorted((ROOT / "gate").rglob("*.py"))
    if strange := [f for f in files if not f.is_relative_to(ROOT / "gate")]:
        asked.error(f"`{strange[0]}` is no file of gate/")
    of_files = {str(path.relative_to(ROOT)): mutants(ROOT, path) for path in files}
    sample = [m for file, every in of_files.items() for m in (every if given.all else found.to_try(file, every))]
    unknown = 0
    done = 0
    for file, results in groupby(tried(sample, os.cpu_count() or 1), key=lambda result: str(result[0].path)):
        survived: list[Mutant] = []
        for mutant, noticed in results:
            done += 1
            if not noticed:
                survived.append(mutant)
                if mutant.name not in found.why:
                    unknown += 1
                    print(f"\r{mutant.path}:{mutant.line}  {mutant.where}  {mutant.change}\033[K", flush=True)
            _draw(done, len(sample))
        found.keep(file, of_files[file], survived)
    print(f"{found.told}; report: {REPORT}")
    return 1 if unknown else 0


if __name__ == "__main__":
    raise SystemExit(main())
