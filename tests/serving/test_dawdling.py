"""Whoever dawdles is not waited for, and keeps nobody else out."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from streams.web import listening, requests
from tests.serving.service import LINES, everything, post, process, serving
from tests.serving.test_events import TOLD


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is taken, and others are served meanwhile."""
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.3)
    with serving(tmp_path / "gate.db") as client:
        with served(client.app) as (host, port), socket.create_connection((host, port), 10) as slow:
            head = "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
            slow.sendall(f"{head}Content-Length: 1000\r\n\r\n{json.dumps(TOLD[0])}\n".encode())
            assert slow.recv(4096).startswith(b"HTTP/1.1 408")
        assert everything(client) == [] and post(client, TOLD[0])[0]["status"] == "taken"


def half_a_body(stack: ExitStack, where: tuple[str, int], path: str, sent: int) -> socket.socket:
    """A connection on which so many bytes of a body came, and one is missing."""
    slow = stack.enter_context(socket.create_connection(where, 10))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: {sent + 1}"
    )
    slow.sendall(head.encode() + b"\r\n\r\n" + b"{" * sent)
    return slow


@pytest.mark.parametrize("path", ["/v1/events", "/v1/suppress"])
def test_any_number_of_bodies_that_do_not_come_keep_no_small_one_out(tmp_path: Path, path: str) -> None:
    """What is small needs no place, and large ones have all of them here."""
    with serving(tmp_path / "gate.db") as client, served(client.app) as (host, port), ExitStack() as stack:
        for n in range(2 * requests.AT_ONCE):
            half_a_body(stack, (host, port), path, 2 * requests.SMALL if n % 2 else 1)
        time.sleep(0.5)
        begun = time.monotonic()
        answer = httpx.post(f"http://{host}:{port}{path}", content=b"{", headers=LINES, timeout=30)
        assert answer.status_code == 422 and time.monotonic() - begun < requests.BODY_SECONDS / 2


@pytest.mark.parametrize("path", ["/v1/events", "/v1/suppress"])
def test_so_many_large_bodies_are_in_memory_at_one_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Others wait until one of them is answered, or was too slow."""
    monkeypatch.setattr(requests, "AT_ONCE", 1)
    monkeypatch.setattr(requests, "BODY_SECONDS", 2)
    with serving(tmp_path / "gate.db") as client, served(client.app) as (host, port), ExitStack() as stack:
        slow = half_a_body(stack, (host, port), path, 2 * requests.SMALL)
        time.sleep(0.5)
        begun = time.monotonic()
        large = b"{" * 2 * requests.SMALL
        answer = httpx.post(f"http://{host}:{port}{path}", content=large, headers=LINES, timeout=30)
        assert answer.status_code == 422 and time.monotonic() - begun > 0.7
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_more_heads_that_do_not_come_than_may_be_open_keep_nobody_out_for_long(tmp_path: Path) -> None:
    """Also where each sends on, a line at a time."""
    with process("--state", tmp_path / "gate.db") as (_, where), ExitStack() as stack:
        address = httpx.URL(where)
        half = [
            stack.enter_context(socket.create_connection((address.host, address.port), 10))
            for _ in range(listening.CONNECTIONS)
        ]
        for each in half:
            each.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert httpx.get(f"{where}/livez").status_code == 503
        until = time.monotonic() + listening.HEAD_SECONDS + 5
        while httpx.get(f"{where}/livez").status_code != 200:
            assert time.monotonic() < until
            for each in half[::10]:
                sent_on(each)
            time.sleep(0.5)


def sent_on(slow: socket.socket) -> None:
    """One more line, if it is still open."""
    with suppress(OSError):
        slow.sendall(b"X: y\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /livez HT",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /liv",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=["nothing", "half a line", "half of the next", "no body, where none is read"],
)
def test_a_connection_without_a_whole_request_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """However much comes of it, and also after an answer."""
    monkeypatch.setattr(listening, "HEAD_SECONDS", 1)
    with (
        serving(tmp_path / "gate.db") as client,
        served(client.app) as where,
        socket.create_connection(where, 10) as slow,
    ):
        for byte in sent:
            slow.sendall(bytes([byte]))
        began, came = time.monotonic(), b""
        while part := _part(slow):
            came += part
            sent_on(slow)
        assert time.monotonic() - began < 4
        assert came.count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")


@pytest.mark.parametrize("length", ["0", "5"])
@pytest.mark.parametrize("before", [b"", b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"], ids=["first", "second"])
def test_a_request_whose_length_is_said_in_two_ways_ends_the_connection(
    tmp_path: Path, before: bytes, length: str
) -> None:
    """What comes behind it may be the next request or its own body, so nothing of that is answered."""
    head = f"POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
    smuggled = b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with (
        serving(tmp_path / "gate.db") as client,
        served(client.app) as where,
        socket.create_connection(where, 10) as both,
    ):
        both.sendall(before + head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + smuggled)
        came = b""
        while part := _part(both):
            came += part
    assert came.count(b"HTTP/1.1 200") == (1 if before else 0) and came.count(b"HTTP/1.1 400") == 1
    assert came.count(b"HTTP/1.1") == came.count(b" 400 ") + came.count(b" 200 ")


def test_either_length_alone_is_taken(tmp_path: Path) -> None:
    """The question in it is read, and is none."""
    with (
        serving(tmp_path / "gate.db") as client,
        served(client.app) as (host, port),
        httpx.Client(base_url=f"http://{host}:{port}") as http,
    ):
        for content in (b"{}", iter([b"{", b"}"])):
            assert http.post("/v1/check", content=content).status_code == 422


def test_an_answer_may_take_longer_than_a_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So may the next request of a connection that is kept."""
    monkeypatch.setattr(listening, "HEAD_SECONDS", 0.5)
    with (
        serving(tmp_path / "gate.db") as client,
        served(client.app) as (host, port),
        httpx.Client(base_url=f"http://{host}:{port}") as slow,
    ):
        for _ in range(2):
            assert slow.get("/v1/out", params={"wait": 1.5}).status_code == 200
            (kept,) = slow._transport._pool.connections  # type: ignore[attr-defined]
            time.sleep(1)
            assert kept.is_idle() and not kept.has_expired()


def _part(slow: socket.socket) -> bytes:
    try:
        return slow.recv(4096)
    except ConnectionError:
        return b""


@contextmanager
def served(app: ASGIApp) -> Iterator[tuple[str, int]]:
    """The application on a socket, in a thread of its own; its life is that of whoever made it."""
    server = uvicorn.Server(uvicorn.Config(app, http=listening.Prompt, lifespan="off", log_level="warning"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
