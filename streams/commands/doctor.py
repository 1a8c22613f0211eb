"""`gate61 doctor`: what is wrong, and what to do about it."""

import json
import os

import typer
from msgspec import structs

from streams.commands.common import AsJson, console


def doctor(as_json: AsJson = False) -> None:
    """Check settings, policy, Kafka, topics, Redis, clocks and state; exit 1 if anything is wrong."""
    from state.finding import Level
    from streams.doctor import examine

    page = console()
    colours = {Level.OK: "green", Level.WARN: "yellow", Level.WRONG: "bold red"}
    counted = dict.fromkeys(Level, 0)
    for found in examine(os.environ):
        counted[found.level] += 1
        if as_json:
            print(json.dumps(structs.asdict(found), ensure_ascii=False), flush=True)
            continue
        page.print(f"[{colours[found.level]}]{found.level:<6}[/]{found.about:<9} ", end="")
        page.print(found.what, markup=False, soft_wrap=True)
        if found.do:
            page.print(f"{'':<15} -> {found.do}", markup=False, soft_wrap=True)
    if not as_json:
        page.print(f"{counted[Level.OK]} ok, {counted[Level.WARN]} to look at, {counted[Level.WRONG]} wrong")
    if counted[Level.WRONG]:
        raise typer.Exit(1)
