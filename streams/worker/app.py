"""The Faust application around the service: lifecycle, signals, and the pages for probes and metrics.

Faust reads no topic here: its agents acknowledge what failed, and a register must be read by every worker, which a group
does not do (design sections 3 and 7).
"""

from collections.abc import Sequence
from typing import Any

import faust
from faust.app import BootStrategy
from faust.web import Request, Response, View
from mode import Worker
from prometheus_client import generate_latest

from streams.settings import Settings
from streams.worker.metrics import Metrics
from streams.worker.service import Gatekeeper

PROMETHEUS_TEXT = "text/plain; version=0.0.4"


class _WithoutKafka(BootStrategy):
    enable_kafka_producer = False


class _App(faust.App):
    BootStrategy = _WithoutKafka
    producer_only = True

    def _create_directories(self) -> None:
        """None: Faust keeps no tables for it, and it may not be let write where it is started."""


class Signalled(Worker):
    """Runs the application. Of signals it knows those that end it: mode's others write what is in memory, clients among it,
    into the log, or stop everything for a debugger.
    """

    def _on_sigusr1(self) -> None:
        """Nothing."""

    def _on_sigusr2(self) -> None:
        """Nothing."""


def application(settings: Settings) -> tuple[faust.App, type[Gatekeeper]]:
    """The application and the class of its service, whose instance Faust makes when it starts."""
    host, port = settings.health
    app = _App(
        f"{settings.prefix}{settings.group}",
        broker=[f"kafka://{server}" for server in settings.kafka.servers],
        store="memory://",
        cache="memory://",
        web_enabled=True,
        web_bind=host,
        web_host=f"[{host}]" if ":" in host else host,
        web_port=port,
        web_tables_enabled=False,
        broker_session_timeout=10.0,
        autodiscover=False,
        datadir=None,
    )
    found: list[Gatekeeper] = []
    metrics = Metrics()

    class Running(Gatekeeper):
        """The service of this application."""

        def __init__(self, **options: Any) -> None:
            self.settings, self.metrics = settings, metrics
            super().__init__(**options)
            found.append(self)

    app.service(Running)

    @app.page("/livez")
    async def livez(view: View, request: Request) -> Response:
        """Whether the process should be left alone: it goes round, whatever it waits for."""
        return _told(view, found[0].hanging() if found else [])

    @app.page("/readyz")
    async def readyz(view: View, request: Request) -> Response:
        """Whether offers of its partitions are answered now."""
        if not found:
            return _told(view, ["starting"])
        return _told(view, found[0].trouble(), found[0].warnings())

    @app.page("/metrics")
    async def measured(view: View, request: Request) -> Response:
        """Prometheus text."""
        return view.bytes(generate_latest(metrics.registry), content_type=PROMETHEUS_TEXT)

    return app, Running


def _told(view: View, trouble: list[str], warnings: Sequence[str] = ()) -> Response:
    told = {"ok": not trouble, "trouble": trouble} | ({"warnings": warnings} if warnings else {})
    return view.json(told, status=503 if trouble else 200)
