"""Who may use the desk: sign-in, sessions, roles, forms of other sites, headers, and who read what."""

import re
import unicodedata
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from sqlalchemy import select

from gate.policy import SECOND
from streams.desk.access.door import asked_of, undeclared
from streams.desk.access.people import PersonRefused, TooMany
from streams.desk.access.roles import GRANTS, Person, Role
from streams.desk.access.sessions import session
from streams.desk.app import desk_app
from tests.desk.desks import PASSWORD, STAFF, Office, office


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened:
        yield opened


def routes(desk: Office) -> Iterator[tuple[str, APIRoute]]:
    """Every method and route of the desk."""
    for route in desk.app.routes:
        if isinstance(route, APIRoute):
            for method in sorted(route.methods or ()):
                yield method, route


def test_every_route_says_whom_it_is_for(desk: Office) -> None:
    assert undeclared(desk.app.routes) == []
    assert sum(1 for _ in routes(desk)) > 30


def test_a_desk_with_a_route_that_does_not_say_so_does_not_start(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody opens a page to everybody by forgetting it."""

    def forgetful(_: object) -> APIRouter:
        router = APIRouter()
        router.get("/forgotten")(lambda: "anybody reads this")
        return router

    monkeypatch.setattr("streams.desk.app.overview_pages", forgetful)
    with pytest.raises(AssertionError, match="/forgotten"):
        desk_app(desk.desk)


@pytest.mark.parametrize("who", [*STAFF, "nobody"])
async def test_role_by_route(desk: Office, who: str) -> None:
    """Each route lets in exactly whom the table of roles lets in; never with an error of its own."""
    await desk.held_offer()
    http = desk.browser() if who == "nobody" else (await desk.signed_in(who)).http
    csrf = ""
    if who != "nobody":
        found = re.search(r'name="csrf" value="([^"]+)"', (await http.get("/me")).text)
        assert found
        csrf = found[1]
    person = None if who == "nobody" else Person(who, who, frozenset((Role(STAFF[who]),)))
    seen = 0
    for method, route in routes(desk):
        if route.path in ("/live", "/sign-out", "/me/end"):
            continue
        path = re.sub(r"\{[^}]+\}", "nothing", route.path)
        answer = await http.request(method, path, data={"csrf": csrf} if method == "POST" else None)
        wanted = asked_of(route)
        assert wanted is not None and answer.status_code < 500, (method, path, answer.status_code)
        is_public = (not wanted and route.path in ("/sign-in", "/livez", "/readyz")) or route.path.startswith("/oidc/")
        may = is_public or (person is not None and (not wanted or any(person.may(each) for each in wanted)))
        let_in = answer.status_code not in (401, 403) and "/sign-in?" not in answer.headers.get("location", "")
        assert let_in == may or is_public, (who, method, path, answer.status_code)
        seen += 1
    assert seen > 25


def test_who_manages_people_reads_no_file_and_signs_nothing() -> None:
    assert {each.name for each in GRANTS[Role.ADMIN]} == {"MANAGE"}
    assert not GRANTS[Role.AUDITOR] & (GRANTS[Role.APPROVER] - GRANTS[Role.VIEWER])


async def test_a_wrong_password_and_an_unknown_person_are_answered_alike(desk: Office) -> None:
    http = desk.browser()
    answers = [
        await http.post("/sign-in", data={"who": who, "password": "wrong words here"}) for who in ("rita", "nobody")
    ]
    texts = {a.text.replace("rita", "X").replace("nobody", "X") for a in answers}
    assert [a.status_code for a in answers] == [401, 401] and len(texts) == 1
    assert not any(a.headers.get("set-cookie") for a in answers)


async def test_guessing_is_slowed_down_also_after_a_restart(desk: Office) -> None:
    people = desk.desk.people
    for _ in range(5):
        assert people.check("rita", "wrong", "10.0.0.1", desk.clock()) is None
    with pytest.raises(TooMany) as slowed:
        people.check("rita", PASSWORD, "10.0.0.2", desk.clock())
    assert slowed.value.seconds >= 1
    again = type(people)(desk.engine)
    with pytest.raises(TooMany):
        again.check("rita", PASSWORD, "10.0.0.2", desk.clock())
    answer = await desk.browser().post("/sign-in", data={"who": "rita", "password": PASSWORD})
    assert answer.status_code == 429 and "too many attempts" in answer.text
    desk.clock.pass_(seconds=5)
    assert people.check("rita", PASSWORD, "10.0.0.2", desk.clock()) is not None
    waits = []
    for _ in range(12):
        while True:
            try:
                people.check("rita", "wrong", "10.0.0.1", desk.clock())
                break
            except TooMany as many:
                waits.append(many.seconds)
                desk.clock.pass_(seconds=many.seconds)
    assert max(waits) >= 60 and max(waits) <= 15 * 60


async def test_one_address_that_tries_everybody_is_slowed_down(desk: Office) -> None:
    with pytest.raises(TooMany):
        for n in range(60):
            desk.desk.people.check(f"person-{n}", "wrong", "10.0.0.9", desk.clock())
    assert desk.desk.people.check("rita", PASSWORD, "10.0.0.8", desk.clock()) is not None


@pytest.mark.parametrize(
    "password",
    ["short", "elevenchars", "x" * 257, "passwordpassword", "rita-rita-rita", "aaaaaaaaaaaaaa", "1234567890123"],
)
def test_weak_passwords_are_refused(desk: Office, password: str) -> None:
    with pytest.raises(PersonRefused):
        desk.desk.people.set_password("rita", password, desk.clock())


@pytest.mark.parametrize(
    "password", ["correct horse battery", "ürgendwo — möglich", "one two three " * 9, " lead and trail "]
)
def test_long_ones_and_any_letters_are_taken(desk: Office, password: str) -> None:
    desk.desk.people.set_password("rita", password, desk.clock())
    assert desk.desk.people.check("rita", password, "a", desk.clock()) is not None


def test_a_long_one_is_the_same_however_its_letters_are_sent(desk: Office) -> None:
    """In one, or as letter and accents apart, which are four times as many; nothing is cut to make one fit."""
    password = "".join(chr(0x1F80 + n % 48) for n in range(256))
    apart = unicodedata.normalize("NFD", password)
    desk.desk.people.set_password("rita", apart, desk.clock())
    assert len(apart) > 900
    for typed in (password, apart):
        assert desk.desk.people.check("rita", typed, "a", desk.clock()) is not None
    for typed in (password + "x", password + "x" * 5_000):
        assert desk.desk.people.check("rita", typed, "a", desk.clock()) is None


async def test_a_session_that_was_forged_ended_or_expired_lets_nobody_in(desk: Office) -> None:
    rita = await desk.signed_in("rita")
    secret = rita.http.cookies["gate61"]
    assert "Queue" in await rita.see("/")
    forged = desk.browser()
    forged.cookies.set("gate61", secret[:-1] + ("a" if secret[-1] != "a" else "b"))
    assert (await forged.get("/")).status_code == 303
    await rita.send("/me", "/sign-out")
    replayed = desk.browser()
    replayed.cookies.set("gate61", secret)
    assert (await replayed.get("/")).headers["location"].startswith("/sign-in")
    assert (await replayed.get("/", headers={"hx-request": "true"})).headers["hx-redirect"] == "/sign-in"
    late = await desk.signed_in("rita")
    desk.clock.pass_(minutes=29)
    await late.see("/")
    desk.clock.pass_(minutes=31)
    assert (await late.http.get("/")).status_code == 303
    busy = await desk.signed_in("rita")
    for _ in range(25):
        desk.clock.pass_(minutes=28)
        await busy.see("/")
    desk.clock.pass_(minutes=28)
    assert (await busy.http.get("/")).status_code == 303, "twelve hours are over"


async def test_a_page_that_is_only_open_keeps_no_session_alive(desk: Office) -> None:
    rita = await desk.signed_in("rita")
    for _ in range(4):
        desk.clock.pass_(minutes=9)
        answer = await rita.http.get("/", headers={"hx-request": "true"})
    assert answer.status_code == 401 and answer.headers["hx-redirect"] == "/sign-in"


async def test_signing_in_makes_a_new_session_and_only_its_digest_is_kept(desk: Office) -> None:
    rita = await desk.signed_in("rita")
    first = rita.http.cookies["gate61"]
    answer = await rita.http.post("/sign-in", data={"who": "rita", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and first not in cookie
    with desk.engine.connect() as connection:
        rows = connection.execute(select(session)).all()
    assert len(rows) == 1 and first not in repr(rows) and rita.http.cookies["gate61"] not in repr(rows)


async def test_who_is_disabled_or_given_other_roles_is_out_at_once(desk: Office) -> None:
    rita, adam = await desk.signed_in("rita"), await desk.signed_in("adam")
    desk.clock.pass_(seconds=2)
    assert (await adam.send("/people", "/people/rita/disable")).status_code == 303
    assert (await rita.http.get("/")).status_code == 303
    assert (await desk.browser().post("/sign-in", data={"who": "rita", "password": PASSWORD})).status_code == 401
    vera = await desk.signed_in("vera")
    desk.clock.pass_(seconds=2)
    assert (await adam.send("/people", "/people/vera/roles", **{"role-auditor": "yes"})).status_code == 303
    assert (await vera.http.get("/")).status_code == 303
    assert "auditor" in await (await desk.signed_in("vera")).see("/me")
    own = await adam.send("/people", "/people/adam/disable")
    assert own.status_code == 422 and "somebody else" in own.text


async def test_a_new_person_signs_in_and_changes_the_password(desk: Office) -> None:
    adam = await desk.signed_in("adam")
    form = {"id": "nina", "name": "Nina", "password": "first words she gets", "role-viewer": "yes"}
    assert (await adam.send("/people", "/people", **form)).status_code == 303
    again = await adam.send("/people", "/people", **form)
    assert again.status_code == 422 and "already" in again.text
    http = desk.browser()
    assert (await http.post("/sign-in", data={"who": "nina", "password": form["password"]})).status_code == 303
    csrf = re.search(r'name="csrf" value="([^"]+)"', (await http.get("/me")).text)
    assert csrf
    data = {"csrf": csrf[1], "old": form["password"], "new": "words of her own choice"}
    wrong = await http.post("/me/password", data=data | {"old": "not that"})
    assert wrong.status_code == 422 and "present password is wrong" in wrong.text
    assert (await http.post("/me/password", data=data)).status_code == 303
    assert (await http.get("/")).status_code == 200
    assert (await desk.browser().post("/sign-in", data={"who": "nina", "password": data["new"]})).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"origin": "https://["},
    ],
)
async def test_forms_of_other_sites_do_nothing(desk: Office, headers: dict[str, str]) -> None:
    await desk.held_offer()
    rita = await desk.signed_in("rita")
    csrf = re.search(r'name="csrf" value="([^"]+)"', await rita.see("/me"))
    assert csrf
    answer = await rita.http.post("/sign-out", data={"csrf": csrf[1]}, headers=headers)
    assert answer.status_code == 403 and (await rita.http.get("/")).status_code == 200
    signed = await desk.browser().post("/sign-in", data={"who": "rita", "password": PASSWORD}, headers=headers)
    assert signed.status_code == 403


async def test_a_form_needs_the_token_of_its_own_session(desk: Office) -> None:
    rita, rolf = await desk.signed_in("rita"), await desk.signed_in("rolf")
    other = re.search(r'name="csrf" value="([^"]+)"', await rolf.see("/me"))
    assert other
    for csrf in ("", "x", other[1]):
        assert (await rita.http.post("/sign-out", data={"csrf": csrf})).status_code == 403
    mine = re.search(r'name="csrf" value="([^"]+)"', await rita.see("/me"))
    assert mine
    assert (await rita.http.post("/sign-out", headers={"x-csrf-token": mine[1]})).status_code == 303


@pytest.mark.parametrize("client", ["cl/1", ":" * 122])
async def test_who_signs_must_have_shown_lately_who_he_is(desk: Office, client: str) -> None:
    """He shows it once more, and is back on the page where the form stands, whatever he signs.

    A reference may have what separates parts of an address, and be long, each of its characters three in an address.
    """
    await desk.held_offer(client)
    filed = {"evidence": "ev-3", "supports": "initiation", "kind": "inbound_call", "by": "st-intake"}
    await desk.happens("evidence.filed", filed, client=client)
    await desk.hears()
    rita, anna = await desk.signed_in("rita"), await desk.signed_in("anna")
    of_answer = re.search(r'href="(/decisions/[^"]+)"', await anna.see("/"))
    assert of_answer
    released = {"reason": "it is fine", "hours": "1"}
    await rita.send(of_answer[1], f"{of_answer[1]}/release", **released)
    (act,) = [row.id for row in desk.desk.acts.waiting()]
    of_client = f"/clients/{quote(client, safe='')}"
    signatures: tuple[tuple[str, str, dict[str, str]], ...] = (
        (of_client, f"{of_client}/approve", {"evidence": "ev-3"}),
        (of_client, f"{of_client}/retract", {"evidence": "ev-3", "reason": "it is forged"}),
        (of_client, f"{of_client}/narrow", {"exposure": "c-1", "none": "yes", "reason": "he saw none of it"}),
        (of_answer[1], f"{of_answer[1]}/release", released),
        ("/acts", f"/acts/{act}/sign", {}),
    )
    for page, action, fields in signatures:
        desk.clock.pass_(minutes=16)
        before = (len(desk.desk.acts.waiting(client)), desk.desk.acts.past(client).total)
        asked = (await anna.send(page, action, **fields)).headers["location"]
        form = await anna.see(asked)
        assert (
            "Show once more who you are" in form
            and (len(desk.desk.acts.waiting(client)), desk.desk.acts.past(client).total) == before
        )
        to = re.search(r'name="next" value="([^"]+)"', form)
        assert to
        back = await anna.http.post("/sign-in", data={"who": "anna", "password": PASSWORD, "next": to[1]})
        done = await anna.send(back.headers["location"], action, **fields)
        assert done.status_code == 303 and "sign-in" not in done.headers["location"], action


@pytest.mark.parametrize(
    "link",
    [
        f"/clients/{quote('a:' * 64, safe='')}",
        f"/?state=held&country=DE&after=0.{'1' * 200}",
        "/?reason=" + "R" * 1_991,
    ],
)
async def test_a_link_is_followed_after_signing_in_however_long_it_is(desk: Office, link: str) -> None:
    """Up to 2,000 characters; what is longer leads to the queue."""
    http = desk.browser()
    for way, to in ((link, link), (link + "?" * 2_000, "/")):
        asked = await http.get((await http.get(way)).headers["location"])
        shown = re.search(r'name="next" value="([^"]+)"', asked.text)
        assert asked.status_code == 200 and shown and unescape(shown[1]) == to
        back = await desk.browser().post("/sign-in", data={"who": "rita", "password": PASSWORD, "next": way})
        assert back.headers["location"] == to


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_signing_in_leads_nowhere_else(desk: Office, to: str) -> None:
    answer = await desk.browser().post("/sign-in", data={"who": "rita", "password": PASSWORD, "next": to})
    assert answer.headers["location"] == "/"


async def test_every_answer_has_the_headers(desk: Office) -> None:
    rita = await desk.signed_in("rita")
    for path in ("/", "/sign-in", "/nothing", "/static/desk.css", "/static/nothing", "/livez"):
        answer = await rita.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == ("no-store" if "static" not in path else "max-age=3600")
    for host in ("rebound.example", "[", ""):
        assert (await rita.http.get("/", headers={"host": host})).status_code == 421, host


async def test_every_read_of_a_file_is_recorded_before_it_is_shown(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.held_offer()
    vera, otto = await desk.signed_in("vera"), await desk.signed_in("otto")
    page = re.search(r'href="(/decisions/[^"]+)"', await vera.see("/"))
    assert page
    await vera.see(page[1])
    await vera.see("/clients/cl-1")
    reads = await otto.see("/reads?client=cl-1")
    assert reads.count("vera") >= 2 and ">decision<" in reads and ">client<" in reads
    assert (await vera.http.get("/reads")).status_code == 403
    for minutes, more in ((1, 0), (5, 0), (6, 1), (9, 0)):  # The page stays open and renews itself.
        before = desk.desk.door.sessions.reads().total
        desk.clock.pass_(minutes=minutes)
        assert (await vera.http.get("/clients/cl-1", headers={"hx-request": "true"})).status_code == 200
        assert desk.desk.door.sessions.reads().total == before + more

    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(desk.desk.door.sessions, "record_read", full)
    with pytest.raises(OSError, match="disk full"):
        await vera.http.get("/clients/cl-1")


async def test_what_others_wrote_is_text_and_nothing_else(desk: Office) -> None:
    nasty = "<script>alert(1)</script>{{7*7}}\"'"
    await desk.held_offer()
    await desk.happens("client.declared", {"claim": "own_initiative", "text_version": nasty}, at="2026-03-02T01:00:00Z")
    rita = await desk.signed_in("rita")
    page = re.search(r'href="(/decisions/[^"]+)"', await rita.see("/"))
    assert page
    await rita.send(page[1], f"{page[1]}/refuse", reason=nasty)
    await desk.hears()
    for path in ("/", page[1], "/clients/cl-1", "/acts", "/types", "/health", "/?reason=<script>alert(1)</script>"):
        text = await rita.see(path)
        assert "<script>alert" not in text and "49" not in re.sub(r"[0-9T:. -]{10,}|\w*49\w*", "", text)
    assert "&lt;script&gt;" in await rita.see("/clients/cl-1")


async def test_passwords_and_secrets_are_in_no_log(desk: Office, capsys: pytest.CaptureFixture[str]) -> None:
    rita = await desk.signed_in("rita")
    await desk.browser().post("/sign-in", data={"who": "rita", "password": "a wrong one of hers"})
    said = "".join(capsys.readouterr())
    assert "signed in" in said and "sign-in refused" in said
    assert PASSWORD not in said and "a wrong one" not in said and rita.http.cookies["gate61"] not in said
    assert SECOND == 1_000_000


@pytest.mark.parametrize("reference", ["..", "a/../b", "//x.example/"])
async def test_who_must_sign_in_first_comes_to_the_file_that_he_asked_for(desk: Office, reference: str) -> None:
    asked = f"/clients/{'~' if reference in ('.', '..') else ''}{quote(reference, safe='')}"
    answer = await desk.browser().get(asked)
    assert answer.headers["location"] == f"/sign-in?next={quote(asked, safe='')}"
