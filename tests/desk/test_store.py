"""Words and numbers that a store may stumble over: the desk shows its pages all the same, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from gate.policy import HOUR
from streams.desk import tables as t
from streams.desk.fold import fold
from streams.feed import Told
from streams.stores import positions
from tests.desk.desks import Office, office
from tests.desk.rows import fill

STRANGE = ("\x00", "a\x00b", "\ufffd", "%", "\\", "'; drop table act; --", "\u202e", "9" * 40)
NO_PLACES = (
    "--1.1.d",
    "1.9999999999999999999.d",
    "1.-9999999999999999999.d",
    "99999999999.1.d",
    "1.1.\x00",
    "-.-.",
    "1.1.",
)


@pytest.fixture
async def desk(tmp_path: Path, address: str) -> AsyncIterator[Office]:
    async with office(tmp_path, address) as opened:
        yield opened


async def test_whatever_words_are_asked_for(desk: Office) -> None:
    await desk.held_offer()
    anna = await desk.signed_in("anna")
    for word in map(quote, STRANGE):
        for name in ("state", "reason", "country", "service", "assignee", "after"):
            await anna.see(f"/?{name}={word}")
        for path in ("/decisions/", "/cases/", "/clients/"):
            answer = await anna.http.get(f"{path}{word}")
            assert answer.status_code == 404, (path, word, answer.status_code)
    for place in map(quote, NO_PLACES):
        await anna.see(f"/?after={place}")
    otto = await desk.signed_in("otto")
    for word in map(quote, STRANGE):
        await otto.see(f"/reads?client={word}&who={word}")
    browser = desk.browser()
    for who in STRANGE:
        answer = await browser.post("/sign-in", data={"who": who, "password": who})
        assert answer.status_code in (401, 429), (who, answer.status_code)


async def test_a_rejected_event_with_any_bytes_does_not_stop_the_reading(desk: Office) -> None:
    """A NUL is no text for PostgreSQL: it stands as the sign for what cannot be shown."""
    spoiled = {"reason": "BAD_FIELD", "message": "a\x00b", "source": "//x", "id": "i\x00", "raw": "\x00\x01{"}
    fold(desk.engine, [Told("rejected", 1, "rejected", desk.clock(), spoiled, b"")])
    assert positions(desk.engine, t.position)["rejected"] == 2
    rita = await desk.signed_in("rita")
    page = await rita.see("/health")
    assert "a\ufffdb" in page and "i\ufffd" in page


async def test_pages_of_the_queue_hold_every_item_once(desk: Office) -> None:
    """From the first to the last by the links, whatever the store's own order of letters."""
    fill(desk.engine, 170, desk.clock() - HOUR)
    rita = await desk.signed_in("rita")
    seen: list[str] = []
    path: str | None = "/"
    while path:
        text = await rita.see(path)
        seen += [part.partition('"')[0] for part in text.split('data-item="')[1:]]
        _, found, rest = text.partition('rel="next" href="')
        path = rest.partition('"')[0].replace("&amp;", "&") if found else None
    assert len(seen) == len(set(seen)) == 170
    held = [int(id[2:]) % 5 == 0 for id in seen]
    assert held == sorted(held, reverse=True)
