"""One answer: why, by which law, on which facts, what would have had to be different, and what people may do about it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from gate.policy import HOUR
from streams.desk import files
from streams.desk.access.door import form_of
from streams.desk.access.roles import May, Person
from streams.desk.acts import ActRefused, token
from streams.desk.pages.queue import Id
from streams.desk.pages.view import View
from streams.remedies import remedy

HOURS = (1, 4, 8, 24)
"""For how long an offer may be released."""


def decision_pages(view: View) -> APIRouter:
    """Its routes."""
    router, desk = APIRouter(), view.desk
    door = desk.door

    @router.get("/decisions/{id:path}")
    def decision(id: Id, request: Request, person: Annotated[Person, Depends(door.needs(May.SEE_CLIENT))]) -> Response:
        """The page of one answer."""
        found = files.answer(desk.engine, id)
        if found is None:
            return view.missing(request, "an answer", id)
        for client in sorted({found.row.client} | {fact.client for fact in found.leans_on if not fact.of_register}):
            door.read(request, person, client, "decision")
        return view.page(
            request,
            "decision.html",
            found=found,
            remedy=remedy,
            acts=desk.acts.became(desk.acts.on(id), desk.clock()),
            once=token(),
            hours=HOURS,
            now=desk.clock(),
            **_may(found, person),
        )

    @router.post("/decisions/{id:path}/release")
    async def release(
        id: Id,
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.PROPOSE, signs_on="/decisions/{id}"))],
    ) -> Response:
        """Ask for a release; it is published when a second person has signed."""
        found, form = await view.apart(files.answer, desk.engine, id), await form_of(request)
        if found is None:
            return view.missing(request, "an answer", id)
        hours = form.get("hours", "")
        if hours not in map(str, HOURS):
            raise ActRefused(f"say for how many hours: {', '.join(map(str, HOURS))}")
        reason = view.reason_of(form)
        data = {"decision": id, "reason": reason, "hours": int(hours), "latest": found.row.hard_until}
        await desk.acts.begin("release", found.row.client, data, person, desk.clock(), view.once_of(form))
        desk.live.ring()
        return RedirectResponse(f"/decisions/{view.path(id)}#acts", 303)

    @router.post("/decisions/{id:path}/refuse")
    async def refuse(id: Id, request: Request, person: Annotated[Person, Depends(door.needs(May.REFUSE))]) -> Response:
        """Refuse the offer: it leaves the queue and stays unsent."""
        found, form = await view.apart(files.answer, desk.engine, id), await form_of(request)
        if found is None:
            return view.missing(request, "an answer", id)
        if not found.held:
            raise ActRefused("this answer no longer waits for anybody")
        data = {"decision": id, "reason": view.reason_of(form)}
        await desk.acts.begin("refuse", found.row.client, data, person, desk.clock(), view.once_of(form))
        desk.live.ring()
        return RedirectResponse(f"/decisions/{view.path(id)}#acts", 303)

    def _may(found: files.Answer, person: Person) -> dict[str, Any]:
        return {
            "may_release": person.may(May.PROPOSE) and not desk.acts.obstacles(found.row.id, desk.clock()),
            "may_refuse": found.held and person.may(May.REFUSE),
            "may_assign": found.held and person.may(May.ASSIGN),
            "shut": found.row.hard_until is not None and found.row.hard_until <= desk.clock() + HOUR,
        }

    return router
