"""Row 5 of the proofs: Redis is down, slow, full, emptied, restored from an old copy, or evicts; nothing is allowed on it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.bench.load import mixed, register
from tests.contracts.test_redis_store import right, rights_of_the_readme
from tests.progress import counted
from tests.runtime.gate import Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.runtime.test_worker import page, run
from tests.stories.telling import clean_client, offer

WINDOWS = int(os.environ.get("GATE61_REDIS_WINDOWS", "20"))
EVENTS = 1_000 * WINDOWS


@pytest.fixture
def setting(kafka: Kafka, prefix: str, tmp_path: Path) -> Iterator[Setting]:
    """A Redis of this test's own: it breaks it."""
    redis = Redis(tmp_path / "redis")
    redis.start()
    yield Setting(kafka, redis, prefix, tmp_path)
    redis.stop(5)


class Trouble:
    """What Redis can do to those who trust it."""

    def __init__(self, setting: Setting) -> None:
        self.redis = setting.server

    def down(self) -> None:
        self.redis.kill()
        time.sleep(1)
        self.redis.start()

    def slow(self) -> None:
        self.redis.pause()
        time.sleep(1)
        self.redis.resume()

    def full(self) -> None:
        self._set(maxmemory="1mb")
        time.sleep(1)
        self._set(maxmemory="0")

    def emptied(self) -> None:
        with self.redis.client() as client:
            client.flushall()

    def old_copy(self) -> None:
        self.redis.stop()
        self.redis.copy("old")
        self.redis.start()
        time.sleep(1)
        self.redis.stop()
        self.redis.restore("old")
        self.redis.start()
        for old in (self.redis.folder / "old").iterdir():
            old.unlink()
        (self.redis.folder / "old").rmdir()

    def evicting(self) -> None:
        """It drops keys; when it is mended, what is left of the state is removed, as `gate61 rebuild` does."""
        with self.redis.client() as client:
            room = int(client.info("memory")["used_memory"]) - 200_000
            client.config_set("maxmemory-policy", "allkeys-random")
            client.config_set("maxmemory", room)
            time.sleep(2.5)
            client.config_set("maxmemory", 0)
            client.config_set("maxmemory-policy", "noeviction")
            client.flushall()

    def _set(self, **settings: str) -> None:
        with self.redis.client() as client:
            for name, value in settings.items():
                client.config_set(name, value)


def test_nothing_is_allowed_without_state_and_nothing_is_lost(setting: Setting) -> None:
    """Twenty windows of trouble under load; every answer is the one that `gate61 decide` gives."""
    worker = setting.worker()
    worker.start()
    lines = [line.encode() for line in (*register(), *mixed(EVENTS // 10))]
    setting.publish(lines[:1000])
    going = True

    def load() -> None:
        for start in range(1000, len(lines), 200):
            setting.publish(lines[start : start + 200])
            time.sleep(0.1 if going else 0)

    publishing = Thread(target=load)
    publishing.start()
    trouble = Trouble(setting)
    kinds = (trouble.down, trouble.slow, trouble.full, trouble.emptied, trouble.old_copy, trouble.evicting)
    for number in counted(range(WINDOWS)):
        time.sleep(0.3)
        kinds[number % len(kinds)]()
    going = False
    publishing.join()
    setting.caught_up(90)
    assert setting.differences() == []
    assert "waiting" in worker.said()
    assert worker.stop() == 0


def test_a_redis_that_would_forget_is_refused(setting: Setting, tmp_path: Path) -> None:
    """At the start; and when it is changed while the gate runs, nothing is decided until it is mended."""
    careless = Redis(tmp_path / "careless", appendonly="no")
    careless.start()
    worker = setting.worker("w0", GATE61_REDIS=careless.url)
    worker.start()
    wait_until(lambda: not worker.alive, 30)
    assert "appendonly yes" in worker.said()
    careless.stop()
    worker = setting.worker("w1")
    worker.start()
    lines = [line.encode() for line in (*register(), *mixed(40))]
    setting.publish(lines[:200])
    setting.caught_up()
    with setting.redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        wait_until(lambda: "not fit" in worker.said(), 20)
        time.sleep(0.6)
        before = setting.stored()
        setting.publish(lines[200:])
        time.sleep(1.5)
        assert setting.stored() == before
        client.config_set("maxmemory-policy", "noeviction")
    setting.caught_up()
    assert setting.differences() == []
    assert worker.stop() == 0


def test_what_redis_refuses_is_said_by_the_worker_with_what_to_do(setting: Setting) -> None:
    """On its page and in its log: where Redis is, and neither a password nor a client."""
    worker = setting.worker()
    worker.start()
    lines = [line.encode() for line in (*register(), *mixed(40))]
    setting.publish(lines[:200])
    setting.caught_up()
    dossiers = f"{{{setting.names.actions.name}:0}}:dossiers"
    with setting.redis.client() as client:
        whole = client.dump(dossiers)
        client.delete(dossiers)
        client.rpush(dossiers, "somebody was here")
        setting.publish(lines[200:])
        where = f"Redis at {setting.redis.url} refuses: "
        wait_until(lambda: f"{where}WRONGTYPE Operation against a key" in page(worker, "readyz")[1], 20)
        client.restore(dossiers, 0, whole, replace=True)
        setting.caught_up()
        client.config_set("requirepass", "quiet")
        client.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: "name its user and password in GATE61_REDIS" in page(worker, "readyz")[1], 20)
        client.config_set("requirepass", "")
    wait_until(lambda: page(worker, "readyz")[0] == 200, 30)
    assert "Command #" not in worker.said() and "quiet" not in worker.said() and "cl-0" not in worker.said()
    assert setting.differences() == []
    assert worker.stop() == 0


def test_a_worker_that_may_not_start_says_why_and_nothing_else(
    kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path
) -> None:
    """One line with what to do, without a traceback below it; and Ctrl-C ends one that runs as quietly."""
    forgetful = Redis(tmp_path / "forgetful", appendonly="no")
    forgetful.start()
    try:
        setting = Setting(kafka, redis, prefix, tmp_path, partitions=1)
        worker = setting.worker("w1", GATE61_REDIS=forgetful.url)
        worker.start()
        wait_until(lambda: not worker.alive, 30)
        assert worker.stop() == 1
        assert "append-only file" in worker.said()
        assert not any(word in worker.said() for word in ("Traceback", "Crashed", "CRITICAL")), worker.said()
    finally:
        forgetful.stop(5)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("version = 1")
    unfit = setting.worker("w4", GATE61_POLICY=str(wrong))
    unfit.start()
    wait_until(lambda: not unfit.alive, 30)
    assert unfit.stop() == 2 and unfit.said().startswith("gate61: ") and "wrong.toml" in unfit.said()
    assert not any(word in unfit.said() for word in ("Traceback", "Crashed", "starting")), unfit.said()
    other = setting.worker("w2")
    other.start()
    wait_until(lambda: "starting" in other.said(), 30)
    third = setting.worker("w3", GATE61_HEALTH=f"127.0.0.1:{other.port}")
    wait_until(lambda: page(other, "livez")[0] == 200, 30)
    third.start()
    wait_until(lambda: not third.alive, 30)
    assert third.stop() == 2
    assert third.said().startswith(f"gate61: 127.0.0.1:{other.port} is taken; set GATE61_HEALTH")
    os.kill(other.pid, signal.SIGINT)
    wait_until(lambda: not other.alive, 30)
    assert other.stop() == 0 and "-INT-" not in other.said()


def test_the_rights_that_the_readme_names_let_a_worker_decide_and_the_doctor_examine(setting: Setting) -> None:
    """Also a worker that goes on with state, and both beside one another."""
    of_workers, _ = rights_of_the_readme()
    with setting.redis.client() as client:
        client.acl_setuser("limited", True, nopass=True, keys=["*"], commands=[*map(right, of_workers)], reset=True)
    worker = setting.worker(GATE61_REDIS=setting.redis.url.replace("//", "//limited:any@"))
    for who in ("anna", "ben"):
        worker.start()
        setting.publish([*clean_client(who), offer(who=who)])
        setting.caught_up()
        examined = run(worker, "doctor")
        assert "4 partitions have state" in examined.stdout and "refuses" not in examined.stdout, examined.stdout
        assert worker.stop() == 0
    assert len(setting.decisions()) == 2
