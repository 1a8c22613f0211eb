"""Sign-in with an OpenID provider: sign-ins under way, and who it is that comes back.

A sign-in is bound to the browser that began it by a secret in a cookie, from which the three values that OpenID Connect
needs are made; it is good once, for ten minutes. The store keeps none of them, only the digest of the state.
"""

import asyncio
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Column, Engine, Index, Table, delete, insert, select, update

from gate.facts import Instant
from gate.policy import MINUTE, SECOND
from streams.desk.access.oidc_settings import OidcSettings
from streams.desk.access.people import person
from streams.desk.access.provider import LEEWAY_SECONDS, Begun, NotBelieved, Provider
from streams.desk.access.roles import Person, Role, in_words
from streams.desk.access.sessions import LONGEST, same
from streams.desk.tables import META, Words, insert_new
from streams.web.clock import Clock

UNDER_WAY: Final = 10 * MINUTE
"""So long somebody may take at the provider."""
AT_ONCE: Final = 10_000
"""Sign-ins under way; of more, the oldest are forgotten. Anybody may begin one, so they must not fill the store."""
_OWN: Final = re.compile(r"[A-Za-z0-9._@-]{1,43}")
_HOST: Final = re.compile(r"[a-z0-9.-]{1,60}")

sign_in = Table(
    "sign_in",
    META,
    Column("state", Words, primary_key=True),  # its digest
    Column("begun", BigInteger, nullable=False),
    Column("next", Words, nullable=False),
    Column("again", Boolean, nullable=False),
)
Index("sign_in_begun", sign_in.c.begun)


class SignInRefused(Exception):
    """Somebody is not let in; says why, and what to do, to himself."""


class Arrived(Struct, frozen=True):
    """Somebody the provider has vouched for."""

    person: Person
    next: str
    """Where he wanted to go."""
    shown: Instant
    """When he last showed the provider who he is; 0 if it does not say."""


class _Claims(Struct, frozen=True):
    """What is read of an ID token beside its roles."""

    sub: str
    name: str | None = None
    preferred_username: str | None = None
    auth_time: int | float | None = None


class Oidc:
    """Sign-in with one provider."""

    def __init__(self, settings: OidcSettings, engine: Engine, clock: Clock) -> None:
        self.name = settings.name
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._provider = Provider(settings, clock)

    async def begin(self, next: str, again: bool) -> tuple[str, str]:
        """A sign-in: the secret for the browser to keep, and where it goes. Raises ProviderTrouble."""
        secret = token_urlsafe(32)
        begun = _begun(secret)
        way = await self._provider.way(begun, LONGEST // SECOND, again)
        await asyncio.to_thread(self._keep, begun, next, again)
        return secret, way

    def _keep(self, begun: Begun, next: str, again: bool) -> None:
        """Write a sign-in down, and forget those that are over or too many."""
        now = self._clock()
        forgotten = select(sign_in.c.begun).order_by(sign_in.c.begun.desc()).offset(AT_ONCE - 1).limit(1)
        row = {"state": _digest(begun.state), "begun": now, "next": next, "again": again}
        with self._engine.begin() as connection:
            connection.execute(delete(sign_in).where(sign_in.c.begun <= now - UNDER_WAY))
            connection.execute(delete(sign_in).where(sign_in.c.begun <= forgotten.scalar_subquery()))
            connection.execute(insert(sign_in).values(row))

    async def finish(self, secret: str, state: str, code: str, issuer: str | None = None) -> Arrived:
        """Who came back with that code. Raises SignInRefused, NotBelieved and ProviderTrouble."""
        begun, row = await asyncio.to_thread(self._taken, secret, state)
        claims = await self._provider.redeem(code, issuer, begun)
        known = _claims(claims)
        shown = self._shown(known, row)
        roles = roles_of(claims, self._settings.role_claim, self._settings.role_prefix)
        name = known.name or known.preferred_username or known.sub
        who = Person(staff_id(self._settings.issuer, known.sub), _printable(name), roles)
        await asyncio.to_thread(self._welcome, who)
        return Arrived(who, row.next, shown)

    def drop(self, secret: str, state: str) -> bool:
        """End a sign-in that the provider has refused; whether it was one of this browser."""
        try:
            self._taken(secret, state)
        except SignInRefused:
            return False
        return True

    async def leaving(self) -> str | None:
        """Where a browser goes to sign out at the provider too; None if the provider does not offer it."""
        return await self._provider.leaving(f"{self._settings.desk}/sign-in")

    def _taken(self, secret: str, state: str) -> tuple[Begun, Any]:
        """The sign-in that this browser began, which nobody takes a second time."""
        begun = _begun(secret)
        if same(begun.state, state):
            mine = sign_in.c.state == _digest(state)
            with self._engine.begin() as connection:
                row = connection.execute(delete(sign_in).where(mine).returning(*sign_in.c)).first()
            if row is not None and self._clock() - row.begun < UNDER_WAY:
                return begun, row
        raise SignInRefused(
            "this sign-in was not begun in this browser, has been used already or took more than ten minutes; begin anew"
        )

    def _shown(self, claims: _Claims, row: Any) -> Instant:
        """When he showed who he is. Who is asked to do it again must have done it since."""
        earliest = row.begun - LEEWAY_SECONDS * SECOND - (0 if row.again else LONGEST)
        shown = 0 if claims.auth_time is None else int(claims.auth_time * SECOND)
        if row.again and claims.auth_time is None:
            raise NotBelieved("the provider does not say when (`auth_time`), which signing asks for")
        if claims.auth_time is not None and shown < earliest:
            raise NotBelieved("the provider has let somebody through who last showed who he is too long ago")
        return min(shown, self._clock())

    def _welcome(self, who: Person) -> None:
        """Keep who it is, with the roles he has now; other roles than before end his sessions, so does none."""
        now, roles = self._clock(), in_words(who.roles)
        fresh = {"id": who.id, "name": who.name, "roles": roles, "password": None, "enabled": True, "changed": now}
        with self._engine.begin() as connection:
            row = connection.execute(select(person).where(person.c.id == who.id).with_for_update()).first()
            if row is not None:
                changed = now if row.roles != roles else row.changed
                values = {"name": who.name, "roles": roles, "changed": changed}
                connection.execute(update(person).where(person.c.id == who.id).values(values))
            elif who.roles:
                insert_new(connection, person, [fresh])
        if row is not None and not row.enabled:
            raise SignInRefused("you may no longer use the desk; whoever manages its people can let you in again")
        if not who.roles:
            raise SignInRefused(
                "you are known, but have no role at the desk; whoever manages roles at the provider must give you one of "
                + ", ".join(self._settings.role_prefix + role for role in Role)
            )


def staff_id(issuer: str, subject: str) -> str:
    """The id that events name: `HOST:SUBJECT`, the same for ever, and no other person's at any issuer.

    An issuer that is more than a host has its digest after it; a subject with other characters, or a long one, is its
    digest. No password of the desk's own goes with such an id: there is no colon in theirs.
    """
    host = (urlsplit(issuer).hostname or "")[-60:]
    plain = issuer == f"https://{host}" and _HOST.fullmatch(host)
    kept = host if _HOST.fullmatch(host) else "oidc"
    before = host if plain else f"{kept}:{sha256(issuer.encode()).hexdigest()[:16]}"
    return f"{before}:{subject}" if _OWN.fullmatch(subject) else f"{before}::{_digest(subject)}"


def roles_of(claims: Mapping[str, Any], claim: str, prefix: str) -> frozenset[Role]:
    """The desk's roles among what a claim lists; names that are no role of the desk count for nothing."""
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    words = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
    given = {word for word in words if isinstance(word, str)}
    return frozenset(role for role in Role if prefix + role in given)


def _claims(claims: Mapping[str, Any]) -> _Claims:
    try:
        found = msgspec.convert(claims, _Claims)
    except msgspec.ValidationError as error:
        raise NotBelieved(f"the ID token cannot be read: {error}") from None
    if not (0 < len(found.sub) <= 255 and found.sub.isascii() and found.sub.isprintable()):
        raise NotBelieved("the ID token's `sub` is not 1 to 255 printable characters")
    return found


def _begun(secret: str) -> Begun:
    return Begun(*(_derived(secret, word) for word in ("state", "nonce", "verifier")))


def _derived(secret: str, word: str) -> str:
    made = hmac.digest(secret.encode("utf-8", "surrogatepass"), word.encode(), "sha256")
    return urlsafe_b64encode(made).rstrip(b"=").decode()


def _digest(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


def _printable(name: str) -> str:
    return "".join(c for c in name if c.isprintable()).strip()[:128] or "somebody without a name"
