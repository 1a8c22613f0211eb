"""A receiver of webhooks in a thread of its own, real HTTP on loopback, that misbehaves as it is told."""

import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Seen:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Which message it is."""
        return self.headers.get("webhook-id", "")

    @property
    def json(self) -> dict[str, Any]:
        """Its body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """What it does to the next requests, in turn; after the last one it takes everything (200)."""

    faults: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    """Everything that came, also what was then refused."""
    taken: list[Seen] = field(default_factory=list)
    """What was answered with 2xx."""
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    end: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def ids(self) -> Counter[str]:
        """How often each message was taken."""
        with self.lock:
            return Counter(s.id for s in self.taken)

    def said(self) -> list[dict[str, Any]]:
        """Each message that was taken, once, in the order in which they came."""
        with self.lock:
            return list({s.id: s.json for s in self.taken}.values())

    def wait(self, messages: int, seconds: float = 20.0) -> None:
        """Until so many different messages were taken."""
        end = time.monotonic() + seconds
        while len(self.ids()) < messages:
            assert time.monotonic() < end, f"{len(self.ids())} of {messages} messages came"
            time.sleep(0.02)


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Whoever followed a redirect would come here."""
        with self.server.here.lock:
            self.server.here.seen.append(Seen(self.path, {}, b""))
        self._answer(200)

    def do_POST(self) -> None:
        here: Receiver = self.server.here
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            return  # The sender was killed in the middle: nothing came.
        seen = Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        with here.lock:
            here.seen.append(seen)
            fault = here.faults.pop(0) if here.faults else "200"
            if fault.startswith("2") or fault in ("garbage", "flood", "drip", "late"):
                here.taken.append(seen)
        with suppress(OSError):
            self._do(fault)

    def _do(self, fault: str) -> None:
        word, _, more = fault.partition(" ")
        if fault == "hang":
            self.server.here.end.wait(30)
        elif fault == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "late":
            self.server.here.end.wait(0.4)
            self._answer(200)
        elif fault == "garbage":
            self._answer(200, b"\x00\xff{not json" * 10)
        elif word in ("flood", "bigflood"):
            self._flood(200 if word == "flood" else 500)
        elif fault == "headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.here.end.is_set():
                self.wfile.write(b"X-More: " + b"a" * 4_000 + b"\r\n")
        elif fault == "nonsense":
            self.wfile.write(b"220 mail.example ESMTP\r\n")
        elif fault == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            self._drip()
        elif fault == "slow 500":
            self.wfile.write(b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n")
            self._drip()
        elif word.startswith("3"):
            self._answer(int(word), Location=more)
        else:
            self._answer(int(word), b"it was said: no", **({"Retry-After": more} if more else {}))

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        while not self.server.here.end.wait(0.1):
            self.wfile.write(b"x")

    def _flood(self, status: int) -> None:
        self.wfile.write(b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while not self.server.here.end.is_set():
            self.wfile.write(chunk)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Who hangs up is no error of ours."""


@contextmanager
def receiving(*faults: str, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on a free port."""
    here = Receiver(list(faults))
    server = _Server(("127.0.0.1", 0), _Handler)
    server.here = here  # type: ignore[attr-defined]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    here.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        here.end.set()
        server.shutdown()
        server.server_close()
