"""A question about a busy client costs what his past is long, and is bounded in what it asks the gate."""

import json
from time import thread_time
from typing import Any

import pytest

from gate.known import Known
from gate.policy import SECOND
from gate.rules import BESIDE_REQUEST
from state import MemoryStore
from streams.ask import lawful
from streams.ask.check import answer_to, question
from streams.ask.reader import ReadUpTo, Seen
from streams.embedded import Gate
from tests.player import POLICY
from tests.stories.telling import HERE, approved, asks, asset, in_order, located, record, search


def _orders(many: int, transaction: str | None = None) -> Gate:
    """So many proven requests within minutes, and fifty assets of one type."""
    gate = Gate(POLICY, MemoryStore())
    assets = [asset(f"like-{n:02}") for n in range(50)]
    rounds = (
        (
            asks(at=f"{n} s", id=f"asked-{n}", transaction=transaction or f"t-{n}"),
            record(f"asked-{n}", at=f"{n} s"),
            search(f"asked-{n}", at=f"{n} s"),
            *(approved(f"{paper}-asked-{n}", at=f"{n} s") for paper in ("record", "search")),
        )
        for n in range(many)
    )
    for event in in_order((HERE, assets, *(e for each in rounds for e in each), located(at=f"{many} s"))):
        gate.take(json.dumps(event).encode())
    return gate


def _seen(gate: Gate) -> Seen:
    known = Known(gate.store.dossier("anna"), gate.register)
    return Seen(known, POLICY, ReadUpTo(None, 1, None), gate.store.history("anna"))


def _may_send(gate: Gate) -> dict[str, Any]:
    now = gate.store.dossier("anna").horizon + SECOND
    told = lawful.may_send("anna", now, _seen(gate))
    assert told is not None
    return told


def _took(gate: Gate) -> float:
    begun = thread_time()
    _may_send(gate)
    return thread_time() - begun


def test_more_requests_than_are_looked_at_cost_only_their_past() -> None:
    """Who sends orders all day is no reason for others to wait."""
    few, many = (min(_took(gate) for _ in range(3)) for gate in (_orders(100), _orders(400)))
    assert many < 2.5 * few, (few, many)


def test_what_is_like_his_requests_is_asked_for_so_often_and_the_rest_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request itself is asked about all the same, and what is left out is not lawful to send."""
    gate = _orders(3)
    every = _may_send(gate)
    monkeypatch.setattr(lawful, "LIKE", 60)
    some = _may_send(gate)
    like = [entry for entry in some["may_send"] if entry["kind"] == "same_type"]
    assert (every["more"], some["more"], len(like)) == (False, True, 60)
    assert len([e for e in some["may_send"] if e["kind"] == "requested"]) == 3
    assert [e for e in every["may_send"] if e in some["may_send"]] == some["may_send"]


def test_what_several_requests_ask_for_alike_is_compared_once_with_each_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An offer of many things, in a transaction of many requests."""
    gate, compared = _orders(60, "t"), [0]

    def counted(_: object) -> None:
        compared[0] += 1

    monkeypatch.setattr("gate.decision.BESIDE_REQUEST", (*BESIDE_REQUEST, counted))
    offered: dict[str, Any] = {
        "client": "anna",
        "service": "exchange_funds",
        "channel": "email",
        "content": "offer",
        "transaction": "t",
    }
    offered["promotes"] = [{"asset": f"x{n}"} for n in range(50)]
    offer = question(json.dumps(offered).encode(), gate.store.dossier("anna").horizon + SECOND)
    assert answer_to(offer, _seen(gate)) is not None
    assert compared == [51]
