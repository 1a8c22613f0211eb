"""One case a campaign that fell into open scopes (judging section 6): in any order, and costing what is told anew."""

import json
import tracemalloc
from itertools import permutations
from random import Random

import pytest

from gate.effects import Case
from gate.policy import DAY, HOUR
from state import MemoryStore
from streams.border.wire import Rejected
from streams.clients import Told
from streams.embedded import Gate
from streams.index import Index
from tests.player import POLICY, play
from tests.promises.working import calls
from tests.stories.telling import Event, asks, campaign, country, entity, located, offer


class Asked(MemoryStore):
    """A store that counts how often it is asked for a note: over Redis each is a round trip."""

    asked = 0

    def noted(self, name: str) -> bytes | None:
        """See `Store`."""
        self.asked += 1
        return super().noted(name)


MOVED = located("ES", "ip", at="9 d")
ASKED_LATE = asks(at="1 min", id="late", service="custody", transaction="t2")


@pytest.mark.parametrize("late", [MOVED, ASKED_LATE], ids=["located in a new country", "asked late"])
@pytest.mark.parametrize("countries", [["FR"], ["DE"]], ids=["elsewhere", "that are told"])
def test_who_moves_or_asks_late_pays_for_no_campaign_that_he_does_not_add(late: Event, countries: list[str]) -> None:
    """However many began since his first scope; and nothing stored is asked for."""

    def work(many: int) -> int:
        gate = Gate(POLICY, store := Asked())
        ads = [campaign(f"ads-{n}", f"{n + 2} min", countries=countries) for n in range(many)]
        for event in (entity("firm", "firm"), located(), asks(), *ads, offer(at="8 d")):
            gate.take(json.dumps(event).encode())
        store.asked, line = 0, json.dumps(late).encode()
        done = calls(lambda: gate.take(line))
        assert store.asked == 0
        return done

    few, very_many = work(20), work(1000)
    assert very_many < few + 100, (few, very_many)


def _exposed(*told: Event) -> list[str]:
    """The campaigns of whose cases it is told."""
    out = play([entity("firm", "firm"), *told]).out
    return sorted(e["data"]["said"] for e in out if e["data"].get("why") == "EXPOSURE")


def test_in_any_order_the_same_campaigns_have_cases() -> None:
    """Whatever comes last: the campaign, the request, where the client is, or that his country is in scope."""
    told = [campaign("swiss", at="1 h", countries=["CH"]), asks(), located("CH"), country("CH", in_scope=True)]
    for order in permutations(told):
        assert _exposed(*order) == ["campaign `swiss` reached clients with open scopes"], [e["type"] for e in order]


def test_a_country_in_scope_too_late_exposes_nobody() -> None:
    """Nor one that leaves it, nor one where nobody's scope was open."""
    told = [campaign("swiss", at="1 h", countries=["CH"]), asks(), located("CH")]
    assert _exposed(*told, country("CH", in_scope=True, at="1 h + 1 us")) == []
    assert _exposed(*told, country("CH", in_scope=False)) == []
    assert _exposed(*told, country("LI", in_scope=True)) == []
    assert _exposed(*told, country("CH", in_scope=True, at="1 h")) != []


def test_between_his_scopes_a_campaign_exposes_nobody() -> None:
    """What began while none of them was open, of a client who is found to have been there."""
    scopes = [asks(), asks(at="5 d", id="next", transaction="t2"), asks(at="40 d", id="last", transaction="t3")]
    ads = [campaign(f"c{n}", at=at, countries=["ES"]) for n, at in enumerate(["0 d", "1 d", "11 d", "15 d", "41 d"])]
    told = _exposed(located(), *scopes, *ads, located("ES", "ip", at="50 d"))
    assert told == [f"campaign `c{n}` reached clients with open scopes" for n in (1, 2, 4)]


def taken(gate: Gate, event: Event) -> list[Told]:
    """What follows from an event that is taken."""
    effects = gate.take(json.dumps(event).encode())
    assert not isinstance(effects, Rejected)
    return effects


def test_a_case_is_opened_once_by_whoever_takes_the_store_over() -> None:
    """What was told is known from what was noted."""
    told = [entity("firm", "firm"), located(), asks(), campaign("ads", at="1 h")]
    store = MemoryStore()
    first = Gate(POLICY, store)
    found = [effect for event in told for effect in taken(first, event)]
    second = Gate(POLICY, store)
    again = [campaign("ads", at="2 h", id="v2"), located("FR", "ip"), campaign("new", at="3 h", countries=["FR"])]
    later = [effect for event in again for effect in taken(second, event)]
    said = [[e.facts for e in effects if isinstance(e, Case)] for effects in (found, later)]
    assert said == [[(told[-1]["id"],)], [(again[-1]["id"],)]]


@pytest.mark.parametrize("seed", range(30))
def test_whether_a_scope_is_open_is_known_to_the_microsecond_of_any_time(seed: int) -> None:
    """Though of many only the first and the last are held; limits and scopes that lie just so among them."""
    random = Random(seed)
    limit = random.choice([1, 2, 7, 50])
    index, opened = Index(limit), sorted(random.randrange(-100, 100) for _ in range(random.choice([1, 5, 40])))
    for at in random.sample(opened, len(opened)):
        index.opened(["DE"], at)
    for at in range(-160, 160):
        assert index.any_open("DE", at) == any(scope < at < scope + limit for scope in opened), (limit, opened, at)
    assert not index.any_open("FR", 0)


def test_scopes_that_closed_long_ago_cost_next_to_nothing() -> None:
    """A year in every country, one an hour: a worker runs for years, and may be told of a campaign of any day."""
    index, countries = Index(10 * DAY), [f"C{n}" for n in range(30)]
    tracemalloc.start()
    try:
        for hour in range(24 * 365):
            index.opened(countries, hour * HOUR + 5)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 500_000 and index.any_open("C7", 5 * HOUR)
