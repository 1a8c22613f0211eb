"""The queue of held and blocked offers, live."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from streams.desk import queue as q
from streams.desk.access.roles import May, Person
from streams.desk.live import STREAMS, Recent
from streams.desk.pages.view import Place, View, Word

Id = Annotated[str, Path(max_length=256)]


def queue_pages(view: View) -> APIRouter:
    """Its routes."""
    router, desk = APIRouter(), view.desk
    recent = Recent(desk.live)
    seeing = desk.door.needs(May.SEE_QUEUE)
    assigning = desk.door.needs(May.ASSIGN)

    @router.get("/")
    def queue(
        request: Request,
        person: Annotated[Person, Depends(seeing)],
        state: Word = "",
        reason: Word = "",
        country: Word = "",
        service: Word = "",
        assignee: Word = "",
        older: Annotated[int, Query(ge=0, le=100_000)] = 0,
        after: Place = None,
    ) -> Response:
        """The page, or only its part that changes where htmx asks for that."""
        mine = person.id if assignee == "me" else assignee
        filter, now = q.Filter(state, reason, country, service, mine, older), desk.clock()
        shown = recent.get((filter, after), lambda: q.queue(desk.engine, filter, now, after))
        shown_filter = q.Filter(state, reason, country, service, assignee, older)
        part = request.headers.get("hx-request") == "true"
        return view.page(
            request,
            "queue_part.html" if part else "queue.html",
            shown=shown,
            filter=shown_filter,
            after=after,
            part=part,
            matching=recent.get(("count", filter), lambda: q.count(desk.engine, filter, now)),
            counted=q.COUNTED,
            tallies=recent.get("tallies", lambda: q.tallies(desk.engine)),
        )

    @router.get("/live")
    async def live(
        request: Request,
        person: Annotated[Person, Depends(seeing)],
        seen: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    ) -> Response:
        """Says that something changed since `seen`; a session that ends, ends its streams with the next word."""
        if desk.live.listening >= STREAMS:
            return Response(status_code=503, headers={"retry-after": "10"})

        async def told() -> AsyncIterator[bytes]:
            async for word in desk.live.stream(seen):
                if await view.apart(desk.door.session, request) is None:
                    yield b"event: signed-out\ndata: \n\n"
                    return
                yield word

        return StreamingResponse(told(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    @router.post("/queue/{id:path}/assign")
    async def assign(id: Id, request: Request, person: Annotated[Person, Depends(assigning)]) -> Response:
        """Take an item on."""
        await view.apart(desk.acts.assign, id, person, desk.clock())
        return done(id, request)

    @router.post("/queue/{id:path}/let-go")
    async def let_go(id: Id, request: Request, person: Annotated[Person, Depends(assigning)]) -> Response:
        """Let an item go."""
        await view.apart(desk.acts.let_go, id)
        return done(id, request)

    def done(id: str, request: Request) -> Response:
        """The queue stays where it is and hears of the change; from elsewhere the way leads to the answer."""
        desk.live.ring()
        if request.headers.get("hx-request") == "true":
            return Response(status_code=204)
        return RedirectResponse(f"/decisions/{view.path(id)}", 303)

    return router
