"""Who waits for something is woken where it came, and by nothing else: listeners cost others' events nothing."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from state.journal import Out, Taken
from streams.serve.app import Service
from streams.serve.intake import Intake
from streams.web.access import Access
from tests.player import POLICY
from tests.serving.service import HERE, STRUCTURED, Clock, Event
from tests.stories.telling import offer
from tests.until import until

NOW = "2026-03-02T12:00:00Z"
PROPOSED: Event = offer(at="2 h")


class Watched(Intake):
    """Counts how often each log is looked at."""

    def __init__(self, path: Path) -> None:
        super().__init__(POLICY, path, Clock(NOW))
        self.looks: Counter[str] = Counter()

    def out(self, after: int, limit: int, mark: str | None = None) -> tuple[Sequence[Out], int]:
        """As the gate's."""
        self.looks["out"] += 1
        return super().out(after, limit, mark)

    def taken(self, after: int, limit: int, mark: str | None = None) -> tuple[Sequence[Taken], int]:
        """As the gate's."""
        self.looks["taken"] += 1
        return super().taken(after, limit, mark)


def located(n: int) -> Event:
    return {
        **PROPOSED,
        "id": f"loc-{n}",
        "type": "gate61.client.located.v1",
        "data": {"indicator": "kyc_residence", "country": "DE"},
    }


async def all_looked(client: httpx.AsyncClient) -> None:
    """Whoever was woken has looked: one thread does what is asked of the gate, in the order in which it is asked."""
    for _ in range(2):
        assert (await client.get("/v1/rejected")).status_code == 200


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_listeners_look_only_where_something_came_out(tmp_path: Path, accept: str) -> None:
    """What is taken and says nothing wakes nobody who waits for what comes out; what comes out is heard at once."""
    intake = Watched(tmp_path / "gate.db")
    service = Service(intake, Access(None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url=HERE) as client:

        async def post(event: Event) -> None:
            answer = await client.post("/v1/events", json=event, headers=STRUCTURED)
            assert answer.status_code == 200, answer.text

        listening = client.get("/v1/out", params={"wait": 20}, headers={"accept": accept})
        listener = asyncio.create_task(listening)
        await until(lambda: intake.looks["out"])
        for n in range(5):
            await post(located(n))
        await all_looked(client)
        assert intake.looks["out"] == 1
        await post(PROPOSED)
        await until(lambda: intake.looks["out"] > 1)
        service.end()
        async with asyncio.timeout(5):
            assert "offer.decided" in (await listener).text
    intake.close()


async def test_what_is_rejected_wakes_nobody(tmp_path: Path) -> None:
    """Who waits for what is taken hears of that alone."""
    intake = Watched(tmp_path / "gate.db")
    service = Service(intake, Access(None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url=HERE) as client:
        listener = asyncio.create_task(client.get("/v1/taken", params={"wait": 20}))
        await until(lambda: intake.looks["taken"])
        for n in range(5):
            await client.post("/v1/events", content=b"{%d" % n, headers=STRUCTURED)
        await all_looked(client)
        assert intake.looks["taken"] == 1
        await client.post("/v1/events", json=located(1), headers=STRUCTURED)
        async with asyncio.timeout(5):
            assert [e["number"] for e in (await listener).json()["events"]] == [1]
    intake.close()
