"""Who looks at the desk hears of what others do, and goes on hearing."""

import asyncio
import re

import pytest

from streams.desk.live import Live
from tests.desk.desks import Office


async def test_taking_on_letting_go_and_withdrawing_are_heard(desk: Office) -> None:
    """Done and answered, and told to all who listen."""
    rita = await desk.signed_in("rita")
    page = re.findall(r'href="(/decisions/[^"]+)"', await rita.see("/"))[0]
    await rita.send(page, f"{page}/release", reason="the client waits for the quote", hours="4")
    (act,) = [row.id for row in desk.desk.acts.waiting()]
    item = page.replace("/decisions/", "/queue/")
    for action in (f"{item}/assign", f"{item}/let-go", f"/acts/{act}/withdraw"):
        before = desk.desk.live.number
        form = re.findall(r'name="csrf" value="([^"]+)"', await rita.see("/me"))
        answer = await rita.http.post(action, data={"csrf": form[0]})
        assert (answer.status_code, desk.desk.live.number) == (303, before + 1), action


async def test_no_other_thread_rings() -> None:
    """It would wake streams that are just beginning to wait: it is refused before anything has changed."""
    live = Live()
    before = live.number
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(live.ring)
    stream = live.stream(before)
    assert await anext(stream) == b"retry: 2000\n\n"
    live.ring()
    assert await anext(stream) == b"event: changed\ndata: %d\n\n" % (before + 1)
    await stream.aclose()  # type: ignore[attr-defined]
