"""A small OpenID provider with keys of its own, on the loopback; it lies on request."""

import socket
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import unquote, urlencode

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import Key, RSAKey

from tests.serving.service import Clock

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
CLIENT, SECRET = "desk", "a secret that only the two share"
Claims = dict[str, Any]


class Idp:
    """One provider. Whoever comes is `claims`; `forge` makes the ID token if it is not to be a good one."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.issuer = ""
        self.claims: Claims = {"sub": "10042", "name": "Rita Reviewer", "roles": ["reviewer"]}
        self.auth_age: int | None = 0
        """Seconds since the person showed who he is; None does not tell."""
        self.keys: list[Key] = [KEY]
        self.published: list[Any] | None = None
        self.forge: Callable[[Claims, Key], str] | None = None
        self.changed: Claims = {}
        """What its metadata say otherwise."""
        self.broken: dict[str, Response] = {}
        """Answers instead of its own, by path."""
        self.asked: list[dict[str, str]] = []
        """What browsers came with."""
        self.redeemed: list[dict[str, str]] = []
        """What codes were redeemed with."""
        self.pkce = True
        self._codes: dict[str, dict[str, str]] = {}
        self.app = self._app()

    def token(self, nonce: str) -> Claims:
        """The claims of a good ID token."""
        now = self.clock() // 1_000_000
        known = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce}
        told = {} if self.auth_age is None else {"auth_time": now - self.auth_age}
        return known | told | self.claims

    def signed(self, claims: Claims, key: Key | None = None, **header: Any) -> str:
        """An ID token with these claims."""
        key = key or self.keys[0]
        said = {n: v for n, v in ({"alg": "RS256", "kid": "one"} | header).items() if v is not None}
        return jwt.encode(said, claims, key, algorithms=[said["alg"]])

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def break_(request: Request, call_next: Any) -> Any:
            broken = self.broken.get(request.url.path)
            return broken if broken is not None else await call_next(request)

        @app.get("/.well-known/openid-configuration")
        def metadata() -> Any:
            ends = {f"{word}_endpoint": f"{self.issuer}/{word}" for word in ("authorization", "token", "end_session")}
            return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"} | ends | self.changed

        @app.get("/jwks")
        def jwks() -> Any:
            mine = [key.as_dict(private=False) for key in self.keys]
            return {"keys": mine if self.published is None else self.published}

        @app.get("/authorization")
        def authorize(request: Request) -> Response:
            asked = dict(request.query_params)
            self.asked.append(asked)
            code = token_urlsafe(16)
            self._codes[code] = asked
            return RedirectResponse(
                f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302
            )

        @app.post("/token")
        async def redeem(request: Request) -> Response:
            form = {name: str(value) for name, value in _form(await request.body())}
            self.redeemed.append(form)
            kind, _, shown = request.headers.get("authorization", "").partition(" ")
            posted = f"{form.get('client_id')}:{form.get('client_secret')}"
            if (b64decode(shown).decode() if kind == "Basic" else posted) != f"{CLIENT}:{SECRET}":
                return JSONResponse({"error": "invalid_client"}, 401)
            asked = self._codes.pop(form["code"], None)
            if asked is None or asked["redirect_uri"] != form["redirect_uri"] or not self._proven(asked, form):
                return JSONResponse({"error": "invalid_grant", "error_description": "<script>"}, 400)
            access = token_urlsafe(16)
            claims = self.token(asked["nonce"]) | {"at_hash": at_hash(access)}
            token = self.forge(claims, self.keys[0]) if self.forge else self.signed(claims)
            return JSONResponse({"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": token})

        return app

    def _proven(self, asked: dict[str, str], form: dict[str, str]) -> bool:
        made = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        return not self.pkce or (asked["code_challenge_method"] == "S256" and made == asked["code_challenge"])


def at_hash(access: str) -> str:
    """As OpenID Connect Core section 3.1.3.6 has it."""
    return urlsafe_b64encode(sha256(access.encode()).digest()[:16]).rstrip(b"=").decode()


def _form(body: bytes) -> Iterator[tuple[str, str]]:
    for pair in body.decode().split("&"):
        name, _, value = pair.partition("=")
        yield name, unquote(value.replace("+", " "))


@contextmanager
def providing(clock: Clock) -> Iterator[Idp]:
    """A provider that listens."""
    idp = Idp(clock)
    listener = socket.create_server(("127.0.0.1", 0))
    idp.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with listening(idp.app, listener):
        yield idp


@contextmanager
def listening(app: FastAPI, listener: socket.socket) -> Iterator[None]:
    """An application served in a thread; what it does at its start and end is left out."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()
