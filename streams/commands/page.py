"""Where commands print tables and findings for people."""

import sys
from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from streams.terminal import plain_lines

WIDTH: Final = 140
"""Characters of a line where there is no terminal, which says itself how wide it is."""


class Page(Console):
    """Standard output. Whatever others wrote is plain there, and nothing is styled but by `Text`."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else WIDTH
        super().__init__(markup=False, emoji=False, highlight=False, width=width)

    def render_str(self, text: str, **how: Any) -> Text:
        """As rich has it; made plain before it is measured, so that a column is as wide as what it shows."""
        return super().render_str(plain_lines(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich has it; a `Text` that somebody made of what others wrote becomes plain here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain_lines(segment.text))
