"""What the register keeps ready is what it would find anew, however much of it is asked for."""

import json
from random import Random

import pytest

from gate.audiences import Audience, Promoter, Version
from gate.facts import CampaignStarted
from gate.instants import LATEST
from gate.register import Register
from state import MemoryStore
from streams.embedded import Gate
from tests.player import POLICY
from tests.promises.working import calls
from tests.stories.telling import Event, approved, asks, campaign, entity, located, offer, record, when


def register_of(events: list[Event]) -> Register:
    """A register that learnt these."""
    gate = Gate(POLICY, MemoryStore())
    for event in events:
        gate.take(json.dumps(event).encode())
    return gate.register


def everything(audience: Audience) -> list[Version]:
    """Whatever they weigh, by time."""
    return sorted(version for versions in audience.until(LATEST, None) for version in versions)


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


def test_many_earlier_versions_cost_what_the_register_is_long() -> None:
    """Each of those that come one after the other is made of the one before."""
    register = register_of([entity("pal", "affiliate", id=f"v{n}", at=f"{n - 500} d") for n in range(400)])
    once = calls(lambda: register.as_of(399))
    fifty = calls(lambda: [register.as_of(version) for version in range(300, 350)])
    assert fifty < 6 * once, (once, fifty)


def test_every_set_of_countries_has_its_own_audience() -> None:
    """Travellers make many; what is learnt later is in all of them."""
    states = sorted(POLICY.countries)
    events = [campaign(f"ads-{state}", at="-60 d", countries=[state]) for state in states]
    register = register_of(events)
    sets = [(a, b) for a in states for b in states if a < b]
    assert len(sets) > 300
    for _ in range(2):
        for both in sets:
            assert {v.campaign for v in everything(register.audience(both))} == {f"ads-{state}" for state in both}
    more = register_of([*events, campaign("all", at="-1 d", countries="EEA")])
    for both in sets:
        assert len(everything(more.audience(both))) == 3


def test_whom_a_promoters_campaigns_reach() -> None:
    """Countries and tags of all versions of all his campaigns, also of those that come later."""
    events = [campaign(by="pal", countries=["DE"]), campaign("more", by="pal", countries=["FR", "US"])]
    assert register_of(events).reach_of("pal") == (frozenset({"DE", "FR", "US"}), frozenset({"ads", "more"}))
    assert register_of(events).reach_of("anybody") == (frozenset(), frozenset())
    gate = Gate(POLICY, MemoryStore())
    for event, reach in zip(
        [*events, campaign("most", by="pal", countries="*")],
        [({"DE"}, {"ads"}), ({"DE", "FR", "US"}, {"ads", "more"}), (None, {"ads", "more", "most"})],
        strict=True,
    ):
        gate.take(json.dumps(event).encode())
        countries, tags = gate.register.reach_of("pal")
        assert (countries, {*tags}) == reach


def _found_anew(register: Register, countries: tuple[str, ...]) -> list[Version]:
    """The exposures of somebody located there, from all campaigns that were ever learnt."""
    found: list[Version] = []
    for fact in register.facts:
        said = fact.said
        if not isinstance(said, CampaignStarted):
            continue
        addressed, promoter = register.addresses(said), register.promoter(said.by, fact.at)
        blocked = {
            c
            for c in countries
            if (e := [x for x in said.excludes or () if x.country == c]) and all(x.geo_blocked for x in e)
        }
        here = {c for c in countries if addressed is None or c in addressed}
        if here and promoter is not Promoter.INDEPENDENT:
            weak = said.kind == "eu_feature" or here <= blocked
            found.append(Version(fact.at, fact.source, fact.id, said.campaign, promoter, weak))
    return sorted(found)


def _any_change(rng: Random, number: int) -> Event:
    """A campaign anywhere, or another standing of who began some, of any time."""
    at, by = f"{rng.randrange(20)} h", rng.choice(["firm", "pal", "nobody", "press"])
    if rng.random() < 0.2:
        return entity("pal", rng.choice(["affiliate", "independent"]), at=at, id=f"e{number}")
    countries = rng.choice([["DE"], ["FR", "US"], ["DE", "AT"], "EEA", "*"])
    kept_out = [{"country": c, "geo_blocked": rng.random() < 0.7} for c in rng.choices(["DE", "FR", "CH"], k=2)]
    kind = rng.choice(["advertising", "eu_feature"])
    return campaign(f"c{number % 9}", at, by, kind, f"v{number}", countries=countries, excludes=kept_out)


@pytest.mark.parametrize("seed", range(40))
def test_an_audience_is_what_all_campaigns_say(seed: int) -> None:
    """Whatever was learnt in between, and however few of it are asked for."""
    rng = Random(seed)
    gate = Gate(POLICY, MemoryStore())
    gate.take(json.dumps(entity("firm", "firm")).encode())
    gate.take(json.dumps(entity("press", "independent")).encode())
    for number in range(40):
        gate.take(json.dumps(_any_change(rng, number)).encode())
        countries = tuple(sorted(rng.sample(["DE", "FR", "AT", "US", "CH", "JP"], rng.randrange(1, 5))))
        found, audience = _found_anew(gate.register, countries), gate.register.audience(countries)
        unknown = [v for v in found if v.promoter is Promoter.UNKNOWN]
        known = [v for v in found if v.promoter is not Promoter.UNKNOWN]
        weights = [v for v in known if not v.weak], unknown, [v for v in known if v.weak]
        assert everything(audience) == found
        assert audience.until(LATEST, None) == weights
        opened, at = sorted(v.at for v in rng.choices(found, k=2)) if found else (0, 0)
        for many in (4, None):
            assert audience.until(opened, many) == tuple([v for v in w if v.at <= opened][:many] for w in weights)
            since = [v for v in found if opened < v.at <= at][::-1][:many]
            assert [v.id for v in audience.between(opened, at, many)] == [v.id for v in since]


def test_an_exposure_is_kept_once_for_all_countries() -> None:
    """A campaign for the Union costs a place in each country's list, and no more."""
    register = register_of([campaign("ads", countries="EEA"), campaign("shop", by="nobody", countries="*")])
    first, *others = (everything(register.audience((country,))) for country in sorted(POLICY.countries))
    assert len(first) == 2 and all(a is b for other in others for a, b in zip(first, other, strict=True))


TRAVELS = (located("DE"), located("FR", "ip"), asks(at="0 h"), record(), approved("record-asked"))


@pytest.mark.parametrize("countries", [(), ("FR",)], ids=["in one country", "in two"])
def test_an_offer_costs_the_same_beside_many_campaigns(countries: tuple[str, ...]) -> None:
    """Also where each is followed by another campaign: what is looked at are the first and the last ones."""

    def work(many: int) -> int:
        gate = Gate(POLICY, MemoryStore())
        told = [entity("firm", "firm"), *(e for e in TRAVELS if e["data"].get("country") != "FR" or countries)]
        ads = [campaign(f"ads-{n}", f"{n - many} min", countries=["DE", "FR"]) for n in range(many)]
        for event in (*told, *ads, offer(at="1 min", id="first")):
            gate.take(json.dumps(event).encode())
        more = [campaign("more", at="2 min", countries="EEA"), offer(at="3 min", id="next", offer="next")]
        lines = [json.dumps(event).encode() for event in more]
        return calls(lambda: [gate.take(line) for line in lines])

    few, very_many = work(50), work(1600)
    assert very_many < 1.3 * few, (few, very_many)


@pytest.mark.parametrize("seed", range(40))
def test_who_stays_the_same_is_who_is_the_same_at_every_time(seed: int) -> None:
    """Also with entries that end, that repeat what stands, that are of one time, and with tags that change hands."""
    rng = Random(seed)
    gate = Gate(POLICY, MemoryStore())
    for number in range(rng.randrange(1, 14)):
        at, by = f"{rng.randrange(12)} h", rng.choice(["pal", "pal", "press"])
        event = campaign("ads", at, by, id=f"v{number}")
        if rng.random() < 0.6:
            ends = {"until": when(f"{rng.randrange(12)} h")} if rng.random() < 0.3 else {}
            event = entity(by, rng.choice(["affiliate", "affiliate", "independent"]), at=at, id=f"e{number}", **ends)
        gate.take(json.dumps(event).encode())
    register, hour = gate.register, 3_600_000_000
    begin = min(f.at for f in register.facts) // hour * hour - hour
    hours = [begin + n * hour for n in range(16)]
    for since in hours:
        for until in (h for h in hours if h >= since):
            within = [h for h in hours if since <= h <= until]
            assert register.steady("pal", since, until) == (len({register.promoter("pal", h) for h in within}) == 1)
            owners = {frozenset(register.tag_promoters("ads", h, LATEST)) for h in within}
            if register.steady_tag("ads", since, until):
                assert len(owners) == 1 and all(register.steady(by, since, until) for by in next(iter(owners)))


def test_a_promoter_who_is_published_again_every_night_costs_nothing_of_his_campaigns() -> None:
    """Only those weigh anew that began since; and whether he stayed the same is found once for all offers."""

    def work(campaigns: int) -> int:
        ads = [campaign(f"ads-{n}", f"-{10_000 + n} min", by="pal", countries="EEA") for n in range(campaigns)]
        register = register_of([entity("pal", "affiliate", at="-30 d"), *ads])
        nights = [entity("pal", "affiliate", at=f"-{100 - n} h", id=f"night-{n}") for n in range(100)]
        facts = register_of(nights).facts

        def learnt() -> None:
            for fact in facts:
                register.learn(fact)

        return calls(learnt)

    few, very_many = work(10), work(400)
    assert very_many < 1.2 * few, (few, very_many)

    def asked(nights: int) -> int:
        register = register_of([entity("pal", "affiliate", at=f"{n} h", id=f"night-{n}") for n in range(nights)])
        since, until = register.facts[0].at, register.facts[-1].at
        assert register.steady("pal", since, until)
        return calls(lambda: register.steady("pal", since, until))

    assert asked(100) == asked(2)
