"""A SQLite store that also keeps what came in, what came out and what was rejected, in one transaction with the state.

So nothing that came out is lost or said twice when the process is killed: whoever reads on from a number sees it all.
"""

import re
import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from state.sqlite import SqliteStore

PAGE_BYTES: Final = 8 * 1024 * 1024
"""What is read of a log at once, one entry at least: entries are as large as what was sent."""
Log = Literal["out", "taken", "rejected"]
_BYTES: Final[dict[Log, str]] = {"out": "data", "taken": "data", "rejected": "raw"}
_SIZES: Final[dict[Log, str]] = {
    "out": "length(data)",
    "taken": "length(data)",
    "rejected": "length(raw) + coalesce(length(headers), 0)",
}
_TABLES = """
create table if not exists out (number integer primary key autoincrement, about text, data blob not null);
create index if not exists out_about on out (about, number);
create table if not exists taken (number integer primary key autoincrement, at integer not null, data blob not null);
create table if not exists rejected (
    number integer primary key autoincrement, digest blob not null unique, at integer not null, times integer not null,
    reason text not null, message text not null, source text, id text, headers text, raw blob not null
);
"""
_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Whatever is escaped in JSON: a surrogate pair, half of one (which is the group), or anything else."""


class Out(Struct, frozen=True):
    """One event that came out; numbers grow, and are never used again."""

    number: int
    data: bytes

    @property
    def mark(self) -> str:
        """See `mark_of`."""
        return mark_of(self.data)


class Taken(Struct, frozen=True):
    """One event that was taken, as a structured event, and when it was recorded; numbers grow."""

    number: int
    at: int
    data: bytes

    @property
    def mark(self) -> str:
        """See `mark_of`."""
        return mark_of(self.data)


class Kept(Struct, frozen=True):
    """What could not be taken, byte for byte; the same again is counted in `times`."""

    at: int
    reason: str
    message: str
    source: str | None
    id: str | None
    headers: str | None
    """The attributes that came beside the bytes, as JSON; None where the bytes are all there is."""
    raw: bytes
    number: int = 0
    times: int = 1

    @property
    def mark(self) -> str:
        """See `mark_of`."""
        return mark_of(self.raw)


def mark_of(data: bytes) -> str:
    """Names an entry of a log by its bytes: where another stands under its number, the log is another one."""
    return sha256(data).hexdigest()[:16]


def _readable(event: bytes) -> bytes:
    """With U+FFFD in the place of each half of a surrogate pair, which earlier gates took and few can read."""
    if b"\\ud" not in event and b"\\uD" not in event:
        return event
    return _ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], event)


class Journal(SqliteStore):
    """The store of a gate that serves."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._db.executescript(_TABLES)

    def publish(self, data: bytes, about: str | None = None) -> Out:
        """Keep an event for whoever reads; `about` finds it again."""
        return Out(self._write("insert into out (about, data) values (?, ?)", about, data), data)

    def published(self, after: int, limit: int) -> list[Out]:
        """What came out after that number, in order; as far as a page goes."""
        rows = self._page("out", "number, data", after, limit)
        return [Out(*row) for row in rows]

    def take(self, data: bytes, at: int) -> None:
        """Keep an event that was taken, for whoever reads."""
        self._write("insert into taken (at, data) values (?, ?)", at, data)

    def taken(self, after: int, limit: int) -> list[Taken]:
        """What was taken after that number, in order; as far as a page goes."""
        rows = self._page("taken", "number, at, data", after, limit)
        return [Taken(number, at, _readable(data)) for number, at, data in rows]

    def last_number(self, log: Log = "out") -> int:
        """Of what came last; 0 before anything did."""
        row = self._db.execute(f"select max(number) from {log}").fetchone()
        return row[0] or 0

    def stands(self, log: Log, number: int, mark: str | None = None) -> bool:
        """Whether the log holds that entry (0 stands before the first), and it is the one of that mark, if one is given.

        Where not, whoever read so far read another store, or this one before an older copy took its place.
        """
        if number == 0:
            return True
        row = self._db.execute(f"select {_BYTES[log]} from {log} where number = ?", (number,)).fetchone()
        # Whoever read it before it was made readable knows it by the mark that it had.
        return row is not None and (mark is None or mark in (mark_of(_readable(row[0])), mark_of(row[0])))

    def last_about(self, about: str) -> Out | None:
        """What came out last about something."""
        sql = "select number, data from out where about = ? order by number desc limit 1"
        row = self._db.execute(sql, (about,)).fetchone()
        return Out(*row) if row else None

    def reject(self, kept: Kept) -> int:
        """Keep what could not be taken; returns its number."""
        digest = sha256(b"\0".join((kept.reason.encode(), (kept.headers or "").encode(), kept.raw))).digest()
        row = self._db.execute("select number from rejected where digest = ?", (digest,)).fetchone()
        if row:
            self._write("update rejected set times = times + 1 where number = ?", row[0])
            return int(row[0])
        return self._write(
            "insert into rejected (digest, at, times, reason, message, source, id, headers, raw)"
            " values (?, ?, 1, ?, ?, ?, ?, ?, ?)",
            *(digest, kept.at, kept.reason, kept.message, kept.source, kept.id, kept.headers, kept.raw),
        )

    def rejected(self, after: int, limit: int) -> Sequence[Kept]:
        """What could not be taken after that number, in order; as far as a page goes."""
        columns = "at, reason, message, source, id, headers, raw, number, times"
        return [Kept(*row) for row in self._page("rejected", columns, after, limit)]

    def _page(self, log: Log, columns: str, after: int, limit: int) -> sqlite3.Cursor:
        """Entries after a number: `limit`, and `PAGE_BYTES`, at most, but one where there is one.

        Sizes are asked first, for which SQLite does not read what they are of.
        """
        sql = f"select number, {_SIZES[log]} from {log} where number > ? order by number limit ?"
        last, held = after, 0
        for number, size in self._db.execute(sql, (after, limit)):
            held += size
            if held > PAGE_BYTES and last > after:
                break
            last = number
        sql = f"select {columns} from {log} where number > ? and number <= ? order by number"
        return self._db.execute(sql, (after, last))
