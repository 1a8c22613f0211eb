"""Whom a change of the register concerns: only his offers need to be judged again when it reaches back behind them.

Doubt concerns. Source: judging section 1 (late facts), section 5 (promoters, classifications in force).
"""

from collections.abc import Iterable, Iterator

from gate.dossier import Dossier
from gate.facts import AssetClassified, CampaignStarted, CountryScoped, EntityRegistered, Fact, ProductClassified, Thing
from gate.register import Register


def concerns(dossier: Dossier, fact: Fact, register: Register) -> bool:
    """Whether an answer to this client, or what his dossier concluded, may lean on the register's fact."""
    if dossier.dropped or dossier.kin:
        return True  # What was cut, or what was sent to somebody who is the same person, may lean on it.
    match fact.said:
        case EntityRegistered() as said:
            acted = any(o.by == said.entity for o in dossier.offers)
            countries, campaigns = register.reach_of(said.entity)
            return acted or _reached_by(dossier, said.entity) or _addressed(dossier, countries, campaigns)
        case AssetClassified() as said:
            return any(t.asset == said.asset for t in _things(dossier))
        case ProductClassified() as said:
            return any(t.product == said.product for t in _things(dossier))
        case CountryScoped() as said:
            return said.country in dossier.own.countries
        case CampaignStarted() as said:
            return _addressed(dossier, register.addresses(said), (said.campaign,))
        case _:
            return False


def _things(dossier: Dossier) -> Iterator[Thing]:
    for scope in dossier.scopes:
        yield scope.thing
    for offer in dossier.offers:
        yield from offer.names
    yield from dossier.own.sent


def _keys(dossier: Dossier) -> set[str]:
    return {*dossier.own.touches, *(s.key for s in dossier.own.singles)}


def _reached_by(dossier: Dossier, entity: str) -> bool:
    return not _keys(dossier).isdisjoint((f"p:{entity}", f"r:{entity}", f"d:{entity}"))


def _addressed(dossier: Dossier, countries: frozenset[str] | None, campaigns: Iterable[str]) -> bool:
    """Whether campaigns for these countries are for where the client was ever located, or he came by a tag of theirs."""
    if countries is None or not countries.isdisjoint(dossier.own.countries):
        return True
    tags = {key[2:] for key in _keys(dossier) if key[0] == "t"}
    return not tags.isdisjoint(campaigns)
