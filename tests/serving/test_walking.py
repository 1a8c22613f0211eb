"""A change of the register that reaches back to many clients: others have their turn while these are judged again."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from threading import Event as Signal
from typing import Any

import pytest

from gate.instants import text
from gate.outcome import Outcome
from gate.policy import HOUR
from state import Journal, MemoryStore
from state.codec import dossier_to_bytes
from streams.ask.check import answer_to, question
from streams.border.wire import Rejected, instant
from streams.embedded import Gate
from streams.serve import intake as taking
from streams.serve.bodies import Arrival
from streams.serve.intake import Intake, Portion
from streams.serve.reader import EmbeddedReader
from tests.player import POLICY
from tests.promises.histories import history
from tests.runtime.process import wait_until
from tests.serving.service import LINES, Clock, Event, everything, post, serving
from tests.simulation.dense import dense
from tests.stories.telling import REGISTER, campaign, clean_client, offer

CLIENTS = 12
NOW = "2026-03-02T12:00:00Z"
OFFERED = {"service": "exchange_funds", "asset": "btc", "channel": "email", "content": "offer", "transaction": "t1"}


@pytest.fixture(autouse=True)
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A portion is one client."""
    monkeypatch.setattr(taking, "WALKED_SECONDS", 0.0)


def told_clients() -> Iterator[list[Event]]:
    """Clients who are told that an offer may be sent to them, each with his events."""
    yield list(REGISTER)
    for n in range(CLIENTS):
        who = f"c{n:02}"
        yield [*(e for e in clean_client(who) if e not in REGISTER), offer(who=who, id=f"offer-{n}")]


def decisions(events: Iterable[Event]) -> list[Event]:
    return [e["data"] for e in events if e["type"] == "gate61.offer.decided.v1"]


def superseded(events: Iterable[Event]) -> list[str]:
    """Clients one of whose answers was replaced by a block."""
    return [d["client"] for d in decisions(events) if d["supersedes"] and d["verdict"] == "block"]


def came_out(result: Event) -> list[Event]:
    return [out["event"] for out in result["out"]]


def test_others_are_answered_meanwhile_and_by_what_the_register_says_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever published the change gets all that came of it, also what others were judged again for first."""
    go_on, walk = Signal(), Intake.walk
    # A portion that did nothing: others have their turn behind it, as behind any other.
    monkeypatch.setattr(Intake, "walk", lambda self: walk(self) if go_on.is_set() else Portion(walking=True))
    with serving(tmp_path / "gate.db", Clock(NOW)) as gate, ThreadPoolExecutor() as threads:
        for events in told_clients():
            post(gate, *events)
        assert gate.post("/v1/check", json={"client": "c07", **OFFERED}).json()["may_send"]
        changing = threads.submit(post, gate, campaign("late"), offer(who="c03", id="behind"))
        try:
            wait_until(lambda: "late" in gate.get("/v1/taken", params={"after": 4, "limit": 1000}).text)
            asked = gate.post("/v1/check", json={"client": "c07", **OFFERED}).json()
            assert (asked["verdict"], asked["leading"]) == ("block", "CAMPAIGN_EXPOSURE"), asked
            assert gate.get("/v1/clients/c08/may-send").json()["may_send"] == []
            suppressed = gate.post("/v1/suppress", json={"send": OFFERED, "recipients": ["c09", "c10"]}).json()
            assert suppressed["may_send"] == [] and suppressed["counts"]["block"] == 2
            (answered,) = post(gate, offer(who="c11", id="meanwhile"))
            assert [d["verdict"] for d in decisions(came_out(answered))] == ["block"]
            assert superseded(everything(gate)) == ["c00", "c11"], "only one was judged again, and who came first"
            assert not changing.done()
        finally:
            go_on.set()
        change, behind = changing.result()
        everybody = [f"c{n:02}" for n in range(CLIENTS)]
        assert superseded(came_out(change)) == ["c00", "c11", *everybody[1:-1]]
        assert [d["verdict"] for d in decisions(came_out(behind))] == ["block"]
        assert sorted(superseded(everything(gate))) == everybody
        counted = gate.get("/metrics").text
    assert f'gate61_decisions_total{{leading="CAMPAIGN_EXPOSURE",verdict="block"}} {CLIENTS + 2}.0' in counted


def test_another_change_waits_for_the_first_one_to_be_walked_through(tmp_path: Path) -> None:
    with serving(tmp_path / "gate.db", Clock(NOW)) as gate:
        for events in told_clients():
            post(gate, *events)
        first, second, third = post(gate, campaign("one"), campaign("two", at="-50 d"), offer(who="c03", id="behind"))
        assert superseded(came_out(first)) == [f"c{n:02}" for n in range(CLIENTS)]
        assert superseded(came_out(second)) == [] and len(decisions(came_out(third))) == 1


def test_a_gate_that_was_ended_meanwhile_goes_on_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gate.db"
    intake = Intake(POLICY, path, Clock(NOW))
    for events in told_clients():
        intake.run(partial(intake.take, [Arrival(json.dumps(e).encode()) for e in events])).result()
    portion = intake.run(partial(intake.take, [Arrival(json.dumps(campaign("late")).encode())])).result()
    assert portion.own and portion.walking
    intake.close()
    monkeypatch.setattr("streams.serve.app.WAKE_SECONDS", 0.01)
    with serving(path, Clock(NOW)) as gate:
        wait_until(lambda: len(superseded(everything(gate))) >= CLIENTS)
        assert sorted(superseded(everything(gate))) == [f"c{n:02}" for n in range(CLIENTS)]


def test_what_fails_meanwhile_is_done_again_and_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full behind the third client, which whoever published the change is told; it is another's portion."""
    commit, count = Journal.commit, [0]

    def failing(self: Journal) -> None:
        count[0] += 1
        if count[0] in (4, 7):
            raise sqlite3.OperationalError("database or disk is full")
        commit(self)

    everybody = [f"c{n:02}" for n in range(CLIENTS)]
    with serving(tmp_path / "gate.db", Clock(NOW)) as gate:
        for events in told_clients():
            post(gate, *events)
        monkeypatch.setattr(Journal, "commit", failing)
        line = json.dumps(campaign("late")).encode()
        refused = gate.post("/v1/events", content=line, headers=LINES)
        assert refused.status_code == 503 and "of 1 events 1 were taken" in refused.text
        wait_until(lambda: len(superseded(everything(gate))) >= CLIENTS)
        assert superseded(everything(gate)) == everybody
        (again,) = post(gate, campaign("late"))
        assert again["status"] == "duplicate"


def test_what_another_request_failed_to_say_is_said_to_whoever_published_the_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = Intake(POLICY, tmp_path / "gate.db", Clock(NOW))
    for events in told_clients():
        intake.run(partial(intake.take, [Arrival(json.dumps(e).encode()) for e in events])).result()
    change = intake.run(partial(intake.take, [Arrival(json.dumps(campaign("late")).encode())])).result().change
    assert change is not None
    with monkeypatch.context() as failing:
        failing.setattr(Journal, "commit", lambda _: (_ for _ in ()).throw(sqlite3.OperationalError("full")))
        with pytest.raises(sqlite3.OperationalError):
            intake.run(intake.walk).result()
    while intake.run(intake.walk).result().walking:
        assert not change.done
    assert change.done and superseded(json.loads(out.data) for out in change.out) == [
        f"c{n:02}" for n in range(CLIENTS)
    ]
    assert [o.number for o in change.out] == sorted({o.number for o in change.out})
    intake.close()


def test_a_portion_that_ends_one_change_and_begins_the_next_is_done_again_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = Intake(POLICY, tmp_path / "gate.db", Clock(NOW))

    def take(*events: Event) -> Portion:
        return intake.run(partial(intake.take, [Arrival(json.dumps(e).encode()) for e in events])).result()

    for events in told_clients():
        take(*events)
    change = take(campaign("late")).change
    assert change is not None
    for _ in range(CLIENTS - 2):
        assert intake.run(intake.walk).result().walking
    last = offer(who=f"c{CLIENTS - 1}", id="behind"), campaign("later", at="-50 d")
    with monkeypatch.context() as failing:
        failing.setattr(Journal, "commit", lambda _: (_ for _ in ()).throw(sqlite3.OperationalError("full")))
        with pytest.raises(sqlite3.OperationalError):
            take(*last)
    assert not change.done
    while intake.run(intake.walk).result().walking:
        pass
    assert change.done and superseded(json.loads(out.data) for out in change.out) == [
        f"c{n:02}" for n in range(CLIENTS)
    ]
    intake.close()


def walked_now_and_then(path: Path, events: Sequence[Event], chance: Random) -> tuple[list[bytes], list[bytes], int]:
    """What comes out, and is kept, where requests come between portions, and the gate starts again; and how many changes took several."""
    intake, portions = Intake(POLICY, path, trust_recordedtime=True), 0

    def do(work: Callable[[], Portion]) -> Portion:
        return intake.run(work).result()

    for event in events:
        arrival = Arrival(json.dumps(event).encode())
        portion = do(partial(intake.take, [arrival]))
        portions += portion.own
        while not portion.results:
            do(intake.walk)
            portion = do(partial(intake.take, [arrival]))
        for _ in range(chance.choice((0, 0, 1, 3))):
            do(intake.walk)
        if chance.random() < 0.05:
            intake.close()
            intake = Intake(POLICY, path, trust_recordedtime=True)
    while do(intake.walk).walking:
        pass
    out = intake.run(lambda: [o.data for o in intake.journal.published(0, 10**6)]).result()
    kept = intake.run(lambda: sorted(map(dossier_to_bytes, intake.journal.dossiers()))).result()
    intake.close()
    return sorted(out), kept, portions


def walked_at_once(events: Sequence[Event]) -> tuple[list[bytes], list[bytes], int]:
    """The same of a file; and how many answers a change of the register replaced."""
    gate = Gate(POLICY, store := MemoryStore())
    out, replaced = list[bytes](), 0
    for event in events:
        followed = gate.take(json.dumps(event).encode())
        if isinstance(followed, Rejected):
            continue
        told = [gate.line_of(effect) for effect in followed]
        out += told
        replaced += b"client" not in event["type"].encode() and sum(b'"supersedes":"' in line for line in told)
    return sorted(out), sorted(map(dossier_to_bytes, store.dossiers())), replaced


def test_portions_change_no_byte(tmp_path: Path) -> None:
    """Lives in which much changes late, with merged clients."""
    replaced = portions = 0
    for seed in range(25):
        events: list[dict[str, Any]] = dense(seed)
        *expected, of_register = walked_at_once(events)
        *found, several = walked_now_and_then(tmp_path / f"{seed}.db", events, Random(seed))
        assert found == expected, f"seed {seed}"
        replaced, portions = replaced + of_register, portions + several
    assert replaced > 50 and portions > 100


CONCLUDED = (5, 131, 341, 350)
"""Lives in which a dossier has concluded, by the register before the change, what is not so behind the change."""


@pytest.mark.parametrize("seed", [*range(20), *CONCLUDED[1:]])
def test_who_still_waits_is_answered_as_behind_his_turn(tmp_path: Path, seed: int) -> None:
    """Each question is asked meanwhile, and again in the end."""
    intake = Intake(POLICY, tmp_path / "gate.db", trust_recordedtime=True)
    events: list[Event] = history(seed, 60)
    asked = 0
    for event in events:
        portion = intake.run(partial(intake.take, [Arrival(json.dumps(event).encode())])).result()
        if portion.own:
            at = text(intake.gate.recorded + HOUR)
            meanwhile = answered(intake, events, at)
            while intake.run(intake.walk).result().walking:
                pass
            assert answered(intake, events, at) == meanwhile
            asked += len(meanwhile)
    intake.close()
    assert asked or seed not in CONCLUDED


def answered(intake: Intake, events: Sequence[Event], at: str) -> list[Outcome]:
    """What each client would be answered to an offer of what was asked for in these events."""
    reader = EmbeddedReader(intake)
    clients = sorted({e["subject"] for e in events if e["type"].startswith("gate61.client.")})
    wanted = [e["data"] for e in events if e["type"] == "gate61.client.requested.v1"]
    found = list[Outcome]()
    for client, data in product(clients, wanted[:4]):
        offered = {k: v for k, v in data.items() if k in ("service", "asset", "product", "transaction")}
        asked = {"client": client, "channel": "email", "content": "offer", "time": at, **offered}
        offer = question(json.dumps(asked).encode(), instant(at))
        found.append(asyncio.run(reader.ask(client, partial(answer_to, offer))).outcome)
    return found
