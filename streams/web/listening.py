"""How a service listens: one process, on the loopback unless keys are demanded, with limits against who dawdles."""

import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from streams.keys import Keys, KeysRefused
from streams.web.access import is_loopback
from streams.web.logs import coloured

CONNECTIONS = 1_000
IDLE_SECONDS = 15
STOP_SECONDS = 10


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


def listen(
    app: FastAPI,
    host: str,
    port: int,
    name: str,
    connections: int = CONNECTIONS,
    proxied: bool = False,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve until told to stop; says where on standard error. Addresses of requests, which name clients, are not logged.

    `proxied`: whoever asks from this machine says for whom (`X-Forwarded-For`). `stopping` is called when it is told to
    stop, to end answers that would never end by themselves.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family, backlog=connections)
    except OSError as error:
        raise ListeningRefused(f"cannot listen on {host}:{port}: {error.strerror}") from None
    config = uvicorn.Config(
        app,
        log_level="warning",
        use_colors=coloured(),
        access_log=False,
        server_header=False,
        proxy_headers=proxied,
        forwarded_allow_ips="127.0.0.1,::1",
        limit_concurrency=connections,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=32 * 1024,
        ws="none",
    )
    where = f"{host}:{listener.getsockname()[1]}"
    print(f"gate61: {name} on http://{where}", file=sys.stderr, flush=True)
    _Server(config, stopping).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Told to stop, it stops, and whoever started it goes on and tidies up: the signal is not raised once more."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
