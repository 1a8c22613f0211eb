"""A request that takes long is judged in portions: others have their turn, and what comes out is the same."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from state import Journal
from streams.serve.app import Service
from streams.serve.bodies import Arrival
from streams.serve.intake import Intake
from streams.web.access import Access
from tests.player import POLICY
from tests.promises.histories import history
from tests.serving.service import BATCH, HERE, LINES, STRUCTURED, Clock, Event, everything, post, serving
from tests.serving.test_closing import MANY, NOW, arrival
from tests.serving.test_events import OFFER, TOLD

SECONDS = "streams.serve.intake.JUDGED_SECONDS"
TWO = "2026-06-01T12:00:00Z"


def answered(path: Path, told: list[Event]) -> list[Any]:
    """What a request with these is answered, and what can be read afterwards."""
    with serving(path, Clock(TWO)) as client:
        results = client.post("/v1/events", content=json.dumps(told), headers=BATCH).json()
        pages = [client.get(f"/v1/{log}", params={"limit": 1_000}).json() for log in ("taken", "rejected")]
        return [results, everything(client), *pages]


@pytest.mark.parametrize("seed", range(6))
def test_what_comes_out_does_not_depend_on_where_portions_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """All in one, or each event by itself: the same answer, with all results, and the same logs."""
    told = history(seed)
    found = []
    for seconds in (float("inf"), 0.0):
        monkeypatch.setattr(SECONDS, seconds)
        found.append(answered(tmp_path / f"{seconds}.db", told))
    assert found[0] == found[1] and len(found[0][0]["results"]) == len(told)


@pytest.mark.parametrize("seconds", [float("inf"), 0.0])
def test_a_request_closes_the_same_scopes_in_any_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """So many with all of its portions together: the next request, and the timer, go on."""
    monkeypatch.setattr("streams.serve.intake.CLOSED_AT_ONCE", 3)
    monkeypatch.setattr(SECONDS, seconds)
    clock = Clock(NOW)
    intake = Intake(POLICY, tmp_path / "gate.db", clock)
    service = Service(intake, Access(None), clock)
    asyncio.run(service._judged([arrival(n) for n in range(MANY)]))
    clock.set("2026-03-20T12:00:00Z")
    asked = [Arrival(json.dumps({**TOLD[0], "id": f"l-{n}"}).encode()) for n in range(4)]
    closed = [len(result.out) for result in asyncio.run(service._judged(asked))]
    intake.close()
    assert closed == [3, 0, 0, 0]


def test_questions_and_others_have_their_turn_between_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many long requests there are, a question waits for one portion and not for a request."""
    monkeypatch.setattr(SECONDS, 0.05)
    judge = Intake._one

    def slowly(intake: Intake, arrival: Arrival) -> Any:
        time.sleep(0.02)
        return judge(intake, arrival)

    monkeypatch.setattr(Intake, "_one", slowly)
    intake = Intake(POLICY, tmp_path / "gate.db", Clock(NOW))
    waited = asyncio.run(_asked_meanwhile(Service(intake, Access(None), Clock(NOW))))
    intake.close()
    assert max(waited) < 0.6, waited


async def _asked_meanwhile(service: Service) -> list[float]:
    """Seconds until probes, and a short request, were answered while twenty long requests are judged."""
    waited = []
    door = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=door, base_url=HERE, timeout=60) as client:
        bodies = [[{**TOLD[0], "id": f"l-{n}-{m}"} for m in range(8)] for n in range(20)]
        posts = [
            asyncio.create_task(client.post("/v1/events", content=json.dumps(body), headers=BATCH)) for body in bodies
        ]
        await asyncio.sleep(0.1)
        for _ in range(5):
            begun = time.monotonic()
            assert (await client.get("/readyz")).status_code == 200
            waited.append(time.monotonic() - begun)
        short = await client.post("/v1/events", content=json.dumps(OFFER), headers=STRUCTURED)
        assert short.status_code == 200 and not all(post.done() for post in posts), "it waited for all of them"
        for answer in await asyncio.gather(*posts):
            assert answer.status_code == 200 and len(answer.json()["results"]) == 8
    return waited


def test_where_a_later_portion_fails_it_is_said_what_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that all can be sent again: what was taken counts once, and comes with the answer that stands."""
    monkeypatch.setattr(SECONDS, 0.0)
    commit, left = Journal.commit, [3]

    def full(journal: Journal) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise sqlite3.OperationalError("database or disk is full")
        commit(journal)

    told: list[Event | str] = ["{no", *TOLD, OFFER]
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        with monkeypatch.context() as failing:
            failing.setattr(Journal, "commit", full)
            refused = _sent(client, told)
        assert refused.status_code == 503
        said = refused.json()["detail"]
        assert f"of {len(told)} events 2 were taken and 1 rejected" in said and "send all of them again" in said
        assert "nothing was taken" not in said
        assert len(client.get("/v1/taken").json()["events"]) == 2
        assert 'gate61_events_total{what="taken"} 2.0' in client.get("/metrics").text
        again = [result["status"] for result in _sent(client, told).json()["results"]]
        assert again == ["rejected", "duplicate", "duplicate", *["taken"] * (len(told) - 3)]
        said_again = everything(client)
    with serving(tmp_path / "whole.db", Clock(NOW)) as client:
        post(client, *TOLD, OFFER)
        assert everything(client) == said_again


def _sent(client: httpx.Client, told: Sequence[Event | str]) -> httpx.Response:
    lines = [line if isinstance(line, str) else json.dumps(line) for line in told]
    return client.post("/v1/events", content="\n".join(lines), headers=LINES)
