"""A desk whose people sign in with a provider, and browsers before it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import Engine, text

from streams.desk.access.door import Door
from streams.desk.access.oidc import Oidc
from streams.desk.access.oidc_settings import OidcSettings
from streams.desk.access.people import People
from streams.desk.access.sessions import Sessions
from streams.desk.app import desk_app
from streams.desk.desk import Desk
from streams.desk.running import store_at
from streams.feed.sending import Receipt
from tests.desk.access.idp import CLIENT, SECRET, Idp, providing
from tests.desk.desks import QUICK
from tests.feeds import ListFeed
from tests.serving.service import Clock

DESK = "https://desk.firm.example"


class NoGate:
    """To a gate that nobody tells anything."""

    async def send(self, event: Mapping[str, Any]) -> Receipt:
        """See `Sender`."""
        raise AssertionError(event)

    async def close(self) -> None:
        """See `Sender`."""


class Firm:
    """The desk, its provider and its store."""

    def __init__(self, idp: Idp, clock: Clock, path: Path, url: str = DESK) -> None:
        self.idp, self.clock = idp, clock
        secure = url.startswith("https:")
        self.engine: Engine = store_at(f"sqlite:///{path}")
        people, door = People(self.engine, QUICK), Door(Sessions(self.engine), clock, secure)
        self.desk = Desk(self.engine, ListFeed(), NoGate(), people, door, clock)
        self.settings = OidcSettings(idp.issuer, CLIENT, SECRET, url, name="the provider")
        self.oidc = Oidc(self.settings, self.engine, clock)
        self.app = desk_app(self.desk, "desk.firm.example" if secure else None, self.oidc)
        self.browsers: list[httpx.AsyncClient] = []

    def browser(self) -> "Browser":
        """Another one."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url=DESK)
        self.browsers.append(http)
        return Browser(http)

    def stored(self) -> str:
        """Everything that stands in the store."""
        with self.engine.connect() as connection:
            names = connection.execute(text("select name from sqlite_master where type = 'table'")).scalars().all()
            return "\n".join(repr(connection.execute(text(f"select * from '{name}'")).all()) for name in names)


class Browser:
    """Keeps the desk's cookies, and goes to the provider by itself."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def leaves(self, how: str = "") -> str:
        """To the provider; returns where that sends it back to, path and query."""
        away = await self.http.get(f"/oidc/sign-in{how}")
        assert away.status_code == 303, away.text
        async with httpx.AsyncClient() as outside:
            back = (await outside.get(away.headers["location"])).headers["location"]
        parts = urlsplit(back)
        assert f"{parts.scheme}://{parts.netloc}" == DESK
        return f"{parts.path}?{parts.query}"

    async def signs_in(self, how: str = "") -> httpx.Response:
        """All of it."""
        return await self.http.get(await self.leaves(how))

    async def is_in(self) -> bool:
        """Whether the desk knows who it is."""
        return (await self.http.get("/me")).status_code == 200


@pytest.fixture
def clock() -> Clock:
    """A morning."""
    return Clock("2026-03-02T09:00:00Z")


@pytest.fixture
def idp(clock: Clock) -> Iterator[Idp]:
    """An honest provider."""
    with providing(clock) as provider:
        yield provider


@pytest.fixture
async def firm(idp: Idp, clock: Clock, tmp_path: Path) -> AsyncIterator[Firm]:
    """A desk at that provider."""
    firm = Firm(idp, clock, tmp_path / "desk.db")
    yield firm
    for http in firm.browsers:
        await http.aclose()
    firm.engine.dispose()
