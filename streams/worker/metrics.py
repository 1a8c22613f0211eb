"""Metrics of a worker (Prometheus). No client, offer or other id ever becomes a label."""

from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.counting import Judged
from streams.worker.partition import Partition

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """Everything that a worker counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        here = self.registry
        self.judged = Judged(here)
        self.reopened = Counter(
            "gate61_reopened_clients", "clients reopened behind a change of the register", registry=here
        )
        self.trouble = Counter(
            "gate61_trouble", "errors after which a partition was assumed anew", ["kind"], registry=here
        )
        self.cache = Counter(
            "gate61_dossiers_recalled", "dossiers asked for, by where they were", ["where"], registry=here
        )
        self.batch = Histogram(
            "gate61_batch_seconds", "a batch, from read to acknowledged", buckets=_BUCKETS, registry=here
        )
        self.step = Counter("gate61_step_seconds", "time spent judging", registry=here)
        self.lag = Gauge("gate61_lag_records", "records not read yet", ["partition"], registry=here)
        self.beat = Gauge(
            "gate61_heartbeat_age_seconds", "since the loop last went round", ["partition"], registry=here
        )
        self.assigned = Gauge("gate61_partitions", "partitions of this worker, by state", ["state"], registry=here)
        self.register = Gauge("gate61_register_version", "register records read", registry=here)

    def forget(self, number: int) -> None:
        """The partition is another worker's now: what is measured of it here would stand still."""
        for gauge in (self.lag, self.beat):
            with suppress(KeyError):
                gauge.remove(str(number))

    def took(self, partition: Partition) -> None:
        """Take over what a partition counted since the last time."""
        self.step.inc(partition.seconds)
        partition.seconds = 0.0
        for (what, which), count in partition.counts.items():
            match what:
                case "taken" | "repeated" | "rejected":
                    self.judged.came(what, which, count)
                case "reopened":
                    self.reopened.inc(count)
                case "trouble":
                    self.trouble.labels(which).inc(count)
                case "recalled":
                    self.cache.labels(which).inc(count)
                case _:
                    self.judged.answered(what, which, count)
        partition.counts.clear()
