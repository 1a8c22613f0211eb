"""`gate61 doctor`: what is wrong is named with what to do about it, and what is right is not."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from redis import Redis as Client

from gate.policy import DAY
from state.finding import Finding, Level
from state.redis import health as redis_health
from state.redis.store import RedisStore
from streams.doctor import clocks, examination, partitions, policies
from streams.kafka.administration import Found, Planned, administrator, apply, found_topics, plan
from streams.kafka.reading import NotRead
from streams.policy_file import DEFAULT, load
from streams.settings import Settings, settings
from tests.commands.program import case, on_terminal, run
from tests.runtime.gate import Setting
from tests.runtime.kafka import Kafka
from tests.runtime.redis import Redis

Environment = dict[str, str]


@pytest.fixture
def environment(kafka: Kafka, redis: Redis, prefix: str) -> Environment:
    """Of a gate whose topics are as they must be."""
    found = {"GATE61_KAFKA": kafka.servers, "GATE61_REDIS": redis.url, "GATE61_PREFIX": prefix}
    found["GATE61_PARTITIONS"] = "3"
    with administrator(settings(found).kafka) as admin:
        apply(admin, plan(admin, settings(found)))
    return found


def _doctor(environment: Environment) -> tuple[int, list[Finding]]:
    """The exit code, and what was found that is not in order."""
    done = run("doctor", "--json", settings=environment)
    assert not done.stderr, done.stderr
    found = [Finding(**{**row, "level": Level(row["level"])}) for row in map(json.loads, done.stdout.splitlines())]
    return done.returncode, [f for f in found if f.level is not Level.OK and "one broker" not in f.what]


def _only(environment: Environment, about: str) -> Finding:
    """The one thing that is wrong."""
    code, found = _doctor(environment)
    assert code == 1
    (finding,) = found
    assert (finding.about, finding.wrong) == (about, True) and finding.do
    return finding


def _put(environment: Environment, topic: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=environment["GATE61_KAFKA"])
    for value in values:
        producer.send(f"{environment['GATE61_PREFIX']}gate61.{topic}", value, partition=0).get(20)
    producer.close()


def _planned(environment: Environment) -> list[Planned]:
    with administrator(settings(environment).kafka) as admin:
        return plan(admin, settings(environment))


@contextmanager
def _transactions(environment: Environment) -> Iterator[KafkaProducer]:
    """Somebody who publishes in transactions."""
    id = f"{environment['GATE61_PREFIX']}t"
    producer = KafkaProducer(bootstrap_servers=environment["GATE61_KAFKA"], transactional_id=id, acks="all")
    producer.init_transactions()
    try:
        yield producer
    finally:
        producer.close()


# What is right


def test_a_gate_in_order_is_said_to_be(environment: Environment) -> None:
    """Exit 0, also with the warning that one broker is few; colours only where they are wanted."""
    assert _doctor(environment) == (0, [])
    shown = on_terminal("doctor", settings=environment)
    assert b"\x1b[32mok" in shown and b"0 wrong" in shown
    assert b"\x1b[32m" not in on_terminal("doctor", NO_COLOR="1", settings=environment)


def test_a_gate_at_work_is_in_order(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> None:
    """A worker has put its policy in force and kept state; topics that others made are mended without losing it."""
    setting = Setting(kafka, redis, prefix, tmp_path)
    worker = setting.worker()
    environment = {k: v for k, v in (worker.environment or {}).items() if k.startswith("GATE61_")}
    assert run("topics", "apply", settings=environment).returncode == 0
    worker.start()
    try:
        setting.publish(json.loads(line) for line in case("03").splitlines())
        setting.caught_up()
        done = run("doctor", settings=environment)
    finally:
        worker.stop()
    assert done.returncode == 0, done.stdout.decode()
    assert f"in force is version {load().version}".encode() in done.stdout
    assert b"4 of 4 partitions have state; 0 records are to be read" in done.stdout


# Settings


def test_all_that_is_wrong_with_settings_is_told_at_once() -> None:
    """Nothing else can be looked at."""
    code, found = _doctor({"GATE61_PARTITIONS": "0", "GATE61_REDIS": "localhost"})
    assert code == 1
    assert {f.what.split()[0] for f in found} == {"GATE61_KAFKA", "GATE61_REDIS", "GATE61_PARTITIONS"}
    assert all(f.wrong and f.do for f in found)


def test_what_cannot_be_reached_is_told_for_both_and_no_password_is_shown() -> None:
    """Kafka away does not keep Redis from being looked at."""
    where = {"GATE61_KAFKA": "127.0.0.1:1", "GATE61_REDIS": "redis://:tellnobody@127.0.0.1:1/0"}
    code, found = _doctor(where)
    assert code == 1
    assert [f.about for f in found] == ["Kafka", "Redis"]
    assert "tellnobody" not in str(found)


# Topics


def test_topics_that_are_missing_or_not_as_they_must_be_are_named(kafka: Kafka, redis: Redis, prefix: str) -> None:
    """Each with its command, or with what to do where no command may help."""
    kafka.create({f"{prefix}gate61.decisions.v1": 3}, {"retention.ms": "1000"})
    kafka.create({f"{prefix}gate61.notices.v1": 4})
    kafka.create({f"{prefix}gate61.client-actions.v1": 3}, {"message.timestamp.type": "CreateTime"})
    environment = {"GATE61_KAFKA": kafka.servers, "GATE61_REDIS": redis.url, "GATE61_PREFIX": prefix}
    environment["GATE61_PARTITIONS"] = "3"
    _put(environment, "client-actions.v1", b"{}")
    code, found = _doctor(environment)
    assert code == 1
    assert {f.about for f in found} == {"topics"}
    said = {f.what.split("`")[1].removeprefix(f"{prefix}gate61."): f for f in found if "missing" not in f.what}
    assert "retention.ms 1000 -> -1" in said["decisions.v1"].what and "topics apply" in said["decisions.v1"].do
    assert "4 partitions, not 3" in said["notices.v1"].what
    times = [f for f in found if "client-actions" in f.what and "times that their senders chose" in f.what]
    assert len(times) == 1 and times[0].do
    (missing,) = [f for f in found if "missing" in f.what]
    assert "gate61.register.v1`" in missing.what and "topics apply" in missing.do


# Policy


def test_a_policy_that_is_refused_is_told_with_each_complaint(environment: Environment, tmp_path: Path) -> None:
    """As `gate61 policy check` would."""
    mine = tmp_path / "mine.toml"
    mine.write_text(DEFAULT.read_text().replace("hard_days = 10", "hard_days = 0").replace('version = "', 'other = "'))
    code, found = _doctor(environment | {"GATE61_POLICY": str(mine)})
    assert code == 1
    assert len(found) >= 2 and {f.about for f in found} == {"policy"}


def test_the_policy_that_was_published_last_must_be_usable(environment: Environment) -> None:
    """Whoever published it believes it in force."""
    _put(environment, "policy.v1", DEFAULT.read_bytes(), b"version = 3")
    assert "offset 1" in _only(environment, "policy").what


def test_the_policy_in_force_is_the_last_usable_one_of_the_whole_topic(environment: Environment) -> None:
    """However many were published after it that may not be used; a policy that was taken back was never published."""
    mine = DEFAULT.read_text().replace("hard_days = 10", "hard_days = 9").encode()
    _put(environment, "policy.v1", mine, *[b"version = 3"] * 25)
    found = [*policies.in_force(settings(environment), _planned(environment), None)]
    assert [f.level for f in found] == [Level.WRONG, Level.OK]
    assert "(offset 25) is refused, and the one before it is still in force" in found[0].what
    with _transactions(environment) as producer:
        producer.begin_transaction()
        producer.send(f"{environment['GATE61_PREFIX']}gate61.policy.v1", mine, partition=0)
        producer.commit_transaction()
        for _ in range(25):
            producer.begin_transaction()
            producer.send(f"{environment['GATE61_PREFIX']}gate61.policy.v1", b"version = 4", partition=0).get(20)
            producer.abort_transaction()
        (only,) = policies.in_force(settings(environment), _planned(environment), load())
        assert only.level is Level.OK and "in force is" in only.what
        producer.begin_transaction()
        producer.send(f"{environment['GATE61_PREFIX']}gate61.policy.v1", DEFAULT.read_bytes(), partition=0).get(20)
        held, _ = policies.in_force(settings(environment), _planned(environment), None)
        assert held.level is Level.WARN and "somebody's transaction is open" in held.what
        producer.abort_transaction()


def test_a_topic_of_policies_that_cannot_be_read_is_not_taken_for_an_empty_one(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows then which one is in force."""

    def nothing_comes(*_: Any) -> Iterator[Any]:
        raise NotRead("`it` cannot be read to its end")
        yield

    _put(environment, "policy.v1", DEFAULT.read_bytes())
    monkeypatch.setattr(policies, "records", nothing_comes)
    (only,) = policies.in_force(settings(environment), _planned(environment), None)
    assert only.wrong and "not known: `it` cannot be read to its end" in only.what and only.do


def test_the_policy_of_this_machine_must_be_the_one_in_force(environment: Environment, tmp_path: Path) -> None:
    """A worker with another one refuses to start; without GATE61_POLICY it takes what is in force."""
    mine = tmp_path / "mine.toml"
    mine.write_text(DEFAULT.read_text().replace("hard_days = 10", "hard_days = 9"))
    _put(environment, "policy.v1", mine.read_bytes())
    assert _doctor(environment) == (0, [])
    assert _doctor(environment | {"GATE61_POLICY": str(mine)}) == (0, [])
    assert "refuses to start" in _only(environment | {"GATE61_POLICY": str(DEFAULT)}, "policy").what


# Redis


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Starts Redis servers with these options; gives a client of each."""
    servers: list[Redis] = []

    def start(**options: str) -> Client:
        server = Redis(tmp_path / f"redis{len(servers)}", **options)
        servers.append(server)
        server.start()
        return server.client()

    yield start
    for server in servers:
        server.stop()


@pytest.mark.parametrize(
    ("options", "level", "what", "do"),
    [
        ({"appendonly": "no"}, Level.WRONG, "no append-only file", "appendonly yes"),
        ({"maxmemory_policy": "allkeys-lru"}, Level.WRONG, "drops state", "noeviction"),
        ({"maxmemory_policy": "volatile-ttl"}, Level.WRONG, "drops state", "noeviction"),
        ({"replicaof": "127.0.0.1 1"}, Level.WRONG, "is a replica", "primary"),
        ({"appendfsync": "no"}, Level.WARN, "half a minute", "everysec"),
        ({"auto_aof_rewrite_min_size": "64mb"}, Level.WARN, "from 64 MiB on", "1gb"),
        ({"rename_command": "CONFIG forbidden"}, Level.WARN, "does not let its settings be asked", "`appendonly`"),
        ({"rename_command": "INFO forbidden"}, Level.WRONG, "does not let its state be asked", "INFO"),
    ],
)
def test_a_redis_that_could_lose_state_is_named(
    started: Callable[..., Client], options: dict[str, str], level: Level, what: str, do: str
) -> None:
    """What is wrong keeps a worker from starting; what is only to be looked at does not."""
    with started(**options) as client:
        (found,) = [f for f in redis_health.findings(client) if f.level is not Level.OK]
        assert found.level is level and what in found.what and do in found.do
        assert redis_health.complaints(client) == ([f"{found.what}; {found.do}"] if found.wrong else [])


def test_eviction_is_seen_also_where_settings_may_not_be_asked(started: Callable[..., Client]) -> None:
    """A hosted Redis forbids CONFIG and tells of it in INFO."""
    with started(rename_command="CONFIG forbidden", maxmemory_policy="allkeys-lfu") as client:
        assert any("allkeys-lfu" in f.what for f in redis_health.findings(client) if f.wrong)


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"aof_last_write_status": "err"}, "could not write"),
        ({"redis_version": "6.2.14"}, "version 6.2.14"),
    ],
)
def test_a_redis_that_fails_or_is_old_is_named(redis: Redis, told: dict[str, Any], what: str) -> None:
    """As a server tells it whose disk is full, or that is older than what the tests have."""
    with _Telling(redis, told, {}) as client:
        (found,) = [f for f in redis_health.findings(client) if f.wrong]
        assert what in found.what and found.do


def test_a_redis_that_contradicts_itself_is_not_believed(redis: Redis) -> None:
    """Its state says that there is an append-only file, its settings that there is none."""
    with _Telling(redis, {}, {"appendonly": "no"}) as client:
        assert [f.wrong for f in redis_health.findings(client) if "`appendonly` is `no`" in f.what] == [True]


class _Telling(Client):
    """A client of a real Redis, some of whose answers are others."""

    def __init__(self, redis: Redis, info: dict[str, Any], config: dict[str, str]) -> None:
        super().__init__(port=redis.port)
        self._told, self._config = info, config

    def info(self, section: str | None = None, *args: Any, **kwargs: Any) -> Any:
        return super().info(*([section] if section else []), *args, **kwargs) | self._told

    def config_get(self, pattern: Any = "*", *args: Any, **kwargs: Any) -> Any:
        return super().config_get(pattern, *args, **kwargs) | self._config


def test_memory_that_runs_out_is_told_before_and_when_it_has(started: Callable[..., Client]) -> None:
    """Without eviction a full Redis takes no writes, and the gate waits."""
    with started(maxmemory="40mb") as client:
        assert redis_health.memory(client).level is Level.OK
        for number in range(33):
            client.set(f"filler{number}", b"x" * 1_000_000)
        assert redis_health.memory(client).level is Level.WARN
        client.config_set("maxmemory", "20mb")
        assert redis_health.memory(client).wrong


def test_a_redis_that_could_lose_state_fails_the_whole_examination(
    environment: Environment, started: Callable[..., Client]
) -> None:
    """Exit 1."""
    with started(appendonly="no") as client:
        port = client.connection_pool.connection_kwargs["port"]
        assert "append-only" in _only(environment | {"GATE61_REDIS": f"redis://127.0.0.1:{port}/0"}, "Redis").what


@pytest.mark.parametrize(
    ("address", "do"),
    [
        ("redis://127.0.0.1:{port}/0", "name its user and password"),
        ("redis://:wrong@127.0.0.1:{port}/0", "name its user and password"),
        ("redis://:quiet@127.0.0.1:{port}/99", "with a database that Redis has"),
        ("redis://:quiet@127.0.0.1:1/0", "see that it runs"),
    ],
)
def test_a_redis_that_lets_nobody_in_is_named_with_what_fits(
    started: Callable[..., Client], address: str, do: str
) -> None:
    """Without its password."""
    with started() as client:
        client.config_set("requirepass", "quiet")
        url = address.format(port=client.connection_pool.connection_kwargs["port"])
        (found,) = examination._redis(settings({"GATE61_KAFKA": "h:1", "GATE61_REDIS": url}), None, [])
    assert found.wrong and do in found.do, found
    where = url.replace(":quiet@", "").replace(":wrong@", "")
    assert (
        found.what.startswith((f"Redis at {where} refuses: ", f"Redis at {where} does not answer: "))
        and "quiet" not in found.what
    )


# Clocks


@pytest.mark.parametrize(
    ("seconds", "level"), [(0.0, Level.OK), (5.0, Level.WARN), (-5.0, Level.WARN), (61.0, Level.WRONG)]
)
def test_clocks_that_differ_are_told(environment: Environment, redis: Redis, seconds: float, level: Level) -> None:
    """From a second on it is told, from the policy's tolerance on it is wrong; for Redis and for the broker alike."""
    found = settings(environment)
    with redis.client() as client:
        of_redis = clocks.of_redis(client, load(), lambda: time.time() + seconds)
    (of_broker,) = clocks.of_broker(found, _plan(found), load(), lambda: time.time() + seconds)
    for finding in (of_redis, of_broker):
        assert (finding.about, finding.level) == ("clock", level)
        assert level is Level.OK or (f"{abs(seconds):.1f} s" in finding.what and finding.do)
        assert level is Level.OK or ("behind" in finding.what) == (seconds > 0)


def _plan(found: Settings) -> list[Any]:
    with administrator(found.kafka) as admin:
        return plan(admin, found)


# State


def _stored(
    environment: Environment,
    redis: Redis,
    partition: int,
    next_: int,
    between: int = 0,
    notes: Mapping[str, bytes] = {},
) -> None:
    store = RedisStore(redis.client(), f"{environment['GATE61_PREFIX']}gate61.client-actions.v1:{partition}")
    store.assign()
    store.note("between", b"%d" % between)
    for name, value in notes.items():
        store.note(name, value)
    store.commit(next_)
    store.close()


def test_state_that_belongs_to_its_topics_is_in_order(environment: Environment, redis: Redis) -> None:
    """Behind is where a worker may be."""
    _put(environment, "client-actions.v1", b"1", b"2")
    _stored(environment, redis, 0, 1)
    done = run("doctor", settings=environment)
    assert done.returncode == 0
    assert b"1 of 3 partitions have state; 1 records are to be read" in done.stdout


def test_a_worker_that_reads_on_while_it_is_examined_is_in_order(environment: Environment, redis: Redis) -> None:
    """Where logs end was asked before its state, which is further now; what is to be read is counted to where they end."""
    found, planned = settings(environment), _planned(environment)
    _put(environment, "client-actions.v1", b"1", b"2")
    _stored(environment, redis, 0, 1)

    def ask(names: list[str]) -> Mapping[str, Found]:
        with administrator(found.kafka) as admin:
            return found_topics(admin, names)

    with redis.client() as client:
        (wrong,) = partitions.state(client, found, planned)
        assert "state has read further than" in wrong.what
        (right,) = partitions.state(client, found, planned, ask=ask)
        assert right.level is Level.OK and "1 records are to be read" in right.what


@pytest.mark.parametrize(
    ("partition", "next_", "between", "said"),
    [
        (0, 3, 0, "state has read further than"),
        (0, 0, 1, "state has read further than"),
        (7, 0, 0, "state of partition 7"),
    ],
)
def test_state_of_other_topics_is_wrong(
    environment: Environment, redis: Redis, partition: int, next_: int, between: int, said: str
) -> None:
    """The topic was made anew, or had more partitions when its state was made."""
    _put(environment, "client-actions.v1", b"1", b"2")
    _stored(environment, redis, partition, next_, between)
    assert said in _only(environment, "state").what


@pytest.mark.parametrize(
    ("topic", "next_note", "time", "epoch"),
    [("register.v1", "register", "told", "told-in"), ("policy.v1", "policy", "governed", "governed-in")],
)
def test_state_that_was_made_by_another_register_or_other_policies_is_wrong(
    environment: Environment, redis: Redis, topic: str, next_note: str, time: str, epoch: str
) -> None:
    """Offers would be judged by what is left of them, or by what came in their place."""
    held = DEFAULT.read_bytes()
    _put(environment, topic, held, held)
    later = b"%d" % (4_000_000_000 * 1_000_000)

    def finding(applied: int, of: bytes, in_epoch: int) -> list[Finding]:
        noted = {next_note: b"%d" % applied, time: of, epoch: b"%d.%d" % (applied, in_epoch)}
        _stored(environment, redis, 0, 0, notes=noted)
        with redis.client() as client:
            found = settings(environment)
            return [f for f in partitions.state(client, found, _plan(found)) if f.wrong]

    assert finding(2, later, 0) == []
    (beyond,) = finding(3, later, 0)
    assert "0 (applied to 3, ends at 2)" in beyond.what and "would allow what the rest forbade" in beyond.do
    for of, in_epoch in ((later, 1), (b"1", 0)):
        (another,) = finding(2, of, in_epoch)
        assert "holds another record" in another.what and "0 (at offset 1)" in another.what and another.do


def test_state_that_lost_a_client_is_wrong(environment: Environment, redis: Redis) -> None:
    """Whoever deleted it: an offer of that client would be judged on nothing."""
    _put(environment, "client-actions.v1", b"1")
    _stored(environment, redis, 0, 1)
    with redis.client() as client:
        client.hset(f"{{{environment['GATE61_PREFIX']}gate61.client-actions.v1:0}}:meta", "clients", 1)
    assert "0 of 1 clients" in _only(environment, "state").what


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("outbox", "has no outbox"),
        ("notes", "holds 0 of 0 clients, 0 of 3 notes"),
        ("seen:2857", "holds 0 of 0 clients, 3 of 3 notes, 0 of 1 ids"),
        ("meta", "holds 0 of 0 clients, 3 of 0 notes"),
        ("between", "holds `ten` as `between`, which is no number"),
        ("register", "holds `ten` as `register`, which is no number"),
    ],
)
def test_state_with_which_a_worker_would_not_go_on_is_wrong(
    environment: Environment, redis: Redis, key: str, said: str
) -> None:
    """By what the worker itself asks, though the partition stays whose it was."""
    found, topic = settings(environment), f"{environment['GATE61_PREFIX']}gate61.client-actions.v1"
    with redis.client() as client:
        store = RedisStore(client, f"{topic}:0")
        store.assign()
        store.recorded(2857 * 7 * DAY)
        store.seen(bytes(8), bytes(8))
        store.note("between", b"0")
        store.note("register", b"0")
        store.commit(0)
        assert [f.level for f in partitions.state(client, found, _plan(found))] == [Level.OK]
        if key in ("between", "register"):
            client.hset(f"{{{topic}:0}}:notes", key, "ten")
        else:
            client.delete(f"{{{topic}:0}}:{key}")
        (wrong,) = [f for f in partitions.state(client, found, _plan(found)) if f.wrong]
        assert f"in partition 0 ({said}" in wrong.what and "gate61 rebuild" in wrong.do


@pytest.mark.parametrize(("next_", "said"), [(1, "deleted before they were read"), (None, "lost its first records")])
def test_records_that_were_deleted_unread_are_wrong(
    environment: Environment, kafka: Kafka, redis: Redis, next_: int | None, said: str
) -> None:
    """Nothing is skipped: somebody must bring them back. Deleted after they were read, they can never be read again."""
    _put(environment, "client-actions.v1", b"1", b"2", b"3")
    with kafka.admin() as admin:
        admin.delete_records({TopicPartition(f"{environment['GATE61_PREFIX']}gate61.client-actions.v1", 0): 2})
    if next_ is not None:
        _stored(environment, redis, 0, next_)
    assert said in _only(environment, "state").what
    _stored(environment, redis, 0, 2)
    code, (found,) = _doctor(environment)
    assert (
        code == 0 and found.level is Level.WARN and "0 (begins at 2): that state can never be made anew" in found.what
    )
