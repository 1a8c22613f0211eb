"""`gate61 topics`: what is needed is made, what would break state is refused by name, and then nothing is touched."""

import json
import time
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource

from streams.doctor import brokers
from streams.kafka.administration import Found, found_topics
from streams.kafka.administration import _planned as _planned_topic
from streams.kafka.topics import topics
from streams.policy_file import DEFAULT
from tests.commands.program import Done, run
from tests.runtime.kafka import APPEND_TIME, Kafka
from tests.runtime.redis import Redis

ALL = len(topics())


def _topics(kafka: Kafka, prefix: str, *arguments: str, **environment: str) -> Done:
    settings = {"GATE61_KAFKA": kafka.servers, "GATE61_PREFIX": prefix, "GATE61_PARTITIONS": "3"}
    return run("topics", *arguments, settings=settings | environment)


def _planned(kafka: Kafka, prefix: str, **environment: str) -> dict[str, dict[str, Any]]:
    """By topic, what `plan --json` says."""
    done = _topics(kafka, prefix, "plan", "--json", **environment)
    found = {r["topic"].removeprefix(f"{prefix}gate61."): r for r in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == any(r["refused"] for r in found.values()), done.stderr
    return found


def _exist(kafka: Kafka, prefix: str) -> set[str]:
    with kafka.admin() as admin:
        return {t.removeprefix(f"{prefix}gate61.") for t in admin.list_topics() if t.startswith(prefix)}


def _put(kafka: Kafka, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.servers)
    producer.send(topic, b"{}", partition=0).get(20)
    producer.close()


def test_all_is_made_as_it_must_be_and_a_second_time_nothing_is_left_to_do(kafka: Kafka, prefix: str) -> None:
    """`plan` changes nothing; after `apply` the cluster has what the plan said, and every topic is kept."""
    planned = _planned(kafka, prefix)
    assert [r["action"] for r in planned.values()] == ["create"] * ALL
    assert not _exist(kafka, prefix)
    assert _topics(kafka, prefix, "apply").returncode == 0
    with kafka.admin() as admin:
        names = [f"{prefix}gate61.{n}" for n in planned]
        configs = admin.describe_configs([ConfigResource("TOPIC", n) for n in names], config_filter="all")["topic"]
        counts = {t["name"]: len(t["partitions"]) for t in admin.describe_topics(names)}
    for topic in topics(prefix):
        found = {key: config["value"] for key, config in configs[topic.name].items()}
        assert counts[topic.name] == (topic.partitions or 3)
        assert found["retention.ms"] == ("3600000" if topic.name.endswith("clock.v1") else "-1")
        assert (found["cleanup.policy"], found["min.insync.replicas"]) == ("delete", "1")
        assert found["max.message.bytes"] == str(topic.largest)
        assert found["message.timestamp.type"] == "LogAppendTime"
    producer = KafkaProducer(bootstrap_servers=kafka.servers, acks="all")
    ahead = int((time.time() + 7200) * 1000)  # As of a worker whose clock is.
    producer.send(topics(prefix).decisions.name, b"x", timestamp_ms=ahead).get(20)
    producer.close()
    again = _topics(kafka, prefix, "apply", "--json")
    assert again.returncode == 0
    assert {json.loads(line)["action"] for line in again.stdout.splitlines()} == {"keep"}


def test_what_can_be_mended_without_harm_is_mended(kafka: Kafka, prefix: str) -> None:
    """Too short a retention, too small records, other people's times or compaction on an input without records."""
    actions = f"{prefix}gate61.client-actions.v1"
    wrong = {"retention.ms": "60000", "retention.bytes": "5000000", "max.message.bytes": "1000"}
    kafka.create({actions: 3}, wrong | {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"})
    planned = _planned(kafka, prefix)["client-actions.v1"]
    assert planned["action"] == "alter"
    assert planned["configs"] == {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": "1048588",
        "message.timestamp.type": "LogAppendTime",
    }
    assert _topics(kafka, prefix, "apply").returncode == 0
    assert _planned(kafka, prefix)["client-actions.v1"]["action"] == "keep"


def test_what_is_longer_larger_or_stricter_than_needed_stays(kafka: Kafka, prefix: str) -> None:
    """Retention is never shortened."""
    clock, cases = f"{prefix}gate61.clock.v1", f"{prefix}gate61.cases.v1"
    kafka.create({clock: 1}, APPEND_TIME)
    kafka.create({cases: 3}, APPEND_TIME | {"max.message.bytes": "9000000"})
    planned = _planned(kafka, prefix)
    assert (planned["clock.v1"]["action"], planned["cases.v1"]["action"]) == ("keep", "keep")


@pytest.mark.parametrize(
    ("configs", "partitions", "records", "said", "do"),
    [
        (APPEND_TIME, 4, False, b"has 4 partitions, not 3", b"GATE61_PARTITIONS=4"),
        (APPEND_TIME | {"message.timestamp.type": "CreateTime"}, 3, True, b"times that their senders", b"publish them"),
        (APPEND_TIME | {"cleanup.policy": "compact"}, 3, True, b"is compacted", b"not compacted"),
    ],
)
def test_what_would_break_state_is_refused_and_nothing_else_is_touched(
    kafka: Kafka, prefix: str, configs: dict[str, str], partitions: int, records: bool, said: bytes, do: bytes
) -> None:
    """Named, with what to do; exit 1; not even the other topics are made."""
    actions = f"{prefix}gate61.client-actions.v1"
    # A compacting topic takes no record without a key, so the record comes before.
    late = {k: v for k, v in configs.items() if k == "cleanup.policy"}
    kafka.create({actions: partitions}, {k: v for k, v in configs.items() if k not in late})
    if records:
        _put(kafka, actions)
    if late:
        with kafka.admin() as admin:
            assert admin.alter_configs([ConfigResource("TOPIC", actions, late)])["topic"][actions] == "OK"
    assert _planned(kafka, prefix)["client-actions.v1"]["action"] == "refuse"
    done = _topics(kafka, prefix, "apply", COLUMNS="400")
    assert done.returncode == 1
    flat = b" ".join(done.stdout.replace("│".encode(), b" ").split())
    assert said in flat and do in flat
    assert b"1 of %d topics" % ALL in done.stderr
    assert _exist(kafka, prefix) == {"client-actions.v1"}


def test_a_register_of_several_partitions_is_refused(kafka: Kafka, prefix: str) -> None:
    """Its records are one sequence."""
    kafka.create({f"{prefix}gate61.register.v1": 2})
    (refusal,) = _planned(kafka, prefix)["register.v1"]["refused"]
    assert "it must have 1" in refusal["what"] and "delete it" in refusal["do"]
    _put(kafka, f"{prefix}gate61.register.v1")
    (refusal,) = _planned(kafka, prefix)["register.v1"]["refused"]
    assert "another GATE61_PREFIX" in refusal["do"]


def test_a_number_of_partitions_is_to_be_set_only_where_it_is_that_of_all_inputs(kafka: Kafka, prefix: str) -> None:
    """Partitions that were added to outputs harm nothing, and lead nobody to another number for all."""
    assert _topics(kafka, prefix, "apply").returncode == 0
    with kafka.admin() as admin:
        admin.create_partitions({f"{prefix}gate61.notices.v1": 5, f"{prefix}gate61.register.v1.dlq": 2})
    planned = _planned(kafka, prefix)
    assert {row["action"] for row in planned.values()} == {"keep"}
    noted = {name: row["notes"][0]["what"] for name, row in planned.items() if row["notes"]}
    assert noted == {
        "notices.v1": "has 5 partitions, not 3: the others stay empty",
        "register.v1.dlq": "has 2 partitions, not 1: the others stay empty",
    }
    refused = {n: r["refused"][0] for n, r in _planned(kafka, prefix, GATE61_PARTITIONS="5").items() if r["refused"]}
    assert refused.keys() == {"client-actions.v1", "between-clients.v1"}
    assert all("set GATE61_PARTITIONS=3" in each["do"] for each in refused.values())
    with kafka.admin() as admin:
        admin.create_partitions({f"{prefix}gate61.client-actions.v1": 4})
    (refused_one,) = _planned(kafka, prefix)["client-actions.v1"]["refused"]
    assert "set GATE61_PARTITIONS" not in refused_one["do"] and "another GATE61_PREFIX" in refused_one["do"]


def test_a_topic_that_asks_for_more_copies_than_it_has_takes_records(kafka: Kafka, prefix: str) -> None:
    """Kafka wants all it has then; that the number is not as it must be is another finding."""
    topic = f"{prefix}gate61.decisions.v1"
    kafka.create({topic: 3}, {"min.insync.replicas": "2"})
    _put(kafka, topic)
    with kafka.admin() as admin:
        planned = _planned_topic(
            next(t for t in topics(prefix) if t.name == topic), found_topics(admin, [topic])[topic], 3, 1, 3
        )
    said = [finding.what for finding in brokers.topics([planned])]
    assert any("min.insync.replicas 2 -> 1" in what for what in said) and not any("takes no records" in w for w in said)


def test_what_may_not_be_asked_is_a_finding_with_the_right_that_is_missing() -> None:
    """Kafka says then of a topic no configuration at all; nothing of it can be said to be right."""
    (topic, *_) = topics()
    found = Found(3, 1, 1, {}, dict.fromkeys(range(3), (0, 5)))
    planned = _planned_topic(topic, found, 3, 1, 3)
    assert planned.action == "refuse" and not planned.configs
    (wrong,) = brokers.topics([planned])
    assert wrong.wrong and "does not say how it is configured" in wrong.what and "DESCRIBE_CONFIGS" in wrong.do


def test_fewer_copies_than_wanted_are_told_and_stop_nothing(kafka: Kafka, prefix: str) -> None:
    """Copies are added by moving replicas, which is the operator's to do."""
    assert _topics(kafka, prefix, "apply").returncode == 0
    planned = _planned(kafka, prefix, GATE61_REPLICATION="3")["decisions.v1"]
    assert (planned["action"], planned["replication"]) == ("keep", 1)
    assert "has 1 of 3 copies" in planned["notes"][0]["what"]


def test_more_copies_than_brokers_is_kafkas_refusal_in_one_line(kafka: Kafka, prefix: str) -> None:
    """Exit 1 and no trace of a stack."""
    done = _topics(kafka, prefix, "apply", GATE61_REPLICATION="3")
    assert done.returncode == 1
    assert b"only 1 broker(s)" in done.stderr and done.stderr.count(b"\n") == 1 and len(done.stderr) < 1000
    assert not _exist(kafka, prefix)


def test_no_broker_and_no_settings_are_told(prefix: str) -> None:
    """A broker that does not answer ends the command with 1, settings that cannot be used with 2, all at once."""
    done = run("topics", "plan", GATE61_KAFKA="127.0.0.1:1")
    assert done.returncode == 1
    assert b"127.0.0.1:1" in done.stderr and b"GATE61_KAFKA" in done.stderr and done.stderr.count(b"\n") == 1
    done = run("topics", "plan", GATE61_PARTITIONS="many", GATE61_REPLICATION="0")
    assert done.returncode == 2
    for name in (b"GATE61_KAFKA", b"GATE61_PARTITIONS", b"GATE61_REPLICATION"):
        assert name in done.stderr


def test_what_was_done_is_said_and_a_plan_that_refuses_exits_1(kafka: Kafka, prefix: str) -> None:
    """Names are whole, also where nobody sits at a terminal of their width."""
    long = f"{prefix}{'x' * 60}-"
    done = _topics(kafka, long, "apply")
    assert done.returncode == 0 and done.stdout.decode().splitlines()[-1] == f"{ALL} topics created"
    name = topics(long).decisions.name
    folded = done.stdout.decode().replace(" ", "").replace("\n", "")
    assert "…" not in folded
    assert _topics(kafka, long, "apply").stdout.decode().splitlines()[-1] == f"{ALL} topics kept as they are"
    planned = _topics(kafka, long, "plan", "--json", GATE61_PARTITIONS="4")
    assert planned.returncode == 1 and name in planned.stdout.decode() and b"nothing was changed" in planned.stderr


def test_without_topics_commands_say_at_once_what_to_do(kafka: Kafka, redis: Redis, prefix: str) -> None:
    """Not that Kafka is to be seen to, after a minute."""
    settings = {"GATE61_KAFKA": kafka.servers, "GATE61_PREFIX": prefix, "GATE61_REDIS": redis.url}
    for words in (("policy", "publish", "deploy/policy/default.toml"), ("rebuild", "--yes"), ("rebuild", "--check")):
        begun = monotonic()
        done = run(*words, settings=settings)
        assert done.returncode == 1 and monotonic() - begun < 20, words
        assert b"topics are missing: " in done.stderr and b"make them with `gate61 topics apply`" in done.stderr


def test_a_policy_is_compared_with_the_one_in_force(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    """The default is what was there before only where nothing was published."""
    assert _topics(kafka, prefix, "apply").returncode == 0
    strict = tmp_path / "strict.toml"
    strict.write_text(DEFAULT.read_text().replace("soft_hours = 24", "soft_hours = 1"))
    settings = {"GATE61_KAFKA": kafka.servers, "GATE61_PREFIX": prefix}
    first = run("policy", "publish", str(strict), settings=settings)
    assert first.returncode == 0 and b"window.soft_hours: 24 -> 1" in first.stdout, first
    again = run("policy", "publish", str(strict), settings=settings)
    assert b"the same as what was in force" in again.stdout
    back = run("policy", "publish", str(DEFAULT), settings=settings)
    assert b"window.soft_hours: 1 -> 24" in back.stdout and b"a version of its own" in back.stderr
