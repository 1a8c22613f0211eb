"""Logs of the services: JSON lines on standard error, readable ones on a terminal; never what events hold."""

import logging
import os
import sys
from typing import Any

import structlog


def coloured() -> bool:
    """Whether standard error is a terminal whose user wants colours (no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def log_to_stderr() -> None:
    """From now on, in this process."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), _renderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def _renderer() -> Any:
    if not sys.stderr.isatty():
        return structlog.processors.JSONRenderer()
    plain = structlog.dev.plain_traceback  # Others colour it by themselves, and show variables, which hold events.
    return structlog.dev.ConsoleRenderer(colors=coloured(), exception_formatter=plain)
