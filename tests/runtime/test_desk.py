"""The desk on real topics: what a worker holds is released by two people, and what was published twice is seen once."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from streams.desk.access.people import People
from streams.desk.access.roles import Role
from streams.desk.app import desk_app
from streams.desk.running import desk_at, store_at
from streams.feed import gate_of
from streams.web.clock import now
from tests.desk.desks import PASSWORD, QUICK, Browser
from tests.runtime.gate import Setting
from tests.runtime.kafka import Kafka
from tests.runtime.redis import Redis

CHANNELS = ["email", "push", "ads", "search", "social", "influencers", "affiliates", "sponsorship", "calls", "group"]


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


def events() -> list[dict[str, object]]:
    """A client who asked thirty hours ago, on good proof, and is offered something now."""
    asked = datetime.now(UTC) - timedelta(hours=30)

    def event(n: int, name: str, minutes: float, **data: object) -> dict[str, object]:
        at = (asked + timedelta(minutes=minutes)).isoformat()
        about = {"id": f"e{n}", "source": "//platform/x", "subject": "cl-1", "time": at, "data": data}
        return {"specversion": "1.0", "type": f"gate61.{name}.v1", **about}

    search = {"supports": "no_solicitation", "kind": "channel_search", "channels_searched": CHANNELS}
    return [
        event(1, "client.located", -60, indicator="kyc_residence", country="DE"),
        event(2, "client.requested", 0, service="custody", transaction="tx", channel="call", kind="request"),
        event(
            3, "evidence.filed", 1, evidence="ev-1", request="e2", by="st-a", supports="initiation", kind="inbound_call"
        ),
        event(4, "evidence.approved", 2, evidence="ev-1", by="st-b"),
        event(5, "evidence.filed", 1, evidence="ev-2", request="e2", by="st-a", **search),
        event(6, "evidence.approved", 2, evidence="ev-2", by="st-b"),
        event(
            7,
            "offer.proposed",
            1799,
            offer="of-1",
            service="custody",
            channel="email",
            content="offer",
            transaction="tx",
        ),
    ]


async def until(browser: Browser, path: str, true: Callable[[str], bool]) -> str:
    """The page once it says so."""
    async with asyncio.timeout(30):
        while not true(text := await browser.see(path)):
            await asyncio.sleep(0.1)
    return text


async def test_two_people_release_what_a_worker_holds(setting: Setting, tmp_path: Path) -> None:
    worker = setting.worker()
    worker.start()
    setting.publish(events())
    setting.caught_up()
    gate, engine = gate_of(worker.settings, publishes=True), store_at(f"sqlite:///{tmp_path}/desk.db")
    desk = desk_at(gate.feed(), gate.sender(), engine, now)
    for id, role in (("rita", Role.REVIEWER), ("anna", Role.APPROVER)):
        People(engine, QUICK).add(id, id, frozenset((role,)), PASSWORD, now())
    app = desk_app(desk)
    following = asyncio.create_task(desk.follow())
    browsers = []
    for who in ("rita", "anna"):
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8063")
        assert (await http.post("/sign-in", data={"who": who, "password": PASSWORD})).status_code == 303
        browsers.append(Browser(http))
    rita, anna = browsers
    queue = await until(rita, "/", lambda text: "of-1" in text)
    assert "WINDOW_SOFT_LIMIT" in queue and "1 open" in queue
    page = re.search(r'href="(/decisions/[^"]+)"', queue)
    assert page
    asked = await rita.send(page[1], f"{page[1]}/release", reason="the client waits", hours="1")
    assert asked.status_code == 303
    act = re.search(r'action="(/acts/[^"]+/sign)"', await anna.see("/acts"))
    assert act
    assert (await anna.send("/acts", act[1])).status_code == 303
    await until(rita, page[1], lambda text: "may be sent" in text and "replaced" in text)
    assert "Nothing waits" in await rita.see("/")
    answers = setting.decisions()
    assert sorted(a["leading"] for a in answers.values()) == ["RELEASED", "WINDOW_SOFT_LIMIT"]
    health = await rita.see("/health")
    assert health.count("read to its end") == 8
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    await desk.close()
    assert worker.stop() == 0
