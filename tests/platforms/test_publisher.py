"""The publishing client of platforms: refuses what the gate would, keys by client, and never passes over a failure."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, NotLeaderForPartitionError
from kafka.future import Future
from kafka.partitioner import DefaultPartitioner

from streams import publisher
from streams.border.wire import FIELDS, Read
from streams.kafka.record import read_record
from streams.publisher import NotAcknowledged, Publisher, Refused, Sent, _said
from tests.promises.examples import DATA

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
OFFER = {"offer": "of-1", "service": "custody", "channel": "email", "content": "offer"}


class Producer:
    """Stands for kafka-python's: keeps what is sent, acknowledges when told."""

    last: "Producer"

    def __init__(self, **settings: Any) -> None:
        self.settings, self.sent, self.futures = settings, [], []  # type: ignore[var-annotated]
        self.refuses: Exception | None = None
        self.acknowledges, self.closed = True, False
        Producer.last = self

    def send(
        self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]], partition: int | None
    ) -> Future:
        """See KafkaProducer."""
        if self.refuses:
            raise self.refuses
        self.sent.append((topic, value, key, headers))
        self.partition = partition
        self.futures.append(Future())
        return self.futures[-1]

    def flush(self, timeout: float) -> None:
        """See KafkaProducer."""
        for future in self.futures if self.acknowledges else ():
            if not future.is_done:
                future.success(None)
        if not all(f.is_done for f in self.futures):
            raise KafkaTimeoutError(f"{timeout} s")

    def close(self, timeout: float) -> None:
        """See KafkaProducer."""
        self.closed = True


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """A publisher on a producer that keeps what is sent."""
    monkeypatch.setattr(publisher, "KafkaProducer", Producer)
    yield Publisher("k:9092", "//platform.example/offers")


def offer(gate: Publisher, id: str = "prop-1", **changes: Any) -> Any:
    """Publish an offer."""
    return gate.publish("offer.proposed", "cl-1", {**OFFER, **changes}, id=id, time=AT)


def test_the_readmes_example_publishes_what_the_gate_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that copies it has its offer judged."""
    monkeypatch.setattr(publisher, "KafkaProducer", Producer)
    code = re.search(r"test_publisher.py -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code is not None
    exec(code[1], {})
    ((topic, value, key, headers),) = Producer.last.sent
    assert (topic, key) == ("gate61.client-actions.v1", b"cl-1") and Producer.last.closed
    now = int(datetime.now(UTC).timestamp() * 1e6)
    assert isinstance(read_record(value, key, headers, (0, 1), now, 0), Read)


def test_neither_faust_nor_redis_is_needed() -> None:
    """Nothing of the worker or the services is imported."""
    code = "import sys, streams.publisher; print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert {"kafka", "msgspec"} <= found
    assert not found & {"faust", "mode", "aiokafka", "redis", "pydantic", "fastapi", "typer", "structlog"}


@pytest.mark.parametrize("name", DATA)
def test_every_event_goes_where_it_belongs(gate: Publisher, name: str) -> None:
    """Of clients keyed by client, of the register to the one partition that is read; both as the gate reads them."""
    gate.publish(name, "cl-1", DATA[name], id="e-1", time=AT)
    ((topic, value, key, headers),) = Producer.last.sent
    of_client = not name.startswith(("campaign", "entity", "asset", "product", "country"))
    assert topic == ("gate61.client-actions.v1" if of_client else "gate61.register.v1")
    assert Producer.last.partition == (None if of_client else 0)
    read = read_record(value, key, headers, (0, 1) if of_client else None, int(AT.timestamp() * 1e6), 0)
    assert isinstance(read, Read)
    assert (read.fact.source, read.fact.id, read.fact.client) == ("//platform.example/offers", "e-1", "cl-1")


def test_the_producer_is_idempotent_and_hashes_like_kafka(gate: Publisher) -> None:
    """None of it can be changed from outside; topics are not made by chance."""
    settings = Producer.last.settings
    assert settings["enable_idempotence"] is True and settings["acks"] == "all"
    assert isinstance(settings["partitioner"], DefaultPartitioner) and settings["allow_auto_create_topics"] is False
    with pytest.raises(TypeError):
        Publisher("k:9092", "//x", acks=0)


HOLDING = {"entity": "x", "relation": "independent"}


@pytest.mark.parametrize(
    ("name", "subject", "data", "time", "says"),
    [
        ("offer.proposed", "cl-1", {**OFFER, "service": "gambling"}, AT, "BAD_FIELD: `data.service`"),
        ("offer.proposed", "cl-1", {"offer": "of-1"}, AT, "BAD_FIELD: `data.service` is missing"),
        ("offer.proposed", "Anna B", OFFER, AT, "BAD_FIELD: `subject`"),
        ("offer.propsed", "cl-1", OFFER, AT, "UNKNOWN_TYPE: `offer.propsed` is no name"),
        (
            "gate61.offer.proposed.v1",
            "cl-1",
            OFFER,
            AT,
            "UNKNOWN_TYPE: `gate61.offer.proposed.v1` is no name of an event; say",
        ),
        ("offer.proposed", b"cl-1", OFFER, AT, "BAD_FIELD: `subject` is bytes and must be text"),
        ("offer.proposed", "cl-1", {**OFFER, "transaction": b"tx-001"}, AT, "BAD_FIELD: `data.transaction` is bytes"),
        ("offer.proposed", "cl-1", {**OFFER, "promotes": [{"asset": b"btc"}]}, AT, "`data.promotes[].asset` is bytes"),
        ("offer.proposed", "cl-1", OFFER, datetime(2026, 3, 2), "BAD_TIME: `time`"),
        ("offer.proposed", "cl-1", OFFER, datetime.now(UTC) + timedelta(hours=1), "FROM_THE_FUTURE: `time`"),
        ("offer.proposed", "cl-1", {**OFFER, "asset": "x" * 300_000}, AT, "TOO_LARGE: "),
        ("offer.proposed", "cl-1", {**OFFER, "asset": object()}, AT, "NOT_JSON: "),
        ("offer.proposed", "cl-1", {**OFFER, "asset": "\ud800"}, AT, "NOT_JSON: "),
        ("offer.proposed", "cl-1", {**OFFER, "promotse": []}, AT, "BAD_FIELD: `data.promotse` is no field"),
        (
            "offer.proposed",
            "cl-1",
            {**OFFER, "promotes": [{"aset": "x"}]},
            AT,
            "BAD_FIELD: `data.promotes` holds `aset`",
        ),
        ("entity.registered", "x", {**HOLDING, "holding_percent": float("nan")}, AT, "NOT_JSON: "),
        ("offer.proposed", "cl-1", {**OFFER, "promotes": [{"asset": float("-inf")}]}, AT, "NOT_JSON: "),
        ("campaign.started", "x", {"countries": {"DE", "FR"}}, AT, "NOT_JSON: `data.countries` is a set"),
        ("offer.proposed", "cl-1", {**OFFER, "promotes": [{"x": frozenset("a")}]}, AT, "`data.promotes[].x` is a set"),
        (None, "cl-1", OFFER, AT, "UNKNOWN_TYPE: the name of an event is text, not NoneType; there are "),
        ("asset.classified", "x", {"asset": "x", "kind": "other", "technology": "evm"}, AT, "`data.class` is missing"),
    ],
)
def test_what_the_gate_would_reject_or_overlook_is_not_sent(
    gate: Publisher, name: Any, subject: str, data: dict[str, Any], time: datetime, says: str
) -> None:
    """The error says why, where and what to do."""
    with pytest.raises(Refused) as refused:
        gate.publish(name, subject, data, id="e-1", time=time)
    assert says in str(refused.value) and "nothing was sent" in str(refused.value)
    assert not Producer.last.sent


def test_what_is_sent_is_bytes_and_to_an_open_publisher(gate: Publisher) -> None:
    """Said in the words of who calls, not of what it is made of."""
    for written in ("{}", {"specversion": "1.0"}):
        with pytest.raises(TypeError, match="takes an event as the bytes of its JSON, not"):
            gate.send(written)  # type: ignore[arg-type]
    gate.close()
    with pytest.raises(ValueError, match="closed"):
        offer(gate)
    assert not Producer.last.sent


def test_own_fields_pass_where_they_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate leaves them aside."""
    monkeypatch.setattr(publisher, "KafkaProducer", Producer)
    offer(Publisher("k:9092", "//x", own_fields=True), ours=1)
    assert json.loads(Producer.last.sent[0][1])["data"]["ours"] == 1


def test_times_in_data_may_be_datetimes(gate: Publisher) -> None:
    """With a zone, like everywhere."""
    data = {"indicator": "ip", "country": "DE"}
    gate.publish("client.located", "cl-1", {**data, "until": AT}, id="e-1", time=AT)
    assert json.loads(Producer.last.sent[0][1])["data"]["until"] == "2026-03-02T10:00:00Z"
    with pytest.raises(Refused, match=r"data\.until"):
        gate.publish("client.located", "cl-1", {**data, "until": datetime(2026, 3, 2)}, id="e-1", time=AT)


def test_what_failed_is_said_by_the_next_call_with_what_that_call_could_not_send(gate: Publisher) -> None:
    """Sent again, as the error says, everything has arrived."""
    offer(gate, "prop-1")
    offer(gate, "prop-2")
    Producer.last.futures[0].failure(NotLeaderForPartitionError("gone"))
    with pytest.raises(
        NotAcknowledged, match=r"2 events: `prop-1`, `prop-3` \(NotLeaderForPartitionError.*still"
    ) as lost:
        offer(gate, "prop-3")
    assert len(Producer.last.sent) == 2
    for event in lost.value.events:
        gate.send(event.value)
    assert [json.loads(s[1])["id"] for s in Producer.last.sent] == ["prop-1", "prop-2", "prop-1", "prop-3"]
    gate.flush()


def test_flush_and_close_name_what_is_still_on_its_way(gate: Publisher) -> None:
    """And leaving a `with` is a close."""
    Producer.last.acknowledges = False
    offer(gate, "prop-1")
    with pytest.raises(NotAcknowledged, match=r"`prop-1` \(still on its way\)"):
        gate.flush(1)
    with pytest.raises(NotAcknowledged) as lost, gate:
        offer(gate, "prop-2")
    assert [e.id for e in lost.value.events] == ["prop-1", "prop-2"] and Producer.last.closed
    Producer.last.acknowledges = True
    gate.close()


def test_failures_go_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is raised."""
    monkeypatch.setattr(publisher, "KafkaProducer", Producer)
    told: list[Sent] = []
    gate = Publisher("k:9092", "//x", on_failure=told.append)
    offer(gate)
    Producer.last.futures[0].failure(KafkaTimeoutError("late"))
    gate.close()
    assert [(e.id, type(e.cause)) for e in told] == [("prop-1", KafkaTimeoutError)]


def test_an_event_that_cannot_even_be_queued_is_named(gate: Publisher) -> None:
    """A topic that is not there, say."""
    Producer.last.refuses = KafkaTimeoutError("no metadata")
    with pytest.raises(NotAcknowledged, match="no metadata") as lost:
        offer(gate)
    assert lost.value.events[0].topic == "gate61.client-actions.v1"
    gate.flush()


def test_messages_hold_no_client(gate: Publisher) -> None:
    """They end in logs."""
    offer(gate)
    Producer.last.futures[0].failure(KafkaTimeoutError("late"))
    with pytest.raises(NotAcknowledged) as lost:
        gate.flush()
    assert "cl-1" not in str(lost.value)


def test_fields_are_those_of_the_contract() -> None:
    """As the examples have them, every optional one among them."""
    assert {name: set(fields) for name, fields in FIELDS.items()} == {name: set(data) for name, data in DATA.items()}


def test_a_cause_is_named_once() -> None:
    """Kafka's errors name themselves, others do not."""
    assert _said(KafkaTimeoutError("late")).count("KafkaTimeoutError") == 1
    assert _said(OSError("no route")) == "OSError: no route"
