"""Stores of the desk's and of the alerts': how they are opened and written, and why one cannot be used, for people."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from errno import ENOENT
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, event, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, OperationalError

from streams.store_file import StoreFile

if TYPE_CHECKING:  # Commands that open a store alone load no feed.
    from streams.feed import Told


class OfLogs(NamedTuple):
    """A store's tables of how far its logs were read: by log the next offset, and of what was read last mark and time.

    A log that was read before there were marks has none, and likewise with times.
    """

    position: Table
    mark: Table
    time: Table


def opened_with(address: str | URL, tables: MetaData, make: bool) -> Engine:
    """The store at that address, its tables made where they are missing; a new file is its owner's alone to read.

    Each use of it raises `OperationalError` where its file stands no more under its name.
    Unless it may `make` one, FileNotFoundError where there is none; nothing is left behind then.
    """
    engine = create_engine(address, pool_pre_ping=True)
    if not make and not _is_there(engine, tables):
        raise FileNotFoundError(ENOENT, "it does not exist, and this command does not create it")
    if engine.dialect.name == "sqlite":
        _made_private(engine.url.database or "")
        event.listen(engine, "connect", _durable)
    file = _placed(engine) if engine.dialect.name == "sqlite" and _is_file(engine.url.database or "") else None
    tables.create_all(engine)
    if file is not None:
        file.opened()  # A new one has its log only now.
    return engine


def _placed(engine: Engine) -> StoreFile:
    """Whose file must stand under its name whenever it is used."""
    file = StoreFile(Path(engine.url.database or ""))
    connected = set[int]()

    def opens(connection: Any, _: object) -> None:
        if not connected:
            file.opened()
        connected.add(id(connection))

    def closes(connection: Any, _: object) -> None:
        connected.discard(id(connection))
        if not connected:  # With the last one SQLite takes its log away.
            file.closed()

    def must_stand(connection: Connection) -> None:
        try:
            file.must_stand()
        except sqlite3.OperationalError as moved:
            connection.close()  # Back to the others: another one would open what is in the file's place.
            raise OperationalError(None, None, moved) from None

    event.listen(engine, "connect", opens)
    event.listen(engine, "close", closes)
    event.listen(engine, "engine_connect", must_stand)
    event.listen(engine, "do_connect", lambda *_: file.must_stand())
    return file


def _is_there(engine: Engine, tables: MetaData) -> bool:
    """Whether one of the tables is; a file that is not there would be made by looking into it."""
    if engine.dialect.name == "sqlite" and not os.path.exists(engine.url.database or ""):
        return False
    there = not tables.tables.keys().isdisjoint(inspect(engine).get_table_names())
    engine.dispose()  # Its connection was made before it was said how connections are to be.
    return there


def _made_private(file: str) -> None:
    """What SQLite makes beside the file has its mode."""
    if _is_file(file):
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _is_file(database: str) -> bool:
    return bool(database) and database != ":memory:" and not database.startswith("file:")


def _durable(connection: Any, _: object) -> None:
    """What is committed survives a loss of power; readers do not wait for the writer."""
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "busy_timeout = 10000"):
        connection.execute(f"pragma {pragma}")


def address_of(store: str) -> str | URL:
    """The store as SQLAlchemy names it: a plain path is a SQLite file, whatever signs it holds."""
    if store.startswith("postgresql://"):
        return store.replace("postgresql://", "postgresql+psycopg://", 1)
    return store if "://" in store else URL.create("sqlite", database=str(Path(store).absolute()))


def insert_of(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert of whichever kind of store it is, which can say what becomes of rows that are there."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert whole rows; where one with the key is there it is set to the new one."""
    if not rows:
        return
    insert = insert_of(connection, table)
    keys = [c.name for c in table.primary_key]
    rest = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest), [dict(r) for r in rows])


def positions(engine: Engine, table: Table) -> dict[str, int]:
    """By log, the next offset to read, in a store's table of them."""
    with engine.connect() as connection:
        return positions_in(connection, table)


def positions_in(connection: Connection, table: Table) -> dict[str, int]:
    """The same in a transaction."""
    return {row.log: row.next for row in connection.execute(select(table))}


def read_to(engine: Engine, of: OfLogs) -> list[dict[str, Any]]:
    """What each of the tables says by log: whom `Feed.start` is told where to go on."""
    with engine.connect() as connection:
        return [dict(connection.execute(select(table)).all()) for table in of]


def go_on(connection: Connection, of: OfLogs, last: Mapping[str, "Told"]) -> None:
    """Note by log what was read last, with the batch that it is of."""
    put(connection, of.position, [{"log": log, "next": each.offset + 1} for log, each in last.items()])
    put(connection, of.mark, [{"log": log, "mark": each.mark} for log, each in last.items()])
    put(connection, of.time, [{"log": log, "at": each.at} for log, each in last.items()])


def trouble(address: str | URL, error: Exception, setting: str) -> str:
    """One line; `setting` is how the store is named. Says no password."""
    name = shown(address)
    named = f"`{name}` " if name else ""
    return f"the store {named}cannot be used: {_why(error)}; see {setting}"


def shown(address: str | URL) -> str:
    """An address for people, without what may be a secret: its password, and all that stands in its query.

    Empty where it cannot be read.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return ""
    is_file = url.drivername.startswith("sqlite")
    return str(url.database) if is_file else url.set(query={}).render_as_string(hide_password=True)


def _why(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{error.name or 'its driver'} is not installed; PostgreSQL needs `pip install 'psycopg[binary]'`"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, DBAPIError) and not isinstance(error, DataError) and str(error.orig).strip():
        return str(error.orig).strip().splitlines()[0][:300]
    if isinstance(error, ArgumentError):
        return "that is no address; name a file, or postgresql://HOST/NAME"
    return type(error).__name__
