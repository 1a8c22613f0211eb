"""The screen of `gate61 watch`: the queue, one answer in full, filters by key. It publishes nothing and decides nothing."""

from collections import deque
from os import environ
from queue import Empty
from queue import Queue as Mail
from typing import Any, ClassVar, Final

import msgspec
from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Input, Static

from gate.policy import SECOND
from streams.terminal import plain
from streams.watch.answers import Flagged, Wanted
from streams.watch.choosing import Choice, Help
from streams.watch.detail import detail
from streams.watch.queue import Queue, Shown
from streams.watch.rows import Rows, head
from streams.watch.sources import CaughtUp, News
from streams.watch.views import Remark
from streams.web.clock import Clock

LOOK_SECONDS: Final = 0.1
AT_ONCE: Final = 1_000
"""Answers taken in between two looks at the keys."""
TOLD: Final = 3
"""Lines of what left the list, and of remarks."""
NOT_KNOWN: Final = "what is held or blocked is not known yet"
STATES: Final = ("", "held", "blocked")


class WatchScreen(App[None]):
    """Everything to be seen; `news` is filled by who reads the source."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #title, #head { height: 1; padding: 0 1; }
    #title { background: $primary; color: $text; }
    #head { color: $text-muted; text-style: bold; }
    #rows { height: 3fr; min-height: 4; padding: 0 1; overflow-x: hidden; }
    #detail { height: 2fr; border-top: solid $primary; padding: 0 1; }
    #detail:focus { border-top: heavy $accent; }
    #told { height: auto; max-height: 4; padding: 0 1; border-top: solid $primary; }
    #words { display: none; }
    #words.open { display: block; }
    Choice, Help { align: center middle; }
    .window { width: 90%; max-width: 100; height: auto; max-height: 80%; border: solid $primary; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help"),  # On a narrow terminal the first ones are seen.
        Binding("q", "quit", "quit"),
        Binding("slash", "words", "filter"),
        Binding("r", "reason", "reason"),
        Binding("c", "country", "country"),
        Binding("s", "state", "held/blocked"),
        Binding("x", "everything", "no filter"),
        Binding("t", "tone", "light/dark"),
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
        Binding("escape", "list", "back", show=False),
    ]

    def __init__(self, source: str, wanted: Wanted, news: Mail[News], clock: Clock, light: bool = False) -> None:
        # Where NO_COLOR is set Textual sends greys, unless it leaves the colours to the terminal: then it sends none.
        super().__init__(ansi_color="NO_COLOR" in environ or None)
        self._source, self._news, self._clock = source, news, clock
        self._queue = Queue()
        self._shown = Shown(wanted)
        self._told: deque[str] = deque(maxlen=TOLD)
        self._trouble = ""
        self._caught_up = False
        self._second = -1
        self.failed: Exception | None = None
        """What ended it, if waiting does not help."""
        self.ended = False
        """Set from outside: it is to end."""
        self.theme = "textual-light" if light else "textual-dark"

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield Static(id="title")
        yield Static(id="head")
        yield Rows("rows")
        with VerticalScroll(id="detail"):
            yield Static(id="answer")
        yield Static(id="told")
        yield Input(placeholder="words to look for; Enter keeps them, Escape drops them", id="words")
        yield Footer()

    def on_mount(self) -> None:
        """See Textual."""
        self.query_one(Rows).focus()
        self.set_interval(LOOK_SECONDS, self._look)
        self._draw()

    def _look(self) -> None:
        """Take in what has come; ages go on every second."""
        if self.ended:
            self.exit()
        changed = False
        for _ in range(AT_ONCE):
            try:
                news = self._news.get_nowait()
            except Empty:
                break
            changed = True
            if isinstance(news, Exception):
                self.failed = news
                self.exit()
            elif isinstance(news, Flagged):
                told = self._queue.take(news)
                if told:
                    self._told.append(told)
            elif isinstance(news, CaughtUp):
                self._caught_up = True
            elif isinstance(news, Remark):
                self._told.append(news.said)
            else:
                self._trouble = news or ""
        second = self._clock() // SECOND
        if changed or second != self._second:
            self._second = second
            self._draw()

    def _draw(self) -> None:
        screen, rows = self.screen_stack[0], self._queue.seen(self._shown)
        screen.query_one("#title", Static).update(Text(self._title(len(rows)), no_wrap=True, overflow="ellipsis"))
        list_ = screen.query_one(Rows)
        screen.query_one("#head", Static).update(Text(head(list_.size.width), no_wrap=True))
        list_.put(rows, self._clock())
        told = Text("\n".join(plain(one)[:1_000] for one in self._told), no_wrap=True, overflow="ellipsis")
        if self._trouble:
            told = Text(plain(self._trouble)[:1_000], "bold red")
        screen.query_one("#told", Static).update(told)
        self._read(list_.chosen)

    @property
    def _known(self) -> bool:
        """Whether what is held is known: all was read, and nothing keeps what comes from being read."""
        return self._caught_up and not self._trouble

    def _title(self, seen: int) -> str:
        counts = self._queue.counts()
        told = f"{counts['held']} held, {counts['blocked']} blocked" if self._known else NOT_KNOWN
        parts = [f"gate61 watch  {self._source}", told]
        if self._queue.dropped:
            parts.append(f"{self._queue.dropped} more not listed")
        filters = self._filters_told()
        if filters:
            parts.append(f"{seen} shown: {filters}")
        return plain("; ".join(parts))

    def _filters_told(self) -> str:
        wanted, shown = self._shown.wanted, self._shown
        kinds = {"reason": wanted.reasons, "country": wanted.countries, "client": wanted.clients}
        told = [f"{kind} {' or '.join(sorted(values))}" for kind, values in kinds.items() if values]
        told += [shown.state] if shown.state else []
        return ", ".join([*told, *([f"words `{shown.words}`"] if shown.words else [])])

    def _read(self, flagged: Flagged | None) -> None:
        nothing = "nothing is held or blocked" if self._known else NOT_KNOWN
        said = Text(nothing if not len(self._queue) else "nothing of the queue is shown", "dim")
        answer = self.screen_stack[0].query_one("#answer", Static)
        answer.update(said if flagged is None else detail(flagged, self._clock()))

    @on(Rows.Chosen)
    def _chosen(self, chosen: Rows.Chosen) -> None:
        self.query_one("#detail").scroll_home(animate=False)
        self._read(chosen.flagged)

    @on(Rows.Opened)
    def _opened(self) -> None:
        self.query_one("#detail").focus()

    def action_list(self) -> None:
        """From words or detail to the list; words that are being typed are dropped."""
        words = self.query_one("#words", Input)
        if words.has_class("open"):
            words.value = ""
            words.remove_class("open")
        self.query_one(Rows).focus()

    def action_words(self) -> None:
        """Type what to look for."""
        words = self.query_one("#words", Input)
        words.add_class("open")
        words.focus()

    @on(Input.Changed, "#words")
    def _typed(self, typed: Input.Changed) -> None:
        self._show(words=typed.value)

    @on(Input.Submitted, "#words")
    def _kept(self) -> None:
        self.query_one("#words", Input).remove_class("open")
        self.query_one(Rows).focus()

    def action_reason(self) -> None:
        """Choose one reason."""

        def chosen(code: str | None) -> None:
            if code is not None:
                self._want(reasons=frozenset({code} if code else ()))

        self.push_screen(Choice("Which reason among an answer's", self._queue.reasons()), chosen)

    def action_country(self) -> None:
        """Choose one country."""

        def chosen(country: str | None) -> None:
            if country is not None:
                self._want(countries=frozenset({country} if country else ()))

        self.push_screen(Choice("Where the client was ever located", self._queue.countries()), chosen)

    def action_state(self) -> None:
        """Held, blocked, or both."""
        self._show(state=STATES[(STATES.index(self._shown.state) + 1) % len(STATES)])

    def action_everything(self) -> None:
        """Without any filter."""
        self.query_one("#words", Input).value = ""
        self._shown = Shown()
        self._draw()

    def action_tone(self) -> None:
        """The other of light and dark."""
        self.theme = "textual-dark" if self.theme == "textual-light" else "textual-light"

    def action_help(self) -> None:
        """The keys."""
        self.push_screen(Help())

    def _want(self, **changed: Any) -> None:
        self._show(wanted=msgspec.structs.replace(self._shown.wanted, **changed))

    def _show(self, **changed: Any) -> None:
        self._shown = msgspec.structs.replace(self._shown, **changed)
        self._draw()
