"""Who takes part: how each is started, what it is set to, and how its answers are read."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.runtime.process import Process, free_port

PARTS = Path(__file__).parents[3] / ".parts"
PROGRAMS = Path(__file__).parent / "programs"


class Run(NamedTuple):
    """Where a rival works this time."""

    kafka: str
    redis: str
    prefix: str
    input: str
    output: str
    group: str
    partitions: int
    folder: Path
    commit_seconds: float
    """How often a rival without a commit interval of its own commits."""


class Rival(NamedTuple):
    """One that takes part."""

    name: str
    title: str
    promise: str
    settings: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = {}
    answers: str = "offers"
    """What it publishes a record for: `offers`, `all` events, or `none`, whose progress is what it commits."""
    law: str = "trivial rule"
    redis: bool = False

    def start(self, run: Run) -> Process:
        """Its process, started."""
        if self.name == "gate61":
            child = _gate61(self, run)
        else:
            given = {
                "BENCH_KAFKA": run.kafka,
                "BENCH_INPUT": run.input,
                "BENCH_OUTPUT": run.output,
                "BENCH_GROUP": run.group,
                "BENCH_PARTITIONS": str(run.partitions),
                "BENCH_FOLDER": str(run.folder / "state"),
                "BENCH_COMMIT": str(run.commit_seconds),
            }
            paths = {"PATH": os.environ["PATH"], "HOME": str(run.folder)}
            child = Process(self.command, run.folder, self.name, {**paths, **given, **self.environment})
        child.start()
        return child


def _gate61(rival: Rival, run: Run) -> Process:
    environment = {
        "PATH": os.environ["PATH"],
        "GATE61_KAFKA": run.kafka,
        "GATE61_REDIS": run.redis,
        "GATE61_PREFIX": run.prefix,
        "GATE61_PARTITIONS": str(run.partitions),
        "GATE61_GROUP": run.group.removeprefix(run.prefix),
        "GATE61_INSTANCE": "bench",
        "GATE61_HEALTH": f"127.0.0.1:{free_port()}",
    }
    return Process(rival.command, run.folder, rival.name, {**environment, **rival.environment})


class _Event(msgspec.Struct):
    id: str


class _Decided(msgspec.Struct):
    event: _Event


class _Ours(msgspec.Struct):
    data: _Decided


class _Theirs(msgspec.Struct):
    event: str


_ours, _theirs = msgspec.json.Decoder(_Ours), msgspec.json.Decoder(_Theirs)
_copied = msgspec.json.Decoder(_Event)


def answered(rival: Rival, value: bytes) -> str:
    """The id of the event that a record of output answers."""
    if rival.name == "gate61":
        return _ours.decode(value).data.event.id
    if rival.name == "copy":
        return _copied.decode(value).id
    return _theirs.decode(value).event


_JAVA = (
    "java",
    "-Xmx1g",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    f"{PARTS}/kafka-streams/*",
    "bench.Window",
)
_ONE_THREAD = "one thread, commit each 100 ms (its default), "


def _streams(
    name: str,
    title: str,
    settings: str,
    rule: str = "",
    law: str = "trivial rule",
    *,
    guarantee: str = "exactly_once_v2",
    threads: int = 1,
    answers: str = "offers",
    store: str = "with cache and changelog",
) -> Rival:
    """Kafka Streams; `rule` is one that the program knows beside the trivial one."""
    settings += f"RocksDB store {store}, heap 1 GB, linger 5 ms, batch 128 KB, max.poll.records 2000, else defaults"
    promise = "exactly once (v2)" if guarantee == "exactly_once_v2" else "at least once"
    environment = {"BENCH_GUARANTEE": guarantee, "BENCH_THREADS": str(threads), "BENCH_RULE": rule}
    return Rival(name, title, promise, settings, _JAVA, environment, answers, law)


_STORE = "a table in memory with a changelog"

RIVALS = (
    Rival(
        "gate61",
        "gate61 worker",
        "each input decided once, copies identical",
        "one process, compiled (`make native`); Redis with append-only file, fsync each second, rewritten from 1 GB on; "
        "policy and settings as shipped",
        (str(Path(sys.executable).with_name("gate61")), "worker"),
        law="the whole law",
        redis=True,
    ),
    _streams("streams-eos", "Kafka Streams, exactly once", _ONE_THREAD),
    _streams(
        "streams-eos-keeps",
        "Kafka Streams, exactly once, keeping",
        "as before, and keeps each client's events of 24 hours in a second store, so that none counts twice; ",
        "keeps",
        "trivial rule, each event kept",
    ),
    _streams(
        "streams-eos-each",
        "Kafka Streams, exactly once, each event answered",
        f"{_ONE_THREAD}each event is kept, counted and answered: a client may have 20 within 24 hours; ",
        "each",
        "trivial rule of all events",
        answers="all",
    ),
    _streams(
        "streams-eos-windowed",
        "Kafka Streams, exactly once, its own windows",
        f"{_ONE_THREAD}`groupByKey().windowedBy(24 h).aggregate(…)`: each event is counted and answered; ",
        "windowed",
        "trivial rule of all events",
        answers="all",
        store="without cache, which would leave answers out, with changelog",
    ),
    _streams(
        "streams-eos-2",
        "Kafka Streams, exactly once, 2 threads",
        "two threads, commit each 100 ms (its default), ",
        threads=2,
    ),
    _streams(
        "streams-alos",
        "Kafka Streams, at least once",
        "one thread, commit each 30 s (its default), ",
        guarantee="at_least_once",
    ),
    Rival(
        "quix",
        "Quix Streams, exactly once",
        "exactly once",
        "RocksDB state with changelog, linger 5 ms, batch 128 KB, fetch wait 10 ms; commits each second when draining, "
        "each 100 ms when latency is measured",
        (str(PARTS / "quix" / "bin" / "python"), str(PROGRAMS / "quix_app.py")),
    ),
    Rival(
        "faust",
        "Faust agent doing nothing",
        "at least once",
        "0.15.3, raw bytes, commits each 0.5 s",
        (sys.executable, str(PROGRAMS / "faust_agent.py"), "worker", "-l", "warn"),
        answers="none",
        law="none",
    ),
    Rival(
        "faust-rule",
        "Faust agent, trivial rule",
        "at least once",
        f"0.15.3, {_STORE}, raw bytes, batch 128 KB, commits each 0.5 s",
        (sys.executable, str(PROGRAMS / "faust_agent.py"), "worker", "-l", "warn"),
        {"BENCH_RULE": "yes"},
    ),
    Rival(
        "copy",
        "raw copy loop",
        "at least once",
        "aiokafka getmany to idempotent producer, batches of 512 KB, commits each second",
        (sys.executable, str(PROGRAMS / "copy_loop.py")),
        answers="all",
        law="none",
    ),
)
