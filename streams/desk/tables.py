"""The desk's own store: what it made of the logs, and what people did. SQLite by default, PostgreSQL by its address.

All times are microseconds since 1970. What came from the logs is made anew from them where its layout was another; `act`, `assignment`, `closing`
and the tables of `access` are the desk's own.
"""

from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Engine,
    Index,
    Inspector,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    inspect,
)

from streams.stores import OfLogs, insert_of, opened_with

META = MetaData()
STORE = "--store and GATE61_DESK_STORE"
"""How the store is named."""


class Words(TypeDecorator[str]):
    """Text of any letters. A NUL, which PostgreSQL cannot hold, stands as the sign for what cannot be shown."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """On its way to the store, also in what is asked for."""
        return value if value is None else value.replace("\x00", "\ufffd")


position = Table("position", META, Column("log", Words, primary_key=True), Column("next", BigInteger, nullable=False))

mark = Table(
    "position_mark",  # of what was read last of each log; apart from `position`, so that older stores need not be made anew
    META,
    Column("log", Words, primary_key=True),
    Column("mark", Words, nullable=False),
)

time = Table(
    "position_time",  # at which it counts as recorded; apart likewise
    META,
    Column("log", Words, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

READ_TO = OfLogs(position, mark, time)


NOT_KNOWN = "unknown"
"""As a country: of clients whom nothing locates; as a service that items are shown by: of what could not be read."""
UNREADABLE = "UNREADABLE_OFFER"
"""Leads the answers to offers that could not be read, whose ids may be of others that could."""

decision = Table(
    "decision",
    META,
    Column("id", Words, primary_key=True),
    Column("client", Words, nullable=False),
    Column("offer", Words, nullable=False),
    Column("source", Words),
    Column("event", Words),
    Column("verdict", Words, nullable=False),
    Column("leading", Words, nullable=False),
    Column("rank", Integer, nullable=False),  # 0 held, 1 blocked, 2 released, 3 allowed
    Column("open", Boolean, nullable=False),  # it stands, may not be sent, and nobody has refused it
    Column("send_by", BigInteger),
    Column("hard_until", BigInteger),
    Column("at", BigInteger),
    Column("recorded", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),  # in its log: the order of what was recorded at one time
    Column("supersedes", Words),
    Column("replaced_by", Words),
    Column("because", Words),
    Column("refused_by", Words),
    Column("service", Words, nullable=False),  # empty where it could not be read
    Column("asset", Words),
    Column("product", Words),
    Column("body", Words, nullable=False),
)
Index("decision_queue", decision.c.open, decision.c.rank, decision.c.recorded.desc(), decision.c.id)
Index("decision_leading", decision.c.open, decision.c.leading, decision.c.service, decision.c.rank)
Index("decision_service", decision.c.open, decision.c.service, decision.c.rank, decision.c.recorded.desc())
Index("decision_client", decision.c.client, decision.c.recorded, decision.c.place)
Index("decision_event", decision.c.source, decision.c.event)
Index("decision_supersedes", decision.c.supersedes)
Index("decision_because", decision.c.because)

country = Table(
    "decision_country",  # of open answers alone: their number is what it costs to count them
    META,
    Column("country", Words, primary_key=True),
    Column("decision", Words, primary_key=True),
)
Index("country_decision", country.c.decision)

said = Table(
    "said",  # events that came in, around clients and beyond one
    META,
    Column("log", Words, primary_key=True),  # ids are a log's own: the gate takes one once of each partition
    Column("source", Words, primary_key=True),
    Column("id", Words, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("client", Words, nullable=False),
    Column("of_register", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),  # in its log
    Column("about", Words),  # who else is the same person; of the register what it says something of
    Column("body", Words, nullable=False),
)
Index("said_client", said.c.client, said.c.at)
Index("said_kind", said.c.kind, said.c.client)
Index("said_about", said.c.about)
Index("said_id", said.c.id)

thing = Table(
    "thing",  # what clients asked for themselves, and what they were offered; each once of one event
    META,
    Column("log", Words, primary_key=True),
    Column("source", Words, primary_key=True),
    Column("id", Words, primary_key=True),
    Column("number", Integer, primary_key=True),  # within its event
    Column("client", Words, nullable=False),
    Column("offered", Boolean, nullable=False),  # or asked for
    Column("service", Words, nullable=False),
    Column("product", Words),
    Column("asset", Words),
)
Index("thing_types", thing.c.service, thing.c.product, thing.c.asset, thing.c.offered)
Index("thing_client", thing.c.client, thing.c.offered)

notice = Table(
    "notice",
    META,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("client", Words, nullable=False),
    Column("service", Words, nullable=False),
    Column("asset", Words),
    Column("opened", BigInteger, nullable=False),
    Column("soft", BigInteger, nullable=False),
    Column("hard", BigInteger, nullable=False),
    Column("state", Words, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),  # in its log
    Column("because", Words),
)
Index("notice_client", notice.c.client, notice.c.opened)

case = Table(
    "case_opened",
    META,
    Column("id", Words, primary_key=True),
    Column("why", Words, nullable=False),
    Column("said", Words, nullable=False),
    Column("client", Words),
    Column("decisions", Words, nullable=False),
    Column("facts", Words, nullable=False),
    Column("law", Words),
    Column("recorded", BigInteger, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("cut", Boolean, nullable=False),  # whether sentences and ids of it were left out
)
Index("case_queue", case.c.closed, case.c.recorded)
Index("case_client", case.c.client)

closing = Table(
    "closing",
    META,
    Column("case", Words, primary_key=True),
    Column("by", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Words, nullable=False),
)

reject = Table(
    "reject",
    META,
    Column("log", Words, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("recorded", BigInteger, nullable=False),
    Column("reason", Words, nullable=False),
    Column("message", Words, nullable=False),
    Column("source", Words),
    Column("id", Words),
    Column("raw", Words, nullable=False),
)
Index("reject_latest", reject.c.recorded.desc(), reject.c.log, reject.c.number.desc())

OF_LOGS = (*READ_TO, decision, country, said, thing, notice, case, reject)
"""Tables that are made of the logs. `position` goes first where they go: killed between, the desk still reads all again."""

assignment = Table(
    "assignment",
    META,
    Column("decision", Words, primary_key=True),
    Column("person", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
)

WAITING, WITHDRAWN, SENDING = "waiting", "withdrawn", "sending"
TAKEN, REJECTED, UNKNOWN = "taken", "rejected", "unknown"
act = Table(
    "act",  # what people did, written before it is published
    META,
    Column("id", Words, primary_key=True),  # also the event's id
    Column("kind", Words, nullable=False),
    Column("client", Words, nullable=False),
    Column("about", Words, nullable=False),  # the decision, evidence or exposure
    Column("by", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("second", Words),
    Column("signed", BigInteger),
    Column("status", Words, nullable=False),  # one of those above
    Column("told", Words, nullable=False),  # what the gate, or the way to it, said
    Column("data", Words, nullable=False),
    Column("sent", Words),  # the event as it was published
)
Index("act_about", act.c.about)
Index("act_client", act.c.client, act.c.at)
Index("act_status", act.c.status, act.c.at)


def opened(address: str | URL, make: bool = True) -> Engine:
    """The store at that address; see `opened_with`."""
    return opened_with(address, META, make)


def made_anew(engine: Engine) -> bool:
    """Whether another program made other tables of the logs: they go, and the logs are read from their beginnings.

    Where it only knew fewer indexes, these are added.
    """
    there = inspect(engine)
    alike = all(_layout_in(there, table) == _layout_of(table) for table in OF_LOGS)
    with engine.begin() as connection:
        if alike:
            _index(connection)
            return False
        for table in OF_LOGS:
            table.drop(connection)
        META.create_all(connection, tables=OF_LOGS)
    return True


def _index(connection: Connection) -> None:
    """Make the indexes that are missing; `create_all` makes none for tables that are there."""
    for table in OF_LOGS:
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _layout_in(there: Inspector, table: Table) -> tuple[set[str], set[str]]:
    """Its columns, and those that are its key, in the store."""
    columns = {column["name"] for column in there.get_columns(table.name)}
    return columns, set(there.get_pk_constraint(table.name)["constrained_columns"])


def _layout_of(table: Table) -> tuple[set[str], set[str]]:
    return {column.name for column in table.columns}, {column.name for column in table.primary_key}


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    """Insert rows that are not there yet; the first stands. Says how many are new."""
    if not rows:
        return 0
    return connection.execute(insert_of(connection, table).on_conflict_do_nothing(), rows).rowcount
