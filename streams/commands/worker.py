"""`gate61 worker`: the gate on Kafka and Redis."""

import errno
import os
import socket
from pathlib import Path

import typer

from streams.commands.common import policy_or_default, refuse, settings_or_refuse
from streams.policy_file import DEFAULT
from streams.web.logs import hear_libraries, log_to_stderr


def worker() -> None:
    """Decide what platforms publish to Kafka, with state in Redis; runs until SIGTERM or SIGINT.

    It takes no options: brokers and Redis are GATE61_KAFKA and GATE61_REDIS, the policy GATE61_POLICY, its name in the group
    GATE61_INSTANCE, its probes GATE61_HEALTH; README.md lists the others.
    """
    settings = settings_or_refuse(also=_wrong_with_policy())
    _refuse_taken(*settings.health)
    log_to_stderr()
    hear_libraries()
    import gc

    import structlog

    from streams import native
    from streams.worker.app import Signalled, application

    structlog.get_logger("gate61.worker").info("starting", compiled=native.preferred(), note=native.missing())

    gc.freeze()
    # Facts and answers form no cycles, and looking for some at each batch costs a tenth. What does, as where a partition
    # is in trouble again and again, is looked for once it is a quarter of what is in memory.
    gc.set_threshold(100_000, 5, 5)
    app, service = application(settings)
    app.finalize()
    try:
        Signalled(
            app, override_logging=False, quiet=True, redirect_stdouts=False, blocking_timeout=60.0
        ).execute_from_commandline()
    finally:
        if service.refused:
            raise typer.Exit(1)


def _wrong_with_policy() -> list[str]:
    """Of the firm's own; that it is no file is found with the other settings."""
    found: list[str] = []
    path = Path(os.environ.get("GATE61_POLICY") or DEFAULT)
    if path.is_file():
        policy_or_default(path, found)
    return found


def _refuse_taken(host: str, port: int) -> None:
    """Two workers cannot show their health at one place: said before anything is begun."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return
    except OSError as error:
        what = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror})"
        raise refuse(f"{host}:{port} {what}; set GATE61_HEALTH to another, one for each worker of a machine") from None
