"""Local people of the desk and their passwords (Argon2id; rules of OWASP ASVS 5, chapter 6, level 2).

Attempts are slowed by person and by address, and the counts are stored: a restart forgives nothing.
"""

import re
import unicodedata
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import BigInteger, Boolean, Column, Engine, Integer, Table, delete, select, update

from gate.facts import Instant
from gate.policy import SECOND
from streams.desk.access.roles import Person, Role
from streams.desk.tables import META, Words, insert_new, put

MINUTE: Final = 60 * SECOND
SHORTEST, LONGEST = 12, 256
FREE_ATTEMPTS: Final = 5
"""So many wrong passwords cost nothing; each further one doubles the wait, up to the longest."""
LONGEST_WAIT: Final = 15 * MINUTE
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
    Column("who", Words, primary_key=True),  # `person ID` or `address A`
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
        row = {"id": id, "name": name or id, "roles": _text(roles), "password": hashed, "enabled": True, "changed": now}
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
        self._change(id, roles=_text(roles), changed=now)

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
        return None if row is None else Person(row.id, row.name, _roles(row.roles))

    def check(self, id: str, password: str, address: str, now: Instant) -> Person | None:
        """Who it is; None for a wrong password or nobody, which take the same time. Raises `TooMany`."""
        marks = ((f"person {id[:64]}", FREE_ATTEMPTS), (f"address {address}", FREE_ATTEMPTS_HERE))
        self._slow_down([mark for mark, _ in marks], now)
        with self._engine.connect() as connection:
            row = connection.execute(select(person).where(person.c.id == id)).first()
        stored = row.password if row is not None and row.password else self._nobody
        right = self._verified(stored, password[:LONGEST])
        if row is None or not (right and row.password and row.enabled):
            for mark, free in marks:
                self._failed(mark, free, now)
            return None
        with self._engine.begin() as connection:
            connection.execute(delete(attempt).where(attempt.c.who == marks[0][0]))
        if self._hasher.check_needs_rehash(stored):
            self._change(id, password=self._hasher.hash(_normal(password)))
        return Person(row.id, row.name, _roles(row.roles))

    def _verified(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _normal(password))
        except (Argon2Error, InvalidHashError):
            return False

    def _slow_down(self, marks: list[str], now: Instant) -> None:
        with self._engine.connect() as connection:
            until = [row.until for row in connection.execute(select(attempt).where(attempt.c.who.in_(marks)))]
        left = max(until, default=0) - now
        if left > 0:
            raise TooMany(-(-left // SECOND))

    def _failed(self, mark: str, free: int, now: Instant) -> None:
        with self._engine.begin() as connection:
            row = connection.execute(select(attempt).where(attempt.c.who == mark)).first()
            failures = (row.failures if row is not None and now < row.until + LONGEST_WAIT * 4 else 0) + 1
            wait = 0 if failures < free else min(LONGEST_WAIT, SECOND << min(failures - free, 20))
            put(connection, attempt, {"who": mark, "failures": failures, "until": now + wait})

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


def _normal(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def _text(roles: frozenset[Role]) -> str:
    return " ".join(sorted(roles))


def _roles(text: str) -> frozenset[Role]:
    return frozenset(Role(word) for word in text.split() if word in list(Role))
