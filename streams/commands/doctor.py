"""`gate61 doctor`: what is wrong, and what to do about it."""

import os

import typer
from msgspec import structs
from rich.text import Text

from streams.commands.common import AsJson, record
from streams.commands.page import Page
from streams.terminal import plain


def doctor(as_json: AsJson = False) -> None:
    """Check settings, policy, Kafka, topics, Redis, clocks and state; exit 1 if anything is wrong.

    Examined is what GATE61_KAFKA, GATE61_REDIS, GATE61_POLICY and the other settings name; README.md lists them.
    """
    from state.finding import Level
    from streams.doctor import examine

    page = Page()
    colours = {Level.OK: "green", Level.WARN: "yellow", Level.WRONG: "bold red"}
    counted = dict.fromkeys(Level, 0)
    for found in examine(os.environ):
        counted[found.level] += 1
        if as_json:
            record(structs.asdict(found))
            continue
        about = f"{found.about:<9} {plain(found.what)}"
        page.print(Text.assemble((f"{found.level:<6}", colours[found.level]), about), soft_wrap=True)
        if found.do:
            page.print(f"{'':<15} -> {plain(found.do)}", soft_wrap=True)
    if not as_json:
        page.print(f"{counted[Level.OK]} ok, {counted[Level.WARN]} to look at, {counted[Level.WRONG]} wrong")
    if counted[Level.WRONG]:
        raise typer.Exit(1)
