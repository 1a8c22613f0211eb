"""What becomes of an event is always said: no answer of the gate, or of what stands before it, is an error of the desk's."""

from typing import Any

import httpx
import pytest

from streams.feed.opening import gate_of
from streams.feed.sending import EmbeddedSender, KafkaSender
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


async def test_state_that_holds_no_number_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of how far a worker has come."""
    where = {"GATE61_KAFKA": "127.0.0.1:9", "GATE61_REDIS": "redis://127.0.0.1:9/0"}
    sender = gate_of(where, publishes=True).sender()
    assert isinstance(sender, KafkaSender)

    class Spoiled:
        async def look(self) -> None: ...

        async def of(self, _: str) -> "Spoiled":
            return self

        async def hget(self, *_: Any) -> bytes:
            return b"spoiled"

        async def close(self) -> None: ...

    monkeypatch.setattr(sender, "_publish", lambda _: (3, 17))
    monkeypatch.setattr(sender, "_redis", Spoiled())
    receipt = await sender.send(EVENT)
    assert receipt.status == "unknown" and "gate61.client-actions.v1:3 holds `spoiled`" in receipt.said
    await sender.close()
