"""One process carries the messages of a store, also where the database forgets who did."""

from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from streams.alerts.alone import alone
from tests.runtime.postgres import Postgres


def _restart(engine: Engine) -> None:
    """Ends every connection that has a lock, as a database does that is started again."""
    with engine.connect() as connection:
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
            )
        )


def test_a_store_in_a_file_is_carried_by_one(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'alerts.db'}")
    with alone(engine) as first, alone(engine) as second:
        assert first() and not second() and first()
    with alone(engine) as third:
        assert third()


def test_a_database_that_restarts_does_not_leave_two_alone(postgres: Postgres) -> None:
    """Whoever comes first then is; who was before is told so by asking, and is again once the other has gone."""
    address = postgres.store()
    ours, theirs = create_engine(address), create_engine(address)
    with alone(ours) as first:
        assert first() and first()
        with alone(theirs) as second:
            assert not second()
            _restart(theirs)
            assert second() and not first() and not first()
        assert first()
        _restart(theirs)
        assert first()  # Nobody else came meanwhile.
        with alone(theirs) as third:
            assert not third()
    with alone(theirs) as last:
        assert last()
    ours.dispose()
    theirs.dispose()
