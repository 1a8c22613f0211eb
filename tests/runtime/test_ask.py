"""The ask service over what a worker remembers in a real Redis: the answer that the worker would give, or none."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, ClassVar, cast

import httpx
import msgspec
import pytest
from aiokafka import TopicPartition
from fastapi import FastAPI
from redis import Redis as Client
from starlette.testclient import TestClient

from gate.facts import Fact, Instant
from gate.policy import SECOND
from state.redis.reader import RedisReader
from state.redis.servers import AsyncServers
from state.redis.store import RedisStore
from streams.ask.budget import Budget
from streams.ask.check import SOURCE, answer_to, question, told
from streams.ask.over_redis import OverRedis
from streams.ask.reader import Seen, Unreadable
from streams.ask.routes import ask_routes
from streams.ask.stream import Behind, KafkaStream
from streams.border.wire import instant
from streams.kafka.record import partition_of
from streams.kafka.topics import topics
from streams.logs.brokers import followed_logs
from streams.logs.following import Followed
from streams.logs.lost import LogLost
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.settings import settings
from streams.web.access import Access
from streams.web.clock import now
from streams.web.metrics import Metrics
from streams.web.problems import say_problems
from streams.worker.outputs import CONTENT_TYPE, DECISIONS, Output
from streams.worker.partition import Partition
from tests.promises.histories import History, history
from tests.runtime.gate import Setting
from tests.runtime.kafka import APPEND_TIME, Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis
from tests.serving import mailing
from tests.serving.service import HERE, Clock, process
from tests.serving.test_check import questions
from tests.serving.test_events import OFFER, TOLD
from tests.serving.test_suppress import SECONDS, suppress, told_of_the_mail
from tests.simulation.run import OF_REGISTER
from tests.simulation.world import Record
from tests.stories.telling import asset, campaign, clean_client, contacted, entity, in_order

PARTITIONS = 2
LAG = 30.0


class Worker:
    """The partitions of a worker, driven by hand over a real Redis; it is the reader's stream as well."""

    partitions = PARTITIONS

    def __init__(self, client: Client, topic: str) -> None:
        self.followed = Followed()
        self.why = ""
        self.late = 0.0
        self.far = 0
        self.offsets: Counter[int] = Counter()
        self.now: Instant = 0
        self.put(Log.POLICY, DEFAULT.read_bytes())
        self._partitions = [
            Partition(n, PARTITIONS, self.followed, RedisStore(client, f"{topic}:{n}", cached=2), "0")
            for n in range(PARTITIONS)
        ]
        for partition in self._partitions:
            partition.assume("this")
            assert partition.open()
        self.work()

    def trouble(self) -> str:
        return self.why

    def behind(self, partition: int, next_offset: int | None) -> float:
        return self.late

    def furthest(self, partition: int) -> int:
        return self.far

    def put(self, log: Log, value: bytes) -> None:
        """A record of the register or of policies, which the partitions have not seen yet."""
        record = Record(log.name, 0, self.offsets[-log - 1], self.now // 1000, None, value, (CONTENT_TYPE,))
        self.offsets[-log - 1] += 1
        self.followed.add(log, record)

    def append(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """An event arrives at its recorded time; the decisions that follow. The register's are only put there."""
        stated = [instant(event[k]) for k in ("time", "recordedtime") if isinstance(event.get(k), str)]
        self.now = max(self.now + 1000, *(-(-t // 1000) * 1000 for t in stated))
        if event["type"].removeprefix("gate61.").startswith(OF_REGISTER):
            self.put(Log.REGISTER, json.dumps(event).encode())
            return []
        number = partition_of(event["subject"].encode(), PARTITIONS)
        return self.work(number, self.record(number, event))

    def record(self, number: int, event: dict[str, Any]) -> Record:
        """The next record of a partition."""
        key, line = event["subject"].encode(), json.dumps(event).encode()
        record = Record("actions", number, self.offsets[number], self.now // 1000, key, line, (CONTENT_TYPE,))
        self.offsets[number] += 1
        return record

    def work(self, number: int = 0, *records: Record) -> list[dict[str, Any]]:
        """All partitions do what there is to do; what partition `number` decided."""
        found = []
        for n, partition in enumerate(self._partitions):
            taken = records if n == number else ()
            partition.read(taken, self.offsets[n], (), 0)
            outputs = self._round(n, partition)
            while partition.waits:  # A change of the register waits for further batches until the one before is done.
                outputs += self._round(n, partition)
            if n == number:
                found = [json.loads(o.value or b"") for o in outputs if o.topic == DECISIONS]
        return [e["data"] for e in found]

    def _round(self, number: int, partition: Partition) -> list[Output]:
        partition.recall()
        outputs = partition.work([*self.followed.read, 0, self.offsets[number]], self.now)
        partition.remember(outputs)
        return outputs


@pytest.fixture
def client(redis: Redis) -> Iterator[Client]:
    """An empty Redis."""
    with redis.client() as made:
        made.flushall()
        yield made


def over(worker: Worker, state: RedisReader, lag: float) -> OverRedis:
    """What reads the worker's state, by the worker's clock."""
    return OverRedis(worker, state, lag, lambda: worker.now, "redis://here")


async def ask_over(url: str, worker: Worker, offer: Fact, lag: float = LAG) -> dict[str, Any]:
    """The answer to a question, as it goes out."""
    state = RedisReader(AsyncServers(url, 2), "actions")

    def judge(seen: Seen) -> dict[str, Any] | None:
        answer = answer_to(offer, seen)
        return None if answer is None else told(answer, seen, worker.now)

    try:
        found: dict[str, Any] = json.loads(msgspec.json.encode(await over(worker, state, lag).ask(offer.client, judge)))
        return found
    finally:
        await state.close()


def asked(url: str, worker: Worker, event: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """The answer to the question about an offer's event."""
    body = {"client": event["subject"], "time": event["time"], **event["data"], "channel": f"x{number}"}
    return asyncio.run(ask_over(url, worker, question(json.dumps(body).encode(), worker.now)))


def everything(client: Client) -> list[tuple[bytes, bytes]]:
    """All that Redis holds, as bytes."""
    return sorted((key, client.dump(key)) for key in client.scan_iter())  # type: ignore[misc]


_OWN = {"decision", "synchronous", "read_up_to", "recorded_at", "supersedes", "because"}


def shared(answer: dict[str, Any]) -> dict[str, Any]:
    """What a question's answer and a decision have in common."""
    return {k: v for k, v in answer.items() if k not in _OWN}


@pytest.mark.parametrize("seed", range(25))
def test_the_answer_is_the_one_the_worker_would_give(client: Client, redis: Redis, seed: int) -> None:
    """At any point of random histories, also before a worker has judged again behind a change of the register."""
    events, made, random = history(seed), History(seed, 40), Random(seed)
    worker = Worker(client, "actions")
    at = 0
    for number, offer in enumerate(questions(made, seed)):
        upto = min(len(events), at + random.randrange(1, 12))
        for event in events[at:upto]:
            worker.append(event)
        at = upto
        before = everything(client)
        answer = asked(redis.url, worker, offer, number)
        assert everything(client) == before
        same = {**offer, **answer["event"]}
        same["data"] = {**offer["data"], "channel": f"x{number}"}
        decided = next(d for d in worker.append(same) if d["event"]["source"] == SOURCE and d["supersedes"] is None)
        assert shared(answer) == shared(decided), f"question {number}"
        assert answer["read_up_to"]["next_offset"] == worker.offsets[answer["read_up_to"]["partition"]] - 1


async def test_a_fault_of_our_own_is_not_said_to_be_what_redis_holds(client: Client, redis: Redis) -> None:
    """Who is told that goes and looks at Redis, in vain."""
    worker, state = Worker(client, "actions"), RedisReader(AsyncServers(redis.url, 2), "actions")

    def judge(seen: Seen) -> None:
        raise ValueError("no law has this number")

    try:
        with pytest.raises(ValueError, match="no law has this number"):
            await over(worker, state, LAG).ask("anna", judge)
        with pytest.raises(ValueError, match="no law has this number"):
            [each async for each in over(worker, state, LAG).ask_each(["anna"], lambda _: judge)]
    finally:
        await state.close()


def test_a_change_of_the_register_counts_before_a_worker_has_judged_the_client_again(
    client: Client,
    redis: Redis,
) -> None:
    """That ether is of bitcoin's type after all makes the request one that somebody prompted."""
    worker = Worker(client, "actions")
    for event in in_order([clean_client(), contacted("-1 h", by="blogger", promotes=[{"asset": "eth"}])]):
        worker.append(event)
    assert asked(redis.url, worker, OFFER)["leading"] == "WITHIN_WINDOW"
    worker.append(asset("eth", at="-2 d"))
    answer = asked(redis.url, worker, OFFER)
    assert answer["leading"] == "SCOPE_TAINTED"
    (decided,) = [d for d in worker.append({**OFFER, **answer["event"]}) if d["supersedes"] is None]
    assert decided["leading"] == "SCOPE_TAINTED"


def test_nothing_is_answered_without_state(client: Client, redis: Redis) -> None:
    """A stream that cannot be read, a worker that is behind, what a newer program wrote: each is said, none allows."""
    worker = Worker(client, "actions")
    for event in [*TOLD, OFFER]:
        worker.append(event)
    assert asked(redis.url, worker, OFFER)["may_send"] is True

    def why() -> str:
        with pytest.raises(Unreadable) as refused:
            asked(redis.url, worker, OFFER)
        return str(refused.value)

    worker.late = LAG + 1
    assert "behind the stream" in why()
    worker.late = 0.0
    worker.now -= 61 * SECOND
    assert "61 s behind what was recorded" in why()
    worker.now += 61 * SECOND
    worker.why = "Kafka is away"
    assert why() == "Kafka is away"
    worker.why = ""
    number = partition_of(b"anna", PARTITIONS)
    client.hset(f"{{actions:{number}}}:dossiers", "anna", b"\0\0\0\1\x99")
    assert "layout 99" in why()
    client.hdel(f"{{actions:{number}}}:dossiers", "anna")
    assert "state was lost" in why()
    worker.followed.policies.clear()
    assert "no policy" in why()


def test_a_redis_that_is_away_or_hangs_leaves_questions_unanswered(tmp_path: Path) -> None:
    """Neither an answer nor an endless wait; when it is back, so are the answers."""
    server = Redis(tmp_path / "redis")
    server.start()
    try:
        with server.client() as client:
            worker = Worker(client, "actions")
            for event in TOLD:
                worker.append(event)
        server.pause()
        with pytest.raises(Unreadable, match=r"Redis at redis://here does not answer: .*; see that it runs"):
            asked(server.url, worker, OFFER)
        server.resume()
        assert asked(server.url, worker, OFFER)["may_send"] is True
        server.kill()
        with pytest.raises(Unreadable, match=r"Redis at redis://here does not answer: .*; see that it runs"):
            asked(server.url, worker, OFFER)
        server.start()
        assert asked(server.url, worker, OFFER)["may_send"] is True
    finally:
        server.stop(5)


def fill(worker: Worker, events: list[dict[str, Any]]) -> None:
    """Events arrive in bulk, each partition's in their order."""
    by_partition: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        if event["type"].removeprefix("gate61.").startswith(OF_REGISTER):
            worker.append(event)
        else:
            by_partition.setdefault(partition_of(event["subject"].encode(), PARTITIONS), []).append(event)
        worker.now = max(worker.now, instant(event["time"]))
    for number, of_partition in by_partition.items():
        for at in range(0, len(of_partition), 500):
            worker.work(number, *(worker.record(number, event) for event in of_partition[at : at + 500]))


@contextmanager
def asking(url: str, worker: Worker, **budget: float) -> Iterator[TestClient]:
    """The routes over what the worker remembers."""
    state = RedisReader(AsyncServers(url, 2), "actions")
    app, clock = FastAPI(), Clock(mailing.NOW)
    routes = ask_routes(over(worker, state, LAG), Access(None), Metrics(), clock, Budget(**budget))
    app.include_router(routes)
    say_problems(app)
    with TestClient(app, base_url=HERE) as client:
        yield client


def test_a_mail_to_4000_of_whom_37_are_held_back(client: Client, redis: Redis) -> None:
    """The same as over the embedded gate; Redis is as before."""
    worker = Worker(client, "actions")
    fill(worker, mailing.events())
    before = everything(client)
    with asking(redis.url, worker) as asked_over:
        began = time.perf_counter()
        found = suppress(asked_over, mailing.recipients(), **mailing.SEND)
        seconds = time.perf_counter() - began
    print(f"4,000 recipients, Redis: {seconds:.2f} s")
    told_of_the_mail(found)
    assert seconds < SECONDS and everything(client) == before
    assert [(r["partition"], r["next_offset"]) for r in found["read_up_to"]] == sorted(worker.offsets.items())[
        -PARTITIONS:
    ]


@pytest.mark.parametrize("seed", range(8))
def test_each_recipient_is_answered_like_a_question(client: Client, redis: Redis, seed: int) -> None:
    """Also of clients whose history is needed, or who are to be judged again behind a change of the register."""
    events, random = history(seed), Random(seed)
    worker = Worker(client, "actions")
    with asking(redis.url, worker) as asked_over:
        for at in range(0, len(events), 20):
            for event in events[at : at + 20]:
                worker.append(event)
            data = {"service": "exchange_funds", "asset": random.choice(["btc", "ltc"]), "channel": "email"}
            data |= {"content": "offer", "transaction": "t1", "time": random.choice(events)["time"]}
            found = suppress(asked_over, ["c1", "c2", "c3"], **data)
            for who in ("c1", "c2", "c3"):
                answer = asked_over.post("/v1/check", json={"client": who, **data}).json()
                assert (who in found["may_send"]) == answer["may_send"]
                leading = [e["leading"] for e in found["suppress"] if e["recipient"] == who]
                assert leading == ([] if answer["may_send"] else [answer["leading"]])


def test_a_send_of_thousands_of_things_keeps_its_time(client: Client, redis: Redis) -> None:
    """However long one recipient takes: the others have their turn between two, and the time may be up."""
    worker = Worker(client, "actions")
    fill(worker, mailing.events()[:300])
    send = {**mailing.SEND, "promotes": [{"asset": f"a{n:x}"} for n in range(3_000)]}
    with asking(redis.url, worker, many=0.5) as asked_over:
        began = time.perf_counter()
        found = suppress(asked_over, mailing.recipients()[:2_000], **send)
        assert time.perf_counter() - began < SECONDS
    assert found["unanswered"] and set(found["unanswered"]).isdisjoint(found["may_send"])


def test_what_redis_does_not_hold_suppresses_whom_it_concerns(client: Client, redis: Redis) -> None:
    """One client's dossier that cannot be understood, a partition that lost state, a worker that is behind."""
    worker = Worker(client, "actions")
    fill(worker, mailing.events()[:300])
    names = [f"cl-{n}" for n in range(250)]
    apart = {n: [who for who in names if partition_of(who.encode(), PARTITIONS) == n] for n in range(PARTITIONS)}
    with asking(redis.url, worker) as asked_over:
        assert suppress(asked_over, names, **mailing.SEND)["may_send"] == names
        client.hset("{actions:0}:dossiers", apart[0][0], b"\0\0\0\1\x99")
        found = suppress(asked_over, names, **mailing.SEND)
        assert found["unanswered"] == [apart[0][0]] and "layout 99" in found["suppress"][0]["said"]
        client.hdel("{actions:0}:dossiers", apart[0][0])
        found = suppress(asked_over, names, **mailing.SEND)
        assert sorted(found["unanswered"]) == sorted(apart[0]) and "state was lost" in found["suppress"][0]["said"]
        assert {r["partition"] for r in found["read_up_to"]} == {1}
        worker.why = "Kafka is away"
        found = suppress(asked_over, names, **mailing.SEND)
        assert (found["may_send"], found["suppress"][0]["said"]) == ([], "Kafka is away")


def test_a_redis_that_hangs_suppresses_everybody_in_time(tmp_path: Path) -> None:
    """The budget holds however many recipients there are."""
    server = Redis(tmp_path / "redis")
    server.start()
    try:
        with server.client() as client:
            worker = Worker(client, "actions")
            fill(worker, mailing.events()[:300])
        names = [f"cl-{n}" for n in range(250)]
        with asking(server.url, worker, many=1.0) as asked_over:
            assert suppress(asked_over, names, **mailing.SEND)["may_send"] == names
            server.pause()
            began = time.perf_counter()
            found = suppress(asked_over, names, **mailing.SEND)
            assert time.perf_counter() - began < 4
            assert found["unanswered"] == names and "within 1 s" in found["suppress"][0]["said"]
            server.resume()
            assert suppress(asked_over, names, **mailing.SEND)["may_send"] == names
    finally:
        server.stop(5)


def test_how_long_a_partition_is_behind() -> None:
    """From when its end was seen and not reached; what was never seen, or lost its state, is behind for ever."""
    behind = Behind()
    assert behind.seconds(0, 5, now=100.0) == float("inf")
    behind.saw(0, 5, end=5, waited=9_000, now=100.0)
    assert behind.seconds(0, 5, now=101.0) == 0
    behind.saw(0, 5, end=7, waited=9_000, now=110.0)
    assert behind.seconds(0, 5, now=112.0) == 2, "the end that it had reached says nothing of the time before"
    behind.saw(0, 6, end=9, waited=9_000, now=120.0)
    assert behind.seconds(0, 6, now=130.0) == 20
    behind.saw(0, 8, end=20, waited=9_000, now=131.0)
    assert behind.seconds(0, 8, now=132.0) == 1, "it goes on"
    assert behind.seconds(0, None, now=132.0) == float("inf")
    behind.saw(1, 3, end=4, waited=40, now=100.0)
    assert behind.seconds(1, 3, now=101.0) == 41
    behind.saw(2, None, end=0, waited=float("inf"), now=100.0)
    assert behind.seconds(2, None, now=101.0) == 0, "it never held a record"


def test_how_far_a_partition_was_seen_to_be() -> None:
    """Whoever saw it, and in whatever order what they read comes to be looked at."""
    behind = Behind()
    assert behind.furthest(0) == 0
    behind.saw(0, 7, end=7, waited=0, now=100.0)
    assert behind.furthest(0) == 7 and behind.seconds(0, 9, now=100.1) == 0 and behind.furthest(0) == 9
    behind.saw(0, 6, end=9, waited=0, now=100.5)
    assert behind.seconds(0, 8, now=100.6) < 1 and behind.furthest(0) == 9 and behind.furthest(1) == 0


def test_a_partition_that_is_not_as_far_as_it_was_is_not_judged_on(client: Client, redis: Redis) -> None:
    """Redis lost its last seconds: what was known a moment ago is not, until its worker has been there again."""
    worker = Worker(client, "actions")
    for event in TOLD:
        worker.append(event)
    worker.far = worker.offsets[partition_of(b"anna", PARTITIONS)]
    assert asked(redis.url, worker, OFFER)["may_send"] is True
    worker.far += 1
    with pytest.raises(Unreadable, match="went back: Redis lost its last seconds"):
        asked(redis.url, worker, OFFER)


@pytest.mark.parametrize("log", [Log.POLICY, Log.REGISTER])
def test_a_partition_that_was_judged_by_more_than_is_read_here_is_not_judged_on(
    client: Client, redis: Redis, log: Log
) -> None:
    """What is not read yet, or was lost, may be what forbids the offer; with the whole of it the answer is as before."""
    worker = Worker(client, "actions")
    for event in [*TOLD, campaign("ads", at="-60 d"), OFFER]:
        worker.append(event)
    assert asked(redis.url, worker, OFFER)["leading"] == "CAMPAIGN_EXPOSURE"
    whole, worker.followed = worker.followed, Followed()
    arrivals = {Log.POLICY: whole.policies, Log.REGISTER: whole.register}
    for each, of_log in arrivals.items():
        for arrival in of_log[: -1 if each is log is Log.REGISTER else None]:
            worker.followed.add(each, arrival.record)
    if log is Log.POLICY:
        worker.followed.read[log] -= 1
    with pytest.raises(Unreadable, match="judged by more of the register or of policies than is read here"):
        asked(redis.url, worker, OFFER)
    worker.followed = whole
    assert asked(redis.url, worker, OFFER)["leading"] == "CAMPAIGN_EXPOSURE"


@pytest.mark.parametrize("lost", [Log.POLICY, Log.REGISTER])
@pytest.mark.parametrize("told_by", ["its end", "an epoch", "a time"])
async def test_what_state_was_made_by_is_looked_for_in_both_logs(
    client: Client, redis: Redis, lost: Log, told_by: str
) -> None:
    """A topic that was made anew, or lost its end, also one that has grown since, answers nothing though it is whole."""
    worker = Worker(client, "actions")
    for event in [*TOLD, campaign("ads", at="-60 d"), OFFER]:
        worker.append(event)
    stream, ends = of_a_stream(redis, worker), Ends(worker)
    try:
        await stream._look(cast(Any, ends), ends.actions, cast(Any, ends))
        assert stream.trouble() == ""
        if told_by == "its end":
            ends.less = lost
        arrivals = stream.followed.policies if lost is Log.POLICY else stream.followed.register
        *_, last = arrivals
        if told_by == "an epoch":
            arrivals[-1] = last._replace(record=last.record._replace(leader_epoch=last.record.leader_epoch + 1))
        elif told_by == "a time":
            arrivals[-1] = last._replace(at=last.at + 1_000)
        with pytest.raises(LogLost, match="made anew"):
            await stream._look(cast(Any, ends), ends.actions, cast(Any, ends))
    finally:
        await stream._state.close()


class Ends:
    """Where the logs of a worker end; it stands for whoever is asked, and for what knows that the logs are the same."""

    actions: ClassVar = [TopicPartition("gate61.client-actions.v1", number) for number in range(PARTITIONS)]

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.less: Log | None = None
        """The log that lost its end."""

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        logs, read = followed_logs(topics("")), self.worker.followed.read
        followed = {place: read[log] - (log is self.less) for place, log in logs.items()}
        acted = {place: self.worker.offsets[place.partition] for place in self.actions}
        return {place: (followed | acted)[place] for place in places}

    async def stand(self, logs: object, by_now: bool) -> None:
        """They are."""


def of_a_stream(redis: Redis, worker: Worker) -> KafkaStream:
    """What `ask` knows of the stream that the worker has read, as far as that is."""
    state = RedisReader(AsyncServers(redis.url, 2), "actions")
    found = KafkaStream(settings({"GATE61_KAFKA": "here:1", "GATE61_REDIS": redis.url}), state, now, LAG)
    found.followed, found.partitions = worker.followed, PARTITIONS
    found._kafka = "this"
    return found


def test_the_service_beside_a_real_worker(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> None:
    """It answers what the worker then decides, follows the register, and says nothing while no worker works."""
    setting = Setting(kafka, redis, prefix, tmp_path, PARTITIONS)
    worker = setting.worker()
    places = {"GATE61_KAFKA": kafka.servers, "GATE61_REDIS": redis.url, "GATE61_PREFIX": prefix}
    offered = {"client": "anna", "time": OFFER["time"], **OFFER["data"]}
    with (
        process("--lag", "2", command="ask", **places) as (_, where),
        httpx.Client(base_url=where, timeout=20) as client,
    ):

        def check(until: Callable[[httpx.Response], bool], **more: str) -> dict[str, Any]:
            for _ in range(300):
                response = client.post("/v1/check", json={**offered, **more})
                assert response.status_code == 200 or response.json()["may_send"] is False
                if until(response):
                    found: dict[str, Any] = response.json()
                    return found
                time.sleep(0.1)
            raise AssertionError(response.text)

        assert client.get("/livez").status_code == 200
        check(lambda r: r.status_code == 503)
        worker.start()
        try:
            setting.publish([*TOLD, entity("sister", "eu_authorised", services=["exchange_funds"])])
            answer = check(lambda r: r.json().get("leading") == "WITHIN_WINDOW")
            assert answer["may_send"] is True and client.get("/readyz").status_code == 200
            send = {"send": {"time": OFFER["time"], **OFFER["data"]}, "recipients": ["anna", "ben"]}
            listed = client.post("/v1/suppress", json=send).json()
            assert (listed["may_send"], listed["send_by"]) == (["anna"], answer["send_by"])
            assert [e["leading"] for e in listed["suppress"]] == ["INITIATION_UNKNOWN"]
            setting.publish([{**OFFER, **answer["event"]}])
            setting.caught_up()
            (decided,) = setting.decisions().values()
            assert shared(answer) == shared(decided)
            check(lambda r: r.json().get("leading") == "AUTHORISED_ENTITY", by="sister")
            (refused,) = client.get("/v1/clients/anna/may-send").json()["why"]
            assert refused["leading"] == "WINDOW_EXPIRED"
            worker.kill()
            setting.publish([{**OFFER, "id": "another"}])
            late = check(lambda r: r.status_code == 503)
            assert "behind the stream" in late["detail"] and late["may_send"] is False
            listed = client.post("/v1/suppress", json={**send, "recipients": ["anna"]}).json()
            assert (listed["may_send"], listed["unanswered"]) == ([], ["anna"])
            worker.start()
            check(lambda r: r.status_code == 200)
        finally:
            worker.stop()
        actions = setting.names.actions.name
        with kafka.admin() as admin:
            admin.create_partitions({actions: PARTITIONS + 2})
            check(lambda r: r.status_code == 503 and "spread over 2 partitions" in r.text)
            admin.delete_topics([actions])
            check(lambda r: r.status_code == 503 and "topics are missing" in r.text)
        kafka.create({actions: PARTITIONS}, APPEND_TIME)
        setting.publish([contacted(at="-1 d")])
        late = check(lambda r: r.status_code == 503 and "made anew" in r.text)
        assert late["may_send"] is False and client.get("/readyz").status_code == 503
        assert "gate61_checks_total" in client.get("/metrics").text


def test_nothing_is_answered_beside_a_second_partition_of_the_register(
    kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path
) -> None:
    """What stands in it is read by nobody: while the service runs and when it is started again."""
    setting = Setting(kafka, redis, prefix, tmp_path, PARTITIONS)
    places = {"GATE61_KAFKA": kafka.servers, "GATE61_REDIS": redis.url, "GATE61_PREFIX": prefix}
    worker = setting.worker()
    worker.start()
    setting.publish(TOLD)
    setting.caught_up()
    question = {"client": "anna", "time": OFFER["time"], **OFFER["data"]}
    try:
        for wide in (False, True):
            with process(command="ask", **places) as (_, where), httpx.Client(base_url=where, timeout=20) as client:
                if not wide:
                    wait_until(lambda: client.get("/readyz").status_code == 200, 20)
                    with kafka.admin() as admin:
                        admin.create_partitions({setting.names.register.name: 2})
                wait_until(lambda: "only the first is read" in client.post("/v1/check", json=question).text, 20)
                assert client.post("/v1/check", json=question).json()["may_send"] is False
                assert client.get("/readyz").status_code == 503
    finally:
        worker.stop()
