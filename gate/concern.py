"""Whom a change of the register concerns: only his offers need to be judged again when it reaches back behind them.

When in doubt, the client counts as concerned.
Source: judging section 1 (late facts), section 5 (promoters, classifications in force).
"""

from collections.abc import Iterator
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


def concerns(dossier: Dossier, fact: Fact, register: Register) -> bool:
    """Whether an answer to this client, or what his dossier concluded, may lean on the register's fact."""
    return is_partial(dossier, register) or Concern(fact, register).among(leanings(dossier))


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
        self._names = frozenset(_names_of(fact))
        self._countries: frozenset[str] | None = frozenset()
        """Whoever was ever located there is concerned; None: everybody."""
        self._campaigns: frozenset[str] = frozenset()
        """Whoever came by a tag of these is concerned, too."""
        match fact.said:
            case EntityRegistered() as said:
                self._countries, self._campaigns = register.reach_of(said.entity)
            case CampaignStarted() as said:
                self._countries, self._campaigns = register.addresses(said), frozenset((said.campaign,))

    def among(self, leanings: Leanings) -> bool:
        """Whether somebody who leans on these is concerned."""
        if self._countries is None or not self._names.isdisjoint(leanings):
            return True
        if not self._countries and not self._campaigns:
            return False
        return any(self._is_addressed(leaning[:2], leaning[2:]) for leaning in leanings)

    def _is_addressed(self, kind: str, name: str) -> bool:
        if kind == "c:":
            return self._countries is None or name in self._countries
        return kind == "t:" and name in self._campaigns


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
