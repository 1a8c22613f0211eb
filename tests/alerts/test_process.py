"""The process as a whole: real gate, real HTTP, killed at random; what was told adds up to what was decided."""

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from streams.alerts.tables import opened
from tests.alerts.receiving import Receiver, receiving
from tests.alerts.telling import SHARED
from tests.commands.program import ENVIRONMENT, PROGRAM, run
from tests.serving.service import LINES, everything, process

CLIENTS = 60
_CONFIG = """
allow_hosts = ["127.0.0.1"]
[grouping]
gather_seconds = 1
update_seconds = 5
flood_groups = {flood}
[[channel]]
name = "siem"
kind = "webhook"
url = "{url}"
secret_env = "SIEM_KEY"
"""


_ROUGH = ("500", "cut", "200", "200", "200")
_SLOW = ("200", "late", "late")
"""Late: killed meanwhile the process does not know that it has arrived."""


def configured(folder: Path, there: Receiver, flood: int = 10_000) -> list[str | Path]:
    """Arguments of the program for one receiver."""
    path = folder / "alerts.toml"
    path.write_text(_CONFIG.format(url=there.url, flood=flood))
    return ["--config", path, "--store", folder / "alerts.db"]


def story(client: str) -> list[dict[str, Any]]:
    """A request with a record, two offers that are held, and late a paid referral that came before: both are blocked."""

    def event(id: str, kind: str, hour: int, /, **data: Any) -> dict[str, Any]:
        known = {"specversion": "1.0", "source": "shop", "id": f"{client}-{id}", "subject": client}
        return known | {"type": f"gate61.{kind}.v1", "time": f"2026-03-02T{hour:02}:00:00Z", "data": data}

    record = {"evidence": f"{client}-m", "supports": "initiation", "request": f"{client}-r", "kind": "inbound_email"}
    offer = {"service": "custody", "channel": "app", "transaction": "t-1", "content": "offer"}
    asked = {"service": "custody", "transaction": "t-1", "channel": "app", "kind": "request"}
    return [
        event("l", "client.located", 1, indicator="kyc_residence", country="DE"),
        event("r", "client.requested", 8, **asked),
        event("e", "evidence.filed", 9, **record, by="staff-1"),
        event("a", "evidence.approved", 9, evidence=f"{client}-m", by="staff-2"),
        event("o", "offer.proposed", 10, offer=f"{client}-o", **offer),
        event("p", "offer.proposed", 11, offer=f"{client}-p", **offer),
        event("c", "referral.recorded", 7, by="friend", rewarded=True),
    ]


def told(messages: list[dict[str, Any]]) -> Counter[str]:
    """What the messages say in all, each counted once."""
    found: Counter[str] = Counter()
    for message in messages:
        found["new"] += message["data"]["counts"]["new"]
        found["corrected"] += message["data"]["counts"]["corrected"]
    return found


def expected(out: list[dict[str, Any]]) -> Counter[str]:
    """What is to be told of what the gate said: held, blocked and cases; and what of it was superseded."""
    decided = [e["data"] for e in out if e["type"] == "gate61.offer.decided.v1"]
    alerted = {d["decision"] for d in decided if not d["may_send"]}
    cases = sum(e["type"] == "gate61.case.opened.v1" for e in out)
    return Counter(new=len(alerted) + cases, corrected=sum(d["supersedes"] in alerted for d in decided))


def test_killed_at_random_nothing_is_lost_and_nothing_invented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kill -9 again and again while events come and the receiver fails a third of the first attempts.

    Each message has one body under its id, however often it is sent; their counts add up to what the gate said.
    """
    random = Random(61)
    with (
        receiving(*(random.choice(choices) for choices in (_ROUGH,) * 40 + (_SLOW,) * 400)) as there,
        process("--state", tmp_path / "gate.db") as (_, gate),
        httpx.Client(base_url=gate, timeout=30) as client,
    ):
        arguments = [*configured(tmp_path, there), "--since", "1h"]
        environment = ENVIRONMENT | {"GATE61_URL": gate, "SIEM_KEY": SHARED}
        lines = [e for turn in zip(*(story(f"c-{n}") for n in range(CLIENTS)), strict=True) for e in turn]
        kills = 8
        share = len(lines) // kills + 1
        for kill in range(kills):
            with running_alerts(arguments, environment, tmp_path) as running:
                time.sleep(1 + random.random())
                body = "\n".join(json.dumps(e) for e in lines[kill * share : (kill + 1) * share]).encode()
                assert client.post("/v1/events", content=body, headers=LINES).status_code == 200
                time.sleep(random.random() * 2)
                assert running.poll() is None
        wanted = expected(everything(client))
        assert wanted == Counter(new=CLIENTS * 5, corrected=CLIENTS * 2)
        with running_alerts(arguments, environment, tmp_path) as running:
            until(lambda: told(there.said()) == wanted, 60)
    found = told(there.said())
    assert found == wanted
    bodies = {s.id: s.body for s in there.seen}
    assert all(bodies[s.id] == s.body for s in there.seen)
    repeated = sum(n - 1 for n in there.ids().values())
    with capsys.disabled():
        print(
            f"\nkill -9 {kills} times: {wanted['new']} alerts and {wanted['corrected']} corrections in "
            f"{len(bodies)} messages, {len(there.seen)} sent, {len(there.taken)} received, {repeated} repeated, lost=0"
        )


@contextmanager
def running_alerts(
    arguments: list[str | Path], environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The program until it is killed."""
    words = [PROGRAM, "alerts", *arguments, "--port", "0"]
    with (folder / "log").open("ab") as log, subprocess.Popen(words, env=environment, stderr=log) as running:
        try:
            yield running
        finally:
            running.kill()


def test_probes_metrics_and_a_clean_end(tmp_path: Path) -> None:
    """Ready while the gate answers, alive also while it does not; no client in the metrics; one process a store."""
    with receiving() as there:
        arguments = configured(tmp_path, there)
        with process("--state", tmp_path / "gate.db") as (gate, where), httpx.Client(base_url=where) as client:
            environment = {"GATE61_URL": where, "SIEM_KEY": SHARED}
            with (
                process(*arguments, command="alerts", **environment) as (running, here),
                httpx.Client(base_url=here) as page,
            ):
                assert page.get("/livez").status_code == page.get("/readyz").status_code == 200
                second = run("alerts", *arguments, "--port", "0", settings=environment)
                assert second.returncode == 2 and b"another `gate61 alerts` runs" in second.stderr
                body = "\n".join(json.dumps(e) for e in story("c-secret")).encode()
                client.post("/v1/events", content=body, headers=LINES)
                there.wait(3)
                until(lambda: 'attempts_total{channel="siem",outcome="sent"}' in page.get("/metrics").text)
                shown = page.get("/metrics").text
                assert 'gate61_alerts_messages_total{channel="siem",kind="opened"}' in shown
                assert "c-secret" not in shown
                gate.kill()
                until(lambda: page.get("/readyz").status_code == 503)
                assert page.get("/livez").status_code == 200 and "c-secret" not in page.get("/readyz").text
                running.send_signal(signal.SIGTERM)
                assert running.wait(20) == 0


def test_nothing_listens_beyond_loopback_without_keys(tmp_path: Path) -> None:
    """As of every service."""
    with receiving() as there:
        done = run(
            "alerts",
            *configured(tmp_path, there),
            "--host",
            "0.0.0.0",
            GATE61_URL="http://127.0.0.1:9",
            SIEM_KEY=SHARED,
        )
    assert done.returncode == 2 and b"no keys are configured" in done.stderr


def test_by_hand(tmp_path: Path) -> None:
    """A test alert; channels; dead messages listed and sent, by the process that runs or without one."""
    with receiving() as there:
        arguments = configured(tmp_path, there)
        tested = run("alerts", *arguments, "test", "siem", SIEM_KEY=SHARED)
        assert tested.returncode == 0 and b"arrived (200)" in tested.stdout and len(there.taken) == 1
        shown = run("alerts", *arguments, "channels", SIEM_KEY=SHARED)
        assert b"siem" in shown.stdout and SHARED[6:].encode() not in shown.stdout
        opened(f"sqlite:///{tmp_path / 'alerts.db'}").dispose()
        assert run("alerts", *arguments, "dead", "list").stdout == b"none\n"
        unknown = run("alerts", *arguments, "dead", "send", "msg_none", SIEM_KEY=SHARED)
        assert unknown.returncode == 2 and b"is no dead message" in unknown.stderr
        assert run("alerts", *arguments, "test", "nobody", SIEM_KEY=SHARED).returncode == 2
        there.faults = ["500"]
        assert run("alerts", *arguments, "test", "siem", SIEM_KEY=SHARED).returncode == 1


def test_dead_messages_are_sent_while_it_runs(tmp_path: Path) -> None:
    """A receiver that was gone (410) is enabled; the process that runs sends what was given up."""
    with receiving("410") as there:
        arguments = configured(tmp_path, there)
        with (
            process("--state", tmp_path / "gate.db") as (_, where),
            httpx.Client(base_url=where) as client,
            process(*arguments, command="alerts", GATE61_URL=where, SIEM_KEY=SHARED) as (_, here),
        ):
            until(lambda: httpx.get(f"{here}/readyz").status_code == 200)
            body = "\n".join(json.dumps(e) for e in story("c-1")).encode()
            client.post("/v1/events", content=body, headers=LINES)
            until(lambda: len(_dead(arguments)) >= 3)
            sent = len(there.seen)
            assert run("alerts", *arguments, "dead", "send", "--all", SIEM_KEY=SHARED).returncode == 1
            assert len(there.seen) == sent
            assert run("alerts", *arguments, "enable", "siem", SIEM_KEY=SHARED).returncode == 0
            ids = [row["id"] for row in _dead(arguments)]
            one = run("alerts", *arguments, "dead", "send", ids[0], "--json", SIEM_KEY=SHARED)
            told = json.loads(one.stdout)
            assert one.returncode == 0 and (told["id"], told["channel"]) == (ids[0], "siem")
            assert (told["state"], told["said"]) == ("sent", "arrived (200)")
        rest = run("alerts", *arguments, "dead", "send", "--all", SIEM_KEY=SHARED)
        assert rest.returncode == 0, rest
        assert set(there.ids()) >= set(ids) and _dead(arguments) == []


def _dead(arguments: list[str | Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("alerts", *arguments, "dead", "list", "--json").stdout.splitlines()]


def until(true: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, true
        time.sleep(0.1)
