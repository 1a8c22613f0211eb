"""The publishing client of platforms on a real broker."""

from datetime import UTC, datetime

import pytest
from kafka import KafkaConsumer

from streams.border.wire import Read
from streams.kafka.record import partition_of, read_record
from streams.kafka.topics import topics
from streams.publisher import NotAcknowledged, Publisher
from tests.promises.examples import DATA
from tests.runtime.kafka import Kafka
from tests.runtime.process import free_port

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
PARTITIONS = 5


def test_what_is_published_is_read_by_the_gate_on_the_clients_partition(kafka: Kafka, prefix: str) -> None:
    """Every event arrives once, keyed and placed, with a time of the broker's."""
    names = topics(prefix)
    kafka.create({names.actions.name: PARTITIONS, names.register.name: 1})
    with Publisher(kafka.servers, "//platform.example/events", prefix=prefix) as gate:
        for n in range(40):
            gate.publish("client.asked", f"cl-{n}", DATA["client.asked"], id=f"e-{n}", time=AT)
        where = gate.publish("asset.classified", "eth", DATA["asset.classified"], id="a-1", time=AT).get(20)
    assert where.topic == names.register.name
    consumer = KafkaConsumer(
        names.actions.name, bootstrap_servers=kafka.servers, auto_offset_reset="earliest", consumer_timeout_ms=3000
    )
    found = list(consumer)
    consumer.close()
    assert sorted(r.key for r in found) == sorted(f"cl-{n}".encode() for n in range(40))
    for record in found:
        assert record.partition == partition_of(record.key, PARTITIONS)
        place = (record.partition, PARTITIONS)
        taken = read_record(record.value, record.key, record.headers, place, record.timestamp * 1000, 0)
        assert isinstance(taken, Read), taken


def test_a_topic_that_is_not_there_is_said_and_not_made(kafka: Kafka, prefix: str) -> None:
    """The event is named, to be sent again."""
    gate = Publisher(kafka.servers, "//platform.example/events", prefix=prefix, max_block_ms=500)
    with pytest.raises(NotAcknowledged, match="`e-1`"):
        gate.publish("client.asked", "cl-1", DATA["client.asked"], id="e-1", time=AT)
    gate.close()
    with kafka.admin() as admin:
        assert topics(prefix).actions.name not in admin.list_topics()


def test_a_broker_that_is_not_there_is_said() -> None:
    """At once, with where it was looked for."""
    server = f"127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionError, match=server):
        Publisher(server, "//platform.example/events", bootstrap_timeout_ms=500)
