"""`gate61 dlq`: what could not be taken: list it, look at one, publish some again once the cause is mended."""

import asyncio
import base64
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gate.instants import text
from gate.policy import SECOND
from streams.border.raw import is_text
from streams.commands.common import (
    AsJson,
    Since,
    policy_or_refuse,
    reading_kafka,
    record,
    refuse,
    say,
    settings_or_refuse,
    since_or_refuse,
    warn,
)
from streams.kafka.record import REASONS
from streams.kafka.topics import Names, topics
from streams.settings import Settings
from streams.terminal import plain
from streams.web.clock import now

if TYPE_CHECKING:
    from streams.kafka.dead_letters import Choice, DeadLetter, Note, Survey
    from streams.kafka.replay import Done, Inputs

dlq = typer.Typer(no_args_is_help=True, help="Dead letters: what could not be taken, and publishing it again.")
Reasons = Annotated[list[str] | None, typer.Option("--reason", help="of this reason; may be repeated")]
Clients = Annotated[list[str] | None, typer.Option("--client", help="with this key; may be repeated")]
PLACE = "PARTITION:OFFSET as `list` shows it, or register:OFFSET"
Place = Annotated[str, typer.Argument(metavar="PLACE", help=PLACE)]
Places = Annotated[list[str] | None, typer.Argument(metavar="PLACE", help=PLACE)]
_ROW = "{:<14} {:<20} {:<17} {:<24} {}"
_HEX_COLUMNS = 32
_WORDS = {
    "sent": "replayed",
    "before": "replayed before",
    "left": "left",
    "failed": "FAILED",
    "would": "would be replayed",
}


class Shown(StrEnum):
    """How a value is shown; by itself text, or base64 where it is no UTF-8."""

    AUTO = "auto"
    TEXT = "text"
    BASE64 = "base64"
    HEX = "hex"


@dlq.command("list")
def list_(reason: Reasons = None, client: Clients = None, since: Since = None, as_json: AsJson = False) -> None:
    """List dead letters, by partition and offset, with counts by reason."""
    choice = _choice((), reason, client, since)
    with _looking() as (_, consumer, names):
        from streams.kafka.dead_letters import letters, said_of, survey

        found = survey(consumer, names, choice)
        if not as_json:
            say(_ROW.format("PLACE", "AT", "REASON", "KEY", "WHY").rstrip())
        for letter in letters(consumer, names, found):
            note = found.notes.get(letter.place)
            if as_json:
                record(said_of(letter, note))
            else:
                say(_row(letter, note))
        if not as_json:
            say(_counts(found))


@dlq.command()
def show(
    place: Place,
    shown: Annotated[Shown, typer.Option("--as", help="how the value is shown")] = Shown.AUTO,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter whole: what the gate said against it, its headers, key and value."""
    choice = _choice((place,))
    with _looking() as (_, consumer, names):
        from streams.kafka.dead_letters import all_of, letters, survey

        found = survey(consumer, names, choice)
        if not found.found:
            raise refuse(f"there is no dead letter at {', '.join(choice.places)}; `gate61 dlq list` shows all", 1)
        for letter in letters(consumer, names, found):
            note = found.notes.get(letter.place)
            if as_json:
                record(all_of(letter, note))
            else:
                _page(letter, note, shown)


@dlq.command()
def replay(
    places: Places = None,
    reason: Reasons = None,
    client: Clients = None,
    since: Since = None,
    all_: Annotated[bool, typer.Option("--all", help="all there are")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask on a terminal")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish dead letters again to the topic they came from, on the partition of their key, each once.

    What the gate would refuse again is left. Exit 1 unless all that were chosen are published, now or before.
    """
    if all_ + bool(places) + bool(reason or client or since) != 1:
        raise refuse("choose what to replay: places, or --reason, --client, --since, or --all")
    choice = _choice(tuple(places or ()), reason, client, since)
    with _looking() as (settings, consumer, names):
        from streams.kafka.dead_letters import letters, survey

        found = survey(consumer, names, choice)
        missing = sorted(choice.places - found.found.keys())
        for place in missing:
            warn(f"there is no dead letter at {place}")
        inputs = _inputs(settings, consumer, names)
        todo = len(found.found.keys() - found.notes.keys())
        _ask(todo, found, yes or dry_run)
        asked = letters(consumer, names, found)
        became: Counter[str] = Counter()
        for done in _would(asked, inputs, found) if dry_run else _replayed(settings, asked, inputs, found):
            became[done.what] += 1
            if as_json:
                record(_record(done))
            else:
                say(_told(done))
        if not as_json:
            say(", ".join(f"{count} {_WORDS[what]}" for what, count in became.items()) or "nothing was chosen")
        if missing or became["left"] or became["failed"]:
            raise typer.Exit(1)


def _choice(
    places: tuple[str, ...],
    reasons: list[str] | None = None,
    clients: list[str] | None = None,
    since: str | None = None,
) -> "Choice":
    from streams.kafka.dead_letters import NO_REASON, Choice, place_of

    try:
        chosen = frozenset(map(place_of, places))
    except ValueError as error:
        raise refuse(str(error)) from None
    codes = frozenset(r.upper() for r in reasons or ())
    known = (*REASONS, NO_REASON)
    unknown = sorted(codes.difference(known))
    if unknown:
        raise refuse(f"--reason: `{unknown[0]}` is no reason of a dead letter; there are {', '.join(known)}")
    return Choice(chosen, codes, frozenset(clients or ()), since_or_refuse(since))


@contextmanager
def _looking() -> Iterator[tuple[Settings, Any, Names]]:
    """Settings, a consumer, and the gate's topics."""
    settings = settings_or_refuse(redis=False)
    with reading_kafka(settings) as consumer:
        yield settings, consumer, topics(settings.prefix)


def _inputs(settings: Settings, consumer: Any, names: Names) -> "Inputs":
    from streams.kafka.reading import partitions
    from streams.kafka.replay import Inputs

    inputs = (names.actions, names.register, names.policy, names.between)
    counts = {t.name: len(partitions(consumer, t.name)) for t in inputs}
    return Inputs(names, counts, policy_or_refuse(settings.policy).clock_tolerance)


def _ask(todo: int, found: "Survey", agreed: bool) -> None:
    """On a terminal a person agrees first."""
    if agreed or not todo or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    say(_counts(found))
    if not typer.confirm(f"Publish {todo} of them again?"):
        raise refuse("nothing was published", 1)


def _would(asked: "Iterator[DeadLetter]", inputs: "Inputs", found: "Survey") -> "Iterator[Done]":
    from streams.kafka.replay import Done, decide

    for letter in asked:
        decided = decide(letter, inputs, found.notes, now())
        if isinstance(decided, Done):
            yield decided
        else:
            yield Done(letter, "would", f"{decided.topic}:{decided.partition}")


def _replayed(settings: Settings, asked: "Iterator[DeadLetter]", inputs: "Inputs", found: "Survey") -> "Iterator[Done]":
    """What became of each, told as it happens."""
    from streams.kafka.replay import Replay
    from streams.worker.publishing import producer

    with asyncio.Runner() as runner:

        async def opened() -> Any:
            return producer(settings.kafka, "replay")

        sender = runner.run(opened())
        runner.run(sender.start())
        try:
            told = Replay(sender, inputs, found.notes).run(asked, now())
            while (done := runner.run(anext(told, None))) is not None:
                yield done
        finally:
            runner.run(sender.stop())


def _row(letter: "DeadLetter", note: "Note | None") -> str:
    key = plain((letter.key or b"").decode(errors="replace"))
    why = f"(replayed {text(note.at)}) " if note else ""
    at = text(letter.at - letter.at % SECOND)
    return _ROW.format(letter.place, at, plain(letter.reason), key, why + plain(letter.message)).rstrip()


def _counts(found: "Survey") -> str:
    count = len(found.found)
    told = f"{count} dead letter{'' if count == 1 else 's'}"
    replayed = len(found.found.keys() & found.notes.keys())
    told += f", {replayed} of them replayed" if replayed else ""
    each = ", ".join(f"{plain(reason)} {many}" for reason, many in found.reasons.most_common())
    return f"{told}: {each}" if each else told


def _page(letter: "DeadLetter", note: "Note | None", shown: Shown) -> None:
    errors = letter.errors
    say(f"dead letter {letter.place} of `{letter.topic}`, {text(letter.at)}")
    if note:
        say(f"replayed {text(note.at)} as {plain(note.copy)}")
    for name in ("reason", "message", "topic", "partition", "offset", "stage", "attempts", "version", "policy", "cut"):
        if name in errors:
            say(f"  {name}: {plain(errors[name])}")
    say("headers:" if letter.headers else "headers: none")
    for name, value in letter.headers:
        say(f"  {plain(name)}: {_line(value)}")
    say(f"key: {_line(letter.key)}")
    say(f"value, {len(letter.value or b'')} bytes:")
    for line in _lines(letter.value or b"", shown):
        say(f"  | {line}")


def _line(data: bytes | None) -> str:
    """Bytes in one line; without a value is other than empty."""
    return "(none)" if data is None else plain(data.decode(errors="backslashreplace"))


def _lines(data: bytes, shown: Shown) -> Iterator[str]:
    if shown is Shown.AUTO:
        shown = Shown.TEXT if is_text(data) else Shown.BASE64
    if shown is Shown.TEXT:
        yield from map(plain, data.decode(errors="backslashreplace").split("\n"))
    elif shown is Shown.BASE64:
        yield base64.b64encode(data).decode()
    else:
        for start in range(0, len(data), _HEX_COLUMNS):
            yield f"{start:06x}  {data[start : start + _HEX_COLUMNS].hex(' ')}"


def _record(done: "Done") -> dict[str, str]:
    return {"place": done.letter.place, "reason": done.letter.reason, "result": done.what, "said": done.said}


def _told(done: "Done") -> str:
    between = " to " if done.what == "would" else ": " if done.what in ("left", "failed") else " as "
    return f"{done.letter.place} {plain(done.letter.reason)} {_WORDS[done.what]}{between}{plain(done.said)}"
