"""The cluster, and its topics against what they must be."""

from collections.abc import Iterator, Sequence

from kafka.admin import KafkaAdminClient

from state.finding import Finding, Level
from streams.kafka.administration import Planned

LEAST_VERSION = (3, 0)
TESTED_VERSION = (4, 0)
"""From here on the tests say something of it."""


def cluster(admin: KafkaAdminClient) -> Iterator[Finding]:
    """Which Kafka it is, by the requests that its brokers understand, and how many brokers there are."""
    count = len(admin.describe_cluster()["brokers"])
    version: tuple[int, ...] = admin._manager.broker_version
    said = f"version {'.'.join(map(str, version))}, {count} broker{'s' if count > 1 else ''}"
    if version < LEAST_VERSION:
        yield Finding("Kafka", Level.WRONG, said, "use 3.0 or newer; 4.1 is what the gate is tested with")
    elif version < TESTED_VERSION:
        yield Finding("Kafka", Level.WARN, said, "4.1 is what the gate is tested with")
    else:
        yield Finding("Kafka", Level.OK, said)
    if count == 1:
        yield Finding("Kafka", Level.WARN, "one broker: if it is lost, so is the record", "run three")


def topics(planned: Sequence[Planned]) -> Iterator[Finding]:
    """Every topic that is not as it must be."""
    refused = any(each.refusals for each in planned)
    for each in planned:
        yield from _of(each, refused)
    missing = [f"`{p.topic.name}`" for p in planned if p.found is None]
    if missing:
        said = f"missing: {', '.join(missing)}"
        yield Finding("topics", Level.WRONG, said, f"create them: {_apply(refused)}")
    elif all(p.action == "keep" for p in planned):
        yield Finding("topics", Level.OK, f"{len(planned)} as planned")


def _apply(refused: bool) -> str:
    """How topics are made and changed: all, or none while one of them must not be touched."""
    return "`gate61 topics apply`" + (", once it refuses none of the others" if refused else "")


def _of(planned: Planned, refused: bool) -> Iterator[Finding]:
    name = f"`{planned.topic.name}`"
    for refusal in planned.refusals:
        yield Finding("topics", Level.WRONG, f"{name} {refusal.what}", refusal.do)
    if planned.found is None:
        return
    if planned.changes and not planned.refusals:
        said = f"{name} is not as it must be: {', '.join(planned.changes)}"
        yield Finding("topics", Level.WRONG, said, f"make it so: {_apply(refused)}")
    yield from (Finding("topics", Level.WARN, f"{name} {note.what}", note.do) for note in planned.notes)
    # Of a topic that asks for more copies than it has, Kafka wants those that it has.
    needed = min(int(planned.found.configs.get("min.insync.replicas", 0)), planned.found.replication)
    if planned.found.in_sync < needed:
        said = f"{name} takes no records: {planned.found.in_sync} copies are in sync and it needs {needed}"
        yield Finding("topics", Level.WRONG, said, "bring its brokers back; the gate waits until then")
    elif planned.found.in_sync < planned.found.replication:
        yield Finding("topics", Level.WARN, f"{name} has a copy that is not in sync", "look at its brokers")
