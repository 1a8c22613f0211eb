"""What was measured, as tables on a terminal and as a report with ratios first."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.stream.drain import Drained
from tests.bench.stream.growth import Grown
from tests.bench.stream.latency import Latency
from tests.bench.stream.rivals import RIVALS

OURS, MEASURE = "gate61", "streams-eos"
"""Who we are, and whom the figures that were asked for speak of."""
TITLES = {rival.name: rival.title for rival in RIVALS}


class Circumstances(NamedTuple):
    """Where and on what it was measured."""

    date: str
    commit: str
    machine: str
    versions: str
    events: int
    clients: int
    partitions: int
    rounds: int
    seconds: float
    busy: float
    """The largest share of the machine that was used just before a measurement."""


class Results(NamedTuple):
    """All that was measured."""

    ground: Circumstances
    drained: list[Drained]
    latencies: list[Latency]
    grown: list[Grown]
    failed: list[str]

    def of(self, rival: str) -> list[Drained]:
        """The rounds of a rival, slowest first."""
        return sorted((d for d in self.drained if d.rival == rival), key=lambda d: d.rate)

    def middle(self, rival: str) -> Drained | None:
        """The round of a rival with the middle rate."""
        rounds = self.of(rival)
        return rounds[(len(rounds) - 1) // 2] if rounds else None

    def latency(self, rival: str, rate: int) -> Latency | None:
        """Of a rival at a rate."""
        return next((each for each in self.latencies if (each.rival, each.rate) == (rival, rate)), None)


class Sheet(NamedTuple):
    """A table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def asked(results: Results) -> Iterator[tuple[str, bool]]:
    """What was asked for, as ratios, and whether it is so."""
    ours, theirs = results.middle(OURS), results.middle(MEASURE)
    if ours and theirs:
        rate, processor = ours.rate / theirs.rate, ours.processor / theirs.processor
        yield f"draining: {rate:.2f} times {TITLES[MEASURE]} (asked: at least 1.0)", rate >= 1
        yield f"processor time an event, Redis included: {processor:.2f} times (asked: at most 1.0)", processor <= 1
    mine, other = results.latency(OURS, 200), results.latency(MEASURE, 200)
    if mine:
        yield f"p99 from produce to decision at 200 events a second: {mine.p99:.0f} ms (asked: below 40)", mine.p99 < 40
    if mine and other:
        share = mine.p99 / other.p99
        yield f"that p99 is {share:.2f} times {TITLES[MEASURE]}'s (asked: below 0.5)", share < 0.5


def sheets(results: Results) -> Iterator[Sheet]:
    """All tables."""
    if results.drained:
        yield _draining(results)
        yield _memory(results)
    if results.latencies:
        yield _latency(results)
    if results.grown:
        yield _growth(results)


def _draining(results: Results) -> Sheet:
    ours, rows = results.middle(OURS), []
    for middle in filter(None, map(results.middle, TITLES)):
        rounds = results.of(middle.rival)
        rows.append(
            (
                TITLES[middle.rival],
                f"{middle.rate:,.0f}" + ("" if middle.whole else " *"),
                f"{rounds[0].rate:,.0f}-{rounds[-1].rate:,.0f}",
                f"{ours.rate / middle.rate:.2f}" if ours else "",
                f"{middle.processor:.1f}",
                f"{middle.redis:.1f}" if middle.redis else "",
                f"{ours.processor / middle.processor:.2f}" if ours else "",
                f"{middle.broker:.1f}",
            )
        )
    columns = (
        "",
        "events/s",
        "all rounds",
        "gate61 is",
        "CPU us/event",
        "of it Redis",
        "gate61 takes",
        "broker us/event",
    )
    return Sheet("Draining a backlog", columns, rows)


def _memory(results: Results) -> Sheet:
    clients = results.ground.clients
    rows = [
        (
            TITLES[middle.rival] + ("" if middle.whole else " *"),
            f"{middle.memory / 1e6:.0f}",
            f"{middle.grown / clients:,.0f}",
            f"{middle.redis_memory / clients:,.0f}" if middle.redis_memory else "",
        )
        for middle in filter(None, map(results.middle, TITLES))
    ]
    columns = ("", "resident MB at most", "grown, bytes a client", "in Redis, bytes a client")
    return Sheet(f"Memory with {clients:,} clients", columns, rows)


def _latency(results: Results) -> Sheet:
    rows = [
        (
            TITLES[each.rival],
            str(each.rate),
            f"{each.p50:.1f}",
            f"{each.p99:.1f}",
            f"{each.most:.1f}",
            str(each.answers),
        )
        for each in results.latencies
    ]
    return Sheet("From produce to the answer read, ms", ("", "events/s", "p50", "p99", "most", "answers"), rows)


def _growth(results: Results) -> Sheet:
    first: dict[str, Grown] = {}
    rows = []
    for each in results.grown:
        base, now = first.setdefault(each.what, each).drained, each.drained
        rows.append(
            (
                each.what,
                f"{each.size:,}",
                f"{now.rate:,.0f}",
                f"{now.processor:.1f}",
                f"{now.processor / base.processor:.2f}",
                f"{now.memory / 1e6:.0f}",
                f"{now.redis_memory / each.clients:,.0f}" if each.what == "clients" else "",
            )
        )
    columns = (
        "gate61 by",
        "size",
        "events/s",
        "CPU us/event",
        "times the first",
        "MB at most",
        "in Redis, bytes a client",
    )
    return Sheet("Growth", columns, rows)


def show(results: Results, console: Console) -> None:
    """On the terminal."""
    for sheet in sheets(results):
        table = Table(title=sheet.title, title_justify="left")
        for number, column in enumerate(sheet.columns):
            table.add_column(column, justify="left" if number == 0 else "right")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    for said, so in asked(results):
        console.print(("yes  " if so else "NO   ") + said)
    for failure in results.failed:
        console.print(f"failed: {failure}")


def markdown(results: Results, picture: str) -> str:
    """The report."""
    ground = results.ground
    parts = [
        "# The stream, side by side",
        "Written by `make bench-stream`; how it is measured: `tests/bench/stream/README.md`.",
    ]
    parts.append("\n".join(f"- {'' if so else '**not reached:** '}{said}" for said, so in asked(results)))
    parts.append(f"![Rates, processor time and latency]({picture})")
    for sheet in sheets(results):
        lines = [f"| {' | '.join(sheet.columns)} |", "|---" + "|--:" * (len(sheet.columns) - 1) + "|"]
        parts.append(f"## {sheet.title}\n\n" + "\n".join(lines + [f"| {' | '.join(row)} |" for row in sheet.rows]))
    if any(not each.whole for each in results.drained):
        parts.append(
            "\\* The backlog was not drained to its end: the time for one rival was over. Nothing else changes."
        )
    parts += [f"Failed: {failure}" for failure in results.failed]
    taken = {each.rival for each in results.drained} | {each.rival for each in results.latencies}
    parts.append(
        "## Settings\n\n"
        + "\n".join(f"- {r.title} ({r.law}): {r.promise}; {r.settings}." for r in RIVALS if r.name in taken)
    )
    parts.append(
        f"## Ground\n\n- {ground.date}, commit {ground.commit}, {ground.machine}\n- {ground.versions}\n"
        f"- backlog: {ground.events:,} events of {ground.clients:,} clients, {ground.partitions} partitions, "
        f"{ground.rounds} rounds, the middle one shown; seed 61\n"
        f"- latency: {ground.seconds:g} s at each rate, seed 62\n"
        f"- the machine was at most {ground.busy:.0%} busy just before a measurement"
    )
    return "\n\n".join(parts) + "\n"


def as_json(results: Results) -> bytes:
    """For other programs: every round, not the middle alone."""

    def plain(each: Any) -> Any:
        if isinstance(each, tuple) and hasattr(each, "_asdict"):
            return {name: plain(value) for name, value in each._asdict().items()}
        return [plain(e) for e in each] if isinstance(each, list) else each

    return msgspec.json.format(msgspec.json.encode(plain(results)), indent=1) + b"\n"
