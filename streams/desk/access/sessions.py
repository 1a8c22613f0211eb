"""Sessions: kept at the server, named by 256 random bits of which only the digest is stored.

A session ends after 30 minutes without a request and after 12 hours in any case (OWASP ASVS 5, chapter 7, level 2); at
sign-out, when its person is disabled or his roles or password change.
"""

import hmac
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Engine, Index, Table, delete, select, update

from gate.facts import Instant
from gate.policy import HOUR, MINUTE
from streams.desk.access.people import person
from streams.desk.access.roles import Person, in_roles
from streams.desk.lists import Listed, listed
from streams.desk.tables import META, Words, insert_new

IDLE: Final = 30 * MINUTE
LONGEST: Final = 12 * HOUR
FRESH: Final = 15 * MINUTE
"""Who signs must have shown who he is within that time."""
OPEN: Final = 10 * MINUTE
"""An open page that renews itself is recorded as read once in that time."""
_TOUCHED: Final = MINUTE

session = Table(
    "session",
    META,
    Column("digest", Words, primary_key=True),
    Column("person", Words, nullable=False),
    Column("csrf", Words, nullable=False),
    Column("begun", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("shown", BigInteger, nullable=False),  # when he last showed who he is
    Column("address", Words, nullable=False),
)
read = Table(
    "file_read",
    META,
    Column("at", BigInteger, nullable=False),
    Column("person", Words, nullable=False),
    Column("client", Words, nullable=False),
    Column("page", Words, nullable=False),
    Column("address", Words, nullable=False),
)
Index("file_read_client", read.c.client, read.c.at)


class Session(Struct, frozen=True):
    """Somebody signed in, in one browser."""

    person: Person
    csrf: str
    """Goes into every form."""
    digest: str
    shown: Instant


class Sessions:
    """All that are signed in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, who: str, address: str, now: Instant, shown: Instant | None = None) -> str:
        """A new session; returns the secret that the browser keeps. `shown` is when he showed who he is, if not now."""
        secret = token_urlsafe(32)
        row = {"digest": _digest(secret), "person": who, "csrf": token_urlsafe(32), "address": address}
        with self._engine.begin() as connection:
            connection.execute(delete(session).where(session.c.begun < now - LONGEST))
            insert_new(
                connection, session, [row | {"begun": now, "seen": now, "shown": now if shown is None else shown}]
            )
        return secret

    def find(self, secret: str, now: Instant, active: bool = True) -> Session | None:
        """The session that a browser shows; None for a forged, ended or expired one.

        `active` is whether its person did something; what a page asks for by itself keeps no session alive.
        """
        digest = _digest(secret)
        asked = select(session, person.c.name, person.c.roles, person.c.enabled, person.c.changed)
        with self._engine.begin() as connection:
            row = connection.execute(
                asked.join_from(session, person, session.c.person == person.c.id).where(session.c.digest == digest)
            ).first()
            if row is None:
                return None
            over = now >= min(row.seen + IDLE, row.begun + LONGEST) or not row.enabled or row.changed > row.begun
            if over:
                connection.execute(delete(session).where(session.c.digest == digest))
                return None
            if active and now - row.seen > _TOUCHED:
                connection.execute(update(session).where(session.c.digest == digest).values(seen=now))
        return Session(Person(row.person, row.name, in_roles(row.roles)), row.csrf, digest, row.shown)

    def end(self, secret: str) -> None:
        """Sign out."""
        with self._engine.begin() as connection:
            connection.execute(delete(session).where(session.c.digest == _digest(secret)))

    def end_of(self, who: str, digest: str) -> None:
        """End one of a person's sessions, as by himself from another browser."""
        with self._engine.begin() as connection:
            connection.execute(delete(session).where((session.c.person == who) & (session.c.digest == digest)))

    def of(self, who: str) -> list[Any]:
        """A person's sessions, the latest first."""
        with self._engine.connect() as connection:
            mine = select(session).where(session.c.person == who).order_by(session.c.seen.desc(), session.c.digest)
            return list(connection.execute(mine).all())

    def record_read(self, who: Person, client: str, page: str, address: str, now: Instant, again: bool = False) -> None:
        """Written before a client's file is shown; if it cannot be written, nothing is shown.

        `again` is an open page that asks for itself anew: that is one read for `OPEN`.
        """
        row = {"at": now, "person": who.id, "client": client, "page": page, "address": address}
        with self._engine.begin() as connection:
            if again:
                r = read.c
                same_page = (r.person == who.id) & (r.client == client) & (r.page == page) & (r.address == address)
                if connection.execute(select(r.at).where(same_page & (r.at > now - OPEN)).limit(1)).first() is not None:
                    return
            connection.execute(read.insert().values(row))

    def reads(self, client: str = "", who: str = "", after: str | None = None) -> Listed:
        """A page of who read what, the latest first; empty: whose file it was, or who read it, does not matter."""
        r = read.c
        asked = select(read)
        if client:
            asked = asked.where(r.client == client)
        if who:
            asked = asked.where(r.person == who)
        with self._engine.connect() as connection:
            return listed(connection, asked, r.at, r.person + " " + r.client + " " + r.page + " " + r.address, after)


def same(one: str, other: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
