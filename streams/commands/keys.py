"""`gate61 keys`: who may ask and publish over HTTP."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from streams.commands.common import AsJson, record, refuse, say
from streams.commands.page import Page
from streams.keys import SCOPES, Keys, KeysRefused, Scope

app = typer.Typer(no_args_is_help=True, help="Bearer keys of the HTTP services.")
KeyFile = Annotated[Path, typer.Option("--file", envvar="GATE61_KEYS", help="where the keys are kept, as digests")]
KeyName = Annotated[str, typer.Argument(help="who will use the key")]


@app.command()
def add(
    name: KeyName,
    file: KeyFile,
    read_only: Annotated[bool, typer.Option("--read-only", help="may ask and read, not publish")] = False,
    publish: Annotated[bool, typer.Option("--publish", help="may publish, not ask or read")] = False,
) -> None:
    """Print a new key, this once; it may ask and publish unless told otherwise."""
    if read_only and publish:
        raise refuse("--read-only and --publish exclude each other; leave both out for a key that may do both")
    scopes: tuple[Scope, ...] = ("ask",) if read_only else ("publish",) if publish else SCOPES
    try:
        say(Keys(file).add(name, scopes))
    except KeysRefused as refused:
        raise refuse(str(refused)) from None


@app.command("list")
def list_(file: KeyFile, as_json: AsJson = False) -> None:
    """Show who has keys, and for what."""
    try:
        keys = Keys(file).all()
    except KeysRefused as refused:
        raise refuse(str(refused)) from None
    if as_json:
        for key in keys:
            record({"name": key.name, "scopes": key.scopes, "created": key.created})
        return
    table = Table("name", "may", "since")
    for key in keys:
        table.add_row(key.name, " and ".join(key.scopes), key.created)
    Page().print(table)


@app.command()
def revoke(name: KeyName, file: KeyFile) -> None:
    """Take a key back; running services notice at once."""
    try:
        Keys(file).revoke(name)
    except KeysRefused as refused:
        raise refuse(str(refused)) from None
