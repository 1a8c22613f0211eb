"""Files of events, as `decide` and `explain` read them: line by line, with a bar on a terminal; `-` is standard input."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, BinaryIO

import typer

from streams.commands.common import refuse
from streams.progress import Progress

Files = Annotated[list[str], typer.Argument(help="event files, one JSON event a line; `-` is standard input")]
Opened = list[tuple[str, BinaryIO]]


def opened(names: Sequence[str]) -> Opened:
    """The files, or a refusal that names all that cannot be read."""
    found: Opened = []
    wrong: list[str] = []
    for name in names:
        try:
            if name == "-" and sys.stdin is None:
                wrong.append("standard input is closed: give it a file, or leave `-` out")
            else:
                found.append((name, sys.stdin.buffer if name == "-" else open(name, "rb")))
        except OSError as error:
            wrong.append(f"`{name}` cannot be read: {error.strerror}")
    if wrong:
        raise refuse("; ".join(wrong))
    return found


def _nothing() -> None:
    pass


def lines(
    files: Opened, before_waiting: Callable[[], None] = _nothing, afterwards: bool = False
) -> Iterator[tuple[str, int, bytes]]:
    """File, number from 1 and bytes of each line, with a bar on a terminal.

    `before_waiting` is called whenever standard input has to be asked for more, which may take for ever. `afterwards` is
    whether whoever reads prints only then.
    """
    progress = Progress(files, afterwards)
    for name, file in files:
        for number, line in enumerate(_fed(file, before_waiting) if name == "-" else file, 1):
            yield name, number, line[:-1] if line.endswith(b"\n") else line
            if number & 0xFFF == 0:
                progress.show(file)
    progress.done()


def _fed(file: BinaryIO, before_waiting: Callable[[], None]) -> Iterator[bytes]:
    """The lines of a pipe without their ends, each as soon as it is there."""
    begun: list[bytes] = []
    while True:
        before_waiting()
        chunk = os.read(file.fileno(), 1 << 16)
        if not chunk:
            break
        first, *lines = chunk.split(b"\n")
        begun.append(first)
        if lines:
            yield b"".join(begun)
            begun = [lines.pop()]
            yield from lines
    if any(begun):
        yield b"".join(begun)
