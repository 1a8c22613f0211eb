"""What commands share: policy, settings, times and Kafka or a refusal, and where tables go."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gate.facts import Instant
from gate.policy import Policy
from streams.policy_file import PolicyRefused, load
from streams.settings import Settings, SettingsRefused, settings
from streams.since import since
from streams.web.clock import now

PolicyPath = Annotated[Path | None, typer.Option("--policy", envvar="GATE61_POLICY", help="policy file (TOML)")]
Since = Annotated[str | None, typer.Option("--since", help="so long ago (15m, 1h, 7d), or a time with zone")]
AsJson = Annotated[bool, typer.Option("--json", help="records as JSON, one a line")]


def refuse(message: str, code: int = 2) -> typer.Exit:
    """Raise what this returns: a line on standard error, and the exit code."""
    print(f"gate61: {message}", file=sys.stderr)
    return typer.Exit(code)


def policy_or_refuse(path: Path | None) -> Policy:
    """The policy of a file, the default without one."""
    try:
        return load(path)
    except PolicyRefused as refused:
        raise refuse(str(refused)) from None


def settings_or_refuse(*, redis: bool = True) -> Settings:
    """The settings of the environment."""
    try:
        return settings(redis=redis)
    except SettingsRefused as refused:
        raise refuse(str(refused)) from None


def console() -> Console:
    """Where tables go: as wide as the terminal, else 140 characters."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)


@contextmanager
def kafka_or_refuse(settings: Settings) -> Iterator[None]:
    """Trouble with Kafka ends the program with exit code 1 and what to do, in one line."""
    from aiokafka.errors import KafkaError as OtherKafkaError
    from kafka.errors import KafkaError

    from streams.connection import Overheard
    from streams.reading import NotRead

    heard = Overheard()  # What fails is said once, by us.
    try:
        yield
    except NotRead as error:
        raise refuse(str(error), 1) from None
    except (KafkaError, OtherKafkaError) as error:
        where = ", ".join(settings.kafka.servers)
        raise refuse(
            f"Kafka at {where}: {heard.said(error)}; see that it runs, GATE61_KAFKA and the rights of its user", 1
        ) from None


def since_or_refuse(text: str | None) -> Instant | None:
    """The time that `--since` says."""
    try:
        return since(text, now()) if text else None
    except ValueError as error:
        raise refuse(f"--since: {error}") from None
