"""What commands share: policy and settings or a refusal, and where tables go."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gate.policy import Policy
from streams.policy_file import PolicyRefused, load
from streams.settings import Settings, SettingsRefused, settings

PolicyPath = Annotated[Path | None, typer.Option("--policy", envvar="GATE61_POLICY", help="policy file (TOML)")]
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
