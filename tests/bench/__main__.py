"""`make bench-decide`: speed and memory of `gate61 decide`, printed with where the time goes."""

import gc
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from time import perf_counter

from state import MemoryStore
from state.codec import dossier_to_bytes
from streams.border.wire import Rejected, read
from streams.embedded import Gate
from streams.policy_file import load
from tests.bench.load import START, client_month, event, register

CLIENTS = int(os.environ.get("GATE61_BENCH_CLIENTS", "20000"))
POLICY = load()


def gate_of(lines: Iterable[str]) -> Gate:
    """A gate that took the lines."""
    gate = Gate(POLICY, MemoryStore())
    for line in lines:
        taken = gate.take(line.encode())
        assert not isinstance(taken, Rejected), taken
    return gate


def whole(path: Path) -> tuple[float, float]:
    """Seconds of processor time and megabytes of a run of `gate61 decide` on a file, all included."""
    command = [sys.executable, "-c", "from streams.cli import main; main()", "decide", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"decide ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def mean_microseconds(work: Callable[[int], object], times: int = 2000) -> float:
    """The middle of five means."""
    means = []
    for round_ in range(5):
        start = perf_counter()
        for n in range(times):
            work(round_ * times + n)
        means.append((perf_counter() - start) / times * 1e6)
    return sorted(means)[2]


def bot(orders: int) -> Gate:
    """A gate with one client of so many past orders, offers and contacts."""
    lines = list(register())
    for n in range(orders):
        at = START + timedelta(seconds=n)
        if n % 4 == 3:
            data: dict[str, object] = {"by": "bench-firm", "means": "email", "content": "service_notice"}
            lines.append(event("firm.contacted", f"con-{n}", "cl-bot", at, data))
            continue
        data = {"service": "exchange_funds", "asset": "btc", "transaction": f"tx-{n}", "channel": "app"}
        lines.append(event("client.requested", f"req-{n}", "cl-bot", at, {**data, "kind": "order"}))
    return gate_of(lines)


def next_event_cost(gate: Gate, client: str) -> float:
    """Microseconds for an event of the client: an offer and an order in turn."""
    at = START.replace(day=20)
    offer = {"offer": "of-x", "service": "exchange_funds", "asset": "btc", "channel": "app", "content": "offer"}
    order = {"service": "exchange_funds", "asset": "btc", "transaction": "tx-x", "channel": "app", "kind": "order"}
    lines = [
        event("offer.proposed", f"n-{n}", client, at.replace(second=n // 200, microsecond=n), offer).encode()
        if n % 2
        else event("client.requested", f"n-{n}", client, at.replace(second=n // 200, microsecond=n), order).encode()
        for n in range(10_000)
    ]
    return mean_microseconds(lambda n: gate.take(lines[n]))


def offer_cost(campaigns: int) -> float:
    """Microseconds for a client's ten events under so many running campaigns that address him."""
    lines = list(register(campaigns, ("DE", "FR", "ES", "IT", "NL", "AT", "PL", "SE", "FI")))
    gate = gate_of(lines)
    random = Random(1)
    months = [event(k, i, f"cl-{n}", at, d) for n in range(1000) for at, k, i, d in client_month(n, random)]
    return mean_microseconds(lambda n: gate.take(months[n].encode()))


def written(clients: int, folder: Path) -> Path:
    """A file of events, made by another process: a child's peak of memory begins with its parent's."""
    path = folder / f"{clients}.jsonl"
    subprocess.run([sys.executable, "-m", "tests.bench.load", str(clients), str(path)], check=True)
    return path


def print_whole_runs(folder: Path) -> None:
    """Speed and memory of the program on files, start to end."""
    (_, base), half = whole(written(0, folder)), CLIENTS // 2
    (_, small), path = whole(written(half, folder)), written(CLIENTS, folder)
    runs = [whole(path) for _ in range(3)]
    seconds, large = min(runs)
    with path.open("rb") as file:
        events = sum(1 for _ in file)
    print(f"decide: {events} events of {CLIENTS} clients, processor time of the whole process, best of 3:")
    print(f"  {seconds:.1f} s, {events / seconds:,.0f} events a second (asked: 25,000)")
    grown = (large - small) * 1024 / (CLIENTS - half)
    print(f"  {large:.0f} MB at most, {base:.0f} MB of it without clients; {grown:.1f} KB a client (asked: 2)")


def print_stages(path: Path) -> None:
    """Where the time of an event goes."""
    with path.open("rb") as file:
        sample = [line.rstrip() for line in islice(file, 50_000)]
    print(f"reading a line: {mean_microseconds(lambda n: read(sample[n], 0, 0), 4000):.1f} us")
    gate, spent = Gate(POLICY, MemoryStore()), [0.0, 0.0]
    for line in sample:
        start = perf_counter()
        taken = gate.take(line)
        told = perf_counter()
        for effect in taken if isinstance(taken, list) else ():
            gate.line_of(effect)
        spent[0] += told - start
        spent[1] += perf_counter() - told
    print(
        f"taking an event: {spent[0] / len(sample) * 1e6:.1f} us, writing what follows: {spent[1] / len(sample) * 1e6:.1f} us"
    )
    sizes = [len(dossier_to_bytes(d)) for d in islice(gate.store.dossiers(), 2000)]
    print(f"a typical stored dossier: {sum(sizes) / len(sizes):.0f} bytes")


def main() -> None:
    """Run everything and print it."""
    gc.disable()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        print_whole_runs(Path(name))
        print_stages(Path(name) / f"{CLIENTS}.jsonl")
    few, many = next_event_cost(bot(10), "cl-bot"), next_event_cost(bot(20_000), "cl-bot")
    print(
        f"past: an event costs {few:.0f} us after 10, {many:.0f} us after 20,000: {many / few:.2f} times (asked: 1.5)"
    )
    none, running = offer_cost(0), offer_cost(500)
    print(
        f"campaigns: an event costs {none:.0f} us with none, {running:.0f} us with 500: {running / none:.2f} times (asked: 1.3)"
    )


if __name__ == "__main__":
    main()
