"""What people do at the desk: alone, or two of them, and never one as two."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from streams.desk import tables as t
from streams.feed.sending import Receipt
from streams.stores import positions
from tests.desk.desks import Office, office


@pytest.fixture
async def desk(tmp_path: Path, address: str) -> AsyncIterator[Office]:
    async with office(tmp_path, address) as opened:
        await opened.held_offer()
        yield opened


def decision_on(text: str) -> str:
    found = re.search(r'href="/decisions/([^"]+)"', text)
    assert found
    return found[1]


async def test_two_people_release_a_held_offer_and_a_late_fact_takes_it_back(desk: Office) -> None:
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    queue = await rita.see("/")
    assert "of-1" in queue and "WINDOW_SOFT_LIMIT" in queue
    id = decision_on(queue)
    page = f"/decisions/{id}"
    asked = await rita.send(page, f"{page}/release", reason="the client waits for the quote", hours="4")
    assert asked.status_code == 303
    assert "waits for a second" in await rita.see(page)
    assert [d["may_send"] for d in await desk.decisions()] == [False]
    waiting = await anna.see("/acts")
    act = re.search(r'action="(/acts/[^"]+/sign)"', waiting)
    assert act
    assert (await anna.send("/acts", act[1])).status_code == 303
    await desk.hears()
    answers = await desk.decisions()
    assert [d["leading"] for d in answers] == ["WINDOW_SOFT_LIMIT", "RELEASED"] and answers[1]["may_send"]
    done = await rita.see(page)
    assert "done" in done and "may be sent" in done and "replaced" in done
    assert "Nothing waits" in await rita.see("/")
    late = {"by": "paid-friend", "rewarded": True}
    await desk.happens("referral.recorded", late, at="2026-03-01T12:00:00Z")
    await desk.hears()
    answers = await desk.decisions()
    assert answers[-1]["verdict"] == "block" and answers[-1]["supersedes"] == answers[1]["decision"]
    assert "PERSON_CHAIN_SOLICITATION" in await rita.see("/")
    cases = await rita.see("/cases")
    assert "LATE_EVIDENCE" in cases
    case = re.search(r'href="(/cases/case-[^"]+)"', cases)
    assert case
    text = await rita.see(case[1])
    assert text.index("RELEASED") < text.index("PERSON_CHAIN_SOLICITATION")
    closed = await rita.send(case[1], f"{case[1]}/close", reason="the friend was paid; the client was told")
    assert closed.status_code == 303 and "No case is open" in await rita.see("/cases")
    assert "the friend was paid" in await rita.see("/cases?closed=true")


async def test_nobody_signs_for_himself_whichever_browser_he_uses(desk: Office) -> None:
    one, other = await desk.signed_in("anna"), await desk.signed_in("anna")
    page = f"/decisions/{decision_on(await one.see('/'))}"
    await one.send(page, f"{page}/release", reason="it is fine", hours="1")
    (act,) = [row.id for row in desk.desk.acts.waiting()]
    assert "Sign" not in re.sub(r"Sign</th>", "", await other.see("/acts"))
    csrf = re.search(r'name="csrf" value="([^"]+)"', await other.see("/acts"))
    assert csrf
    refused = await other.http.post(f"/acts/{act}/sign", data={"csrf": csrf[1]})
    assert refused.status_code == 409 and "you began this yourself" in refused.text
    assert len(await desk.decisions()) == 1
    rita = await desk.signed_in("rita")
    csrf = re.search(r'name="csrf" value="([^"]+)"', await rita.see("/me"))
    assert csrf
    assert (await rita.http.post(f"/acts/{act}/sign", data={"csrf": csrf[1]})).status_code == 403
    arno = await desk.signed_in("arno")
    assert (await arno.send("/acts", f"/acts/{act}/withdraw")).status_code == 303
    assert "taken back by arno" in await one.see("/acts")


async def test_what_may_be_sent_and_released_is_said_as_of_now(desk: Office) -> None:
    """An answer that let it be sent until some time, and a held one whose window has shut, are read weeks later too."""
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    held = f"/decisions/{decision_on(await rita.see('/'))}"
    await rita.send(held, f"{held}/release", reason="it is fine", hours="1")
    (act,) = [row.id for row in desk.desk.acts.waiting()]
    await anna.send("/acts", f"/acts/{act}/sign")
    await desk.hears()
    released = f"/decisions/{(await desk.decisions())[-1]['decision']}"
    assert "<dd>yes, until " in await rita.see(released) and "<dd>no</dd>" in await rita.see(held)
    desk.clock.pass_(hours=2)
    rita = await desk.signed_in("rita")
    assert "<dd>no longer: it could be until " in await rita.see(released)


async def test_of_a_held_answer_whose_window_has_shut_it_is_said_that_nobody_can_release_it(desk: Office) -> None:
    held = f"/decisions/{decision_on(await (await desk.signed_in('rita')).see('/'))}"
    desk.clock.pass_(hours=24 * 12)
    page = await (await desk.signed_in("rita")).see(held)
    assert "nobody can release it any more" in page and "Ask for release" not in page


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        ("2026-03-03T00:00:00Z", ["TYPE_UNCLASSIFIED"]),
        ("2026-03-02T00:00:00Z", ["TYPE_UNCLASSIFIED", "WINDOW_SOFT_LIMIT"]),
    ],
)
async def test_a_block_can_be_released_where_only_an_asset_is_unclassified(
    desk: Office, asked: str, codes: list[str]
) -> None:
    """The gate takes such a release, and no other of a block: so no other is asked for."""
    await desk.held_offer("cl-2", "of-2", asked, asset="new")
    answer = (await desk.decisions())[-1]
    assert (answer["verdict"], [r["code"] for r in answer["reasons"]]) == ("block", codes)
    page = await (await desk.signed_in("rita")).see(f"/decisions/{answer['decision']}")
    assert ("Ask for release" in page) == (len(codes) == 1)


async def test_of_two_who_sign_at_once_one_does(desk: Office) -> None:
    rita = await desk.signed_in("rita")
    page = f"/decisions/{decision_on(await rita.see('/'))}"
    await rita.send(page, f"{page}/release", reason="it is fine", hours="1")
    (act,) = [row.id for row in desk.desk.acts.waiting()]
    anna, arno = await desk.signed_in("anna"), await desk.signed_in("arno")
    first = await anna.send("/acts", f"/acts/{act}/sign")
    csrf = re.search(r'name="csrf" value="([^"]+)"', await arno.see("/me"))
    assert csrf
    second = await arno.http.post(f"/acts/{act}/sign", data={"csrf": csrf[1]})
    assert (first.status_code, second.status_code) == (303, 409)
    await desk.hears()
    assert [d["leading"] for d in await desk.decisions()] == ["WINDOW_SOFT_LIMIT", "RELEASED"]


async def test_who_filed_evidence_cannot_approve_it(desk: Office) -> None:
    anna = await desk.signed_in("anna")
    file = {"evidence": "ev-9", "supports": "initiation", "request": "e2", "kind": "inbound_email"}
    assert (await anna.send("/clients/cl-1", "/clients/cl-1/file", **file)).status_code == 303
    await desk.hears()
    page = await anna.see("/clients/cl-1")
    assert "ev-9" in page and "inbound email" in page
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    once = re.search(r'name="once" value="([^"]+)"', page)
    assert csrf and once
    form = {"csrf": csrf[1], "once": once[1], "evidence": "ev-9"}
    refused = await anna.http.post("/clients/cl-1/approve", data=form)
    assert refused.status_code == 409 and "another person must approve" in refused.text
    arno = await desk.signed_in("arno")
    page = await arno.see("/clients/cl-1")
    csrf, once = re.search(r'name="csrf" value="([^"]+)"', page), re.search(r'name="once" value="([^"]+)"', page)
    assert csrf and once
    form = {"csrf": csrf[1], "once": once[1], "evidence": "ev-9"}
    assert (await arno.http.post("/clients/cl-1/approve", data=form)).status_code == 303
    await desk.hears()
    assert "arno" in await anna.see("/clients/cl-1")


async def test_evidence_is_approved_however_much_has_happened_since(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page shows the latest events alone; what may be approved is asked of all."""
    monkeypatch.setattr("streams.desk.files.EVENTS_SHOWN", 1)
    anna, arno = await desk.signed_in("anna"), await desk.signed_in("arno")
    file = {"evidence": "ev-9", "supports": "initiation", "request": "e2", "kind": "inbound_email"}
    await anna.send("/clients/cl-1", "/clients/cl-1/file", **file)
    await desk.happens("client.asked", {"channel": "chat"})
    await desk.hears()
    page = await arno.see("/clients/cl-1")
    form = {
        name: found[1] for name in ("csrf", "once") if (found := re.search(rf'name="{name}" value="([^"]+)"', page))
    }
    approved = await arno.http.post("/clients/cl-1/approve", data={**form, "evidence": "ev-9"})
    assert approved.status_code == 303
    unknown = await arno.http.post("/clients/cl-1/approve", data={**form, "evidence": "ev-8"})
    assert unknown.status_code == 409 and "no evidence" in unknown.text


async def test_the_same_form_sent_twice_is_one_act(desk: Office) -> None:
    rita = await desk.signed_in("rita")
    page = f"/decisions/{decision_on(await rita.see('/'))}"
    text = await rita.see(page)
    hidden = dict(re.findall(r'<input type="hidden" name="(csrf|once)" value="([^"]*)"', text))
    for _ in range(2):
        answer = await rita.http.post(f"{page}/refuse", data=hidden | {"reason": "not today"})
        assert answer.status_code in (303, 409)
    assert len(desk.desk.acts.past().rows) == 1
    await desk.hears()
    assert "Nothing waits" in await rita.see("/") and "refused by rita" in await rita.see(page)


async def test_what_did_not_arrive_is_said_and_sent_again_as_it_was(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    rita = await desk.signed_in("rita")
    page = f"/decisions/{decision_on(await rita.see('/'))}"
    send = desk.sender.send

    async def away(event: object) -> Receipt:
        return Receipt("unknown", "the gate does not answer")

    monkeypatch.setattr(desk.sender, "send", away)
    await rita.send(page, f"{page}/refuse", reason="not today")
    assert "not known" in await rita.see(page) and "the gate does not answer" in await rita.see("/acts")
    assert "of-1" in await rita.see("/")
    for who, may in (("rita", True), ("anna", True), ("vera", False), ("otto", False)):
        assert ("Send again" in await (await desk.signed_in(who)).see("/acts")) is may, who
    monkeypatch.setattr(desk.sender, "send", send)
    desk.clock.pass_(minutes=5)
    (act,) = desk.desk.acts.again()
    before = desk.desk.acts.one(act).sent
    await desk.desk.acts.send(act)
    await desk.hears()
    assert desk.desk.acts.one(act).sent == before
    assert "done" in await rita.see(page) and "Nothing waits" in await rita.see("/")


async def test_what_the_gate_said_stays_though_it_is_read_before_the_act_is_known_to_have_arrived(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    page = f"/decisions/{decision_on(await rita.see('/'))}"
    send = desk.sender.send

    async def slowly(event: Mapping[str, Any]) -> Receipt:
        receipt = await send(event)
        await desk.hears()
        return receipt

    monkeypatch.setattr(desk.sender, "send", slowly)
    await rita.send(page, f"{page}/release", reason="the client waits", hours="1")
    (act,) = [row.id for row in desk.desk.acts.waiting()]
    await anna.send("/acts", f"/acts/{act}/sign")
    assert "may be sent until" in await rita.see(page)


async def test_what_the_gate_refuses_is_said_in_its_words(desk: Office) -> None:
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    page = f"/decisions/{decision_on(await rita.see('/'))}"
    await rita.send(page, f"{page}/release", reason="first", hours="1")
    await desk.happens("referral.recorded", {"by": "x", "rewarded": True}, at="2026-03-01T12:00:00Z")
    (act,) = [row.id for row in desk.desk.acts.waiting()]
    await anna.send("/acts", f"/acts/{act}/sign")
    await desk.hears()
    assert "the decision is no current answer" in await anna.see("/acts")
    filed = {"evidence": "ev-7", "supports": "initiation", "kind": "inbound_email", "solicited_at": "yesterday"}
    await rita.send("/clients/cl-1", "/clients/cl-1/file", **filed)
    assert "BAD_FIELD" in await rita.see("/acts")


async def test_narrowing_and_retracting_need_two(desk: Office) -> None:
    await desk.happens(
        "firm.contacted",
        {"by": "firm", "means": "email", "content": "marketing", "promotes": [{"service": "custody"}]},
        at="2026-03-01T06:00:00Z",
        id="mail-1",
    )
    await desk.hears()
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    form = {"exposure": "mail-1", "service-0": "advice", "reason": "the mail was about advice"}
    assert (await rita.send("/clients/cl-1", "/clients/cl-1/narrow", **form)).status_code == 303
    retract = {"evidence": "ev-1-cl-1", "reason": "the call was another client's"}
    page = await rita.see("/clients/cl-1")
    hidden = dict(re.findall(r'<input type="hidden" name="(csrf|once)" value="([^"]*)"', page))
    assert (await rita.http.post("/clients/cl-1/retract", data=hidden | retract)).status_code == 303
    for row in desk.desk.acts.waiting():
        assert (await anna.send("/acts", f"/acts/{row.id}/sign")).status_code == 303
    await desk.hears()
    with desk.engine.connect() as connection:
        kinds = {
            row.kind for row in connection.execute(select(t.said.c.kind).where(t.said.c.source == "//gate61/desk"))
        }
    assert kinds == {"taint.narrowed", "evidence.retracted"}
    assert "retracted" in await rita.see("/clients/cl-1")
    nothing = await rita.send("/clients/cl-1", "/clients/cl-1/narrow", exposure="mail-1", reason="nothing said")
    assert nothing.status_code == 409 and "say what stays tainted" in nothing.text


async def test_of_evidence_it_is_shown_what_counts(desk: Office) -> None:
    """Who approves his own, or retracts alone, has done nothing, and others may still do it (judging section 7)."""
    anna = await desk.signed_in("anna")

    async def shown() -> tuple[str, bool]:
        await desk.hears()
        row = re.search(r"<code>ev-9</code>.*?</tr>", await anna.see("/clients/cl-1"), re.S)
        assert row
        cells = re.findall(r"<td>(.*?)</td>", row[0], re.S)
        return re.sub(r"<[^>]*>", "", cells[4]), ">Approve<" in cells[5] and ">Retract<" in cells[5]

    filed = {"evidence": "ev-9", "supports": "initiation", "request": "e2", "kind": "inbound_email", "by": "st-intake"}
    await desk.happens("evidence.filed", filed)
    await desk.happens("evidence.approved", {"evidence": "ev-9", "by": "st-intake"})
    assert await shown() == ("nobody", True)
    retracted = {"evidence": "ev-9", "by": "st-lead", "reason": "it is another client's"}
    await desk.happens("evidence.retracted", retracted | {"second": "st-lead"})
    assert await shown() == ("nobody", True)
    await desk.happens("evidence.approved", {"evidence": "ev-9", "by": "st-lead"})
    assert await shown() == ("st-lead", True)
    await desk.happens("evidence.retracted", retracted | {"second": "st-kim"})
    assert await shown() == ("st-lead retracted", False)


async def test_a_desk_that_was_killed_between_writing_and_sending_sends_it(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    rita = await desk.signed_in("rita")
    page = f"/decisions/{decision_on(await rita.see('/'))}"
    send = desk.sender.send

    async def killed(event: object) -> Receipt:
        raise KeyboardInterrupt

    monkeypatch.setattr(desk.sender, "send", killed)
    with pytest.raises(KeyboardInterrupt):
        await rita.send(page, f"{page}/refuse", reason="not today")
    monkeypatch.setattr(desk.sender, "send", send)
    (act,) = desk.desk.acts.again()
    await desk.desk.acts.send(act)
    await desk.hears()
    assert desk.desk.acts.again() == [] and "Nothing waits" in await rita.see("/")
    assert positions(desk.engine, t.position)["taken"] > 0
