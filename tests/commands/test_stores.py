"""Stores of the desk and the alerts that cannot be used: where, why, and what to do."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from streams.alerts import tables as alerts
from streams.desk import tables as desk
from streams.stores import trouble
from tests.commands.program import run

USERS = ("desk", "users", "list")


def test_a_driver_that_is_not_installed_is_named_with_how_to_get_it() -> None:
    said = trouble("postgresql+psycopg://me:secret@db-1/desk", ModuleNotFoundError(name="psycopg"), "--store")
    assert said.startswith(
        "the store `postgresql+psycopg://me:***@db-1/desk` cannot be used: psycopg is not installed;"
    )
    assert "pip install 'psycopg[binary]'" in said and said.endswith("see --store")


@pytest.mark.parametrize("words", [USERS, ("alerts", "dead", "list")])
def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A file in a folder that is not there; what is no store; both in one line."""
    for path in (tmp_path / "none" / "store.db", _no_store(tmp_path)):
        settings = {"GATE61_DESK_STORE": str(path), "GATE61_ALERTS_STORE": str(path)}
        done = run(*words, **settings)
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1, done
        assert f"`{path}` cannot be used: ".encode() in done.stderr and b"_STORE" in done.stderr
        assert b"Error)" not in done.stderr


def _no_store(folder: Path) -> Path:
    path = folder / "text.db"
    path.write_text("no database at all, but a file that is long enough to be taken for one" * 20)
    return path


@pytest.mark.parametrize("opened", [desk.opened, alerts.opened])
def test_a_new_store_is_its_owners_alone_to_read(tmp_path: Path, opened: Callable[[str], Engine]) -> None:
    """With all that SQLite keeps beside it, whatever files are usually made like."""
    before = os.umask(0o022)
    try:
        engine = opened(f"sqlite:///{tmp_path}/store.db")
        with engine.begin() as connection:
            connection.execute(text("create table more (word text)"))
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    engine.dispose()
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), 0o600)
