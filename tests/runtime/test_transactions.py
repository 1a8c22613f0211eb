"""Platforms may publish in transactions: what was taken back was never said, and markers in the logs hold up nothing."""

from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.kafka_record import partition_of
from tests.bench.load import mixed, register
from tests.runtime.gate import CONTENT_TYPE, Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


def test_committed_events_are_decided_and_aborted_ones_are_not(setting: Setting) -> None:
    """The register in a transaction, clients' events in others, one of them aborted."""
    worker = setting.worker()
    worker.start()
    producer = KafkaProducer(bootstrap_servers=setting.kafka.servers, transactional_id=f"{setting.prefix}t", acks="all")
    producer.init_transactions()

    def send(lines: list[bytes]) -> None:
        for line in lines:
            key = line.split(b'"subject": "')[1].split(b'"')[0]
            place = partition_of(key, setting.partitions)
            producer.send(setting.names.actions.name, line, key=key, partition=place, headers=[CONTENT_TYPE])

    producer.begin_transaction()
    for line in register():
        producer.send(setting.names.register.name, line.encode(), partition=0, headers=[CONTENT_TYPE])
    producer.commit_transaction()
    lines = [line.encode() for line in mixed(30)]
    producer.begin_transaction()
    send(lines[:150])
    producer.commit_transaction()
    producer.begin_transaction()
    send(lines[150:200])
    producer.abort_transaction()
    producer.begin_transaction()
    send(lines[200:])
    producer.commit_transaction()
    offers = sum(b"offer.proposed" in line for line in (*lines[:150], *lines[200:]))
    wait_until(lambda: len(setting.decisions()) >= offers, 30, "all committed offers are decided")
    said = {answer["event"]["id"] for answer in setting.decisions().values()}
    assert not any(f'"{id}"'.encode() in line for id in said for line in lines[150:200])
    producer.close()
    assert worker.stop() == 0
