"""What the store holds of one answer, one client, one case, and of all of them in tables."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, Select, case, false, func, or_, select

from streams.desk import tables as t
from streams.desk.around import register_about, same_person
from streams.desk.lists import Listed, listed

EVENTS_SHOWN = 1_000
"""Of one client's events, answers, notices and cases each, in one stretch of his file."""
EVIDENCE: Final = ("evidence.filed", "evidence.approved", "evidence.retracted")


class Answer(Struct, frozen=True):
    """One answer with all it says, and where it stands among those to the same offer."""

    row: Any
    data: dict[str, Any]
    chain: list[Any]
    """Every answer to the same offer event, the earliest first; each one to an offer that could not be read is alone."""
    facts: dict[str, list[Any]]
    """Events by the ids that its reasons lean on, of who is the same person too; several sources may use one id."""
    cases: list[Any]
    assignee: str | None

    @property
    def leans_on(self) -> list[Any]:
        """All these events."""
        return [fact for facts in self.facts.values() for fact in facts]

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
        # An offer that could not be read is not what was taken under its id, if anything was.
        event = None if row.leading == t.UNREADABLE else row.event
        of = (d.client == row.client) & (d.source == row.source) & (d.leading != t.UNREADABLE)
        same = false() if event is None else of & (d.event == event)
        every = select(t.decision).where(or_(d.id == id, same))
        chain = connection.execute(every.order_by(d.recorded, d.place, d.id)).all()
        ids = {fact for reason in data["reasons"] for fact in reason["facts"]} if event is not None else set()
        person, _ = same_person(connection, row.client)
        facts = connection.execute(
            select(t.said).where(t.said.c.id.in_(ids) & or_(t.said.c.client.in_(person), t.said.c.of_register))
        ).all()
        c = t.case.c
        naming = or_(_may_hold(c.decisions, id), _may_hold(c.facts, event))
        cases = connection.execute(select(t.case).where((c.client == row.client) & naming).order_by(c.recorded)).all()
        taken = connection.execute(select(t.assignment.c.person).where(t.assignment.c.decision == id)).scalar()
    by_id: dict[str, list[Any]] = {}
    for fact in facts:
        by_id.setdefault(fact.id, []).append(fact)
    named = [c for c in cases if id in msgspec.json.decode(c.decisions) or event in msgspec.json.decode(c.facts)]
    return Answer(row, data, list(chain), by_id, named, taken)


def _may_hold(column: ColumnElement[str], id: str | None) -> ColumnElement[bool]:
    """Whether a list, as JSON, may hold that id: rows that do not need not be read."""
    return false() if id is None else column.contains(msgspec.json.encode(id).decode(), autoescape=True)


class Stretch(Struct, frozen=True):
    """`EVENTS_SHOWN` rows of a list at most, the earliest of them first."""

    rows: list[Any]
    earlier: int
    """How many there are before these."""


class File(Struct, frozen=True):
    """Everything about one client. Long lists come in stretches: the first holds the latest."""

    client: str
    stretch: int
    """Which one of each list, from 0."""
    events: Stretch
    answers: Stretch
    notices: Stretch
    cases: Stretch
    register: Stretch
    """What the register says about what is in this stretch of the others; see `register_about`."""
    tainted: list[Any]
    """Every notice that a scope of this stretch is tainted, whichever stretch that one is in."""
    evidence: list[Any]
    """All events about evidence: what was filed long ago still counts, and may still be approved."""
    requests: list[Any]
    """All things that the client himself asked for."""
    merged: list[Any]
    """All events that say who is the same person."""

    def __bool__(self) -> bool:
        return bool(self.events.rows or self.answers.rows or self.cases.rows or self.merged)

    @property
    def earlier(self) -> dict[str, int]:
        """How many there are before this stretch, by list; of those that go on."""
        names = {"events of the register": self.register} | {n: getattr(self, n) for n in _IN_STRETCHES}
        return {name: of.earlier for name, of in names.items() if of.earlier}


_IN_STRETCHES: Final = ("events", "answers", "notices", "cases")


def file(engine: Engine, client: str, stretch: int = 0) -> File:
    """The file of one client; false if nothing is known of him."""
    s, d, n, c, g = t.said.c, t.decision.c, t.notice.c, t.case.c, t.thing.c
    mine = (s.client == client) & s.of_register.is_(False)
    in_order = (s.at, s.recorded, s.place, s.id)
    with engine.connect() as connection:
        latest = partial(_latest, connection, stretch)
        events = latest(select(t.said).where(mine), *in_order)
        answers = latest(select(t.decision).where(d.client == client), d.recorded, d.place, d.id)
        notices = latest(select(t.notice).where(n.client == client), n.opened, n.recorded, n.place, n.id)
        cases = latest(select(t.case).where(c.client == client), c.recorded, c.id)
        spoilt = (n.client == client) & (n.state == "tainted")
        spoilt &= n.opened.in_({notice.opened for notice in notices.rows})
        tainted = connection.execute(select(t.notice).where(spoilt).order_by(n.recorded.desc())).all()
        filed = select(t.said).where(mine & s.kind.in_(EVIDENCE)).order_by(*in_order)
        evidence = connection.execute(filed).all()
        asked = t.thing.join(t.said, (s.log == g.log) & (s.source == g.source) & (s.id == g.id))
        wanted = select(t.thing).select_from(asked).where((g.client == client) & g.offered.is_(False))
        requests = connection.execute(wanted.order_by(*in_order)).all()
        person, merged = same_person(connection, client)
        said = register_about(connection, person, events.rows, answers.rows, notices.rows)
    end = max(0, len(said) - stretch * EVENTS_SHOWN)
    begin = max(0, end - EVENTS_SHOWN)
    lists = (events, answers, notices, cases, Stretch(said[begin:end], begin))
    return File(client, stretch, *lists, list(tainted), list(evidence), list(requests), merged)


def _latest(connection: Connection, stretch: int, asked: Select[Any], *order: ColumnElement[Any]) -> Stretch:
    """A stretch of what is asked for, which lies in that order."""
    many = connection.execute(select(func.count()).select_from(asked.subquery())).scalar_one()
    backwards = asked.order_by(*(column.desc() for column in order))
    rows = connection.execute(backwards.limit(EVENTS_SHOWN).offset(stretch * EVENTS_SHOWN)).all()
    return Stretch(list(rows[::-1]), max(0, many - (stretch + 1) * EVENTS_SHOWN))


def filings(engine: Engine, client: str, evidence: str) -> list[dict[str, Any]]:
    """What was filed of that evidence for a client, however long ago."""
    s = t.said.c
    asked = select(s.body).where((s.client == client) & (s.kind == "evidence.filed"))
    with engine.connect() as connection:
        every = [msgspec.json.decode(row.body)["data"] for row in connection.execute(asked)]
    return [data for data in every if data["evidence"] == evidence]


def cases(engine: Engine, closed: bool, after: str | None = None) -> Listed:
    """A page of the cases that wait, or that are closed, the latest first."""
    c = t.case.c
    asked = select(t.case, t.closing.c.by, t.closing.c.at, t.closing.c.reason)
    asked = asked.select_from(t.case.outerjoin(t.closing, t.closing.c.case == c.id)).where(c.closed.is_(closed))
    with engine.connect() as connection:
        return listed(connection, asked, c.recorded, c.id, after)


class Course(Struct, frozen=True):
    """What became of an answer that a case is about."""

    old: Any
    later: list[Any]
    """The answers that came in its place, each replacing the one before; the last one stands. Empty if it does itself."""


class CaseFile(Struct, frozen=True):
    """One case: answers that it is about, each beside the one that stands, and the facts."""

    row: Any
    closing: Any
    courses: list[Course]
    facts: list[Any]
    """Events of the case's client and of the register: of a case beyond one client only those of the register."""
    fact_ids: list[str]


def case_file(engine: Engine, id: str) -> CaseFile | None:
    """A case by its id."""
    with engine.connect() as connection:
        row = connection.execute(select(t.case).where(t.case.c.id == id)).first()
        if row is None:
            return None
        closing = connection.execute(select(t.closing).where(t.closing.c.case == id)).first()
        decisions, facts = msgspec.json.decode(row.decisions), msgspec.json.decode(row.facts)
        by_id = _named_and_later(connection, decisions)
        events = connection.execute(select(t.said).where(t.said.c.id.in_(facts))).all()
    courses = [Course(by_id[i], _later(by_id[i], by_id)) for i in decisions if i in by_id]
    return CaseFile(row, closing, courses, [e for e in events if e.of_register or e.client == row.client], facts)


def _named_and_later(connection: Connection, ids: Iterable[str]) -> dict[str, Any]:
    """Answers by their ids, and all that have replaced them, one after the other."""
    found: dict[str, Any] = {}
    while ids:
        rows = connection.execute(select(t.decision).where(t.decision.c.id.in_(ids))).all()
        found |= {row.id: row for row in rows}
        ids = {row.replaced_by for row in rows} - {None} - found.keys()
    return found


def _later(row: Any, by_id: Mapping[str, Any]) -> list[Any]:
    later: list[Any] = []
    while row.replaced_by in by_id and len(later) < len(by_id):
        row = by_id[row.replaced_by]
        later.append(row)
    return later


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
    held = {(r.country, r.service or t.NOT_KNOWN): r.many for r in rows if r.rank == 0}
    blocked = {(r.country, r.service or t.NOT_KNOWN): r.many for r in rows if r.rank == 1}
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
    """What was asked for against what was offered and promoted, of all clients or of one."""
    g = t.thing.c
    offered = func.sum(case((g.offered, 1), else_=0))
    asked = select(g.service, g.product, g.asset, func.count().label("many"), offered.label("offered"))
    if client is not None:
        asked = asked.where(g.client == client)
    with engine.connect() as connection:
        rows = connection.execute(asked.group_by(g.service, g.product, g.asset)).all()
    found = [Types(r.service, r.product, r.asset, r.many - r.offered, r.offered) for r in rows]
    return sorted(found, key=lambda of: (of.service, of.product or "", of.asset or ""))


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
