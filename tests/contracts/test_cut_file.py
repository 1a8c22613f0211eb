"""An append-only file that a crash cut within a transaction of the gate, and Redis started again, and again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gate.dossier import Dossier
from gate.facts import Asked, Fact
from gate.history import Record
from state.finding import Level
from state.redis.health import renew
from state.redis.look import StateLost
from state.redis.store import RedisStore
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """One of the test's own, just started."""
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


def _judged(redis: Redis, number: int) -> None:
    """One batch more: a record of one client, at the offset to read next."""
    store = RedisStore(redis.client(), "t:0")
    assert (store.assign().next or 0) == number
    store.keep(Dossier("cl-1"), Record(Fact("//s", f"ask-{number}", "cl-1", number, number, Asked("chat"))))
    store.commit(number + 1, b"outputs")
    store.close()


def _kept(redis: Redis) -> list[int]:
    store = RedisStore(redis.client(), "t:0")
    store.assign()
    try:
        return [record.fact.at for record in store.history("cl-1") if record.fact]
    finally:
        store.close()


def _cut(redis: Redis) -> None:
    """Power fails while the last transaction is written: its end never reached the disk."""
    redis.kill()
    redis.truncate(redis.written.read_bytes().rindex(b"HSET") + len("HSET"))
    redis.start()


def _renewed(redis: Redis) -> None:
    with redis.client() as client:
        found = renew(client)
        assert found is not None and found.level is Level.OK
        wait_until(lambda: client.info("persistence")["aof_last_rewrite_time_sec"] >= 0, 10)
        assert renew(client) is None, "once after a start"


@pytest.mark.parametrize("batches", [0, 2])
def test_nothing_of_a_cut_transaction_is_ever_there_twice(redis: Redis, batches: int) -> None:
    """Its batch is judged again; and what is in memory is written anew, before or after, so that the next start finds it."""
    for number in range(3):
        _judged(redis, number)
    _cut(redis)
    for number in range(2, 2 + batches):
        _judged(redis, number)
    _renewed(redis)
    for number in range(2 + batches, 6):
        _judged(redis, number)
    redis.stop()
    redis.start()
    assert _kept(redis) == [*range(6)]


def test_what_is_there_twice_is_told_with_what_to_do(redis: Redis) -> None:
    """Where the file is not written anew, the next start of Redis runs the half transaction with the one after it."""
    for number in range(3):
        _judged(redis, number)
    _cut(redis)
    for number in range(2, 4):
        _judged(redis, number)
    redis.stop()
    redis.start()
    with pytest.raises(StateLost, match=r"5 records of a client who had 4.*BGREWRITEAOF.*gate61 rebuild"):
        _kept(redis)


def test_a_user_who_may_not_is_told_so(redis: Redis) -> None:
    """The gate goes on; somebody else must do it."""
    with redis.client() as client:
        client.acl_setuser("default", commands=["-bgrewriteaof"])
        found = renew(client)
    assert found is not None and found.level is Level.WARN and "BGREWRITEAOF" in found.do
