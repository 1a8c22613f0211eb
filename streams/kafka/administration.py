"""What the cluster's topics are, what they must become, and what may not be changed without breaking state.

Safe to change at any time: longer retention, larger records, more replicas that must be in sync. Never changed: the
number of partitions (it says which partition a client is on, and so where his state is), the time type of an input that
holds records (times already there were not the broker's), an input that was compacted (records may be gone).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kafka import TopicPartition
from kafka.admin import ConfigResource, KafkaAdminClient, OffsetSpec
from kafka.errors import for_code
from msgspec import Struct

from streams.kafka.connection import connection, opened
from streams.kafka.topics import FOREVER, Topic, topics
from streams.logs.lost import ONE_AGAIN
from streams.settings import Kafka, Settings

SECONDS = 10
"""How long one request to Kafka may take."""
_CLEANUP = "cleanup.policy"
_UNKNOWN_TOPIC = 3
_MOST_REPLICAS = 3


class Found(Struct, frozen=True):
    """A topic as it is."""

    partitions: int
    replication: int
    """The fewest copies that a partition has."""
    in_sync: int
    """The fewest copies of a partition that have all its records."""
    configs: Mapping[str, str]
    """As they are in force, the brokers' defaults among them; empty where they may not be asked."""
    bounds: Mapping[int, tuple[int, int]]
    """By partition: the first offset there is, and the one after the last."""

    @property
    def used(self) -> bool:
        """Whether it ever held a record."""
        return any(end for _, end in self.bounds.values())


class Refusal(Struct, frozen=True):
    """What cannot be made as it must be without breaking state, and what to do."""

    what: str
    do: str


class Planned(Struct, frozen=True):
    """A topic: what it must be, and what has to be done for that."""

    topic: Topic
    partitions: int
    replication: int
    configs: Mapping[str, str]
    """To create it with, or to set where it exists."""
    changes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[Refusal, ...] = ()
    """What is not as it should be but breaks nothing, and that `apply` cannot change."""
    found: Found | None = None

    @property
    def action(self) -> str:
        """`create`, `alter`, `keep`, or `refuse`."""
        if self.refusals:
            return "refuse"
        if self.found is None:
            return "create"
        return "alter" if self.configs else "keep"

    def record(self) -> dict[str, Any]:
        """For other programs."""
        return {
            "topic": self.topic.name,
            "action": self.action,
            "partitions": self.found.partitions if self.found else self.partitions,
            "replication": self.found.replication if self.found else self.replication,
            "configs": dict(self.configs),
            "refused": [{"what": r.what, "do": r.do} for r in self.refusals],
            "notes": [{"what": n.what, "do": n.do} for n in self.notes],
        }


class NotApplied(Exception):
    """Kafka refused to create or change topics."""


def administrator(kafka: Kafka) -> KafkaAdminClient:
    """A client to ask and change the cluster with; close it. Raises `KafkaError` if no broker answers."""
    limit = SECONDS * 1000
    return opened(KafkaAdminClient, **connection(kafka), bootstrap_timeout_ms=limit, request_timeout_ms=limit)


def cluster(admin: KafkaAdminClient) -> str:
    """The id of the Kafka cluster; empty if it says none. Raises `KafkaError`."""
    return admin.describe_cluster().get("cluster_id") or ""


def plan(admin: KafkaAdminClient, settings: Settings) -> list[Planned]:
    """Each topic of the gate: what it is and what it must become. Changes nothing; raises `KafkaError`."""
    wanted = topics(settings.prefix)
    brokers = len(admin.describe_cluster()["brokers"])
    replication = settings.replication or min(_MOST_REPLICAS, max(1, brokers))
    found = found_topics(admin, [t.name for t in wanted])
    spread = _spread(found, [wanted.actions, wanted.between])

    def partitions(topic: Topic) -> int:
        return topic.partitions or (settings.partitions if topic.is_input else spread or settings.partitions)

    return [_planned(t, found.get(t.name), partitions(t), replication, spread) for t in wanted]


def _spread(found: Mapping[str, Found], inputs: Iterable[Topic]) -> int:
    """How many partitions clients are spread over by the topics there are; 0 where there are none, or they differ."""
    there = {found[topic.name].partitions for topic in inputs if topic.name in found}
    return there.pop() if len(there) == 1 else 0


def compacted(admin: KafkaAdminClient, names: Iterable[str]) -> list[str]:
    """Those of these topics from which earlier records of a key are removed; none of which that may not be asked."""
    asked = [ConfigResource("TOPIC", name) for name in names]
    configs = admin.describe_configs(asked, config_filter="all").get("topic", {})
    return [name for name, config in configs.items() if "compact" in str(config.get(_CLEANUP, {}).get("value"))]


def apply(admin: KafkaAdminClient, planned: Iterable[Planned]) -> None:
    """Create and change what the plan says; nothing at all if it refuses anything. Raises `KafkaError`, `NotApplied`."""
    todo = list(planned)
    if any(p.refusals for p in todo):
        raise NotApplied("the plan refuses some topics, so none was touched")
    new = {
        p.topic.name: {"num_partitions": p.partitions, "replication_factor": p.replication, "configs": dict(p.configs)}
        for p in todo
        if p.action == "create"
    }
    if new:
        answers = admin.create_topics(new, raise_errors=False)["topics"]
        _all_done({t["name"]: t["error_message"] or str(t["error_code"]) for t in answers if t["error_code"]})
        admin.wait_for_topics(list(new))
    altered = [ConfigResource("TOPIC", p.topic.name, dict(p.configs)) for p in todo if p.action == "alter"]
    if altered:
        said = admin.alter_configs(altered)["topic"]
        _all_done({name: answer for name, answer in said.items() if answer != "OK"})


def _all_done(refused: Mapping[str, str]) -> None:
    """Raises with what Kafka said, each reason once."""
    if refused:
        reasons = {why: [name for name, said in refused.items() if said == why] for why in refused.values()}
        raise NotApplied("; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items()))


def found_topics(admin: KafkaAdminClient, names: list[str]) -> dict[str, Found]:
    """Those of these topics that exist, as they are."""
    described = {}
    for topic in admin.describe_topics(names):
        if topic["error_code"] == _UNKNOWN_TOPIC:
            continue
        if topic["error_code"]:
            raise for_code(topic["error_code"])(f"topic `{topic['name']}`")
        described[topic["name"]] = topic["partitions"]
    if not described:
        return {}
    asked = [ConfigResource("TOPIC", name) for name in described]
    configs = admin.describe_configs(asked, config_filter="all")["topic"]
    places = [TopicPartition(name, p["partition_index"]) for name, parts in described.items() for p in parts]
    first = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
    end = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    return {
        name: Found(
            len(parts),
            min(len(p["replica_nodes"]) for p in parts),
            min(len(p["isr_nodes"]) for p in parts),
            {key: str(config["value"]) for key, config in configs[name].items()},
            {p.partition: (first[p].offset, end[p].offset) for p in places if p.topic == name},
        )
        for name, parts in described.items()
    }


def _planned(topic: Topic, found: Found | None, partitions: int, replication: int, spread: int) -> Planned:
    if found is None:
        configs = _configs(topic, replication)
        return Planned(topic, partitions, replication, configs, (f"{partitions} x {replication} new",))
    changes = dict(_changes(topic, found)) if found.configs else {}
    said = tuple(f"{key} {found.configs.get(key, 'unset')} -> {value}" for key, value in changes.items())
    refusals = tuple(_refusals(topic, found, partitions, spread))
    notes = tuple(_notes(topic, found, partitions, replication))
    return Planned(topic, partitions, replication, changes, said, refusals, notes, found)


def _configs(topic: Topic, replication: int) -> dict[str, str]:
    """All that a topic is created with."""
    return {
        _CLEANUP: "delete",
        "retention.ms": str(topic.retention),
        "retention.bytes": str(FOREVER),
        "max.message.bytes": str(topic.largest),
        "min.insync.replicas": str(_in_sync(replication)),
        "unclean.leader.election.enable": "false",
        # Of an output, too: a topic by its senders' times takes nothing of a worker whose clock is ahead (Kafka 4).
        "message.timestamp.type": "LogAppendTime",
    }


def _in_sync(replication: int) -> int:
    """Copies that must have a record before it counts as written: one broker may be away."""
    return max(1, replication - 1)


def _changes(topic: Topic, found: Found) -> Iterator[tuple[str, str]]:
    """The configs that are not as they must be. What is longer, larger or stricter than needed stays."""
    for key, value in _configs(topic, found.replication).items():
        now = found.configs.get(key, "")
        if now == value:
            continue
        if key in ("retention.ms", "retention.bytes") and _lasts(now, value):
            continue
        if key == "max.message.bytes" and int(now) > int(value):
            continue
        if key == "min.insync.replicas" and int(value) < int(now) <= found.replication:
            continue
        yield key, value


def _lasts(now: str, wanted: str) -> bool:
    """Whether a retention is no shorter than wanted."""
    return int(now) == FOREVER or (int(wanted) != FOREVER and int(now) > int(wanted))


def _refusals(topic: Topic, found: Found, partitions: int, spread: int) -> Iterator[Refusal]:
    if topic.is_input and found.partitions != partitions:
        yield _other_partitions(topic, found, partitions, spread)
    elif found.partitions < partitions:
        yield Refusal(
            f"has {found.partitions} partitions, not {partitions}: what belongs into the others cannot be published",
            f"add them: `kafka-topics.sh --alter --topic {topic.name} --partitions {partitions}`",
        )
    if not found.configs:
        yield Refusal(
            "does not say how it is configured: who asks may not know",
            "give the user of GATE61_KAFKA the right (DESCRIBE_CONFIGS)",
        )
        return
    kept = topic.is_input and found.used
    if kept and found.configs["message.timestamp.type"] != "LogAppendTime":
        yield Refusal(
            "holds records with times that their senders chose; nobody knows when they were recorded",
            "set message.timestamp.type=LogAppendTime on a new topic and publish them again, in order",
        )
    if kept and "compact" in found.configs[_CLEANUP]:
        yield Refusal(
            "is compacted: earlier records of a key may be gone, and with them facts against the firm",
            "publish everything again, in order, to a new topic that is not compacted",
        )


def _other_partitions(topic: Topic, found: Found, wanted: int, spread: int) -> Refusal:
    there = found.partitions
    if topic.partitions is not None:
        return Refusal(
            f"has {there} partitions, and its records are one sequence: it must have {wanted}",
            ONE_AGAIN if found.used else "it has no records: delete it, then `gate61 topics apply`",
        )
    anew = "start anew, topics and state, under another GATE61_PREFIX"
    return Refusal(
        f"has {there} partitions, not {wanted}: the number is fixed for the life of the state",
        f"set GATE61_PARTITIONS={there}, or {anew}" if there == spread else anew,
    )


def _notes(topic: Topic, found: Found, partitions: int, replication: int) -> Iterator[Refusal]:
    if not topic.is_input and found.partitions > partitions:
        yield Refusal(f"has {found.partitions} partitions, not {partitions}: the others stay empty", "leave it so")
    if found.replication < replication:
        yield Refusal(
            f"has {found.replication} of {replication} copies: a lost broker may lose records",
            "add replicas with kafka-reassign-partitions.sh, then `gate61 topics apply` again",
        )
