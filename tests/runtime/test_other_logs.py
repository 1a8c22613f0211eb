"""Logs that are not those that state was made from, on real Kafka: nothing is decided on them, and it is said."""

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from tests.runtime.gate import CONTENT_TYPE, Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.runtime.test_worker import page, run
from tests.stories.telling import REGISTER, clean_client, contacted, located, offer


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of its own."""
    kafka = Kafka(tmp_path / "kafka")
    kafka.start()
    yield kafka
    kafka.stop()


@pytest.fixture
def setting(other: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(other, redis, prefix, tmp_path, partitions=1)


def _cut(log: Path, offset: int) -> None:
    """What a power failure leaves of a log: what stands before that offset."""
    data, at = log.read_bytes(), 0
    while at < len(data):
        base, length = struct.unpack_from(">qi", data, at)
        if base >= offset:
            break
        at += 12 + length
    os.truncate(log, at)


def _publish(setting: Setting, events: list[dict[str, Any]]) -> None:
    producer = KafkaProducer(bootstrap_servers=setting.kafka.servers, acks="all")
    for event in events:
        producer.send(
            setting.names.actions.name,
            json.dumps(event).encode(),
            event["subject"].encode(),
            headers=[CONTENT_TYPE],
            partition=0,
        ).get(20)
    producer.close()


def test_a_running_worker_skips_nothing_where_its_log_lost_its_end_and_grew_past_its_place(setting: Setting) -> None:
    """The solicitation stands where records stood that the broker lost; the worker would read on behind it, and allow."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna")])
    setting.caught_up()
    place = setting.stored()[0]
    setting.publish([{**located(), "id": f"lost-{n}"} for n in range(5)])
    setting.caught_up()
    setting.kafka.kill()
    _cut(setting.kafka.folder / "data" / f"{setting.names.actions.name}-0" / f"{0:020d}.log", place)
    worker.pause()  # Its next fetch comes once the log has grown.
    setting.kafka.start()
    new = [{**contacted(), "id": "marketing"}, *({**located(), "id": f"new-{n}"} for n in range(9)), offer(who="anna")]
    _publish(setting, new)
    worker.resume()
    wait_until(lambda: "holds another record at offset" in page(worker, "readyz")[1], 60)
    assert setting.decisions() == {} and worker.alive
    worker.stop()


def test_state_of_another_kafka_is_refused_by_name_and_made_anew_at_ones_word(
    setting: Setting, kafka: Kafka, tmp_path: Path
) -> None:
    """Two gates with one prefix on one Redis: the one that came later would judge by the facts of the other."""
    first = setting.worker()
    first.start()
    setting.publish([*REGISTER, *clean_client("anna"), offer(who="anna")])
    setting.caught_up()
    assert first.stop() == 0
    second = Setting(kafka, setting.redis, setting.prefix, tmp_path / "second", partitions=1)
    second.publish([*REGISTER, *clean_client("ben"), *clean_client("anna"), contacted(), offer(who="ben")])
    worker = second.worker()
    worker.start()
    wait_until(lambda: not worker.alive, 60)
    assert "was made from another Kafka" in worker.said() and "GATE61_PREFIX" in worker.said()
    assert second.decisions() == {}
    found = run(worker, "doctor")
    assert found.returncode == 1 and "was made from another Kafka" in found.stdout
    checked = run(worker, "rebuild", "--check")
    assert checked.returncode == 1 and "its state was made from another Kafka" in checked.stdout, checked
    made = run(worker, "rebuild", "--yes")
    assert made.returncode == 0, made
    worker.start()
    wait_until(lambda: {d["client"] for d in second.decisions().values()} == {"ben"}, 60)
    assert worker.stop() == 0
    assert "the same to the byte" in run(worker, "rebuild", "--check").stdout
    first.start()
    wait_until(lambda: not first.alive, 60)
    assert first.said().count("was made from another Kafka") == 1
