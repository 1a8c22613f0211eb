"""One process carries the messages of a store; a second one would send everything twice."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

_LOCK: Final = 0x6761_7465_3631_616C
"""Of PostgreSQL's advisory locks, by a number of our own."""


@contextmanager
def alone(engine: Engine) -> Iterator[bool]:
    """Whether nobody else carries; it is so until the end, also where the process is killed."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()  # Closed in the end, not kept with its lock for somebody else.
            yield bool(connection.execute(text("select pg_try_advisory_lock(:n)"), {"n": _LOCK}).scalar())
        return
    file = os.open(Path(f"{engine.url.database}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)
