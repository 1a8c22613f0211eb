"""What became of what people did: a release that cannot be, one that was taken back, and lists that leave nothing out."""

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from streams.desk import tables as t
from tests.desk.desks import NOW, Browser, Office, office

PAID = {"by": "paid-friend", "rewarded": True}


@pytest.fixture
async def desk(tmp_path: Path, address: str) -> AsyncIterator[Office]:
    async with office(tmp_path, address) as opened:
        await opened.held_offer()
        yield opened


async def asked_for(desk: Office, rita: Browser) -> tuple[str, str]:
    """A release that waits for its second signature; returns the answer's page and the act."""
    page = f"/decisions/{(await desk.decisions())[-1]['decision']}"
    await rita.send(page, f"{page}/release", reason="the client waits", hours="4")
    return page, desk.desk.acts.waiting()[0].id


async def signed(anna: Browser, act: str) -> httpx.Response:
    """Signed on the page as it stood before it changed."""
    csrf = re.search(r'name="csrf" value="([^"]+)"', await anna.see("/me"))
    assert csrf
    return await anna.http.post(f"/acts/{act}/sign", data={"csrf": csrf[1]})


async def row_of(browser: Browser, act: str, page: str = "/acts") -> str:
    row = re.search(rf'<tr id="{act}".*?</tr>', await browser.see(page), re.S)
    assert row
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row[0])))


@pytest.mark.parametrize("heard", [True, False])
async def test_what_somebody_refused_meanwhile_is_not_let_go(desk: Office, heard: bool) -> None:
    """Also before the logs have told of it, the signer is told who refused; and so is who asks for a release then."""
    rita, rolf, anna = await desk.signed_in("rita"), await desk.signed_in("rolf"), await desk.signed_in("anna")
    page, act = await asked_for(desk, rita)
    form = await rita.see(page)
    await rolf.send(page, f"{page}/refuse", reason="our agent called him")
    if heard:
        await desk.hears()
    waiting = await row_of(anna, act)
    assert "cannot be signed: `rolf` refused the offer" in waiting and " Sign " not in waiting and "Decline" in waiting
    refused = await signed(anna, act)
    assert refused.status_code == 409 and "`rolf` refused the offer" in refused.text
    hidden = dict(re.findall(r'<input type="hidden" name="(csrf|once)" value="([^"]*)"', form))
    again = await rita.http.post(f"{page}/release", data=hidden | {"reason": "he waits", "hours": "4"})
    assert again.status_code == 409 and "`rolf` refused the offer" in again.text
    assert [d["may_send"] for d in await desk.decisions()] == [False]


async def test_what_was_answered_anew_meanwhile_is_not_let_go(desk: Office) -> None:
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    page, act = await asked_for(desk, rita)
    await desk.happens("referral.recorded", PAID, at="2026-03-01T12:00:00Z")
    await desk.hears()
    later = (await desk.decisions())[-1]["decision"]
    assert f"cannot be signed: answer `{later}` has replaced this one" in await row_of(anna, act)
    assert f"`{later}` has replaced" in await row_of(rita, act, page)
    refused = await signed(anna, act)
    assert refused.status_code == 409 and f"answer `{later}` has replaced this one" in refused.text


async def test_why_a_release_cannot_be_is_said(desk: Office) -> None:
    desk.clock.pass_(hours=24 * 12)
    released = (await desk.decisions())[-1]["decision"]
    assert "the hard limit passed" in desk.desk.acts.obstacles(released, desk.clock())[0]
    assert "may not have read that far" in desk.desk.acts.obstacles("dec-of-another", desk.clock())[0]
    await desk.happens(
        "offer.proposed", {"offer": "of-9", "service": "custody", "channel": "email", "content": "offer"}
    )
    await desk.hears()
    blocked = (await desk.decisions())[-1]
    assert blocked["verdict"] == "block"
    assert "only a flag" in desk.desk.acts.obstacles(blocked["decision"], desk.clock())[0]


async def test_a_release_that_the_gate_refused_is_not_done(desk: Office) -> None:
    """The desk had not heard yet what the gate knew."""
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    page, act = await asked_for(desk, rita)
    await desk.happens("referral.recorded", PAID, at="2026-03-01T12:00:00Z")
    assert (await signed(anna, act)).status_code == 303
    await desk.hears()
    for shown in ("/acts", page, "/clients/cl-1"):
        row = await row_of(rita, act, shown)
        assert "refused by the gate" in row and "is no current answer" in row and "done" not in row


async def test_nobody_else_makes_an_act_look_refused(desk: Office) -> None:
    """Others may use the id of an act: what the gate says of theirs is not said of it."""
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    page, act = await asked_for(desk, rita)
    await signed(anna, act)
    file = {"evidence": "ev-9", "supports": "initiation", "request": "e2", "kind": "inbound_email"}
    await anna.send("/clients/cl-1", "/clients/cl-1/file", **file)
    (filed,) = [row.id for row in desk.desk.acts.past().rows if row.kind == "file"]
    await desk.hears()
    before = await row_of(rita, act), await row_of(rita, filed)
    alone = {"evidence": "ev-9", "by": "x", "second": "x", "reason": "z"}
    await desk.happens("evidence.retracted", alone, id=filed)
    release = {"decision": page.removeprefix("/decisions/"), "by": "x", "second": "y", "reason": "z", "expires": NOW}
    await desk.happens("review.released", release | {"second": "x"}, id=act)
    sent = json.loads(desk.desk.acts.one(act).sent)
    async with httpx.AsyncClient(transport=desk.door, base_url="http://127.0.0.1:8061") as http:
        for event, why in ((sent | {"data": release}, "ID_REUSED"), (sent | {"data": {}}, "BAD_FIELD")):
            headers = {"content-type": "application/cloudevents+json"}
            answer = await http.post("/v1/events", json=event, headers=headers)
            assert answer.json()["results"][0]["reason"] == why
    await desk.hears()
    assert "SAME_PERSON_TWICE" in await rita.see("/cases")
    assert (await row_of(rita, act), await row_of(rita, filed)) == before and "done" in before[0]


async def test_of_a_release_that_was_taken_back_it_is_told_what_it_became_then(desk: Office) -> None:
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    page, act = await asked_for(desk, rita)
    await signed(anna, act)
    await desk.hears()
    assert "no longer stands" not in await row_of(rita, act)
    await desk.happens("referral.recorded", PAID, at="2026-03-01T12:00:00Z")
    await desk.hears()
    for shown in ("/acts", page, "/clients/cl-1"):
        row = await row_of(rita, act, shown)
        assert re.search(r"offer of-1 became: may be sent until \S+, RELEASED; that no longer stands", row), row
        assert " now" not in row


async def test_what_waits_is_never_left_out_and_what_was_done_has_pages(desk: Office) -> None:
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    _, first = await asked_for(desk, rita)
    one = {"kind": "narrow", "client": "cl-1", "about": "c", "by": "rita", "told": "", "data": '{"reason": "it was"}'}
    with desk.engine.begin() as connection:
        rows = [one | {"id": f"w{n:03}", "at": desk.clock(), "status": t.WAITING} for n in range(300)]
        rows += [one | {"id": f"x{n:03}", "at": 1000 + n // 9, "status": t.WITHDRAWN} for n in range(120)]
        connection.execute(t.act.insert(), rows)
    page = await anna.see("/acts")
    assert re.findall(r'<tr id="([^"]+)" data-item', page) == [first, *(f"w{n:03}" for n in range(300))]
    assert "301 in all" in page and "120 in all" in page
    listed, path = [], "/acts"
    while path:
        page = await anna.see(path)
        listed += re.findall(r'<tr id="(x\d+)">', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = unescape(following[1]) if following else ""
    assert sorted(listed) == [f"x{n:03}" for n in range(120)]
    page = await anna.see("/clients/cl-1")
    assert first in page and "the latest 50 of 120 others" in page and 'href="/acts?client=cl-1"' in page
    assert "Nothing waits" in await anna.see("/acts?client=cl-2") and first in await anna.see("/acts?client=cl-1")


async def test_an_act_is_of_its_client_alone(desk: Office) -> None:
    """Evidence of two clients may have one id, or a client's reference: who filed one may approve the other."""
    await desk.held_offer("cl-2", "of-2")
    filed = {
        "evidence": "mail-1",
        "supports": "initiation",
        "kind": "inbound_email",
        "request": "e2",
        "by": "st-intake",
    }
    await desk.happens("evidence.filed", filed)
    await desk.hears()
    anna = await desk.signed_in("anna")
    form = {"supports": "initiation", "kind": "inbound_email", "request": "e9"}
    for evidence in ("mail-1", "cl-1"):
        await anna.send("/clients/cl-2", "/clients/cl-2/file", evidence=evidence, **form)
    await desk.hears()
    assert "Nobody has done anything here" in await anna.see("/clients/cl-1")
    assert (await anna.send("/clients/cl-1", "/clients/cl-1/approve", evidence="mail-1")).status_code == 303
