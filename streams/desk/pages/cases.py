"""Cases: what a person must look at, with old and new answers side by side."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from streams.desk import files
from streams.desk.access.door import form_of
from streams.desk.access.roles import May, Person
from streams.desk.pages.queue import Id
from streams.desk.pages.view import Place, View


def case_pages(view: View) -> APIRouter:
    """Its routes."""
    router, desk = APIRouter(), view.desk
    door = desk.door

    @router.get("/cases")
    def cases(
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.SEE_QUEUE))],
        closed: bool = False,
        after: Place = None,
    ) -> Response:
        """Cases that wait, or that are closed."""
        found = files.cases(desk.engine, closed, after)
        return view.page(request, "cases.html", cases=found, closed=closed, after=after)

    @router.get("/cases/{id:path}")
    def case(id: Id, request: Request, person: Annotated[Person, Depends(door.needs(May.SEE_CLIENT))]) -> Response:
        """One case."""
        found = files.case_file(desk.engine, id)
        if found is None:
            return view.missing(request, "a case", id)
        if found.row.client is not None:
            door.read(request, person, found.row.client, "case")
        return view.page(request, "case.html", found=found)

    @router.post("/cases/{id:path}/close")
    async def close(id: Id, request: Request, person: Annotated[Person, Depends(door.needs(May.CLOSE))]) -> Response:
        """Close it, with a reason."""
        if await view.apart(files.case_file, desk.engine, id) is None:
            return view.missing(request, "a case", id)
        reason = view.reason_of(await form_of(request))
        await view.apart(desk.acts.close, id, person, reason, desk.clock())
        desk.live.ring()
        return RedirectResponse(f"/cases/{view.path(id)}", 303)

    return router
