"""The embedded gate read on from a place: what came in, what came out, what could not be taken."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from state.journal import Journal
from streams.border.wire import instant
from streams.feed import FeedTrouble, Told
from streams.feed.embedded import EmbeddedFeed
from streams.feed.opening import gate_of
from streams.feed.sending import EmbeddedSender
from streams.keys import Keys
from streams.serve.app import Service
from streams.serve.intake import Intake
from streams.settings import SettingsRefused
from streams.web.access import Access
from tests.player import POLICY
from tests.serving.service import HERE, Clock

NOW = "2026-03-02T12:00:00Z"
LOCATED = {"indicator": "kyc_residence", "country": "DE"}
OFFER = {"offer": "of-1", "service": "custody", "channel": "email", "content": "offer"}


def event(kind: str, id: str, data: dict[str, str], **more: str) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": id,
        "source": "//platform.example/x",
        "type": f"gate61.{kind}.v1",
        "subject": "cl-1",
        "time": NOW,
        "data": data,
        **more,
    }


def app(path: Path) -> httpx.ASGITransport:
    return httpx.ASGITransport(Service(Intake(POLICY, path, Clock(NOW)), Access(None)).app)


async def test_all_that_came_in_and_out_is_told_once_from_any_place(tmp_path: Path) -> None:
    door = app(tmp_path / "g.db")
    sender, feed = EmbeddedSender(HERE, transport=door), EmbeddedFeed(HERE, transport=door)
    assert (await sender.send(event("client.located", "1", LOCATED))).status == "taken"
    assert (await sender.send(event("offer.proposed", "2", OFFER))).status == "taken"
    refused = await sender.send(event("client.nothing", "3", {}))
    assert refused.status == "rejected" and "UNKNOWN_TYPE" in refused.said
    await feed.start({})
    told = await feed.next(0)
    assert [(t.log, t.offset, t.kind) for t in told] == [
        ("taken", 1, "action"),
        ("taken", 2, "action"),
        ("out", 1, "decision"),
        ("rejected", 1, "rejected"),
    ]
    assert told[2].event["data"]["verdict"] == "block" and json.loads(told[1].data) == told[1].event
    assert not await feed.next(0)
    await feed.start({"taken": 2, "out": 2, "rejected": 2})
    assert [t.event["id"] for t in await feed.next(0)] == ["2"]


async def test_what_is_not_read_yet_is_said_of_every_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door = app(tmp_path / "g.db")
    sender, feed = EmbeddedSender(HERE, transport=door), EmbeddedFeed(HERE, transport=door)
    await sender.send(event("client.located", "1", LOCATED))
    await sender.send(event("client.nothing", "2", {}))
    await feed.start({})
    (health,) = await feed.health()
    assert (health.behind, health.said) == (2, "answers, and 2 events are not read yet")
    await feed.next(0)
    (health,) = await feed.health()
    assert (health.behind, health.said) == (0, "answers, and is read to its end")
    monkeypatch.setattr("streams.feed.embedded.AT_ONCE", 3)
    for n in range(3, 8):
        await sender.send(event("client.located", str(n), LOCATED))
    (health,) = await feed.health()
    assert (health.behind, health.said) == (5, "answers, and 5 events are not read yet")


async def test_who_waits_or_counts_asks_for_no_page_that_is_thrown_away(tmp_path: Path) -> None:
    """A page may be 8 MB; how much there is its numbers say."""
    door, asked = app(tmp_path / "g.db"), list[httpx.QueryParams]()
    await EmbeddedSender(HERE, transport=door).send(event("client.located", "1", LOCATED))
    feed = EmbeddedFeed(HERE, transport=door)
    feed._http.event_hooks = {"request": [_noting(asked)]}
    await feed.health()
    assert [a["limit"] for a in asked] == ["1"] * 3
    await feed.next(0)
    asked.clear()
    await feed.next(0.01)
    assert [a["limit"] for a in asked if "wait" in a] == ["1"]


def _noting(asked: list[httpx.QueryParams]) -> Callable[[httpx.Request], Awaitable[None]]:
    async def note(request: httpx.Request) -> None:
        asked.append(request.url.params)

    return note


async def test_large_rejects_are_read_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is as large as it may be, not as long; that there is more is said though it is short."""
    monkeypatch.setattr("state.journal.PAGE_BYTES", 2_000)
    door = app(tmp_path / "g.db")
    sender, feed = EmbeddedSender(HERE, transport=door), EmbeddedFeed(HERE, transport=door)
    for n in range(5):
        await sender.send(event("client.nothing", str(n), {"note": "x" * 700}))
    await feed.start({})
    (health,) = await feed.health()
    assert health.said == "answers, and 5 events are not read yet"
    pages = [[t.offset for t in await feed.next(0)] for _ in range(4)]
    assert pages == [[1, 2], [3, 4], [5], []]


async def test_what_was_rejected_is_told_byte_for_byte(tmp_path: Path) -> None:
    """Also what is no UTF-8."""
    door = app(tmp_path / "g.db")
    async with httpx.AsyncClient(transport=door, base_url=HERE) as http:
        for data in (b'{"a": "\xff"}', b"{no"):
            await http.post("/v1/events", content=data, headers={"content-type": "application/x-ndjson"})
    feed = EmbeddedFeed(HERE, transport=door)
    await feed.start({})
    told = await feed.next(0)
    assert [(t.data, t.event["raw"]) for t in told] == [(b'{"a": "\xff"}', '{"a": "\\xff"}'), (b"{no", "{no")]


async def test_a_binary_event_is_told_as_one_object(tmp_path: Path) -> None:
    door = app(tmp_path / "g.db")
    headers = {"content-type": "application/json"} | {
        f"ce-{k}": str(v) for k, v in event("client.located", "1", {}).items() if k != "data"
    }
    async with httpx.AsyncClient(transport=door, base_url=HERE) as http:
        answer = await http.post("/v1/events", content=json.dumps(LOCATED).encode(), headers=headers)
        assert answer.status_code == 200, answer.text
    feed = EmbeddedFeed(HERE, transport=door)
    await feed.start({})
    (told,) = await feed.next(0)
    assert told.event["data"] == LOCATED and told.event["subject"] == "cl-1"


async def test_what_a_gate_of_before_took_stops_nobody(tmp_path: Path) -> None:
    """Half of a surrogate pair, or a number that long, which is not taken any more: it is told, also who begins anew there."""
    path = tmp_path / "g.db"
    journal = Journal(path)
    journal.take(json.dumps(event("client.located", "1", LOCATED, comment="\ud83d")).encode(), instant(NOW))
    long = json.dumps(event("client.located", "2", LOCATED, count="0")).replace('"0"', f"-{'9' * 4_300}")
    journal.take(long.encode(), instant(NOW))
    journal.commit()
    journal.close()
    door = app(path)
    feed, sender = EmbeddedFeed(HERE, transport=door), EmbeddedSender(HERE, transport=door)
    await feed.start({})
    first, second = await feed.next(0)
    assert first.event["comment"] == "\ufffd" and second.event["count"] == f"-{'9' * 4_300}"
    await sender.send(event("client.located", "3", LOCATED))
    again = EmbeddedFeed(HERE, transport=door)
    await again.start({"taken": 2}, {"taken": first.mark})
    for reading, told in ((feed, ["3"]), (again, ["2", "3"])):
        assert [t.event["id"] for t in await reading.next(0)] == told


async def test_who_waits_hears_at_once(tmp_path: Path) -> None:
    door = app(tmp_path / "g.db")
    feed, sender = EmbeddedFeed(HERE, transport=door), EmbeddedSender(HERE, transport=door)
    await feed.start({})

    async def hear() -> list[Told]:
        async with asyncio.timeout(5):
            return list(await feed.next(30))

    heard = asyncio.create_task(hear())
    await asyncio.sleep(0.2)
    await sender.send(event("client.located", "1", LOCATED))
    assert [t.kind for t in await heard] == ["action"]


async def test_a_gate_that_is_away_is_said_and_nothing_is_lost() -> None:
    feed = EmbeddedFeed("http://127.0.0.1:9")
    await feed.start({})
    with pytest.raises(FeedTrouble, match="does not answer"):
        await feed.next(0)
    assert [h.reachable for h in await feed.health()] == [False]
    receipt = await EmbeddedSender("http://127.0.0.1:9").send(event("client.located", "1", LOCATED))
    assert receipt.status == "unknown" and "send it again" in receipt.said


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"events": 7}'])
async def test_something_else_in_its_place_is_said(body: bytes) -> None:
    feed = EmbeddedFeed(HERE, transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    with pytest.raises(FeedTrouble, match="is not the gate"):
        await feed.next(0)
    assert [h.reachable for h in await feed.health()] == [False]


def gate_that_says(*events: object) -> httpx.MockTransport:
    """Under the numbers from 1 on, among what came out."""

    def answer(request: httpx.Request) -> httpx.Response:
        of = events if request.url.path == "/v1/out" else ()
        after = int(request.url.params["after"])
        body = [{"number": n, "event": each} for n, each in enumerate(of, 1) if n > after]
        return httpx.Response(200, json={"events": body, "rejected": [], "next_after": len(of), "last": len(of)})

    return httpx.MockTransport(answer)


async def test_what_a_newer_gate_says_besides_is_passed_over() -> None:
    """Desk and alerts go on: what they do not know they do not show, as over Kafka."""
    known = {**event("scope.closed", "2", {}), "source": "//gate61"}
    newer = event("offer.expired", "1", {})
    feed = EmbeddedFeed(HERE, transport=gate_that_says(newer, known, {**newer, "type": ["a list"]}, {}))
    await feed.start({})
    assert [(t.offset, t.kind) for t in await feed.next(0)] == [(2, "notice")]
    assert await feed.next(0) == []
    (health,) = await feed.health()
    assert health.said == "answers, and is read to its end"


@pytest.mark.parametrize("said", [7, {"type": "gate61.scope.closed.v1"}, {**event("scope.closed", "1", {}), "time": 7}])
async def test_what_is_no_event_is_trouble_that_names_its_place(said: object) -> None:
    """And nothing behind it is passed over."""
    feed = EmbeddedFeed(HERE, transport=gate_that_says(event("offer.expired", "1", {}), said))
    await feed.start({})
    for _ in range(2):
        with pytest.raises(FeedTrouble, match=r"number 2 of /v1/out at http.* cannot be read"):
            await feed.next(0)
    assert [h.reachable for h in await feed.health()] == [True]


def test_which_gate_is_said_or_asked_for() -> None:
    assert gate_of({"GATE61_URL": "http://127.0.0.1:8061/"}).url == "http://127.0.0.1:8061"
    for environment, complaint in (
        ({}, "neither GATE61_URL nor GATE61_KAFKA"),
        ({"GATE61_URL": "ftp://x"}, "is no address"),
        ({"GATE61_URL": "http://x", "GATE61_KAFKA": "k:1"}, "name two gates"),
        ({"GATE61_KAFKA": "k"}, "a broker is HOST:PORT"),
    ):
        with pytest.raises(SettingsRefused, match=complaint):
            gate_of(environment)


@pytest.mark.parametrize("held", ["", "\n", "two words", "a\nb", "schlüssel", "the gate's own"])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, held: str) -> None:
    """Before the gate is asked: what is sent would not even be a header."""
    keys = Keys(tmp_path / "keys")
    key = keys.add("somebody", ("ask",))
    path = keys.path if held == "the gate's own" else tmp_path / "key"
    if path != keys.path:
        path.write_text(held)
    with pytest.raises(SettingsRefused, match="gate61 keys add") as refused:
        gate_of({"GATE61_URL": HERE, "GATE61_KEY_FILE": str(path)})
    assert str(path) in str(refused.value)
    (tmp_path / "good").write_text(f"{key}\n")
    assert gate_of({"GATE61_URL": HERE, "GATE61_KEY_FILE": str(tmp_path / "good")}).key == key


async def test_who_is_not_let_in_is_told_where_the_key_goes(tmp_path: Path) -> None:
    """To read and to publish."""
    keys = Keys(tmp_path / "keys")
    keys.add("somebody", ("ask", "publish"))
    there = httpx.ASGITransport(Service(Intake(POLICY, tmp_path / "g.db", Clock(NOW)), Access(keys)).app)
    with pytest.raises(FeedTrouble, match=r"answers 401: .*GATE61_KEY_FILE"):
        await EmbeddedFeed("http://gate", None, there).next(0)
    receipt = await EmbeddedSender("http://gate", None, there).send(event("client.located", "l-1", LOCATED))
    assert receipt.status == "unknown" and "GATE61_KEY_FILE" in receipt.said


async def told_so_far(path: Path, *ids: str, clock: str = NOW) -> httpx.ASGITransport:
    """A gate on that store, which has been told where so many clients are and what they are offered."""
    door = httpx.ASGITransport(Service(Intake(POLICY, path, Clock(clock)), Access(None)).app)
    sender = EmbeddedSender(HERE, transport=door)
    for id in ids:
        await sender.send(event("client.located", id, LOCATED))
        await sender.send(event("offer.proposed", f"o-{id}", OFFER))
        await sender.send(event("client.nothing", f"n-{id}", {}))
    return door


@pytest.mark.parametrize("further", [("3",), ("3", "4", "5")], ids=["shorter", "longer"])
@pytest.mark.parametrize("known", ["", "1"], ids=["another", "older copy"])
async def test_another_store_or_an_older_copy_is_trouble_however_far_it_has_come(
    tmp_path: Path, known: str, further: tuple[str, ...]
) -> None:
    """Going on there would pass over what it says now; read on where the right one is back, nothing is missing."""
    right = await told_so_far(tmp_path / "right.db", "1", "2")
    feed = EmbeddedFeed(HERE, transport=right)
    await feed.start({})
    read = await feed.next(0)
    other = await told_so_far(tmp_path / "other.db", *([known] if known else []), *further[not known :])
    places, marks = {t.log: t.offset + 1 for t in read}, {t.log: t.mark for t in read}
    feed = EmbeddedFeed(HERE, transport=other)
    await feed.start(places, marks)
    with pytest.raises(FeedTrouble, match="another store than was read so far, or an older copy of it"):
        await feed.next(0)
    (health,) = await feed.health()
    assert not health.reachable and "older copy" in health.said and "GATE61_STATE" in health.said
    feed = EmbeddedFeed(HERE, transport=right)
    await feed.start(places, marks)
    await EmbeddedSender(HERE, transport=right).send(event("client.located", "9", LOCATED))
    assert [t.event["id"] for t in await feed.next(0)] == ["9"]


async def test_a_place_without_a_mark_takes_the_log_it_finds(tmp_path: Path) -> None:
    """As it was kept before there were marks; that a log has not come so far is noticed all the same, while it is read too."""
    door = await told_so_far(tmp_path / "g.db", "1", "2")
    feed = EmbeddedFeed(HERE, transport=door)
    await feed.start({"taken": 2, "out": 2, "rejected": 2})
    assert [t.event["id"] for t in await feed.next(0) if t.log == "taken"] == ["o-1", "2", "o-2"]
    feed._http = httpx.AsyncClient(base_url=HERE, transport=await told_so_far(tmp_path / "other.db", "1"))
    with pytest.raises(FeedTrouble, match="another store"):
        await feed.next(0)


async def test_a_gate_of_before_that_says_nothing_of_it_is_not_taken_as_read_to_its_end() -> None:
    """It answers with an empty page and its last number."""
    page = {"events": [], "rejected": [], "next_after": 7, "last": 2}
    feed = EmbeddedFeed(HERE, transport=httpx.MockTransport(lambda _: httpx.Response(200, json=page)))
    await feed.start({"taken": 8, "out": 8, "rejected": 8})
    with pytest.raises(FeedTrouble, match="another store"):
        await feed.next(0)
