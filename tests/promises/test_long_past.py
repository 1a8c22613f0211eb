"""A long past costs what it is long, and in order nothing of it is read (README, speed; ARCHITECTURE, known costs)."""

import json
from time import thread_time

import pytest

from gate.history import Record
from state import MemoryStore
from streams.embedded import Gate
from streams.wire import Rejected
from tests.player import POLICY
from tests.stories.telling import (
    HERE,
    Event,
    approved,
    arrived,
    asks,
    campaign,
    complaint,
    contacted,
    delivered,
    entity,
    in_order,
    located,
    offer,
    record,
)


class Watched(MemoryStore):
    """A store that counts how often a history is read."""

    asked = 0

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        self.asked += 1
        return super().history(client)


TAG = campaign("promo", at="-30 d")
RENEWED = entity("firm", "firm", at="20 min", id="renewed")
VISITS = [arrived(f"{n} min", id=f"visit-{n}", campaign="promo") for n in range(40)]
LETTERS = [contacted(f"{n} min", id=f"letter-{n}") for n in range(40)]


@pytest.mark.parametrize("past", [VISITS, [*LETTERS[:20], RENEWED, *LETTERS[20:]]], ids=["visits", "letters"])
def test_in_order_nothing_of_the_past_is_read(past: list[Event]) -> None:
    """Whoever is reached again and again by somebody who stays the same to the firm."""
    store = Watched()
    gate = Gate(POLICY, store)
    told = in_order((TAG, HERE, asks(), past))
    for event in (*told, *in_order((offer(at="1 h"), offer(at="2 h", id="again", offer="again")))):
        gate.take(json.dumps(event).encode())
    assert store.asked == 0


def _month(orders: int, at_once: bool) -> list[Event]:
    """Orders with papers, an offer after each, which is sent; at once or a second later."""
    found: list[Event] = in_order((HERE,))
    for n in range(orders):
        begin = n * 60
        found += in_order(
            (
                asks(at=f"{begin} s", id=f"asked-{n}", transaction=f"t-{n}"),
                record(f"asked-{n}", at=f"{begin + 1} s"),
                approved(f"record-asked-{n}", at=f"{begin + 2} s"),
                offer(at=f"{begin + 10} s", id=f"offer-{n}", offer=f"of-{n}", transaction=f"t-{n}"),
                delivered(at=f"{begin + (10 if at_once else 11)} s", offer=f"of-{n}"),
            )
        )
    return found


def _seconds(events: list[Event], late: Event) -> float:
    gate = Gate(POLICY, MemoryStore())
    for event in events:
        gate.take(json.dumps(event).encode())
    begun = thread_time()
    assert not isinstance(gate.take(json.dumps(late).encode()), Rejected)
    return thread_time() - begun


@pytest.mark.parametrize("late", [complaint(at="1 d", solicited_at="-1 d"), located("FR", at="-1 d")])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_late_fact_costs_what_the_past_is_long(late: Event, at_once: bool) -> None:
    """Six times the orders, some six times the work, and not thirty-six."""
    short, long = (min(_seconds(_month(orders, at_once), late) for _ in range(2)) for orders in (60, 360))
    assert long < 14 * short, (short, long)
