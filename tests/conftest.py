"""One broker, one Redis, one cluster of them and one PostgreSQL for all tests of a process; each test takes its own prefix, so that none sees
another's."""

import signal
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.runtime.kafka import Kafka
from tests.runtime.postgres import Postgres
from tests.runtime.redis import Cluster, Redis


def pytest_configure() -> None:
    """A run that a shell put in the background has Ctrl-C ignored, and so have its children: stories send them one."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the tests, each has the real parts to itself, and a module goes to one of them.

    There is one process more than cores: who waits for the parts leaves a core to the others.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """The broker of the session. Whoever stops or kills it starts it again."""
    broker = Kafka(tmp_path_factory.mktemp("parts") / "kafka")
    broker.start()
    yield broker
    broker.stop(5)


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """The Redis of the session. Whoever breaks it starts one of his own: `Redis(tmp_path)`."""
    server = Redis(tmp_path_factory.mktemp("parts") / "redis")
    server.start()
    yield server
    server.stop(5)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of the session, all of it; whoever breaks one of its servers starts it again."""
    servers = Cluster(tmp_path_factory.mktemp("parts") / "cluster")
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The PostgreSQL of the session; each test takes a database of its own."""
    server = Postgres(tmp_path_factory.mktemp("parts") / "postgres")
    server.start()
    yield server
    server.stop(5)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a desk's store is: a file, and a database of the real PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/desk.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.store()


@pytest.fixture
def prefix() -> str:
    """Before the names of a test's topics, and so of its keys."""
    return f"t{token_hex(5)}-"
