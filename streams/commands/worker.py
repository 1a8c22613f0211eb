"""`gate61 worker`: the gate on Kafka and Redis."""

import logging
import sys

import structlog

from streams.commands.common import settings_or_refuse


def worker() -> None:
    """Decide what platforms publish to Kafka, with state in Redis; runs until SIGTERM or SIGINT."""
    settings = settings_or_refuse()
    _log()
    import gc

    from mode import Worker

    from streams.worker.app import application

    gc.freeze()
    gc.set_threshold(
        100_000, 50, 100
    )  # Facts and answers form no cycles; looking for some at each batch costs a tenth.
    app, _ = application(settings)
    app.finalize()
    Worker(
        app, loglevel="WARNING", quiet=False, redirect_stdouts=False, blocking_timeout=60.0
    ).execute_from_commandline()


def _log() -> None:
    """JSON lines on standard error, readable ones on a terminal; never what events hold."""
    shown = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), shown],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
