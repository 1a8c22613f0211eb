"""What Kafka and its client do to a worker: it says so, goes on by itself or ends, and allows nothing meanwhile."""

import asyncio
import gc
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from aiokafka import ConsumerRebalanceListener
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    TopicAuthorizationFailedError,
)
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource
from kafka.errors import KafkaError as OtherKafkaError
from msgspec import structs
from redis import Redis as Client

from gate.policy import SECOND
from streams import administration, connection
from streams.connection import let_go
from streams.logs.brokers import Looker, asker, follower, never_compacted, widths
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.publisher import Publisher
from streams.reading import reader
from streams.settings import Kafka as Servers
from streams.settings import Settings
from streams.topics import topics
from streams.worker.kafka import answers_anew, consumer, failed
from streams.worker.loop import PartitionLoop
from streams.worker.metrics import Metrics
from streams.worker.outputs import DECISIONS, NOTICES, Output
from streams.worker.publishing import KafkaPublisher, NotKept, Sender, producer
from streams.worker.service import CannotStart, Gatekeeper, harmless
from tests.bench.load import mixed, register
from tests.runtime.gate import CONTENT_TYPE, Setting, Worker
from tests.runtime.kafka import APPEND_TIME, Kafka
from tests.runtime.process import free_port, wait_until
from tests.runtime.redis import Redis
from tests.runtime.test_worker import page as page_of
from tests.runtime.test_worker import run
from tests.stories.telling import REGISTER, campaign, clean_client, offer


class Keeper(Gatekeeper):
    """A service that was not started."""

    settings = Settings(Servers(("127.0.0.1:1",)), "redis://127.0.0.1:1", None, "", 2, "gate61", "w1", ("127.0.0.1", 1))
    metrics = Metrics()


class Told(ConsumerRebalanceListener):  # type: ignore[misc]
    """How often partitions were given and taken."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.taken = 0

    async def on_partitions_assigned(self, assigned: object) -> None:
        self.given.set()

    async def on_partitions_revoked(self, revoked: object) -> None:
        self.taken += 1


async def test_who_polls_nothing_for_a_day_keeps_its_partitions(kafka: Kafka, prefix: str) -> None:
    """Redis is away for as long as it is: who left the group meanwhile would never come back by itself."""
    names = topics(prefix)
    kafka.create({names.actions.name: 2})
    member, told = consumer(Servers((kafka.servers,)), f"{prefix}group", "w1"), Told()
    await member.start()
    try:
        member.subscribe([names.actions.name], listener=told)
        await asyncio.wait_for(told.given.wait(), 20)
        taken = told.taken
        member._subscription._last_fetch_ended -= 86_400
        await asyncio.sleep(3)  # A heartbeat looks for it.
        assert told.taken == taken and len(member.assignment()) == 2
    finally:
        await member.stop()


async def test_a_worker_between_partitions_is_not_ready() -> None:
    """It has nothing to be in trouble with, and decides nothing; one that was given none stands by."""
    keeper = Keeper()
    await keeper.on_partitions_assigned([])
    assert keeper.trouble() == []
    await keeper.on_partitions_revoked([])
    assert "waiting for the group" in keeper.trouble()[0]


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path, partitions=1)


def page(worker: Worker) -> str:
    """What `/readyz` says."""
    return page_of(worker, "readyz")[1]


def _topics(setting: Setting) -> list[str]:
    with setting.kafka.admin() as admin:
        return list(admin.list_topics())


def _verdicts(setting: Setting) -> dict[str, str]:
    """By client; each asked once."""
    return {answer["client"]: answer["verdict"] for answer in setting.decisions().values()}


def test_without_the_registers_beginning_no_worker_starts_and_no_state_is_made(setting: Setting) -> None:
    """Retention took a campaign: the rest of the register would allow what it forbade."""
    setting.publish([campaign(), *REGISTER])
    with setting.kafka.admin() as admin:
        admin.delete_records({TopicPartition(setting.names.register.name, 0): 1})
    worker = setting.worker()
    worker.start()
    wait_until(lambda: not worker.alive, 30)
    assert "register.v1` begins at offset 1" in worker.said() and "GATE61_PREFIX" in worker.said()
    made = run(worker, "rebuild", "--yes")
    assert made.returncode == 1 and "begins at offset 1" in made.stderr, made


def test_a_register_made_anew_is_not_taken_for_the_one_that_was_read(setting: Setting) -> None:
    """Its records stand before the offset that was read: they would count as applied. The worker ends, and stays stopped."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna"), offer(who="anna")])
    setting.caught_up()
    assert _verdicts(setting) == {"anna": "allow"}
    register = setting.names.register.name
    with setting.kafka.admin() as admin:
        admin.delete_topics([register])
    wait_until(lambda: register not in _topics(setting), 20)
    setting.kafka.create({register: 1}, APPEND_TIME)
    producer = KafkaProducer(bootstrap_servers=setting.kafka.servers, acks="all")
    producer.send(register, json.dumps(campaign()).encode(), headers=[CONTENT_TYPE], partition=0).get(20)
    producer.close()
    setting.publish([*clean_client("ben"), offer(who="ben")])
    wait_until(lambda: not worker.alive, 30)
    assert "register.v1` was read as far as" in worker.said()
    worker.start()
    wait_until(lambda: "partition 0 is stopped: LogLost: the log of the register ends at offset" in page(worker), 30)
    assert _verdicts(setting) == {"anna": "allow"}
    worker.stop()


def test_a_partition_whose_state_is_lost_stops_nobody_else(
    kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path
) -> None:
    """From the start on, so that it never had a place: its neighbours go on, and so do the gauges."""
    setting = Setting(kafka, redis, prefix, tmp_path, partitions=2)
    worker = setting.worker()
    worker.start()
    lines = [line.encode() for line in (*register(), *mixed(40))]
    setting.publish(lines[:200])
    setting.caught_up()
    assert worker.stop() == 0
    key = f"{{{setting.names.actions.name}:1}}:dossiers"
    with redis.client() as client:
        client.hdel(key, client.hkeys(key)[0])
    worker.start()
    setting.publish(lines[200:])
    wait_until(lambda: setting.stored()[0] == setting.ends()[0], 30)
    wait_until(lambda: 'gate61_partitions{state="waiting"} 1.0' in page_of(worker, "metrics")[1], 15)
    assert "partition 1 is waiting: StateLost" in page(worker) and "timer failed" not in worker.said()
    assert worker.stop() == 0


class Silent:
    """Brokers that answer nobody, until they do; `lacking` are topics that they do not have."""

    def __init__(self) -> None:
        self.there = False
        self.lacking: list[str] = []

    async def widths(self, client: object, topics: list[str]) -> dict[str, int]:
        if not self.there:
            raise KafkaConnectionError("no broker")
        return {topic: int(topic not in self.lacking) for topic in topics}


async def test_kafka_that_is_away_is_said_once_and_makes_the_worker_unready(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clients wait without an error; a platform would wait for answers of a worker that says it is well."""
    keeper, silent = Keeper(), Silent()
    keeper.ready = ""
    _with_clients(keeper)
    monkeypatch.setattr("streams.logs.brokers.widths", silent.widths)
    for _ in range(3):
        await keeper.reach()
    assert "Kafka at 127.0.0.1:1 has not answered for 0 s (KafkaConnectionError: no broker);" in keeper.trouble()[0]
    silent.there = True
    await keeper.reach()
    await keeper.reach()
    said = capsys.readouterr().out
    assert keeper.trouble() == [] and said.count("does not answer") == said.count("answers again") == 1
    silent.lacking = [keeper._names.policy.name, keeper._names.notices.name]
    await keeper.reach()
    await keeper.reach()
    what = (
        "topics are missing: gate61.policy.v1, gate61.notices.v1; make them with `gate61 topics apply`, or give the user of "
        "GATE61_KAFKA the right to see them (DESCRIBE)"
    )
    assert keeper.trouble() == [what] and capsys.readouterr().out.count(what) == 1
    silent.lacking = [keeper._names.clock.name]  # Nothing but `gate61 doctor` needs it.
    await keeper.reach()
    assert keeper.trouble() == [] and "no topics are missing any more" in capsys.readouterr().out


class Ending:
    """One of Kafka's clients, that ends at once."""

    async def stop(self) -> None:
        pass


def _with_clients(keeper: Keeper) -> list[Ending]:
    """The four that are asked whether they hear Kafka."""
    clients = [Ending() for _ in range(4)]
    keeper._consumer, keeper._follower, keeper._asker, looking = clients
    keeper._looker = Looker(looking)
    return clients


@pytest.mark.parametrize("which", range(4))
async def test_who_knows_only_brokers_that_are_gone_ends_when_kafka_answers_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], which: int
) -> None:
    """Kafka's clients never come back to the addresses that they were given; whoever starts it again lets them."""
    keeper, clock, answers, asked = Keeper(), [0], [False], 0
    ended = list[int]()
    monkeypatch.setattr(keeper._world, "steady", lambda: clock[0] * SECOND)
    monkeypatch.setattr("signal.raise_signal", ended.append)
    monkeypatch.setattr(Gatekeeper, "refused", False)
    deaf = _with_clients(keeper)[which]

    async def widths(client: object, topics: list[str]) -> dict[str, int]:
        if client is deaf:
            raise KafkaConnectionError("no broker")
        return dict.fromkeys(topics, 1)

    async def answers_anew(*_: object) -> bool:
        nonlocal asked
        asked += 1
        return answers[0]

    monkeypatch.setattr("streams.logs.brokers.widths", widths)
    monkeypatch.setattr("streams.worker.kafka.answers_anew", answers_anew)
    for clock[0] in (0, 30, 59):
        await keeper.reach()
    assert asked == 0 and keeper._kafka_watch.away
    for clock[0] in (61, 3600):  # Nobody hears Kafka: another process would not either.
        await keeper.reach()
    assert asked == 2 and not ended
    answers[0] = True
    await keeper.reach()
    assert len(ended) == 1 and keeper.refused
    assert capsys.readouterr().out.count("Kafka answers new connections but not this worker") == 1


async def test_kafka_is_known_to_answer_others_by_coming_to_it_anew(kafka: Kafka) -> None:
    servers = Servers((kafka.servers,))
    client = follower(servers, "w1")
    await client.start()
    try:
        known = client._client.cluster._brokers
        for id, broker in known.items():
            known[id] = broker._replace(port=1)
        for connected in client._client._conns.values():
            connected.close()
        with pytest.raises(KafkaConnectionError):
            await widths(client, ["t"])
        assert await answers_anew(servers, ["t"], 10)
        assert not await answers_anew(Servers(("127.0.0.1:1",)), ["t"], 10)
    finally:
        await let_go(client)


def _left() -> tuple[int, int]:
    """Threads of Kafka's clients, and open files that nothing lets go of by itself."""
    gc.collect()
    return sum(t.name.startswith("kafka") for t in threading.enumerate()), len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    "meet",
    [
        lambda servers: asyncio.run(never_compacted(servers, topics(""))),
        lambda servers: reader(servers, 0.2),
        lambda servers: Publisher([*servers.servers], "//x", bootstrap_timeout_ms=200),
    ],
    ids=["who asks", "who reads", "who publishes"],
)
def test_a_client_that_meets_no_broker_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, meet: Callable[[Servers], object]
) -> None:
    """No thread, no open file: a worker asks every minute, and Kafka may be away for days."""
    monkeypatch.setattr(administration, "SECONDS", 0.2)
    servers, before = Servers((f"127.0.0.1:{free_port()}",)), _left()
    logging.disable()  # What is caught of it holds the sockets that it tells of.
    try:
        for _ in range(3):
            with pytest.raises((KafkaError, OtherKafkaError, ConnectionError)):
                meet(servers)
        assert _left() == before
    finally:
        logging.disable(logging.NOTSET)


async def test_inputs_are_not_asked_for_while_kafka_is_known_to_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, silent, asked = Keeper(), Silent(), 0
    keeper._met = True
    _with_clients(keeper)

    async def meet_inputs() -> None:
        nonlocal asked
        asked += 1

    monkeypatch.setattr(keeper, "_meet_inputs", meet_inputs)
    monkeypatch.setattr("streams.logs.brokers.widths", silent.widths)
    for silent.there in (False, True):
        await keeper.reach()
        await keeper.look_after_inputs()
    assert asked == 1


async def test_every_client_of_kafkas_hears_of_new_brokers_within_seconds() -> None:
    """By itself it would within minutes, and know none of those that are left if others are gone by then."""
    servers = Servers(("127.0.0.1:1",))
    readers, writer = (
        (consumer(servers, "g", "w1"), follower(servers, "w1"), asker(servers, "w1")),
        producer(servers, "w1"),
    )
    ages = [client._metadata_max_age_ms for client in (*(reader._client for reader in readers), writer.client)]
    assert ages == [10_000] * 4
    for client in (*readers, writer):
        await let_go(client)


async def test_who_stops_in_order_says_so_and_complains_of_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends its clients, and looks whether they hear Kafka until it is over."""
    keeper = Keeper()
    _with_clients(keeper)
    keeper._sender, keeper._redis = Ending(), Client()  # type: ignore[assignment]
    monkeypatch.setattr("streams.logs.brokers.widths", Silent().widths)
    keeper._stopped.set()
    await keeper.on_stop()
    await keeper.reach()
    assert capsys.readouterr().out.strip().endswith("stopped") and not keeper._kafka_watch.away


def test_a_topic_that_is_deleted_is_named_by_the_worker(setting: Setting) -> None:
    """And not as if Kafka did not answer, nor as somebody's transaction."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna"), offer(who="anna")])
    setting.caught_up()
    answers, policies = setting.names.decisions.name, setting.names.policy.name
    with setting.kafka.admin() as admin:
        admin.delete_topics([answers])
        wait_until(lambda: f"topics are missing: {answers};" in page(worker), 20)
        setting.publish([*clean_client("ben"), offer(who="ben")])
        wait_until(lambda: "for Kafka to keep what it publishes" in page(worker), 20)
        assert "transaction" not in page(worker)
        setting.kafka.create({answers: 1})
        wait_until(lambda: page_of(worker, "readyz")[0] == 200, 60)
        assert list(_verdicts(setting)) == ["ben"]
        admin.delete_topics([policies])
        wait_until(lambda: f"topics are missing: {policies};" in page(worker), 20)
        time.sleep(6)
        assert "has not answered" not in page(worker)
    worker.stop()


def test_what_is_there_and_does_not_come_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that somebody left open in the log of what happens around clients holds it back, without an error."""
    keeper = Keeper()
    keeper.ready, now = "", [0]
    monkeypatch.setattr(keeper._world, "steady", lambda: now[0] * SECOND)
    loop = SimpleNamespace(state="running", beat=0, awaits=None, goes=True, judging=False)
    keeper.loops[1] = loop  # type: ignore[assignment]
    for seconds, looked, said in (
        (0, 5, False),
        (25, 5, False),
        (31, 6, False),
        (61, 6, False),
        (62, 6, True),
        (63, 9, False),
    ):
        now[0], loop.beat = seconds, seconds * SECOND
        keeper._rounds.saw(1, looked, 9)
        assert bool(keeper.trouble()) is said, seconds
        if said:
            assert "nothing more of `gate61.client-actions.v1:1` could be read for 31 s" in keeper.trouble()[0]


def test_why_the_register_cannot_be_read_is_said_while_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka refuses it: not when that passes at once, and no longer once it is read again."""
    keeper = Keeper()
    keeper.ready, now = "", [0]
    monkeypatch.setattr(keeper._world, "steady", lambda: now[0] * SECOND)
    why = connection.said(TopicAuthorizationFailedError("gate61.register.v1"))
    for seconds, refused, told in (
        (0, 1, 0),
        (4, 1, 0),
        (6, 1, 1),
        (12, 0, 1),
        (17, 0, 0),
        (40, 1, 0),
        (44, 1, 0),
        (45, 1, 1),
    ):
        now[0] = seconds
        if refused:
            keeper._cannot_follow(why)
        assert len(keeper.trouble()) == told, seconds
        assert not told or "give the user of GATE61_KAFKA the right" in keeper.trouble()[0]


def test_who_may_not_publish_is_told_of_the_right_and_not_of_a_plan() -> None:
    """`gate61 topics plan` looks at no rights; what else a topic does not take, it may."""
    refused = str(NotKept("gate61.notices.v1", 0, TopicAuthorizationFailedError("gate61.notices.v1")))
    assert "give the user of GATE61_KAFKA the right" in refused and "topics plan" not in refused
    assert "see `gate61 topics plan`" in str(NotKept("gate61.notices.v1", 0, MessageSizeTooLargeError("too large")))


def test_what_a_loop_waits_for_is_said_and_no_transaction_of_somebodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads nothing while it publishes to a topic that does not take it; nor is it ready then."""
    keeper, now = Keeper(), [0]
    monkeypatch.setattr(keeper._world, "steady", lambda: now[0] * SECOND)
    keeper.ready = ""
    waited_for = ("to keep what it publishes", 0)
    loop = SimpleNamespace(state="running", beat=0, awaits=waited_for, goes=True, judging=False)
    keeper.loops[1] = loop  # type: ignore[assignment]
    for now[0] in range(0, 100, 5):
        keeper._rounds.saw(1, 5, 9)
        said = f"partition 1 has waited for {now[0]} s for Kafka to keep what it publishes; see `gate61 doctor`"
        assert keeper.trouble() == ([said] if now[0] > 5 else [])
    loop.awaits = None
    for now[0] in range(100, 125, 5):  # It goes on, and what it has not read yet may come at once.
        loop.beat = now[0] * SECOND
        assert keeper.trouble() == []
        keeper._rounds.saw(1, 5, 9)


class Alone:
    """A producer that nobody else uses."""

    def __init__(self, publishes: bool = True, meanwhile: Callable[[list[bytes]], None] = lambda _: None) -> None:
        """`meanwhile` is what others do to the topic behind what is published."""
        self.publishes, self.stopped, self.meanwhile = publishes, False, meanwhile
        self.published: list[bytes] = []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True

    def create_batch(self) -> Any:
        held: list[bytes] = []

        def append(value: bytes, **_: object) -> list[bytes]:
            held.append(value)
            return held

        return SimpleNamespace(append=append, record_count=lambda: len(held), held=held)

    async def send_batch(self, batch: Any, topic: str, partition: int) -> "asyncio.Future[Any]":
        assert (topic, partition) == ("gate61.policy.v1", 0)
        if not self.publishes:
            raise KafkaConnectionError("none of it is kept")
        self.published += batch.held
        self.meanwhile(self.published)
        kept: asyncio.Future[Any] = asyncio.Future()
        kept.set_result(SimpleNamespace(offset=0))
        return kept


def _governed(policy: Path, asked: Callable[[], object], *producers: Alone) -> Keeper:
    """A service whose topic of policies is empty; `asked` is called when its end is asked for."""
    keeper, made = Keeper(), iter(producers)
    keeper.settings = structs.replace(Keeper.settings, policy=policy)

    async def end_offsets(places: list[TopicPartition]) -> dict[TopicPartition, int]:
        asked()
        there, followed = producers[-1].published, keeper._followed
        for offset in range(followed.read[Log.POLICY], len(there)):
            record = SimpleNamespace(topic="gate61.policy.v1", offset=offset, timestamp=offset, timestamp_type=1)
            record.value = there[offset]
            followed.add(Log.POLICY, record)
        return dict.fromkeys(places, len(there))

    keeper._asker = SimpleNamespace(end_offsets=end_offsets)
    keeper._sender = Sender(lambda: next(made))
    return keeper


async def test_a_first_policy_that_could_not_be_published_is_by_another_producer() -> None:
    """The one that failed has used up its numbers: whatever it sends there afterwards is refused, for good."""
    failing, next_ = Alone(publishes=False), Alone()
    keeper = _governed(DEFAULT, lambda: None, failing, next_)
    with pytest.raises(KafkaError):
        await keeper._govern()
    assert failing.stopped and next_.published == []
    await keeper._govern()
    assert next_.published == [DEFAULT.read_bytes()]


def _insert(place: int, theirs: bytes, topic: list[bytes]) -> None:
    """What the other one published, before or behind ours."""
    topic.insert(1 - place, theirs)


@pytest.mark.parametrize("place", [0, 1], ids=["came first", "came second"])
async def test_of_two_workers_that_begin_at_once_with_two_policies_one_refuses_whichever_came_first(
    place: int,
) -> None:
    """Each found the topic empty. With one policy both start."""
    own = DEFAULT.read_bytes()
    other = own.replace(b"soft_hours = 24", b"soft_hours = 23")
    assert other != own
    for theirs in (other, own):
        keeper = _governed(DEFAULT, lambda: None, Alone(meanwhile=partial(_insert, place, theirs)))
        if theirs == own:
            await keeper._govern()
        else:
            with pytest.raises(CannotStart, match=r"in force.*`gate61 policy publish FILE`"):
                await keeper._govern()
            keeper.settings = structs.replace(keeper.settings, policy=None)
            await keeper._govern()  # Who names no policy goes by the one that is in force.


async def test_a_policy_that_is_saved_while_the_worker_starts_is_not_put_in_force_unread(tmp_path: Path) -> None:
    """Published is what was looked at."""
    file, only = tmp_path / "mine.toml", Alone()
    file.write_bytes(DEFAULT.read_bytes())
    await _governed(file, lambda: file.write_text("version = 3"), only)._govern()
    assert only.published == [DEFAULT.read_bytes()] and file.read_text() == "version = 3"


async def test_a_timer_that_fails_says_so_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(keeper: Gatekeeper) -> None:
        raise AttributeError("it has no place")

    await harmless(broken)(Keeper())
    assert "timer failed" in capsys.readouterr().out


async def test_a_loop_that_ends_by_itself_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would judge its partition any more, and nothing would say so."""

    async def broken(loop: PartitionLoop) -> None:
        raise AssertionError("nothing catches this")

    monkeypatch.setattr(PartitionLoop, "run", broken)
    keeper = Keeper()
    one: Any = Client()
    absent: Any = None
    keeper._partitions, keeper._redis = 2, one
    keeper._consumer = keeper._asker = keeper._sender = keeper._standing = absent
    keeper._looker = Looker(absent)
    keeper._run(0)
    await asyncio.wait_for(keeper._running[0], 5)
    assert keeper.crashed


def test_more_partitions_than_the_state_was_made_with_are_refused_whole(setting: Setting) -> None:
    """A partition that was added has no state to tell by, and would decide without what is known of its clients."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna")])
    setting.caught_up()
    assert worker.stop() == 0
    with setting.kafka.admin() as admin:
        admin.create_partitions({topic.name: 2 for topic in setting.names if topic.partitions is None})
    wide = {setting.names.actions.name: 2}
    wait_until(lambda: _partitions(setting, list(wide)) == wide, 20)
    worker.start()
    wait_until(lambda: not worker.alive, 30)
    assert "spread over 1 partitions, and the topic has 2" in worker.said()
    made = run(worker, "rebuild", "--yes")
    assert made.returncode == 1 and "spread over 1 partitions" in made.stderr, made


def test_partitions_that_are_added_beside_a_worker_end_it(setting: Setting) -> None:
    """Within a minute, and it says why: what is appended to them would never be answered."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna")])
    setting.caught_up()
    with setting.kafka.admin() as admin:
        admin.create_partitions({setting.names.actions.name: 3})
    wait_until(lambda: not worker.alive, 60)
    assert "has 3 partitions and must have 1" in worker.said() and "another GATE61_PREFIX" in worker.said()
    assert "Traceback" not in worker.said() and worker.stop() == 1


@pytest.mark.parametrize("which", ["register", "policy"])
def test_nothing_is_decided_or_made_beside_a_second_partition_of_a_log_that_is_one_sequence(
    setting: Setting, which: str
) -> None:
    """What stands in it would be read by nobody, and may forbid what the first one allows."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna")])
    setting.caught_up()
    topic = getattr(setting.names, which).name
    with setting.kafka.admin() as admin:
        admin.create_partitions({topic: 2})
    wait_until(lambda: not worker.alive, 30)
    what = f"`{topic}` has 2 partitions, of which only the first is read"
    assert what in worker.said() and "Traceback" not in worker.said() and worker.stop() == 1
    with setting.redis.client() as client:
        before = {key: client.dump(key) for key in client.scan_iter(match=f"{{{setting.prefix}*")}
        for words in (["rebuild", "--yes"], ["rebuild", "--check"], ["worker"]):
            refused = run(worker, *words)
            assert refused.returncode == 1 and what in refused.stderr and "from a copy" in refused.stderr, refused
        assert before == {key: client.dump(key) for key in client.scan_iter(match=f"{{{setting.prefix}*")}


def _partitions(setting: Setting, topics: list[str]) -> dict[str, int]:
    with setting.kafka.admin() as admin:
        return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(topics)}


def test_a_batch_that_a_broker_refused_is_sent_once_it_takes_it(setting: Setting) -> None:
    """By another producer: the one that failed has used up its numbers, and would be refused until the worker ends."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna"), offer(who="anna")])
    setting.caught_up()
    _limit(setting, 300)
    setting.publish([*clean_client("ben"), offer(who="ben")])
    wait_until(lambda: "MessageSizeTooLarge" in page(worker), 20)
    _limit(setting, 2**23)
    wait_until(lambda: len(_verdicts(setting)) == 2, 30)
    assert "OutOfOrderSequenceNumber" not in worker.said()
    assert setting.differences() == []
    assert worker.stop() == 0


def _limit(setting: Setting, size: int) -> None:
    """How large a batch of answers may be."""
    with setting.kafka.admin() as admin:
        admin.alter_configs([ConfigResource("TOPIC", setting.names.decisions.name, {"max.message.bytes": str(size)})])
    time.sleep(0.5)


async def test_others_batches_arrive_or_fail_when_a_producer_is_replaced(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever for what the one that failed was to send; who comes too late replaces nothing."""
    kafka.create({f"{prefix}there": 1})
    sender = Sender(lambda: producer(Servers((kafka.servers,)), "w1"))
    await sender.start()
    failed = sender.producer
    try:
        kept = await failed.send(f"{prefix}there", b"kept", partition=0)
        await sender.replace(failed)
        assert (await asyncio.wait_for(kept, 1)).offset == 0
        another = sender.producer
        await sender.replace(failed)
        assert another is sender.producer is not failed
        assert (await another.send_and_wait(f"{prefix}there", b"next", partition=0)).offset == 1
        monkeypatch.setattr("streams.worker.publishing.ENDING_SECONDS", 0.5)
        kafka.pause()
        stuck = await another.send(f"{prefix}there", b"stuck", partition=0)
        replacing = asyncio.create_task(sender.replace(another))
        with pytest.raises(ProducerClosed):
            await asyncio.wait_for(stuck, 5)
        kafka.resume()
        await asyncio.wait_for(replacing, 20)
        assert sender.producer is not another
    finally:
        kafka.resume()
        await sender.stop()


async def test_who_waits_for_a_topic_that_is_missing_does_not_outlast_the_producer(kafka: Kafka, prefix: str) -> None:
    """Kafka's client leaves him waiting when another partition's error ends it: nothing more would be published."""
    names = topics(prefix)
    kafka.create({names.decisions.name: 1})
    sender = Sender(lambda: producer(Servers((kafka.servers,)), "w1"))
    await sender.start()
    publisher = KafkaPublisher(sender, names)
    try:
        waiting = asyncio.create_task(publisher.publish([Output(NOTICES, 0, b"k", b"v")]))
        await asyncio.sleep(1)
        await sender.replace(sender.producer)
        with pytest.raises(ProducerClosed):
            await asyncio.wait_for(waiting, 10)
        assert await publisher.publish([Output(DECISIONS, 0, b"k", b"v")]) == 1
    finally:
        await sender.stop()


async def test_a_client_of_kafkas_that_died_ends_the_worker(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after one heartbeat that was not allowed: every read would fail from then on, whatever is mended."""

    async def denied(coordinator: GroupCoordinator) -> bool:
        raise GroupAuthorizationFailedError(coordinator.group_id)

    names = topics(prefix)
    kafka.create({names.actions.name: 1})
    keeper, told = Keeper(), Told()
    keeper._consumer = consumer(Servers((kafka.servers,)), f"{prefix}group", "w1")
    keeper._follower, keeper._looker = follower(Servers((kafka.servers,)), "w1"), Looker(None)
    keeper._looker.consumer = keeper._follower
    await keeper._consumer.start()
    await keeper._follower.start()
    try:
        keeper._consumer.subscribe([names.actions.name], listener=told)
        await asyncio.wait_for(told.given.wait(), 20)
        assert failed(keeper._consumer, keeper._follower) is None
        monkeypatch.setattr(GroupCoordinator, "_do_heartbeat", denied)
        async with asyncio.timeout(10):
            while not failed(keeper._consumer):
                await asyncio.sleep(0.1)
        await keeper._watch.fun(keeper)
        assert keeper.crashed and "GroupAuthorizationFailedError" in capsys.readouterr().out
    finally:
        await keeper._consumer.stop()
        await keeper._follower.stop()


class Looping(NamedTuple):
    """What the service asks of a loop."""

    trouble: Exception | None
    round: int
    beat: int
    state: str = "waiting"
    awaits: None = None
    goes: bool = True
    judging: bool = False
    paused: bool = False


class Follower:
    """Hears of the register, or not; what it says of when is by a clock that is set."""

    heard = 0

    def last_poll_timestamp(self, place: TopicPartition) -> int:
        return self.heard


async def test_who_gets_nothing_done_though_kafka_answers_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where Kafka is away, where Redis is the trouble, or where other partitions go on: another process would not help."""
    keeper, clock = Keeper(), [0]
    monkeypatch.setattr(keeper._world, "steady", lambda: clock[0])
    then, now = 600 * SECOND, 1_000 * SECOND
    stuck, busy = Looping(KafkaError("no"), then, now), Looping(None, now, now, "running")
    for loops, heard, hangs in (
        ([stuck, stuck], 1, True),
        ([stuck, stuck], 500, False),
        ([stuck, busy], 1, False),
        ([stuck, stuck._replace(trouble=OSError("Redis"))], 1, False),
        ([stuck._replace(round=now)], 1, False),
        ([], 1, False),
    ):
        keeper.loops.clear()
        keeper.loops.update(enumerate(loops))  # type: ignore[arg-type]
        follower = Follower()
        follower.heard, clock[0] = heard, now - heard * SECOND
        keeper._kafka_watch.hear(follower)
        clock[0] = now
        assert bool(keeper.hanging()) is hangs, (loops, heard)


async def test_who_is_busy_judging_is_not_ready_and_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is the same for minutes: what hangs is started again, also where its last trouble is not over."""
    keeper, clock = Keeper(), [0]
    keeper.ready = ""
    monkeypatch.setattr(keeper._world.clock, "steady", lambda: clock[0] * SECOND)
    busy = Looping(None, 0, 0, "running", judging=True)
    others = busy._replace(judging=False), busy._replace(judging=False, state="waiting: KafkaError")
    apart = busy._replace(goes=False), busy._replace(judging=False, state="paused", paused=True)
    keeper.loops.update(enumerate((busy, *others, *apart)))  # type: ignore[arg-type]

    async def judged(seconds: int) -> tuple[list[str], list[str]]:
        """What is said after so long of one partition's judging, in which the others wait for it."""

        def judge() -> tuple[list[str], list[str]]:
            clock[0] += seconds
            return keeper.trouble(), keeper.hanging()

        return await keeper._world.apart(judge)

    ready, alive = await judged(12)
    assert ready[:2] == [
        "partition 0 is still judging what it took 12 s ago",
        "partition 1 has not gone round for 12 s",
    ]
    assert alive == [] and not any("partition 3" in said for said in ready)
    _, alive = await judged(100)
    assert alive == [f"partition {n} has not gone round for 112 s" for n in (1, 2)]
    _, alive = await judged(301)
    assert alive == [f"partition {n} has not gone round for 413 s" for n in (0, 1, 2)]
    assert keeper._world.at_it == 0


@pytest.mark.parametrize("which", ["actions", "register"])
def test_a_time_that_its_sender_chose_is_not_believed(setting: Setting, which: str) -> None:
    """A topic was altered: what is published then could have been recorded whenever its sender likes."""
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna")])
    setting.caught_up()
    topic = getattr(setting.names, which).name
    with setting.kafka.admin() as admin:
        admin.alter_configs([ConfigResource("TOPIC", topic, {"message.timestamp.type": "CreateTime"})])
    time.sleep(0.5)
    line = json.dumps(campaign() if which == "register" else offer(who="anna")).encode()
    key = None if which == "register" else b"anna"
    setting.producer.send(topic, line, key, [CONTENT_TYPE], partition=0, timestamp_ms=1).get(20)
    if which == "register":
        wait_until(lambda: not worker.alive, 20)
    wait_until(lambda: f"`{topic}` has a time that its sender chose" in worker.said(), 20)
    assert setting.decisions() == {}
    worker.stop()


def test_a_worker_whose_broker_is_gone_is_not_ready_and_says_so_in_few_lines(setting: Setting) -> None:
    """Frozen it keeps its connections, and no client of it notices for long."""
    worker = setting.worker()
    worker.start()
    wait_until(lambda: page_of(worker, "readyz")[0] == 200, 60)
    before = len(worker.said().encode())
    try:
        setting.kafka.pause()
        wait_until(lambda: "has not answered for" in page(worker), 20)
        time.sleep(5)
    finally:
        setting.kafka.resume()
    wait_until(lambda: page_of(worker, "readyz")[0] == 200, 30)
    said = worker.said(before)
    assert said.count("Kafka does not answer") == said.count("Kafka answers again") == 1
    assert len(said.splitlines()) < 20 and "overlapping" not in said, said
    assert worker.stop() == 0


async def test_a_client_is_let_go_though_a_fetch_of_its_is_under_way(kafka: Kafka, prefix: str) -> None:
    """Its own `stop` then ends as if whoever called it were cancelled, which ended them for good."""
    kafka.create({f"{prefix}there": 1})
    reading = follower(Servers((kafka.servers,)), "w1")
    await reading.start()
    place = TopicPartition(f"{prefix}there", 0)
    reading.assign([place])
    reading.seek(place, 0)
    try:
        kafka.pause()
        assert await reading.getmany(timeout_ms=500) == {}
        await asyncio.wait_for(let_go(reading, 2), 10)
    finally:
        kafka.resume()
    assert not reading._client._conns or all(not c.connected() for c in reading._client._conns.values())
