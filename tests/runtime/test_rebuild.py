"""`gate61 rebuild` on real Kafka and Redis: state is made from all of the logs, or it is not touched."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from state.redis_look import tag
from streams.kafka_record import partition_of
from tests.runtime.gate import Setting, Worker
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.runtime.test_worker import run
from tests.stories.telling import REGISTER, clean_client, offer

ANNA = partition_of(b"anna", 2)
"""Her partition."""


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path, partitions=2)


def _lines(events: Sequence[Any]) -> list[bytes]:
    return [json.dumps(event).encode() for event in events]


@pytest.fixture
def worker(setting: Setting) -> Worker:
    """One that has judged what happened around Anna, and taken a message that is none, and has ended."""
    worker = setting.worker()
    worker.start()
    setting.producer.send(setting.names.between.name, b"no message", partition=ANNA).get(20)
    setting.publish(_lines([*REGISTER, *clean_client("anna"), offer(who="anna")]))
    setting.caught_up()
    with setting.redis.client() as client:
        wait_until(lambda: client.hget(_key(setting, "notes"), "between") == b"1", 20)
    assert worker.stop() == 0
    return worker


def _key(setting: Setting, name: str) -> str:
    """Of her partition."""
    return f"{tag(f'{setting.names.actions.name}:{ANNA}')}{name}"


def _state(setting: Setting) -> dict[bytes, bytes]:
    with setting.redis.client() as client:
        keys = client.scan_iter(match=f"{{{setting.prefix}*", count=1000)
        return {key: client.dump(key) for key in keys}  # type: ignore[misc]


@pytest.mark.parametrize("words", ["--yes", "--check"])
@pytest.mark.parametrize("which", ["actions", "between"])
def test_state_is_not_made_from_a_log_whose_beginning_was_deleted(
    setting: Setting, worker: Worker, which: str, words: str
) -> None:
    """What was deleted may forbid what the rest would allow; what has all its records is made."""
    topic = getattr(setting.names, which).name
    with setting.kafka.admin() as admin:
        admin.delete_records({TopicPartition(topic, ANNA): 1})
    before = _state(setting)
    refused = run(worker, "rebuild", words)
    assert refused.returncode == 1 and _state(setting) == before
    (said,) = refused.stderr.splitlines()
    assert f"records of `{topic}` were deleted, in partition {ANNA} (begins at 1)" in said and "from a copy" in said
    assert run(worker, "rebuild", words, "--partition", str(1 - ANNA)).returncode == 0
    examined = run(worker, "doctor")
    assert f"records of `{topic}` from which state was made were deleted" in examined.stdout
    assert "state     records of" in examined.stdout and examined.stdout.count("never be made anew") == 1


def test_all_partitions_are_looked_for_before_one_is_made(setting: Setting, worker: Worker) -> None:
    before = _state(setting)
    refused = run(worker, "rebuild", "--yes", "--partition", "0", "--partition", "99")
    assert refused.returncode == 2 and "there is no partition 99; there are 2, from 0" in refused.stderr
    assert not refused.stdout and _state(setting) == before
