"""What commands share: policy, settings, times and Kafka or a refusal, and where tables go."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gate.facts import Instant
from gate.policy import Policy
from streams.ask.budget import Budget
from streams.policy_file import PolicyRefused, load, read
from streams.settings import Kafka, Settings, SettingsRefused, seconds, settings
from streams.since import since
from streams.terminal import plain_lines
from streams.web.clock import now

if TYPE_CHECKING:
    from streams.web.access import Access

ASKING_SECONDS = 1.0
_USUAL = Budget()
PolicyPath = Annotated[Path | None, typer.Option("--policy", envvar="GATE61_POLICY", help="policy file (TOML)")]
Since = Annotated[str | None, typer.Option("--since", help="so long ago (15m, 1h, 7d), or a time with zone")]
Host = Annotated[str, typer.Option(help="address to listen on; other than loopback needs keys")]
Port = Annotated[int, typer.Option(help="0 takes a free one", min=0, max=65535)]
KeysPath = Annotated[Path | None, typer.Option("--keys", envvar="GATE61_KEYS", help="key file; then keys are demanded")]
ListSeconds = Annotated[
    float | None,
    typer.Option(
        "--list-budget",
        help=f"seconds a list of recipients may take, {_USUAL.many:g} or GATE61_LIST_BUDGET",
        min=0.01,
        max=300,
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--budget", help=f"seconds a question may take, {_USUAL.one:g} or GATE61_ASK_BUDGET", min=0.01, max=60
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="records as JSON, one a line")]


def say(words: str) -> None:
    """Print lines for people on standard output; whatever others wrote in them is plain."""
    print(plain_lines(words))


def warn(message: str) -> None:
    """The same on standard error."""
    print(plain_lines(f"gate61: {message}"), file=sys.stderr, flush=True)


def record(said: Mapping[str, Any]) -> None:
    """Print a record for programs: JSON in one line, in ASCII, so that it steers no terminal either."""
    print(json.dumps(said), flush=True)


def event(line: bytes) -> None:
    """Print an event as the gate writes it."""
    print(line.decode())


def refuse(message: str, code: int = 2) -> typer.Exit:
    """Raise what this returns: a line on standard error, and the exit code."""
    warn(message)
    return typer.Exit(code)


def policy_or_refuse(path: Path | None) -> Policy:
    """The policy of a file, the default without one."""
    return read_or_refuse(path)[0]


def read_or_refuse(path: Path | None) -> tuple[Policy, bytes]:
    """The same, with the very text that says it."""
    try:
        return read(path)
    except PolicyRefused as refused:
        raise refuse(str(refused)) from None


def policy_or_default(path: Path | None, found: list[str]) -> Policy:
    """The same; what is wrong with it is added to `found`, and then it is the default."""
    try:
        return load(path)
    except PolicyRefused as refused:
        found += [f"policy `{path}`: {complaint}" for complaint in refused.complaints]
        return load()


def settings_or_refuse(*, redis: bool = True, also: Sequence[str] = ()) -> Settings:
    """The settings of the environment; `also` is what is wrong beside them."""
    try:
        found = settings(redis=redis)
    except SettingsRefused as refused:
        raise refuse(str(SettingsRefused([*refused.complaints, *also]))) from None
    refuse_all(also)
    return found


def refuse_all(complaints: Sequence[str]) -> None:
    """End the program with all of them, if there are any."""
    if complaints:
        raise refuse(str(SettingsRefused([*complaints])))


def list_seconds(given: float | None, found: list[str]) -> float:
    """What a list of recipients may take; what is wrong with the setting is added to `found`."""
    return given or seconds(os.environ, "GATE61_LIST_BUDGET", _USUAL.many, 0.01, 300, found)


def question_seconds(given: float | None, found: list[str]) -> float:
    """What one question may take; what is wrong with the setting is added to `found`."""
    return given or seconds(os.environ, "GATE61_ASK_BUDGET", _USUAL.one, 0.01, 60, found)


def access_of(host: str, keys: Path | None, found: list[str]) -> "Access":
    """Who is let in; what is wrong with it is added to `found`, and then it is not to be used."""
    from streams.web.access import Access
    from streams.web.listening import ListeningRefused, keys_for

    try:
        return Access(keys_for(host, keys))
    except ListeningRefused as refused:
        found.append(str(refused))
        return Access(None)


def access_of_gate(host: str, keys: Path | None, found: list[str]) -> "Access":
    """The same of a command that is a gate itself: it shows nobody a key, and would stand open."""
    if keys is None and "GATE61_KEY_FILE" in os.environ:
        found.append(
            "GATE61_KEY_FILE is the key to show to a gate, and this command is one: name the file of the keys that it "
            "demands in GATE61_KEYS, or unset GATE61_KEY_FILE"
        )
    return access_of(host, keys, found)


@contextmanager
def asking_kafka(settings: Settings) -> Iterator[None]:
    """Around the first thing that Kafka is asked: who waits for it at a terminal is told so."""
    where = ", ".join(settings.kafka.servers)
    timer = Timer(ASKING_SECONDS, lambda: warn(f"asking Kafka at {where} …"))
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def kafka_or_refuse(settings: Settings) -> Iterator[None]:
    """Trouble with Kafka ends the program with exit code 1 and what to do, in one line."""
    from aiokafka.errors import KafkaError as OtherKafkaError
    from kafka.errors import KafkaError

    from streams.kafka.connection import Overheard
    from streams.kafka.reading import NotRead

    heard = Overheard()  # What fails is said once, by us.
    try:
        yield
    except NotRead as error:
        raise refuse(str(error), 1) from None
    except (KafkaError, OtherKafkaError) as error:
        where = ", ".join(settings.kafka.servers)
        raise refuse(f"Kafka at {where}: {heard.said(error)}", 1) from None


def since_or_none(text: str | None, found: list[str]) -> Instant | None:
    """The time that `--since` says; what is wrong with it is added to `found`."""
    try:
        return since(text, now()) if text else None
    except ValueError as error:
        found.append(f"--since: {error}")
        return None


def since_or_refuse(text: str | None) -> Instant | None:
    """The time that `--since` says."""
    found: list[str] = []
    at = since_or_none(text, found)
    if found:
        raise refuse(found[0])
    return at


@contextmanager
def connected(settings: Settings, client: Callable[[Kafka], Any]) -> Iterator[Any]:
    """A client of Kafka's, of whose trouble `kafka_or_refuse` speaks."""
    with kafka_or_refuse(settings):
        with asking_kafka(settings):
            made = client(settings.kafka)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def reading_kafka(settings: Settings) -> Iterator[Any]:
    """A consumer without a group."""
    from streams.kafka.reading import reader

    with connected(settings, reader) as consumer:
        yield consumer
