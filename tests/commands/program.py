"""The program as a user has it: the `gate61` next to the interpreter that runs the tests, in a process of its own."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

PROGRAM = Path(sys.executable).parent / "gate61"
CASES = Path(__file__).parent.parent / "cases"
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("GATE61_")}
Done = subprocess.CompletedProcess[bytes]


def run(*arguments: str | Path, stdin: bytes = b"", settings: Mapping[str, str] = {}, **environment: str) -> Done:
    """One run to its end, with `settings` and more of its environment."""
    env = {**ENVIRONMENT, **settings, **environment}
    return subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, env=env, timeout=60, check=False)


def on_terminal(
    *arguments: str | Path,
    program: str | Path = PROGRAM,
    out: IO[bytes] | None = None,
    err: IO[bytes] | None = None,
    settings: Mapping[str, str] = {},
    **environment: str,
) -> bytes:
    """What a terminal shows of a run; with `out` or `err`, standard output or error goes there instead."""
    master, slave = pty.openpty()
    env = {**ENVIRONMENT, **settings, **environment}
    with subprocess.Popen([program, *arguments], stdout=out or slave, stderr=err or slave, env=env):
        os.close(slave)
        shown = bytearray()
        with suppress(OSError):  # That is how the end of a terminal shows.
            while part := os.read(master, 1 << 16):
                shown += part
    os.close(master)
    return bytes(shown)


def lines(events: Iterable[dict[str, Any] | str]) -> bytes:
    """Events as a file holds them."""
    return "".join(f"{e if isinstance(e, str) else json.dumps(e)}\n" for e in events).encode()


def case(name: str) -> bytes:
    """What is given in one of the stories."""
    (path,) = CASES.glob(f"{name}-*.json")
    return lines(json.loads(path.read_text())["given"])


def events(out: bytes) -> list[dict[str, Any]]:
    """What came out."""
    return [json.loads(line) for line in out.splitlines()]


def answers(out: bytes) -> list[dict[str, Any]]:
    """The answers among it."""
    return [e["data"] for e in events(out) if e["type"] == "gate61.offer.decided.v1"]
