"""Sign-in and sign-out, one's own sessions and password, people and their roles, and who read what."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from gate.facts import Instant
from streams.desk.access.door import Door, Forbidden, address_of, form_of
from streams.desk.access.people import PersonRefused, TooMany
from streams.desk.access.roles import May, Person, Role
from streams.desk.pages.view import View

_log = structlog.get_logger("gate61.desk")
Id = Annotated[str, Path(max_length=128)]
Word = Annotated[str, Query(max_length=128)]


def inside(path: str) -> str:
    """A place of the desk itself to go to; anything else is the queue."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and "\n" not in path else "/"


def signed_in(door: Door, who: str, request: Request, to: str, shown: Instant | None = None) -> Response:
    """A new session, in place of the one that was; `shown` is when he showed who he is, if not now."""
    before = request.cookies.get(door.cookie)
    if before:
        door.sessions.end(before)
    secret = door.sessions.begin(who, address_of(request), door.clock(), shown)
    answer = RedirectResponse(inside(to), 303)
    answer.set_cookie(door.cookie, secret, secure=door.secure, httponly=True, samesite="lax", path="/")
    return answer


def access_pages(view: View, elsewhere: str = "") -> APIRouter:
    """Their routes; `elsewhere` is the name of the provider with whom people sign in, and with no password here then."""
    router, desk = APIRouter(), view.desk
    door, people = desk.door, desk.people
    public, anybody, managing = door.public(), door.needs(), door.needs(May.MANAGE)

    def asked(request: Request, to: str, who: str = "", wrong: str = "", status: int = 200, **more: bool) -> Response:
        headers = {"retry-after": "60"} if status == 429 else {}
        shown = {"next": inside(to), "who": who, "wrong": wrong, "again": more.get("again", False)}
        return view.page(request, "sign_in.html", status, headers, elsewhere=elsewhere, **shown)

    @router.get("/sign-in", dependencies=[Depends(public)])
    def sign_in_page(request: Request, next: Word = "/", again: bool = False) -> Response:
        """The form."""
        return asked(request, next, again=again)

    @router.post("/sign-in", dependencies=[Depends(public)])
    async def sign_in(request: Request) -> Response:
        """Check who it is; a wrong password and an unknown person are answered alike."""
        if elsewhere:
            raise Forbidden(f"people sign in here with {elsewhere} alone, so that nobody is two people")
        form = await form_of(request)
        who, to = form.get("who", "").strip(), form.get("next", "/")
        try:
            found = await view.apart(people.check, who, form.get("password", ""), address_of(request), desk.clock())
        except TooMany as many:
            _log.warning("sign-in slowed down", who=who[:64])
            return asked(request, to, who, str(many), 429)
        if found is None:
            _log.warning("sign-in refused", who=who[:64])
            return asked(request, to, who, "There is no such person with this password.", 401)
        _log.info("signed in", who=found.id)
        return signed_in(door, found.id, request, to)

    @router.post("/sign-out")
    def sign_out(request: Request, person: Annotated[Person, Depends(anybody)]) -> Response:
        """End this session, at the server too."""
        door.sessions.end(request.cookies.get(door.cookie, ""))
        _log.info("signed out", who=person.id)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(door.cookie, path="/", secure=door.secure, httponly=True, samesite="lax")
        return answer

    def mine(request: Request, person: Person, wrong: str = "", status: int = 200) -> Response:
        local = any(p.id == person.id and p.password for p in people.all())
        here = request.state.session.digest
        return view.page(
            request, "me.html", status, sessions=door.sessions.of(person.id), here=here, local=local, wrong=wrong
        )

    @router.get("/me")
    def me(request: Request, person: Annotated[Person, Depends(anybody)]) -> Response:
        """Who one is, and where one is signed in."""
        return mine(request, person)

    @router.post("/me/end")
    async def end(request: Request, person: Annotated[Person, Depends(anybody)]) -> Response:
        """End one of one's own sessions."""
        door.sessions.end_of(person.id, (await form_of(request)).get("session", ""))
        return RedirectResponse("/me", 303)

    @router.post("/me/password")
    async def password(request: Request, person: Annotated[Person, Depends(anybody)]) -> Response:
        """Change one's own password; all one's sessions but a new one end."""
        form = await form_of(request)
        try:
            found = await view.apart(people.check, person.id, form.get("old", ""), address_of(request), desk.clock())
            if found is None:
                return mine(request, person, "the present password is wrong", 422)
            await view.apart(people.set_password, person.id, form.get("new", ""), desk.clock())
        except (PersonRefused, TooMany) as refused:
            return mine(request, person, str(refused), 422)
        _log.info("password changed", who=person.id)
        return signed_in(door, person.id, request, "/me")

    def everybody(request: Request, wrong: str = "", status: int = 200) -> Response:
        everyone, known = people.all(), list(Role)
        return view.page(request, "people.html", status, people=everyone, roles=known, elsewhere=elsewhere, wrong=wrong)

    def given_here() -> None:
        if elsewhere:
            raise PersonRefused(f"people and their roles come from {elsewhere}; here they can be disabled")

    @router.get("/people")
    def all_people(request: Request, person: Annotated[Person, Depends(managing)]) -> Response:
        """Everybody and their roles."""
        return everybody(request)

    @router.post("/people")
    async def add(request: Request, person: Annotated[Person, Depends(managing)]) -> Response:
        """A new person."""
        form = await form_of(request)
        given = form.get("id", "").strip(), form.get("name", "").strip(), _roles(form)
        try:
            given_here()
            await view.apart(people.add, *given, form.get("password", ""), desk.clock())
        except PersonRefused as refused:
            return everybody(request, str(refused), 422)
        _log.info("person added", by=person.id, who=given[0])
        return RedirectResponse("/people", 303)

    @router.post("/people/{id}/roles")
    async def roles(id: Id, request: Request, person: Annotated[Person, Depends(managing)]) -> Response:
        """Other roles."""
        wanted = _roles(await form_of(request))
        try:
            given_here()
            if id == person.id and Role.ADMIN not in wanted:
                raise PersonRefused(
                    "somebody else must take this role from you, so that one is left who manages people"
                )
            people.set_roles(id, wanted, desk.clock())
        except PersonRefused as refused:
            return everybody(request, str(refused), 422)
        _log.info("roles changed", by=person.id, who=id)
        return RedirectResponse("/people", 303)

    @router.post("/people/{id}/{word}")
    def enable(id: Id, word: Id, request: Request, person: Annotated[Person, Depends(managing)]) -> Response:
        """Let somebody in, or no longer."""
        if word not in ("enable", "disable"):
            return view.missing(request, "a page", word)
        try:
            if id == person.id:
                raise PersonRefused("somebody else must disable you, so that one is left who manages people")
            people.enable(id, word == "enable", desk.clock())
        except PersonRefused as refused:
            return everybody(request, str(refused), 422)
        _log.info(f"person {word}d", by=person.id, who=id)
        return RedirectResponse("/people", 303)

    @router.get("/reads")
    def reads(
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.SEE_READS))],
        client: Word = "",
        who: Word = "",
    ) -> Response:
        """Who read whose file."""
        found = door.sessions.reads(client or None, who or None)
        return view.page(request, "reads.html", reads=found, client=client, who=who)

    return router


def to_sign_in(path: str, again: bool = False) -> str:
    """Where somebody goes who must sign in first, or once more."""
    return f"/sign-in?next={quote(inside(path), safe='')}{'&again=true' if again else ''}"


def _roles(form: Mapping[str, str]) -> frozenset[Role]:
    return frozenset(role for role in Role if form.get(f"role-{role}"))
