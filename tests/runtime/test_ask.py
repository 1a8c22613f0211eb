"""The ask service over what a worker remembers in a real Redis: the answer that the worker would give, or none."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import pytest
from redis import Redis as Client
from redis.asyncio import Redis as AsyncClient

from gate.facts import Fact, Instant
from state.redis_reader import RedisReader
from state.redis_store import RedisStore
from streams.ask.check import SOURCE, answer_to, question, told
from streams.ask.over_redis import OverRedis
from streams.ask.reader import Seen, Unreadable
from streams.ask.stream import Behind
from streams.kafka_record import partition_of
from streams.policy_file import DEFAULT
from streams.wire import instant
from streams.worker.following import Followed
from streams.worker.merge import Log
from streams.worker.outputs import CONTENT_TYPE, DECISIONS
from streams.worker.partition import Partition
from tests.promises.histories import History, history
from tests.runtime.gate import Setting
from tests.runtime.kafka import Kafka
from tests.runtime.redis import Redis
from tests.serving.service import process
from tests.serving.test_check import questions
from tests.serving.test_events import OFFER, TOLD
from tests.simulation.run import OF_REGISTER
from tests.simulation.world import Record
from tests.stories.telling import asset, clean_client, contacted, entity, in_order

PARTITIONS = 2
LAG = 30.0


class Worker:
    """The partitions of a worker, driven by hand over a real Redis; it is the reader's stream as well."""

    partitions = PARTITIONS

    def __init__(self, client: Client, topic: str) -> None:
        self.followed = Followed()
        self.why = ""
        self.late = 0.0
        self.offsets: Counter[int] = Counter()
        self.now: Instant = 0
        self.put(Log.POLICY, DEFAULT.read_bytes())
        self._partitions = [
            Partition(n, PARTITIONS, self.followed, RedisStore(client, f"{topic}:{n}", cached=2), "0")  # type: ignore[arg-type]
            for n in range(PARTITIONS)
        ]
        for partition in self._partitions:
            partition.assume()
            assert partition.open()
        self.work()

    def trouble(self) -> str:
        return self.why

    def behind(self, partition: int, next_offset: int | None) -> float:
        return self.late

    def put(self, log: Log, value: bytes) -> None:
        """A record of the register or of policies, which the partitions have not seen yet."""
        record = Record(log.name, 0, self.offsets[-log - 1], self.now // 1000, None, value, (CONTENT_TYPE,))
        self.offsets[-log - 1] += 1
        self.followed.add(log, record)

    def append(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """An event arrives at its recorded time; the decisions that follow. The register's are only put there."""
        stated = [instant(event[k]) for k in ("time", "recordedtime") if isinstance(event.get(k), str)]
        self.now = max(self.now + 1000, *(-(-t // 1000) * 1000 for t in stated))
        line = json.dumps(event).encode()
        if event["type"].removeprefix("gate61.").startswith(OF_REGISTER):
            self.put(Log.REGISTER, line)
            return []
        key = event["subject"].encode()
        number = partition_of(key, PARTITIONS)
        record = Record("actions", number, self.offsets[number], self.now // 1000, key, line, (CONTENT_TYPE,))
        self.offsets[number] += 1
        return self.work(number, record)

    def work(self, number: int = 0, *records: Record) -> list[dict[str, Any]]:
        """All partitions do what there is to do; what partition `number` decided."""
        found = []
        for n, partition in enumerate(self._partitions):
            taken = records if n == number else ()
            partition.read(taken, self.offsets[n], (), 0)
            outputs = partition.work([*self.followed.read, 0, self.offsets[n]], self.now)
            if n == number:
                found = [json.loads(o.value or b"") for o in outputs if o.topic == DECISIONS]
        return [e["data"] for e in found]


@pytest.fixture
def client(redis: Redis) -> Iterator[Client]:
    """An empty Redis."""
    with redis.client() as made:
        made.flushall()
        yield made


async def ask_over(url: str, worker: Worker, offer: Fact, lag: float = LAG) -> dict[str, Any]:
    """The answer to a question, as it goes out."""
    state = RedisReader(AsyncClient.from_url(url, socket_timeout=2), "actions")

    def judge(seen: Seen) -> dict[str, Any] | None:
        answer = answer_to(offer, seen)
        return None if answer is None else told(answer, seen, worker.now)

    try:
        found: dict[str, Any] = json.loads(
            msgspec.json.encode(await OverRedis(worker, state, lag).ask(offer.client, judge))
        )
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
    worker.late, worker.why = 0.0, "Kafka is away"
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
        with pytest.raises(Unreadable, match="Redis cannot be read"):
            asked(server.url, worker, OFFER)
        server.resume()
        assert asked(server.url, worker, OFFER)["may_send"] is True
        server.kill()
        with pytest.raises(Unreadable, match="Redis cannot be read"):
            asked(server.url, worker, OFFER)
        server.start()
        assert asked(server.url, worker, OFFER)["may_send"] is True
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
            worker.start()
            check(lambda r: r.status_code == 200)
        finally:
            worker.stop()
        assert "gate61_checks_total" in client.get("/metrics").text
