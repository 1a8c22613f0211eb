"""What every gate counts of what it takes and answers (Prometheus), whether a worker or the embedded one.

No client, offer or other id is ever a label.
"""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter

Became = Literal["taken", "repeated", "rejected"]
"""What becomes of an event: it counts, it has counted before, or it cannot be taken."""


class Judged:
    """Events, answers and rejects, under names that are the same for all gates."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter("gate61_events", "events that came, by what became of them", ["what"], registry=registry)
        self._decisions = Counter(
            "gate61_decisions",
            "answers to offers, by verdict and leading reason",
            ["verdict", "leading"],
            registry=registry,
        )
        self._rejects = Counter(
            "gate61_rejects", "events that could not be taken, by reason", ["reason"], registry=registry
        )

    def came(self, what: Became, reason: str = "", count: int = 1) -> None:
        """So many events came; of those that were rejected, for that reason."""
        self._events.labels(what).inc(count)
        if what == "rejected":
            self._rejects.labels(reason).inc(count)

    def answered(self, verdict: str, leading: str, count: int = 1) -> None:
        """So many answers were given."""
        self._decisions.labels(verdict, leading).inc(count)
