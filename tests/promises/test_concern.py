"""A change of the register that reaches back: many of them cost little, and what is kept to that end changes nothing.

`GATE61_TIERS` sets how many seeds.
"""

import json
import os
from typing import Any

import pytest

import gate.trimming
import streams.index
from state.codec import dossier_to_bytes
from streams.embedded import Gate
from streams.index import Index
from tests.player import POLICY, Watched, codes, play
from tests.promises.histories import history
from tests.promises.test_two_tiers import cutting
from tests.stories.telling import Event, arrived, asset, clean_client, entity, in_order, offer

SEEDS = range(int(os.environ.get("GATE61_TIERS", "200")))
BUSY: list[Event] = in_order(
    [
        clean_client(),
        *(offer(at=f"2 h + {n} s", id=f"o{n}", offer=f"o{n}") for n in range(3 * gate.trimming.KEPT_OFFERS)),
    ]
)
"""A client of whom more was cut than is kept."""


class Told:
    """An embedded gate that is told one event after the other."""

    def __init__(self, *events: Event) -> None:
        self.store = Watched()
        self._gate = Gate(POLICY, self.store)
        for event in events:
            self.takes(event)
        self.store.asked = 0

    def takes(self, event: Event) -> list[Any]:
        """What comes out."""
        taken = self._gate.take(json.dumps(event).encode())
        assert isinstance(taken, list)
        return [json.loads(self._gate.line_of(effect)) for effect in taken]


def test_a_past_is_read_once_for_all_that_it_does_not_lean_on() -> None:
    """However many changes come, and again only once something has happened to the client."""
    told = Told(*BUSY)
    for n in range(20):
        assert not told.takes(asset(f"coin{n}", at="-1 d"))
    assert told.store.asked == 1
    told.takes(offer(at="3 h", id="next", offer="next"))
    for n in range(20):
        assert not told.takes(asset(f"other{n}", at="-1 d"))
    assert told.store.asked == 2


def test_who_is_not_concerned_is_left_as_he_was() -> None:
    """Also where his past was read to find that out, which a start or another client may bring about."""
    told = Told(*BUSY)
    before = dossier_to_bytes(told.store.dossier("anna"))
    told.takes(asset("coin", at="-1 d"))
    assert told.store.asked == 1 and dossier_to_bytes(told.store.dossier("anna")) == before


@pytest.mark.parametrize(
    "late",
    [
        asset("btc", at="1 h", id="late", class_="deposit"),
        entity("pal", "affiliate", at="-1 d"),
    ],
    ids=["an asset that was offered", "who reached him"],
)
def test_what_a_past_leans_on_is_found_all_the_same(late: Event) -> None:
    """After others that it does not lean on; of all that was answered nothing is kept but a few."""
    told = Told(arrived(via="pal", at="-2 h"), *BUSY)
    told.takes(asset("coin", at="-1 d"))
    again = [e["data"] for e in told.takes(late) if e["type"] == "gate61.offer.decided.v1"]
    assert {a["offer"] for a in again} == {f"o{n}" for n in range(3 * gate.trimming.KEPT_OFFERS)}
    assert all(a["verdict"] == "block" for a in again), codes(again[0])


def everything(events: list[Event]) -> tuple[list[Any], dict[str, bytes]]:
    """What comes out, and the state that is left."""
    store = Watched()
    played = play(events, store)
    return played.out, {d.client: dossier_to_bytes(d) for d in store.dossiers()}


@pytest.mark.parametrize("kept", [(4, 24, 48, 16), (4, 2, 2, 2)], ids=["as shipped", "cut to almost nothing"])
def test_what_is_kept_ready_changes_nothing(kept: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes come out and are left where nothing is, as after a start."""
    cutting(monkeypatch, kept)
    forgotten = 0

    def forgets(*_: Any) -> None:
        nonlocal forgotten
        forgotten += 1

    for seed in SEEDS:
        events = [*history(seed), *(e | {"id": f"{e['id']}-again"} for e in history(seed) if "classified" in e["type"])]
        ready = everything(events)
        with monkeypatch.context() as anew:
            anew.setattr(Index, "leans", forgets)
            assert everything(events) == ready, f"seed {seed}"
    assert forgotten > len(SEEDS), forgotten


def test_what_is_kept_ready_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whom it would be too much, others are forgotten, and found out anew."""
    monkeypatch.setattr(streams.index, "LEANINGS", 10)
    index = Index(1)
    for n in range(100):
        index.leans(f"c{n % 7}", tuple(f"a:{m}" for m in range(n % 5)))
        known = {client: index.leanings(client) for client in (f"c{m}" for m in range(7))}
        assert sum(len(leanings or ()) for leanings in known.values()) <= 10
        assert known[f"c{n % 7}"] == tuple(f"a:{m}" for m in range(n % 5))
