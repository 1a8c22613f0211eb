"""Errors over HTTP as problem details (RFC 9457): what happened, and what to do."""

from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

PROBLEM = "application/problem+json"
_TITLES = {
    400: "the request cannot be read",
    401: "a key is needed",
    403: "this is not allowed",
    404: "there is nothing here",
    405: "this is not done here",
    408: "the request took too long",
    409: "this is another log",
    413: "the request is too large",
    415: "this content type is not taken",
    422: "the question cannot be read",
    500: "the gate has failed",
    503: "the gate cannot answer now",
}


class Problem(Exception):
    """A request that is answered with a problem; `more` are further members of it."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers, more


def unanswered(detail: str) -> Problem:
    """A question that cannot be answered: fail closed, so nothing may be sent."""
    return Problem(503, detail, {"Retry-After": "1"}, may_send=False, synchronous=True)


def said(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """A problem as a response."""
    title = _TITLES.get(status, "the request is refused")
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(msgspec.json.encode(body), status, headers, PROBLEM)


def say_problems(app: FastAPI) -> None:
    """Every error of the application becomes a problem."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return said(error.status, error.detail, error.headers, **error.more)

    @app.exception_handler(RequestValidationError)
    async def parameters(_: Request, error: RequestValidationError) -> Response:
        wrong = [f"`{e['loc'][-1]}`: {e['msg'][:1].lower()}{e['msg'][1:]}" for e in error.errors()]
        return said(422, "; ".join(wrong))

    @app.exception_handler(HTTPException)
    async def of_the_framework(_: Request, error: HTTPException) -> Response:
        return said(error.status_code, str(error.detail).lower(), dict(error.headers or {}))

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, error: ClientDisconnect) -> Response:
        return said(400, "the sender went away before the end; nothing was taken")

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        detail = f"an error of the gate itself ({type(error).__name__}); nothing is to be sent on this"
        return said(500, detail, may_send=False)
