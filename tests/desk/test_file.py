"""A client's file as a compliance officer hands it over: whole, in its order, with all who are the same person."""

import html
import re

import pytest

from tests.desk.desks import Browser, Office
from tests.stories.telling import Event

LONG = "the call was recorded, and compliance has read the transcript;" + " as was agreed in writing;" * 12
EARLY, LATER = "2026-02-01T00:00:00Z", "2026-02-10T12:00:00Z"


def words(page: str) -> str:
    """What stands on a page, with runs of white space as one."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def rows(page: str, *of: str) -> list[str]:
    """Rows of its tables that hold all these words."""
    every = [words(row) for row in re.findall(r"<tr[ >].*?</tr>", page, re.S)]
    return [row for row in every if all(each in row for each in of)]


def answers(page: str) -> list[str]:
    """The answers that rows of its tables lead to, from top to bottom."""
    return re.findall(r'href="/decisions/([^"]+)"', "".join(re.findall(r"<tr[ >].*?</tr>", page, re.S)))


async def signed(desk: Office, who: Browser) -> None:
    """What waits for a second signature gets it."""
    found = re.search(r'action="(/acts/[^"]+/sign)"', await who.see("/acts"))
    assert found
    assert (await who.send("/acts", found[1])).status_code == 303
    await desk.hears()


async def test_a_tainted_window_stays_so_when_its_time_is_over(desk: Office) -> None:
    """That its hard limit passed is told after it, and makes no good window of it; by what it is tainted stands there."""
    asked = {"service": "transfer", "transaction": "tx-2", "channel": "call", "kind": "request"}
    proposed = {"offer": "of-2", "service": "transfer", "channel": "app", "content": "offer", "transaction": "tx-2"}
    friend = {"by": "friend", "rewarded": True}
    await desk.happens("client.located", {"indicator": "sim", "country": "DE"}, at=EARLY, client="cl-2")
    await desk.happens("referral.recorded", friend, at=LATER, client="cl-2", id="ref-2")
    await desk.happens("client.requested", asked, at="2026-02-11T00:00:00Z", client="cl-2", id="asked-2")
    await desk.happens("offer.proposed", proposed, client="cl-2")
    await desk.hears()
    page = await (await desk.signed_in("otto")).see("/clients/cl-2")
    assert rows(page, "scope.closed") and rows(page, "relationship.suspended")
    (window,) = rows(page, "Window", "hard limit 2026-02-21T00:00:00Z")
    assert window.endswith("tainted because of asked-2, ref-2")
    assert 'class="tainted"' in page and 'class="shade' not in page


async def test_who_released_it_for_how_long_and_why_stands_there_whole(desk: Office) -> None:
    """However long the reason is; also in the table of what people did."""
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    (id, *_) = answers(await rita.see("/"))
    reason = f"{LONG} only on condition that no other service is named"
    await rita.send(f"/decisions/{id}", f"/decisions/{id}/release", reason=reason, hours="4")
    (waiting,) = rows(await rita.see("/clients/cl-1"), "waits for a second")
    assert f"{reason} for 4 h" in waiting
    await signed(desk, anna)
    page = await rita.see("/clients/cl-1")
    (event,) = rows(page, "review.released")
    assert reason in event and "by rita, second anna, expires 2026-03-03T16:00:0" in event
    for path in ("/clients/cl-1", f"/decisions/{id}"):
        (act,) = rows(await rita.see(path), "rita, anna")
        assert f"{reason} until 2026-03-03 16:00:0" in act


async def test_what_a_narrowing_leaves_is_said(desk: Office) -> None:
    """Also that it leaves nothing."""
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    for exposure, left, said in (
        ("camp-a", {"service-0": "advice", "asset-1": "xrp"}, "leaves (service advice) (asset xrp)"),
        ("camp-b", {"none": "yes"}, "leaves nothing"),
    ):
        await rita.send("/clients/cl-1", "/clients/cl-1/narrow", exposure=exposure, reason=LONG, **left)
        await signed(desk, anna)
        page = await rita.see("/clients/cl-1")
        (event,) = rows(page, "taint.narrowed", f"exposure {exposure}")
        (act,) = rows(page, "narrow", exposure, "done")
        assert said in event and "second anna" in event and f"{LONG} {said}" in act


async def test_what_was_filed_long_ago_may_still_be_approved_and_nothing_is_left_out_unsaid(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A robot's standing orders do not push the proof out of the file; what is on an earlier page is counted."""
    monkeypatch.setattr("streams.desk.files.EVENTS_SHOWN", 2)
    filed = {"evidence": "ev-late", "supports": "initiation", "request": "e2", "kind": "inbound_call", "by": "st-1"}
    await desk.happens("evidence.filed", filed, at="2026-03-02T00:03:00Z")
    order = {"service": "transfer", "channel": "app", "kind": "recurring_execution", "transaction": "so"}
    for _ in range(3):
        await desk.happens("client.requested", order)
    offer = {"offer": "of-2", "service": "transfer", "channel": "app", "content": "offer", "transaction": "so"}
    for _ in range(3):
        await desk.happens("offer.proposed", offer)
    await desk.hears()
    anna, path, seen = await desk.signed_in("anna"), "/clients/cl-1", list[str]()
    page = await anna.see(path)
    assert "Left out: 12 earlier events, 2 earlier answers" in words(page)
    assert rows(page, "ev-late", "nobody") and rows(page, "ev-1-cl-1", "st-lead")
    options = re.findall(r'<option value="(e\d+)">', page)
    assert options == ["e2"], "a standing order opens no scope that proof could be for"
    assert (await anna.send(path, f"{path}/approve", evidence="ev-late")).status_code == 303
    while True:
        seen += answers(page)
        further = re.search(r'href="(\?stretch=\d+)">show earlier', page)
        if not further:
            break
        page = await anna.see(path + further[1])
    assert sorted(seen) == sorted(d["decision"] for d in await desk.decisions()) and len(seen) == 4


async def test_of_one_moment_what_was_said_first_stands_first(desk: Office) -> None:
    """A late fact often comes within a millisecond of what it replaces; ids say nothing of the order."""
    otto = await desk.signed_in("otto")
    for n in range(6):
        client = f"cl-{n + 10}"
        await desk.held_offer(client, f"of-{n + 10}")
        friend = {"by": "friend", "rewarded": True}
        await desk.happens("referral.recorded", friend, at="2026-03-01T12:00:00Z", client=client)
        await desk.hears()
        first, then = [d for d in await desk.decisions() if d["client"] == client]
        assert then["supersedes"] == first["decision"] and then["recorded_at"] == first["recorded_at"]
        chain = re.findall(r'id="chain".*?</table>', await otto.see(f"/decisions/{first['decision']}"), re.S)
        for page in (*chain, await otto.see(f"/clients/{client}")):
            assert answers(page) == [first["decision"], then["decision"]]


async def test_who_is_the_same_person_stands_in_both_files_and_his_facts_with_the_answer(desk: Office) -> None:
    """Somebody was paid for bringing his other self, who is never met but in these two words."""
    await desk.happens(
        "referral.recorded", {"by": "paid-friend", "rewarded": True}, at=LATER, client="cl-2", id="ref-2"
    )
    await desk.happens("client.merged", {"other": "cl-1"}, client="cl-2", id="same-1")
    await desk.happens("client.merged", {"other": "cl-3"}, client="cl-2", id="same-2")
    await desk.hears()
    otto, arno = await desk.signed_in("otto"), await desk.signed_in("arno")
    for client in ("cl-1", "cl-2", "cl-3"):
        page = await otto.see(f"/clients/{client}")
        assert rows(page, "cl-2 cl-1 same-1") and rows(page, "cl-2 cl-3 same-2")
    answer = (await desk.decisions())[-1]
    page = await arno.see(f"/decisions/{answer['decision']}")
    assert "ref-2 of cl-2, the same person" in words(page) and "paid-friend" in page
    assert 'href="/clients/cl-2#event-ref-2"' in page and answer["policy"]["digest"] in page
    assert rows(await otto.see("/reads?who=arno"), "cl-2"), "that his facts were read, too"


async def test_the_register_as_far_as_it_is_about_the_client(desk: Office) -> None:
    """Campaigns for where he was, whoever made them and what these are to the firm; classes, with who approved them."""
    of_register: tuple[tuple[str, str, Event], ...] = (
        ("entity.registered", "sponsor", {"entity": "sponsor", "relation": "agent", "holding_percent": 25}),
        (
            "campaign.started",
            "camp-eea",
            {"campaign": "camp-eea", "by": "sponsor", "kind": "press", "countries": "EEA"},
        ),
        ("campaign.started", "camp-jp", {"campaign": "camp-jp", "by": "other", "kind": "press", "countries": ["JP"]}),
        ("campaign.ended", "camp-eea", {"campaign": "camp-eea"}),
        ("country.scoped", "DE", {"country": "DE", "in_scope": True}),
        ("asset.classified", "btc", {"asset": "btc", "class": "other", "technology": "own", "approved_by": "st-class"}),
        ("asset.classified", "eth", {"asset": "eth", "class": "other", "technology": "own", "approved_by": "st-class"}),
    )
    for n, (kind, about, data) in enumerate(of_register):
        await desk.happens(kind, data, at=f"2026-02-0{n + 1}T00:00:00Z", client=about)
    asked = {"service": "custody", "asset": "btc", "transaction": "tx", "channel": "call", "kind": "request"}
    await desk.happens("client.requested", asked, at="2026-03-02T06:00:00Z")
    await desk.hears()
    page = await (await desk.signed_in("otto")).see("/clients/cl-1")
    listed = re.findall(r'id="register".*?</table>', page, re.S)[0]
    assert rows(listed, "entity sponsor, relation agent, holding_percent 25") and rows(listed, "approved_by st-class")
    assert [kind for kind, _, _ in of_register if rows(listed, kind)] == [kind for kind, _, _ in of_register]
    assert len(rows(listed, "2026-02-0")) == 5 and "camp-jp" not in listed and "eth" not in listed


async def test_what_was_asked_for_and_what_was_offered(desk: Office) -> None:
    """A standing order asks for nothing and a pure notice offers nothing; whatever is promoted is offered."""
    asked = {"service": "exchange_funds", "asset": "btc", "transaction": "so", "channel": "app"}
    offer = {"service": "exchange_funds", "channel": "email"}
    await desk.happens("client.requested", asked | {"kind": "recurring_execution"})
    await desk.happens("offer.proposed", offer | {"offer": "a", "content": "offer", "asset": "btc"})
    await desk.happens(
        "offer.proposed", {"offer": "b", "service": "transfer", "channel": "app", "content": "exit_help"}
    )
    promoted = [{"asset": "eth"}, {"asset": "eth"}, {"service": "advice", "product": None}]
    await desk.happens("offer.proposed", offer | {"offer": "c", "content": "education", "promotes": promoted})
    await desk.hears()
    otto = await desk.signed_in("otto")
    for path in ("/types", "/clients/cl-1"):
        (table,) = re.findall(r"Offered</th></tr>.*?</table>", await otto.see(path), re.S)
        assert rows(table) == [
            "advice 0 1 never asked for",
            "custody 1 1",
            "exchange funds · btc 0 1 never asked for",
            "exchange funds · eth 0 1 never asked for",
        ]
