"""Local people of the desk and their passwords (Argon2id; rules of OWASP ASVS 5, chapter 6, level 2).

Attempts are slowed by person and by address, and the counts are stored: a restart forgives nothing. An attempt is counted
before its password is looked at, so that many at once are no more than many one after the other.
"""

import re
import unicodedata
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Table,
    case,
    delete,
    literal,
    select,
    update,
)

from gate.facts import Instant
from gate.policy import MINUTE, SECOND
from streams.desk.access.roles import Person, Role, in_roles, in_words
from streams.desk.tables import META, Words, insert_new
from streams.stores import insert_of

SHORTEST, LONGEST = 12, 256
PARTS_AT_MOST: Final = 4
"""Of one character, where a keyboard sends letter and accents apart (Unicode, canonical decomposition)."""
FREE_ATTEMPTS: Final = 5
"""So many wrong passwords cost nothing; each further one doubles the wait, up to the longest."""
LONGEST_WAIT: Final = 15 * MINUTE
REMEMBERED: Final = 4 * LONGEST_WAIT
"""So long after the wait a count is forgotten."""
FREE_ATTEMPTS_HERE: Final = 30
"""The same by address, which several people may share."""
_ID = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_GUESSED = """
password passwort gate61 qwerty qwertz 123456 1234567 12345678 123456789 1234567890 letmein welcome admin administrator
iloveyou monkey dragon football baseball sunshine princess master shadow superman trustno1 abc123 compliance bitcoin
ethereum crypto changeme secret default qwertyuiop qwertzuiop asdfghjkl zxcvbnm yxcvbnm 1q2w3e4r5t6y 1q2w3e4r5t
1qaz2wsx3edc q1w2e3r4t5 abcdefgh 987654321
"""
_COMMON: Final = sorted(_GUESSED.split(), key=len, reverse=True)
"""What a password may not be made of alone."""

person = Table(
    "person",
    META,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("roles", Words, nullable=False),
    Column("password", Words),  # none for who signs in elsewhere
    Column("enabled", Boolean, nullable=False),
    Column("changed", BigInteger, nullable=False),
)
attempt = Table(
    "attempt",
    META,
    Column("who", Words, primary_key=True),  # `person ID` or `address A`, of IPv6 its network
    Column("failures", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)


class PersonRefused(Exception):
    """A wish about people that is not followed, with what to do."""


class TooMany(Exception):
    """So many attempts failed that the next may only come after `seconds`."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"too many attempts failed; try again in {seconds} s")


class People:
    """Who may use the desk with a password."""

    def __init__(self, engine: Engine, hasher: PasswordHasher | None = None) -> None:
        self._engine = engine
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")

    def add(self, id: str, name: str, roles: frozenset[Role], password: str | None, now: Instant) -> None:
        """A new person; PersonRefused if the id is taken or the password weak."""
        if not _ID.fullmatch(id):
            raise PersonRefused("a staff id has 1 to 64 letters, digits, dots, dashes, underscores and @")
        if not roles:
            raise PersonRefused(f"give at least one role of {', '.join(Role)}")
        hashed = None if password is None else self._hashed(password, id)
        row = {
            "id": id,
            "name": name or id,
            "roles": in_words(roles),
            "password": hashed,
            "enabled": True,
            "changed": now,
        }
        with self._engine.begin() as connection:
            if connection.execute(select(person.c.id).where(person.c.id == id)).first() is not None:
                raise PersonRefused(f"there is a person `{id}` already")
            insert_new(connection, person, [row])

    def set_password(self, id: str, password: str, now: Instant) -> None:
        """Another password."""
        self._change(id, password=self._hashed(password, id), changed=now)

    def set_roles(self, id: str, roles: frozenset[Role], now: Instant) -> None:
        """Other roles; who is signed in must sign in anew."""
        if not roles:
            raise PersonRefused(f"give at least one role of {', '.join(Role)}; to let nobody in, disable the person")
        self._change(id, roles=in_words(roles), changed=now)

    def enable(self, id: str, enabled: bool, now: Instant) -> None:
        """Let a person in, or no longer; at once, also where he is signed in."""
        self._change(id, enabled=enabled, changed=now)

    def _change(self, id: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            if connection.execute(update(person).where(person.c.id == id).values(**values)).rowcount != 1:
                raise PersonRefused(f"there is no person `{id}`")

    def all(self) -> list[Any]:
        """Everybody, by id."""
        with self._engine.connect() as connection:
            return list(connection.execute(select(person).order_by(person.c.id)).all())

    def one(self, id: str) -> Person | None:
        """A person who may be let in, as he is now."""
        with self._engine.connect() as connection:
            row = connection.execute(select(person).where((person.c.id == id) & person.c.enabled.is_(True))).first()
        return None if row is None else Person(row.id, row.name, in_roles(row.roles))

    def check(self, id: str, password: str, address: str, now: Instant) -> Person | None:
        """Who it is; None for a wrong password or nobody, which take the same time. Raises `TooMany`."""
        own, here = (f"person {id[:64]}", FREE_ATTEMPTS), (f"address {_network(address)}", FREE_ATTEMPTS_HERE)
        _, slowed = self._counted((own, here), now)
        with self._engine.connect() as connection:
            row = connection.execute(select(person).where(person.c.id == id)).first()
        stored = row.password if row is not None and row.password else self._nobody
        plain = _typed(password)
        right = self._verified(stored, plain)
        if row is None or not (right and row.password and row.enabled):
            return None
        self._forgive(own[0], here[0], slowed, now)
        if self._hasher.check_needs_rehash(stored):
            self._change(id, password=self._hasher.hash(plain))
        return Person(row.id, row.name, in_roles(row.roles))

    def _verified(self, stored: str, plain: str) -> bool:
        try:
            return self._hasher.verify(stored, plain)
        except (Argon2Error, InvalidHashError):
            return False

    def _counted(self, marks: Sequence[tuple[str, int]], now: Instant) -> list[Instant]:
        """Count an attempt under each mark; until when the next one waits. Under all or none: raises `TooMany`."""
        with self._engine.begin() as connection:
            connection.execute(delete(attempt).where(attempt.c.until <= now - REMEMBERED))
        with self._engine.begin() as connection:
            return [_count(connection, mark, free, now) for mark, free in marks]

    def _forgive(self, own: str, here: str, slowed: Instant, now: Instant) -> None:
        """This attempt did not fail: nothing is left of the person's, and it slows nobody at his address down.

        `slowed` is until when it did; what others have counted since stays.
        """
        until = case((attempt.c.until == slowed, now), else_=attempt.c.until)
        with self._engine.begin() as connection:
            connection.execute(delete(attempt).where(attempt.c.who == own))
            counted = update(attempt).where((attempt.c.who == here) & (attempt.c.failures > 0))
            connection.execute(counted.values(failures=attempt.c.failures - 1, until=until))

    def _hashed(self, password: str, id: str) -> str:
        plain = _normal(password)
        if not SHORTEST <= len(plain) <= LONGEST:
            raise PersonRefused(
                f"a password has {SHORTEST} to {LONGEST} characters; several words are easy to keep in mind"
            )
        lower = plain.casefold()
        bare = lower.replace(id.casefold(), "")
        for word in _COMMON:
            bare = bare.replace(word, "")
        if len(bare) < 4 or len(set(lower)) < 5:
            raise PersonRefused("this password is among the first that are guessed; take another")
        return self._hasher.hash(plain)


def _count(connection: Connection, mark: str, free: int, now: Instant) -> Instant:
    """In one statement, which two attempts cannot both pass as the same."""
    after = {
        "failures": attempt.c.failures + 1,
        "until": literal(now, BigInteger) + _wait(attempt.c.failures + 1, free),
    }
    may = (attempt.c.until <= now) | (attempt.c.failures < free)
    upsert = insert_of(connection, attempt).values(who=mark, failures=1, until=now)
    asked = upsert.on_conflict_do_update(index_elements=["who"], set_=after, where=may)
    counted = connection.execute(asked.returning(attempt.c.until)).scalar()
    if counted is None:
        left = (connection.execute(select(attempt.c.until).where(attempt.c.who == mark)).scalar() or now) - now
        raise TooMany(max(1, -(-left // SECOND)))
    return int(counted)


def _wait(failures: ColumnElement[int], free: int) -> ColumnElement[int]:
    """How long the next attempt waits after so many."""
    doubled = [(failures == free + n, SECOND << n) for n in range((LONGEST_WAIT // SECOND).bit_length())]
    return case((failures < free, 0), *doubled, else_=LONGEST_WAIT)


def _network(address: str) -> str:
    """Whose attempts are counted together: of IPv6 a /64, which is one subscriber's to choose addresses from."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return str(found)


def _normal(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def _typed(password: str) -> str:
    """As it would be kept; of what is longer than any the empty one, which is nobody's and takes the same time."""
    plain = _normal(password) if len(password) <= PARTS_AT_MOST * LONGEST else ""
    return plain if len(plain) <= LONGEST else ""
