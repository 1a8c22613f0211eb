"""Counters and times for Prometheus, without personal data: no client, offer or key is ever a label."""

import json
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter

from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Metrics:
    """What one service counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self._events = Counter(
            "gate61_events", "events received, by what became of them", ["result"], registry=registry
        )
        self._rejected = Counter("gate61_rejected", "events rejected", ["reason"], registry=registry)
        self._decisions = Counter("gate61_decisions", "decisions published", ["verdict", "leading"], registry=registry)
        self._checks = Counter(
            "gate61_checks", "synchronous questions answered", ["verdict", "leading"], registry=registry
        )
        self._unanswered = Counter("gate61_unanswered", "synchronous questions not answered", registry=registry)
        self._seconds = Histogram(
            "gate61_http_seconds", "time to answer a request", ["route", "status"], buckets=_TIMES, registry=registry
        )

    def received(self, result: str, reason: str | None = None) -> None:
        """An event was taken, a duplicate or rejected."""
        self._events.labels(result).inc()
        if reason is not None:
            self._rejected.labels(reason).inc()

    def published(self, lines: Iterable[bytes]) -> None:
        """Events came out."""
        for line in lines:
            if b'"type":"gate61.offer.decided.v1"' in line:
                data = json.loads(line)["data"]
                self._decisions.labels(data["verdict"], data["leading"]).inc()

    def checked(self, verdict: str, leading: str) -> None:
        """A question was answered."""
        self._checks.labels(verdict, leading).inc()

    def unanswered(self, count: int = 1) -> None:
        """Questions could not be answered."""
        self._unanswered.inc(count)

    def page(self) -> Response:
        """All of it as Prometheus reads it."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

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
