"""One broker and one Redis for all tests; each test takes its own prefix, so that none sees another's."""

from collections.abc import Iterator
from secrets import token_hex

import pytest

from tests.runtime.kafka import Kafka
from tests.runtime.redis import Redis


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


@pytest.fixture
def prefix() -> str:
    """Before the names of a test's topics, and so of its keys."""
    return f"t{token_hex(5)}-"
