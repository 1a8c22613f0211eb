"""Row 4 of the proofs: under load, parts are killed, frozen and robbed of their last writes; no answer is missing or wrong."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.bench.load import mixed, register
from tests.progress import counted
from tests.runtime.gate import Setting, Worker
from tests.runtime.kafka import Kafka
from tests.runtime.redis import Redis

pytestmark = pytest.mark.alone
EVENTS = int(os.environ.get("GATE61_CRASH_EVENTS", "60000"))
FAULTS = int(os.environ.get("GATE61_CRASH_FAULTS", "8"))
CAUGHT_UP_SECONDS = 30
A_SECOND = 1_500
"""Events published in a second."""


class Trouble:
    """Two workers, and what happens to them and their parts."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.workers: list[Worker] = [setting.worker("w1"), setting.worker("w2")]
        for worker in self.workers:
            worker.start()

    def kill_worker(self) -> None:
        """kill -9, started again at once."""
        self.workers[0].kill()
        self.workers[0].start()

    def freeze_worker(self) -> None:
        """It stands still for longer than its session; its partitions go to the other; it wakes up a zombie."""
        self.workers[1].pause()
        time.sleep(12)
        self.workers[1].resume()

    def kill_redis(self) -> None:
        """kill -9; the append-only file has what was acknowledged."""
        self.setting.server.kill()
        time.sleep(0.5)
        self.setting.redis.start()

    def rob_redis(self) -> None:
        """Power fails: the last kilobytes never reached the disk."""
        redis = self.setting.server
        redis.kill()
        size = redis.written.stat().st_size
        redis.truncate(max(0, size - 300_000))
        redis.start()

    def restart_broker(self) -> None:
        """An orderly restart."""
        self.setting.kafka.stop()
        self.setting.kafka.start()

    def kill_broker(self) -> None:
        """kill -9 of the broker."""
        self.setting.kafka.kill()
        self.setting.kafka.start()

    def end_worker(self) -> None:
        """SIGTERM: it finishes its batches and ends well."""
        assert self.workers[1].stop() == 0, self.workers[1].said()[-3000:]
        self.workers[1].start()

    def kill_both(self) -> None:
        """Nobody is left for a while."""
        for worker in self.workers:
            worker.kill()
        time.sleep(0.5)
        for worker in self.workers:
            worker.start()

    def all(self) -> list[Callable[[], None]]:
        """In turn."""
        return [
            self.kill_worker,
            self.rob_redis,
            self.freeze_worker,
            self.kill_redis,
            self.restart_broker,
            self.kill_both,
            self.end_worker,
            self.kill_broker,
        ]


@pytest.fixture
def setting(prefix: str, tmp_path: Path) -> Iterator[Setting]:
    """Parts of this test's own: it breaks them."""
    kafka, redis = Kafka(tmp_path / "kafka"), Redis(tmp_path / "redis")
    kafka.start()
    redis.start()
    yield Setting(kafka, redis, prefix, tmp_path)
    kafka.stop(5)
    redis.stop(5)


def test_no_answer_is_missing_wrong_or_contradicted(setting: Setting) -> None:
    """Two workers under load, eight faults; then what was published is what `gate61 decide` says of the same log."""
    lines = [line.encode() for line in (*register(), *mixed(EVENTS // 10))]
    setting.publish(lines[:2000])
    trouble = Trouble(setting)

    def load() -> None:
        for start in range(2000, len(lines), A_SECOND // 5):
            setting.publish(lines[start : start + A_SECOND // 5])
            time.sleep(0.2)

    publishing = Thread(target=load)
    publishing.start()
    for number in counted(range(FAULTS)):
        time.sleep(2)
        trouble.all()[number % 8]()
    publishing.join()
    setting.caught_up(CAUGHT_UP_SECONDS)
    assert setting.differences() == []
    copies = len(setting.read(setting.names.decisions.name)) - len(setting.decisions())
    assert copies, "the faults were felt: some batches were decided or published again"
    assert setting.unreadable() == []
    with setting.redis.client() as client:
        assert client.info("persistence")["aof_last_rewrite_time_sec"] >= 0, "written anew after its last start"
    stored = setting.stored()
    for worker in trouble.workers:
        assert worker.stop() == 0, worker.said()[-3000:]
    assert setting.stored() == stored
