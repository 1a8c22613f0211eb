"""The process in this one: trouble with the source or the store is said, waited out, and loses nothing."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from streams.alerts import courier, outbox, service
from streams.alerts.grouping import fold
from streams.alerts.service import Alerts
from streams.alerts.tables import opened
from streams.border.wire import instant
from streams.commands.alerts import _print
from streams.feed import SourceHealth
from tests.alerts.receiving import Receiver, receiving
from tests.alerts.telling import channel, config, decided
from tests.feeds import ListFeed


def running(folder: Path, there: Receiver, feed: ListFeed, play: Callable[[Alerts], Any], **more: Any) -> list[Any]:
    """Play while it runs; the logs."""

    async def go() -> None:
        engine = opened(f"sqlite:///{folder / 'alerts.db'}")
        alerts = Alerts(feed, engine, config(channel(url=there.url), gather=0, update=0), **{"since": 0, **more})
        await alerts.start()
        try:
            await play(alerts)
        finally:
            await alerts.stop()

    with capture_logs() as logs:
        asyncio.run(go())
    return logs


async def until(true: Callable[[], object]) -> None:
    """Until it is so."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TROUBLE_SECONDS", 0.05)
    monkeypatch.setattr(service, "HEALTH_SECONDS", 0.05)


def quiet(feed: ListFeed) -> ListFeed:
    """As a real feed, it waits where there is nothing."""
    read = feed.next

    async def patient(seconds: float, at_once: int = 500) -> Any:
        found = await read(seconds, at_once)
        if not found:
            await asyncio.sleep(0.02)
        return found

    feed.next = patient  # type: ignore[method-assign]
    return feed


def test_a_source_that_fails_is_said_and_waited_out(tmp_path: Path) -> None:
    """Not ready while it lasts; said once; afterwards everything is told."""
    feed = quiet(ListFeed())

    async def play(alerts: Alerts) -> None:
        feed.trouble = "the gate does not answer; see that it runs"
        feed.add("decision", decided("d-1"))
        await until(alerts.trouble)
        assert "see that it runs" in alerts.trouble()[0] and alerts.hanging() == []
        await asyncio.sleep(0.3)
        feed.trouble = ""
        await until(lambda: there.taken)
        await until(lambda: not alerts.trouble())

    with receiving() as there:
        logs = running(tmp_path, there, feed, play)
    assert [e["event"] for e in logs] == ["it does not go on, and is tried again", "it goes on"]


def test_what_was_read_and_not_kept_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails when a batch is folded in: the feed goes back to where the store stands."""
    feed, real, fails = quiet(ListFeed()), fold, [3]

    def failing(*given: Any) -> Any:
        if fails[0]:
            fails[0] -= 1
            raise OperationalError("insert", {}, Exception("disk full"))
        return real(*given)

    monkeypatch.setattr(service, "fold", failing)
    feed.add("decision", decided("d-1"))

    async def play(alerts: Alerts) -> None:
        await until(lambda: there.taken)

    with receiving() as there:
        logs = running(tmp_path, there, feed, play)
    assert there.said()[0]["data"]["counts"]["new"] == 1
    assert "d-1" not in str(logs) and "c-1" not in str(logs)


def test_the_first_start_tells_of_what_is_recorded_from_then_on_whatever_its_clock_says(tmp_path: Path) -> None:
    """Where that is ahead of the gate's, too; and only from where the gate is reached on is it ready."""
    feed, hour = quiet(ListFeed()), 3_600_000_000
    feed.add("decision", decided("before"))
    feed.trouble = "the gate does not answer"

    async def play(alerts: Alerts) -> None:
        await until(lambda: len(alerts.trouble()) > 1)
        assert "start: starting" in alerts.trouble()
        feed.trouble = ""
        await until(lambda: not alerts.trouble())
        feed.add("decision", decided("after", client="c-2"))
        # Who stops before it is noted that a message arrived sends it again.
        await until(lambda: there.taken and not outbox.counts(alerts._engine))

    async def later(alerts: Alerts) -> None:
        assert not alerts.trouble(), "it goes on where it began"
        feed.add("decision", decided("later", client="c-3"))
        await until(lambda: len(there.taken) == 2)

    with receiving() as there:
        for each in (play, later):
            running(tmp_path, there, feed, each, since=None, clock=lambda: instant("2026-03-02T10:00:00Z") + hour)
    assert [told["data"]["client"] for told in there.said()] == ["c-2", "c-3"]


@pytest.mark.parametrize("name", ["alerts.db", "alerts.db-wal"])
def test_a_store_that_is_gone_is_said_and_nothing_goes_on_without_it(tmp_path: Path, name: str) -> None:
    """What went on in a file that nobody finds again would be told by nobody; once it is put back, all is told, once."""
    feed, file, away = quiet(ListFeed()), tmp_path / name, tmp_path / "away"
    feed.add("decision", decided("d-1"))

    async def play(alerts: Alerts) -> None:
        await until(lambda: there.taken and not outbox.counts(alerts._engine))
        file.rename(away)
        feed.add("decision", decided("d-2", client="c-2"))
        await until(lambda: len(alerts.trouble()) >= 3)
        for trouble in alerts.trouble():
            assert f"the store `{tmp_path / 'alerts.db'}` cannot be used: " in trouble and "put it back" in trouble
        assert len(there.taken) == 1
        away.rename(file)
        await until(lambda: len(there.taken) == 2 and not alerts.trouble())
        await until(lambda: not outbox.counts(alerts._engine))

    with receiving() as there:
        running(tmp_path, there, feed, play)
    assert [told["data"]["client"] for told in there.said()] == ["c-1", "c-2"]


def test_what_is_wrong_with_the_store_is_said_with_its_name_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full: who is called sees which store, and why."""
    feed, full = quiet(ListFeed()), [True]

    def failing(*given: Any) -> Any:
        if full[0]:
            raise OperationalError("insert", {}, Exception("database or disk is full"))
        return fold(*given)

    monkeypatch.setattr(service, "fold", failing)
    feed.add("decision", decided("d-1"))

    async def play(alerts: Alerts) -> None:
        await until(alerts.trouble)
        assert alerts.trouble() == [
            f"read: the store `{tmp_path / 'alerts.db'}` cannot be used: database or disk is full; see --store and "
            "GATE61_ALERTS_STORE"
        ]
        full[0] = False
        await until(lambda: there.taken)

    with receiving() as there:
        running(tmp_path, there, feed, play)


def test_while_another_process_carries_this_one_does_not(tmp_path: Path) -> None:
    """A database that was restarted may have let another one in: nothing is folded in, said or sent until it has gone."""
    feed, mine = quiet(ListFeed()), [True]

    async def play(alerts: Alerts) -> None:
        feed.add("decision", decided("d-1"))
        await until(lambda: there.taken)
        mine[0] = False
        await until(lambda: len(alerts.trouble()) == 2)
        feed.add("decision", decided("d-2"))
        await until(lambda: len(alerts.trouble()) == 3)
        assert {t.partition(": ")[0] for t in alerts.trouble()} == {"read", "speak", "send siem"}
        assert all("another process sends the messages of this store" in t for t in alerts.trouble())
        assert len(there.taken) == 1
        mine[0] = True
        await until(lambda: len(there.taken) == 2 and not alerts.trouble())

    with receiving() as there:
        logs = running(tmp_path, there, feed, play, alone=lambda: mine[0])
    assert len([e for e in logs if e["event"] == "it does not go on, and is tried again"]) == 3


def test_a_store_that_is_away_while_messages_are_under_way_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are and however long it takes; and so is that it is back. None is sent again."""
    feed, real, tried, away = quiet(ListFeed()), outbox.tried, [0], [True]
    monkeypatch.setattr(courier, "LOOK_SECONDS", 0.02)

    def tries(*given: Any) -> Any:
        tried[0] += 1
        if away[0]:
            raise OperationalError("insert", {}, Exception("disk is full"))
        return real(*given)

    monkeypatch.setattr(outbox, "tried", tries)
    for n in range(3):
        feed.add("decision", decided(f"d-{n}", client=f"c-{n}"))

    async def play(alerts: Alerts) -> None:
        await until(lambda: tried[0] > 20)
        away[0] = False
        await until(lambda: not outbox.counts(alerts._engine))

    with receiving() as there:
        logs = running(tmp_path, there, feed, play)
    assert len(there.taken) == 3
    assert [e["event"] for e in logs] == [
        "the results of messages cannot be stored; it is tried again",
        "the store can be used again",
    ]


@pytest.mark.parametrize("what", ["due", "tried"])
def test_a_courier_that_fails_is_said_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """By a mistake of ours, when it sets out or notes what became of a message: not ready, and then it arrives."""
    feed, real, failing = quiet(ListFeed()), getattr(outbox, what), [True]
    feed.add("decision", decided("d-1"))

    def fails(*given: Any) -> Any:
        if failing[0]:
            raise TypeError("a mistake about c-1")
        return real(*given)

    monkeypatch.setattr(outbox, what, fails)

    async def play(alerts: Alerts) -> None:
        await until(alerts.trouble)
        (trouble,) = alerts.trouble()
        assert trouble.startswith("send siem: an error of ours (TypeError in streams/alerts/courier.py (Courier.")
        failing[0] = False
        await until(lambda: there.taken and not alerts.trouble())

    with receiving() as there:
        logs = running(tmp_path, there, feed, play)
    assert [e["event"] for e in logs] == ["it does not go on, and is tried again", "it goes on"]
    assert "c-1" not in str(logs)


def test_a_courier_that_hangs_is_hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any loop that goes round no more: the process is to be started anew."""
    monkeypatch.setattr(service, "HANGING_SECONDS", 1.0)

    async def play(alerts: Alerts) -> None:
        async def hangs() -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(alerts._couriers[0], "carry", hangs)
        await until(lambda: alerts.hanging() == ["send siem"])

    with receiving() as there:
        running(tmp_path, there, quiet(ListFeed()), play)


def test_strangers_who_write_to_the_topics_are_said(tmp_path: Path) -> None:
    """Read past, counted and logged, without what they wrote."""
    feed = quiet(ListFeed())
    feed.add("decision", {"time": "2026-03-02T10:00:00Z", "data": {"decision": "hush"}})
    feed.add("decision", decided("d-1"))

    async def play(alerts: Alerts) -> None:
        await until(lambda: there.taken)

    with receiving() as there:
        (entry,) = running(tmp_path, there, feed, play)
    assert entry["count"] == 1 and "hush" not in str(entry)


def test_what_receivers_say_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """A receiver cannot paint the list of dead messages, nor break it."""
    _print([{"said": "[/x] [red]no"}], False)
    assert "[/x] [red]no" in capsys.readouterr().out


def test_a_source_that_is_away_without_an_error_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka's client waits for brokers that are gone: it only shows when they are asked."""
    feed = quiet(ListFeed())
    found = [SourceHealth("Kafka at kafka-1:9092", False, 0, None, "cannot be read: TimeoutError")]

    async def health() -> list[SourceHealth]:
        return found

    monkeypatch.setattr(feed, "health", health)

    async def play(alerts: Alerts) -> None:
        await until(alerts.trouble)
        assert alerts.trouble() == ["sources: Kafka at kafka-1:9092 cannot be read: TimeoutError"]
        await asyncio.sleep(0.2)
        found.clear()
        await until(lambda: not alerts.trouble())

    with receiving() as there:
        running(tmp_path, there, feed, play)


def test_a_log_that_is_not_the_one_that_was_read_is_trouble(tmp_path: Path) -> None:
    """What was read last is kept with its place: a gate whose store was put back from a copy may have come past it."""

    async def first(alerts: Alerts) -> None:
        # Noted too, or it would be sent again after the next start.
        await until(lambda: there.taken and not alerts._couriers[0]._under_way)

    async def then(alerts: Alerts) -> None:
        await until(lambda: any("another store" in each for each in alerts.trouble()))

    with receiving() as there:
        feed = quiet(ListFeed())
        feed.add("decision", decided("d-1"))
        running(tmp_path, there, feed, first)
        other = quiet(ListFeed())
        for id in ("d-2", "d-3"):
            other.add("decision", decided(id))
        running(tmp_path, there, other, then)
        assert len(there.taken) == 1
