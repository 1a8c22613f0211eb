"""Whom a change of the register concerns: only his offers need to be judged again when it reaches back behind them.

When in doubt, the client counts as concerned.
Source: judging section 1 (late facts), section 5 (promoters, classifications in force).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from gate.dossier import ANY, Dossier
from gate.facts import AssetClassified, CampaignStarted, CountryScoped, EntityRegistered, Fact, ProductClassified, Thing
from gate.known import outdated
from gate.register import Register

Leanings = tuple[str, ...]
"""What of the register answers to a client, or what his dossier concluded, may lean on: a letter and a name each.

Assets `a:`, products `s:`, countries `c:`, who acted in an offer `o:`, and who or what reached him, as his dossier says it.
"""
_ENTITY: Final = ("o:", "p:", "r:", "d:")
"""How an entity is leant on: it acted in an offer, or reached the client; see `Reached.touches`."""


def is_partial(dossier: Dossier, register: Register) -> bool:
    """Whether answers may lean on more than the dossier tells.

    That is what was cut, was sent to who is the same person, or is concluded otherwise by now.
    """
    return dossier.dropped > 0 or bool(dossier.kin) or outdated(dossier, register)


def leanings(dossier: Dossier) -> Leanings:
    """All that is leant on, of a dossier that is not partial."""
    own = dossier.own
    found = dict.fromkeys(f"c:{country}" for country in own.countries)
    found |= dict.fromkeys(own.touches)
    found |= dict.fromkeys(s.key for s in own.singles)
    found |= dict.fromkeys(f"o:{o.by}" for o in dossier.offers if o.by is not None)
    found |= dict.fromkeys(f"a:{asset}" for asset in dossier.repeated)
    for thing in _things(dossier):
        if thing.asset is not None:
            found[f"a:{thing.asset}"] = None
        if thing.product is not None:
            found[f"s:{thing.product}"] = None
    return tuple(found)


class Concern:
    """Tells which clients a change of the register, already learnt, concerns: by what they lean on."""

    def __init__(self, fact: Fact, register: Register) -> None:
        self.fact = fact
        self._names: frozenset[str] | None = frozenset(_names_of(fact))
        """Who leans on one of these is concerned; None: whoever there is."""
        match fact.said:
            case EntityRegistered() as said:
                self._reaches(*register.reach_of(said.entity))
            case CampaignStarted() as said:
                self._reaches(register.addresses(said), frozenset((said.campaign,)))

    def _reaches(self, countries: frozenset[str] | None, campaigns: frozenset[str]) -> None:
        """Who was ever located in one of the countries too (None: anywhere), and who came by a tag of the campaigns."""
        if countries is None or self._names is None:
            self._names = None
        else:
            self._names = self._names.union([f"c:{c}" for c in countries], [f"t:{c}" for c in campaigns])

    def among(self, leanings: Leanings) -> bool:
        """Whether somebody who leans on these is concerned."""
        return self._names is None or not self._names.isdisjoint(leanings)


def concerned(dossier: Dossier, changes: Iterable[Concern], register: Register) -> bool:
    """Whether an answer to this client, or what his dossier concluded, may lean on one of the register's changes."""
    rest = iter(changes)
    first = next(rest, None)
    if first is None:
        return False
    if is_partial(dossier, register):
        return True
    leant_on = leanings(dossier)
    return first.among(leant_on) or any(change.among(leant_on) for change in rest)


def _names_of(fact: Fact) -> Leanings:
    match fact.said:
        case EntityRegistered() as said:
            return tuple(kind + said.entity for kind in _ENTITY)
        case AssetClassified() as said:
            return (f"a:{said.asset}", f"a:{ANY}")
        case ProductClassified() as said:
            return (f"s:{said.product}",)
        case CountryScoped() as said:
            return (f"c:{said.country}",)
        case _:
            return ()


def _things(dossier: Dossier) -> Iterator[Thing]:
    for scope in dossier.scopes:
        yield scope.thing
    for offer in dossier.offers:
        yield from offer.names
    yield from dossier.own.sent
