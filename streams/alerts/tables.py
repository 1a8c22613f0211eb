"""The store of the alerts: how far the logs were read, groups, and what is to be delivered. SQLite, or PostgreSQL by URL.

All times are microseconds since 1970.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Select,
    Table,
    Text,
)

from streams.stores import OfLogs, opened_with

META: Final = MetaData()
STORE: Final = "--store and GATE61_ALERTS_STORE"
"""How the store is named."""
AT_ONCE: Final = 500
"""Values named in one question."""


def _text(name: str, **more: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **more)


def _number(name: str, **more: Any) -> Column[int]:
    return Column(name, BigInteger, nullable=False, **more)


def _whether(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _time(name: str) -> Column[int]:
    return Column(name, BigInteger)


position = Table("alert_position", META, _text("log", primary_key=True), _number("next"))

mark = Table("alert_mark", META, _text("log", primary_key=True), _text("mark"))

time = Table("alert_time", META, _text("log", primary_key=True), _number("at"))

READ_TO: Final = OfLogs(position, mark, time)

beginning = Table("alert_beginning", META, Column("one", Integer, primary_key=True), _number("at"))

group = Table(
    "alert_group",
    META,
    _text("id", primary_key=True),
    _text("channel"),
    _text("key"),  # of client, reason and service
    _text("client"),
    _text("reason"),
    _text("service"),
    _number("severity"),
    _whether("urgent"),
    _whether("open"),
    _number("opened"),
    _number("last"),  # when something was last added
    _number("taken"),  # all that ever came in
    _number("held"),  # of these, what stands now; what is none of the three was replaced, refused or has lapsed
    _number("blocked"),
    _number("cases"),
    _number("new"),  # not told yet
    _number("changed"),  # corrections not told yet
    _time("due"),  # when it is to speak, or to be looked at
    _time("told"),
    _whether("alone"),  # it was told of by itself, not only within a flood
    _number("sent"),
    Column("flood", Text),
)
Index("alert_group_open", group.c.channel, group.c.key, group.c.open)
Index("alert_group_due", group.c.channel, group.c.due)
Index("alert_group_told", group.c.channel, group.c.urgent, group.c.told)
Index("alert_group_flood", group.c.flood, group.c.held)

member = Table(
    "alert_member",
    META,
    _text("channel", primary_key=True),
    _text("id", primary_key=True),  # of the decision or case
    _text("group"),
    _text("state"),
    _text("came"),  # the state it came in; empty for one that is only followed because it replaced another
    _text("offer"),
    _text("said"),
    _number("recorded"),
    _time("lapses"),
    _whether("told"),
)
Index("alert_member_untold", member.c.group, member.c.told)
Index("alert_member_lapses", member.c.state, member.c.lapses)

correction = Table(
    "alert_correction",
    META,
    _text("channel", primary_key=True),
    _text("old", primary_key=True),
    _text("new"),
    _text("group"),
    _text("was"),
    _text("now"),
    _text("offer"),
    Column("because", Text),
    _number("recorded"),
    _whether("told"),
)
Index("alert_correction_untold", correction.c.group, correction.c.told)

refused = Table(
    "alert_refusal", META, _text("decision", primary_key=True), _text("client", primary_key=True), _number("at")
)

flood = Table(
    "alert_flood",
    META,
    _text("id", primary_key=True),
    _text("channel"),
    _whether("urgent"),
    _whether("open"),
    _whether("settled"),  # nothing of it is held any more, and that was told
    _number("opened"),
    _number("loud"),  # when there were last too many groups at once
    _number("groups"),
    _number("told"),
    _number("sent"),
)
Index("alert_flood_channel", flood.c.channel, flood.c.settled)

tally = Table(
    "alert_tally",  # what a flood holds, by reason, service and state
    META,
    _text("flood", primary_key=True),
    _text("what", primary_key=True),  # `new` or `correction`
    _text("reason", primary_key=True),
    _text("service", primary_key=True),
    _text("state", primary_key=True),  # of a correction `WAS>NOW`
    _number("count"),
    _number("untold"),
)

delivery = Table(
    "alert_delivery",
    META,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _text("id", unique=True),
    _text("channel"),
    _text("about"),  # the group or flood
    _number("sequence"),
    _text("kind"),
    Column("body", LargeBinary, nullable=False),
    _text("state"),  # waiting, sent, dead
    _number("created"),
    _time("due"),
    _number("attempts"),
    Column("status", Integer),
    _text("said"),  # what became of the latest attempt
    _time("tried"),
)
Index("alert_delivery_due", delivery.c.channel, delivery.c.state, delivery.c.due)
Index("alert_delivery_about", delivery.c.about, delivery.c.state, delivery.c.number)

endpoint = Table(
    "alert_endpoint",  # what is known of a channel's receiver
    META,
    _text("channel", primary_key=True),
    _text("address"),  # a digest: another address begins anew
    _whether("disabled"),
    _time("paused"),
)


def opened(address: str | URL, make: bool = True) -> Engine:
    """The store at that address; see `opened_with`."""
    return opened_with(address, META, make)


def found(connection: Connection, of: Select[Any], column: Column[Any], values: Iterable[str]) -> list[RowMapping]:
    """Rows whose column is one of the values, however many."""
    wanted = sorted(set(values))
    rows: list[RowMapping] = []
    for first in range(0, len(wanted), AT_ONCE):
        rows += connection.execute(of.where(column.in_(wanted[first : first + AT_ONCE]))).mappings()
    return rows
