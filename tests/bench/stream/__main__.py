"""`make bench-stream`: our worker and its rivals on the same broker and the same bytes, one at a time."""

import logging
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console

from tests.bench.load import mixed, register
from tests.bench.stream import growth, latency, picture, report
from tests.bench.stream.drain import Backlog, TooFew, drain, run_of
from tests.bench.stream.ground import Ground
from tests.bench.stream.processes import busy, machine
from tests.bench.stream.rivals import RIVALS, Rival

ROOT = Path(__file__).parents[3]
WRITTEN = ROOT / "deploy" / "bench"
MEASURES = ("drain", "latency", "growth")
RATES = (200, 2_000)
QUIET, QUIET_SECONDS = 0.1, 120
COMMIT_SECONDS = 1.0

console = Console(stderr=True, highlight=False)


class Plan(NamedTuple):
    """What is measured."""

    clients: int
    rounds: int
    longest: float
    """Seconds that one rival may take for a backlog."""
    seconds: float
    """At each rate."""
    sizes: growth.Sizes


FULL = Plan(40_000, 3, 45, 40, growth.Sizes())
QUICK = Plan(20_000, 1, 20, 5, growth.Sizes((1_000, 4_000), (10, 300), 300, (0, 500), 4_000))


class Bench:
    """One run: says what it does, goes on where a rival fails."""

    def __init__(self, rivals: list[Rival], plan: Plan, measures: list[str], partitions: int) -> None:
        self.rivals, self.plan, self.measures, self.partitions = rivals, plan, measures, partitions
        self.begun, self.busy = time.monotonic(), 0.0
        self.failed: list[str] = []

    def say(self, what: str) -> None:
        """A line of progress."""
        passed = int(time.monotonic() - self.begun)
        console.print(f"{passed // 60:3d}:{passed % 60:02d}  {what}", markup=False)

    def run(self) -> report.Results:
        """Everything that was chosen."""
        self._wait_for_quiet()
        with tempfile.TemporaryDirectory(prefix="gate61-bench-") as folder:
            self.say("starting Kafka and Redis")
            with Ground(Path(folder), self.partitions) as ground:
                drained = list(self._drain(ground)) if "drain" in self.measures else []
                late = list(self._latency(ground)) if "latency" in self.measures else []
                grown = list(self._grow(ground)) if "growth" in self.measures else []
        return report.Results(self._ground(), drained, late, grown, self.failed)

    def _drain(self, ground: Ground) -> Iterator[Any]:
        names, clients = ground.fresh("b-"), self.plan.clients
        self.say(f"publishing {10 * clients:,} events of {clients:,} clients")
        ground.publish(register(), mixed(clients, shift=latency.month_until_now()), names)
        backlog = Backlog("b-", names.actions.name, 10 * clients, 2 * clients, clients)
        for round_ in range(self.plan.rounds):
            for rival in self.rivals:

                def measured(rival: Rival = rival) -> Any:
                    run = run_of(ground, rival, backlog, COMMIT_SECONDS)
                    return drain(ground, rival, backlog, run, self.plan.longest)

                for done in self._tried(f"{rival.title}, draining, round {round_ + 1}", measured):
                    self.say(f"  {done.rate:,.0f} events a second, {done.processor:.1f} us of processor time each")
                    yield done

    def _latency(self, ground: Ground) -> Iterator[Any]:
        for rival in self.rivals:
            for rate in RATES if rival.answers != "none" else ():

                def measured(rival: Rival = rival, rate: int = rate) -> Any:
                    return latency.measure(ground, rival, rate, self.plan.seconds)

                for done in self._tried(f"{rival.title}, at {rate:,} events a second", measured):
                    self.say(f"  p50 {done.p50:.1f} ms, p99 {done.p99:.1f} ms, at most {done.most:.1f} ms")
                    yield done

    def _grow(self, ground: Ground) -> Iterator[Any]:
        """Our worker alone; one size after another, so that a failure ends it."""
        self.say("growth of our worker")
        try:
            for done in growth.grow(ground, RIVALS[0], self.plan.sizes):
                self.say(f"  {done.size:,} {done.what}: {done.drained.processor:.1f} us of processor time an event")
                yield done
        except TooFew as error:
            self.failed.append(f"growth: {error}")

    def _tried(self, what: str, measured: Callable[[], Any]) -> Iterator[Any]:
        self.busy = max(self.busy, busy(1))
        self.say(what)
        try:
            yield measured()
        except (TooFew, AssertionError, TimeoutError) as error:
            self.failed.append(f"{what}: {error}")
            self.say(f"  failed: {error}")

    def _wait_for_quiet(self) -> None:
        deadline = time.monotonic() + QUIET_SECONDS
        while (share := busy(3)) > QUIET and time.monotonic() < deadline:
            self.say(f"waiting for a quiet machine: it is {share:.0%} busy")

    def _ground(self) -> report.Circumstances:
        plan = self.plan
        return report.Circumstances(
            datetime.now(UTC).date().isoformat(),
            _commit(),
            machine(),
            _versions(),
            10 * plan.clients,
            plan.clients,
            self.partitions,
            plan.rounds,
            plan.seconds,
            self.busy,
        )


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (
        " with changes" if git("status", "--porcelain", "gate", "state", "streams") else ""
    )


def _versions() -> str:
    redis = (
        subprocess.run(["redis-server", "--version"], capture_output=True, text=True)
        .stdout.split()[2]
        .removeprefix("v=")
    )
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.split('"')[1]
    quix = next(
        line for line in (Path(__file__).parent / "quix.txt").read_text().split() if line.startswith("quixstreams")
    )
    ours = ", ".join(f"{name} {version(name)}" for name in ("aiokafka", "faust-streaming", "redis"))
    return (
        f"Kafka and Kafka Streams 4.1.0 on Java {java}, Redis {redis.removeprefix('v=')}, "
        f"Python {platform.python_version()}, {ours}, {quix.replace('==', ' ')}"
    )


def main(
    only: Annotated[str, typer.Option(help="rivals by name, with commas; `list` shows them")] = "",
    measures: Annotated[str, typer.Option(help="some of drain,latency,growth")] = ",".join(MEASURES),
    quick: Annotated[bool, typer.Option(help="sizes for a smoke test: the figures say nothing")] = False,
    clients: Annotated[int | None, typer.Option(help="clients of the backlog, ten events each")] = None,
    rounds: Annotated[int | None, typer.Option(help="how often each backlog is drained")] = None,
    seconds: Annotated[float | None, typer.Option(help="how long at each rate")] = None,
    partitions: Annotated[int, typer.Option(help="of every topic")] = 4,
    folder: Annotated[
        Path | None, typer.Option(help="where stream.md, .json and .svg are written; deploy/bench if all is measured")
    ] = None,
) -> None:
    """Measure our worker and its rivals, one at a time, on one broker and the same bytes."""
    if only == "list":
        for rival in RIVALS:
            print(f"{rival.name:14} {rival.title}: {rival.promise}; {rival.settings}")
        return
    names, parts = [n for n in only.split(",") if n], [m for m in measures.split(",") if m]
    unknown = (set(names) - {r.name for r in RIVALS}) | (set(parts) - set(MEASURES))
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(sorted(unknown))}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # It retries what it complains of.
    given: dict[str, Any] = {"clients": clients, "rounds": rounds, "seconds": seconds}
    plan = (QUICK if quick else FULL)._replace(**{name: value for name, value in given.items() if value is not None})
    bench = Bench([r for r in RIVALS if not names or r.name in names], plan, parts, partitions)
    results = bench.run()
    shown = Console(highlight=False)
    report.show(results, shown if shown.is_terminal else Console(highlight=False, width=140))
    whole = not quick and len(bench.rivals) == len(RIVALS) and set(parts) == set(MEASURES)
    if folder := folder or (WRITTEN if whole else None):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stream.md").write_text(report.markdown(results, "stream.svg"))
        (folder / "stream.json").write_bytes(report.as_json(results))
        (folder / "stream.svg").write_text(picture.svg(results))
        console.print(f"written: {folder}/stream.md, stream.json, stream.svg")
    raise typer.Exit(1 if results.failed else 0)


if __name__ == "__main__":
    typer.run(main)
