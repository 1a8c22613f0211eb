"""Bearer keys: who may ask and publish, and that nothing listens beyond this machine without them."""

import json
import re
import socket
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from streams.alerts.app import application
from streams.ask.app import ask_app
from streams.ask.budget import Budget
from streams.ask.reader import Unreadable
from streams.ask.routes import probes
from streams.keys import Keys, KeysRefused
from streams.serve.app import Service
from streams.serve.bodies import Arrival
from streams.serve.intake import Intake, InUse
from streams.settings import settings
from streams.web.access import Access
from streams.web.listening import ListeningRefused, keys_for, listen
from streams.web.problems import say_problems
from tests.commands.program import run
from tests.desk.desks import Office
from tests.player import POLICY
from tests.serving.service import HERE, LINES, Clock, everything, post, process, serving
from tests.serving.test_events import NOW, OFFER, TOLD
from tests.stories.telling import complaint


def bearer(secret: str) -> dict[str, str]:
    """The header of a key."""
    return {"authorization": f"Bearer {secret}"}


def test_a_key_is_shown_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    """256 bits; the file is its owner's alone; a name is used once; what is revoked is gone."""
    file = tmp_path / "keys"
    made = run("keys", "add", "shop", "--publish", GATE61_KEYS=str(file))
    secret = made.stdout.decode().strip()
    assert made.returncode == 0 and re.fullmatch(r"g61_[A-Za-z0-9_-]{43}", secret)
    assert secret not in file.read_text() and file.stat().st_mode & 0o777 == 0o600
    again = run("keys", "add", "shop", "--file", str(file))
    assert again.returncode == 2 and b"revoke it first" in again.stderr
    assert b"gate61: " in run("keys", "add", "x", "--read-only", "--publish", "--file", str(file)).stderr
    run("keys", "add", "desk", "--read-only", "--file", str(file))
    listed = run("keys", "list", "--json", "--file", str(file)).stdout.splitlines()
    assert [(k["name"], k["scopes"]) for k in map(json.loads, listed)] == [("shop", ["publish"]), ("desk", ["ask"])]
    assert run("keys", "revoke", "shop", "--file", str(file)).returncode == 0
    assert run("keys", "revoke", "shop", "--file", str(file)).returncode == 2
    assert run("keys", "revoke", "shop", "--file", str(tmp_path / "none")).returncode == 2
    assert not [*tmp_path.glob("none*")]
    assert Keys(file).who(secret) is None


def test_a_key_file_that_others_can_read_is_not_trusted(tmp_path: Path) -> None:
    """Nor one that is no key file, or not there."""
    keys = Keys(tmp_path / "keys")
    keys.add("a", ("ask",))
    keys.path.chmod(0o640)
    with pytest.raises(KeysRefused, match="chmod 600"):
        keys.all()
    keys.path.chmod(0o600)
    keys.path.write_text("[]")
    for ask in (keys.all, lambda: keys.add("b", ("ask",))):
        with pytest.raises(KeysRefused, match="no key file: give it back from a copy, or move it away, and make one"):
            ask()
    with pytest.raises(KeysRefused, match=r"there is no key file .*make one with `gate61 keys add`"):
        Keys(tmp_path / "none").all()
    for ask in (Keys(tmp_path).all, lambda: Keys(tmp_path).add("b", ("ask",))):
        with pytest.raises(KeysRefused, match="cannot be read: Is a directory; make it readable, or name another one"):
            ask()
    with pytest.raises(KeysRefused, match=r"cannot be written: .*; see that its folder is there"):
        Keys(tmp_path / "no" / "where").add("b", ("ask",))


def test_every_route_asks_for_its_scope(tmp_path: Path) -> None:
    """401 without a key or with a wrong one, 403 with one for something else; probes are open."""
    keys = Keys(tmp_path / "keys")
    ask, publish = keys.add("ask", ("ask",)), keys.add("publish", ("publish",))
    line = json.dumps(TOLD[0])
    check = {"client": "anna", **OFFER["data"]}
    with serving(tmp_path / "gate.db", Clock(NOW), keys=keys) as client:
        routes: list[tuple[str, str, str, dict[str, Any]]] = [
            ("publish", "POST", "/v1/events", {"content": line, "headers": LINES}),
            ("ask", "GET", "/v1/out", {}),
            ("ask", "GET", "/v1/rejected", {}),
            ("ask", "POST", "/v1/check", {"json": check}),
            ("ask", "GET", "/v1/clients/anna/may-send", {}),
            ("either", "GET", "/metrics", {}),
        ]
        for scope, method, path, more in routes:
            given = more.pop("headers", {})
            for secret in ("", "g61_wrong", "ümlaut"):
                headers = [(k, v.encode()) for k, v in {**given, **bearer(secret)}.items()]
                refused = client.request(method, path, headers=headers, **more)
                assert refused.status_code == 401 and "bearer" in refused.headers["www-authenticate"].lower()
                assert refused.headers["content-type"] == "application/problem+json"
            assert client.request(method, path, headers=given, **more).status_code == 401
            for name, secret in (("ask", ask), ("publish", publish)):
                status = client.request(method, path, headers={**given, **bearer(secret)}, **more).status_code
                assert status == (200 if scope in (name, "either") else 403), (path, name)
        assert client.get("/livez").status_code == client.get("/readyz").status_code == 200


def _applications(folder: Path) -> dict[str, FastAPI]:
    """Every service's own."""
    alerts: Any = _Troubled()
    asked = {"GATE61_KAFKA": "127.0.0.1:9", "GATE61_REDIS": "redis://127.0.0.1:9/0"}
    desk, intake = Office(folder), Intake(POLICY, folder / "served.db")
    return {
        "desk": desk.app,
        "serve": Service(intake, Access(None)).app,
        "alerts": application(alerts, Access(None)),
        "ask": ask_app(settings(asked), Access(None), Clock(NOW), 30, Budget()),
    }


def test_nothing_is_served_but_our_own_routes(tmp_path: Path) -> None:
    """No list of routes to whoever has no key, and no redirect to a host that the request names."""
    for name, app in _applications(tmp_path).items():
        http = TestClient(app, base_url=HERE, follow_redirects=False)
        for path in (
            "/openapi.json",
            "/docs",
            "/redoc",
            "/docs/oauth2-redirect",
            "/livez/",
            "/v1/out/",
            "/v1/check/",
            "/static",
        ):
            for host in ("127.0.0.1", "evil.example"):
                answer = http.get(path, headers={"host": host})
                assert answer.status_code in (404, 421) and "location" not in answer.headers, (name, path)


class _Troubled:
    """What cannot be read now."""

    metrics = None

    async def ready(self) -> None:
        raise Unreadable("no connection to Kafka at kafka-1.firm.example:9092")

    def trouble(self) -> list[str]:
        return ["no connection to Kafka at kafka-1.firm.example:9092"]

    hanging = trouble


def _probes(of: str, access: Access) -> TestClient:
    troubled: Any = _Troubled()
    if of == "alerts":
        return TestClient(application(troubled, access), base_url=HERE)
    app = FastAPI()
    say_problems(app)
    app.include_router(probes(troubled, access))
    return TestClient(app, base_url=HERE)


@pytest.mark.parametrize("of", ["ask", "alerts"])
def test_why_it_is_not_ready_is_told_to_who_has_a_key(tmp_path: Path, of: str) -> None:
    """Or sits at this machine, where no keys are configured; to others only that it is not."""
    keys = Keys(tmp_path / "keys")
    secrets = [keys.add("a", ("ask",)), keys.add("b", ("publish",))]
    client = _probes(of, Access(keys))
    for headers in ({}, bearer("g61_wrong")):
        refused = client.get("/readyz", headers=headers)
        assert refused.status_code == 503 and "firm.example" not in refused.text
        assert refused.json().get("ready", refused.json().get("ok")) is False
    for secret in secrets:
        told = client.get("/readyz", headers=bearer(secret))
        assert told.status_code == 503 and "kafka-1.firm.example" in told.text
    keys.path.unlink()
    assert "firm.example" not in client.get("/readyz", headers=bearer(secrets[0])).text
    here = _probes(of, Access(None))
    assert "kafka-1.firm.example" in here.get("/readyz").text
    assert "firm.example:" not in here.get("/readyz", headers={"host": "rebound.example"}).text


def test_a_revoked_key_opens_nothing_at_once_and_a_lost_file_lets_nobody_in(tmp_path: Path) -> None:
    """Without a restart."""
    keys = Keys(tmp_path / "keys")
    secret, other = keys.add("a", ("ask",)), keys.add("b", ("ask",))
    with serving(tmp_path / "gate.db", keys=keys) as client:
        assert client.get("/v1/out", headers=bearer(secret)).status_code == 200
        run("keys", "revoke", "a", "--file", str(keys.path))
        assert client.get("/v1/out", headers=bearer(secret)).status_code == 401
        assert client.get("/v1/out", headers=bearer(other)).status_code == 200
        keys.path.unlink()
        assert client.get("/v1/out", headers=bearer(other)).status_code == 503


@pytest.mark.parametrize("made", [True, False], ids=["made by its own name", "made through the link"])
def test_a_key_is_revoked_by_whatever_name_its_file_is_called(tmp_path: Path, made: bool) -> None:
    """A link stays one: what is served by the file's own name would go on letting everybody in."""
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "keys", tmp_path / "link"
    link.symlink_to(file)
    secret = Keys(file if made else link).add("shop", ("ask",))
    served = Keys(file)
    assert served.who(secret)
    Keys(link).revoke("shop")
    assert link.is_symlink() and served.who(secret) is None and served.all() == Keys(link).all() == ()
    other = tmp_path / "other"
    through, kept = Keys(link), Keys(other).add("shop", ("ask",))
    link.unlink()
    link.symlink_to(other)
    assert through.who(kept), "the link leads to another file now"


def test_without_keys_only_this_machine_by_its_own_address_is_answered(tmp_path: Path) -> None:
    """A page of a browser here that reaches the service by another name is not."""
    with serving(tmp_path / "gate.db") as client:
        for host in ("evil.example", "[", "[::1", "127.0.0.1 evil.example", ""):
            assert client.get("/v1/out", headers={"host": host}).status_code == 403, host
        assert client.get("/v1/out", headers={"host": "localhost:8061"}).status_code == 200
        assert client.get("/v1/out", headers={"host": "[::1]:8061"}).status_code == 200


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_of_ipv6_is_said_as_it_is_asked(tmp_path: Path, host: str) -> None:
    """In brackets, once."""
    with process("--host", host, "--state", tmp_path / "gate.db") as (_, where):
        assert where.startswith("http://[::1]:") and httpx.get(f"{where}/livez").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gate.example"])
def test_nothing_listens_beyond_loopback_without_keys(tmp_path: Path, host: str) -> None:
    """The program says what to do and exits with 2, also for an empty key file."""
    state = str(tmp_path / "gate.db")
    refused = run("serve", "--embedded", "--host", host, "--state", state)
    assert refused.returncode == 2 and b"gate61 keys add" in refused.stderr
    keys = Keys(tmp_path / "keys")
    keys.add("a", ("ask",))
    keys.revoke("a")
    empty = run("serve", "--embedded", "--host", host, "--state", state, GATE61_KEYS=str(keys.path))
    assert empty.returncode == 2 and b"holds no key" in empty.stderr


def test_one_store_is_served_by_one_gate(tmp_path: Path) -> None:
    """A second one would know half of it."""
    with process("--state", tmp_path / "gate.db"):
        second = run("serve", "--embedded", "--port", "0", "--state", tmp_path / "gate.db")
    assert second.returncode == 2 and b"another gate serves" in second.stderr


@pytest.mark.parametrize("name", ["gate.db", "symbolic", "hard"])
def test_one_store_is_served_by_one_gate_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    """Also where somebody has tidied up the lock file; and the second does not touch it."""
    store = tmp_path / "gate.db"
    with process("--state", store):
        if name == "symbolic":
            (tmp_path / name).symlink_to(store)
        elif name == "hard":
            (tmp_path / name).hardlink_to(store)
        (tmp_path / "gate.db.lock").unlink()
        second = run("serve", "--embedded", "--port", "0", "--state", tmp_path / name)
        assert not [*tmp_path.glob("symbolic-*"), *tmp_path.glob("hard-*")]
    assert second.returncode == 2 and b"another gate serves" in second.stderr


def test_a_file_put_in_the_place_of_the_store_is_not_served(tmp_path: Path) -> None:
    """By a second gate not, and the first does not go over to it when it opens its store again."""
    path = tmp_path / "gate.db"
    intake = Intake(POLICY, path, Clock(NOW))
    (tmp_path / "other.db").touch()
    (tmp_path / "other.db").replace(path)
    with pytest.raises(InUse):
        Intake(POLICY, path)
    intake.run(intake.journal.close).result()
    with pytest.raises(sqlite3.OperationalError, match="another file is in its place"):
        intake.run(lambda: intake.take([Arrival(json.dumps(TOLD[0]).encode())])).result()
    assert path.stat().st_size == 0
    intake.close()


@pytest.mark.parametrize(
    ("dossier", "told"),
    [
        (b"\x1f\x00", b"a newer gate61 wrote them, update this one"),
        (b"", b"is damaged"),
        (b"\x04spoiled", b"is damaged"),
    ],
)
def test_a_store_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, dossier: bytes, told: bytes) -> None:
    """It is named, and what to do."""
    path = tmp_path / "gate.db"
    with serving(path, Clock(NOW)) as client:
        post(client, *TOLD)
    with sqlite3.connect(path) as db:
        db.execute("update dossier set data = ?", (dossier,))
    db.close()
    refused = run("serve", "--embedded", "--port", "0", "--state", path)
    assert refused.returncode == 2 and told in refused.stderr and str(path).encode() in refused.stderr
    assert refused.stderr.count(b"\n") == 1 and b"Traceback" not in refused.stderr


def test_metrics_name_nobody(tmp_path: Path) -> None:
    """Counts by verdict, reason and route; no client, offer, key or event is in them."""
    keys = Keys(tmp_path / "keys")
    key = bearer(keys.add("shop-key", ("ask", "publish")))
    with serving(tmp_path / "gate.db", Clock(NOW), keys=keys) as client:
        client.headers.update(key)
        post(client, *TOLD, OFFER, OFFER, "{")
        client.post("/v1/check", json={"client": "anna", **OFFER["data"]})
        client.get("/v1/clients/anna/may-send")
        client.get("/anna")
        page = client.get("/metrics").text
    assert 'gate61_events_total{what="repeated"} 1.0' in page
    assert 'gate61_rejects_total{reason="NOT_JSON"} 1.0' in page
    assert 'gate61_decisions_total{leading="WITHIN_WINDOW",verdict="allow"} 1.0' in page
    assert 'gate61_checks_total{leading="WITHIN_WINDOW",verdict="allow"} 1.0' in page
    assert 'gate61_http_seconds_count{route="/v1/clients/{client:path}/may-send",status="200"} 1.0' in page
    assert not [word for word in ("anna", "of-anna", "shop-key", OFFER["id"], key["authorization"]) if word in page]


def test_metrics_count_each_answer_once(tmp_path: Path) -> None:
    """Those to offers that cannot be read, and those that take the place of others, among them; no repetition."""
    misspelt = json.dumps({**OFFER, "id": "of-misspelt", "data": {**OFFER["data"], "offer": "of-2", "content": "?"}})
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        results = post(client, *TOLD, OFFER, misspelt, OFFER, misspelt, complaint(at="1 h"))
        said = [e["data"] for e in everything(client) if e["type"] == "gate61.offer.decided.v1"]
        page = client.get("/metrics").text
    assert [r["status"] for r in results[-5:]] == ["taken", "rejected", "duplicate", "rejected", "taken"], results
    for (verdict, leading), count in Counter((d["verdict"], d["leading"]) for d in said).items():
        assert f'gate61_decisions_total{{leading="{leading}",verdict="{verdict}"}} {count}.0' in page
    assert len(said) == 3 and {d["leading"] for d in said} >= {"UNREADABLE_OFFER", "WITHIN_WINDOW"}


def test_metrics_count_what_nobody_foresaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the gate itself is a status like any other: whoever watches for 500 sees it."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:

        def fails(*_: object) -> object:
            raise AssertionError("a mistake")

        monkeypatch.setattr("state.journal.Journal.published", fails)
        assert client.get("/v1/out").status_code == 500
        assert 'gate61_http_seconds_count{route="/v1/out",status="500"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("held", [None, "no keys"])
def test_a_file_without_keys_is_refused_with_one_remedy(tmp_path: Path, held: str | None) -> None:
    """Said once."""
    path = tmp_path / "keys"
    if held is not None:
        path.write_text(held)
        path.chmod(0o600)
    with pytest.raises(ListeningRefused) as refused:
        keys_for("0.0.0.0", path)
    assert str(refused.value).count("gate61 keys add") == 1 and "keys are made" not in str(refused.value)


def test_a_port_that_is_taken_is_said_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """In words, and nothing is said that would be of use only where it listens; a host that is none as well."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ListeningRefused, match=r": address already in use; give another --port, or 0 for a free one$"
        ):
            listen(FastAPI(), "127.0.0.1", port, "the desk", also="the password")
    with pytest.raises(ListeningRefused, match=r"; give another --host$"):
        listen(FastAPI(), "192.0.2.1", 0, "the desk", also="the password")
    assert "password" not in capsys.readouterr().err


def test_who_asks_by_another_name_is_not_told_of_a_key(tmp_path: Path) -> None:
    """There is none to be had."""
    with serving(tmp_path / "gate.db") as client:
        answer = client.get("/v1/out", headers={"host": "gate.firm.example"})
        assert answer.status_code == 403 and "key" not in answer.json()["title"]
