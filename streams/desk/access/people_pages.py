"""People and their roles, and who read what."""

from collections.abc import Mapping
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from streams.desk.access.door import form_of
from streams.desk.access.people import PersonRefused
from streams.desk.access.roles import May, Person, Role
from streams.desk.pages.view import Place, View, Word

_log = structlog.get_logger("gate61.desk")
Id = Annotated[str, Path(max_length=128)]


def people_pages(view: View, elsewhere: str = "") -> APIRouter:
    """Their routes; `elsewhere` is the name of the provider from whom people and their roles come, if not from here."""
    router, desk = APIRouter(), view.desk
    door, people = desk.door, desk.people
    managing = door.needs(May.MANAGE)

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
            return await view.apart(everybody, request, str(refused), 422)
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
            await view.apart(people.set_roles, id, wanted, desk.clock())
        except PersonRefused as refused:
            return await view.apart(everybody, request, str(refused), 422)
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
        after: Place = None,
    ) -> Response:
        """Who read whose file."""
        found = door.sessions.reads(client, who, after)
        return view.page(request, "reads.html", reads=found, client=client, who=who, after=after)

    return router


def _roles(form: Mapping[str, str]) -> frozenset[Role]:
    return frozenset(role for role in Role if form.get(f"role-{role}"))
