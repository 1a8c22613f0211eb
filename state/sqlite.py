"""A store in one SQLite file: restart-safe, for a firm that has neither Kafka nor Redis.

With write-ahead logging and full synchronisation what was committed survives a loss of power.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gate.dossier import Dossier
from gate.facts import Fact
from gate.history import Record
from state.codec import dossier_from_bytes, dossier_to_bytes, record_from_bytes, record_to_bytes

BUSY_SECONDS: Final = 5
"""How long a write waits for somebody else's."""
TRIED_BYTES: Final = 256 * 1024
"""About what a request needs room for."""
_TRIED: Final = "tried"
_TABLES = """
create table if not exists dossier (client text primary key, data blob not null) without rowid;
create table if not exists record (number integer primary key, client text not null, data blob not null);
create index if not exists record_client on record (client, number);
create table if not exists register (number integer primary key, data blob not null);
create table if not exists note (name text primary key, data blob not null) without rowid;
create table if not exists seen (key blob primary key, content blob not null) without rowid;
"""


class SqliteStore:
    """The store of the embedded gate."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_TABLES)

    def _write(self, sql: str, *values: object) -> int:
        if not self._db.in_transaction:
            self._db.execute("begin immediate")
        return self._db.execute(sql, values).lastrowid or 0

    def dossier(self, client: str) -> Dossier:
        """See `Store`."""
        row = self._db.execute("select data from dossier where client = ?", (client,)).fetchone()
        return dossier_from_bytes(row[0]) if row else Dossier(client)

    def keep(self, dossier: Dossier, *records: Record) -> None:
        """See `Store`."""
        self._write("replace into dossier values (?, ?)", dossier.client, dossier_to_bytes(dossier))
        for record in records:
            self._write("insert into record (client, data) values (?, ?)", dossier.client, record_to_bytes(record))

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        rows = self._db.execute("select data from record where client = ? order by number", (client,))
        return [record_from_bytes(row[0]) for row in rows]

    def dossiers(self) -> Iterator[Dossier]:
        """See `Store`."""
        rows = self._db.execute("select data from dossier")
        return (dossier_from_bytes(row[0]) for row in rows)

    def learn(self, fact: Fact) -> None:
        """See `RegisterStore`."""
        self._write("insert into register (data) values (?)", record_to_bytes(Record(fact)))

    def learnt(self) -> list[Fact]:
        """See `RegisterStore`."""
        rows = self._db.execute("select data from register order by number")
        return [fact for row in rows if (fact := record_from_bytes(row[0]).fact)]

    def note(self, name: str, data: bytes) -> None:
        """See `Store`."""
        self._write("replace into note values (?, ?)", name, data)

    def noted(self, name: str) -> bytes | None:
        """See `Store`."""
        row = self._db.execute("select data from note where name = ?", (name,)).fetchone()
        return row[0] if row else None

    def noted_under(self, prefix: str) -> list[str]:
        """See `Store`."""
        return [row[0] for row in self._db.execute("select name from note where name glob ?", (prefix + "*",))]

    def seen(self, key: bytes, content: bytes) -> bool | None:
        """See `Store`."""
        before = self._content(key)
        if before is None:
            self._write("insert into seen values (?, ?)", key, content)
            return None
        return before == content

    def known(self, key: bytes, content: bytes) -> bool:
        """See `Store`."""
        return self._content(key) == content

    def _content(self, key: bytes) -> bytes | None:
        row = self._db.execute("select content from seen where key = ?", (key,)).fetchone()
        return row[0] if row else None

    def commit(self) -> None:
        """See `Store`."""
        if self._db.in_transaction:
            self._db.execute("commit")

    def rollback(self) -> None:
        """See `Store`."""
        if self._db.in_transaction:
            self._db.execute("rollback")

    def is_open(self) -> bool:
        """Whether it was not closed; a store that failed may be, where it could not be opened again."""
        try:
            self._db.total_changes  # noqa: B018, it raises
        except sqlite3.ProgrammingError:
            return False
        return True

    def try_writing(self) -> None:
        """Write and take it back, to see whether the disk lets it; raises what any other commit would raise."""
        try:
            self._db.execute("pragma busy_timeout = 0")  # Nobody is to wait for this.
            self.note(_TRIED, bytes(TRIED_BYTES))
            self.commit()
            self._write("delete from note where name = ?", _TRIED)
            self.commit()
        finally:
            self.rollback()
            self._db.execute(f"pragma busy_timeout = {BUSY_SECONDS * 1_000}")

    def close(self) -> None:
        """See `Store`."""
        self._db.close()
