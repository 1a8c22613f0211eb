"""`gate61 topics plan` and `apply`: what the gate needs of Kafka."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from streams.commands.common import AsJson, connected, record, refuse, say, settings_or_refuse
from streams.commands.page import Page
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.administration import Planned

topics = typer.Typer(no_args_is_help=True, help="Kafka topics: what the gate needs, and making it so.")
_DONE = {"create": "created", "alter": "changed", "keep": "kept as they are"}
_COLOURS = {"create": "green", "alter": "yellow", "keep": "dim", "refuse": "red bold"}


@topics.command()
def plan(as_json: AsJson = False) -> None:
    """Show what each topic is and must become, by GATE61_KAFKA, GATE61_PREFIX, GATE61_PARTITIONS and GATE61_REPLICATION."""
    from streams.kafka.administration import plan as planned

    settings = settings_or_refuse(redis=False)
    with _kafka(settings) as admin:
        found = planned(admin, settings)
        _show(found, as_json)
        _refuse_refused(found)


@topics.command()
def apply(as_json: AsJson = False) -> None:
    """Create and change topics as planned, by the same settings; nothing at all where something would break state."""
    from streams.kafka.administration import apply as applied
    from streams.kafka.administration import plan as planned

    settings = settings_or_refuse(redis=False)
    with _kafka(settings) as admin:
        found = planned(admin, settings)
        _show(found, as_json)
        _refuse_refused(found)
        applied(admin, found)
    done = {word: sum(1 for p in found if p.action == action) for action, word in _DONE.items()}
    if not as_json:
        say(", ".join(f"{count} topics {word}" for word, count in done.items() if count))


def _refuse_refused(found: "list[Planned]") -> None:
    """Exit code 1 where something cannot be made as it must be."""
    refused = sum(1 for p in found if p.refusals)
    if refused:
        raise refuse(f"{refused} of {len(found)} topics cannot be made as they must be; nothing was changed", 1)


@contextmanager
def _kafka(settings: Settings) -> Iterator[Any]:
    """A client; trouble with Kafka ends the program with exit code 1 and what to do."""
    from streams.kafka.administration import NotApplied, administrator

    with connected(settings, administrator) as admin:
        try:
            yield admin
        except NotApplied as error:
            raise refuse(f"Kafka did not do all of it: {error}; mend that, then apply again", 1) from None


def _show(found: "list[Planned]", as_json: bool) -> None:
    if as_json:
        for each in found:
            record(each.record())
        return
    table = Table(Column("topic", overflow="fold"), "what for", "partitions", "action", "why")
    for each in found:
        why = [*each.changes, *(f"{r.what}; {r.do}" for r in (*each.refusals, *each.notes))]
        action = Text(each.action, _COLOURS[each.action])
        table.add_row(each.topic.name, each.topic.what, str(each.partitions), action, "\n".join(why))
    Page().print(table)
