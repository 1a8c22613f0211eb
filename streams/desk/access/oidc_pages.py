"""Routes of sign-in with an OpenID provider. They are links, not forms: a form's policy would stop the way to the provider."""

from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from gate.policy import SECOND
from streams.desk.access.door import address_of
from streams.desk.access.oidc import UNDER_WAY, Oidc, SignInRefused
from streams.desk.access.provider import NotBelieved, ProviderTrouble
from streams.desk.access.sign_in_pages import inside, signed_in
from streams.desk.pages.view import View

_log = structlog.get_logger("gate61.desk")
_ENDED: Final = "Nobody was signed in. Go to the sign-in page and begin anew."
Long = Annotated[str, Query(max_length=4_096)]


def oidc_pages(view: View, oidc: Oidc) -> APIRouter:
    """Their routes."""
    router, door = APIRouter(prefix="/oidc", dependencies=[Depends(view.desk.door.public())]), view.desk.door
    cookie = "__Host-gate61-oidc" if door.secure else "gate61-oidc"

    def said(request: Request, status: int, what: str) -> Response:
        answer = view.page(request, "said.html", status, title="Not signed in", said=f"{what[:1].upper()}{what[1:]}")
        answer.delete_cookie(cookie, path="/", secure=door.secure, httponly=True, samesite="lax")
        return answer

    def troubled(request: Request, trouble: ProviderTrouble) -> Response:
        _log.error("the sign-in provider cannot be used", cause=str(trouble))
        return said(
            request, 503, f"{oidc.name} cannot be asked now. Try again; if it stays so, tell whoever runs the desk."
        )

    @router.get("/sign-in")
    async def sign_in(request: Request, next: str = "/", again: bool = False) -> Response:
        """To the provider."""
        try:
            secret, way = await oidc.begin(inside(next), again)
        except ProviderTrouble as trouble:
            return troubled(request, trouble)
        answer = RedirectResponse(way, 303)
        seconds = UNDER_WAY // SECOND
        answer.set_cookie(cookie, secret, seconds, secure=door.secure, httponly=True, samesite="lax", path="/")
        return answer

    @router.get("/back")
    async def back(
        request: Request,
        state: Long = "",
        code: Long = "",
        error: Long = "",
        iss: Annotated[str | None, Query()] = None,
    ) -> Response:
        """Back from the provider, with a code for who it is."""
        secret = request.cookies.get(cookie, "")
        if error or not code:
            mine = await view.apart(oidc.drop, secret, state)
            _log.warning("sign-in ended at the provider", cause=error[:64], begun_here=mine)
            return said(request, 400, f"{oidc.name} has let nobody through. {_ENDED}" if mine else _ENDED)
        try:
            arrived = await oidc.finish(secret, state, code, iss)
        except ProviderTrouble as trouble:
            return troubled(request, trouble)
        except SignInRefused as refused:
            _log.warning("sign-in refused", cause=str(refused), address=address_of(request))
            return said(request, 403, f"{refused}.")
        except NotBelieved as doubt:
            _log.warning("sign-in refused", cause=str(doubt), address=address_of(request))
            return said(request, 403, f"What {oidc.name} says of you is not believed: {doubt}. {_ENDED}")
        _log.info("signed in", who=arrived.person.id, by="provider", address=address_of(request))
        answer = await view.apart(signed_in, door, arrived.person.id, request, arrived.next, arrived.shown)
        answer.delete_cookie(cookie, path="/", secure=door.secure, httponly=True, samesite="lax")
        return answer

    @router.get("/sign-out")
    async def sign_out(request: Request) -> Response:
        """To the provider, to sign out there too; it asks before it does. The desk's own session has its own button."""
        try:
            way = await oidc.leaving()
        except ProviderTrouble as trouble:
            return troubled(request, trouble)
        if way is None:
            return said(request, 404, f"{oidc.name} offers no way to sign out from here; do it there.")
        return RedirectResponse(way, 303)

    return router
