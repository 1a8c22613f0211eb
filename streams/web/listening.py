"""How a service listens: one process, on the loopback unless keys are demanded, with limits against who dawdles."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from errno import EACCES, EADDRINUSE
from pathlib import Path
from types import FrameType
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from streams.keys import Keys, KeysRefused
from streams.web.access import is_loopback
from streams.web.logs import coloured

CONNECTIONS = 1_000
IDLE_SECONDS = 15
HEAD_SECONDS = 10
"""How long a connection may take to send the whole head of a request."""
HEAD_LIMIT = 32 * 1024
"""Bytes of the head of a request."""
STOP_SECONDS = 10
_LENGTHS = {b"content-length", b"transfer-encoding"}


class ListeningRefused(Exception):
    """The service does not start, with what to do."""


def keys_for(host: str, path: Path | None) -> Keys | None:
    """The keys to demand; ListeningRefused where there should be some and are none."""
    if path is None:
        if is_loopback(host):
            return None
        advice = "make one with `gate61 keys add` and name its file in GATE61_KEYS, or listen on 127.0.0.1"
        raise ListeningRefused(f"`{host}` can be reached from elsewhere and no keys are configured; {advice}")
    keys = Keys(path)
    try:
        if not keys.all():
            raise ListeningRefused(f"`{path}` holds no key; make one with `gate61 keys add`")
    except KeysRefused as refused:
        raise ListeningRefused(str(refused)) from None
    return keys


def place(host: str, port: int) -> str:
    """Both as they stand in an address."""
    bare = host.strip("[]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def listen(
    app: FastAPI,
    host: str,
    port: int,
    name: str,
    connections: int = CONNECTIONS,
    proxied: bool = False,
    stopping: Callable[[], None] = lambda: None,
    also: str = "",
) -> None:
    """Serve until told to stop; says where on standard error, and what `also` is to be known then. Addresses of requests, which name clients, are not logged.

    `proxied`: whoever asks from this machine says for whom (`X-Forwarded-For`). `stopping` is called when it is told to
    stop, to end answers that would never end by themselves.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family, backlog=connections)
    except OSError as error:
        raise ListeningRefused(f"cannot listen on {place(host, port)}: {_why(error)}") from None
    config = uvicorn.Config(
        app,
        http=Prompt,
        log_level="warning",
        use_colors=coloured(),
        access_log=False,
        server_header=False,
        proxy_headers=proxied,
        forwarded_allow_ips="127.0.0.1,::1",
        limit_concurrency=connections,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=HEAD_LIMIT,
        ws="none",
    )
    print(f"gate61: {name} on http://{place(host, listener.getsockname()[1])}", file=sys.stderr, flush=True)
    if also:
        print(also, file=sys.stderr, flush=True)
    _Server(config, stopping).run(sockets=[listener])


def _why(error: OSError) -> str:
    """Why nobody can listen there, and what to do."""
    why = (error.strerror or type(error).__name__).partition(" (while")[0].lower()
    of_port = error.errno in (EADDRINUSE, EACCES)
    return f"{why}; {'give another --port, or 0 for a free one' if of_port else 'give another --host'}"


class _Framed(h11.Connection):
    """Takes no request whose length is said in two ways: what stands before the service may believe the other one.

    Source: RFC 9112, 6.1 and 6.3. It may refuse such a request, and must not go on with the connection.
    """

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As h11 has it; an error of the sender is answered with 400, and the connection closed."""
        event = super().next_event()
        if isinstance(event, h11.Request) and {name for name, _ in event.headers} >= _LENGTHS:
            raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding")
        return event


class Prompt(H11Protocol):
    """Closes a connection that nothing is answered on and that is sent no whole head, however it dawdles.

    Uvicorn itself closes only those on which nothing at all comes after an answer, and takes any length that h11 takes.
    """

    _late: asyncio.TimerHandle | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.conn = _Framed(h11.SERVER, self.config.h11_max_incomplete_event_size or HEAD_LIMIT)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn has it, and the time runs."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """As uvicorn has it; a head that is whole has come in time."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn has it."""
        super().connection_lost(exc)
        self._in_time()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._in_time()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Server(uvicorn.Server):
    """Told to stop, it stops, and whoever started it goes on and tidies up: the signal is not raised once more."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
