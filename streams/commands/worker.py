"""`gate61 worker`: the gate on Kafka and Redis."""

from streams.commands.common import settings_or_refuse
from streams.web.logs import log_to_stderr


def worker() -> None:
    """Decide what platforms publish to Kafka, with state in Redis; runs until SIGTERM or SIGINT."""
    settings = settings_or_refuse()
    log_to_stderr()
    import gc

    import structlog
    from mode import Worker

    from streams import native
    from streams.worker.app import application

    structlog.get_logger("gate61.worker").info("starting", compiled=native.preferred(), note=native.missing())

    gc.freeze()
    gc.set_threshold(
        100_000, 50, 100
    )  # Facts and answers form no cycles; looking for some at each batch costs a tenth.
    app, _ = application(settings)
    app.finalize()
    Worker(
        app, loglevel="WARNING", quiet=False, redirect_stdouts=False, blocking_timeout=60.0
    ).execute_from_commandline()
