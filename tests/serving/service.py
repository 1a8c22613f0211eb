"""The embedded gate as its callers see it: in this process, or as the program in a process of its own."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient

from gate.facts import Instant
from gate.policy import Policy
from streams.border.wire import instant
from streams.keys import Keys
from streams.serve.app import Service
from streams.serve.intake import Intake
from streams.web.access import Access
from streams.web.clock import now
from tests.commands.program import ENVIRONMENT, PROGRAM
from tests.player import POLICY

Event = dict[str, Any]
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
LINES = {"content-type": "application/x-ndjson"}
HERE = "http://127.0.0.1:8061"


class Clock:
    """A clock that tests set."""

    def __init__(self, at: str) -> None:
        self.now: Instant = instant(at)

    def __call__(self) -> Instant:
        return self.now

    def set(self, at: str) -> None:
        """It is that time now."""
        self.now = instant(at)


@contextmanager
def serving(
    path: Path,
    clock: Clock | None = None,
    trust: bool = False,
    keys: Keys | None = None,
    policy: Policy = POLICY,
    **more: Any,
) -> Iterator[TestClient]:
    """A service over one store, in this process."""
    read = clock or now
    service = Service(Intake(policy, path, read, trust), Access(keys), read, **more)
    with TestClient(service.app, base_url=HERE, raise_server_exceptions=False) as client:
        yield client


def post(client: httpx.Client, *events: Event | str) -> list[Event]:
    """What became of each event."""
    lines = [e if isinstance(e, str) else json.dumps(e) for e in events]
    response = client.post("/v1/events", content="\n".join(lines).encode(), headers=LINES)
    assert response.status_code in (200, 207, 422), response.text
    results: list[Event] = response.json()["results"]
    return results


def everything(client: httpx.Client) -> list[Event]:
    """All that ever came out, page by page."""
    found: list[Event] = []
    after = 0
    while page := client.get("/v1/out", params={"after": after, "limit": 100}).json()["events"]:
        found += [e["event"] for e in page]
        assert [e["number"] for e in page] == sorted({e["number"] for e in page}) and page[0]["number"] > after
        after = page[-1]["number"]
    return found


@contextmanager
def process(
    *arguments: str | Path, command: str = "serve", **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The program serving on a free port, and where; it is killed in the end."""
    words = [PROGRAM, command, "--port", "0", *(["--embedded"] if command == "serve" else []), *arguments]
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=ENVIRONMENT | environment) as running:
        try:
            assert running.stderr is not None
            said = running.stderr.readline().decode()
            found = re.search(r"http://\S+", said)
            assert found, said + os.read(running.stderr.fileno(), 1 << 16).decode()
            yield running, found[0]
        finally:
            running.kill()
