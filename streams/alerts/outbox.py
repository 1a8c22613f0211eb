"""What is to be delivered: each message until it has arrived, or is dead after the last attempt of the schedule."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, Engine, and_, delete, exists, func, select, update

from gate.facts import Instant
from gate.policy import DAY, SECOND
from streams.alerts import tables as t
from streams.stores import put

SCHEDULE: Final = tuple(s * SECOND for s in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""How long each attempt waits after the one before (Standard Webhooks 1.0); after the tenth a message is dead."""
LONGEST_WAIT: Final = DAY
"""However long a receiver asks for."""
KEPT_SENT: Final = 14 * DAY
KEPT: Final = 400 * DAY
"""Answers are followed for so long, since late facts reach back far; dead messages are kept until they are sent."""
WAITING, SENT, DEAD = "waiting", "sent", "dead"


class Delivery(Struct, frozen=True):
    """One message to one receiver."""

    number: int
    id: str
    channel: str
    about: str
    sequence: int
    kind: str
    body: bytes
    state: str
    created: Instant
    attempts: int
    status: int | None
    said: str
    tried: Instant | None


class Attempt(Struct, frozen=True):
    """What became of one attempt."""

    arrived: bool
    said: str
    """For people, without anything secret."""
    status: int | None = None
    hopeless: bool = False
    """It would be refused again."""
    gone: bool = False
    """The receiver wants no more of them, ever."""
    retry_after: Instant | None = None
    """How long the receiver asks to be left alone."""


_COLUMNS = [t.delivery.c[name] for name in Delivery.__struct_fields__]


def due(
    engine: Engine, channel: str, ordered: bool, now: Instant, room: int, under_way: Sequence[str]
) -> list[Delivery]:
    """What is to be tried now: fresh messages before those that failed; `ordered` waits for earlier ones of the group."""
    d, earlier = t.delivery, t.delivery.alias()
    of = and_(d.c.channel == channel, d.c.state == WAITING, d.c.due <= now, d.c.id.not_in(under_way))
    if ordered:
        before = and_(earlier.c.about == d.c.about, earlier.c.state == WAITING, earlier.c.number < d.c.number)
        of &= ~exists(select(earlier.c.number).where(before))
    with engine.connect() as connection:
        here = select(t.endpoint).where(t.endpoint.c.channel == channel)
        known = connection.execute(here).mappings().first()
        if known is not None and (known["disabled"] or (known["paused"] or 0) > now):
            return []
        rows = connection.execute(select(*_COLUMNS).where(of).order_by(d.c.attempts, d.c.number).limit(room))
        return [Delivery(*row) for row in rows]


def known(engine: Engine, channel: str, address: str, *, enable: bool = False) -> bool:
    """Whether the channel is sent to; one that was disabled is enabled by another address, or by hand."""
    e = t.endpoint
    with engine.begin() as connection:
        row = connection.execute(select(e).where(e.c.channel == channel)).mappings().first()
        if row is not None and row["address"] == address and not enable:
            return not row["disabled"]
        fresh = {"channel": channel, "address": address, "disabled": False, "paused": None}
        put(connection, e, [fresh])
    return True


def disabled(engine: Engine) -> set[str]:
    """Channels whose receivers are gone."""
    with engine.connect() as connection:
        return set(connection.execute(select(t.endpoint.c.channel).where(t.endpoint.c.disabled.is_(True))).scalars())


def tried(engine: Engine, delivery: Delivery, attempt: Attempt, now: Instant) -> str:
    """Note what became of it, and when it is tried again; says its state."""
    attempts = delivery.attempts + 1
    state, when = DEAD, None
    if attempt.arrived:
        state = SENT
    elif not attempt.hopeless and not attempt.gone and attempts < len(SCHEDULE):
        state, when = WAITING, now + max(SCHEDULE[attempts], min(attempt.retry_after or 0, LONGEST_WAIT))
    values = {"state": state, "due": when, "attempts": attempts, "status": attempt.status, "said": attempt.said}
    with engine.begin() as connection:
        of = t.delivery.c.id == delivery.id
        connection.execute(update(t.delivery).where(of).values(**values, tried=now))
        e, here = t.endpoint, t.endpoint.c.channel == delivery.channel
        if attempt.gone:
            connection.execute(update(e).where(here).values(disabled=True))
            bury(connection, delivery.channel)
        elif attempt.retry_after is not None:
            until = now + min(attempt.retry_after, LONGEST_WAIT)
            connection.execute(update(e).where(here).values(paused=until))
    return state


def bury(connection: Connection, channel: str) -> None:
    """What waits for a receiver that is gone is dead: listed, and sent by hand once there is one again."""
    waiting = (t.delivery.c.channel == channel) & (t.delivery.c.state == WAITING)
    said = "not tried: the receiver said that it is gone (410)"
    connection.execute(update(t.delivery).where(waiting).values(state=DEAD, due=None, said=said))


def bury_gone(engine: Engine) -> None:
    """The same for messages made after the receiver was gone."""
    with engine.begin() as connection:
        gone = select(t.endpoint.c.channel).where(t.endpoint.c.disabled.is_(True))
        for channel in connection.execute(gone).scalars().all():
            bury(connection, channel)


def dead(engine: Engine, channel: str | None = None) -> list[Delivery]:
    """Messages that were given up, the oldest first."""
    d = t.delivery
    of = select(*_COLUMNS).where(d.c.state == DEAD).order_by(d.c.number)
    if channel is not None:
        of = of.where(d.c.channel == channel)
    with engine.connect() as connection:
        return [Delivery(*row) for row in connection.execute(of)]


def named(engine: Engine, ids: Sequence[str]) -> list[Delivery]:
    """Messages by their ids."""
    with engine.connect() as connection:
        rows = t.found(connection, select(*_COLUMNS), t.delivery.c.id, ids)
        return [Delivery(**row) for row in rows]


def overtaken(engine: Engine, delivery: Delivery) -> bool:
    """Whether a later message of its group has arrived."""
    d = t.delivery
    later = and_(d.c.about == delivery.about, d.c.state == SENT, d.c.number > delivery.number)
    with engine.connect() as connection:
        return connection.execute(select(d.c.number).where(later).limit(1)).first() is not None


def again(engine: Engine, ids: Sequence[str], now: Instant) -> None:
    """Dead messages wait again, with the whole schedule before them."""
    d = t.delivery
    with engine.begin() as connection:
        for first in range(0, len(ids), t.AT_ONCE):
            of = d.c.id.in_(ids[first : first + t.AT_ONCE]) & (d.c.state == DEAD)
            values = {"state": WAITING, "due": now, "attempts": 0, "said": "to be sent again by hand"}
            connection.execute(update(d).where(of).values(**values))


def counts(engine: Engine) -> dict[tuple[str, str], int]:
    """How many messages by channel and state, without those that have arrived."""
    d = t.delivery
    of = select(d.c.channel, d.c.state, func.count()).where(d.c.state != SENT).group_by(d.c.channel, d.c.state)
    with engine.connect() as connection:
        return {(channel, state): count for channel, state, count in connection.execute(of)}


def forget(engine: Engine, now: Instant) -> None:
    """Let go of what has arrived long ago, and of answers that nothing reaches back to any more."""
    d, g, m, c = t.delivery, t.group, t.member, t.correction
    old = select(g.c.id).where(g.c.open.is_(False) & g.c.due.is_(None) & (g.c.last < now - KEPT))
    with engine.begin() as connection:
        connection.execute(delete(d).where((d.c.state == SENT) & (d.c.created < now - KEPT_SENT)))
        for table in (m, c):
            connection.execute(delete(table).where(table.c.group.in_(old)))
        connection.execute(delete(g).where(g.c.id.in_(old)))
        connection.execute(delete(t.refused).where(t.refused.c.at < now - KEPT))
        settled = select(t.flood.c.id).where(t.flood.c.settled.is_(True) & (t.flood.c.opened < now - KEPT))
        connection.execute(delete(t.tally).where(t.tally.c.flood.in_(settled)))
        connection.execute(delete(t.flood).where(t.flood.c.id.in_(settled)))
