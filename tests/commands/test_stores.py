"""Stores of the desk and the alerts that cannot be used: where, why, and what to do."""

import os
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text
from sqlalchemy.exc import OperationalError

from streams.alerts import tables as alerts
from streams.desk import tables as desk
from streams.stores import address_of, shown, trouble
from tests.commands.program import run

USERS = ("desk", "users", "list")
CHANNEL = """
[[channel]]
name = "siem"
kind = "webhook"
url = "https://siem.example/alerts"
secret_env = "SIEM"
"""


def test_a_driver_that_is_not_installed_is_named_with_how_to_get_it() -> None:
    said = trouble("postgresql+psycopg://me:secret@db-1/desk", ModuleNotFoundError(name="psycopg"), "--store")
    assert said.startswith(
        "the store `postgresql+psycopg://me:***@db-1/desk` cannot be used: psycopg is not installed;"
    )
    assert "pip install 'psycopg[binary]'" in said and said.endswith("see --store")


def test_a_store_is_shown_without_what_may_be_a_secret() -> None:
    """A password may stand in the address' query, too."""
    address = "postgresql+psycopg://me:secret@db-1/desk?password=quiet&sslpassword=hush"
    said = trouble(address, OSError(2, "no"), "--store") + shown(address)
    assert said.count("postgresql+psycopg://me:***@db-1/desk") == 2
    assert not any(word in said for word in ("secret", "quiet", "hush"))


@pytest.mark.parametrize("words", [USERS, ("alerts", "dead", "list")])
def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A file in a folder that is not there; what is no store; both in one line."""
    for path in (tmp_path / "none" / "store.db", _no_store(tmp_path)):
        settings = {"GATE61_DESK_STORE": str(path), "GATE61_ALERTS_STORE": str(path)}
        done = run(*words, settings=settings)
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1, done
        assert f"`{path}` cannot be used: ".encode() in done.stderr and b"_STORE" in done.stderr
        assert b"Error)" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        USERS,
        ("desk", "users", "disable", "rita"),
        ("desk", "users", "enable", "rita"),
        ("desk", "users", "roles", "rita", "--role", "viewer"),
        ("desk", "users", "password", "rita"),
        ("alerts", "dead", "list"),
        ("alerts", "dead", "send", "--all"),
        ("alerts", "enable", "siem"),
    ],
    ids=" ".join,
)
def test_what_makes_no_store_refuses_a_name_that_is_misspelt(tmp_path: Path, words: tuple[str, ...]) -> None:
    """And leaves nothing behind, also in a store of something else."""
    config, misspelt, other = tmp_path / "alerts.toml", tmp_path / "misspelt.db", tmp_path / "other.db"
    config.write_text(CHANNEL)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("create table something (word text)")
    before = other.read_bytes()
    for path in (misspelt, other):
        where = {"GATE61_DESK_STORE": str(path), "GATE61_ALERTS_STORE": str(path), "GATE61_ALERTS": str(config)}
        done = run(*words, stdin=b"four words for rita", settings=where, SIEM=f"whsec_{b64encode(bytes(32)).decode()}")
        assert done.returncode == 2 and done.stdout == b"", done
        why = "it does not exist, and this command does not create it"
        said = f"the store `{path}` cannot be used: {why}; see --store and GATE61_"
        assert said.encode() in done.stderr and done.stderr.count(b"\n") == 1
    assert {file.name for file in tmp_path.iterdir()} == {"alerts.toml", "other.db"} and other.read_bytes() == before


@pytest.mark.parametrize("opened", [desk.opened, alerts.opened])
@pytest.mark.parametrize("name", ["a?b.db", "a#b%41.db", "a b@c:d.db"])
def test_a_store_may_have_any_name(tmp_path: Path, opened: Callable[[str | URL], Engine], name: str) -> None:
    """What means something in addresses means nothing in the name of a file."""
    address = address_of(str(tmp_path / name))
    opened(address).dispose()
    assert [file.name for file in tmp_path.iterdir()] == [name] and shown(address) == str(tmp_path / name)


@pytest.mark.parametrize("opened", [desk.opened, alerts.opened])
@pytest.mark.parametrize("gone", ["store.db", "store.db-wal"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_stands_no_more_under_its_name_takes_nothing_until_it_is_put_back(
    tmp_path: Path, opened: Callable[[str | URL], Engine], gone: str, replaced: bool
) -> None:
    """Nobody would find again what is written, such as an act of the desk's."""
    store, away = tmp_path / gone, tmp_path / "away"
    engine = opened(address_of(str(tmp_path / "store.db")))
    write = text("create table more (word text)")
    store.rename(away)
    if replaced:
        store.write_bytes(away.read_bytes())
    with pytest.raises(OperationalError, match="put it back"), engine.begin() as connection:
        connection.execute(write)
    away.rename(store)
    with engine.begin() as connection:
        connection.execute(write)
    engine.dispose()


@pytest.mark.parametrize("opened", [alerts.opened, desk.opened])
def test_a_store_whose_connections_all_ended_is_opened_again(
    tmp_path: Path, opened: Callable[[str | URL], Engine]
) -> None:
    """With the last one SQLite takes away the log that it keeps beside the file."""
    engine = opened(address_of(str(tmp_path / "store.db")))
    log = tmp_path / "store.db-wal"
    for table in ("one", "two"):
        with engine.begin() as connection:
            connection.execute(text(f"create table {table} (word text)"))
        assert log.exists()
        engine.dispose()
        assert not log.exists()


def test_people_are_in_the_desks_store_wherever_it_is_named(tmp_path: Path) -> None:
    """Before `users`, behind the command, or by the setting; what is named nearest counts."""
    first, other, third = (str(tmp_path / f"{name}.db") for name in ("first", "other", "third"))
    setting = {"GATE61_DESK_STORE": third}
    word = b"four words nobody guesses"
    add = ("users", "add", "st-lead", "--role", "approver")
    added = run("desk", "--store", first, *add, stdin=word, settings=setting)
    assert added.returncode == 0, added.stderr
    assert [file.name for file in tmp_path.glob("*.db")] == ["first.db"]
    for words in (("--store", first, "users", "list"), ("--store", other, "users", "list", "--store", first)):
        assert b"st-lead" in run("desk", *words, settings=setting).stdout
    assert run("desk", *add, "--store", other, stdin=word, settings=setting).returncode == 0
    assert run("desk", *add, stdin=word, settings=setting).returncode == 0
    assert {file.name for file in tmp_path.glob("*.db")} == {"first.db", "other.db", "third.db"}


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
