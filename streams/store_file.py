"""A store's SQLite file, looked at by its name: what is written to one that nobody finds under it is lost with the process."""

import os
import sqlite3
from pathlib import Path

_Which = tuple[int, int]
"""Device and inode: one file, whatever name it has."""


class StoreFile:
    """The file as it was opened, and SQLite's write-ahead log beside it.

    As long as it is open no other file gets its number.
    """

    def __init__(self, path: Path, opened: Path | int | None = None) -> None:
        """`opened` is the file itself, by a name or a descriptor; without one it is what stands under `path` now."""
        self._path = path
        self._opened = _which(path if opened is None else opened)
        real = path.resolve()  # SQLite keeps the log beside the database itself, whatever link leads there.
        self._wal = real.with_name(real.name + "-wal")
        self._opened_wal: _Which | None = None

    def opened(self) -> None:
        """SQLite has opened it, and its log with it."""
        self._opened_wal = _which(self._wal)

    def closed(self) -> None:
        """SQLite has closed it, and may take its log away."""
        self._opened_wal = None

    def must_stand(self) -> None:
        """Raises `sqlite3.OperationalError` where another file is in the place of either, or none, with what to do."""
        if self._opened is None or _which(self._path) != self._opened:
            raise sqlite3.OperationalError(
                "another file is in its place, or none; put it back, or start again with what is there"
            )
        if self._opened_wal is not None and _which(self._wal) != self._opened_wal:
            raise sqlite3.OperationalError(
                f"`{self._wal.name}` beside it, which holds what was taken last, was replaced or is gone; put it back, or "
                "stop (SIGTERM saves what it holds) and start again"
            )


def _which(file: Path | int) -> _Which | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
