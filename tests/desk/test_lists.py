"""Lists leave nothing out: each has pages, and says how many there are."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from streams.desk import tables as t
from streams.desk.access.sessions import read
from streams.desk.queue import COUNTED
from tests.desk.desks import Browser, Office, office
from tests.desk.rows import fill


@pytest.fixture
async def desk(tmp_path: Path, address: str) -> AsyncIterator[Office]:
    async with office(tmp_path, address) as opened:
        yield opened


async def all_pages(browser: Browser, path: str) -> list[str]:
    """The page and all that follow it."""
    pages = []
    while path:
        pages.append(await browser.see(path))
        following = re.search(r'rel="next" href="([^"]+)"', pages[-1])
        path = unescape(following[1]) if following else ""
    return pages


@pytest.mark.parametrize("closed", [False, True])
async def test_every_case_is_on_some_page(desk: Office, closed: bool) -> None:
    """A change of the register opens many at one time."""
    one = {"why": "EXPOSURE", "said": "look", "decisions": "[]", "facts": "[]", "closed": closed, "cut": False}
    rows = [one | {"id": f"case-{n}", "client": f"cl-{n}", "recorded": n // 100} for n in range(310)]
    with desk.engine.begin() as connection:
        connection.execute(insert(t.case), rows)
    pages = await all_pages(await desk.signed_in("vera"), f"/cases?closed={str(closed).lower()}")
    found = [id for page in pages for id in re.findall(r'data-item="(case-\d+)"', page)]
    assert len(found) == 310 and set(found) == {row["id"] for row in rows}
    assert found[0].removeprefix("case-") in map(str, range(300, 310)), "the latest first"
    assert all("310 in all" in page for page in pages)
    assert "To the beginning" in pages[-1] and "To the beginning" not in pages[0]


@pytest.mark.parametrize(("asked", "many"), [({}, 240), ({"client": "cl-1"}, 120), ({"who": "anna"}, 1)])
async def test_every_look_is_on_some_page(desk: Office, asked: dict[str, str], many: int) -> None:
    one = {"at": 0, "person": "vera", "page": "client", "address": "10.0.0.1"}
    looks: list[dict[str, Any]] = [one | {"at": n // 70, "client": f"cl-{n % 2}", "page": f"p{n}"} for n in range(239)]
    looks.append(one | {"at": -1, "person": "anna", "client": "cl-1", "page": "p239"})
    with desk.engine.begin() as connection:
        connection.execute(insert(read), looks)
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    pages = await all_pages(await desk.signed_in("otto"), f"/reads?{query}")
    found = [id for page in pages for id in re.findall(r"<td>p(\d+)</td>", page)]
    assert len(set(found)) == len(found) == many and found[-1] == "239"
    assert all(f"{many} in all" in page for page in pages)


@pytest.mark.parametrize(("many", "said"), [(COUNTED, f"{COUNTED} open"), (COUNTED + 1, f"More than {COUNTED} open")])
async def test_more_are_said_to_be_open_only_where_there_are_more(desk: Office, many: int, said: str) -> None:
    fill(desk.engine, many, desk.clock())
    assert f'aria-live="polite">{said}' in await (await desk.signed_in("vera")).see("/")


async def test_offers_to_clients_whom_nothing_locates_are_on_the_map(desk: Office) -> None:
    """And can be asked for in the queue, as those can whose service could not be read."""
    offer = {"offer": "of-1", "service": "custody", "channel": "email", "content": "offer"}
    await desk.happens("offer.proposed", offer, client="cl-9")
    await desk.held_offer("cl-1", "of-2")
    unread = {"type": "gate61.offer.proposed.v1", "subject": "cl-7", "data": {"offer": "of-3"}}
    assert (await desk.sender.send({"specversion": "1.0", **unread})).status == "rejected"
    await desk.hears()
    vera = await desk.signed_in("vera")
    page = await vera.see("/heat")
    assert re.findall(r'aria-label="([^"]+)"', page.partition("<tbody>")[2].partition("</tbody>")[0]) == [
        "DE, custody: 1 held, 0 blocked",
        "unknown, custody: 0 held, 1 blocked",
        "unknown, unknown: 0 held, 1 blocked",
    ]
    links = re.findall(r'<td class="shade-\d"><a href="([^"]+)"', page)
    offers = [re.findall(r'class="open"[^>]*>([^<]+)<', await vera.see(unescape(link))) for link in links]
    assert offers == [["of-2"], ["of-1"], ["of-3"]]
    queue = await vera.see("/")
    assert 'href="/?country=unknown">unknown</a> <span class="count">2' in queue
    assert 'href="/?service=unknown">unknown</a> <span class="count">1' in queue
