"""Logs of the services: JSON lines on standard error, readable ones on a terminal; never what events hold."""

import logging
import sys

import structlog


def log_to_stderr() -> None:
    """From now on, in this process."""
    shown = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), shown],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
