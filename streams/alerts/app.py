"""The pages of the alerts' process: probes and metrics, and its lifecycle."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.alerts.service import Alerts
from streams.web.access import Access
from streams.web.application import bare
from streams.web.problems import say_problems


def application(alerts: Alerts, access: Access) -> FastAPI:
    """Runs the alerts as long as it is served."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await alerts.start()
        yield
        await alerts.stop()

    app = bare(lifespan)
    say_problems(app)

    async def told(request: Request, trouble: list[str]) -> Response:
        known = {"trouble": trouble} if await access.may_know(request) else {}
        return JSONResponse({"ok": not trouble, **known}, 503 if trouble else 200)

    @app.get("/livez")
    async def livez(request: Request) -> Response:
        """Whether the process should be left alone."""
        return await told(request, alerts.hanging())

    @app.get("/readyz")
    async def readyz(request: Request) -> Response:
        """Whether what happens is told now: the logs are read and the store is written."""
        return await told(request, alerts.trouble())

    @app.get("/metrics", dependencies=[Depends(access.needs("ask", "publish"))])
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(generate_latest(alerts.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
