"""The benchmark of the stream measures: sizes so small that the figures say nothing."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench.load import mixed, register
from tests.bench.stream import latency, picture, report
from tests.bench.stream.drain import Backlog, Drained, TooFew, drain, run_of
from tests.bench.stream.ground import Ground
from tests.bench.stream.processes import Sample, Use, processor_between
from tests.bench.stream.rivals import RIVALS

OURS, COPY = RIVALS[0], RIVALS[-1]
CLIENTS = 3_000


def test_our_worker_and_the_copy_loop_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every offer is answered, once; the report says the rate, the picture is drawn."""
    monkeypatch.setattr(latency, "WARM_CLIENTS", 200)
    monkeypatch.setattr(latency, "SETTLE_SECONDS", 1)
    with Ground(tmp_path, 2) as ground:
        names = ground.fresh("b-")
        ground.publish(register(), mixed(CLIENTS, shift=latency.month_until_now()), names)
        backlog = Backlog("b-", names.actions.name, 10 * CLIENTS, 2 * CLIENTS, CLIENTS)
        drained = drain(ground, OURS, backlog, run_of(ground, OURS, backlog, 1.0), 30)
        late = latency.measure(ground, COPY, 100, 2)

    assert drained.whole
    assert drained.answers == 2 * CLIENTS
    assert 0.6 * 10 * CLIENTS < drained.events <= 10 * CLIENTS
    assert 0 < drained.redis < drained.processor
    assert drained.redis_memory > 100 * CLIENTS
    assert 0 < late.p50 <= late.p99 <= late.most
    written = report.markdown(results([drained], [late]), "stream.svg")
    assert f"| gate61 worker | {drained.rate:,.0f} |" in written
    assert ElementTree.fromstring(picture.svg(results([drained], [late]))).tag.endswith("svg")


def test_what_was_asked_for_and_is_not_reached_is_said() -> None:
    """A worker half as fast as the rival it is measured by does not pass."""
    slow, fast = drained_in("gate61", 2.0), drained_in("streams-eos", 1.0)

    said = dict(report.asked(results([slow, fast], [])))

    assert list(said.values()) == [False, True]
    assert "**not reached:** draining: 0.50 times" in report.markdown(results([slow, fast], []), "stream.svg")


def test_the_middle_round_counts() -> None:
    """One lucky or unlucky round changes nothing."""
    rounds = [drained_in("gate61", seconds) for seconds in (1.0, 9.0, 2.0)]

    assert results(rounds, []).middle("gate61") == rounds[2]


def test_processor_time_is_counted_between_the_moments_alone() -> None:
    """What start-up took does not count; between two samples it is a straight line."""
    samples = [Sample(at, {"rival": Use(spent, 0)}) for at, spent in ((0.0, 0.0), (1.0, 5.0), (2.0, 6.0), (3.0, 8.0))]

    assert processor_between(samples, "rival", 1.5, 2.5) == pytest.approx(1.5)


def test_a_rival_that_dies_is_named_with_what_it_said(tmp_path: Path) -> None:
    """It is not waited for, and not taken for a slow one."""
    with Ground(tmp_path, 1) as ground:
        names = ground.fresh("b-")
        backlog = Backlog("b-", names.actions.name, 10, 2, 1)
        broken = COPY._replace(command=("sh", "-c", "echo no such topic; exit 1"))
        with pytest.raises(TooFew, match="raw copy loop ended; it said last:\nno such topic"):
            drain(ground, broken, backlog, run_of(ground, broken, backlog, 1.0), 5)


def drained_in(rival: str, seconds: float) -> Drained:
    return Drained(rival, 1_000, seconds, 10.0, 0.0, 1.0, 10**8, 10**7, 0, 200, True)


def results(drained: list[Drained], latencies: list[latency.Latency]) -> report.Results:
    circumstances = report.Circumstances("2026-03-01", "0000000", "a machine", "versions", 10, 1, 1, 1, 1, 0.0)
    return report.Results(circumstances, drained, latencies, [], [])
