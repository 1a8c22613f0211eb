"""Sign-in with a password, and sign-out."""

from typing import Annotated, Final
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from gate.facts import Instant
from streams.desk.access.door import Door, Forbidden, address_of, form_of
from streams.desk.access.people import TooMany
from streams.desk.access.roles import Person
from streams.desk.pages.view import View

WAY_LIMIT: Final = 2_000
"""Characters of a place to go to: a client's reference, percent-encoded, is up to 384, and the queue has six filters."""
_log = structlog.get_logger("gate61.desk")


def inside(path: str) -> str:
    """A place of the desk itself to go to; anything else, and what is too long for one, is the queue."""
    whole = len(path) <= WAY_LIMIT and "\n" not in path
    return path if whole and path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def signed_in(door: Door, who: str, request: Request, to: str, shown: Instant | None = None) -> Response:
    """A new session, in place of the one that was; `shown` is when he showed who he is, if not now."""
    before = request.cookies.get(door.cookie)
    if before:
        door.sessions.end(before)
    secret = door.sessions.begin(who, address_of(request), door.clock(), shown)
    answer = RedirectResponse(inside(to), 303)
    answer.set_cookie(door.cookie, secret, secure=door.secure, httponly=True, samesite="lax", path="/")
    return answer


def to_sign_in(path: str, again: bool = False) -> str:
    """Where somebody goes who must sign in first, or once more."""
    return f"/sign-in?next={quote(inside(path), safe='')}{'&again=true' if again else ''}"


def sign_in_pages(view: View, elsewhere: str = "") -> APIRouter:
    """Their routes; `elsewhere` is the name of the provider with whom people sign in, and with no password here then."""
    router, desk = APIRouter(), view.desk
    door, people = desk.door, desk.people
    public, anybody = door.public(), door.needs()

    def asked(
        request: Request, to: str, who: str = "", wrong: str = "", status: int = 200, again: bool = False
    ) -> Response:
        headers = {"retry-after": "60"} if status == 429 else {}
        shown = {"next": inside(to), "who": who, "wrong": wrong, "again": again}
        return view.page(request, "sign_in.html", status, headers, elsewhere=elsewhere, **shown)

    @router.get("/sign-in", dependencies=[Depends(public)])
    def sign_in_page(request: Request, next: str = "/", again: bool = False) -> Response:
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
        return await view.apart(signed_in, door, found.id, request, to)

    @router.post("/sign-out")
    def sign_out(request: Request, person: Annotated[Person, Depends(anybody)]) -> Response:
        """End this session, at the server too."""
        door.sessions.end(request.cookies.get(door.cookie, ""))
        _log.info("signed out", who=person.id)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(door.cookie, path="/", secure=door.secure, httponly=True, samesite="lax")
        return answer

    return router
