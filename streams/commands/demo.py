"""`gate61 demo`: a shipped month of a fictional platform, what was held and why, and the desk on it."""

import sys
from typing import Annotated

import typer

from streams.commands.common import PolicyPath, event, policy_or_refuse, refuse
from streams.commands.page import Page
from streams.demo.account import Month, tell


def demo(
    policy: PolicyPath = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="only print the account")] = False,
    port: Annotated[int, typer.Option(help="of the desk; 0 takes a free one", min=0, max=65535)] = 8063,
    as_json: Annotated[
        bool, typer.Option("--json", help="what came out of the month as events, one a line, and no desk")
    ] = False,
) -> None:
    """Play a shipped month of a fictional platform through the gate, say what was held and why, and open the desk on it."""
    used = policy_or_refuse(policy)
    if as_json:
        Month(used, event)
        return
    tell(used, Page())
    if not no_serve:
        from streams.demo.serving import (
            serve_month,
        )  # What only serves is not loaded by commands that are called often.
        from streams.web.listening import ListeningRefused

        sys.stdout.flush()
        try:
            serve_month(used, port)
        except ListeningRefused as refused:
            raise refuse(str(refused)) from None
