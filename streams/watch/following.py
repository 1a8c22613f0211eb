"""A source followed: to lines as it comes, or by a thread beside a screen."""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Full, Queue
from threading import Event, Thread
from typing import Final

from streams.watch.answers import Flagged, Watched, read
from streams.watch.sources import CaughtUp, News, Source
from streams.watch.views import Remark, Tell, View
from streams.web.clock import now

POLL_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 2.0
Open = Callable[[Tell], Source]
"""Makes the source, which tells its trouble there."""


def to_lines(open_: Open, view: View, watched: Watched) -> None:
    """Show what comes until nobody reads it any more."""
    source = open_(view.tell)
    try:
        while not _nobody_reads():
            for flagged, value in _answers(source, view.tell):
                if watched.take(flagged):
                    view.show(flagged, value, now())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # What is still held for it would fail again on leaving.
    finally:
        source.close()


def _answers(source: Source, tell: Tell) -> Iterator[tuple[Flagged, bytes]]:
    for arrived in source.poll(POLL_SECONDS):
        flagged = read(arrived.value)
        if flagged is not None:
            yield flagged, arrived.value
        elif arrived.stranger:
            tell(Remark(f"{arrived.stranger} is no answer of the gate; see who else writes there"))


def _nobody_reads() -> bool:
    """Whether the reader of a pipe has gone: with nothing to show, no writing would tell."""
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)
    return bool(poller.poll(0))


class Follower:
    """A thread that brings everything to a screen. It waits while the screen is behind."""

    def __init__(self, open_: Open, news: Queue[News]) -> None:
        self._open, self._news = open_, news
        self._stopped = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, or be left behind where a connection takes its time: it holds nothing that must be kept."""
        self._stopped.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        source = self._open(self._put)
        told = False
        try:
            while not self._stopped.is_set():
                for flagged, _ in _answers(source, self._put):
                    self._put(flagged)
                if source.caught_up and not told:
                    told = True
                    self._put(CaughtUp())
        except Exception as error:  # Whatever it is, the screen ends and it is said after it.
            self._put(error)
        finally:
            source.close()

    def _put(self, news: News) -> None:
        while not self._stopped.is_set():
            with suppress(Full):
                self._news.put(news, timeout=POLL_SECONDS)
                break
