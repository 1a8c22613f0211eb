"""Seeded random lives of much paper: few names for evidence, for who signs and for what is asked, so that they meet.

A third arrives mildly late, a third in order of time, a third later still.
"""

from random import Random
from typing import Any

from tests.stories import telling
from tests.stories.telling import ALL_CHANNELS, HERE, Event

_SUPPORTS = ("initiation", "initiation", "no_solicitation", "no_solicitation", "solicitation")
_KINDS = {"initiation": "inbound_email", "no_solicitation": "channel_search", "solicitation": "complaint"}
_DEEDS = {"ask": 5, "file": 4, "approve": 3, "retract": 1, "say": 1, "write": 1, "send": 1, "declare": 1, "offer": 4}


class _Life:
    """One random life in the making; each deed is told with its time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.pick = self.random.choice
        self.evidence = ["mail", "sweep", "call", "note", "log"][: self.pick([1, 2, 3, 5])]
        self.people = ["st-a", "st-b", "st-c"][: self.pick([2, 3])]
        self.requests: list[str] = []

    def chance(self, share: float) -> bool:
        """True in a share of cases."""
        return self.random.random() < share

    def word(self) -> str:
        """The id of a word of the client's or of a message of the firm's; seldom it is both."""
        return f"{self.pick('qm')}{self.random.randrange(5)}"

    def ask(self, at: str) -> Event:
        """A request, sometimes with the id of another, or in reply to something."""
        known = self.requests
        id = self.pick(known) if known and self.chance(0.05) else f"r{len(known)}"
        known.append(id)
        more = {"in_reply_to": self.pick([self.word(), self.pick(known)])} if self.chance(0.25) else {}
        kind = self.pick(["request", "order", "recurring_execution"])
        asked = telling.asks(at=at, id=id, transaction=f"t{self.random.randrange(3)}", kind=kind, **more)
        return asked | {"source": "//other"} if self.chance(0.1) else asked

    def file(self, at: str) -> Event:
        """Evidence for a late request, for one that may not have come yet, or for none."""
        supports = self.pick(_SUPPORTS)
        more: dict[str, Any] = {"channels_searched": ALL_CHANNELS} if supports == "no_solicitation" else {}
        if supports == "solicitation" and self.chance(0.8):
            more["solicited_at"] = f"{self.random.randrange(-5, 50)} min"
        request = self.pick([*self.requests[-3:], f"r{self.random.randrange(len(self.requests) + 2)}", None])
        by = self.pick(self.people)
        return telling.filed(self.pick(self.evidence), supports, _KINDS[supports], at, request, by=by, **more)

    def approve(self, at: str) -> Event:
        """An approval, also by who filed."""
        return telling.approved(self.pick(self.evidence), at, by=self.pick(self.people))

    def retract(self, at: str) -> Event:
        """A retraction, sometimes by one person."""
        return telling.retracted(self.pick(self.evidence), at, second=self.pick(["st-two", "st-two", "st-one"]))

    def say(self, at: str) -> Event:
        """A question of the client's."""
        return telling.question(at, id=self.word())

    def write(self, at: str) -> Event:
        """A message of somebody's who does not count."""
        return telling.contacted(at, by="blogger", content="education", id=self.word())

    def send(self, at: str) -> Event:
        """A sending, of an offer or of nothing known."""
        return telling.delivered(at, offer=f"o{self.random.randrange(4)}")

    def declare(self, at: str) -> Event:
        """A tick-box."""
        return telling.declared(at)

    def offer(self, at: str) -> Event:
        """An offer or a lesson."""
        content, name = self.pick(["offer"] * 4 + ["education"]), self.random.randrange(4)
        id = f"of-{self.random.randrange(10**6)}"
        return telling.offer(at, id=id, offer=f"o{name}", transaction=f"t{self.random.randrange(3)}", content=content)


def life(seed: int) -> list[Event]:
    """All that happens around one client."""
    made, found = _Life(seed), [*HERE]
    late, deeds = made.pick([0.0, 0.1, 0.3]), [name for name, many in _DEEDS.items() for _ in range(many)]
    for n in range(made.pick([15, 30, 50])):
        minute = made.random.randrange(n + 1) if made.chance(late) else n
        found.append(getattr(made, made.pick(deeds))(f"{minute} min") | {"recordedtime": "2026-12-31T00:00:00Z"})
    return found
