"""People sign in with the firm's provider."""

from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import func, select
from structlog.testing import capture_logs

from gate.policy import HOUR, MINUTE, SECOND
from streams.desk.access import oidc as under_test
from streams.desk.access.door import undeclared
from streams.desk.access.oidc import sign_in, staff_id
from streams.desk.access.roles import Role
from streams.desk.access.sessions import session
from tests.desk.access.conftest import DESK, Firm
from tests.desk.access.idp import CLIENT, SECRET


def whole(page: str) -> str:
    """Its text without breaks."""
    return " ".join(page.split())


async def test_rita_signs_in_and_is_who_the_provider_says(firm: Firm) -> None:
    """She lands where she wanted to; events will name her id."""
    rita = firm.browser()
    answer = await rita.signs_in("?next=/acts")
    assert (answer.status_code, answer.headers["location"]) == (303, "/acts")
    page = whole((await rita.http.get("/me")).text)
    id = staff_id(firm.idp.issuer, "10042")
    assert "Rita Reviewer" in page and f"<code>{id}</code>, reviewer" in page
    assert "/oidc/sign-in" in (await firm.browser().http.get("/sign-in")).text


async def test_the_provider_is_asked_with_state_nonce_challenge_and_age(firm: Firm) -> None:
    """Authorization code with PKCE; all three values differ between sign-ins."""
    for _ in range(2):
        await firm.browser().signs_in()
    first, second = firm.idp.asked
    assert first["response_type"] == "code" and first["client_id"] == CLIENT
    assert first["redirect_uri"] == f"{DESK}/oidc/back" and first["scope"] == "openid profile"
    assert first["code_challenge_method"] == "S256" and first["max_age"] == "43200" and "prompt" not in first
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43 and first[name] != second[name]


async def test_cookies_are_the_browsers_alone(firm: Firm) -> None:
    """Of the sign-in under way, gone when it is over, and of the session."""
    rita = firm.browser()
    away = await rita.http.get("/oidc/sign-in")
    begun = away.headers["set-cookie"].lower()
    assert begun.startswith("__host-gate61-oidc=") and "max-age=600" in begun
    back = await rita.signs_in()
    given = [cookie.lower() for cookie in back.headers.get_list("set-cookie")]
    assert given[0].startswith("__host-gate61=") and given[1].startswith('__host-gate61-oidc=""; ')
    for cookie in (begun, *given):
        assert all(word in cookie for word in ("; path=/", "; secure", "; httponly", "; samesite=lax"))
        assert "domain" not in cookie
    assert set(rita.http.cookies) == {"__Host-gate61"}


async def test_neither_store_nor_log_holds_what_opens_anything(firm: Firm) -> None:
    """While a sign-in is under way, and afterwards."""
    rita = firm.browser()
    with capture_logs() as logs:
        way = await rita.leaves()
        secrets = [firm.idp.asked[0]["state"], firm.idp.asked[0]["nonce"], rita.http.cookies["__Host-gate61-oidc"]]
        stored = firm.stored()
        await rita.http.get(way)
    secrets += [parse_qs(urlsplit(way).query)["code"][0], firm.idp.redeemed[0]["code_verifier"], SECRET]
    secrets.append(rita.http.cookies["__Host-gate61"])
    said = repr(logs) + stored + firm.stored()
    assert [s for s in secrets if s in said] == []
    assert [log["event"] for log in logs] == ["signed in"] and logs[0]["who"] == staff_id(firm.idp.issuer, "10042")


async def test_two_browsers_are_one_person(firm: Firm) -> None:
    """So nobody signs as the second of himself."""
    for _ in range(2):
        assert (await firm.browser().signs_in()).status_code == 303
    assert len(firm.desk.people.all()) == 1
    assert len(firm.desk.door.sessions.of(staff_id(firm.idp.issuer, "10042"))) == 2


async def test_a_sign_in_replaces_the_session_that_was(firm: Firm) -> None:
    """The old secret is good for nothing."""
    rita = firm.browser()
    await rita.signs_in()
    old = rita.http.cookies["__Host-gate61"]
    await rita.signs_in()
    assert firm.desk.door.sessions.find(old, firm.clock()) is None and await rita.is_in()


@pytest.mark.parametrize("age, shown", [(0, 0), (3 * 3600, 3 * HOUR)])
async def test_a_session_is_as_fresh_as_the_password_was_typed(firm: Firm, age: int, shown: int) -> None:
    """The provider may have remembered her since this morning."""
    firm.idp.auth_age = age
    await firm.browser().signs_in()
    with firm.engine.connect() as connection:
        assert connection.execute(select(session.c.shown)).scalar_one() == firm.clock() - shown


async def test_a_provider_that_does_not_tell_makes_no_fresh_session(firm: Firm) -> None:
    """Good for reading, not for signing."""
    firm.idp.auth_age = None
    rita = firm.browser()
    await rita.signs_in()
    assert await rita.is_in()
    with firm.engine.connect() as connection:
        assert connection.execute(select(session.c.shown)).scalar_one() == 0


async def test_whoever_signs_is_asked_again_by_the_provider(firm: Firm) -> None:
    """`prompt=login`; the provider's word that it has done so is checked."""
    rita = firm.browser()
    assert (await rita.signs_in("?again=true&next=/acts")).headers["location"] == "/acts"
    assert firm.idp.asked[-1]["prompt"] == "login"
    page = (await rita.http.get("/sign-in?again=true&next=/acts")).text
    assert "/oidc/sign-in?next=%2Facts&amp;again=true" in page
    for age, why in ((None, "auth_time"), (61, "too long ago")):
        firm.idp.auth_age = age
        answer = await firm.browser().signs_in("?again=true")
        assert answer.status_code == 403 and why in answer.text


@pytest.mark.parametrize("characters", [600, 2_000, 2_001])
async def test_a_long_way_back_is_kept_and_one_too_long_is_the_queue(firm: Firm, characters: int) -> None:
    """A client's file, whose reference stands percent-encoded in its address, has up to 400 characters or so."""
    to = "/clients/".ljust(characters, "a")
    answer = await firm.browser().signs_in(f"?again=true&next={to}")
    assert answer.headers["location"] == (to if characters <= 2_000 else "/")


async def test_nobody_comes_in_on_what_the_provider_remembers_from_yesterday(firm: Firm) -> None:
    """Twelve hours are the longest."""
    firm.idp.auth_age = 12 * 3600 + 61
    assert (await firm.browser().signs_in()).status_code == 403
    firm.idp.auth_age = 12 * 3600
    assert (await firm.browser().signs_in()).status_code == 303


async def test_sign_out_ends_the_session_and_offers_the_providers(firm: Firm) -> None:
    """The provider asks before it ends its own."""
    rita = firm.browser()
    await rita.signs_in()
    secret = rita.http.cookies["__Host-gate61"]
    found = firm.desk.door.sessions.find(secret, firm.clock())
    assert found is not None
    out = await rita.http.post("/sign-out", data={"csrf": found.csrf}, headers={"origin": DESK})
    assert out.headers["location"] == "/sign-in"
    rita.http.cookies.set("__Host-gate61", secret, "desk.firm.example")
    assert not await rita.is_in()
    assert "/oidc/sign-out" in (await rita.http.get("/sign-in")).text
    leaving = urlsplit((await rita.http.get("/oidc/sign-out")).headers["location"])
    assert f"{leaving.scheme}://{leaving.netloc}{leaving.path}" == f"{firm.idp.issuer}/end_session"
    assert parse_qs(leaving.query) == {"client_id": [CLIENT], "post_logout_redirect_uri": [f"{DESK}/sign-in"]}


async def test_a_provider_without_sign_out_is_said(firm: Firm) -> None:
    """Nothing is pretended."""
    firm.idp.changed = {"end_session_endpoint": None}
    answer = await firm.browser().http.get("/oidc/sign-out")
    assert answer.status_code == 404 and "offers no way to sign out" in answer.text


async def test_other_roles_at_the_provider_end_the_sessions_of_before(firm: Firm) -> None:
    """They count from the next sign-in; the browser next to it must sign in too."""
    one, two = firm.browser(), firm.browser()
    await one.signs_in()
    firm.clock.now += MINUTE
    await two.signs_in()
    assert await one.is_in()
    firm.clock.now += MINUTE
    firm.idp.claims["roles"] = ["approver"]
    await two.signs_in()
    assert await two.is_in() and not await one.is_in()


async def test_whoever_has_no_role_any_more_loses_his_sessions(firm: Firm) -> None:
    """And is told who can help."""
    one, two = firm.browser(), firm.browser()
    await one.signs_in()
    firm.clock.now += MINUTE
    firm.idp.claims["roles"] = ["cook"]
    answer = await two.signs_in()
    assert answer.status_code == 403 and "no role at the desk" in answer.text
    assert not await one.is_in() and not await two.is_in()


async def test_a_stranger_without_role_is_not_kept(firm: Firm) -> None:
    """Anybody of the firm can come to the provider."""
    firm.idp.claims = {"sub": "stranger"}
    assert (await firm.browser().signs_in()).status_code == 403
    assert firm.desk.people.all() == []


async def test_a_disabled_person_is_out_at_once_and_stays_out(firm: Firm) -> None:
    """Whatever the provider says."""
    rita = firm.browser()
    await rita.signs_in()
    firm.desk.people.enable(staff_id(firm.idp.issuer, "10042"), False, firm.clock())
    assert not await rita.is_in()
    answer = await rita.signs_in()
    assert answer.status_code == 403 and "no longer use the desk" in answer.text and not await rita.is_in()


async def test_passwords_are_shut_where_there_is_a_provider(firm: Firm) -> None:
    """Somebody with both would be two people, and could sign twice."""
    firm.desk.people.add("rita", "Rita", frozenset({Role.REVIEWER}), "correct horse battery", firm.clock())
    form = {"who": "rita", "password": "correct horse battery", "next": "/"}
    answer = await firm.browser().http.post("/sign-in", data=form, headers={"origin": DESK})
    assert answer.status_code == 403 and "alone" in answer.text
    assert 'type="password"' not in (await firm.browser().http.get("/sign-in")).text


async def test_people_and_roles_are_the_providers_to_give(firm: Firm) -> None:
    """An admin here can keep people out, no more."""
    await firm.browser().signs_in()
    firm.idp.claims = {"sub": "adam", "roles": ["admin"]}
    adam = firm.browser()
    await adam.signs_in()
    page = (await adam.http.get("/people")).text
    assert "come from the provider" in page and 'action="/people"' not in page and "/roles" not in page
    csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    rita = staff_id(firm.idp.issuer, "10042")
    for path, status in (("/people", 422), (f"/people/{rita}/roles", 422), (f"/people/{rita}/disable", 303)):
        form = {"csrf": csrf, "id": "new", "password": "correct horse battery", "role-approver": "yes"}
        assert (await adam.http.post(path, data=form, headers={"origin": DESK})).status_code == status
    assert {(p.id == rita, p.roles, p.enabled) for p in firm.desk.people.all()} == {
        (True, "reviewer", False),
        (False, "admin", True),
    }


async def test_sign_ins_that_nobody_finishes_do_not_fill_the_store(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may begin one."""
    monkeypatch.setattr(under_test, "AT_ONCE", 5)
    for _ in range(12):
        firm.clock.now += SECOND
        await firm.browser().http.get("/oidc/sign-in")
        with firm.engine.connect() as connection:
            assert connection.execute(select(func.count()).select_from(sign_in)).scalar_one() <= 5
    firm.clock.now += 10 * MINUTE
    await firm.browser().http.get("/oidc/sign-in")
    with firm.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(sign_in)).scalar_one() == 1


def test_every_route_says_whom_it_is_for(firm: Firm) -> None:
    """Also the provider's."""
    assert undeclared(firm.app.routes) == []
    paths = {route.path for route in firm.app.routes if isinstance(route, APIRoute)}
    assert {"/", "/oidc/sign-in", "/oidc/back", "/oidc/sign-out"} <= paths


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_nobody_is_sent_elsewhere(firm: Firm, to: str) -> None:
    """The way back leads into the desk."""
    answer = await firm.browser().signs_in("?" + "next=" + to)
    assert answer.headers["location"] == "/"


async def test_names_from_the_provider_run_nowhere(firm: Firm) -> None:
    """Nor do they break a line."""
    firm.idp.claims["name"] = "<script>alert(1)</script>\r\n\x00"
    rita = firm.browser()
    await rita.signs_in()
    page = (await rita.http.get("/me")).text
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;<" in page
