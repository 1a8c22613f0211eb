"""Counters and times for Prometheus, without personal data: no client, offer or key is ever a label."""

from collections.abc import Awaitable, Callable
from time import perf_counter

from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Metrics:
    """What a service counts of the questions that it is asked."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._checks = Counter(
            "gate61_checks",
            "synchronous questions answered, by verdict and leading reason",
            ["verdict", "leading"],
            registry=registry,
        )
        self._unanswered = Counter("gate61_unanswered", "synchronous questions not answered", registry=registry)
        self._seconds = Histogram(
            "gate61_http_seconds",
            "time to answer a request, by its route",
            ["route", "status"],
            buckets=_TIMES,
            registry=registry,
        )

    def checked(self, verdict: str, leading: str) -> None:
        """A question was answered."""
        self._checks.labels(verdict, leading).inc()

    def unanswered(self, count: int = 1) -> None:
        """Questions could not be answered."""
        self._unanswered.inc(count)

    def page(self) -> Response:
        """All of it as Prometheus reads it."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def measure(self, app: FastAPI) -> None:
        """Time every request of the application, by its route and not its path."""

        @app.middleware("http")
        async def timed(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
            began, status = perf_counter(), "500"  # What nobody foresaw is answered outside of this.
            try:
                response = await answer(request)
                status = str(response.status_code)
                return response
            finally:
                route = getattr(request.scope.get("route"), "path", "other")
                self._seconds.labels(route, status).observe(perf_counter() - began)
