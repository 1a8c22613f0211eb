"""A store that does not answer keeps waiting only who asks it: nothing is asked of it on the thread that serves all."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine, event

from tests.desk.access.conftest import Firm
from tests.desk.desks import PASSWORD, Browser, Office, office

FIELDS = {
    "reason": "it is so",
    "hours": "1",
    "evidence": "ev-1-cl-1",
    "supports": "initiation",
    "request": "e2",
    "kind": "inbound_email",
    "exposure": "e1",
    "none": "yes",
    "once": "a" * 24,
    "session": "none",
    "id": "st-new",
    "name": "New",
    "password": "another four words",
    "old": PASSWORD,
    "new": "yet another four words",
    "role-viewer": "yes",
}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened:
        await opened.held_offer()
        yield opened


@contextmanager
def asked_while_serving(engine: Engine) -> Iterator[set[str]]:
    """What is asked of the store by the thread of the loop."""
    found: set[str] = set()

    def asked(_: Any, __: Any, statement: str, *___: Any) -> None:
        if asyncio._get_running_loop() is not None:
            found.add(statement)

    event.listen(engine, "before_cursor_execute", asked)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", asked)


async def csrf_of(browser: Browser) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', await browser.see("/me"))
    assert found
    return found[1]


async def test_every_route_asks_the_store_beside(desk: Office) -> None:
    """Every page and every form, for who may and who may not."""
    with asked_while_serving(desk.engine) as found:
        rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
        held = re.search(r'href="/decisions/([^"]+)"', await rita.see("/"))
        assert held
        page = f"/decisions/{held[1]}"
        assert (await rita.send(page, f"{page}/release", reason="it is fine", hours="1")).status_code == 303
        sign = re.search(r'action="(/acts/([^/]+)/sign)"', await anna.see("/acts"))
        assert sign
        assert (await anna.send("/acts", sign[1])).status_code == 303
        places = {"id": held[1], "client": "cl-1", "word": "enable"}
        for who in ("rita", "arno", "otto", "adam"):
            browser = await desk.signed_in(who)
            for route in desk.app.routes:
                if not isinstance(route, APIRoute) or route.path in ("/live", "/sign-out"):
                    continue
                path = re.sub(r"\{(\w+)(:path)?\}", lambda m: places[m[1]], route.path)
                for method in route.methods or ():
                    data = FIELDS | {"csrf": await csrf_of(browser)} if method == "POST" else None
                    answer = await browser.http.request(method, path, data=data)
                    assert answer.status_code < 500, (who, method, path)
                if route.path in ("/me/password", "/sign-in"):
                    password = FIELDS["new"] if route.path == "/me/password" else PASSWORD
                    await browser.http.post("/sign-in", data={"who": who, "password": password})
    assert found == set()


async def test_signing_in_with_a_provider_asks_the_store_beside(firm: Firm) -> None:
    with asked_while_serving(firm.engine) as found:
        assert (await firm.browser().signs_in()).status_code == 303
        answer = await firm.browser().http.get("/oidc/back?error=denied&state=x")
        assert answer.status_code == 400
    assert found == set()


async def test_the_same_form_sent_twice_at_once_is_one_act(desk: Office) -> None:
    """Each is told that it is done."""
    rita = await desk.signed_in("rita")
    held = re.search(r'href="/decisions/([^"]+)"', await rita.see("/"))
    assert held
    data = FIELDS | {"csrf": await csrf_of(rita)}

    async def refused() -> httpx.Response:
        return await rita.http.post(f"/decisions/{held[1]}/refuse", data=data)

    answers = await asyncio.gather(*(refused() for _ in range(6)))
    assert [answer.status_code for answer in answers] == [303] * 6
    assert len(desk.desk.acts.past().rows) == 1
