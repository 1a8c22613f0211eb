"""The gate over a Redis Cluster: partitions on three servers, a slot that moves, a server that is killed."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import httpx

from state.redis.look import tag
from streams.feed.opening import gate_of
from streams.kafka.record import partition_of
from tests.bench.load import mixed, register
from tests.feeds import LOCATED
from tests.runtime.gate import Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Cluster
from tests.runtime.test_worker import page, run
from tests.serving.service import process


async def test_all_that_uses_redis_works_on_a_cluster_also_in_trouble(
    kafka: Kafka, cluster: Cluster, prefix: str, tmp_path: Path
) -> None:
    """Under load a slot is moved and a server killed: every answer is that of `gate61 decide`, and the state is whole."""
    setting = Setting(kafka, cluster, prefix, tmp_path)
    tags = [tag(f"{setting.names.actions.name}:{number}") for number in range(setting.partitions)]
    worker = setting.worker()
    worker.start()
    lines = [line.encode() for line in (*register(), *mixed(150))]
    setting.publish(lines[:500])
    places = {"GATE61_KAFKA": kafka.servers, "GATE61_REDIS": cluster.url, "GATE61_PREFIX": prefix}

    def load() -> None:
        for start in range(500, len(lines), 100):
            setting.publish(lines[start : start + 100])
            time.sleep(0.1)

    with process(command="ask", **places) as (_, where), httpx.Client(base_url=where, timeout=20) as client:
        publishing = Thread(target=load)
        publishing.start()
        wait_until(lambda: all(setting.stored().values()), 20, "all partitions at work")
        cluster.move(tags[0], pause=0.02)
        killed = cluster.holder(tags[1])
        killed.kill()
        wait_until(lambda: "partition 1 is " in page(worker, "readyz")[1], 20, "the partition waits")
        killed.start()
        cluster.settled()
        publishing.join()
        setting.caught_up()
        assert setting.differences() == []
        wait_until(lambda: client.get("/readyz").status_code == 200, 20, "`ask` is ready")
        offer = {"client": "nobody", "service": "custody", "channel": "email", "content": "offer"}
        answer = client.post("/v1/check", json=offer)
        assert (answer.status_code, answer.json()["leading"]) == (200, "INITIATION_UNKNOWN")
    await _acts_are_taken(worker.settings, lambda: cluster.move(tags[partition_of(b"c-1", 4)]))
    examined = run(worker, "doctor")
    assert {line.split()[1] for line in examined.stdout.splitlines() if line.startswith("wrong")} <= {"topics"}
    assert all(f"127.0.0.1:{server.port}: append-only file on" in examined.stdout for server in cluster.servers)
    assert "4 of 4 partitions have state; 0 records are to be read" in examined.stdout
    assert worker.stop() == 0
    before = _state(cluster, prefix)
    checked = run(worker, "rebuild", "--check")
    assert checked.stdout.count("the same to the byte") == 4, checked.stderr
    assert run(worker, "rebuild", "--yes").returncode == 0 and _state(cluster, prefix) == before


def _state(cluster: Cluster, prefix: str) -> set[bytes]:
    """The names of all keys."""
    with cluster.client() as client:
        return set(client.scan_iter(match=f"{{{prefix}*", count=1000))


async def _acts_are_taken(environment: dict[str, str], between: Callable[[], None]) -> None:
    """As the desk publishes them, one before and one after."""
    sender = gate_of(environment, publishes=True).sender()
    assert (await sender.send(LOCATED)).status == "taken"
    between()
    assert (await sender.send({**LOCATED, "id": "desk-2"})).status == "taken"
    await sender.close()
