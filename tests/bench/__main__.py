"""`make bench`: speed and memory of `gate61 decide`, printed with where the time goes."""

import gc
import os
import platform
import resource
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
from streams.embedded import Gate
from streams.policy_file import load
from streams.wire import Rejected, read
from tests.bench.load import START, client_month, event, mixed, register

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
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from streams.cli import main; main()", "decide", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 1024


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


def main() -> None:
    """Run everything and print it."""
    gc.disable()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for clients in (CLIENTS // 2, CLIENTS):
            path = Path(folder) / f"{clients}.jsonl"
            lines = [*register(), *mixed(clients)]
            path.write_text("\n".join(lines) + "\n")
            runs.append((len(lines), *whole(path)))
    (_, _, small), (events, seconds, large) = runs
    print(
        f"decide: {events} events of {CLIENTS} clients in {seconds:.1f} s of processor: {events / seconds:,.0f} a second"
    )
    print(
        f"memory: {(large - small) * 1024 / (CLIENTS - CLIENTS // 2):.1f} KB a client all included, {large:.0f} MB at the end"
    )
    sample = [line.encode() for line in lines[:20_000]]
    print(f"  reading alone: {mean_microseconds(lambda n: read(sample[n], 0, 0), 4000):.1f} us a line")
    gate = gate_of(lines[:50_000])
    store = gate._store
    sizes = [len(dossier_to_bytes(d)) for d in islice(store.dossiers(), 2000)]
    print(f"  a typical dossier: {sum(sizes) / len(sizes):.0f} bytes")
    few, many = next_event_cost(bot(10), "cl-bot"), next_event_cost(bot(20_000), "cl-bot")
    print(f"past: an event costs {few:.0f} us after 10 events, {many:.0f} us after 20,000: {many / few:.2f} times")
    none, running = offer_cost(0), offer_cost(500)
    print(
        f"campaigns: an event costs {none:.0f} us with none, {running:.0f} us with 500 running: {running / none:.2f} times"
    )


if __name__ == "__main__":
    main()
