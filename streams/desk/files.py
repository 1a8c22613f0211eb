"""What the store holds of one answer, one client, one case, and of all of them in tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, false, func, or_, select

from streams.desk import tables as t

EVENTS_SHOWN = 1_000
"""Of one client's events, answers, notices and cases each, the latest."""


class Answer(Struct, frozen=True):
    """One answer with all it says, and where it stands among those to the same offer."""

    row: Any
    data: dict[str, Any]
    chain: list[Any]
    """Every answer to the same offer event, the earliest first."""
    facts: dict[str, list[Any]]
    """Events by the ids that its reasons lean on; several sources may use one id."""
    cases: list[Any]
    assignee: str | None

    @property
    def held(self) -> bool:
        """Whether it stands and waits for a person."""
        return bool(self.row.open)


def answer(engine: Engine, id: str) -> Answer | None:
    """An answer by its decision id."""
    d = t.decision.c
    with engine.connect() as connection:
        row = connection.execute(select(t.decision).where(d.id == id)).first()
        if row is None:
            return None
        data = msgspec.json.decode(row.body)["data"]
        same = (d.client == row.client) & (d.source == row.source) & (d.event == row.event)
        chain = connection.execute(select(t.decision).where(or_(d.id == id, same)).order_by(d.recorded, d.id)).all()
        ids = {fact for reason in data["reasons"] for fact in reason["facts"]}
        facts = connection.execute(
            select(t.said).where(t.said.c.id.in_(ids) & or_(t.said.c.client == row.client, t.said.c.of_register))
        ).all()
        c = t.case.c
        naming = or_(_may_hold(c.decisions, id), _may_hold(c.facts, row.event))
        cases = connection.execute(select(t.case).where((c.client == row.client) & naming).order_by(c.recorded)).all()
        taken = connection.execute(select(t.assignment.c.person).where(t.assignment.c.decision == id)).scalar()
    by_id: dict[str, list[Any]] = {}
    for fact in facts:
        by_id.setdefault(fact.id, []).append(fact)
    named = [c for c in cases if id in msgspec.json.decode(c.decisions) or row.event in msgspec.json.decode(c.facts)]
    return Answer(row, data, list(chain), by_id, named, taken)


def _may_hold(column: ColumnElement[str], id: str | None) -> ColumnElement[bool]:
    """Whether a list, as JSON, may hold that id: rows that do not need not be read."""
    return false() if id is None else column.contains(msgspec.json.encode(id).decode(), autoescape=True)


class File(Struct, frozen=True):
    """Everything about one client."""

    client: str
    events: list[Any]
    """The latest `EVENTS_SHOWN`, the earliest of them first."""
    more: int
    """Earlier ones that are not shown."""
    answers: list[Any]
    notices: list[Any]
    cases: list[Any]

    def __bool__(self) -> bool:
        return bool(self.events or self.answers or self.cases)


def file(engine: Engine, client: str) -> File:
    """The file of one client; false if nothing is known of him."""
    s, d, n, c = t.said.c, t.decision.c, t.notice.c, t.case.c
    with engine.connect() as connection:
        mine = (s.client == client) & s.of_register.is_(False)
        many = connection.execute(select(func.count()).select_from(t.said).where(mine)).scalar_one()
        events = _latest(connection, select(t.said).where(mine), s.at.desc(), s.recorded.desc(), s.id.desc())
        answers = _latest(connection, select(t.decision).where(d.client == client), d.recorded.desc(), d.id)
        told = select(t.notice).where(n.client == client)
        notices = _latest(connection, told, n.opened.desc(), n.recorded.desc(), n.id)
        cases = _latest(connection, select(t.case).where(c.client == client), c.recorded.desc(), c.id)
    return File(client, events, many - len(events), answers, notices, cases)


def _latest(connection: Connection, asked: Select[Any], *order: ColumnElement[Any]) -> list[Any]:
    """Of rows in an order that begins with the latest as many as are shown, the earliest of them first."""
    return list(connection.execute(asked.order_by(*order).limit(EVENTS_SHOWN)).all()[::-1])


def filings(engine: Engine, client: str, evidence: str) -> list[dict[str, Any]]:
    """What was filed of that evidence for a client, however long ago."""
    s = t.said.c
    asked = select(s.body).where((s.client == client) & (s.kind == "evidence.filed"))
    with engine.connect() as connection:
        every = [msgspec.json.decode(row.body)["data"] for row in connection.execute(asked)]
    return [data for data in every if data["evidence"] == evidence]


def cases(engine: Engine, closed: bool, limit: int = 200) -> Sequence[Row[Any]]:
    """Cases that wait, or that are closed, the latest first."""
    asked = select(t.case, t.closing.c.by, t.closing.c.at, t.closing.c.reason)
    asked = asked.select_from(t.case.outerjoin(t.closing, t.closing.c.case == t.case.c.id))
    with engine.connect() as connection:
        ordered = asked.where(t.case.c.closed.is_(closed)).order_by(t.case.c.recorded.desc(), t.case.c.id).limit(limit)
        return connection.execute(ordered).all()


class CaseFile(Struct, frozen=True):
    """One case: answers that were superseded, each beside the one that stands, and the facts."""

    row: Any
    closing: Any
    pairs: list[tuple[Any, Any]]
    facts: list[Any]
    fact_ids: list[str]


def case_file(engine: Engine, id: str) -> CaseFile | None:
    """A case by its id."""
    with engine.connect() as connection:
        row = connection.execute(select(t.case).where(t.case.c.id == id)).first()
        if row is None:
            return None
        closing = connection.execute(select(t.closing).where(t.closing.c.case == id)).first()
        decisions, facts = msgspec.json.decode(row.decisions), msgspec.json.decode(row.facts)
        d = t.decision.c
        named = connection.execute(
            select(t.decision).where(or_(d.id.in_(decisions), d.supersedes.in_(decisions)))
        ).all()
        events = connection.execute(select(t.said).where(t.said.c.id.in_(facts))).all()
    by_id = {one.id: one for one in named}
    olds = [by_id[i] for i in decisions if i in by_id]
    pairs = [(old, by_id.get(old.replaced_by)) for old in olds]
    of_client = [e for e in events if row.client is None or e.of_register or e.client == row.client]
    return CaseFile(row, closing, pairs, of_client, facts)


class Heat(Struct, frozen=True):
    """Open items by country and service."""

    services: list[str]
    countries: list[str]
    held: dict[tuple[str, str], int]
    blocked: dict[tuple[str, str], int]
    most: int


def heat(engine: Engine) -> Heat:
    """Where answers are held and blocked now."""
    d, c = t.decision.c, t.country.c
    asked = (
        select(c.country, d.service, d.rank, func.count().label("many"))
        .join_from(t.country, t.decision, d.id == c.decision)
        .group_by(c.country, d.service, d.rank)
    )
    with engine.connect() as connection:
        rows = connection.execute(asked).all()
    held = {(r.country, r.service): r.many for r in rows if r.rank == 0}
    blocked = {(r.country, r.service): r.many for r in rows if r.rank == 1}
    places = {*held, *blocked}
    most = max((held.get(p, 0) + blocked.get(p, 0) for p in places), default=0)
    return Heat(sorted({s for _, s in places}), sorted({c for c, _ in places}), held, blocked, most)


class Types(Struct, frozen=True):
    """One type of service, product and asset: how often clients asked for it, and how often it was offered."""

    service: str
    product: str | None
    asset: str | None
    asked: int
    offered: int


def types(engine: Engine, client: str | None = None) -> list[Types]:
    """What was asked for against what was offered, of all clients or of one."""
    s = t.said.c
    asked = select(s.kind, s.service, s.product, s.asset, func.count().label("many")).where(
        s.kind.in_(("client.requested", "offer.proposed"))
    )
    if client is not None:
        asked = asked.where(s.client == client)
    with engine.connect() as connection:
        rows = connection.execute(asked.group_by(s.kind, s.service, s.product, s.asset)).all()
    return _by_type(rows)


def _by_type(rows: Iterable[Any]) -> list[Types]:
    found: dict[tuple[str, str, str], list[int]] = {}
    for row in rows:
        counts = found.setdefault((row.service or "", row.product or "", row.asset or ""), [0, 0])
        counts[row.kind == "offer.proposed"] += row.many
    return [Types(s, p or None, a or None, *found[s, p, a]) for s, p, a in sorted(found)]


class Refusals(Struct, frozen=True):
    """Events that could not be taken."""

    total: int
    latest: list[Any]


def rejects(engine: Engine, limit: int = 50) -> Refusals:
    """How many events could not be taken, and the latest."""
    r = t.reject.c
    with engine.connect() as connection:
        total = connection.execute(select(func.count()).select_from(t.reject)).scalar_one()
        latest = connection.execute(select(t.reject).order_by(r.recorded.desc(), r.log, r.number.desc()).limit(limit))
        return Refusals(total, list(latest.all()))
