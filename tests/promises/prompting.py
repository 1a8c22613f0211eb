"""Seeded random lives about who asked first: things are sent, asked for, asked for by standing orders, replied to.

What is of one type with what is said late; sendings lie hours to weeks before the requests. And policies of all lengths.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from msgspec import structs

from gate.policy import DAY, HOUR, Policy
from tests.model.known import Numbers
from tests.player import POLICY
from tests.stories import telling
from tests.stories.telling import HERE, Event

ASSETS = ("btc", "ltc", "sol", "dot")
ORDERED = ("ada", "eos", "xlm", "xrp")
"""Assets of standing orders alone."""
SERVICES = ("exchange_funds", "custody")
_DEEDS = {"ask": 6, "order": 5, "offer": 5, "send": 3, "write": 1, "classify": 5, "say": 1, "move": 1, "scope": 1}
_LENGTHS = (HOUR, 6 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 27 * DAY)


class _Life:
    """One random life in the making."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.pick = self.random.choice
        self.words: list[str] = []
        self.offers: list[str] = []

    def thing(self) -> dict[str, Any]:
        """A service and an asset, seldom none."""
        return {"service": self.pick(SERVICES), "asset": self.pick([*ASSETS, *ASSETS, None])}

    def _asked(self, at: str, kind: str, **more: Any) -> list[Event]:
        id = f"r{len(self.words)}"
        reply = {"in_reply_to": self.pick(self.words[-3:])} if self.words and self.random.random() < 0.4 else {}
        self.words.append(id)
        named = {**self.thing(), **more, **reply, "transaction": self.pick(["t1", "t2"])}
        asked = telling.asks(**named, at=at, id=id, kind=kind)
        return [asked, *telling.proven(id, at)]

    def ask(self, at: str) -> list[Event]:
        """A request, often in reply to an earlier word."""
        return self._asked(at, "request")

    def order(self, at: str) -> list[Event]:
        """An execution of a standing order, which opens no scope."""
        return self._asked(at, "recurring_execution", asset=self.pick(ORDERED))

    def offer(self, at: str) -> list[Event]:
        """An offer, or a notice that promotes something, mostly sent soon."""
        name = f"o{len(self.offers)}"
        self.offers.append(name)
        content = self.pick(["offer"] * 4 + ["service_notice"])
        more = {"promotes": [self.thing()]} if content != "offer" else {}
        by = {"by": "sister"} if self.random.random() < 0.4 else {}
        deal = {"transaction": self.pick(["t1", "t2"]), "content": content, **more, **by}
        found = [telling.offer(at, id=name, offer=name, **self.thing(), **deal)]
        if self.random.random() < 0.6:
            found.append(telling.delivered(f"{at} + {self.pick([1, 1, 50])} min", name, id=f"s-{name}"))
        return found

    def send(self, at: str) -> list[Event]:
        """A sending of any earlier offer."""
        name = self.pick(self.offers or ["o0"])
        return [telling.delivered(at, name, id=f"s{self.random.randrange(10**6)}")]

    def write(self, at: str) -> list[Event]:
        """A message of somebody's who does not count, that names a thing."""
        return [telling.contacted(at, by="blogger", content="education", promotes=[self.thing()])]

    def classify(self, at: str) -> list[Event]:
        """What an asset is: like the others, unlike them, or two things at once."""
        name, random = self.pick([*ASSETS, *ORDERED, *ORDERED]), self.random
        since = f"{random.randrange(-30, 400)} h" if random.random() < 0.7 else at
        kinds = [f"t-{self.pick('ab')}" for _ in range(self.pick([1, 1, 1, 2]))]
        return [
            telling.asset(
                name, at=since, id=f"a{random.randrange(10**6)}", technology=kind, type_group=self.pick("ggh")
            )
            for kind in kinds
        ]

    def say(self, at: str) -> list[Event]:
        """A question of the client's."""
        self.words.append(f"q{len(self.words)}")
        return [telling.question(at, id=self.words[-1])]

    def move(self, at: str) -> list[Event]:
        """Another address."""
        return [telling.located(self.pick(["DE", "NO", "CH", "US"]), at=at)]

    def scope(self, at: str) -> list[Event]:
        """A country that comes into scope or leaves it, mostly said late."""
        since = f"{self.random.randrange(-30, 400)} h"
        return [telling.country(self.pick(["NO", "CH"]), self.random.random() < 0.5, at=since)]


def life(seed: int) -> list[Event]:
    """All that happens around one client; a third arrives in order of time, the others more or less late."""
    made = _Life(seed)
    sister = telling.entity("sister", "eu_authorised", services=list(SERVICES))
    found = [*HERE, sister, *(telling.asset(name, technology=f"t-{n % 2}") for n, name in enumerate(ASSETS + ORDERED))]
    late, hours = made.pick([0.0, 0.1, 0.3]), made.pick([1, 5, 12])
    deeds = [name for name, many in _DEEDS.items() for _ in range(many)]
    for n in range(made.pick([8, 15, 25])):
        hour = made.random.randrange(n + 1) * hours if made.random.random() < late else n * hours
        found += getattr(made, made.pick(deeds))(f"{hour} h")
    return [event | {"recordedtime": "2026-12-31T00:00:00Z"} for event in found]


def apart(events: Sequence[Any]) -> list[Any]:
    """The same at times that differ by microseconds: what has one time is judged again by whichever policy is in force."""
    shifts: dict[str, int] = {}
    found: list[Any] = []
    for event in events:
        try:
            at = datetime.fromisoformat(event["time"])
        except (KeyError, TypeError, ValueError):
            found.append(event)
            continue
        shift = shifts.setdefault(repr(event), len(shifts))
        found.append({**event, "time": (at + timedelta(microseconds=shift)).isoformat()})
    return found


def policies(seed: int, many: int) -> dict[int, Policy]:
    """Up to four policies that follow one another in so many events, by the number of the first that each judges."""
    random = Random(seed)
    begins = [1, *sorted(random.sample(range(2, many), random.randrange(1, 4)))]
    return {begin: _policy(random, f"v{number}") for number, begin in enumerate(begins)}


def _policy(random: Random, version: str) -> Policy:
    hard = random.choice(_LENGTHS)
    changes: dict[str, Any] = {"hard_limit": hard, "soft_limit": min(hard, random.choice((*_LENGTHS, 0, hard)))}
    if random.random() < 0.5:
        countries = dict(POLICY.countries)
        for country in random.sample(["DE", "FR", "NO", "CH", "US"], 2):
            if random.random() < 0.5:
                countries.pop(country, None)
            else:
                day = datetime(2026, 2, 20, tzinfo=UTC) + timedelta(days=random.randrange(30))
                countries[country] = int(day.timestamp()) * 1_000_000
        changes["countries"] = countries
    if random.random() < 0.3:
        changes["close_link_percent"] = random.choice((0.5, 10, 19.9))
    if random.random() < 0.3:
        changes["release_limit"] = random.choice((HOUR, 12 * HOUR, 1))
    if random.random() < 0.2:
        changes["required_channels"] = (*POLICY.required_channels, "radio")
    if random.random() < 0.2:
        changes["self_approving_kinds"] = frozenset(random.sample(["inbound_email", "channel_search", "complaint"], 2))
    if random.random() < 0.2:
        changes["self_approving_filers"] = frozenset(random.sample(["f1", "st-a", "a1"], 1))
    return structs.replace(POLICY, version=version, digest=f"sha256:{version}", **changes)


def numbers(policies: Mapping[int, Policy]) -> dict[int, Numbers]:
    """The same for the model."""
    return {
        begin: Numbers(
            p.soft_limit,
            p.hard_limit,
            p.release_limit,
            p.close_link_percent,
            p.countries,
            frozenset(p.required_channels),
            p.self_approving_kinds | p.self_approving_filers,
        )
        for begin, p in policies.items()
    }
