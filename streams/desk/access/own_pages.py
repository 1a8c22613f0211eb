"""One's own page: where one is signed in, and one's password."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from streams.desk.access.door import address_of, form_of
from streams.desk.access.people import PersonRefused, TooMany
from streams.desk.access.roles import Person
from streams.desk.access.sign_in_pages import signed_in
from streams.desk.pages.view import View

_log = structlog.get_logger("gate61.desk")


def own_pages(view: View) -> APIRouter:
    """Its routes."""
    router, desk = APIRouter(), view.desk
    door, people = desk.door, desk.people
    anybody = door.needs()

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
        form = await form_of(request)
        await view.apart(door.sessions.end_of, person.id, form.get("session", ""))
        return RedirectResponse("/me", 303)

    @router.post("/me/password")
    async def password(request: Request, person: Annotated[Person, Depends(anybody)]) -> Response:
        """Change one's own password; all one's sessions but a new one end."""
        form = await form_of(request)
        try:
            found = await view.apart(people.check, person.id, form.get("old", ""), address_of(request), desk.clock())
            if found is None:
                return await view.apart(mine, request, person, "the present password is wrong", 422)
            await view.apart(people.set_password, person.id, form.get("new", ""), desk.clock())
        except (PersonRefused, TooMany) as refused:
            return await view.apart(mine, request, person, str(refused), 422)
        _log.info("password changed", who=person.id)
        return await view.apart(signed_in, door, person.id, request, "/me")

    return router
