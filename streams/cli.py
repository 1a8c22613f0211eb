"""The program `gate61`: commands that people script against (contract section 5)."""

import os
import signal
import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from streams.commands import keys as keys_of_services
from streams.commands.alerts import alerts
from streams.commands.ask import ask
from streams.commands.common import refuse_all
from streams.commands.decide import decide
from streams.commands.demo import demo
from streams.commands.desk import desk
from streams.commands.dlq import dlq
from streams.commands.doctor import doctor
from streams.commands.explain import explain
from streams.commands.policy import policies
from streams.commands.rebuild import rebuild
from streams.commands.schemas import schemas
from streams.commands.serve import serve
from streams.commands.topics import topics
from streams.commands.watch import watch
from streams.commands.worker import worker
from streams.settings import resembling

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(decide)
app.command()(explain)
app.command()(demo)
app.command()(serve)
app.add_typer(desk, name="desk")
app.command()(worker)
app.add_typer(topics, name="topics")
app.command()(doctor)
app.add_typer(policies, name="policy")
app.add_typer(dlq, name="dlq")
app.command()(rebuild)
app.command()(watch)
app.command()(ask)
app.add_typer(keys_of_services.app, name="keys")
app.add_typer(alerts, name="alerts")
app.command()(schemas)


def _version(asked: bool) -> None:
    if asked:
        print(f"gate61 {version_of('gate61')}")
        raise typer.Exit


_ON_FILES = ("decide", "explain", "demo")
"""Commands that hold no connections: elsewhere that signal would also come from a broker or client who hangs up."""

_WITHOUT_SETTINGS = (*_ON_FILES, "policy", "keys")
"""Commands that look at few settings; the others complain about what is no setting with what else is wrong."""


@app.callback()
def program(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """The gate of MiCA Art. 61: may this offer be sent to this client now?"""
    if context.invoked_subcommand in _WITHOUT_SETTINGS:
        refuse_all(resembling(os.environ))
    if context.invoked_subcommand in _ON_FILES and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # A reader who has had enough ends the program, quietly.


def _closed() -> None:
    """Whoever starts programs may have closed what they write to: that is said, as far as there is anywhere to.

    What is opened next has the lowest number that is free, and what is written to standard error by its number would go
    into it: a store, or a connection.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(opened)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    if sys.stdout is None:
        print("gate61: standard output is closed: send it to a file, or to /dev/null", file=sys.stderr)
        raise SystemExit(2)


def main() -> None:
    """Entry point."""
    _closed()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # What cannot be written is found here, and not in leaving, where nobody could say it.
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # What is still held for it would fail again on leaving.
        print(f"gate61: stopped before the end: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(1) from None
