"""Logs of the services: JSON lines on standard error, readable ones on a terminal; never what events hold."""

import logging
import os
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from time import monotonic
from typing import Any, TextIO, cast

import structlog

from streams.terminal import plain_lines

REPEATED_SECONDS = 60.0
"""For how long what Kafka's client says is not said again."""


def coloured() -> bool:
    """Whether standard error is a terminal whose user wants colours (no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def log_to_stderr() -> None:
    """From now on, in this process."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), _renderer()],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, Unfailing(sys.stderr))),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    quiet_kafka()


class Unfailing:
    """A stream whose lines are lost where it takes none: its disk is full, or who read it is gone.

    Whoever logs is about to wait for something, or to begin anew, and would end instead, or go on half way.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Overheard(logging.Handler):
    """What libraries log by themselves, thousands of lines while Kafka is away: each once a minute."""

    def __init__(self, who: str, level: int) -> None:
        super().__init__(level)
        self._who = who
        self._said: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, unless the same was said, of whichever broker or partition."""
        said, at = str(record.msg), monotonic()
        self._said = {each: since for each, since in self._said.items() if at < since + REPEATED_SECONDS}
        if said in self._said:
            return
        self._said[said] = at
        structlog.get_logger("libraries").warning(f"{self._who} says", said=record.getMessage())


def quiet_kafka() -> None:
    """From now on Kafka's clients do not write to standard error as they like."""
    for name in ("aiokafka", "kafka"):
        logger = logging.getLogger(name)
        logger.propagate = False
        _hear(logger, "Kafka's client", logging.ERROR)


def hear_libraries() -> None:
    """From now on no library writes to standard error as it likes."""
    _hear(logging.getLogger(), "a library", logging.WARNING)


def _hear(logger: logging.Logger, who: str, level: int) -> None:
    logger.handlers = [h for h in logger.handlers if not isinstance(h, _Overheard)] + [_Overheard(who, level)]


def _renderer() -> Any:
    if not sys.stderr.isatty():
        return structlog.processors.JSONRenderer()
    traceback = structlog.dev.plain_traceback  # Others colour it by themselves, and show variables, which hold events.
    shown = structlog.dev.ConsoleRenderer(colors=coloured(), exception_formatter=traceback)
    return lambda logger, name, said: shown(logger, name, _plain(said))


def _plain(said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What is logged may come from outside, such as a name that somebody types to sign in."""
    return {name: plain_lines(value) if isinstance(value, str) else value for name, value in said.items()}
