"""The door of the desk: who a request is from, whether he may, whether a form is his own, and what headers say.

Source: OWASP ASVS 5, chapters 3 (headers, origins), 7 (sessions) and 8 (authorisation), level 2.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.desk.access.roles import May, Person
from streams.desk.access.sessions import FRESH, Session, Sessions, same
from streams.web.access import host_of
from streams.web.clock import Clock
from streams.web.requests import body_of

FORM_LIMIT: Final = 64 * 1024
FIELDS: Final = 200
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}
_SECURE: Final = {"strict-transport-security": "max-age=63072000"}
_PUBLIC: Final = "gate61_public"
_NEEDS: Final = "gate61_needs"


class NotSignedIn(Exception):
    """Nobody is signed in here, or no longer."""


class StaleSignIn(Exception):
    """Who signs must show once more who he is; `page` is where the form stands that he was about to send."""

    def __init__(self, page: str) -> None:
        self.page = page
        super().__init__(page)


class Forbidden(Exception):
    """He may not; says what would be needed."""


class Door:
    """Decides for every request."""

    def __init__(self, sessions: Sessions, clock: Clock, secure: bool) -> None:
        """`secure` is whether browsers come over https."""
        self.sessions = sessions
        self.clock = clock
        self.secure = secure
        self.cookie = "__Host-gate61" if secure else "gate61"

    def session(self, request: Request) -> Session | None:
        """The session that a request shows."""
        secret = request.cookies.get(self.cookie)
        active = request.headers.get("hx-request") != "true" and "text/event-stream" not in request.headers.get(
            "accept", ""
        )
        return self.sessions.find(secret, self.clock(), active) if secret else None

    def needs(self, *what: May, signs_on: str = "") -> Callable[[Request], Awaitable[Person]]:
        """A dependency of routes: somebody signed in whose roles grant one of these.

        `signs_on` is for signatures, whose person must have shown lately who he is: the page that the form stands on,
        with the route's own parameters in it.
        """

        async def check(request: Request) -> Person:
            session = await asyncio.to_thread(self.session, request)
            if session is None:
                raise NotSignedIn
            if what and not any(session.person.may(each) for each in what):
                raise Forbidden(f"you need a role that may {' or '.join(what)}")
            if request.method not in ("GET", "HEAD"):
                await self._own_form(request, session)
            if signs_on and self.clock() - session.shown > FRESH:
                given = {name: quote(str(value), safe="") for name, value in request.path_params.items()}
                raise StaleSignIn(signs_on.format(**given))
            request.state.session = session
            return session.person

        setattr(check, _NEEDS, what)
        return check

    def public(self) -> Callable[[Request], Awaitable[None]]:
        """A dependency of routes that are for everybody; a form must come from the desk's own pages all the same."""

        async def check(request: Request) -> None:
            if request.method not in ("GET", "HEAD"):
                _own_origin(request)

        setattr(check, _PUBLIC, True)
        return check

    async def _own_form(self, request: Request, session: Session) -> None:
        """A form of the desk's own pages, filled in by this very session."""
        _own_origin(request)
        shown = request.headers.get("x-csrf-token") or (await form_of(request)).get("csrf", "")
        if not same(shown, session.csrf):
            raise Forbidden("this form is not of your session; go back, load the page anew and try again")

    def read(self, request: Request, person: Person, client: str, page: str) -> None:
        """Record that somebody is about to see a client's file."""
        again = request.headers.get("hx-request") == "true"
        self.sessions.record_read(person, client, page, address_of(request), self.clock(), again)


def _own_origin(request: Request) -> None:
    """A browser says where a form comes from; another site's is refused, whatever it holds."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in (None, "same-origin", "none"):
        raise Forbidden("this form comes from another site")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host", ""):
        raise Forbidden("this form comes from another site")


def address_of(request: Request) -> str:
    """Where a request comes from, as far as the machine can tell."""
    return request.client.host if request.client else "unknown"


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form; of several with one name the last. Raises the Problem of a body that is too large."""
    known: dict[str, str] | None = getattr(request.state, "form", None)
    if known is None:
        body = await body_of(request, FORM_LIMIT)
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS)
        except ValueError:
            raise Forbidden("this form cannot be read; go back and load the page anew") from None
        known = request.state.form = dict(pairs)
    return known


def undeclared(routes: list[Any]) -> list[str]:
    """Routes that say neither whom they are for nor that they are for everybody."""
    return [r.path for r in routes if isinstance(r, APIRoute) and asked_of(r) is None]


def asked_of(route: APIRoute) -> tuple[May, ...] | None:
    """What a route asks for; empty for anybody who is signed in or for everybody, None if it does not say."""
    for dependency in route.dependant.dependencies:
        if hasattr(dependency.call, _PUBLIC):
            return ()
        if hasattr(dependency.call, _NEEDS):
            found: tuple[May, ...] = getattr(dependency.call, _NEEDS)
            return found
    return None


def safe_headers(secure: bool) -> dict[str, str]:
    """What every answer says of how it may be used."""
    return _HEADERS | {"cache-control": "no-store"} | (_SECURE if secure else {})


class SafeAnswers:
    """Puts the headers on every answer; keeps hosts out that are not the desk's (a name of somebody else's that leads here)."""

    def __init__(self, app: ASGIApp, secure: bool, hosts: frozenset[str]) -> None:
        self._app = app
        self._headers = safe_headers(secure)
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = host_of(Headers(scope=scope))
        kept = scope["path"].startswith("/static/")

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                if kept:
                    headers["cache-control"] = "max-age=3600"
            await send(message)

        if host not in self._hosts:
            await safely({"type": "http.response.start", "status": 421, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"the desk does not answer to this name\n"})
            return
        await self._app(scope, receive, safely)
