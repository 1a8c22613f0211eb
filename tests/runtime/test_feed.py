"""The topics read on from a place, and events published through them, on a real broker with a real worker."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError
from sqlalchemy import select

from streams.desk.fold import fold
from streams.desk.running import store_at
from streams.desk.tables import said
from streams.feed import FeedTrouble, Told
from streams.feed.kafka import KafkaFeed
from streams.feed.opening import gate_of
from streams.kafka.record import partition_of
from tests.bench.load import mixed, register
from tests.feeds import LOCATED
from tests.runtime.gate import CONTENT_TYPE, Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


async def to_the_end(feed: KafkaFeed) -> list[Told]:
    found: list[Told] = []
    while new := await feed.next(1.0):
        found += new
    return found


async def test_everything_is_told_once_from_any_place_and_what_is_sent_is_done_when_the_gate_has_taken_it(
    setting: Setting,
) -> None:
    worker = setting.worker()
    worker.start()
    setting.publish(line.encode() for line in [*register(), *mixed(50)])
    setting.caught_up()
    gate = gate_of(worker.settings, publishes=True)
    feed, sender = gate.feed(), gate.sender()
    assert isinstance(feed, KafkaFeed)
    await feed.start({})
    told = await to_the_end(feed)
    kinds = [t.kind for t in told]
    assert kinds.count("action") == 500 and kinds.count("register") == 9 and kinds.count("decision") >= 100
    assert {h.behind for h in await feed.health()} == {0}
    ends = await feed.ends()
    assert {log: ends[log] for log in {t.log for t in told}} == {t.log: t.offset + 1 for t in told}
    places: dict[str, int] = {}
    for each in told[:300]:
        places[each.log] = each.offset + 1
    again = gate.feed()
    await again.start(places)
    rest = await to_the_end(again)  # type: ignore[arg-type]
    assert {(t.log, t.offset) for t in told[:300]}.isdisjoint((t.log, t.offset) for t in rest)
    assert len(rest) == len(told) - 300
    assert (await sender.send(LOCATED)).status == "taken"
    assert [t.event["id"] for t in await feed.next(5)] == ["desk-1"]
    refused = await sender.send({**LOCATED, "id": "desk-2", "data": {"indicator": "nose"}})
    assert refused.status == "rejected" and "indicator" in refused.said
    worker.pause()
    late = asyncio.create_task(sender.send({**LOCATED, "id": "desk-3"}))
    await asyncio.sleep(1)
    assert not late.done()
    worker.resume()
    assert (await late).status == "taken"
    await feed.close()
    await again.close()
    await sender.close()
    assert worker.stop() == 0


async def test_what_the_gate_rejects_is_told_as_rejected_alone_and_a_desk_reads_on(setting: Setting) -> None:
    """Of each reason one; and an event in binary mode needs no content type."""
    worker = setting.worker()
    worker.start()
    lines = [*register(), *mixed(20)]
    setting.publish(line.encode() for line in lines)
    names, offer = setting.names, json.loads(next(line for line in lines if "offer.proposed" in line))
    client = offer["subject"].encode()
    number = partition_of(client, 4)
    told = {name: value for name, value in offer.items() if name not in ("id", "data")}
    odd: list[dict[str, Any]] = [
        {**offer, "id": "bad-time", "time": "yesterday"},
        {**offer, "id": "future", "time": "2999-01-01T00:00:00Z"},
        {**told, "id": "no-data"},
        {**offer, "id": "no-client", "subject": None},
        {**offer, "id": "bad-field", "data": {**offer["data"], "service": 7}},
        {**offer, "data": {**offer["data"], "offer": "reused"}},
        {**json.loads(lines[0]), "id": "of-the-register"},
    ]
    values = [json.dumps(each).encode() for each in odd] + [b"no", b"[1]", json.dumps(offer)[:-1].encode()]
    sent = [(names.actions.name, value, client, number, [CONTENT_TYPE]) for value in values]
    sent += [(names.actions.name, values[0], client, (number + 1) % 4, [CONTENT_TYPE])]
    sent += [(names.register.name, json.dumps({**offer, "id": "of-a-client"}).encode(), None, 0, [CONTENT_TYPE])]
    headers = [(f"ce_{name}", str(value).encode()) for name, value in told.items() if name != "datacontenttype"]
    data = json.dumps({**offer["data"], "offer": "binary"}).encode()
    sent += [(names.actions.name, data, client, number, [*headers, ("ce_id", b"binary")])]
    for topic, value, key, partition, beside in sent:
        setting.producer.send(topic, value, key=key, partition=partition, headers=beside).get(30)
    setting.caught_up()
    feed = gate_of(worker.settings).feed()
    engine = store_at(f"sqlite:///{setting.folder}/desk.db")
    await feed.start({})
    found = await to_the_end(feed)  # type: ignore[arg-type]
    fold(engine, found)
    kinds = Counter(t.kind for t in found)
    assert (kinds["action"], kinds["register"], kinds["rejected"]) == (202, 9, len(sent) - 1)
    assert {t.event["id"] for t in found if t.kind == "action"} >= {"binary"}
    with engine.connect() as connection:
        (known,) = connection.execute(select(said.c.body).where(said.c.id == offer["id"])).all()
    assert json.loads(known.body)["data"]["offer"] == offer["data"]["offer"]
    await feed.close()
    assert worker.stop() == 0


async def test_a_broker_that_is_away_or_has_no_topics_is_said(setting: Setting) -> None:
    away = gate_of({"GATE61_KAFKA": "127.0.0.1:9"}).feed()
    await away.start({})
    with pytest.raises(FeedTrouble, match="cannot be read"):
        await away.next(0.1)
    empty = gate_of({"GATE61_KAFKA": setting.kafka.servers, "GATE61_PREFIX": "nobody."}).feed()
    await empty.start({})
    with pytest.raises(FeedTrouble, match="gate61 topics apply"):
        await empty.next(0.1)
    with setting.kafka.admin() as admin:
        assert not [topic for topic in admin.list_topics() if topic.startswith("nobody.")], "asking makes none"


async def test_who_hears_no_broker_says_so_and_comes_to_them_anew(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's client waits without an error, for ever where it knows only addresses that brokers have no more."""
    monkeypatch.setattr("streams.feed.kafka.SILENT_SECONDS", 1.0)
    monkeypatch.setattr("streams.feed.kafka.ASKED_SECONDS", 2.0)
    feed = gate_of({"GATE61_KAFKA": setting.kafka.servers, "GATE61_PREFIX": setting.prefix}).feed()
    assert isinstance(feed, KafkaFeed)
    await feed.start({})
    for _ in range(3):
        assert await feed.next(0.7) == [], "there is nothing, which is no trouble"
    consumer = feed._consumer
    assert consumer is not None
    known = consumer._client.cluster._brokers
    for id, broker in known.items():
        known[id] = broker._replace(port=1)
    for connected in consumer._client._conns.values():
        connected.close()
    with pytest.raises(FeedTrouble, match="cannot be read"):
        for _ in range(10):
            await feed.next(0.7)
    setting.publish([LOCATED])
    assert [told.event["id"] for told in await feed.next(10)] == [LOCATED["id"]]
    await feed.close()


async def test_a_log_that_is_another_is_read_no_further_however_far_it_has_come(setting: Setting) -> None:
    """What it says at offsets that were read would be passed over: also by who had read on, or starts again."""
    cases = setting.names.cases.name
    for n in range(5):
        setting.producer.send(cases, _case(n), b"anna", [CONTENT_TYPE], partition=0).get(20)
    gate = gate_of({"GATE61_KAFKA": setting.kafka.servers, "GATE61_PREFIX": setting.prefix})
    feed, again = gate.feed(), gate.feed()
    assert isinstance(feed, KafkaFeed) and isinstance(again, KafkaFeed)
    await feed.start({})
    told = (await to_the_end(feed))[-1]
    places, marks = {told.log: told.offset + 1}, {told.log: told.mark}
    await again.start(places, marks)
    assert await to_the_end(again) == []
    await again.start(places, {told.log: "another"})
    with pytest.raises(FeedTrouble, match="holds another record at offset 4"):
        await again.next(1)
    await again.start({told.log: 9}, marks)
    with pytest.raises(FeedTrouble, match="ends at offset 5"):
        await again.next(1)
    with setting.kafka.admin() as admin:
        admin.delete_topics([cases])
    wait_until(lambda: _made_anew(setting, cases), 30)
    await asyncio.sleep(1.5)
    producer = KafkaProducer(bootstrap_servers=setting.kafka.servers, acks="all")
    for n in range(9):
        producer.send(cases, _case(n + 100), b"anna", [CONTENT_TYPE], partition=0).get(20)
    producer.close()
    for what in ("cannot be read", "holds another record at offset 4"):  # It may first have met a log that was shorter.
        with pytest.raises(FeedTrouble, match=what):
            await to_the_end(feed)
    for each in (feed, again):
        await each.close()


def _made_anew(setting: Setting, topic: str) -> bool:
    """Brokers take a moment to remove a topic."""
    try:
        setting.kafka.create({topic: setting.partitions})
    except KafkaError:
        return False
    return True


def _case(n: int) -> bytes:
    event = {"specversion": "1.0", "id": f"case-{n}", "source": "//gate", "type": "gate61.case.opened.v1"}
    event |= {"subject": "anna", "time": "2026-03-02T09:00:00Z"}
    return json.dumps({**event, "data": {"case": f"case-{n}", "why": "EXPOSURE", "said": "", "facts": []}}).encode()
