"""Topics that more than one broker keeps: what its leader took counts from then on, copied or not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer

from tests.runtime.gate import CONTENT_TYPE, Setting
from tests.runtime.kafka import APPEND_TIME, Copier, Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.runtime.test_worker import page
from tests.stories.telling import REGISTER, Event, campaign, clean_client, offer


@pytest.fixture
def setting(redis: Redis, prefix: str, tmp_path: Path) -> Iterator[Setting]:
    patient = {"replica.lag.time.max.ms": "60000", "broker.session.timeout.ms": "60000"}
    broker = Kafka(tmp_path / "kafka", patient)  # Who stands still is not given up meanwhile.
    broker.start()
    yield Setting(broker, redis, prefix, tmp_path, partitions=1)
    broker.kill()


@pytest.fixture
def copier(setting: Setting) -> Iterator[Copier]:
    """It copies the register, and leads nothing."""
    copier = setting.kafka.copier(setting.folder / "copier")
    copier.start()
    register = setting.names.register.name
    with setting.kafka.admin() as admin:
        admin.delete_topics([register])
        wait_until(lambda: register not in admin.list_topics(), 20)
        admin.create_topics({register: {"assignments": {0: [1, Copier.NODE]}, "configs": APPEND_TIME}})
    yield copier
    copier.kill()


def test_a_campaign_that_no_other_broker_has_copied_yet_counts_for_an_offer_behind_it(
    setting: Setting, copier: Copier
) -> None:
    """It may be read once they have, and offers wait for that: it was appended before them."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna")])
    setting.caught_up()
    producer = KafkaProducer(bootstrap_servers=setting.kafka.servers, acks=1)
    for topic in (setting.names.register.name, setting.names.actions.name):
        assert producer.partitions_for(topic) == {0}
    copier.pause()
    _send(producer, setting.names.register.name, campaign("ads", at="-60 d"), None)
    _send(producer, setting.names.actions.name, offer(who="anna"), b"anna")
    wait_until(
        lambda: "the log of the register cannot be read" in page(worker, "readyz")[1], 60, "it says why it waits"
    )
    assert not setting.decisions()
    copier.resume()
    wait_until(setting.decisions, 30, "it goes on by itself")
    (answer,) = setting.decisions().values()
    assert answer["leading"] == "CAMPAIGN_EXPOSURE"
    assert worker.stop() == 0


def _send(producer: KafkaProducer, topic: str, event: Event, key: bytes | None) -> None:
    line = json.dumps(event).encode()
    producer.send(topic, value=line, key=key, partition=0, headers=[CONTENT_TYPE]).get(30)
