"""The desk's own store: what it made of the logs, and what people did. SQLite by default, PostgreSQL by its address.

All times are microseconds since 1970. What came from the logs can be made anew from them; `act`, `assignment`, `closing`
and the tables of `access` are the desk's own.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite

META = MetaData()

position = Table("position", META, Column("log", Text, primary_key=True), Column("next", BigInteger, nullable=False))

decision = Table(
    "decision",
    META,
    Column("id", Text, primary_key=True),
    Column("client", Text, nullable=False),
    Column("offer", Text, nullable=False),
    Column("source", Text),
    Column("event", Text),
    Column("verdict", Text, nullable=False),
    Column("leading", Text, nullable=False),
    Column("rank", Integer, nullable=False),  # 0 held, 1 blocked, 2 released, 3 allowed
    Column("open", Boolean, nullable=False),  # it stands, may not be sent, and nobody has refused it
    Column("send_by", BigInteger),
    Column("hard_until", BigInteger),
    Column("at", BigInteger),
    Column("recorded", BigInteger, nullable=False),
    Column("supersedes", Text),
    Column("replaced_by", Text),
    Column("because", Text),
    Column("refused_by", Text),
    Column("service", Text, nullable=False),  # empty where it could not be read
    Column("asset", Text),
    Column("product", Text),
    Column("body", Text, nullable=False),
)
Index("decision_queue", decision.c.open, decision.c.rank, decision.c.recorded.desc(), decision.c.id)
Index("decision_leading", decision.c.open, decision.c.leading, decision.c.rank, decision.c.recorded.desc())
Index("decision_service", decision.c.open, decision.c.service, decision.c.rank, decision.c.recorded.desc())
Index("decision_client", decision.c.client, decision.c.recorded)
Index("decision_event", decision.c.source, decision.c.event)
Index("decision_supersedes", decision.c.supersedes)

country = Table(
    "decision_country",  # of open answers alone: their number is what it costs to count them
    META,
    Column("country", Text, primary_key=True),
    Column("decision", Text, primary_key=True),
)
Index("country_decision", country.c.decision)

said = Table(
    "said",  # events that came in, around clients and beyond one
    META,
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("of_register", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("service", Text),  # of requests and offers
    Column("asset", Text),
    Column("product", Text),
    Column("body", Text, nullable=False),
)
Index("said_types", said.c.kind, said.c.service, said.c.product, said.c.asset)
Index("said_client", said.c.client, said.c.at)
Index("said_id", said.c.id)

notice = Table(
    "notice",
    META,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("asset", Text),
    Column("opened", BigInteger, nullable=False),
    Column("soft", BigInteger, nullable=False),
    Column("hard", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("because", Text),
)
Index("notice_client", notice.c.client, notice.c.opened)

case = Table(
    "case_opened",
    META,
    Column("id", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("client", Text),
    Column("decisions", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("law", Text),
    Column("recorded", BigInteger, nullable=False),
    Column("closed", Boolean, nullable=False),
)
Index("case_queue", case.c.closed, case.c.recorded)
Index("case_client", case.c.client)

closing = Table(
    "closing",
    META,
    Column("case", Text, primary_key=True),
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

reject = Table(
    "reject",
    META,
    Column("log", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("recorded", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("source", Text),
    Column("id", Text),
    Column("raw", Text, nullable=False),
)

assignment = Table(
    "assignment",
    META,
    Column("decision", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

act = Table(
    "act",  # what people did, written before it is published
    META,
    Column("id", Text, primary_key=True),  # also the event's id
    Column("kind", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("about", Text, nullable=False),  # the decision, evidence or exposure
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("second", Text),
    Column("signed", BigInteger),
    Column("status", Text, nullable=False),  # waiting, withdrawn, sending, taken, rejected, unknown
    Column("told", Text, nullable=False),  # what the gate, or the way to it, said
    Column("data", Text, nullable=False),
    Column("sent", Text),  # the event as it was published
)
Index("act_about", act.c.about)
Index("act_client", act.c.client, act.c.at)
Index("act_status", act.c.status, act.c.at)


def opened(url: str) -> Engine:
    """The store at that address, its tables made where they are missing."""
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable)
    META.create_all(engine)
    return engine


def _durable(connection: Any, _: object) -> None:
    """What is committed survives a loss of power; readers do not wait for the writer."""
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "busy_timeout = 10000"):
        connection.execute(f"pragma {pragma}")


def insert_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows that are not there yet; the first stands."""
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def put(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert a row, or set the columns of the one with its key."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    keys = [c.name for c in table.primary_key]
    rest = {name: value for name, value in row.items() if name not in keys}
    connection.execute(dialect.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=rest))
