"""The register: what is known beyond one client, held whole and asked by time.

Law: MiCA Art. 61(1) subpara. 2 (persons), ESMA guidelines 1, 2 and 4; judging sections 3-5, contract section 3.
Clock: event time. Of entries about one thing the latest not later than the asked time is in force; of entries with
equal times all hold and the one against the firm decides.
The register is the one mutable thing in `gate`: `learn` adds an entry, nothing is ever taken out.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from msgspec import Struct

from gate.facts import (
    AssetClassified,
    CampaignEnded,
    CampaignStarted,
    CountryScoped,
    EntityRegistered,
    Fact,
    Instant,
    ProductClassified,
)
from gate.instants import LATEST
from gate.packing import replaced
from gate.policy import Policy

_VIEWS: Final = 256
"""Sets of countries whose audience is kept ready."""
_EARLIER: Final = 4
"""Earlier versions that are kept ready."""


class Promoter(IntEnum):
    """What a promoter is to the firm at a time; the greater is worse for the firm."""

    INDEPENDENT = 0
    UNKNOWN = 1
    CHAIN = 2
    FIRM = 3


class Version(Struct, frozen=True, array_like=True, order=True):
    """One version of a campaign as an exposure; sorts by time, then event."""

    at: Instant
    source: str
    id: str
    campaign: str
    promoter: Promoter
    weak: bool


class Audience:
    """The exposures of one set of countries, sorted by time, and split by what they weigh."""

    def __init__(self, versions: list[Version]) -> None:
        self.all = versions
        self.unknown = [v for v in versions if v.promoter is Promoter.UNKNOWN]
        self.strong = [v for v in versions if v.promoter is not Promoter.UNKNOWN and not v.weak]
        self.weak = [v for v in versions if v.promoter is not Promoter.UNKNOWN and v.weak]


class Register:
    """Entities, assets, products, countries and campaigns."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.version = 0
        self.facts: list[Fact] = []
        self._entities: dict[str, list[Fact]] = {}
        self._assets: dict[str, list[Fact]] = {}
        self._products: dict[str, list[Fact]] = {}
        self._countries: dict[str, list[Fact]] = {}
        self._campaigns: dict[str, list[Fact]] = {}
        self._promoted: dict[str, list[Fact]] = {}
        """Every version of every campaign, by its promoter."""
        self._audiences: dict[str, list[Version]] = {}
        self._views: dict[tuple[str, ...], Audience] = {}
        self._started: list[Fact] = []
        self._earlier: dict[int, Register] = {}
        """Earlier versions of the register, for answers that people released."""
        self._reach: dict[str, tuple[frozenset[str] | None, frozenset[str]]] = {}
        """What `reach_of` found."""

    def learn(self, fact: Fact) -> None:
        """Take one register event in."""
        self.version += 1
        self.facts.append(fact)
        match fact.said:
            case CampaignStarted() as said:
                _add(self._campaigns, said.campaign, fact)
                self._promoted.setdefault(said.by, []).append(fact)
                self._reach.pop(said.by, None)
                insort(self._started, fact, key=_order)
                self._address(fact, said)
            case EntityRegistered() as said:
                _add(self._entities, said.entity, fact)
                self._readdress(said.entity)
            case AssetClassified() as said:
                _add(self._assets, said.asset, fact)
            case ProductClassified() as said:
                _add(self._products, said.product, fact)
            case CountryScoped() as said:
                _add(self._countries, said.country, fact)
            case CampaignEnded():
                pass  # An audience never lapses (judging section 5, letter b).

    def as_of(self, version: int) -> "Register":
        """The register as it was at an earlier version."""
        if version == self.version:
            return self
        found = self._earlier.get(version)
        if found is None:
            found = Register(self.policy)
            for fact in self.facts[:version]:
                found.learn(fact)
            if len(self._earlier) == _EARLIER:
                self._earlier.clear()
            self._earlier[version] = found
        return found

    def in_scope(self, country: str, at: Instant) -> bool:
        """Whether clients there are clients in the Union at that time (judging section 3)."""
        entries = _in_force(self._countries.get(country), at)
        since = self.policy.countries.get(country)
        if since is not None and since <= at and (not entries or entries[0].at <= since):
            return True  # The policy's entry is the latest; one of its own time cannot be milder.
        return any(e.said.in_scope for e in entries)  # type: ignore[union-attr]

    @property
    def rescoped(self) -> bool:
        """Whether any country ever came into scope, or left it, beside what the policy says."""
        return bool(self._countries)

    def promoter(self, entity: str, at: Instant) -> Promoter:
        """What the entity is to the firm at that time (judging section 5); not registered or over is unknown."""
        entries = _in_force(self._entities.get(entity), at)
        if not entries:
            return Promoter.UNKNOWN
        return max(self._standing(e.said, at) for e in entries)  # type: ignore[arg-type]

    def steady(self, entity: str, since: Instant, until: Instant) -> bool:
        """Whether the entity was the same to the firm all the time from `since` up to and including `until`."""
        turns = set()
        for entry in self._entities.get(entity, ()):
            said = entry.said
            assert isinstance(said, EntityRegistered)
            turns |= {at for at in (entry.at, said.until) if at is not None and since < at <= until}
        return not turns or len({self.promoter(entity, at) for at in (since, *turns)}) == 1

    def steady_tag(self, campaign: str, since: Instant, until: Instant) -> bool:
        """The same of those whose tag it was."""
        if any(since < version.at <= until for version in self._campaigns.get(campaign, ())):
            return False
        return all(self.steady(by, since, until) for by in self.tag_promoters(campaign, since, LATEST))

    def _standing(self, said: EntityRegistered, at: Instant) -> Promoter:
        if said.until is not None and said.until <= at:
            return Promoter.UNKNOWN
        if said.relation == "firm":
            return Promoter.FIRM
        close = (said.holding_percent or 0) >= self.policy.close_link_percent or bool(said.control)
        return Promoter.INDEPENDENT if said.relation == "independent" and not close else Promoter.CHAIN

    def authorised(self, entity: str, services: Iterable[str], at: Instant) -> tuple[str, ...]:
        """Ids of the entries that authorise the entity for all the services at that time; empty if it is not."""
        entries = _in_force(self._entities.get(entity), at)
        wanted = set(services)
        for e in entries:
            said = e.said
            assert isinstance(said, EntityRegistered)
            over = said.until is not None and said.until <= at
            if said.relation != "eu_authorised" or over or not wanted <= set(said.services or ()):
                return ()
        return tuple(e.id for e in entries)

    def asset(self, asset: str, at: Instant) -> AssetClassified | None:
        """The classification in force; None if there is none, or different ones at one time.

        Entries that state the same at one time are one classification, approved if all of them are.
        """
        stated = [e.said for e in _in_force(self._assets.get(asset), at) if isinstance(e.said, AssetClassified)]
        if not stated or any(attributes(s) != attributes(stated[0]) for s in stated[1:]):
            return None
        return next((s for s in stated if not s.approved_by), stated[0])

    def asset_classes(self, asset: str, at: Instant) -> frozenset[str]:
        """Every class that is stated by a classification in force."""
        stated = (e.said for e in _in_force(self._assets.get(asset), at))
        return frozenset(s.kind for s in stated if isinstance(s, AssetClassified))

    def assets(self) -> list[str]:
        """Every asset that was ever classified."""
        return sorted(self._assets)

    def products(self) -> list[str]:
        """Every product that was ever classified."""
        return sorted(self._products)

    def asset_entry(self, asset: str, at: Instant) -> tuple[str, ...]:
        """Ids of the classifications in force."""
        return tuple(e.id for e in _in_force(self._assets.get(asset), at))

    def maps(self, product: str, to: str, service: str, at: Instant) -> bool:
        """Whether an approved entry in force of this service maps the one product directly to the other."""
        entries = _in_force(self._products.get(product), at)
        return bool(entries) and all(
            e.said.service == service and e.said.same_type_as == to and e.said.approved_by  # type: ignore[union-attr]
            for e in entries
        )

    def tag_promoters(self, campaign: str, tagged_at: Instant, at: Instant) -> tuple[str, ...]:
        """Whose tag it was: of the version in force at the tag, else of the first known by the offer's time."""
        versions = self._campaigns.get(campaign)
        found = _in_force(versions, tagged_at)
        if not found and versions and versions[0].at <= at:
            found = [v for v in versions if v.at == versions[0].at]
        return tuple(v.said.by for v in found if isinstance(v.said, CampaignStarted))

    def audience(self, countries: tuple[str, ...]) -> "Audience":
        """What addresses somebody located in these countries; a version is weak only if it is for all of them."""
        view = self._views.get(countries)
        if view is None:
            merged: dict[tuple[str, str], Version] = {}
            for country in countries:
                for v in self._audiences.get(country, self._audiences.get("*", ())):
                    known = merged.get((v.source, v.id))
                    if v.promoter is not Promoter.INDEPENDENT and (known is None or known.weak):
                        merged[v.source, v.id] = v
            if len(self._views) == _VIEWS:
                self._views.clear()
            view = self._views[countries] = Audience(sorted(merged.values()))
        return view

    def started_between(self, since: Instant, until: Instant) -> list[Fact]:
        """The versions of campaigns that began after the one time and before the other."""
        first = bisect_right(self._started, since, key=_time)
        return self._started[first : bisect_left(self._started, until, first, key=_time)]

    def reach_of(self, entity: str) -> tuple[frozenset[str] | None, frozenset[str]]:
        """The countries that a promoter's campaigns address, None for all of the world; and the campaigns."""
        found = self._reach.get(entity)
        if found is None:
            every = [f.said for f in self._promoted.get(entity, ()) if isinstance(f.said, CampaignStarted)]
            listed = [self.addresses(said) for said in every]
            countries = None if None in listed else frozenset(c for each in listed for c in each or ())
            found = self._reach[entity] = (countries, frozenset(said.campaign for said in every))
        return found

    def addresses(self, said: CampaignStarted) -> frozenset[str] | None:
        """The countries a campaign addresses; None for all of the world."""
        listed = (said.countries,) if isinstance(said.countries, str) else said.countries
        if "*" in listed:
            return None
        found = {c for c in listed if c != "EEA"}
        return frozenset(found | set(self.policy.countries) if "EEA" in listed else found)

    def _address(self, fact: Fact, said: CampaignStarted) -> None:
        self._views.clear()
        countries = self.addresses(said)
        blocked: dict[str, bool] = {}
        for e in said.excludes or ():
            blocked[e.country] = blocked.get(e.country, True) and e.geo_blocked
        promoter = self.promoter(said.by, fact.at)
        everywhere = self._audiences.setdefault("*", [])
        for country in blocked.keys() if countries is None else countries:
            self._audiences.setdefault(country, list(everywhere))
        for country in list(self._audiences) if countries is None else countries:
            weak = said.kind == "eu_feature" or blocked.get(country, False)
            insort(self._audiences[country], Version(fact.at, fact.source, fact.id, said.campaign, promoter, weak))

    def _readdress(self, entity: str) -> None:
        """A promoter's standing may reach back: its campaigns weigh anew."""
        for fact in self._promoted.get(entity, ()):
            assert isinstance(fact.said, CampaignStarted)
            countries = self.addresses(fact.said)
            promoter = self.promoter(entity, fact.at)
            for country in self._audiences if countries is None else countries:
                versions = self._audiences[country]
                place = bisect_left(versions, _order(fact), key=_event)
                was = versions[place]
                if was.promoter is promoter:
                    break  # In every country alike.
                versions[place] = replaced(was, promoter=promoter)
                self._views.clear()


def attributes(said: AssetClassified) -> tuple[object, ...]:
    """All that a classification states of its asset, whoever approved it."""
    return (
        said.kind,
        said.technology,
        said.reference_currency,
        said.basket,
        said.liquid,
        said.identifiable_issuer,
        said.type_group,
    )


def _order(fact: Fact) -> tuple[Instant, str, str]:
    return (fact.at, fact.source, fact.id)


def _event(version: Version) -> tuple[Instant, str, str]:
    return (version.at, version.source, version.id)


def _time(fact: Fact) -> Instant:
    return fact.at


def _add(index: dict[str, list[Fact]], thing: str, fact: Fact) -> None:
    insort(index.setdefault(thing, []), fact, key=_order)


def _in_force(entries: list[Fact] | None, at: Instant) -> list[Fact]:
    """All entries with the latest time that is not later than `at`."""
    if not entries:
        return []
    end = bisect_right(entries, at, key=_time)
    start = end - 1
    while start > 0 and entries[start - 1].at == entries[end - 1].at:
        start -= 1
    return entries[max(start, 0) : end] if end else []
