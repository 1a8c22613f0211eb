"""What the runtime looks up across clients, derived from their dossiers and never stored itself.

Who has something at or after a time and leans on what a change of the register is about (it reaches back to him), whose
scopes close when, and in which countries scopes are open (one case a campaign, judging section 6).
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from heapq import heappop, heappush
from sys import intern

from gate.concern import Concern, Leanings
from gate.dossier import BEFORE_EVERYTHING, Dossier
from gate.effects import Deadline
from gate.facts import Instant
from gate.instants import LATEST

LEANINGS = 1_000_000
"""So many of all clients are kept: some 50 megabytes."""


class Index:
    """All clients of one runtime.

    For each country and span of one hard limit only the first and last opened scope is kept: with ten days 37 pairs a
    year and country, however many scopes there are. They are kept for good, as a campaign may be told of years later.
    """

    def __init__(self, hard_limit: Instant) -> None:
        self._hard_limit = hard_limit
        self._latest: dict[str, Instant] = {}
        self._newest = BEFORE_EVERYTHING
        self._leanings: dict[str, Leanings] = {}
        """Of those who were asked for since something happened to them."""
        self._leant = 0
        """How many these are together."""
        self._deadlines: list[Deadline] = []
        self.closes: Instant = LATEST + 1
        """When the next scope closes."""
        self._opened: dict[str, dict[int, tuple[Instant, Instant]]] = {}
        self._spans: dict[str, list[int]] = {}

    def saw(self, dossier: Dossier) -> None:
        """A client's dossier changed."""
        latest = dossier.latest
        self._latest[dossier.client] = latest
        if latest > self._newest:
            self._newest = latest
        if self._leanings:
            self._leant -= len(self._leanings.pop(dossier.client, ()))

    def leans(self, client: str, leanings: Leanings) -> None:
        """What of the register is leant on, until something happens to the client."""
        if self._leant + len(leanings) > LEANINGS:
            self.forget_leanings()
        self._leant += len(leanings) - len(self._leanings.get(client, ()))
        self._leanings[client] = tuple(intern(leaning) for leaning in leanings)

    def forget_leanings(self) -> None:
        """What is leant on is to be found anew."""
        self._leanings, self._leant = {}, 0

    def leanings(self, client: str) -> Leanings | None:
        """What he leans on; None where that is not known."""
        return self._leanings.get(client)

    def since(self, at: Instant, concern: Concern) -> list[str]:
        """Clients with something at or after that time whom a change may concern, in the order of their references."""
        if at > self._newest:
            return []
        return sorted(c for c, latest in self._latest.items() if latest >= at and self._may_lean(c, concern))

    def _may_lean(self, client: str, concern: Concern) -> bool:
        known = self._leanings.get(client)
        return known is None or concern.among(known)

    def remind(self, deadline: Deadline) -> None:
        """A scope will close."""
        heappush(self._deadlines, deadline)
        self.closes = self._deadlines[0].at

    def due(self) -> Deadline:
        """The earliest scope to close; asked again it is the next one."""
        deadline = heappop(self._deadlines)
        self.closes = self._deadlines[0].at if self._deadlines else LATEST + 1
        return deadline

    def opened(self, countries: Iterable[str], at: Instant) -> None:
        """A client who was ever located in these countries opened a scope."""
        span = at // self._hard_limit
        for country in countries:
            there = self._opened.setdefault(country, {})
            known = there.get(span)
            if known is None:
                insort(self._spans.setdefault(country, []), span)
                known = (at, at)
            there[span] = (min(known[0], at), max(known[1], at))

    def countries(self) -> list[str]:
        """Wherever clients with scopes were located."""
        return list(self._opened)

    def any_open(self, country: str, at: Instant) -> bool:
        """Whether a client who was ever located there has a scope open at that time, opened before it.

        Of what opened within less than one hard limit the first and the last tell: were the one shut by then and the
        other not yet open, they would lie further apart.
        """
        there, spans, after = self._opened.get(country), self._spans.get(country), at - self._hard_limit
        if there is None or spans is None:
            return False
        first = bisect_left(spans, after // self._hard_limit)
        for span in spans[first : first + 2]:
            earliest, latest = there[span]
            if earliest >= at:
                return False
            if latest > after:
                return True
        return False
