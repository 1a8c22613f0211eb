"""The clients of one store: what follows from each event around them, whatever brings the events.

The embedded gate has one of these; a worker has one for each partition. Messages to merged clients come out as
effects: who runs this hands them to where that client lives.
"""

from collections.abc import Iterable, Iterator, Sequence
from sys import intern
from typing import Final

from gate.arrival import step
from gate.audiences import Version
from gate.concern import Concern, is_partial, leanings
from gate.dossier import Dossier
from gate.effects import Answer, Case, Deadline, Greeting, Notice, Step, derived_id
from gate.facts import CampaignStarted, CountryScoped, Fact, Instant
from gate.history import Record
from gate.instants import LATEST
from gate.known import Known
from gate.notices import closed, deadlines_at, opens_scope
from gate.packing import replaced
from gate.policy import Policy
from gate.register import Register
from gate.revision import greeted, reopen
from state import Store
from streams.closings import Closings
from streams.index import Index

Told = Answer | Notice | Case
Effect = Told | Greeting
_EXPOSED: Final = "exposed "
"""Begins the note that a campaign's case was opened."""


class Clients:
    """All clients of a store under one register; nothing lasts before the store commits."""

    def __init__(self, policy: Policy, register: Register, store: Store, closings: Closings) -> None:
        """`closings` is which scopes are closed already, and by which earlier limits."""
        self.policy = policy
        self.register = register
        self.store = store
        self._closings = closings
        self._index = Index(policy.hard_limit)
        self._told = {intern(name.removeprefix(_EXPOSED)) for name in store.noted_under(_EXPOSED)}
        """Campaigns whose case was opened."""
        for dossier in store.dossiers():
            self._recall(dossier)

    def govern(self, policy: Policy, register: Register) -> None:
        """Judge by another policy from now on, which has the same hard limit: so the same scopes are open, and close then."""
        self.policy, self.register = policy, register
        self._index.forget_leanings()  # An offer may name other things under it.

    def learn(self, fact: Fact) -> list[Effect]:
        """Take one fact of a client."""
        client, store = intern(fact.client), self.store
        known = Known(store.dossier(client), self.register)
        countries = _places(known.dossier)
        stepped = step(known, fact, self.policy)
        if isinstance(stepped, str):
            stepped = step(known, fact, self.policy, store.history(client))
        if isinstance(stepped, str):
            raise AssertionError(f"a step with the whole history asked for more, at event `{fact.id}`")
        self._keep(stepped, stepped.record)
        told: list[Effect] = [*stepped.told]
        if opens_scope(fact):
            places = _places(stepped.dossier)
            self._index.opened(places, fact.at)
            told += self._exposed_while((fact.at,), places)
        else:
            told += self._placed(stepped.dossier, countries)
        return [*told, *stepped.forwards] if stepped.forwards else told

    def greet(self, greeting: Greeting) -> list[Effect]:
        """Take what a merged client tells to one of these."""
        known = Known(self.store.dossier(greeting.to), self.register)
        countries = _places(known.dossier)
        done, fresh = greeted(known, greeting, self.store.history(greeting.to))
        self._keep(done, *fresh, done.record)
        return [*done.told, *self._placed(done.dossier, countries), *done.forwards]

    def behind(self, concern: Concern) -> list[str]:
        """Clients whom a change of the register may reach back to; each is to be reopened."""
        return self._index.since(concern.fact.at, concern)

    def concerned(self, client: str, concern: Concern) -> bool:
        """Whether a change of the register may concern him."""
        known = self._index.leanings(client)
        if known is None:
            dossier = self.store.dossier(client)
            if is_partial(dossier, self.register):
                return True
            known = leanings(dossier)
            self._index.leans(client, known)
        return concern.among(known)

    def reopen(self, client: str, concern: Concern) -> tuple[Told, ...]:
        """Judge one client's offers again if a change of the register concerns him."""
        if not self.concerned(client, concern):
            return ()
        known, fact = Known(self.store.dossier(client), self.register), concern.fact
        done, found = reopen(known, fact.at, fact, self.store.history(client))
        merged = bool(done.dossier.kin)
        # Whether somebody's history had to be read to find that he is not concerned must not show.
        counts = merged or concern.among(found)
        if counts:
            self._keep(done, *((done.record,) if done.answers or done.record.told else ()))
        if not merged:
            self._index.leans(client, found)
        return done.told if counts else ()

    def exposed(self, fact: Fact) -> Iterator[Effect]:
        """One case a campaign, where it touched clients with open scopes (judging section 6)."""
        match fact.said:
            case CampaignStarted() as said if said.campaign not in self._told:
                addressed = self.register.addresses(said)
                countries = self._index.countries() if addressed is None else sorted(addressed)
                if any(self._is_exposed(country, fact.at) for country in countries):
                    yield self._exposure(said.campaign, fact.id)
            case CountryScoped() as said if said.in_scope:
                versions = self.register.addressing(said.country, fact.at - 1, LATEST + 1)
                yield from self._exposures(v for v in versions if self._is_exposed(said.country, v.at))

    def _is_exposed(self, country: str, at: Instant) -> bool:
        return self.register.in_scope(country, at) and self._index.any_open(country, at)

    def _exposures(self, versions: Iterable[Version]) -> Iterator[Effect]:
        for version in sorted(versions):
            if version.campaign not in self._told:
                yield self._exposure(version.campaign, version.id)

    def _exposure(self, campaign: str, id: str) -> Case:
        """The one case of a campaign, of whose version with that id it is known first."""
        self._told.add(campaign)
        self.store.note(_EXPOSED + campaign, b"")
        sentence = f"campaign `{campaign}` reached clients with open scopes"
        return Case(derived_id("case", "EXPOSURE", campaign), "EXPOSURE", sentence, None, (), (id,))

    def _exposed_while(self, opened: Iterable[Instant], countries: Iterable[str]) -> Iterator[Effect]:
        """Cases of campaigns for these countries that began while scopes were open, which is known only now.

        `opened` is when somebody who was located there opened scopes. What else is known has its case already.
        """
        register, found = self.register, list[Version]()
        for since, until in _spans(opened, self.policy.hard_limit):
            for country in countries:
                versions = register.addressing(country, since, until)
                found += (v for v in versions if v.campaign not in self._told and register.in_scope(country, v.at))
        yield from self._exposures(found)

    def _placed(self, dossier: Dossier, before: Sequence[str]) -> Iterator[Effect]:
        """Where a client was may be told, or told by who is the same person, after he opened scopes."""
        now = _places(dossier)
        if len(now) > len(before):
            new = [c for c in now if c not in before]
            opened = [due.opened for due in self._scopes(dossier)]
            for at in opened:
                self._index.opened(new, at)
            yield from self._exposed_while(opened, new)

    def due(self, now: Instant) -> bool:
        """Whether scopes are to be closed by then."""
        return self._index.closes <= now

    def close_due(self, until: Instant, since: Instant, at_once: int | None) -> tuple[list[Notice], Instant]:
        """Close the scopes that are due by then, the earliest first; and up to when all are closed.

        Up to `since` all were. Of what is due later `at_once` are closed at most, and those due with the last of these, so
        that what is due later still is all that a restart must find again.
        """
        due, index = list[Notice](), self._index
        while index.closes <= until and (at_once is None or len(due) < at_once or index.closes <= since):
            since = max(since, index.closes)
            due.append(closed(index.due(), self.policy))
        return due, since if index.closes <= until else max(since, until)

    def _keep(self, done: Step, *records: Record) -> None:
        self.store.keep(done.dossier, *records)
        self._index.saw(done.dossier)
        for deadline in done.deadlines:
            self._index.remind(self._in_time(deadline))

    def _in_time(self, deadline: Deadline) -> Deadline:
        """When a scope would have closed, had its request not come late: maybe by a limit that is in force no more.

        It is said to be closed at once then. Nobody who starts again could tell it from those that were, at that time.
        """
        shut = self._closings.shut(deadline.opened)
        return deadline if shut is None else replaced(deadline, at=shut)

    def _recall(self, dossier: Dossier) -> None:
        """Take a stored client into the index."""
        self._index.saw(dossier)
        for due in self._scopes(dossier):
            self._index.opened(_places(dossier), due.opened)
            if not self._closings.told(due.opened, self.policy.hard_limit):
                self._index.remind(due)

    def _scopes(self, dossier: Dossier) -> list[Deadline]:
        """The scopes of a client and when they close: from the dossier, or from the history where some were cut."""
        if not dossier.dropped:
            hard = self.policy.hard_limit
            client = intern(dossier.client)
            return [
                Deadline(s.shut_at(hard), client, s.source, s.id, s.service, s.asset, s.opened) for s in dossier.scopes
            ]
        facts = [r.fact for r in self.store.history(dossier.client) if r.fact is not None and r.of is None]
        return [deadline for fact in facts for deadline in deadlines_at(fact, self.policy)]


def _places(dossier: Dossier) -> tuple[str, ...]:
    """Wherever the client, or who is the same person, was ever located."""
    return dossier.located() if dossier.kin else tuple(dossier.own.countries)


def _spans(opened: Iterable[Instant], hard_limit: Instant) -> list[tuple[Instant, Instant]]:
    """From when to when, both excluded, a scope is open: one after the other, those that overlap as one."""
    found: list[tuple[Instant, Instant]] = []
    for at in sorted(opened):
        since = found.pop()[0] if found and at < found[-1][1] else at
        found.append((since, at + hard_limit))
    return found
