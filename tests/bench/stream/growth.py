"""Whether an event costs our worker more with more clients, a longer past, or more campaigns."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tests.bench.load import event, mixed, register
from tests.bench.stream.drain import Backlog, Drained, drain, run_of, watch
from tests.bench.stream.ground import Ground
from tests.bench.stream.latency import month_until_now
from tests.bench.stream.rivals import Rival

EUROPE = ("DE", "FR", "ES", "IT", "NL", "AT", "PL", "SE", "FI")
BOTS = 100
LONGEST = 120.0


class Grown(NamedTuple):
    """Our worker at one size of one thing."""

    what: str
    size: int
    drained: Drained
    clients: int


class Sizes(NamedTuple):
    """What is compared: the first of each with the others."""

    clients: tuple[int, ...] = (5_000, 20_000, 80_000)
    past: tuple[int, ...] = (10, 3_000)
    """Events of each of some clients before those that are measured."""
    measured: int = 600
    """Events of each of these that are measured."""
    campaigns: tuple[int, ...] = (0, 500)
    campaign_clients: int = 10_000


def grow(ground: Ground, ours: Rival, sizes: Sizes) -> Iterator[Grown]:
    """Each size in turn."""
    for clients in sizes.clients:
        lines = mixed(clients, shift=month_until_now())
        yield Grown("clients", clients, _drained(ground, ours, register(), lines, clients), clients)
    for past in sizes.past:
        yield Grown("past events of a client", past, _after(ground, ours, past, sizes.measured), BOTS)
    for campaigns in sizes.campaigns:
        clients = sizes.campaign_clients
        lines = mixed(clients, shift=month_until_now())
        drained = _drained(ground, ours, register(campaigns, EUROPE), lines, clients)
        yield Grown("running campaigns", campaigns, drained, clients)


def _drained(ground: Ground, ours: Rival, known: Iterable[str], lines: Iterable[str], clients: int) -> Drained:
    prefix = f"w{ground.next()}-"
    names = ground.fresh(prefix)
    ground.publish(known, lines, names)
    backlog = Backlog(prefix, names.actions.name, 10 * clients, 2 * clients, clients)
    drained = drain(ground, ours, backlog, run_of(ground, ours, backlog, 1.0), LONGEST)
    ground.remove(t.name for t in names)
    return drained


def _after(ground: Ground, ours: Rival, past: int, measured: int) -> Drained:
    """The past is drained first, by a worker that is stopped then."""
    prefix = f"w{ground.next()}-"
    names = ground.fresh(prefix)
    ground.publish(register(), bots(0, past), names)
    before = Backlog(prefix, names.actions.name, BOTS * past, BOTS * (past // 5), BOTS)
    run = run_of(ground, ours, before, 1.0)
    child = ours.start(run)
    try:
        watch(ground, ours, before, run, child, LONGEST, 0)
    finally:
        child.stop(20)
    ground.publish((), bots(past, measured), names)
    backlog = Backlog(prefix, names.actions.name, BOTS * measured, BOTS * (measured // 5), BOTS)
    drained = drain(ground, ours, backlog, run, LONGEST)
    ground.remove(t.name for t in names)
    return drained


def bots(first: int, count: int) -> Iterator[str]:
    """Clients that order all the time: orders, notices and offers, one every five minutes, from the `first` on."""
    begun = datetime.now(UTC) - timedelta(days=20)
    for n in range(first, first + count):
        for bot in range(BOTS):
            kind, id, data = _of_bot(n, f"{bot}-{n}")
            yield event(kind, id, f"bot-{bot}", begun + timedelta(minutes=5 * n, milliseconds=bot), data)


def _of_bot(n: int, id: str) -> tuple[str, str, dict[str, object]]:
    if n % 5 == 3:
        return "firm.contacted", f"con-{id}", {"by": "bench-firm", "means": "email", "content": "service_notice"}
    asked: dict[str, object] = {"service": "exchange_funds", "asset": "btc", "channel": "app"}
    if n % 5 == 4:
        return "offer.proposed", f"prop-{id}", {**asked, "offer": f"of-{id}", "content": "offer"}
    return "client.requested", f"req-{id}", {**asked, "transaction": f"tx-{id}", "kind": "order"}
