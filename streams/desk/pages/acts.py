"""What people did at the desk, what waits for a second signature, and what became of each."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from streams.desk.access.roles import May, Person
from streams.desk.acts import KINDS
from streams.desk.pages.queue import Id
from streams.desk.pages.view import Place, View, Word


def act_pages(view: View) -> APIRouter:
    """Their routes."""
    router, desk = APIRouter(), view.desk
    door = desk.door

    @router.get("/acts")
    def acts(
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.SEE_CLIENT))],
        client: Word = "",
        after: Place = None,
    ) -> Response:
        """All that wait, and a page of all others; of one client or of all."""
        if client:
            door.read(request, person, client, "acts")
        now, past = desk.clock(), desk.acts.past(client, after)
        waiting, done = desk.acts.became(desk.acts.waiting(client), now), desk.acts.became(past.rows, now)
        shown: dict[str, Any] = {
            "waiting": waiting,
            "done": done,
            "past": past,
            "client": client,
            "after": after,
            "kinds": KINDS,
        }
        return view.page(request, "acts.html", **shown)

    @router.post("/acts/{id}/sign")
    async def sign(id: Id, person: Annotated[Person, Depends(door.needs(May.SIGN, signs_on="/acts"))]) -> Response:
        """Sign as the second, who must be another person."""
        await desk.acts.sign(id, person, desk.clock())
        desk.live.ring()
        return RedirectResponse(f"/acts#{id}", 303)

    @router.post("/acts/{id}/withdraw")
    async def withdraw(id: Id, person: Annotated[Person, Depends(door.needs(May.PROPOSE, May.SIGN))]) -> Response:
        """Take back what waits."""
        await view.apart(desk.acts.withdraw, id, person)
        desk.live.ring()
        return RedirectResponse("/acts", 303)

    @router.post("/acts/{id}/again")
    async def again(id: Id, person: Annotated[Person, Depends(door.needs(May.PROPOSE, May.SIGN))]) -> Response:
        """Publish again what may not have arrived."""
        await desk.acts.send(id)
        return RedirectResponse(f"/acts#{id}", 303)

    return router
