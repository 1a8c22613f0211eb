"""The queue: what is held or blocked and stands, what is left of it after filters, and how many there are of each kind."""

import re
from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Engine, Select, and_, func, select, true

from gate.facts import Instant
from gate.people import releasable
from gate.policy import HOUR
from streams.desk.lists import PAGE, behind
from streams.desk.tables import NOT_KNOWN, assignment, country, decision

NOBODY = "nobody"
"""As an assignee: of items that nobody has taken on."""
COUNTED = 1_000
"""Beyond so many items a count says that there are more."""

_PLACE = re.compile(r"(\d)\.(-?\d{1,18})\.(.+)", re.ASCII | re.DOTALL)


class Filter(Struct, frozen=True):
    """Which items; what is empty wants all."""

    state: str = ""
    """`held` or `blocked`."""
    reason: str = ""
    """The leading one."""
    country: str = ""
    service: str = ""
    assignee: str = ""
    older: int = 0
    """Recorded at least so many hours ago."""

    def query(self, **changed: str | int) -> dict[str, str]:
        """As the query of a link, with some of it changed."""
        wanted = msgspec.structs.replace(self, **changed)
        return {name: str(value) for name, value in msgspec.structs.asdict(wanted).items() if value}


class Item(Struct, frozen=True):
    """One answer that waits for a person."""

    id: str
    client: str
    offer: str
    service: str
    asset: str | None
    product: str | None
    held: bool
    leading: str
    said: str
    recorded: Instant
    releasable: bool
    """Whether people may release it, up to `hard_until`."""
    hard_until: Instant | None
    assignee: str | None


class Shown(Struct, frozen=True):
    """One page of the queue; `after` asks for the next."""

    items: list[Item]
    after: str | None


class Tally(Struct, frozen=True):
    """What a filter link says: a value and how many open items have it."""

    value: str
    count: int


def _wanted(filter: Filter, now: Instant) -> ColumnElement[bool]:
    d = decision.c
    clauses: list[ColumnElement[bool]] = [d.open.is_(True)]
    if filter.state:
        clauses.append(d.rank == (0 if filter.state == "held" else 1))
    if filter.reason:
        clauses.append(d.leading == filter.reason)
    if filter.service:
        clauses.append(d.service == ("" if filter.service == NOT_KNOWN else filter.service))
    if filter.older:
        clauses.append(d.recorded <= now - filter.older * HOUR)
    if filter.country:
        clauses.append(d.id.in_(select(country.c.decision).where(country.c.country == filter.country)))
    if filter.assignee == NOBODY:
        clauses.append(assignment.c.person.is_(None))
    elif filter.assignee:
        clauses.append(assignment.c.person == filter.assignee)
    return and_(*clauses)


def queue(engine: Engine, filter: Filter, now: Instant, after: str | None = None, limit: int = PAGE) -> Shown:
    """A page: held before blocked, the latest first."""
    d = decision.c
    asked = _joined(select(decision, assignment.c.person)).where(_wanted(filter, now))
    asked = asked.order_by(d.rank, d.recorded.desc(), d.id)
    rows: list[Any] = []
    with engine.connect() as connection:
        for stretch in _stretches(_place(after)):
            if len(rows) <= limit:
                rows += connection.execute(asked.where(stretch).limit(limit + 1 - len(rows))).all()
    items = [_item(row) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return Shown(items, f"{last.rank}.{last.recorded}.{last.id}" if last else None)


def _joined(asked: Select[Any]) -> Select[Any]:
    return asked.select_from(decision.outerjoin(assignment, assignment.c.decision == decision.c.id))


def _place(after: str | None) -> tuple[int, int, str] | None:
    found = _PLACE.fullmatch(after or "")
    return None if found is None else (int(found[1]), int(found[2]), found[3])


def _stretches(place: tuple[int, int, str] | None) -> list[ColumnElement[bool]]:
    """What comes after a place, in stretches of which each is one of an index: the rest of its rank, then the others."""
    d = decision.c
    if place is None:
        return [true()]
    rank, recorded, id = place
    return [and_(d.rank == rank, behind(d.recorded, recorded, d.id, id)), d.rank > rank]


def _item(row: Any) -> Item:
    reasons = msgspec.json.decode(row.body)["data"]["reasons"]
    sentence = next((r["said"] for r in reasons if r["code"] == row.leading), "")
    about = (row.id, row.client, row.offer, row.service, row.asset, row.product)
    open = releasable(row.verdict, [r["code"] for r in reasons])
    return Item(*about, row.rank == 0, row.leading, sentence, row.recorded, open, row.hard_until, row.person)


def count(engine: Engine, filter: Filter, now: Instant) -> int:
    """How many items there are; one more than `COUNTED` stands for all that are more."""
    asked = select(decision.c.id)
    asked = (_joined(asked) if filter.assignee else asked).where(_wanted(filter, now)).limit(COUNTED + 1)
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(asked.subquery())).scalar_one())


class Tallies(Struct, frozen=True):
    """Of all open items, by what they are filtered by; the most frequent first."""

    states: list[Tally]
    reasons: list[Tally]
    services: list[Tally]
    countries: list[Tally]


def tallies(engine: Engine) -> Tallies:
    """How many open items there are of each kind."""
    d = decision.c
    many = select(func.count())
    by = (d.leading, d.service, d.rank)  # In the order of an index, so that one pass over it counts them all.
    with engine.connect() as connection:
        found = connection.execute(many.add_columns(*by).where(d.open.is_(True)).group_by(*by)).all()
        countries = connection.execute(many.add_columns(country.c.country).group_by(country.c.country)).all()
    states, reasons, services = Counter[int](), Counter[str](), Counter[str]()
    for count, leading, service, rank in found:
        states[rank] += count
        reasons[leading] += count
        services[service or NOT_KNOWN] += count
    ranks = [Tally(name, states[rank]) for rank, name in enumerate(("held", "blocked")) if states[rank]]
    places = Counter({each: count for count, each in countries})
    return Tallies(ranks, *map(_frequent, (reasons, services, places)))


def _frequent(counts: Counter[str]) -> list[Tally]:
    return sorted((Tally(*each) for each in counts.items()), key=lambda tally: (-tally.count, tally.value))
