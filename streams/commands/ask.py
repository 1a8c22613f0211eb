"""`gate61 ask`: the synchronous question, beside a worker."""

from os import environ
from typing import Annotated

import typer

from streams.commands.common import (
    Host,
    KeysPath,
    ListSeconds,
    Port,
    Seconds,
    access_of_gate,
    list_seconds,
    question_seconds,
    refuse,
    settings_or_refuse,
)
from streams.settings import seconds


def ask(
    host: Host = "127.0.0.1",
    port: Port = 8062,
    keys: KeysPath = None,
    lag: Annotated[
        float | None,
        typer.Option(help="seconds a worker may be behind the stream, 30 or GATE61_ASK_LAG", min=1, max=3600),
    ] = None,
    budget: Seconds = None,
    list_budget: ListSeconds = None,
) -> None:
    """Answer over HTTP what may be sent now, from what the workers know; changes nothing."""
    from streams.ask.app import ask_app  # What only serves is not loaded by commands that are called often.
    from streams.ask.budget import Budget
    from streams.web.clock import now
    from streams.web.listening import ListeningRefused, listen
    from streams.web.logs import log_to_stderr

    log_to_stderr()
    found: list[str] = []
    access = access_of_gate(host, keys, found)
    behind = lag or seconds(environ, "GATE61_ASK_LAG", 30.0, 1, 3600, found)
    allowed = Budget(question_seconds(budget, found), list_seconds(list_budget, found))
    settings = settings_or_refuse(also=found)
    try:
        listen(ask_app(settings, access, now, behind, allowed), host, port, "the ask service")
    except ListeningRefused as refused:
        raise refuse(str(refused)) from None
