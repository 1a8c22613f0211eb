"""What is published after an error, by doubles of Kafka's producer."""

from asyncio import Future, create_task, get_running_loop, sleep, wait, wait_for
from collections import Counter
from collections.abc import Coroutine
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerClosed,
)

from streams.kafka.topics import topics
from streams.worker.outputs import CASES, DECISIONS, FLAGGED, NOTICES, Output
from streams.worker.publishing import KafkaPublisher, Sender
from tests.until import until


class _Where(NamedTuple):
    offset: int


class _Batch:
    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(self, *, value: bytes, **_: Any) -> Any:
        if len(self.values) == 3:
            return None
        self.values.append(value)
        return self

    def record_count(self) -> int:
        return len(self.values)


class Broker:
    """A producer, and what replaces one that failed; `refused` is what it does not take."""

    def __init__(self) -> None:
        self.logs: dict[str, list[bytes]] = {}
        self.refused: set[bytes] = set()
        self.producer: Any = self

    def create_batch(self) -> _Batch:
        return _Batch()

    async def send_batch(self, batch: _Batch, topic: str, partition: int) -> "Future[_Where]":
        sent: Future[_Where] = get_running_loop().create_future()
        log = self.logs.setdefault(topic, [])
        if self.refused & {*batch.values}:
            get_running_loop().call_soon(sent.set_exception, MessageSizeTooLargeError())
        else:
            get_running_loop().call_soon(sent.set_result, _Where(len(log)))
            log += batch.values
        return sent

    async def replace(self, failed: object) -> None:
        assert failed is self

    async def while_it_lasts(self, publishing: Coroutine[Any, Any, Any]) -> Any:
        return await publishing


class Silent(Broker):
    """A producer that waits for ever to be told of some topics, also after it was stopped."""

    def __init__(self, unknown: str) -> None:
        super().__init__()
        self.unknown = unknown
        self.waits = self.stopped = False

    async def send_batch(self, batch: _Batch, topic: str, partition: int) -> "Future[_Where]":
        if topic == self.unknown:
            self.waits = True
            await get_running_loop().create_future()
        return await super().send_batch(batch, topic, partition)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True


def output(topic: int, number: int) -> Output:
    return Output(topic, 0, b"key", b"%d of %d" % (number, topic))


async def test_what_was_acknowledged_is_not_published_again_for_the_rest() -> None:
    """However often it is tried: else one record that is refused fills the topics with copies of the others."""
    broker, names = Broker(), topics()
    publisher = KafkaPublisher(broker, names)  # type: ignore[arg-type]
    outbox = [output(topic, n) for n in range(8) for topic in (DECISIONS, FLAGGED, CASES)]
    broker.refused = {output(CASES, 4).value or b""}
    for _ in range(5):
        with pytest.raises(KafkaError):
            await publisher.publish(outbox)
    assert len(broker.logs[names.decisions.name]) == len(broker.logs[names.flagged.name]) == 8
    broker.refused = set()
    await publisher.publish(outbox)
    for name in (names.decisions.name, names.flagged.name):
        assert Counter(broker.logs[name]).most_common(1)[0][1] == 1
    assert {*broker.logs[names.cases.name]} == {output(CASES, n).value for n in range(8)}
    assert broker.logs[names.cases.name].count(b"0 of %d" % CASES) == 1
    assert await publisher.publish([output(DECISIONS, n) for n in range(8, 12)]) == 12
    assert await publisher.publish(outbox) == 20, "what was published whole is new when it comes again"


async def test_another_outbox_is_published_whole() -> None:
    """After an error somebody else may have gone on; what he left is compared by its bytes."""
    broker, names = Broker(), topics()
    publisher = KafkaPublisher(broker, names)  # type: ignore[arg-type]
    broker.refused = {output(CASES, 0).value or b""}
    with pytest.raises(KafkaError):
        await publisher.publish([output(DECISIONS, 1), output(DECISIONS, 2), output(CASES, 0)])
    await publisher.publish([output(DECISIONS, 2), output(DECISIONS, 3)])
    assert broker.logs[names.decisions.name] == [output(DECISIONS, n).value for n in (1, 2, 2, 3)]


async def test_who_waits_for_a_producer_that_was_replaced_publishes_by_the_next() -> None:
    """And only what is not known to be kept; whoever had the error did not know of him."""
    names = topics()
    silent, next_ = Silent(names.notices.name), Broker()
    made = iter([silent, next_])
    next_.start = silent.start  # type: ignore[attr-defined]
    sender = Sender(lambda: next(made))
    publisher = KafkaPublisher(sender, names)
    outbox = [output(DECISIONS, 1), output(NOTICES, 1)]
    waiting = create_task(publisher.publish(outbox))
    await until(lambda: silent.waits)
    await sender.replace(silent)
    with pytest.raises(ProducerClosed):
        await wait_for(waiting, 5)
    assert silent.stopped and sender.producer is next_
    await publisher.publish(outbox)
    assert next_.logs == {names.notices.name: [output(NOTICES, 1).value]}


async def test_who_finds_that_there_is_no_other_producer_finds_it_for_all_who_wait() -> None:
    """With all partitions of a worker it would take half an hour, each trying again by itself; the next time it is tried."""
    made: list[Unreachable] = []

    def unreachable() -> Any:
        made.append(Unreachable(topics().notices.name))
        return made[-1]

    sender = Sender(unreachable)
    first = sender.producer
    for tries in (2, 3):
        waiting = [create_task(sender.replace(first)) for _ in range(4)]
        await wait_for(wait(waiting), 5)
        assert all(isinstance(task.exception(), KafkaConnectionError) for task in waiting)
        assert len(made) == tries and sender.producer is first


class Unreachable(Silent):
    """A producer that takes its time to find that no broker answers."""

    async def start(self) -> None:
        await sleep(0.05)
        raise KafkaConnectionError("no broker")


async def test_no_publishing_lasts_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Kafka's client waits for: the partition says so, and tries by another producer."""
    monkeypatch.setattr("streams.worker.publishing.PUBLISH_SECONDS", 0.1)
    names, next_ = topics(), Broker()
    made = iter([silent := Silent(names.notices.name), next_])
    next_.start = silent.start  # type: ignore[attr-defined]
    publisher = KafkaPublisher(Sender(lambda: next(made)), names)
    with pytest.raises(KafkaTimeoutError, match="Kafka has not acknowledged what was published"):
        await wait_for(publisher.publish([output(NOTICES, 1)]), 5)
    await publisher.publish([output(NOTICES, 1)])
    assert next_.logs == {names.notices.name: [output(NOTICES, 1).value]}
