"""What the register keeps ready is what it would find anew, however much of it is asked for."""

import json

from gate.register import Promoter, Register
from state import MemoryStore
from streams.embedded import Gate
from tests.player import POLICY
from tests.stories.telling import Event, campaign, entity


def register_of(events: list[Event]) -> Register:
    """A register that learnt these."""
    gate = Gate(POLICY, MemoryStore())
    for event in events:
        gate.take(json.dumps(event).encode())
    return gate.register


def test_every_earlier_version_is_as_it_was() -> None:
    """Asked for in any order, more of them than are kept, and again after something was learnt."""
    events = [entity("pal", ("independent", "affiliate")[n % 2], id=f"v{n}", at=f"-{40 - n} d") for n in range(12)]
    register = register_of(events)
    for version in (*range(1, 12), *range(11, 0, -1), 3, 3, 7):
        earlier = register.as_of(version)
        assert (earlier.version, len(earlier.facts)) == (version, version)
        standing = (Promoter.CHAIN, Promoter.INDEPENDENT)[version % 2]
        assert earlier.promoter("pal", earlier.facts[-1].at) is standing
    assert register.as_of(12) is register


def test_every_set_of_countries_has_its_own_audience() -> None:
    """Travellers make many; what is learnt later is in all of them."""
    states = sorted(POLICY.countries)
    events = [campaign(f"ads-{state}", at="-60 d", countries=[state]) for state in states]
    register = register_of(events)
    sets = [(a, b) for a in states for b in states if a < b]
    assert len(sets) > 300
    for _ in range(2):
        for both in sets:
            assert {v.campaign for v in register.audience(both).all} == {f"ads-{state}" for state in both}
    more = register_of([*events, campaign("all", at="-1 d", countries="EEA")])
    for both in sets:
        assert len(more.audience(both).all) == 3


def test_whom_a_promoters_campaigns_reach() -> None:
    """Countries and tags of all versions of all his campaigns, also of those that come later."""
    events = [campaign(by="pal", countries=["DE"]), campaign("more", by="pal", countries=["FR", "US"])]
    assert register_of(events).reach_of("pal") == ({"DE", "FR", "US"}, {"ads", "more"})
    assert register_of(events).reach_of("anybody") == (frozenset(), frozenset())
    gate = Gate(POLICY, MemoryStore())
    for event, reach in zip(
        [*events, campaign("most", by="pal", countries="*")],
        [({"DE"}, {"ads"}), ({"DE", "FR", "US"}, {"ads", "more"}), (None, {"ads", "more", "most"})],
        strict=True,
    ):
        gate.take(json.dumps(event).encode())
        assert gate.register.reach_of("pal") == reach
