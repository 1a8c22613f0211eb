"""An OpenID provider: where to send people to, and what it says of who comes back.

Sources: OpenID Connect Core 1.0 section 3.1 (code flow, checks of the ID token), Discovery 1.0, RP-Initiated Logout 1.0;
RFC 7636 (PKCE), RFC 9207 (issuer in the answer); OWASP ASVS 5, chapter 10. Nothing it sends is believed before the
signature of the ID token is checked with the keys it publishes; the algorithms are ours, not the token's.
"""

import asyncio
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key
from joserfc.jws import JWSRegistry
from msgspec import Struct

from gate.facts import Instant
from gate.policy import SECOND
from streams.desk.access.oidc_settings import OidcSettings, may_be_asked
from streams.web.clock import Clock

with warnings.catch_warnings():
    # Authlib tells developers of a successor of httpx at import; whoever runs the desk can do nothing about it.
    warnings.simplefilter("ignore")
    import authlib.deprecate

    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    from authlib.common.errors import AuthlibBaseError
    from authlib.common.urls import add_params_to_uri
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from authlib.oidc.core import CodeIDToken

T = TypeVar("T")
SECONDS: Final = 10
"""What the provider has for all its answers about one person."""
ANSWER_LIMIT: Final = 512 * 1024
KEYS: Final = 64
LEEWAY_SECONDS: Final = 60
"""So far clocks may be apart."""
_METADATA_KEPT: Final = 300 * SECOND
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with a public key. Neither `none`, nor a key that the desk shares (RFC 8725 section 3.1)."""
_UNBELIEVED: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What the libraries raise over tokens and keys that are not as they should be."""


class ProviderTrouble(Exception):
    """The provider does not answer, or not as one; says what whoever runs the desk should look at."""


class NotBelieved(Exception):
    """What the provider says of somebody is not taken; says why, for whoever runs the desk."""


class _Metadata(Struct, frozen=True):
    """What a provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = []
    authorization_response_iss_parameter_supported: bool = False


class _Keys(Struct, frozen=True):
    keys: list[Any]


class Token(Struct, frozen=True):
    """What a code was redeemed for. The access token is good for nothing here but the check of its hash."""

    id_token: str
    access_token: str


class Begun(Struct, frozen=True):
    """What one sign-in is known by: at the provider, in the browser, and to whoever redeems its code."""

    state: str
    nonce: str
    verifier: str


class Provider:
    """One provider; asked anew about its keys at every sign-in, so that one it has withdrawn opens nothing."""

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._known: tuple[Instant, _Metadata] | None = None

    async def way(self, begun: Begun, age_seconds: int, again: bool) -> str:
        """Where a browser goes to sign in; `again` if the provider must ask who it is, whatever it remembers."""
        async with self._asking() as client:
            metadata = await self._metadata(client)
            more = {"prompt": "login"} if again else {}
            url, _ = client.create_authorization_url(
                metadata.authorization_endpoint,
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
                max_age=str(age_seconds),
                **more,
            )
            return str(url)

    async def redeem(self, code: str, issuer: str | None, begun: Begun) -> Mapping[str, Any]:
        """The claims about who came back with that code; `issuer` is whom the answer names. Raises NotBelieved."""
        async with self._asking() as client:
            metadata = await self._metadata(client)
            if issuer != self._settings.issuer and (
                issuer is not None or metadata.authorization_response_iss_parameter_supported
            ):
                raise NotBelieved("the answer is another provider's")
            token = await self._redeemed(client, metadata, code, begun)
            keys = _read(await self._get(client, metadata.jwks_uri), _Keys).keys
        return verified(self._settings, token, keys, begun, self._clock())

    async def leaving(self, to: str) -> str | None:
        """Where a browser goes to sign out at the provider, which then asks and sends it on; None if it offers that not."""
        async with self._asking() as client:
            end = (await self._metadata(client)).end_session_endpoint
        wanted = {"client_id": self._settings.client, "post_logout_redirect_uri": to}
        return None if end is None else str(add_params_to_uri(end, list(wanted.items())))

    async def _metadata(self, client: "_Client") -> _Metadata:
        now = self._clock()
        if self._known and 0 <= now - self._known[0] < _METADATA_KEPT:
            return self._known[1]
        issuer = self._settings.issuer
        where = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata = _read(await self._get(client, where), _Metadata)
        if metadata.issuer != issuer:
            raise ProviderTrouble(
                f"`{where}` is of `{metadata.issuer[:200]}`; GATE61_DESK_OIDC_ISSUER must be that name"
            )
        uses = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        safe = "http" if issuer.startswith("http:") else "https:"
        named = (u for u in (*uses, metadata.end_session_endpoint) if u is not None)
        wrong = [u for u in named if not may_be_asked(u) or not u.startswith(safe)]
        if wrong:
            raise ProviderTrouble(f"`{where}` names `{wrong[0][:200]}`, which is no https address")
        self._known = now, metadata
        return metadata

    async def _redeemed(self, client: "_Client", metadata: _Metadata, code: str, begun: Begun) -> Token:
        offered = metadata.token_endpoint_auth_methods_supported
        if "client_secret_post" in offered and "client_secret_basic" not in offered:
            client.token_endpoint_auth_method = "client_secret_post"  # not a secret: the method's name
        try:
            token = await client.fetch_token(
                metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=begun.verifier
            )
            return msgspec.convert(dict(token), Token)
        except AuthlibBaseError as error:
            if error.error in ("invalid_client", "unauthorized_client"):
                raise ProviderTrouble(
                    "the provider does not know the desk; check GATE61_DESK_OIDC_CLIENT and the secret in _SECRET_FILE"
                ) from None
            raise NotBelieved(f"the provider does not take the code: {str(error.error)[:64]!a}") from None
        except msgspec.ValidationError as error:
            raise ProviderTrouble(f"the provider's tokens cannot be read: {error}") from None
        except (httpx.HTTPError, ValueError, TypeError) as error:
            raise ProviderTrouble(f"the provider's tokens cannot be had ({type(error).__name__})") from None

    async def _get(self, client: "_Client", url: str) -> bytes:
        try:
            answer = await client.request("GET", url, withhold_token=True)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ProviderTrouble(f"`{url}` cannot be read ({type(error).__name__})") from None
        content: bytes = answer.content
        return content

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator["_Client"]:
        client = _Client(
            self._settings.client,
            self._settings.secret,
            scope=self._settings.scope,
            redirect_uri=self._settings.back,
            code_challenge_method="S256",
            timeout=SECONDS,
            follow_redirects=False,
        )
        try:
            async with asyncio.timeout(SECONDS), client:
                yield client
        except TimeoutError:
            raise ProviderTrouble(f"the provider `{self._settings.issuer}` took more than {SECONDS} s") from None


class _Client(AsyncOAuth2Client):  # type: ignore[misc]
    """Reads no answer longer than one can be."""

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """See httpx."""
        answer: httpx.Response = await super().send(request, **how | {"stream": True})
        body = bytearray()
        try:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_LIMIT:
                    raise httpx.DecodingError("an answer is too long", request=request)
        finally:
            await answer.aclose()
        kind = {"content-type": answer.headers.get("content-type", "")}
        return httpx.Response(answer.status_code, headers=kind, content=bytes(body), request=request)


def verified(settings: OidcSettings, token: Token, keys: list[Any], begun: Begun, now: Instant) -> Mapping[str, Any]:
    """The claims of an ID token, all checks done; raises NotBelieved."""
    wanted = {"iss": {"essential": True, "value": settings.issuer}}
    wanted |= {"aud": {"essential": True, "value": settings.client}, "nonce": {"essential": True}}
    ours = {"nonce": begun.nonce, "client_id": settings.client, "access_token": token.access_token}
    try:
        registry = JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)
        read = jwt.decode(token.id_token, _usable(keys), registry=registry)
        claims = CodeIDToken(read.claims, read.header, wanted, ours)
        claims.validate(now=now // SECOND, leeway=LEEWAY_SECONDS)
    except _UNBELIEVED as error:
        said = str(error) if isinstance(error, JoseError) else type(error).__name__
        raise NotBelieved(f"the ID token is not valid: {said[:200]}") from None
    return dict(claims)


def _read(body: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.MsgspecError as error:
        raise ProviderTrouble(f"what the provider says of itself cannot be read: {error}") from None


def _usable(keys: list[Any]) -> KeySet:
    """The keys that may have signed; others that a provider publishes beside them are passed over."""
    found = []
    for key in keys[:KEYS]:
        if not isinstance(key, dict) or key.get("kty") == "oct" or key.get("use", "sig") != "sig":
            continue
        try:
            found.append(import_key(key))
        except _UNBELIEVED:
            continue
    return KeySet(found)
