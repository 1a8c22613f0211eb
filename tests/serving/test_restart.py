"""The program killed in the middle: nothing lost, nothing said twice, the same answers as from files."""

import asyncio
import json
import resource
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

import streams.demo
from state import Journal
from streams.ask.reader import Unreadable
from streams.embedded import Gate
from streams.serve.bodies import Arrival
from streams.serve.intake import Intake
from streams.serve.reader import EmbeddedReader
from tests.commands.program import events, run
from tests.player import POLICY
from tests.promises.histories import history
from tests.serving.service import BATCH, LINES, STRUCTURED, Clock, Event, everything, post, process, serving
from tests.serving.test_events import OFFER, TOLD
from tests.stories.telling import country, entity, offer

MONTH = (Path(streams.demo.__file__ or "").parent / "month.jsonl").read_bytes().splitlines()


def decided(tmp_path: Path, lines: list[bytes]) -> list[Event]:
    """What `gate61 decide` says."""
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    return events(run("decide", file, "--rejects", tmp_path / "rejects").stdout)


def test_killed_in_the_middle_it_says_what_files_say(tmp_path: Path) -> None:
    """A month in requests of 30 lines, killed in every fourth; what was not answered is sent again."""
    random, batches = Random(61), [MONTH[n : n + 30] for n in range(0, len(MONTH), 30)]
    trust = "--trust-recordedtime"
    done, doomed, unanswered = 0, list(range(1, len(batches), 4)), 0
    while done < len(batches):
        with (
            process("--state", tmp_path / "gate.db", trust) as (running, where),
            httpx.Client(base_url=where) as client,
        ):
            while done < len(batches) and running.poll() is None:
                if done in doomed:
                    doomed.remove(done)
                    # At once for some, so that it is surely in the middle, whatever the machine's speed.
                    threading.Timer(random.choice((0, 0.002, 0.004, 0.008, 0.016)), running.kill).start()
                try:
                    body = b"\n".join(batches[done])
                    results = client.post("/v1/events", content=body, headers=LINES).json()["results"]
                except (httpx.TransportError, json.JSONDecodeError):
                    unanswered += 1
                    break
                assert len(results) == len(batches[done])
                done += 1
    assert not doomed and unanswered
    with process("--state", tmp_path / "gate.db", trust) as (_, where), httpx.Client(base_url=where) as client:
        said = everything(client)
    assert said == decided(tmp_path, MONTH)


def test_a_lost_answer_is_given_again(tmp_path: Path) -> None:
    """The sender who never saw the answer asks again after the crash and gets the same decision."""
    with process("--state", tmp_path / "gate.db") as (_, where):
        body = "\n".join(json.dumps(e) for e in [*TOLD, OFFER])
        first = httpx.post(f"{where}/v1/events", content=body, headers=LINES).json()["results"][-1]
    with process("--state", tmp_path / "gate.db") as (_, where):
        again = httpx.post(f"{where}/v1/events", content=json.dumps(OFFER), headers=STRUCTURED).json()["results"][0]
        said = httpx.get(f"{where}/v1/out").json()["events"]
    assert (first["status"], again["status"]) == ("taken", "duplicate")
    assert first["out"][0] == again["out"][0]
    assert sum(e["event"]["type"] == "gate61.offer.decided.v1" for e in said) == 1


@pytest.mark.parametrize("seed", range(12))
def test_with_its_own_clock_it_says_what_files_say_with_those_recorded_times(tmp_path: Path, seed: int) -> None:
    """The clock of receiving is written where `decide` reads it: every byte that came out agrees."""
    told = history(seed)
    with serving(tmp_path / "gate.db") as client:
        results = client.post("/v1/events", content=json.dumps(told), headers=BATCH).json()["results"]
        said = everything(client)
    lines = [
        json.dumps({**event, "recordedtime": result.get("recorded_at", "2026-06-01T00:00:00Z")}).encode()
        for event, result in zip(told, results, strict=True)
    ]
    assert [e for e in said if e["data"].get("leading") != "UNREADABLE_OFFER"] == [
        e for e in decided(tmp_path, lines) if e["data"].get("leading") != "UNREADABLE_OFFER"
    ]


def test_what_came_out_is_followed_live(tmp_path: Path) -> None:
    """Server-sent events from any number on, numbered, without a gap."""
    with process("--state", tmp_path / "gate.db") as (_, where), httpx.Client(base_url=where) as client:
        post(client, *TOLD)
        before = len(everything(client))
        headers = {"accept": "text/event-stream", "last-event-id": str(before)}
        with httpx.stream("GET", f"{where}/v1/out", headers=headers, timeout=20) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            post(client, OFFER)
            lines = stream.iter_lines()
            assert next(lines) == f"id: {before + 1}"
            assert json.loads(next(lines).removeprefix("data: "))["data"]["event"]["id"] == OFFER["id"]


def test_a_store_that_cannot_be_written_takes_nothing_and_says_so(tmp_path: Path) -> None:
    """503 with what to do; once it can be written again, all goes on as if nothing had been sent."""
    with serving(tmp_path / "gate.db") as client:
        post(client, *TOLD)
        before = everything(client)
        blocker = sqlite3.connect(tmp_path / "gate.db", isolation_level=None)
        blocker.execute("begin immediate")
        refused = client.post("/v1/events", content=json.dumps(OFFER), headers=STRUCTURED)
        assert refused.status_code == 503 and "nothing was taken" in refused.json()["detail"]
        blocker.execute("rollback")
        assert everything(client) == before
        (taken,) = post(client, OFFER)
        assert taken["status"] == "taken" and taken["out"]


def test_what_was_not_taken_is_not_judged_on_though_the_log_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else fails beside the store: the gate first goes back to what was committed."""

    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    asked = offer(by="sister")["data"] | {"client": "anna"}
    with serving(tmp_path / "gate.db") as client:
        post(client, *TOLD)
        blocker = sqlite3.connect(tmp_path / "gate.db", isolation_level=None)
        blocker.execute("begin immediate")
        with monkeypatch.context() as failing:
            failing.setattr("streams.serve.intake._log.error", broken)
            sister = json.dumps(entity("sister", "eu_authorised", services=[asked["service"]]))
            assert client.post("/v1/events", content=sister, headers=STRUCTURED).status_code >= 500
        blocker.execute("rollback")
        assert client.post("/v1/check", json=asked).json()["leading"] != "AUTHORISED_ENTITY"
        post(client, sister)
        assert client.post("/v1/check", json=asked).json()["leading"] == "AUTHORISED_ENTITY"


def test_with_a_full_disk_it_is_not_ready_until_there_is_room(tmp_path: Path) -> None:
    """Questions are answered meanwhile; that there is room again is noticed though nothing comes."""
    with process("--state", tmp_path / "gate.db") as (running, where), httpx.Client(base_url=where) as client:
        post(client, *TOLD)
        written = max(file.stat().st_size for file in tmp_path.glob("gate.db*"))
        _, most = resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (written, resource.RLIM_INFINITY))
        for _ in range(2):
            refused = client.post("/v1/events", content=json.dumps(OFFER), headers=STRUCTURED)
            assert refused.status_code == 503 and "nothing was taken" in refused.json()["detail"]
            time.sleep(1.5)  # It tries by itself meanwhile.
            ready = client.get("/readyz")
            assert ready.status_code == 503 and "no events are taken" in ready.json()["detail"]
        assert client.get("/v1/clients/anna/may-send").status_code == 200
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (most, most))
        until = time.monotonic() + 10
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        (taken,) = post(client, OFFER)
        assert taken["status"] == "taken" and taken["out"]


def test_a_store_that_was_closed_is_opened_again_though_nothing_comes(tmp_path: Path) -> None:
    """Where it could not be opened when it failed."""
    path = tmp_path / "gate.db"
    intake = Intake(POLICY, path)
    path.rename(tmp_path / "away")
    intake.run(intake.journal.close).result()
    with pytest.raises(sqlite3.Error):
        intake.run(lambda: intake.take([])).result()
    intake.run(intake.wake).result()
    assert "another file is in its place" in intake.trouble
    (tmp_path / "away").rename(path)
    intake.run(intake.wake).result()
    assert intake.trouble == "" and intake.run(lambda: intake.out(0, 1)).result() == ([], 0)
    intake.close()


@pytest.mark.parametrize("name", ["gate.db", "gate.db-wal"])
def test_a_store_that_was_replaced_takes_nothing_until_it_is_put_back(tmp_path: Path, name: str) -> None:
    """What is answered is kept: nobody would find again what goes on into a file that is not there by its name."""
    file, away = tmp_path / name, tmp_path / "away"
    with serving(tmp_path / "gate.db") as client:
        post(client, *TOLD)
        before = everything(client)
        file.rename(away)
        for replaced in (False, True):
            if replaced:
                file.write_bytes(away.read_bytes())
            refused = client.post("/v1/events", content=json.dumps(OFFER), headers=STRUCTURED)
            assert refused.status_code == 503 and "nothing was taken" in refused.json()["detail"]
            ready = client.get("/readyz")
            assert ready.status_code == 503 and "put it back" in ready.json()["detail"]
        away.rename(file)
        (taken,) = post(client, OFFER)
        assert taken["status"] == "taken" and client.get("/readyz").status_code == 200
    with serving(tmp_path / "gate.db") as client:
        assert everything(client) == [*before, *(out["event"] for out in taken["out"])]


def test_that_the_store_was_replaced_is_noticed_though_nothing_comes(tmp_path: Path) -> None:
    """And that it is back: it is not ready between the two."""
    path, away = tmp_path / "gate.db", tmp_path / "away"
    intake = Intake(POLICY, path)
    try:
        path.rename(away)
        for _ in range(2):
            intake.run(intake.wake).result()
            assert "another file is in its place" in intake.trouble
        away.rename(path)
        intake.run(intake.wake).result()
        assert intake.trouble == ""
    finally:
        intake.close()


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), ValueError("no dossier")])
def test_what_was_not_taken_is_answered_from_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Nor is it ready, where the store could not be read again after the request that failed."""
    clock = Clock("2026-03-02T12:00:00Z")
    intake = Intake(POLICY, tmp_path / "gate.db", clock)
    reader, taken = EmbeddedReader(intake), [Arrival(json.dumps(event).encode()) for event in [*TOLD, OFFER]]
    intake.run(lambda: intake.take(taken)).result()
    left_out = Arrival(json.dumps(country("DE", False, at="2026-03-02T11:00:00Z")).encode())

    def fails(failing: Any) -> None:
        raise error

    with monkeypatch.context() as failing:
        failing.setattr(Gate, "commit", fails)
        failing.setattr(Journal, "learnt", fails)
        with pytest.raises(type(error)):
            intake.run(lambda: intake.take([left_out])).result()
        with pytest.raises(Unreadable, match="cannot be read"):
            asyncio.run(reader.ask("anna", lambda seen: seen.known.register))
        with pytest.raises(Unreadable):
            asyncio.run(reader.ready())
    intake.run(intake.wake).result()
    asyncio.run(reader.ready())
    register = asyncio.run(reader.ask("anna", lambda seen: seen.known.register))
    assert register.in_scope("DE", clock.now), "the change was not taken"
    intake.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_what_it_has_and_leaves(tmp_path: Path, number: int) -> None:
    """Exit 0 and at once, and what was answered is kept, also while others follow what comes out or wait for it."""
    with process("--state", tmp_path / "gate.db") as (running, where), httpx.Client(base_url=where) as client:
        post(client, *TOLD)
        before = everything(client)
        ends = {"out": len(before), "taken": len(TOLD)}
        with (
            ThreadPoolExecutor(2) as pool,
            httpx.stream("GET", f"{where}/v1/out", headers={"accept": "text/event-stream"}, timeout=20) as stream,
        ):
            following = stream.iter_lines()
            assert next(following).startswith("id: ")
            waits = [(log, {"after": end, "wait": 60}) for log, end in ends.items()]
            polls = [pool.submit(httpx.get, f"{where}/v1/{log}", params=wait, timeout=70) for log, wait in waits]
            time.sleep(0.5)
            running.send_signal(number)
            told = time.monotonic()
            assert running.wait(20) == 0 and time.monotonic() - told < 4
            assert len([*following]) > 0
            assert [(poll.result().status_code, poll.result().json()["events"]) for poll in polls] == [(200, [])] * 2
        assert running.stderr is not None and b"Traceback" not in running.stderr.read()
    with process("--state", tmp_path / "gate.db") as (_, where), httpx.Client(base_url=where) as client:
        assert everything(client) == before
