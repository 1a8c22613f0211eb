"""Seeded random lives about who reached the client: touches, tags, papers and the register, much of it late; no offers.

Who solicited for the firm changes to and fro, and what is known of tags and countries comes in the middle of requests.
"""

from random import Random
from typing import Any

from tests.stories import telling
from tests.stories.telling import REGISTER, Event

_BY = ("pal", "pal", "blogger", "stranger")
_TAGS = ("first", "second")
_THINGS: tuple[list[Event], ...] = ([], [{"service": "custody"}])


class _Life:
    """One random life in the making."""

    def __init__(self, seed: int) -> None:
        self.random = Random(f"reach {seed}")
        self.pick = self.random.choice
        self.made: list[Event] = []

    def _id(self) -> str:
        return f"e{len(self.made)}"

    def ask(self, at: str) -> Event:
        """A request, seldom in reply to something."""
        reply = self.pick([e["id"] for e in self.made[-4:]]) if self.random.random() < 0.15 else None
        service = self.pick(["custody", "advice"])
        return telling.asks(service, at=at, id=self._id(), transaction=self.pick(["t", "u"]), in_reply_to=reply)

    def refer(self, at: str) -> Event:
        """Somebody sent him."""
        return telling.referred(at, by=self.pick(_BY)) | {"id": self._id()}

    def arrive(self, at: str) -> Event:
        """He came by a tag."""
        return telling.arrived(at, id=self._id(), campaign=self.pick(_TAGS))

    def register(self, at: str) -> Event:
        """Who somebody is by now, perhaps for a while."""
        until = telling.when(f"{at} + {self.pick([1, 5, 20])} min") if self.random.random() < 0.3 else None
        relation = self.pick(["affiliate", "independent", "firm"])
        return telling.entity(self.pick(_BY), relation, at, self._id(), until=until)

    def advertise(self, at: str) -> Event:
        """A campaign, whose tags are then somebody's."""
        kind, to = self.pick(["eu_feature", "advertising"]), [self.pick(["FR", "CH", "FR", "DE"])]
        by = self.pick(["pal", "blogger", "affiliate", "affiliate"])
        return telling.campaign(self.pick(_TAGS), at, by, kind, self._id(), countries=to)

    def say(self, at: str) -> Event:
        """A question of his."""
        return telling.question(at, id=self._id())

    def move(self, at: str) -> Event:
        """Another sign of where he is."""
        where, sign = self.pick(["DE", "FR", "CH", "US"]), self.pick(["ip", "kyc_residence"])
        return telling.located(where, sign, at) | {"id": self._id()}

    def scope(self, at: str) -> Event:
        """A country comes into scope, or leaves it."""
        return telling.country("CH", self.pick([True, False]), at) | {"id": self._id()}

    def write(self, at: str) -> Event:
        """Somebody wrote to him, perhaps of what he asks for."""
        named = self.pick([None, [{"service": "custody"}]])
        return telling.contacted(at, self.pick(_BY), "education", id=self._id(), promotes=named, link=True)

    def send(self, at: str) -> Event:
        """An offer that nothing let go."""
        return telling.delivered(at, "unknown", id=self._id())

    def accuse(self, at: str) -> Event:
        """Evidence that he was solicited."""
        since = self.pick([None, f"{at} - 3 min"])
        named = self.pick(["complaint", self._id()])
        return telling.filed(named, "solicitation", "complaint", at, solicited_at=since) | {"id": self._id()}

    def sign(self, at: str) -> Event:
        """It is approved, or withdrawn."""
        signed = telling.approved if self.random.random() < 0.7 else telling.retracted
        return signed("complaint", at) | {"id": self._id()}

    def narrow(self, at: str) -> Event:
        """Two people lift an exposure, or all but some of it."""
        named = self.pick([*(e["id"] for e in self.made), *_TAGS])
        return telling.narrowed(named, self.pick(_THINGS), at) | {"id": self._id()}


_DEEDS = tuple(name for name in vars(_Life) if not name.startswith("_"))


def life(seed: int) -> list[Any]:
    """All that happens around one client; each life has requests and few other kinds of things."""
    made = _Life(seed)
    made.made += [*REGISTER, telling.located(made.pick(["DE", "DE", "CH"]), at="-60 d")]
    some = made.random.sample(_DEEDS, 4)
    kinds = ["ask", *(some, ["arrive", "advertise", "advertise"], ["refer", "refer", "register"])[seed % 3]]
    often = [made.pick([2, 5]), *(1 for _ in kinds[1:])]
    late, minute = made.pick([0.0, 0.1, 0.3, 0.5]), 0
    for _ in range(made.pick([10, 15, 25])):
        minute += made.pick([0, 1, 1, 5])
        then = made.random.randrange(minute + 1) if made.random.random() < late else minute
        deed = made.random.choices(kinds, often)[0]
        made.made.append(getattr(made, deed)(f"{then} min"))
    return [event | {"recordedtime": "2026-12-31T00:00:00Z"} for event in made.made]
