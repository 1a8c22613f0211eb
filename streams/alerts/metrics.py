"""Metrics of the alerts (Prometheus). Labels are channels, kinds and outcomes, never a client, offer or other id."""

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.alerts.outbox import Attempt
from streams.feed import SourceHealth


class Metrics:
    """Everything that is counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        here = self.registry
        self.events = Counter("gate61_alerts_events", "events read, by what became of them", ["what"], registry=here)
        self.messages = Counter("gate61_alerts_messages", "messages made", ["channel", "kind"], registry=here)
        self.attempts = Counter(
            "gate61_alerts_attempts", "attempts to deliver, by what came back", ["channel", "outcome"], registry=here
        )
        self.kept = Gauge("gate61_alerts_undelivered", "messages not delivered", ["channel", "state"], registry=here)
        self.disabled = Gauge("gate61_alerts_disabled", "1 where the receiver is gone", ["channel"], registry=here)
        self.behind = Gauge("gate61_alerts_behind_events", "events not read yet", ["source"], registry=here)
        self.trouble = Counter("gate61_alerts_trouble", "errors that were waited out", ["kind"], registry=here)

    def took(self, counts: Mapping[str, int]) -> None:
        """A batch was folded in."""
        for what, count in counts.items():
            self.events.labels(what.replace(" ", "_")).inc(count)

    def said(self, messages: Mapping[tuple[str, str], int]) -> None:
        """Messages were made."""
        for (channel, kind), count in messages.items():
            self.messages.labels(channel, kind).inc(count)

    def attempt(self, channel: str, state: str, attempt: Attempt) -> None:
        """One attempt, whatever came of it."""
        outcome = state if attempt.arrived else str(attempt.status or "unreachable")
        self.attempts.labels(channel, outcome).inc()

    def stand(self, channels: Sequence[str], undelivered: Mapping[tuple[str, str], int], gone: set[str]) -> None:
        """How it stands with the outbox."""
        for name in channels:
            self.disabled.labels(name).set(name in gone)
            for state in ("waiting", "dead"):
                self.kept.labels(name, state).set(undelivered.get((name, state), 0))

    def sources(self, health: Sequence[SourceHealth]) -> None:
        """How far the logs are behind."""
        for source in health:
            self.behind.labels(source.name).set(source.behind)
