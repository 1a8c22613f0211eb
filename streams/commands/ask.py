"""`gate61 ask`: the synchronous question, beside a worker."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands.common import refuse, settings_or_refuse


def ask(
    host: Annotated[str, typer.Option(help="address to listen on; other than loopback needs keys")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one", min=0, max=65535)] = 8062,
    keys: Annotated[
        Path | None, typer.Option("--keys", envvar="GATE61_KEYS", help="key file; then keys are demanded")
    ] = None,
    lag: Annotated[
        float, typer.Option(envvar="GATE61_ASK_LAG", help="seconds a worker may be behind the stream", min=1, max=3600)
    ] = 30.0,
    budget: Annotated[
        float, typer.Option(envvar="GATE61_ASK_BUDGET", help="seconds a question may take", min=0.01, max=60)
    ] = 2.0,
    list_budget: Annotated[
        float,
        typer.Option(envvar="GATE61_LIST_BUDGET", help="seconds a list of recipients may take", min=0.01, max=300),
    ] = 10.0,
) -> None:
    """Answer over HTTP what may be sent now, from what the workers know; changes nothing."""
    from streams.ask.app import ask_app  # What only serves is not loaded by commands that are called often.
    from streams.ask.routes import Budget
    from streams.web.access import Access
    from streams.web.clock import now
    from streams.web.listening import ListeningRefused, keys_for, listen

    settings = settings_or_refuse()
    try:
        access = Access(keys_for(host, keys))
        listen(ask_app(settings, access, now, lag, Budget(budget, list_budget)), host, port, "the ask service")
    except ListeningRefused as refused:
        raise refuse(str(refused)) from None
