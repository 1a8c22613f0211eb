"""`gate61 serve --embedded`: the gate over HTTP with SQLite."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands.common import PolicyPath, policy_or_refuse, refuse

Host = Annotated[str, typer.Option(help="address to listen on; other than loopback needs keys")]
Port = Annotated[int, typer.Option(help="0 takes a free one", min=0, max=65535)]
KeysPath = Annotated[Path | None, typer.Option("--keys", envvar="GATE61_KEYS", help="key file; then keys are demanded")]
Seconds = Annotated[float, typer.Option("--budget", help="seconds a question may take", min=0.01, max=60)]
ListSeconds = Annotated[
    float,
    typer.Option(
        "--list-budget", envvar="GATE61_LIST_BUDGET", help="seconds a list of recipients may take", min=0.01, max=300
    ),
]


def serve(
    policy: PolicyPath = None,
    embedded: Annotated[bool, typer.Option("--embedded", help="with SQLite, without Kafka and Redis")] = False,
    state: Annotated[Path, typer.Option(envvar="GATE61_STATE", help="the SQLite file")] = Path("gate61.db"),
    host: Host = "127.0.0.1",
    port: Port = 8061,
    keys: KeysPath = None,
    budget: Seconds = 2.0,
    list_budget: ListSeconds = 10.0,
    trust_recordedtime: Annotated[
        bool,
        typer.Option("--trust-recordedtime", help="take recorded times from the events, as from files, not the clock"),
    ] = False,
) -> None:
    """Take events over HTTP, answer every offer, and keep everything in one SQLite file."""
    import sqlite3  # What only serves is not loaded by commands that are called often.

    from streams.ask.routes import Budget
    from streams.serve.app import Service
    from streams.serve.intake import Intake, InUse
    from streams.web.access import Access
    from streams.web.listening import ListeningRefused, keys_for, listen

    if not embedded:
        raise refuse(
            "say `gate61 serve --embedded`; with Kafka the gate is `gate61 worker`, and `gate61 ask` beside it"
        )
    used = policy_or_refuse(policy)
    try:
        access = Access(keys_for(host, keys))
        intake = Intake(used, state, trust_recordedtime=trust_recordedtime)
        listen(Service(intake, access, budget=Budget(budget, list_budget)).app, host, port, "the embedded gate")
    except (ListeningRefused, InUse) as refused:
        raise refuse(str(refused)) from None
    except (OSError, sqlite3.Error) as error:
        raise refuse(f"the store `{state}` cannot be used: {error}") from None
