"""Requests that nobody thought of: the desk and the embedded gate answer each, never with an error of their own."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from starlette.testclient import TestClient

from streams.serve.app import Service
from streams.web.access import Access
from tests.desk.desks import PASSWORD, Office

REQUESTS = int(os.environ.get("GATE61_REQUESTS", "12"))
QUIET = settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck))
"""Requests for each route and role."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    opened = Office(tmp_path)
    asyncio.run(opened.held_offer())
    yield opened
    opened.close()


def ask(app: Any, asked: Callable[[Any], None]) -> int:
    """Ask every route with made-up requests; returns how many routes there are."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    app.router.lifespan_context = _runs_already
    many = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        QUIET(given(case=operation.as_strategy())(asked))()
        many += 1
    return many


@asynccontextmanager
async def _runs_already(_: object) -> AsyncIterator[None]:
    """Each request starts and stops the application otherwise."""
    yield


def headers_of(desk: Office, who: str) -> dict[str, str]:
    """What the browser of somebody signed in sends along."""
    http = TestClient(desk.app, base_url="http://127.0.0.1:8063")
    assert http.post("/sign-in", data={"who": who, "password": PASSWORD}, follow_redirects=False).status_code == 303
    found = re.search(r'name="csrf" value="([^"]+)"', http.get("/me").text)
    assert found
    return {"x-csrf-token": found[1], "cookie": f"gate61={http.cookies['gate61']}"}


def test_no_page_fails(desk: Office) -> None:
    def asked(case: Any) -> None:
        if case.path == "/live":
            return  # It never ends.
        for who in ("nobody", "anna", "adam"):
            signed = {} if who == "nobody" else headers_of(desk, who)
            answer = case.call(headers={"host": "127.0.0.1:8063", **signed})
            assert answer.status_code < 500, (who, case.method, case.path, answer.status_code, answer.text[:500])

    assert ask(desk.app, asked) > 35


def test_no_route_of_the_gate_fails(desk: Office) -> None:
    def asked(case: Any) -> None:
        if "wait" in (case.query or {}):
            case.query["wait"] = 0
        answer = case.call(headers={"host": "127.0.0.1:8061"})
        assert answer.status_code < 500, (case.method, case.path, answer.status_code, answer.text[:500])
        seen.add(answer.status_code)

    seen: set[int] = set()
    assert ask(Service(desk.intake, Access(None), desk.clock).app, asked) > 7
    assert {200, 422} <= seen
