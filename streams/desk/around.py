"""What is around a client's own events: who is the same person, and what the register says of whom and what they name."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, select

from streams.desk import tables as t

_NAMING: Final = ("by", "via", "solicited_by", "campaign", "asset", "product")
"""Fields of events that name an entity, a campaign, an asset or a product."""
_AT_ONCE: Final = 1_000
"""Ids in one question to the store."""


def same_person(connection: Connection, client: str) -> tuple[set[str], list[Any]]:
    """Everybody who was found to be the same person as a client, he among them, and the events that say so."""
    s = t.said.c
    person, fresh, merged = {client}, {client}, list[Any]()
    while fresh:
        tells = select(t.said).where(s.kind == "client.merged")
        found = [row for by in (s.client, s.about) for row in connection.execute(tells.where(by.in_(fresh)))]
        merged += found
        fresh = {each for row in found for each in (row.client, row.about)} - person
        person |= fresh
    return person, _in_order(merged)


class _Campaign(Struct):
    by: str
    countries: list[str] | str


class _Audience(Struct):
    data: _Campaign


class _Place(Struct):
    country: str


class _Located(Struct):
    data: _Place


def register_about(
    connection: Connection, person: Iterable[str], events: Iterable[Any], answers: Iterable[Any], notices: Iterable[Any]
) -> list[Any]:
    """What the register says, the earliest first, for a client's file.

    That is of campaigns for wherever the person was ever located, of who made them, and of whom and what the client's
    events name; and whatever else of the register answers and notices lean on.
    """
    located = (t.said.c.kind == "client.located") & t.said.c.client.in_(person)
    bodies = connection.execute(select(t.said.c.body).where(located)).scalars()
    places = {msgspec.json.decode(body, type=_Located).data.country for body in bodies}
    names, reaching = set(places), list[Any]()
    for row in connection.execute(select(t.said).where(t.said.c.kind == "campaign.started")) if places else ():
        campaign = msgspec.json.decode(row.body, type=_Audience).data
        listed = campaign.countries if isinstance(campaign.countries, list) else [campaign.countries]
        if not places.isdisjoint(listed) or "EEA" in listed or "*" in listed:
            reaching.append(row)
            names |= {row.about, campaign.by}
    for row in events:
        names |= set(_named(msgspec.json.decode(row.body)["data"]))
    ids = {fact for row in answers for why in msgspec.json.decode(row.body)["data"]["reasons"] for fact in why["facts"]}
    ids |= {notice.because for notice in notices}
    about, by_id = (_of_register(connection, *wanted) for wanted in ((t.said.c.about, names), (t.said.c.id, ids)))
    return _in_order([*reaching, *about, *by_id])


def _named(data: dict[str, Any]) -> Iterator[str]:
    for each in (data, *(data.get("promotes") or ())):
        yield from (each[name] for name in _NAMING if isinstance(each.get(name), str))


def _of_register(connection: Connection, column: ColumnElement[Any], names: set[str]) -> Iterator[Any]:
    ordered = sorted(names)
    for start in range(0, len(ordered), _AT_ONCE):
        named = t.said.c.of_register & column.in_(ordered[start : start + _AT_ONCE])
        yield from connection.execute(select(t.said).where(named))


def _in_order(events: Iterable[Any]) -> list[Any]:
    """Each once, the earliest first."""
    each_once = {(row.log, row.source, row.id): row for row in events}
    return sorted(each_once.values(), key=lambda row: (row.at, row.recorded, row.place, row.source, row.id))
