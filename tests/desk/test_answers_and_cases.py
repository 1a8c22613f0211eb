"""Which answers and facts belong together: on a case's page, and on that of an answer."""

import json
import re
from html import unescape
from typing import Any

import httpx
from sqlalchemy import select

from streams.desk import tables as t
from streams.desk.fold import fold
from streams.feed import Told
from streams.feed.told import Kind
from streams.worker.fitting import fitting
from tests.desk.desks import NOW, Browser, Office

PAID = {"by": "paid-friend", "rewarded": True}


def said_on(page: str) -> str:
    """Its text, without elements."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


async def cases_of(browser: Browser, why: str) -> list[str]:
    """The pages of cases with that code."""
    listed = await browser.see("/cases")
    return re.findall(rf'href="(/cases/case-[^"]+)"><code>{why}<', listed)


async def posted(desk: Office, event: dict[str, Any]) -> str:
    """To the gate, as somebody else's program does; returns why it was rejected, empty if it was taken."""
    async with httpx.AsyncClient(transport=desk.door, base_url="http://127.0.0.1:8061") as http:
        headers = {"content-type": "application/cloudevents+json"}
        answer = await http.post("/v1/events", json={"specversion": "1.0", **event}, headers=headers)
    return str(answer.json()["results"][0].get("reason") or "")


async def test_a_case_says_what_the_offer_is_answered_now_however_often_that_changed(desk: Office) -> None:
    """An allowed offer turns out to be held, is released by two, and turns out to be forbidden."""
    await desk.held_offer("cl-2", "of-2", asked="2026-03-03T00:00:00Z")
    mail = {"by": "firm", "means": "email", "content": "marketing"}
    await desk.happens("firm.contacted", mail, client="cl-2", at="2026-03-03T10:00:00Z", id="mail-1")
    await desk.hears()
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    case = (await cases_of(rita, "LATE_EVIDENCE"))[0]

    async def shown() -> list[str]:
        told = (await rita.see(case)).partition("Is answered now")[2]
        return [said_on(cell) for cell in re.findall(r"<td>(.*?)</td>", told, re.S)]

    was, between, now = await shown()
    assert was.startswith("allowed WITHIN_WINDOW") and between == "" and now.startswith("held EXPOSED_SINCE_REQUEST")
    page = f"/decisions/{(await desk.decisions())[-1]['decision']}"
    await rita.send(page, f"{page}/release", reason="the mail never arrived", hours="4")
    await anna.send("/acts", f"/acts/{desk.desk.acts.waiting()[0].id}/sign")
    await desk.hears()
    was, between, now = await shown()
    assert was.startswith("allowed") and "held EXPOSED_SINCE_REQUEST" in between and now.startswith("released RELEASED")
    await desk.happens("referral.recorded", PAID, client="cl-2", at="2026-03-01T12:00:00Z")
    await desk.hears()
    was, between, now = await shown()
    assert was.startswith("allowed") and re.match("held EXPOSED.* released RELEASED", between)
    assert now.startswith("blocked PERSON_CHAIN_SOLICITATION")


async def test_a_campaigns_case_shows_no_client_s_event_under_its_id(desk: Office) -> None:
    secret = {"by": "firm", "means": "call", "content": "service_notice", "campaign": "of-cl-7"}
    await desk.happens("firm.contacted", secret, client="cl-7", id="c-1", at="2026-03-03T09:00:00Z")
    started = {"campaign": "camp", "by": "firm", "kind": "advertising", "countries": "EEA"}
    event = {"id": "c-1", "source": "//marketing", "type": "gate61.campaign.started.v1", "subject": "camp"}
    assert not await posted(desk, {**event, "time": "2026-03-03T10:00:00Z", "data": started})
    await desk.hears()
    vera = await desk.signed_in("vera")
    (path,) = await cases_of(vera, "EXPOSURE")
    case = await vera.see(path)
    assert "campaign.started" in case and "of-cl-7" not in case and "firm.contacted" not in case


async def test_an_offer_that_could_not_be_read_is_no_other(desk: Office) -> None:
    """Neither one without an id as it has none, nor one under an id that was used before."""
    taken = (await desk.decisions())[-1]
    offer = {"service": "advice", "channel": "email", "content": "offer"}
    event = {"type": "gate61.offer.proposed.v1", "subject": "cl-1", "time": NOW}
    for name in ("of-7", "of-8"):
        assert await posted(desk, {**event, "data": {"offer": name, **offer}}) == "NOT_A_CLOUDEVENT"
    used = {**event, **taken["event"]}
    assert await posted(desk, {**used, "data": {"offer": "of-9", **offer}}) == "ID_REUSED"
    await desk.hears()
    with desk.engine.connect() as connection:
        offered = connection.execute(select(t.said.c.body).where(t.said.c.kind == "offer.proposed")).scalar_one()
    fold(desk.engine, [Told("later", 0, "action", desk.clock(), json.loads(offered), b"")])  # As logs may be read.
    vera = await desk.signed_in("vera")
    for answer in await desk.decisions():
        page = await vera.see(f"/decisions/{answer['decision']}")
        chain = page.partition("All answers to this offer")[2].partition("</table>")[0]
        assert re.findall(r'href="/decisions/([^"]+)"', chain) == [answer["decision"]], answer["offer"]
        assert ("service unknown" in said_on(page)) is (answer["offer"] != "of-1")
        assert ("offer.proposed" in page) is (answer["offer"] == "of-1")


async def test_of_what_was_cut_it_is_said(desk: Office) -> None:
    """Topics take only so much: of an answer, and of a case, sentences and ids may have been left out."""
    vera = await desk.signed_in("vera")
    outs, _ = desk.intake.run(lambda: desk.intake.out(0, 10_000)).result()
    line = next(bytes(out.data) for out in outs if b"offer.decided" in bytes(out.data))
    event = json.loads(line)
    ids = [f"ev-{n:06}-{'x' * 100}" for n in range(12_000)]
    event["data"]["initiation"]["evidence"] = ids
    event["data"]["decision"] = "dec-large"
    case = {"case": "case-large", "client": "cl-1", "why": "LATE_EVIDENCE", "said": "look", "facts": ids}
    opened = {**event, "type": "gate61.case.opened.v1", "data": {**case, "decisions": ["dec-large"]}}
    lines = [fitting(json.dumps(each).encode(), b"cl-1") for each in (event, opened)]
    kinds: tuple[Kind, Kind] = ("decision", "case")
    told = zip(kinds, lines, strict=True)
    fold(desk.engine, [Told("large", n, kind, 1, json.loads(of), of) for n, (kind, of) in enumerate(told)])
    assert "This answer was cut" in await vera.see("/decisions/dec-large")
    page = await vera.see("/cases/case-large")
    assert "This case was cut" in page and "cut, as it was too large" in page
    whole = await vera.see(f"/decisions/{json.loads(line)['data']['decision']}")
    assert "was cut" not in whole
