"""A client's file: what happened when, by both clocks, with the forms of what may be done about it."""

from typing import Annotated, get_args

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from gate.facts import EvidenceFiled, Service
from gate.policy import REQUIRED_CHANNELS
from streams.border.wire import IDENT
from streams.desk import files
from streams.desk.access.roles import May, Person
from streams.desk.acts import token
from streams.desk.drawing import drawn
from streams.desk.pages.evidence import LEFT
from streams.desk.pages.view import Ref, View
from streams.desk.papers import papers

_HINTS = {field.name: field.type for field in msgspec.structs.fields(EvidenceFiled)}
SUPPORTS: tuple[str, ...] = get_args(_HINTS["supports"])
KINDS: tuple[str, ...] = get_args(_HINTS["kind"])
SERVICES: tuple[str, ...] = get_args(Service)


def client_pages(view: View) -> APIRouter:
    """Its routes."""
    router, desk = APIRouter(), view.desk
    door = desk.door

    @router.get("/clients")
    def find(
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.SEE_CLIENT))],
        ref: Annotated[str, Query(max_length=128)] = "",
    ) -> Response:
        """To the file of the client with that reference."""
        if IDENT.fullmatch(ref):
            return RedirectResponse(f"/clients/{view.path(ref)}", 303)
        return view.missing(request, "a client", ref)

    @router.get("/clients/{client:path}")
    def client(
        client: Ref,
        request: Request,
        person: Annotated[Person, Depends(door.needs(May.SEE_CLIENT))],
        stretch: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Response:
        """The page of one client, or of an earlier stretch of what happened."""
        door.read(request, person, client, "client")
        found = files.file(desk.engine, client, stretch)
        if not found:
            return view.missing(request, "a client", client)
        past = desk.acts.past(client)
        return view.page(
            request,
            "client.html",
            found=found,
            drawing=drawn(found),
            types=files.types(desk.engine, client),
            acts=desk.acts.became([*desk.acts.waiting(client), *past.rows], desk.clock()),
            past=past,
            evidence=papers(client, found.evidence),
            once=token(),
            supports=SUPPORTS,
            kinds=KINDS,
            channels=REQUIRED_CHANNELS,
            services=SERVICES,
            left=range(LEFT),
            most=files.EVENTS_SHOWN,
        )

    return router
