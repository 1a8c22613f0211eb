"""`gate61 worker` on real Kafka and Redis: the same answers as `gate61 decide` on the same log, whatever comes in."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from kafka import KafkaProducer

from gate.instants import text
from gate.policy import SECOND
from streams.kafka.topics import LARGEST_LETTER
from tests.bench.load import mixed, register
from tests.player import asked_again, fill
from tests.progress import counted
from tests.promises.histories import history
from tests.runtime.gate import CONTENT_TYPE, Setting, Worker
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.stories import telling

REPLAYED = int(os.environ.get("GATE61_REPLAYED", "50000"))


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


def tangled(seeds: range) -> list[bytes]:
    """Random histories of clients of their own: late facts, registers that change behind answers, merged clients."""
    lines = []
    for seed in seeds:
        for event in history(seed, 60):
            said = {k: v for k, v in event.items() if k != "recordedtime"}
            line = fill(said, {}).decode()
            for name in ("c1", "c2", "c3"):
                line = line.replace(f'"{name}"', f'"{name}-{seed}"')
            lines.append(json.dumps({**json.loads(line), "id": f"{seed}-{event['id']}"}).encode())
    return lines


def run(worker: Worker, *words: str) -> subprocess.CompletedProcess[str]:
    """Another command of the program, with the worker's settings."""
    return subprocess.run([worker.command[0], *words], env=worker.environment, capture_output=True, text=True)


def page(worker: Worker, name: str) -> tuple[int, str]:
    """A page for probes and metrics; status 0 while nobody serves it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/{name}", timeout=5) as found:
            return found.status, found.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_the_same_answers_as_on_files_and_state_that_can_be_made_again(setting: Setting) -> None:
    """Tangled histories of many clients; then the state is made from the topics, the same to the byte."""
    worker = setting.worker()
    worker.start()
    lines = [line for line in tangled(range(40)) if b"client.merged" not in line]
    for start in range(0, len(lines), 200):
        setting.publish(lines[start : start + 200])
    setting.caught_up()
    assert setting.differences() == []
    said = Counter(answer["verdict"] for answer in setting.decisions().values())
    assert said["allow"] > 5 and said["block"] > 5
    assert worker.stop() == 0
    told = len(setting.read(setting.names.decisions.name))
    worker.start()
    wait_until(lambda: page(worker, "readyz")[0] == 200, 30)
    assert worker.stop() == 0
    assert len(setting.read(setting.names.decisions.name)) == told, "who ended well says nothing again"
    checked = run(worker, "rebuild", "--check")
    assert checked.returncode == 0 and checked.stdout.count("the same to the byte") == setting.partitions, checked


def test_merged_clients_tell_each_other_across_partitions(setting: Setting) -> None:
    """In the end no answer is softer than all the facts together say (P1); and the state can be made again."""
    worker = setting.worker()
    worker.start()
    lines = [line for line in tangled(range(200, 240)) if b"offer.delivered" not in line]
    assert sum(b"client.merged" in line for line in lines) > 5
    for start in range(0, len(lines), 100):
        setting.publish(lines[start : start + 100])
    setting.caught_up()
    gravity = {"allow": 0, "flag": 1, "block": 2}

    def standing(answers: dict[str, dict[str, Any]]) -> dict[str, int]:
        replaced = {a["supersedes"] for a in answers.values()}
        last = [a for d, a in answers.items() if d not in replaced and a["leading"] != "UNREADABLE_OFFER"]
        return {a["event"]["id"]: gravity[a["verdict"]] for a in last}

    have, said = standing(setting.decisions()), asked_again([json.loads(line) for line in setting.merged()])
    assert len(have) == len(said) > 100
    for (_, offer), answer in said.items():
        assert have[offer] >= gravity[answer["verdict"]], offer
    assert worker.stop() == 0
    checked = run(worker, "rebuild", "--check")
    assert checked.returncode == 0, checked


def test_no_signal_shows_what_a_worker_knows_and_nothing_is_left_where_it_runs(setting: Setting) -> None:
    """Those that end it are the only ones that do anything; it may not even be let write there."""
    worker = setting.worker()
    worker.start()
    setting.publish([*telling.clean_client("somebody"), telling.offer(who="somebody")])
    setting.caught_up()
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        os.kill(worker.pid, number)
        time.sleep(1)
    assert page(worker, "readyz")[0] == 200
    assert "somebody" not in worker.said() and "File " not in worker.said()
    assert worker.stop() == 0
    assert [found.name for found in worker.folder.iterdir()] == ["w1.log"]


def test_state_that_lost_clients_stops_the_partition_until_it_is_made_again(setting: Setting) -> None:
    """What Redis lost is noticed before anything is decided on the rest."""
    worker = setting.worker()
    worker.start()
    lines = [line.encode() for line in (*register(), *mixed(100))]
    setting.publish(lines[:900])
    setting.caught_up()
    key = f"{{{setting.names.actions.name}:1}}:dossiers"
    with setting.redis.client() as client:
        client.hdel(key, *client.hkeys(key)[:3])
    before = setting.stored()
    setting.publish(lines[900:])
    wait_until(lambda: "StateLost" in worker.said(), 20)
    assert setting.stored()[1] == before[1] and page(worker, "readyz")[0] == 503
    refused = run(worker, "rebuild", "--yes")
    assert refused.returncode == 1 and "stop them first" in refused.stderr
    begun = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - begun < 5, "trouble that is waited out holds up nobody who wants to end"
    made = run(worker, "rebuild", "--yes", "--partition", "1")
    assert made.returncode == 0, made
    worker.start()
    setting.caught_up()
    assert setting.differences() == []
    worker.stop()


def test_however_many_workers_the_answers_are_the_same(setting: Setting) -> None:
    """Row 8: one log, decided by one, two and four workers, each time from nothing; every second one is interpreted."""
    lines = [line.encode() for line in (*register(), *mixed(REPLAYED // 10))]
    for start in counted(range(0, len(lines), 10_000)):
        setting.publish(lines[start : start + 10_000])
    told = []
    for many in counted((1, 2, 4)):
        with setting.redis.client() as client:
            for key in client.scan_iter(match=f"{{{setting.prefix}*", count=1000):
                client.unlink(key)
        workers = [setting.worker(f"w{many}-{n}", interpreted=n % 2 == 1) for n in range(many)]
        for worker in workers:
            worker.start()
        setting.caught_up(60 + REPLAYED / 1_000)
        for n, worker in enumerate(workers):
            assert worker.stop() == 0
            assert f'"compiled": {"false" if n % 2 else "true"}' in worker.said()
        told.append(setting.published(setting.names.decisions.name))
    assert told[0] == told[1] == told[2]
    assert setting.differences() == []


class NotUtf8(str):
    """A header's name that goes out as bytes that are not UTF-8, and is told with escapes."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """As the producer asks for it."""
        return b"\xff" + self.removeprefix("\\xff").encode()


def test_what_cannot_be_taken_is_kept_and_its_neighbours_are_answered(setting: Setting) -> None:
    """Poison in value, headers and their names, a foreign key, a wrong partition, an oversized record; an offer among them
    is blocked."""
    worker = setting.worker()
    worker.start()
    good = [line.encode() for line in (*register(), *mixed(20))]
    setting.publish(good[:150])
    offer = next(line for line in good if b"offer.proposed" in line)
    fields = json.loads(offer)
    poison: list[tuple[bytes | None, bytes | None, int, list[tuple[str, bytes]]]] = [
        (b"\xff\x00garbage", b"x", 0, [CONTENT_TYPE]),
        (None, b"x", 1, [CONTENT_TYPE]),
        (b"{}", None, 2, [("x", b"y")]),
        (offer.replace(fields["id"].encode(), b"elsewhere"), b"somebody", 3, [CONTENT_TYPE]),
        (b"x" * 300_000, b"x", 0, [CONTENT_TYPE]),
        (b'{"a": 1}', b"x", 1, [("ce_id", b"1"), ("ce_id", b"2")]),
        (b"{not json", b"x", 2, [(NotUtf8("\\xffname"), b"1"), CONTENT_TYPE]),
    ]
    for value, key, partition, headers in poison:
        setting.producer.send(setting.names.actions.name, value, key=key, partition=partition, headers=headers).get(30)
    setting.publish(good[150:])
    setting.caught_up()
    kept = setting.read(setting.names.rejected.name)
    reasons = Counter(dict(r.headers)["gate61.errors.reason"].decode() for r in kept)
    assert reasons == {
        "NOT_UTF8": 1,
        "NOT_JSON": 2,
        "NOT_A_CLOUDEVENT": 1,
        "WRONG_PARTITION": 1,
        "TOO_LARGE": 1,
        "REPEATED_HEADER": 1,
    }
    for value, key, partition, headers in poison:
        (same,) = [r for r in kept if r.value == value and r.partition == partition]
        assert same.key == key and same.headers[: len(headers)] == headers
    names = {name for name, _ in kept[0].headers}
    errors = ("topic", "partition", "offset", "stage", "reason", "message", "attempts", "version", "policy")
    assert {f"gate61.errors.{e}" for e in errors} <= names
    answers = setting.decisions().values()
    assert [a["verdict"] for a in answers if a["leading"] == "UNREADABLE_OFFER"] == ["block"]
    assert sum(a["leading"] != "UNREADABLE_OFFER" for a in answers) == sum(b"offer.proposed" in g for g in good)
    assert 'gate61_rejects_total{reason="NOT_JSON"} 2.0' in page(worker, "metrics")[1]
    assert worker.stop() == 0


def test_a_record_larger_than_any_topic_takes_stops_nobody(setting: Setting) -> None:
    """Compressed it was small enough to arrive. What its dead letter cannot hold lies where it came from; 4 MB it holds."""
    worker = setting.worker()
    worker.start()
    good = [line.encode() for line in (*register(), *mixed(20))]
    setting.publish(good[:150])
    largest = LARGEST_LETTER + 1
    sender = KafkaProducer(
        bootstrap_servers=setting.kafka.servers, compression_type="gzip", max_request_size=64_000_000, batch_size=0
    )
    actions, between = setting.names.actions.name, setting.names.between.name
    offer = next(line for line in good if b"offer.proposed" in line)
    proposed = json.loads(offer)
    unread = json.dumps({**proposed, "id": "unread", "data": {**proposed["data"], "offer": "unread"}}).encode()
    sent = [
        (actions, b"x" * 4_000_000, b"x", [CONTENT_TYPE]),
        (actions, b"y" * largest, b"y", [CONTENT_TYPE]),
        (actions, b"z", b"z" * largest, [CONTENT_TYPE]),
        (actions, b"{}", b"w", [CONTENT_TYPE, ("filler", bytes(largest))]),
        (between, bytes(4_000_000), b"v", []),
    ]
    for topic, value, key, headers in sent:
        sender.send(topic, value, key=key, partition=1, headers=headers).get(30)
    setting.publish([unread[:-1] + b" " * 300_000 + b"}", *good[150:]])
    setting.caught_up()
    kept = {(r.key or b"")[:1]: r for r in setting.read(setting.names.rejected.name)}
    assert {key: len(r.value or b"") for key, r in kept.items()}.items() >= {
        b"x": 4_000_000,
        b"y": 256 * 1024,
        b"z": 1,
        b"w": 2,
        b"v": 4_000_000,
    }.items()
    said = {key: dict(r.headers) for key, r in kept.items()}
    assert [key for key in b"xyzwv" if "gate61.errors.cut" in said[bytes([key])]] == [*b"yzw"]
    assert sha256(b"y" * largest).hexdigest().encode() in said[b"y"]["gate61.errors.cut"]
    assert f"of {largest} bytes of value".encode() in said[b"y"]["gate61.errors.cut"]
    (blocked,) = [a for a in setting.decisions().values() if a["leading"] == "UNREADABLE_OFFER"]
    assert blocked["offer"] == "unread"
    replayed = run(worker, "dlq", "replay", "--all", "--dry-run")
    assert replayed.stdout.count("whole where it came from") == 3, replayed
    assert worker.stop() == 0


def test_what_is_measured_is_true_in_trouble_too(setting: Setting) -> None:
    """While Redis is away errors are counted and the lag grows; what another worker got is measured there alone."""
    worker = setting.worker()
    worker.start()
    lines = [line.encode() for line in (*register(), *mixed(60))]
    setting.publish(lines[:300])
    setting.caught_up()
    setting.server.kill()
    setting.publish(lines[300:])
    wait_until(lambda: _measured(worker, "gate61_trouble_total", 'kind="waiting"') > 0, 30)
    wait_until(lambda: _measured(worker, "gate61_lag_records") == len(lines) - 300, 30)
    setting.redis.start()
    setting.caught_up()
    wait_until(lambda: _measured(worker, "gate61_lag_records") == 0, 30)
    other = setting.worker("w2")
    other.start()
    wait_until(lambda: _partitions(other) == 2, 60)
    for each in (worker, other):
        wait_until(partial(_shares, each, 2), 30)
    assert worker.stop() == 0 and other.stop() == 0


def _measured(worker: Worker, name: str, label: str = "") -> float:
    """The sum of a metric's values."""
    rows = [line.rsplit(" ", 1) for line in page(worker, "metrics")[1].splitlines()]
    return sum(float(row[1]) for row in rows if len(row) == 2 and row[0].partition("{")[0] == name and label in row[0])


def _shares(worker: Worker, many: int) -> bool:
    return _partitions(worker) == many


def _partitions(worker: Worker) -> int:
    """Of how many partitions a worker tells the lag."""
    return sum(line.startswith("gate61_lag_records{") for line in page(worker, "metrics")[1].splitlines())


def test_a_worker_whose_clock_is_ahead_closes_no_window_before_its_time(setting: Setting, tmp_path: Path) -> None:
    """What is said to be closed is said for good. It says so, and answers as ever."""
    ahead = "import time\nset = time.time\ntime.time = lambda: set() + 30 * 86_400\n"
    (tmp_path / "sitecustomize.py").write_text(ahead)
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    worker = setting.worker(PYTHONPATH=path)
    worker.start()
    at = text(int(time.time() - 60) * SECOND)
    setting.publish([*telling.REGISTER, telling.located(at=at), telling.asks(at=at), telling.offer(at=at)])
    setting.caught_up()
    time.sleep(2)
    said = [json.loads(value)["type"] for value in setting.published(setting.names.notices.name).values()]
    assert said == ["gate61.scope.opened.v1"]
    assert len(setting.decisions()) == 1
    status, told = page(worker, "readyz")
    assert status == 200 and "s ahead of that of Redis at" in json.loads(told)["warnings"][0]
    wait_until(lambda: "clocks differ" in worker.said(), 10)
    assert worker.stop() == 0


def test_a_storm_of_bad_records_pauses_the_partition_and_says_so(setting: Setting) -> None:
    """Its neighbours go on."""
    worker = setting.worker()
    worker.start()
    for _ in range(150):
        setting.producer.send(setting.names.actions.name, b"no", key=b"x", partition=2, headers=[CONTENT_TYPE])
    setting.producer.flush()
    wait_until(lambda: "partition paused" in worker.said(), 30)
    good = [line.encode() for line in (*register(), *mixed(20))]
    setting.publish(good)
    ends = setting.ends()
    wait_until(lambda: all(setting.stored()[p] == ends[p] for p in (0, 1, 3)), 30)
    status, said = page(worker, "readyz")
    assert status == 503 and "partition 2 is paused" in said
    assert page(worker, "livez")[0] == 200
    assert worker.stop() == 0


def test_a_policy_is_in_force_from_its_publishing_on(setting: Setting, tmp_path: Path) -> None:
    """What comes after it is judged by it, whichever worker judges; a worker told another one refuses to start."""
    worker = setting.worker()
    worker.start()
    lines = [line.encode() for line in (*register(), *mixed(40))]
    setting.publish(lines[:200])
    setting.caught_up()
    default = Path("deploy/policy/default.toml").read_text()
    stricter = tmp_path / "stricter.toml"
    stricter.write_text(default.replace("soft_hours = 24", "soft_hours = 1"))
    assert stricter.read_text() != default
    published = run(worker, "policy", "publish", str(stricter))
    assert published.returncode == 0 and "in force" in published.stdout, published
    setting.publish(lines[200:])
    setting.caught_up()
    digests = Counter(a["policy"]["digest"] for a in setting.decisions().values())
    assert len(digests) == 2
    assert worker.stop() == 0
    other = setting.worker("w2", GATE61_POLICY=str(Path("deploy/policy/default.toml").resolve()))
    other.start()
    wait_until(lambda: not other.alive, 30)
    assert "gate61 policy publish" in other.said() and all(digest in other.said() for digest in digests)
    assert other.stop() == 1 and "Traceback" not in other.said()
    assert run(worker, "rebuild", "--check").returncode == 0
