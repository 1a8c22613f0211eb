"""A desk over an embedded gate, both in this process, and people who use it."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher

from gate.facts import Instant
from gate.policy import SECOND
from streams.border.wire import instant
from streams.desk import tables as t
from streams.desk.access.door import Door
from streams.desk.access.people import People
from streams.desk.access.roles import Role
from streams.desk.access.sessions import Sessions
from streams.desk.app import desk_app
from streams.desk.desk import Desk
from streams.desk.running import store_at
from streams.feed.embedded import EmbeddedFeed
from streams.feed.sending import EmbeddedSender
from streams.serve.app import Service
from streams.serve.intake import Intake
from streams.stores import positions
from streams.web.access import Access
from tests.player import POLICY
from tests.serving.service import HERE

PASSWORD = "four words for a desk"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NOW = "2026-03-03T12:00:00Z"
STAFF = {
    "vera": "viewer",
    "rita": "reviewer",
    "rolf": "reviewer",
    "anna": "approver",
    "arno": "approver",
    "otto": "auditor",
    "adam": "admin",
}


class Clock:
    """A clock that tests move; a second goes by with every look, as on a busy day."""

    def __init__(self, at: str = NOW) -> None:
        self.now: Instant = instant(at)

    def __call__(self) -> Instant:
        self.now += SECOND // 1000
        return self.now

    def pass_(self, **time: float) -> None:
        """So many hours, minutes, seconds go by."""
        factors = {"hours": 3600, "minutes": 60, "seconds": 1}
        self.now += int(sum(factors[name] * many for name, many in time.items()) * SECOND)


class Office:
    """The gate, its desk, and who works there."""

    def __init__(self, folder: Path, store: str | None = None) -> None:
        self.clock = Clock()
        self.intake = Intake(POLICY, folder / "gate.db", self.clock, True)
        self.door = httpx.ASGITransport(Service(self.intake, Access(None), self.clock).app)
        self.engine = store_at(store or f"sqlite:///{folder}/desk.db")
        self.feed, self.sender = EmbeddedFeed(HERE, transport=self.door), EmbeddedSender(HERE, transport=self.door)
        people = People(self.engine, QUICK)
        door = Door(Sessions(self.engine), self.clock, False)
        self.desk = Desk(self.engine, self.feed, self.sender, people, door, self.clock)
        for id, role in STAFF.items():
            people.add(id, id.title(), frozenset((Role(role),)), PASSWORD, self.clock())
        self.clock.pass_(seconds=1)
        self.app = desk_app(self.desk)
        self._count = 0

    async def happens(
        self, kind: str, data: Mapping[str, Any], *, at: str = NOW, client: str = "cl-1", id: str = ""
    ) -> str:
        """Something happens, and the desk hears of it; returns the event's id."""
        self._count += 1
        event = {
            "specversion": "1.0",
            "id": id or f"e{self._count}",
            "source": "//platform.example/x",
            "type": f"gate61.{kind}.v1",
            "subject": client,
            "time": at,
            "data": data,
        }
        receipt = await self.sender.send(event)
        assert receipt.status == "taken", receipt
        return str(event["id"])

    async def hears(self) -> None:
        """The desk reads all that there is."""
        await self.desk.begin()
        for _ in range(50):
            before = positions(self.engine, t.position)
            await self.desk.round(0)
            if positions(self.engine, t.position) == before:
                return

    async def held_offer(
        self, client: str = "cl-1", offer: str = "of-1", asked: str = "2026-03-02T00:00:00Z", **of: str
    ) -> None:
        """A client of Germany asked a day and a half ago, on good proof; what he is offered now is held.

        `asked` is another midnight; `of` is what request and offer say besides, such as an asset.
        """
        await self.happens(
            "client.located", {"indicator": "kyc_residence", "country": "DE"}, at="2026-03-01T00:00:00Z", client=client
        )
        request = {"service": "custody", "transaction": "tx", "channel": "call", "kind": "request", **of}
        id = await self.happens("client.requested", request, at=asked, client=client)
        channels = [
            "email",
            "push",
            "ads",
            "search",
            "social",
            "influencers",
            "affiliates",
            "sponsorship",
            "calls",
            "group",
        ]
        for evidence, more in (
            ("ev-1", {"supports": "initiation", "kind": "inbound_call"}),
            ("ev-2", {"supports": "no_solicitation", "kind": "channel_search", "channels_searched": channels}),
        ):
            name = f"{evidence}-{client}"
            filed = {"evidence": name, "request": id, "by": "st-intake", **more}
            await self.happens("evidence.filed", filed, at=asked.replace("T00:00", "T00:01"), client=client)
            await self.happens(
                "evidence.approved",
                {"evidence": name, "by": "st-lead"},
                at=asked.replace("T00:00", "T00:02"),
                client=client,
            )
        proposal = {
            "offer": offer,
            "service": "custody",
            "channel": "email",
            "content": "offer",
            "transaction": "tx",
            **of,
        }
        await self.happens("offer.proposed", proposal, client=client)
        await self.hears()

    async def decisions(self) -> list[dict[str, Any]]:
        """Every answer of the gate, in order."""
        outs, _ = self.intake.run(lambda: self.intake.out(0, 10_000)).result()
        events = [json.loads(o.data) for o in outs]
        return [e["data"] for e in events if e["type"] == "gate61.offer.decided.v1"]

    def browser(self) -> httpx.AsyncClient:
        """Somebody's browser, nobody signed in."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1:8063")

    async def signed_in(self, who: str) -> "Browser":
        """A browser of somebody who is signed in."""
        browser = Browser(self.browser())
        answer = await browser.http.post("/sign-in", data={"who": who, "password": PASSWORD, "next": "/"})
        assert answer.status_code == 303, answer.text
        return browser

    def close(self) -> None:
        """Everything."""
        self.intake.close()
        self.engine.dispose()


class Browser:
    """Fills in forms as they stand on the pages."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def see(self, path: str, status: int = 200) -> str:
        """A page."""
        answer = await self.http.get(path)
        assert answer.status_code == status, (answer.status_code, answer.text[:2000])
        return answer.text

    async def send(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Fill in the form of a page that goes to that address, with what is hidden in it, and send it."""
        text = await self.see(page)
        form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', text, re.S)
        assert form, f"no form to {action} on {page}"
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[1]))
        return await self.http.post(action, data=hidden | fields)


@asynccontextmanager
async def office(folder: Path, store: str | None = None) -> AsyncIterator[Office]:
    """An office for one story."""
    opened = Office(folder, store)
    try:
        yield opened
    finally:
        opened.close()
