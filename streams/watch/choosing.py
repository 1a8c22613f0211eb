"""What opens over the screen: a list to choose a filter from, and the help."""

from collections import Counter
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from streams.terminal import plain

HELP: Final = """\
The queue of offers that are held or blocked and stand: held before blocked, the latest first.
What is released or superseded leaves the list and is told below it.

  j k  or arrows   down, up; g G first, last; PageUp PageDown
  Enter            into the answer's detail, Escape back
  /                only those that hold these words (client, offer, reason, country, service)
  r                only those with one reason among theirs
  c                only those of clients ever located in one country
  s                held, blocked, or both
  x                no filter
  t                light or dark
  q                quit

"left" is for how long people may still release it; "shut" says that the hard limit has passed, "-" that nobody may, or
that there is no limit.
Releasing and refusing is done on the desk."""


class Choice(ModalScreen[str | None]):
    """One of the values there are, with how many answers have it; empty for all of them, None leaves it as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "back"),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
    ]

    def __init__(self, title: str, counts: Counter[str]) -> None:
        super().__init__()
        self._title = title
        self._values = ["", *(value for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])))]
        self._counts = counts

    def compose(self) -> ComposeResult:
        """See Textual."""
        options = [Option(Text(self._told(value))) for value in self._values]
        with Vertical(classes="window"):
            yield Static(Text(self._title, "bold"))
            yield OptionList(*options, markup=False)

    def _told(self, value: str) -> str:
        return f"{self._counts[value]:>6}  {plain(value)}" if value else "   all"

    def on_option_list_option_selected(self, chosen: OptionList.OptionSelected) -> None:
        """See Textual."""
        self.dismiss(self._values[chosen.option_index])

    def action_down(self) -> None:
        """See Textual."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """See Textual."""
        self.query_one(OptionList).action_cursor_up()


class Help(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss(None)", "back")]

    def compose(self) -> ComposeResult:
        """See Textual."""
        with VerticalScroll(classes="window"):
            yield Static(Text(HELP))
