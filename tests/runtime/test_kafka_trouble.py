"""What Kafka and its client do to a worker: it says so, goes on by itself or ends, and allows nothing meanwhile."""

import asyncio
import json
import re
import time
from pathlib import Path

import pytest
from aiokafka import ConsumerRebalanceListener
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    ProducerClosed,
)
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource

from streams.kafka.connection import let_go
from streams.kafka.topics import topics
from streams.logs.brokers import Looker, follower, widths
from streams.settings import Kafka as Servers
from streams.worker.here import Here
from streams.worker.kafka import answers_anew, consumer, failed
from streams.worker.kafka_watch import KafkaWatch
from streams.worker.outputs import DECISIONS, NOTICES, Output
from streams.worker.publishing import KafkaPublisher, Sender, producer
from tests.bench.load import mixed, register
from tests.runtime.gate import CONTENT_TYPE, Setting, Worker
from tests.runtime.kafka import APPEND_TIME, Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.runtime.test_worker import page as page_of
from tests.runtime.test_worker import run
from tests.stories.telling import REGISTER, campaign, clean_client, offer
from tests.worker.keeper import Clock, Keeper


class Told(ConsumerRebalanceListener):  # type: ignore[misc]
    """How often partitions were given and taken."""

    def __init__(self) -> None:
        self.given = asyncio.Event()
        self.taken = 0

    async def on_partitions_assigned(self, assigned: object) -> None:
        self.given.set()

    async def on_partitions_revoked(self, revoked: object) -> None:
        self.taken += 1


async def test_who_polls_nothing_for_a_day_keeps_its_partitions(
    kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is away for as long as it is: who left the group meanwhile would never come back by itself."""
    names, beats, beat = topics(prefix), 0, GroupCoordinator._do_heartbeat

    async def counted(coordinator: GroupCoordinator) -> bool:
        nonlocal beats
        success: bool = await beat(coordinator)
        beats += success
        return success

    monkeypatch.setattr(GroupCoordinator, "_do_heartbeat", counted)
    kafka.create({names.actions.name: 2})
    member, told = consumer(Servers((kafka.servers,)), f"{prefix}group", "w1"), Told()
    member._heartbeat_interval_ms = 100
    await member.start()
    try:
        member.subscribe([names.actions.name], listener=told)
        await asyncio.wait_for(told.given.wait(), 20)
        taken = told.taken
        member._subscription._last_fetch_ended -= 86_400
        before = beats
        async with asyncio.timeout(20):
            while beats < before + 3:  # Each looks for it, and who has left has none any more.
                await asyncio.sleep(0.01)
        assert told.taken == taken and len(member.assignment()) == 2
    finally:
        await member.stop()


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
        assert "has not answered" not in page(worker)
    worker.stop()


async def test_a_topic_that_is_gone_under_its_reader_is_no_silence_of_kafkas(kafka: Kafka, prefix: str) -> None:
    """Whoever reads it waits for it, and is still told at once what else there is."""
    names, servers = topics(prefix), Servers((kafka.servers,))
    kafka.create({topic.name: 1 for topic in names})
    reading, place = follower(servers, "w1"), TopicPartition(names.policy.name, 0)
    await reading.start()
    watch = KafkaWatch(servers, names, Here(""))
    try:
        reading.assign([place])
        reading.seek(place, 0)
        await reading.getmany(timeout_ms=100)
        with kafka.admin() as admin:
            admin.delete_topics([names.policy.name])
        async with asyncio.timeout(20):
            while (await watch.ask([reading]))[names.policy.name]:
                await asyncio.sleep(0.05)
        for _ in range(3):
            await reading.getmany(timeout_ms=100)
            found = await watch.ask([reading])
            assert [name for name, many in found.items() if not many] == [names.policy.name]
    finally:
        await let_go(reading)


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


def test_outputs_may_have_more_partitions_than_inputs_and_not_fewer(setting: Setting) -> None:
    """More stay empty; what belongs into one that is not there could never be published."""
    with setting.kafka.admin() as admin:
        admin.create_partitions({setting.names.notices.name: 3})
        wait_until(lambda: _partitions(setting, [setting.names.notices.name]) == {setting.names.notices.name: 3}, 20)
    worker = setting.worker()
    worker.start()
    setting.publish([*REGISTER, *clean_client("anna")])
    setting.caught_up()
    assert worker.stop() == 0 and "has more partitions than are published to" in worker.said()
    inputs = {topic.name: 2 for topic in (setting.names.actions, setting.names.between)}
    with setting.kafka.admin() as admin:
        admin.create_partitions(inputs)
    wait_until(lambda: _partitions(setting, list(inputs)) == inputs, 20)
    worker.start()
    wait_until(lambda: not worker.alive, 30)
    assert f"`{setting.names.decisions.name}` has 1" in worker.said() and "kafka-topics.sh --alter" in worker.said()
    assert f"`{setting.names.notices.name}` has" not in worker.said()


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
    keeper, told = Keeper(Clock()), Told()
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
        wait_until(lambda: re.search(r"has not answered for ([5-9]|\d\d) s", page(worker)), 40)
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
