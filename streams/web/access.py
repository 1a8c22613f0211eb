"""Who may do what: bearer keys where a key file is configured, else only whoever sits at this machine."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers

from streams.keys import Keys, KeysRefused, Scope
from streams.web.problems import Problem

_ASK_FOR_ONE = {"WWW-Authenticate": 'Bearer realm="gate61"'}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(headers: Headers) -> str:
    """The name by which the service was reached, without the port; empty where none can be read."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


class Access:
    """The door of one service; without keys it stands open to this machine alone."""

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys

    def needs(self, *scopes: Scope) -> Callable[[Request], Awaitable[None]]:
        """A dependency of routes: a key with one of the scopes."""

        async def check(request: Request) -> None:
            if self._keys is None:
                _from_here(request)
            else:
                _with_key(self._keys, request, scopes)

        return check

    async def may_know(self, request: Request) -> bool:
        """Whether who asks may be told of trouble, which names addresses: he shows a key, or sits at this machine."""
        try:
            await self.needs("ask", "publish")(request)
        except Problem:
            return False
        return True


def _from_here(request: Request) -> None:
    """A page in a browser here may reach the service by a name of its own that leads here: such names are refused."""
    if not is_loopback(host_of(request.headers)):
        raise Problem(403, "without keys the service answers to this machine's own address only, such as 127.0.0.1")


def _with_key(keys: Keys, request: Request, scopes: tuple[Scope, ...]) -> None:
    shown = request.headers.getlist("authorization")
    kind, _, secret = (shown[0] if len(shown) == 1 else "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise Problem(401, "send `Authorization: Bearer KEY`; `gate61 keys add` makes a key", _ASK_FOR_ONE)
    try:
        key = keys.who(secret.strip())
    except KeysRefused:
        raise Problem(503, "the keys cannot be read, so nobody is let in; whoever runs the gate must look") from None
    if key is None:
        raise Problem(401, "the key is not known, or was revoked", _ASK_FOR_ONE)
    if not set(scopes) & set(key.scopes):
        raise Problem(403, f"the key may {' and '.join(key.scopes)}; this needs one that may {' or '.join(scopes)}")
