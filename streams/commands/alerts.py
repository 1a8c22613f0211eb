"""`gate61 alerts`: who is told of held and blocked offers and of cases."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from streams.commands.common import (
    AsJson,
    Host,
    KeysPath,
    Port,
    Since,
    access_of,
    record,
    refuse,
    refuse_all,
    say,
    since_or_refuse,
)
from streams.commands.page import Page
from streams.settings import SettingsRefused, misspelt
from streams.since import age
from streams.web.clock import now

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from streams.alerts.config import Config
    from streams.alerts.outbox import Delivery

ConfigPath = Annotated[Path, typer.Option("--config", envvar="GATE61_ALERTS", help="the TOML file of channels")]
Store = Annotated[
    str, typer.Option("--store", envvar="GATE61_ALERTS_STORE", help="an SQLite file, or postgresql://HOST/NAME")
]
_CONFIG, _STORE = Path("alerts.toml"), "gate61-alerts.db"

alerts = typer.Typer(
    invoke_without_command=True, help="Tell people and systems of held and blocked offers and of cases."
)
dead = typer.Typer(no_args_is_help=True, help="Messages that did not arrive and were given up.")
alerts.add_typer(dead, name="dead")


@alerts.callback()
def run(
    context: typer.Context,
    config: ConfigPath = _CONFIG,
    store: Store = _STORE,
    since: Since = None,
    host: Host = "127.0.0.1",
    port: Port = 6062,
    keys: KeysPath = None,
) -> None:
    """Tell of what the gate at GATE61_URL or GATE61_KAFKA holds and blocks, and of cases, until SIGTERM.

    The first start tells of what is recorded from when it is ready on, or from --since on; later ones go on where the
    store stands.
    """
    if context.invoked_subcommand is not None:
        refuse_all(misspelt(os.environ))
        context.obj = (config, store)
        return
    from streams.alerts.alone import alone
    from streams.alerts.app import application
    from streams.alerts.service import Alerts
    from streams.feed import gate_of
    from streams.stores import address_of, shown
    from streams.web.listening import ListeningRefused, listen
    from streams.web.logs import log_to_stderr

    first, found = since_or_refuse(since), list[str]()
    used, access = _config_or_none(config, found), access_of(host, keys, found)
    try:
        gate = gate_of(also=found)
    except SettingsRefused as refused:
        raise refuse(str(refused)) from None
    engine = _engine(store, make=True)
    with alone(engine) as is_alone:
        if not is_alone():
            where = shown(address_of(store))
            raise refuse(f"another `gate61 alerts` runs on the store `{where}`; each message would go out twice")
        log_to_stderr()
        try:
            running = Alerts(gate.feed(), engine, used, first, alone=is_alone)
            listen(application(running, access), host, port, "the alerts")
        except ListeningRefused as refused:
            raise refuse(str(refused)) from None


@alerts.command()
def test(context: typer.Context, channel: Annotated[str, typer.Argument(help="a channel's name")]) -> None:
    """Send one test alert to a channel, and say what happened; exit code 1 where it did not arrive."""
    from streams.alerts.trying import try_channel

    used = _config(context.obj[0])
    if channel not in used.channels:
        raise refuse(f"there is no channel `{channel}`; there are {', '.join(used.channels)}")
    arrived = True
    for what, attempt in asyncio.run(try_channel(used.channels[channel], used.allowed)):
        say(f"{channel}: {what}: {attempt.said}")
        arrived = arrived and attempt.arrived
    if not arrived:
        raise typer.Exit(1)


@alerts.command()
def channels(context: typer.Context, as_json: AsJson = False) -> None:
    """Check the configuration and list the channels, with the public keys that receivers check with."""
    from streams.alerts.happened import SEVERITIES

    used = _config(context.obj[0])
    rows = [
        {
            "channel": c.name,
            "kind": c.kind,
            "verdicts": sorted(c.verdicts),
            "reasons": sorted(c.reasons),
            "severity": SEVERITIES[c.severity],
            "public_keys": c.signer.public() if c.signer else [],
        }
        for c in used.channels.values()
    ]
    _print(rows, as_json)


@alerts.command()
def enable(context: typer.Context, channel: Annotated[str, typer.Argument(help="a channel's name")]) -> None:
    """Send again to a channel whose receiver had said that it is gone (410)."""
    from streams.alerts import outbox

    config, store = context.obj
    used = _config(config)
    if channel not in used.channels:
        raise refuse(f"there is no channel `{channel}`; there are {', '.join(used.channels)}")
    outbox.known(_engine(store), channel, used.channels[channel].digest, enable=True)
    say(f"{channel} is sent to again; for what was given up: gate61 alerts dead send --all --channel {channel}")


@dead.command("list")
def dead_list(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="of this channel alone")] = None,
    as_json: AsJson = False,
) -> None:
    """List them, the oldest first, with what the receiver said last."""
    from streams.alerts import outbox

    at = now()
    rows = [_told(each, at) for each in outbox.dead(_engine(context.obj[1]), channel)]
    _print(rows, as_json)


@dead.command("send")
def dead_send(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="messages, as `dead list` names them")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="all that are dead")] = False,
    channel: Annotated[str | None, typer.Option(help="with --all: of this channel alone")] = None,
    as_json: AsJson = False,
) -> None:
    """Send them again, each under its id; exit code 1 where one does not arrive, which then waits for its next turn.

    Where `gate61 alerts` runs it is the one that sends; else this does.
    """
    from streams.alerts import outbox
    from streams.alerts.trying import send_again

    if bool(ids) == all_of_them:
        raise refuse("name messages, or say --all")
    config, store = context.obj
    used, engine = _config(config), _engine(store)
    found = {each.id: each for each in outbox.dead(engine, channel)}
    unknown = [id for id in ids or () if id not in found]
    if unknown:
        raise refuse(f"`{unknown[0]}` is no dead message; `gate61 alerts dead list` names them")
    wanted = [each for id, each in found.items() if all_of_them or id in (ids or ())]
    strange = sorted({each.channel for each in wanted} - used.channels.keys())
    if strange:
        raise refuse(f"channel `{strange[0]}` is not configured; nothing was sent. Configure it, or name messages")
    results, at = asyncio.run(send_again(engine, used, [each.id for each in wanted])), now()
    for each in results:
        if as_json:
            record(_told(each, at) | {"state": each.state})
        else:
            say(f"{each.id} {each.channel}: {each.state}: {each.said}")
    if any(each.state != outbox.SENT for each in results):
        raise typer.Exit(1)


def _config(path: Path) -> "Config":
    from streams.alerts.config import ConfigRefused, load

    try:
        return load(path)
    except ConfigRefused as refused:
        raise refuse(str(refused)) from None


def _config_or_none(path: Path, found: list[str]) -> "Config":
    """The same; what is wrong with it is added to `found`, and then nobody is told."""
    from streams.alerts.config import Config, ConfigRefused, load

    try:
        return load(path)
    except ConfigRefused as refused:
        found += [f"`{path}`: {complaint}" for complaint in refused.complaints]
        return Config({})


def _engine(store: str, make: bool = False) -> "Engine":
    """The store, which the running alerts alone `make`: who names another by mistake is to be told."""
    from sqlalchemy.exc import SQLAlchemyError

    from streams.alerts.tables import STORE, opened
    from streams.stores import address_of, trouble

    try:
        return opened(address_of(store), make)
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise refuse(trouble(address_of(store), error, STORE)) from None


def _told(each: "Delivery", at: int) -> dict[str, Any]:
    return {
        "id": each.id,
        "channel": each.channel,
        "kind": each.kind,
        "made": f"{age(each.created, at)} ago",
        "attempts": each.attempts,
        "status": each.status,
        "said": each.said,
    }


def _print(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Nothing is cut: ids, names and keys are asked for elsewhere."""
    if as_json:
        for row in rows:
            record(row)
        return
    if not rows:
        say("none")
        return
    table = Table(*(Column(name, overflow="fold") for name in rows[0]))
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Page().print(table)


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
