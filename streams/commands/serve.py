"""`gate61 serve --embedded`: the gate over HTTP with SQLite."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gate.policy import Policy
from streams.commands.common import (
    Host,
    KeysPath,
    ListSeconds,
    PolicyPath,
    Port,
    Seconds,
    access_of_gate,
    list_seconds,
    policy_or_default,
    question_seconds,
    refuse,
    refuse_all,
)
from streams.settings import misspelt

if TYPE_CHECKING:
    from streams.serve.intake import Intake


def serve(
    policy: PolicyPath = None,
    embedded: Annotated[bool, typer.Option("--embedded", help="with SQLite, without Kafka and Redis")] = False,
    state: Annotated[Path, typer.Option(envvar="GATE61_STATE", help="the SQLite file")] = Path("gate61.db"),
    host: Host = "127.0.0.1",
    port: Port = 8061,
    keys: KeysPath = None,
    budget: Seconds = None,
    list_budget: ListSeconds = None,
    trust_recordedtime: Annotated[
        bool,
        typer.Option("--trust-recordedtime", help="take recorded times from the events, as from files, not the clock"),
    ] = False,
) -> None:
    """Take events over HTTP, answer every offer, and keep everything in one SQLite file."""
    from streams.ask.budget import Budget  # What only serves is not loaded by commands that are called often.
    from streams.serve.app import Service
    from streams.web.listening import ListeningRefused, listen
    from streams.web.logs import log_to_stderr

    log_to_stderr()
    if not embedded:
        raise refuse(
            "say `gate61 serve --embedded`; with Kafka the gate is `gate61 worker`, and `gate61 ask` beside it"
        )
    found = [*misspelt(os.environ), *_no_place(state)]
    used = policy_or_default(policy, found)
    access = access_of_gate(host, keys, found)
    allowed = Budget(question_seconds(budget, found), list_seconds(list_budget, found))
    refuse_all(found)
    service = Service(_intake(used, state, trust_recordedtime), access, budget=allowed)
    try:
        listen(service.app, host, port, "the embedded gate", stopping=service.end)
    except ListeningRefused as refused:
        raise refuse(str(refused)) from None


def _intake(policy: Policy, state: Path, trust_recordedtime: bool) -> "Intake":
    """The gate on its store, or a refusal."""
    import sqlite3

    from state.codec import UnknownLayout
    from streams.serve.intake import Intake, InUse

    try:
        return Intake(policy, state, trust_recordedtime=trust_recordedtime)
    except InUse as used:
        raise refuse(str(used)) from None
    except UnknownLayout as newer:
        raise refuse(f"the store `{state}` cannot be read: {newer}") from None
    except (OSError, sqlite3.Error) as error:
        raise refuse(f"the store `{state}` cannot be used: {error}") from None
    except ValueError as error:
        raise refuse(f"the store `{state}` is damaged: {error}; put a copy of it back, or name another file") from None


def _no_place(state: Path) -> Iterator[str]:
    """What is wrong with where the store is to be, as far as shows before it is made."""
    if state.is_dir():
        yield f"the store `{state}` is a folder; name a file in GATE61_STATE"
    elif not os.access(state.absolute().parent, os.W_OK | os.X_OK):
        yield f"the store `{state}` cannot be made where it is to be; make its folder, or name another in GATE61_STATE"
