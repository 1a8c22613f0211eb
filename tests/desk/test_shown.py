"""How the pages show what they show: times, and what every field and button is called."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.desk.desks import Office, office
from tests.desk.test_acts import decision_on


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened:
        await opened.held_offer()
        yield opened


async def test_every_time_says_that_it_is_utc(desk: Office) -> None:
    """A deadline is read on paper and without a pointer too, by people in other time zones."""
    rita = await desk.signed_in("rita")
    queue = await rita.see("/")
    page = f"/decisions/{decision_on(queue)}"
    await rita.send(page, f"{page}/release", reason="the client waits for the quote", hours="4")
    await desk.happens("client.asked", {"channel": "chat"}, at="2026-03-02T12:00:00Z")
    late = {"by": "paid-friend", "rewarded": True}
    await desk.happens("referral.recorded", late, at="2026-03-01T12:00:00Z")
    await desk.hears()
    pages = [queue, *[await rita.see(path) for path in (page, "/clients/cl-1", "/cases", "/acts", "/health", "/me")]]
    for text in pages:
        times = re.findall(r"<time [^>]*>(.*?)</time>", text)
        assert times and all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", shown) for shown in times), times
    assert "2026-03-12 00:00:00 UTC</time></td>" in queue, "send_by at most"
