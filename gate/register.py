"""The register: what is known beyond one client, held whole and asked by time.

Law: MiCA Art. 61(1) subpara. 2 (persons), ESMA guidelines 1, 2 and 4; judging sections 3-5, contract section 3.
Clock: event time. Of entries about one thing the latest not later than the asked time is in force; of entries with
equal times all hold and the one against the firm decides.
Register and dossiers change in place; all else is a value. `learn` adds an entry, nothing is ever taken out.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from typing import Final

from gate.audiences import Audience, Exposures, Promoter, Version, began, insert
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
from gate.policy import Policy, concluding

_EARLIER: Final = 4
"""Earlier versions that are kept ready."""


class Register:
    """Entities, assets, products, countries and campaigns."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.concluding = concluding(policy)
        """See `gate.policy.concluding`."""
        self.version = 0
        self.facts: list[Fact] = []
        self._entities: dict[str, list[Fact]] = {}
        self._assets: dict[str, list[Fact]] = {}
        self._products: dict[str, list[Fact]] = {}
        self._countries: dict[str, list[Fact]] = {}
        self._campaigns: dict[str, list[Fact]] = {}
        self._promoted: dict[str, list[Fact]] = {}
        """Every version of every campaign, by its promoter, in the order of time."""
        self._turns: dict[str, list[Instant]] = {}
        """What `_turns_of` found."""
        self._audiences: dict[str, list[Version]] = {"*": []}
        """By country that some campaign names or leaves out; under `*` for every other country."""
        self._views: dict[str, Exposures] = {}
        """The same by weight, of countries that were asked about."""
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
                _add(self._promoted, said.by, fact)
                self._reach.pop(said.by, None)
                self._address(fact, said)
            case EntityRegistered() as said:
                _add(self._entities, said.entity, fact)
                self._turns.pop(said.entity, None)
                self._readdress(said.entity, fact.at)
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
            found = self._earlier[version] = self._before(version)
            for fact in self.facts[found.version : version]:
                found.learn(fact)
        return found

    def _before(self, version: int) -> "Register":
        """What an earlier version is made of: where enough are kept, the nearest one before it, which then goes on."""
        if len(self._earlier) < _EARLIER:
            return Register(self.policy)
        before = [v for v in self._earlier if v < version]
        if before:
            return self._earlier.pop(max(before))
        self._earlier.clear()
        return Register(self.policy)

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
        return _is_steady(self._turns_of(entity), since, until)

    def steady_tag(self, campaign: str, since: Instant, until: Instant) -> bool:
        """Whether those whose tag it was were the same to the firm all that time, see `steady`."""
        versions = self._campaigns.get(campaign, [])
        if bisect_right(versions, since, key=_time) < bisect_right(versions, until, key=_time):
            return False
        return all(self.steady(by, since, until) for by in self.tag_promoters(campaign, since, LATEST))

    def _turns_of(self, entity: str) -> list[Instant]:
        """When the entity became something else to the firm: an entry that says the same again is no turn."""
        found = self._turns.get(entity)
        if found is None:
            said = [(e.at, e.said) for e in self._entities.get(entity, ()) if isinstance(e.said, EntityRegistered)]
            times = {at for at, _ in said} | {one.until for _, one in said if one.until is not None}
            found, before = [], Promoter.UNKNOWN
            for at in sorted(times):
                now = self.promoter(entity, at)
                if now is not before:
                    found.append(at)
                before = now
            self._turns[entity] = found
        return found

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

    def tag_begins(self, campaign: str) -> Instant | None:
        """Since when it is known whose tag it is: also what came by it earlier; None while nobody registered it."""
        versions = self._campaigns.get(campaign)
        return versions[0].at if versions else None

    def audience(self, countries: tuple[str, ...]) -> "Audience":
        """What addresses somebody located in these countries; a version is weak only if it is for all of them."""
        return Audience([self._exposures(country) for country in countries])

    def _exposures(self, country: str) -> Exposures:
        listed = country if country in self._audiences else "*"
        view = self._views.get(listed)
        if view is None:
            view = self._views[listed] = Exposures(self._audiences[listed])
        return view

    def addressing(self, country: str, since: Instant, until: Instant) -> list[Version]:
        """The versions of campaigns for that country that began after `since` and before `until`."""
        versions = self._audiences.get(country, self._audiences["*"])
        if not versions or versions[-1].at <= since:
            return []
        first = bisect_right(versions, since, key=began)
        return versions[first : bisect_left(versions, until, first, key=began)]

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
        countries = self.addresses(said)
        blocked: dict[str, bool] = {}
        for e in said.excludes or ():
            blocked[e.country] = blocked.get(e.country, True) and e.geo_blocked
        promoter = self.promoter(said.by, fact.at)
        alike = [Version(fact.at, fact.source, fact.id, said.campaign, promoter, weak) for weak in (False, True)]
        for country in blocked.keys() if countries is None else countries:
            if country not in self._audiences:
                self._audiences[country] = list(self._audiences["*"])
        for country in self._audiences if countries is None else countries:
            version = alike[said.kind == "eu_feature" or blocked.get(country, False)]
            insert(self._audiences[country], version)
            if country in self._views:
                self._views[country].add(version)

    def _readdress(self, entity: str, since: Instant) -> None:
        """A promoter's standing may reach back: its campaigns from then on weigh anew, up to what is said of it next."""
        facts = self._promoted.get(entity)
        if not facts:
            return
        later = bisect_right(self._entities[entity], since, key=_time)
        until = self._entities[entity][later].at if later < len(self._entities[entity]) else LATEST + 1
        first = bisect_left(facts, since, key=_time)
        for fact in facts[first : bisect_left(facts, until, first, key=_time)]:
            assert isinstance(fact.said, CampaignStarted)
            countries = self.addresses(fact.said)
            promoter = self.promoter(entity, fact.at)
            before = Version(fact.at, fact.source, fact.id, "", Promoter.INDEPENDENT, False)
            alike: dict[bool, Version] = {}
            for country in self._audiences if countries is None else countries:
                versions = self._audiences[country]
                was = versions[place := bisect_left(versions, before)]
                if was.promoter is promoter:
                    break  # In every country alike.
                if was.weak not in alike:
                    alike[was.weak] = replaced(was, promoter=promoter)
                versions[place] = alike[was.weak]
                self._views.pop(country, None)


def _is_steady(turns: list[Instant], since: Instant, until: Instant) -> bool:
    """Whether there is no turn after the one time up to and including the other."""
    place = bisect_right(turns, since)
    return place == len(turns) or turns[place] > until


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
