"""The parts the other tests stand on: they keep what they acknowledged, and die with the tests."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.runtime.kafka import Kafka
from tests.runtime.process import Process, wait_until
from tests.runtime.redis import Redis


def _values(kafka: Kafka, topic: str) -> list[tuple[bytes, int]]:
    """Value and timestamp type (1 is append time) of each record."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.servers)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)]
    found: list[tuple[bytes, int]] = []
    while len(found) < end:
        found += [(r.value, r.timestamp_type) for records in consumer.poll(500).values() for r in records]
    consumer.close()
    return found


def test_a_broker_keeps_what_it_acknowledged_over_kill_and_pause(kafka: Kafka, prefix: str) -> None:
    """Killed with its data in place, it comes back on the same port with the same records."""
    topic = f"{prefix}kept"
    kafka.create({topic: 1})
    producer = KafkaProducer(bootstrap_servers=kafka.servers)
    producer.send(topic, b"before").get(20)
    kafka.kill()
    assert not kafka.alive
    kafka.start()
    kafka.pause()
    sent = producer.send(topic, b"after")
    time.sleep(0.5)
    assert not sent.is_done
    kafka.resume()
    sent.get(30)
    producer.close()
    assert _values(kafka, topic) == [(b"before", 1), (b"after", 1)]


def test_a_redis_loses_only_what_is_cut_from_its_file(tmp_path: Path) -> None:
    """What the append-only file holds comes back after a kill; what is cut from it, or not in the copy, is gone."""
    redis = Redis(tmp_path / "redis", appendfsync="always")
    redis.start()
    with redis.client() as client:
        client.set("first", "1")
        size = redis.written.stat().st_size
        client.set("second", "2")
        redis.kill()
        redis.copy()
        redis.start()
        assert client.mget("first", "second") == [b"1", b"2"]
        redis.kill()
        redis.truncate(size)
        redis.start()
        assert client.mget("first", "second") == [b"1", None]
        redis.stop()
        redis.restore()
        redis.start()
        assert client.mget("first", "second") == [b"1", b"2"]
    assert redis.stop() == 0


def test_parts_die_with_the_tests(tmp_path: Path) -> None:
    """A run of tests that is killed leaves nothing behind."""
    code = f"""
from pathlib import Path
from tests.runtime.process import Process
part = Process(["sleep", "1000"], Path({str(tmp_path)!r}), "sleep")
part.start()
print(part.pid, flush=True)
input()
"""
    run = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert run.stdout is not None
    part = int(run.stdout.readline())
    # Before it is itself, nobody has told the system yet whom it must not outlive.
    wait_until(lambda: Path(f"/proc/{part}/comm").read_text().strip() == "sleep", 5, "the part runs")
    run.send_signal(signal.SIGKILL)
    run.communicate()
    wait_until(lambda: not _alive(part), 5, "the part is gone")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_part_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The last words of a part that died are in the error."""
    part = Process(["sh", "-c", "echo no disk; exit 1"], tmp_path, "part")
    part.start()
    try:
        part.ready(lambda: False, 5)
    except AssertionError as error:
        assert "no disk" in str(error)
    else:
        raise AssertionError("it did not say so")
