"""Following the stream for `gate61 ask`: whatever Kafka's client does, it is said with an address, and tried again."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
import structlog
from aiokafka.errors import KafkaConnectionError, KafkaError
from msgspec.structs import replace
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import NoPermissionError
from structlog.testing import capture_logs

from gate.facts import Instant
from state.redis.reader import RedisReader
from state.redis.servers import AsyncServers
from streams.ask import stream
from streams.ask.stream import KafkaStream, OtherTime
from streams.kafka.connection import let_go, said
from streams.logs.lost import LogLost
from streams.logs.merge import Arrival, Log
from streams.settings import Kafka, Settings
from streams.web.clock import now
from streams.web.logs import log_to_stderr
from tests.player import POLICY
from tests.until import until


class Client:
    """A client of Kafka's that cannot be started, and whose end is that of its own pending fetch."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.closed = False
        self._client = self

    async def start(self) -> None:
        raise self.error

    async def stop(self) -> None:
        fetch = asyncio.create_task(asyncio.sleep(60))
        fetch.cancel()
        await fetch

    async def close(self) -> None:
        self.closed = True


def following() -> KafkaStream:
    settings = Settings(
        Kafka(("kafka-1:9092",)), "redis://me:secret@redis-1:6379/0", None, "", 2, "gate61", "a1", ("127.0.0.1", 1)
    )
    return KafkaStream(settings, RedisReader(AsyncServers("redis://redis-1", 1), "actions"), now, 30.0)


EACH = 2
"""Clients of an attempt: one reads on, and one looks at what was read before."""
WAITS = (0.005, 0.01, 0.02, 0.04, 0.04)
"""Seconds between attempts that all fail."""
Attempts = Callable[[Exception], list[Client]]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Attempts]:
    """The clients that are made while it is tried again, without much waiting between them."""
    made: list[Client] = []
    monkeypatch.setattr(stream, "FIRST_WAIT_SECONDS", WAITS[0])
    monkeypatch.setattr(stream, "PATIENCE_SECONDS", WAITS[-1])

    def failing(error: Exception) -> list[Client]:
        def follower(*_: Any) -> Client:
            made.append(Client(error))
            return made[-1]

        monkeypatch.setattr(stream, "follower", follower)
        return made

    yield failing


async def test_a_client_that_ends_as_if_it_were_cancelled_ends_nothing_else() -> None:
    client = Client(KafkaError())
    await let_go(client)
    assert client.closed


async def test_the_stream_is_tried_again_however_an_attempt_ends_and_less_and_less_often(attempts: Attempts) -> None:
    """It ended for good where a fetch was under way when Kafka went away."""
    made, followed = attempts(KafkaConnectionError("no broker")), following()
    began = monotonic()
    with capture_logs() as said:
        running = asyncio.create_task(followed.run())
        await until(lambda: len(said) > len(WAITS))
    assert len(made) == EACH * len(said) and not running.done() and monotonic() - began >= sum(WAITS)
    assert [line["seconds"] for line in said][: len(WAITS)] == [*WAITS]
    running.cancel()
    await asyncio.wait([running], timeout=5)
    assert running.cancelled() and all(client.closed for client in made)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KafkaConnectionError("no broker"), "Kafka at kafka-1:9092 cannot be read (KafkaConnectionError: no broker);"),
        (RedisAway("refused"), "Redis at redis://redis-1:6379/0 does not answer: refused; see that it runs"),
        (stream.Missing("topics are missing: a; make them"), "topics are missing: a; make them"),
    ],
)
async def test_trouble_is_said_with_where_and_what_to_do(attempts: Attempts, error: Exception, told: str) -> None:
    attempts(error)
    followed = following()
    running = asyncio.create_task(followed.run())
    await until(lambda: told in followed.trouble())
    running.cancel()
    assert "secret" not in followed.trouble()


async def test_register_and_policies_are_read_on_while_a_broker_does_not_say_where_other_logs_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a worker has judged by since would not be known here; what ends one of the two ends the other."""
    read, looked, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Connected(Client):
        async def start(self) -> None:
            """It is."""

    class Reading(KafkaStream):
        async def _meet(self, *_: Any) -> Any:
            """All is there."""

        async def _follow(self, *_: Any) -> None:
            await looked.wait()
            read.set()
            await ended.wait()
            raise LogLost("the register")

        async def _look(self, *_: Any) -> None:
            looked.set()
            await asyncio.sleep(60)

    for made in ("follower", "asker"):
        monkeypatch.setattr(stream, made, lambda *_: Connected(KafkaError()))
    followed = following()
    attempt = asyncio.create_task(Reading(followed._settings, followed._state, now, 30.0)._attempt())
    await asyncio.wait_for(read.wait(), 5)
    assert not attempt.done()
    ended.set()
    with pytest.raises(LogLost):
        await asyncio.wait_for(attempt, 5)


class OfAnotherTime(RedisReader):
    """Redis with a clock of its own."""

    ahead = 0.0
    """Seconds."""

    async def time(self) -> Instant:
        return now() + int(self.ahead * 1_000_000)


async def test_clocks_may_differ_by_a_second_and_need_not_be_asked() -> None:
    """Whatever little the policy tolerates of senders'; and a user of Redis may not be allowed to ask for the time."""
    followed = following()
    followed._state = state = OfAnotherTime(AsyncServers("redis://redis-1", 1), "actions")
    strict = replace(POLICY, clock_tolerance=0)
    followed.followed.policies.append(Arrival(0, Log.POLICY, 0, None, strict))
    for state.ahead in (-0.9, 0.0, 0.9):
        await followed._same_time()
    state.ahead = 1.5
    with pytest.raises(OtherTime):
        await followed._same_time()

    async def refused() -> Instant:
        raise NoPermissionError("this user has no permissions to run the 'time' command")

    state.time = refused  # type: ignore[method-assign]
    await followed._same_time()


@pytest.mark.parametrize("ahead", [-61.5, -59.0, 0.0, 59.0, 61.5])
async def test_a_clock_that_is_another_than_that_of_redis_answers_nothing(ahead: float) -> None:
    """Whichever is wrong: by more than the policy tolerates, limits may have passed that do not seem to have."""
    followed = following()
    followed._state = state = OfAnotherTime(AsyncServers("redis://redis-1", 1), "actions")
    state.ahead = ahead
    await followed._same_time()  # Before a policy is known nothing is answered anyhow.
    followed.followed.policies.append(Arrival(0, Log.POLICY, 0, None, POLICY))
    if abs(ahead) < 60:
        await followed._same_time()
        return
    with pytest.raises(OtherTime, match=f"6[12] s {'behind' if ahead > 0 else 'ahead of'} that of Redis"):
        await followed._same_time()
    followed._looked = monotonic()
    assert followed.trouble() == ""

    async def attempt() -> None:
        await followed._same_time()

    followed._attempt = attempt  # type: ignore[method-assign]
    running = asyncio.create_task(followed.run())
    await until(lambda: "NTP" in followed.trouble())
    running.cancel()
    assert "secret" not in followed.trouble()


def test_an_error_names_its_kind_once() -> None:
    assert said(KafkaConnectionError("no broker")) == "KafkaConnectionError: no broker"
    assert said(KafkaError()) == "KafkaError" and said(OSError("gone")) == "OSError: gone"


def test_what_kafkas_client_says_by_itself_is_said_once_a_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("aiokafka"), "handlers", [])
    monkeypatch.setattr(logging.getLogger("aiokafka"), "propagate", True)
    log_to_stderr()
    for port in range(5):
        logging.getLogger("aiokafka").error("Unable connect to %s", port)
        logging.getLogger("aiokafka.cluster").warning("no leader")
    told = capsys.readouterr().err
    structlog.reset_defaults()
    assert told.count("Unable connect") == 1 and "no leader" not in told


def test_a_mistake_is_told_by_its_kind_and_never_by_its_text() -> None:
    """The text may hold what a client is called."""
    told = following()._trouble(ValueError("anna"))
    assert "ValueError" in told and "anna" not in told
