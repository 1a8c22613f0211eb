"""How the pages show what they show: times, and what every field and button is called."""

import re

from tests.desk.desks import Office
from tests.desk.test_acts import decision_on


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


async def test_no_field_says_a_thing_twice(desk: Office) -> None:
    """Browsers take the first of two attributes and pass over the other. A new person's id is not one's own, either."""
    rita, adam = await desk.signed_in("rita"), await desk.signed_in("adam")
    page = f"/decisions/{decision_on(await rita.see('/'))}"
    pages = [await rita.see(path) for path in ("/", page, "/clients/cl-1", "/cases", "/acts", "/me")]
    people = await adam.see("/people")
    for tag in re.findall(r"<[a-z][^>]*>", "".join([*pages, people])):
        names = re.findall(r'\s([a-z-]+)="[^"]*"', tag)
        assert len(names) == len(set(names)), tag
    assert re.findall(r'<input id="p-id"[^>]* autocomplete="([^"]*)"', people) == ["off"]


async def test_a_session_is_ended_by_its_beginning_and_its_address(desk: Office) -> None:
    """As it is shown in the table, also to who only hears the button."""
    await desk.signed_in("rita")
    rita = await desk.signed_in("rita")
    shown = re.findall(r'aria-label="(End the session[^"]*)"', await rita.see("/me"))
    assert len(shown) == 2
    for each in shown:
        assert re.fullmatch(r"End the session begun 2026-03-03 12:00:\d\d UTC from [0-9.]+", each), each


async def test_no_time_is_given_for_what_nobody_may_release(desk: Office) -> None:
    """The queue says until when an offer can be sent at most; one that a paid friend's client is not to have, never."""
    otto = await desk.signed_in("otto")
    last = '<td class="num"><time datetime="2026-03-12T00:00:00Z">2026-03-12 00:00:00 UTC</time></td>'
    assert last in await otto.see("/")
    await desk.happens("referral.recorded", {"by": "friend", "rewarded": True}, at="2026-03-01T12:00:00Z")
    await desk.hears()
    queue = await otto.see("/")
    assert "PERSON_CHAIN_SOLICITATION" in queue and last not in queue and '<td class="num">-</td>' in queue
