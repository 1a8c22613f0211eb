"""What becomes of an event is always said: no answer of the gate, or of what stands before it, is an error of the desk's."""

import asyncio
import logging
from typing import Any

import httpx
import pytest

from streams.feed.opening import gate_of
from streams.feed.sending import EmbeddedSender, KafkaSender
from tests.feeds import LOCATED
from tests.runtime.process import free_port
from tests.serving.service import HERE

EVENT = {"specversion": "1.0", "id": "desk-1"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"[]"),
        (502, b'[{"status": "taken"}]'),
        (200, b"<html>"),
        (200, b""),
        (200, b"null"),
        (200, b"\xff"),
        (200, b"[" * 100_000),
        (200, b'{"results": 7}'),
        (200, b'{"results": ["taken"]}'),
        (200, b'{"results": [{"status": "wonderful"}]}'),
        (200, b'{"results": [{}]}'),
        (503, b'{"title": "no", "detail": "later"}'),
        (503, b'{"results": []}'),
    ],
)
async def test_whatever_answers_in_the_place_of_the_gate_the_event_may_be_sent_again(status: int, body: bytes) -> None:
    sender = EmbeddedSender(HERE, transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body)))
    receipt = await sender.send(EVENT)
    assert receipt.status == "unknown" and str(status) in receipt.said and "send it again" in receipt.said
    await sender.close()


def over_kafka(port: int = 9) -> KafkaSender:
    """To brokers and a Redis that are not there."""
    where = {"GATE61_KAFKA": f"127.0.0.1:{port}", "GATE61_REDIS": f"redis://127.0.0.1:{port}/0"}
    sender = gate_of(where, publishes=True).sender()
    assert isinstance(sender, KafkaSender)
    return sender


async def test_acts_that_wait_for_kafka_hold_up_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page asks the store for its session in the threads that all share; each act is told in time, not in turn."""
    monkeypatch.setattr("streams.feed.sending.SECONDS", 2.0)
    monkeypatch.setattr("streams.feed.sending.EACH_SECONDS", 1.5)
    monkeypatch.setattr(logging.getLogger("kafka"), "propagate", False)
    sender, clock = over_kafka(free_port()), asyncio.get_running_loop().time
    begun = clock()
    acts = [asyncio.create_task(sender.send({**LOCATED, "id": f"desk-{n}"})) for n in range(40)]
    await asyncio.sleep(0.1)
    asked = clock()
    await asyncio.to_thread(lambda: None)
    assert clock() - asked < 1
    receipts = await asyncio.gather(*acts)
    assert clock() - begun < 6
    assert {receipt.status for receipt in receipts} == {"unknown"}
    assert "does not answer" in receipts[0].said and "within 2 s Kafka has not taken it" in receipts[-1].said
    await sender.close()


class Beside:
    """A Redis that says how far a worker has come, after so many seconds."""

    def __init__(self, said: bytes, seconds: float = 0.0) -> None:
        self._said, self._seconds = said, seconds

    async def look(self) -> None: ...

    async def of(self, _: str) -> "Beside":
        return self

    async def hget(self, *_: Any) -> bytes:
        await asyncio.sleep(self._seconds)
        return self._said

    async def close(self) -> None: ...


async def test_a_worker_that_does_not_come_is_said_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow Redis is besides."""
    monkeypatch.setattr("streams.feed.sending.SECONDS", 0.2)
    sender = over_kafka()
    monkeypatch.setattr(sender, "_publish", lambda _: (3, 17))
    monkeypatch.setattr(sender, "_redis", Beside(b"17", 0.15))
    async with asyncio.timeout(5):
        receipt = await sender.send(EVENT)
    assert receipt.status == "unknown" and "within 0.2 s no worker is known to have read it" in receipt.said
    await sender.close()


async def test_state_that_holds_no_number_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of how far a worker has come."""
    sender = over_kafka()
    monkeypatch.setattr(sender, "_publish", lambda _: (3, 17))
    monkeypatch.setattr(sender, "_redis", Beside(b"spoiled"))
    receipt = await sender.send(EVENT)
    assert receipt.status == "unknown" and "gate61.client-actions.v1:3 holds `spoiled`" in receipt.said
    await sender.close()
