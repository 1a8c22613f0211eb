"""What people do at the desk: each act is written down, published as an event, and done only when the gate has answered.

What two must sign waits until a second, other person signs; the server sees to that by who is signed in (judging section
7). An act of which it is not known whether it arrived is sent again as it was: it counts once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, case, select, true, update

from gate.effects import case_id, derived_id
from gate.facts import Instant
from gate.instants import text
from gate.policy import HOUR
from streams.desk import tables as t
from streams.desk.access.roles import May, Person
from streams.desk.lists import Listed, listed
from streams.desk.outcomes import Outcome, outcomes
from streams.desk.releases import obstacles
from streams.desk.tables import REJECTED, SENDING, UNKNOWN, WAITING, WITHDRAWN
from streams.feed import Told
from streams.feed.sending import SOURCE, Receipt, Sender
from streams.stores import put


class Kind(Struct, frozen=True):
    """One kind of act: its event, whether two must sign, and who may begin it."""

    event: str
    title: str
    two: bool
    may: May
    about: str
    """The field of its data that names what it is about."""


KINDS: Final[dict[str, Kind]] = {
    "file": Kind("evidence.filed", "File evidence", False, May.FILE, "evidence"),
    "approve": Kind("evidence.approved", "Approve evidence", False, May.APPROVE, "evidence"),
    "retract": Kind("evidence.retracted", "Retract evidence", True, May.PROPOSE, "evidence"),
    "release": Kind("review.released", "Release", True, May.PROPOSE, "decision"),
    "refuse": Kind("review.refused", "Refuse", False, May.REFUSE, "decision"),
    "narrow": Kind("taint.narrowed", "Narrow taint", True, May.PROPOSE, "exposure"),
}


class ActRefused(Exception):
    """An act that is not begun or signed, with what to do."""


class Acts:
    """Writes acts down, publishes them and keeps what became of them."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender

    async def begin(
        self, kind: str, client: str, data: Mapping[str, Any], person: Person, now: Instant, once: str
    ) -> str:
        """Begin an act; returns its id. What one person may do alone is published at once.

        `once` is the form's own token: the same form sent twice is one act.
        """
        of = KINDS[kind]
        if not person.may(of.may):
            raise ActRefused(f"to {of.title.lower()} you need a role that may {of.may}")
        id = derived_id(f"desk-{kind}", once, client, str(data[of.about]))
        row: dict[str, Any] = {"id": id, "kind": kind, "client": client, "about": str(data[of.about]), "by": person.id}
        row |= {
            "at": now,
            "status": WAITING if of.two else SENDING,
            "told": "",
            "data": msgspec.json.encode(data).decode(),
        }
        if await asyncio.to_thread(self._write_down, row, now) and not of.two:
            await self.send(id)
        return id

    def _write_down(self, row: Mapping[str, Any], now: Instant) -> bool:
        """Whether this is a new act; one that waits for nobody is written as it will be published."""
        with self._engine.begin() as connection:
            _stop(connection, row["kind"], row["about"], now)
            if not t.insert_new(connection, t.act, [dict(row)]):
                return False
            if row["status"] != WAITING:
                self._dispatch(connection, row["id"], now, None)
        return True

    async def sign(self, id: str, person: Person, now: Instant) -> None:
        """Sign as the second and publish."""
        if not person.may(May.SIGN):
            raise ActRefused(f"to sign you need a role that may {May.SIGN}")
        await asyncio.to_thread(self._signed, id, person, now)
        await self.send(id)

    def _signed(self, id: str, person: Person, now: Instant) -> None:
        with self._engine.begin() as connection:
            row = connection.execute(select(t.act).where(t.act.c.id == id).with_for_update()).first()
            if row is None or row.status != WAITING:
                raise ActRefused("this no longer waits for a signature; look at what became of it")
            if row.by == person.id:
                raise ActRefused("you began this yourself; another person must sign, whichever browser you use")
            _stop(connection, row.kind, row.about, now)
            self._dispatch(connection, id, now, person.id)

    def withdraw(self, id: str, person: Person) -> None:
        """Take back what waits for a signature; whoever may sign may decline it so."""
        with self._engine.begin() as connection:
            row = connection.execute(select(t.act).where(t.act.c.id == id)).first()
            if row is None or row.status != WAITING:
                raise ActRefused("this no longer waits for a signature")
            if row.by != person.id and not person.may(May.SIGN):
                raise ActRefused("only who began this, or who may sign it, can take it back")
            told = f"taken back by {person.id}"
            waiting = (t.act.c.id == id) & (t.act.c.status == WAITING)
            if connection.execute(update(t.act).where(waiting).values(status=WITHDRAWN, told=told)).rowcount != 1:
                raise ActRefused("somebody signed this a moment ago, or took it back")

    def _dispatch(self, connection: Any, id: str, now: Instant, second: str | None) -> None:
        """Write the event down as it will be published; the first stands, whoever comes second finds it changed."""
        row = connection.execute(select(t.act).where(t.act.c.id == id)).one()
        data = msgspec.json.decode(row.data) | {"by": row.by}
        hours = data.pop("hours", None)
        if second is not None:
            data["second"] = second
        if hours is not None:
            data["expires"] = text(min(now + int(hours) * HOUR, data.pop("latest", None) or 2**62))
        event = {
            "specversion": "1.0",
            "id": id,
            "source": SOURCE,
            "type": f"gate61.{KINDS[row.kind].event}.v1",
            "subject": row.client,
            "time": text(now),
            "datacontenttype": "application/json",
            "data": data,
        }
        values = {"status": SENDING, "second": second, "signed": now, "sent": msgspec.json.encode(event).decode()}
        unsent = (t.act.c.id == id) & t.act.c.sent.is_(None) & (t.act.c.status != WITHDRAWN)
        if connection.execute(update(t.act).where(unsent).values(**values)).rowcount != 1:
            raise ActRefused("somebody signed this a moment ago, or took it back")

    async def send(self, id: str) -> None:
        """Publish an act as it was written down, again if need be; it counts once."""
        row = await asyncio.to_thread(self.one, id)
        if row is None or row.sent is None or row.status not in (SENDING, UNKNOWN):
            return
        receipt = await self._sender.send(msgspec.json.decode(row.sent))
        await asyncio.to_thread(self._sent, row, receipt)

    def _sent(self, row: Any, receipt: Receipt) -> None:
        # What the gate said may have been read from its logs meanwhile; that stays.
        told = receipt.said or case((t.act.c.told == row.told, ""), else_=t.act.c.told)
        with self._engine.begin() as connection:
            open = (t.act.c.id == row.id) & t.act.c.status.in_((SENDING, UNKNOWN))
            connection.execute(update(t.act).where(open).values(status=receipt.status, told=told))

    def again(self) -> list[str]:
        """Acts of which it is not known whether they arrived, as after a crash; each is to be sent again."""
        with self._engine.connect() as connection:
            asked = select(t.act.c.id).where(t.act.c.status.in_((SENDING, UNKNOWN))).order_by(t.act.c.at, t.act.c.id)
            return [row.id for row in connection.execute(asked)]

    def one(self, id: str) -> Any:
        """An act by its id; None if there is none."""
        with self._engine.connect() as connection:
            return connection.execute(select(t.act).where(t.act.c.id == id)).first()

    def waiting(self, client: str = "") -> Sequence[Any]:
        """All acts that wait for a signature, of one client or of all; who has waited longest comes first."""
        a = t.act.c
        asked = select(t.act).where((a.status == WAITING) & _of(client)).order_by(a.at, a.id)
        with self._engine.connect() as connection:
            return connection.execute(asked).all()

    def past(self, client: str = "", after: str | None = None) -> Listed:
        """A page of all other acts, of one client or of all, the latest first."""
        a = t.act.c
        with self._engine.connect() as connection:
            asked = select(t.act).where((a.status != WAITING) & _of(client))
            return listed(connection, asked, a.at, a.id, after)

    def on(self, decision: str) -> Sequence[Any]:
        """Acts about an answer, the latest first."""
        a = t.act.c
        asked = select(t.act).where((a.about == decision) & a.kind.in_(("release", "refuse")))
        with self._engine.connect() as connection:
            return connection.execute(asked.order_by(a.at.desc(), a.id)).all()

    def filed(self, client: str, evidence: str, person: Person) -> bool:
        """Whether somebody filed that evidence of a client here, which the logs may not have told yet."""
        a = t.act.c
        asked = select(a.id).where((a.kind == "file") & (a.client == client) & (a.about == evidence))
        asked = asked.where((a.by == person.id) & (a.status != REJECTED))
        with self._engine.connect() as connection:
            return connection.execute(asked.limit(1)).first() is not None

    def became(self, acts: Sequence[Any], now: Instant) -> Sequence[Outcome]:
        """What became of acts, in their order."""
        with self._engine.connect() as connection:
            return outcomes(connection, acts, now)

    def obstacles(self, decision: str, now: Instant) -> Sequence[str]:
        """What stands against releasing an answer now."""
        with self._engine.connect() as connection:
            return obstacles(connection, decision, now)

    # What concerns the desk alone and is no event of the gate.

    def assign(self, decision: str, person: Person, now: Instant) -> None:
        """Take an item on; whoever comes later takes it over."""
        with self._engine.begin() as connection:
            put(connection, t.assignment, [{"decision": decision, "person": person.id, "at": now}])

    def let_go(self, decision: str) -> None:
        """Nobody has taken the item on any more."""
        with self._engine.begin() as connection:
            connection.execute(t.assignment.delete().where(t.assignment.c.decision == decision))

    def close(self, case: str, person: Person, reason: str, now: Instant) -> None:
        """A person has looked at the case; the first word stands. The contract has no event for it."""
        with self._engine.begin() as connection:
            t.insert_new(connection, t.closing, [{"case": case, "by": person.id, "at": now, "reason": reason}])
            connection.execute(update(t.case).where(t.case.c.id == case).values(closed=True))


def saw(connection: Connection, told: Sequence[Told]) -> None:
    """Learn from the logs which acts were rejected, and what cases they opened; answers tell themselves why they came."""
    for each in told:
        if each.kind == "rejected":
            _rejected(connection, each)
        elif each.kind == "case":
            _opened(connection, each.event["data"])


def _rejected(connection: Connection, each: Told) -> None:
    """An act is what was rejected only if it was sent in these very bytes: anybody may use its id."""
    told = f"{each.event.get('reason')}: {each.event.get('message')}"
    sent = (t.act.c.id == each.event.get("id", "")) & (t.act.c.sent == each.event.get("raw", ""))
    connection.execute(update(t.act).where(sent).values(status=REJECTED, told=told))


def _opened(connection: Connection, data: Mapping[str, Any]) -> None:
    """A case is an act's only if its id says so: it may name the id of another source's event."""
    for id in (fact for fact in data["facts"] if str(fact).startswith("desk-")):
        of = case_id(data["why"], data.get("client"), SOURCE, id, *data["decisions"])
        if of == data["case"]:
            connection.execute(update(t.act).where(t.act.c.id == id).values(told=data["said"]))


def _stop(connection: Connection, kind: str, about: str, now: Instant) -> None:
    """ActRefused where a release would let go what people refused, or what no longer stands."""
    if kind == "release" and (found := obstacles(connection, about, now)):
        raise ActRefused("; ".join(found))


def _of(client: str) -> ColumnElement[bool]:
    return t.act.c.client == client if client else true()


def token() -> str:
    """A form's own token."""
    return token_hex(12)
