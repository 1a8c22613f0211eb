"""A store in one SQLite file: restart-safe, for a firm that has neither Kafka nor Redis.

A `keep` is one transaction; with write-ahead logging and full synchronisation it survives a loss of power.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gate.dossier import Dossier
from gate.history import Record
from state.codec import dossier_from_bytes, dossier_to_bytes, record_from_bytes, record_to_bytes

_TABLES = """
create table if not exists dossier (client text primary key, data blob not null) without rowid;
create table if not exists record (number integer primary key, client text not null, data blob not null);
create index if not exists record_client on record (client, number);
create table if not exists seen (key blob primary key, content blob not null) without rowid;
"""


class SqliteStore:
    """The store of the embedded gate."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_TABLES)

    def dossier(self, client: str) -> Dossier:
        """See `Store`."""
        row = self._db.execute("select data from dossier where client = ?", (client,)).fetchone()
        return dossier_from_bytes(row[0]) if row else Dossier(client)

    def keep(self, dossier: Dossier, *records: Record) -> None:
        """See `Store`."""
        self._db.execute("begin immediate")
        try:
            self._db.execute("replace into dossier values (?, ?)", (dossier.client, dossier_to_bytes(dossier)))
            rows = [(dossier.client, record_to_bytes(r)) for r in records]
            self._db.executemany("insert into record (client, data) values (?, ?)", rows)
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        rows = self._db.execute("select data from record where client = ? order by number", (client,))
        return [record_from_bytes(row[0]) for row in rows]

    def clients(self) -> Iterator[str]:
        """See `Store`."""
        rows = self._db.execute("select client from record group by client order by min(number)").fetchall()
        return iter([row[0] for row in rows])

    def seen(self, key: bytes, content: bytes) -> bool | None:
        """See `Store`."""
        row = self._db.execute("select content from seen where key = ?", (key,)).fetchone()
        if row is None:
            self._db.execute("insert into seen values (?, ?)", (key, content))
            return None
        return bool(row[0] == content)

    def close(self) -> None:
        """See `Store`."""
        self._db.close()
