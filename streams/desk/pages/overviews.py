"""Over all clients: where offers are held, what is asked for against what is offered, and how it is with the sources."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from streams.desk import files
from streams.desk.access.roles import May, Person
from streams.desk.pages.view import View

STEPS = 5
"""Shades of the heat-map."""


def overview_pages(view: View) -> APIRouter:
    """Their routes."""
    router, desk = APIRouter(), view.desk
    seeing = desk.door.needs(May.SEE_QUEUE)

    @router.get("/heat")
    def heat(request: Request, person: Annotated[Person, Depends(seeing)]) -> Response:
        """Open items by country and service."""
        found = files.heat(desk.engine)

        def shade(country: str, service: str) -> int:
            many = found.held.get((country, service), 0) + found.blocked.get((country, service), 0)
            return 0 if not many else 1 + min(STEPS - 1, many * STEPS // (found.most + 1))

        return view.page(request, "heat.html", heat=found, shade=shade, steps=range(1, STEPS + 1))

    @router.get("/types")
    def types(request: Request, person: Annotated[Person, Depends(seeing)]) -> Response:
        """What clients asked for against what they were offered."""
        return view.page(request, "types.html", types=files.types(desk.engine))

    @router.get("/health")
    async def health(request: Request, person: Annotated[Person, Depends(seeing)]) -> Response:
        """How it is with the sources, and what could not be taken."""
        sources = await desk.feed.health()
        rejects = await view.apart(files.rejects, desk.engine)
        return view.page(request, "health.html", sources=sources, rejects=rejects)

    return router
