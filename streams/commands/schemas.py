"""`gate61 schemas`: the contract for machines."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.commands.common import refuse, say


def schemas(
    write: Annotated[
        Path | None, typer.Option(help="a folder to write the document, a schema for each event and the reasons to")
    ] = None,
) -> None:
    """Print the AsyncAPI document of the topics, or write it into a folder, with a JSON Schema for each event and the reasons."""
    from streams.schemas.files import files

    found = files()
    if write is None:
        sys.stdout.write(found["asyncapi.json"])
        return
    for path, text in found.items():
        try:
            (write / path).parent.mkdir(parents=True, exist_ok=True)
            (write / path).write_text(text)
        except OSError as error:
            raise refuse(f"`{write / path}` cannot be written: {error.strerror}") from None
    say(f"{len(found)} files written to {write}")
