"""The desk as an application: pages, the door before them, and what follows the logs behind them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from streams.desk.access.door import Forbidden, NotSignedIn, SafeAnswers, StaleSignIn, safe_headers, undeclared
from streams.desk.access.oidc import Oidc
from streams.desk.access.oidc_pages import oidc_pages
from streams.desk.access.own_pages import own_pages
from streams.desk.access.people_pages import people_pages
from streams.desk.access.sign_in_pages import sign_in_pages, to_sign_in
from streams.desk.acts import ActRefused
from streams.desk.desk import Desk
from streams.desk.live import Seen
from streams.desk.pages.acts import act_pages
from streams.desk.pages.cases import case_pages
from streams.desk.pages.clients import client_pages
from streams.desk.pages.decisions import decision_pages
from streams.desk.pages.evidence import evidence_pages
from streams.desk.pages.overviews import overview_pages
from streams.desk.pages.queue import queue_pages
from streams.desk.pages.view import View
from streams.faults import cause
from streams.web.application import bare
from streams.web.problems import Problem

LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_log = structlog.get_logger("gate61.desk")


def desk_app(desk: Desk, host: str | None = None, oidc: Oidc | None = None) -> FastAPI:
    """The application; `host` is the name that browsers know it by, None for this machine's own.

    With `oidc` people sign in at that provider alone.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(desk.follow()), asyncio.create_task(desk.resend())]
        yield
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await desk.close()

    app = bare(lifespan)
    view = View(desk)
    elsewhere = oidc.name if oidc else ""
    routers = [sign_in_pages(view, elsewhere), own_pages(view), people_pages(view, elsewhere)]
    routers += [oidc_pages(view, oidc)] if oidc else []
    every = (queue_pages, decision_pages, client_pages, evidence_pages, case_pages, act_pages)
    routers += [pages(view) for pages in every]
    for router in (*routers, overview_pages(view)):
        app.router.routes.extend(router.routes)  # One flat list, which can be asked whom each route is for.
    _probes(app, desk)
    if silent := undeclared(app.routes):
        raise AssertionError(
            f"routes that say neither whom they are for nor that they are for all: {', '.join(silent)}"
        )
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    _troubles(app, view)
    app.add_middleware(Seen, live=desk.live)
    app.add_middleware(SafeAnswers, secure=desk.door.secure, hosts=frozenset((host,)) if host else LOOPBACK)
    return app


def _probes(app: FastAPI, desk: Desk) -> None:
    open_to_all = [Depends(desk.door.public())]

    @app.get("/livez", dependencies=open_to_all)
    async def livez() -> Response:
        return Response(b'{"alive":true}', media_type="application/json")

    @app.get("/readyz", dependencies=open_to_all)
    async def readyz() -> Response:
        body = b'{"ready":false}' if desk.trouble else b'{"ready":true}'
        return Response(body, 503 if desk.trouble else 200, media_type="application/json")


def _troubles(app: FastAPI, view: View) -> None:
    """Every error as a page that says what to do."""

    def said(request: Request, status: int, title: str, what: str) -> Response:
        return view.page(request, "said.html", status, title=title, said=what)

    @app.exception_handler(NotSignedIn)
    async def not_signed_in(request: Request, _: NotSignedIn) -> Response:
        if request.headers.get("hx-request") == "true":
            return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
        if request.method != "GET" or request.url.path == "/live":
            return said(
                request, 401, "Signed out", "You are signed out, or were too long away. Sign in and do it again."
            )
        return RedirectResponse(to_sign_in(_here(request)), 303)

    @app.exception_handler(StaleSignIn)
    async def stale(_: Request, stale: StaleSignIn) -> Response:
        return RedirectResponse(to_sign_in(stale.page, again=True), 303)

    @app.exception_handler(Forbidden)
    async def forbidden(request: Request, error: Forbidden) -> Response:
        return said(request, 403, "Not for you", f"{str(error)[:1].upper()}{str(error)[1:]}.")

    @app.exception_handler(ActRefused)
    async def refused(request: Request, error: ActRefused) -> Response:
        return said(request, 409, "Not done", f"Nothing was done: {error}.")

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return said(request, error.status, "Not taken", error.detail)

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{e['loc'][-1]}: {e['msg'].lower()}" for e in error.errors())
        return said(request, 422, "Not understood", f"Something in the address of this page is wrong: {wrong}.")

    @app.exception_handler(StarletteHTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        what = "There is no such page." if error.status_code == 404 else "This cannot be done here."
        answer = said(request, error.status_code, "Not found" if error.status_code == 404 else "Not so", what)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(SQLAlchemyError)
    async def store(request: Request, error: SQLAlchemyError) -> Response:
        _log.error("the store cannot be used", cause=type(error).__name__)
        return said(
            request, 503, "Not now", "The desk's store cannot be used; nothing was done. Whoever runs it must look."
        )

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        _log.error("an error of the desk itself", cause=cause(error))
        what = "An error of the desk itself: what you did last may not have been done. Look before you do it again."
        answer = said(request, 500, "Our mistake", what)
        answer.headers.update(safe_headers(view.desk.door.secure))  # This answer is made outside of `SafeAnswers`.
        return answer


def _here(request: Request) -> str:
    """As it was asked for: a path that is written anew may be resolved to another one."""
    path = str(request.scope["raw_path"], "ascii")
    return path + (f"?{request.url.query}" if request.url.query else "")
