"""One POST to a receiver that is not trusted: to a checked address, without redirects, in limited time, little read."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpcore
from msgspec import Struct

from gate.facts import Instant
from gate.policy import SECOND
from streams.alerts.addresses import AddressRefused, Resolve, refuse_any, resolved
from streams.border.wire import instant_of

SECONDS: Final = 20.0
"""For everything: name, connection, sending, and the answer (Standard Webhooks 1.0 asks for 15 to 30)."""
CONNECT_SECONDS: Final = 10.0
READ: Final = 2_048
"""Bytes of an answer that are looked at; the rest is left where it is."""
BODY_SECONDS: Final = 0.5
"""For that."""
SHOWN: Final = 160
ADDRESSES: Final = 4
"""Of one host, tried in turn."""


class Reply(Struct, frozen=True):
    """What came back."""

    status: int
    said: str
    """The beginning of the body, in printable ASCII."""
    retry_after: Instant | None = None


class NotPosted(Exception):
    """Nothing came back that could be read, or the receiver was not spoken to; says why."""


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the very addresses that were checked; TLS and Host keep the name."""

    def __init__(self, allowed: frozenset[str], resolve: Resolve) -> None:
        self._allowed, self._resolve, self._real = allowed, resolve, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        host = host.strip("[]")
        addresses = list(await self._resolve(host, port))[:ADDRESSES]
        refuse_any(host, addresses, self._allowed)
        trouble: Exception = httpcore.ConnectError("the host has no address")
        for address in addresses:
            try:
                return await self._real.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
        raise trouble


class Poster:
    """Posts; holds nothing open between two posts."""

    def __init__(
        self,
        allowed: frozenset[str] = frozenset(),
        resolve: Resolve = resolved,
        context: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._backend = _Pinned(allowed, resolve)
        self._context = context or ssl.create_default_context()
        self._seconds = seconds

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, now: Instant) -> Reply:
        """The receiver's answer, whatever it is; raises `NotPosted`."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, headers, body, now)
        except TimeoutError:
            raise NotPosted(f"no whole answer within {self._seconds:g} s") from None
        except AddressRefused as refused:
            raise NotPosted(str(refused)) from None
        except httpcore.TimeoutException as error:
            raise NotPosted(f"{_words(error)}: the receiver does not answer") from None
        except OSError as error:  # The name server's trouble and the certificates' are of this kind.
            raise NotPosted(f"it cannot be reached: {error.strerror or type(error).__name__}") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ValueError) as error:
            raise NotPosted(f"{_words(error)}: {_printable(str(error)) or 'the connection broke'}") from None

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, now: Instant) -> Reply:
        said: dict[bytes | str, bytes | str] = {
            "User-Agent": "gate61-alerts",
            "Content-Type": "application/json",
            "Accept": "*/*",
        }
        said |= {"Accept-Encoding": "identity", "Connection": "close"}
        said.update(headers.items())
        limits = {"connect": CONNECT_SECONDS, "read": self._seconds, "write": self._seconds, "pool": self._seconds}
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._context, network_backend=self._backend, max_keepalive_connections=0
            ) as pool,
            pool.stream("POST", url, headers=said, content=body, extensions={"timeout": limits}) as response,
        ):
            found = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
            after = _after(found.get("retry-after"), now)
            if 200 <= response.status < 300:
                return Reply(response.status, "", after)  # Arrived, whatever it goes on to say.
            return Reply(response.status, _printable((await _begin(response)).decode("latin-1")), after)


async def _begin(response: httpcore.Response) -> bytes:
    begun = b""
    # The status has been said; the body is only for people.
    with suppress(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, TimeoutError):
        async with asyncio.timeout(BODY_SECONDS):
            async for part in response.aiter_stream():
                begun += part[: READ - len(begun)]
                if len(begun) >= READ:
                    break
    return begun


def _after(value: str | None, now: Instant) -> Instant | None:
    """`Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3); None for none that can be read."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return int(value.strip()[:9]) * SECOND
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0, instant_of(at) - now)


def _printable(text: str) -> str:
    return "".join(c if " " <= c <= "~" else " " for c in text)[:SHOWN].strip()


def _words(error: Exception) -> str:
    """`ConnectTimeout` as words."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in type(error).__name__).strip()
