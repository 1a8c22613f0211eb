"""One process carries the messages of a store; a second one would send everything twice."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

_LOCK: Final = 0x6761_7465_3631_616C
"""Of PostgreSQL's advisory locks, by a number of our own."""


class NotAlone(Exception):
    """Another process carries now."""

    def __init__(self) -> None:
        super().__init__("another process sends the messages of this store; run one `gate61 alerts` on it only")


@contextmanager
def alone(engine: Engine) -> Iterator[Callable[[], bool]]:
    """Whether nobody else carries, to be asked before anything is carried; raises SQLAlchemyError if it cannot be.

    A file is locked until the end, also where the process is killed; a database that restarts forgets who had its lock.
    """
    if engine.dialect.name == "postgresql":
        lock = _Advisory(engine)
        try:
            yield lock.held
        finally:
            lock.let_go()
        return
    file = os.open(Path(f"{engine.url.database}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield lambda: False
        else:
            yield lambda: True
    finally:
        os.close(file)


class _Advisory:
    """A lock that PostgreSQL keeps as long as the connection lasts by which it was taken."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def held(self) -> bool:
        """Whether it is this process's; where its connection has ended it is taken anew, if nobody else has it yet."""
        try:
            return self._taken()
        except DBAPIError:
            self.let_go()
            return self._taken()

    def let_go(self) -> None:
        """Leave it to others."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # It may have ended by itself.
                connection.close()

    def _taken(self) -> bool:
        """Who has it takes it once more, which tells that he still has it."""
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection.detach()  # Closed in the end, not kept with its lock for somebody else.
        return bool(self._connection.execute(text("select pg_try_advisory_lock(:n)"), {"n": _LOCK}).scalar())
