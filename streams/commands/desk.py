"""`gate61 desk`: the desk over a gate, and its people."""

import os
import sys
from getpass import getpass
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from streams.commands.common import AsJson, Port, record, refuse, refuse_all, say
from streams.commands.page import Page
from streams.settings import SettingsRefused, misspelt

desk = typer.Typer(no_args_is_help=False, help="The desk: people watch, decide and are told.")
users = typer.Typer(no_args_is_help=True, help="Who may use the desk with a password.")
desk.add_typer(users, name="users")
Store = Annotated[
    str,
    typer.Option("--store", envvar="GATE61_DESK_STORE", help="its own store: a file, or the address of a PostgreSQL"),
]
_STORE = "gate61-desk.db"


def _or_the_desks(context: typer.Context, store: str) -> str:
    """The store of a command about people: the one named there, or else the desk's, however that was named."""
    return store or str(context.obj)


OrTheDesks = Annotated[
    str,
    typer.Option("--store", callback=_or_the_desks, show_default=False, help="where it is another than the desk's"),
]
Who = Annotated[str, typer.Argument(help="staff id, as events name it")]
Roles = Annotated[list[str], typer.Option("--role", help="viewer, reviewer, approver, auditor or admin; several times")]


@desk.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    store: Store = _STORE,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Port = 8063,
    url: Annotated[
        str | None,
        typer.Option(envvar="GATE61_DESK_URL", help="how browsers reach it, https://NAME; needed beyond this machine"),
    ] = None,
) -> None:
    """Serve the desk over the gate that GATE61_URL or GATE61_KAFKA names."""
    if context.invoked_subcommand is not None:
        refuse_all(misspelt(os.environ))
        context.obj = store
        return
    from streams.desk.running import DeskRefused, run_desk
    from streams.stores import address_of
    from streams.web.listening import ListeningRefused
    from streams.web.logs import log_to_stderr

    log_to_stderr()
    try:
        run_desk(address_of(store), host, port, url)
    except (SettingsRefused, DeskRefused, ListeningRefused) as refused:
        raise refuse(str(refused)) from None


@users.command()
def add(
    who: Who,
    role: Roles,
    store: OrTheDesks = "",
    name: Annotated[str, typer.Option(help="as others see it")] = "",
) -> None:
    """Let somebody in; the password is read from the terminal, or from standard input."""
    _with(store, lambda people, now: people.add(who, name, roles_of(role), _password(), now), make=True)
    say(f"`{who}` may sign in")


@users.command("list")
def list_(store: OrTheDesks = "", json: AsJson = False) -> None:
    """Everybody and their roles."""
    rows: list[Any] = _with(store, lambda people, _: people.all())
    if json:
        for row in rows:
            told = {"id": row.id, "name": row.name, "roles": row.roles.split(), "enabled": row.enabled}
            record(told | {"local": row.password is not None})
        return
    table = Table(Column("staff id", overflow="fold"), "name", "roles", "may sign in", box=None)
    for row in rows:
        table.add_row(row.id, row.name, row.roles, "yes" if row.enabled else "no")
    Page().print(table)


@users.command()
def disable(who: Who, store: OrTheDesks = "") -> None:
    """Let somebody in no longer; his sessions end at once."""
    _with(store, lambda people, now: people.enable(who, False, now))
    say(f"`{who}` is not let in any more")


@users.command()
def enable(who: Who, store: OrTheDesks = "") -> None:
    """Let somebody in again."""
    _with(store, lambda people, now: people.enable(who, True, now))
    say(f"`{who}` may sign in")


@users.command()
def roles(who: Who, role: Roles, store: OrTheDesks = "") -> None:
    """Other roles."""
    _with(store, lambda people, now: people.set_roles(who, roles_of(role), now))
    say(f"`{who}` is {', '.join(sorted(role))}")


@users.command()
def password(who: Who, store: OrTheDesks = "") -> None:
    """Another password, read from the terminal, or from standard input."""
    _with(store, lambda people, now: people.set_password(who, _password(), now))
    say(f"the password of `{who}` is changed")


def roles_of(words: list[str]) -> frozenset[Any]:
    """The roles of those words."""
    from streams.desk.access.roles import Role

    unknown = [word for word in words if word not in list(Role)]
    if unknown:
        raise refuse(f"there is no role {', '.join(unknown)}; there are {', '.join(Role)}")
    return frozenset(map(Role, words))


def _with(store: str, work: Any, make: bool = False) -> Any:
    """Do something with the people of a store; who is let in first may `make` it."""
    from sqlalchemy.exc import SQLAlchemyError

    from streams.desk.access.people import People, PersonRefused
    from streams.desk.running import DeskRefused, store_at
    from streams.desk.tables import STORE
    from streams.stores import address_of, trouble
    from streams.web.clock import now

    try:
        return work(People(store_at(address_of(store), make)), now())
    except (PersonRefused, DeskRefused) as refused:
        raise refuse(str(refused)) from None
    except SQLAlchemyError as error:
        raise refuse(trouble(address_of(store), error, STORE)) from None


def _password() -> str:
    """Never from the command line, which lists of processes show."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass("password: ")
    if getpass("again: ") != first:
        raise refuse("the two passwords differ; nothing was changed")
    return first
