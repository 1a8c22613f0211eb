"""A cluster is several servers of which one has a partition: what moves, dies or is cut off is trouble, never a loss."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from redis.exceptions import AskError, ClusterError, ConnectionError, MovedError, RedisError, TryAgainError

from gate.facts import Asked, Fact
from gate.history import Record
from state.redis import health as redis_health
from state.redis.errors import finding
from state.redis.owner import Fenced, Moved, Owner
from state.redis.reader import RedisReader
from state.redis.servers import AsyncServers, Servers
from state.redis.store import RedisStore
from tests.runtime.process import wait_until
from tests.runtime.redis import Cluster, Redis

SLOW = 0.02
"""Seconds between a few keys of a slot that moves and the next."""


def _record(n: int) -> Record:
    return Record(Fact("//s", f"ask-{n}", "cl-1", n, n, Asked("chat")))


def _write(store: RedisStore, n: int, before: Callable[[], None] = lambda: None) -> None:
    """A batch that writes to every key: the n-th record of one client, a note, an id; `before` it is looked at."""
    dossier = store.dossier("cl-1")
    dossier.horizon = n
    store.keep(dossier, _record(n))
    store.note("between", b"%d" % n)
    store.seen(n.to_bytes(8, "big"), bytes(8))
    before()
    store.commit(n, b"outputs %d" % n)


def _owned(servers: Servers, place: str) -> RedisStore:
    made = RedisStore(servers, place)
    made.assign()
    return made


def _holds(store: RedisStore, n: int) -> bool:
    """Whether its partition holds the first n batches, each once, and nothing else."""
    held = store.assign() == (n, b"outputs %d" % n) and store.dossier("cl-1").horizon == n
    return held and store.history("cl-1") == [_record(each) for each in range(1, n + 1)]


@pytest.fixture
def place(prefix: str) -> str:
    return f"{prefix}t:3"


@pytest.fixture
def key(place: str) -> str:
    """What all its keys begin with."""
    return f"{{{place}}}:"


@pytest.fixture
def servers(cluster: Cluster) -> Iterator[Servers]:
    made = Servers(cluster.url, 5)
    yield made
    made.close()


@pytest.fixture
def store(servers: Servers, place: str) -> RedisStore:
    """With one batch written."""
    made = _owned(servers, place)
    _write(made, 1)
    return made


def test_a_partition_lies_on_one_server_and_partitions_on_all(cluster: Cluster, servers: Servers, prefix: str) -> None:
    """Whichever of them is named."""
    for number in range(12):
        _write(_owned(servers, f"{prefix}t:{number}"), 1)
    places = [cluster.holder(f"{{{prefix}t:{number}}}:") for number in range(12)]
    assert {server.port for server in places} == {server.port for server in cluster.servers}
    for number, server in enumerate(places):
        with server.client() as client:
            assert client.hget(f"{{{prefix}t:{number}}}:meta", "next") == b"1"
    last = Servers(cluster.servers[-1].url, 5)
    assert _holds(RedisStore(last, f"{prefix}t:5"), 1)
    last.close()


def test_whoever_lost_the_partition_writes_nothing(cluster: Cluster, store: RedisStore, place: str) -> None:
    """A zombie wakes up and finds the door shut, also where the slot was moved meanwhile."""
    newer = RedisStore(Servers(cluster.url, 5), place)
    newer.assign()
    with pytest.raises(Fenced):
        _write(store, 2)
    cluster.move(store._tag)
    assert _holds(newer, 1)
    with pytest.raises(MovedError):
        _write(store, 2)
    assert isinstance(store._client, Servers)
    store._client.look()
    with pytest.raises(Fenced):
        _write(store, 2)
    assert _holds(newer, 1)
    newer.close()


def _all_moved(cluster: Cluster, key: str) -> None:
    cluster.move(key)


def _half_moved(cluster: Cluster, key: str) -> None:
    cluster.begin_to_move(key, keys=3)


def _beginning_to_move(cluster: Cluster, key: str) -> None:
    cluster.begin_to_move(key, keys=0)


@pytest.mark.parametrize("how", [_all_moved, _half_moved, _beginning_to_move])
@pytest.mark.parametrize("when", ["before the batch", "before it is looked at", "before it is written"])
def test_a_slot_that_moves_stops_the_batch_as_a_whole_or_not_at_all(
    cluster: Cluster,
    store: RedisStore,
    key: str,
    how: Callable[[Cluster, str], None],
    when: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever was already there is there once when the partition is assumed anew, and the batch can be done again."""
    judge, written = Owner._judge, 1

    def looked_at(self: Owner, found: Sequence[Any]) -> None:
        judge(self, found)
        if when == "before it is written":
            how(cluster, key)

    def remembered() -> None:
        if when == "before it is looked at":
            how(cluster, key)

    if when == "before the batch":
        how(cluster, key)
    with monkeypatch.context() as patch:
        patch.setattr(Owner, "_judge", looked_at)
        try:
            _write(store, 2, remembered)
            written = 2  # A slot of which no key has moved yet takes what is written to keys that are there.
        except (RedisError, Moved):
            pass
    assert written == 1 or how is _beginning_to_move
    cluster.move(key)
    assert _holds(store, written)
    _write(store, written + 1)
    assert _holds(store, written + 1)


def test_a_slot_that_moves_while_batches_are_written_loses_and_doubles_nothing(
    cluster: Cluster, store: RedisStore, key: str
) -> None:
    """Each batch that was not said to be written is done again from where the state is."""

    def move() -> None:
        for _ in range(3):
            cluster.move(key, SLOW)

    moving = Thread(target=move)
    moving.start()
    n, met = 1, set()
    while moving.is_alive() or n < 100:
        try:
            _write(store, n + 1)
            n += 1
        except (RedisError, Moved) as error:
            met.add(type(error))
            try:
                n = store.assign().next or 0
            except RedisError as error:
                met.add(type(error))
    moving.join()
    assert _holds(store, n) and met & {MovedError, AskError, TryAgainError}


def test_a_primary_that_is_killed_comes_back_with_all_that_it_said(
    cluster: Cluster, store: RedisStore, servers: Servers, prefix: str, key: str
) -> None:
    """Its partitions wait, others go on; also where it is the one that was named."""
    killed = cluster.holder(key)
    beside = next(f"{prefix}t:{n}" for n in range(99) if cluster.holder(f"{{{prefix}t:{n}}}:") is not killed)
    other = _owned(servers, beside)
    _write(other, 1)
    killed.kill()
    for attempt in (lambda: _write(store, 2), store.assign):
        with pytest.raises((ConnectionError, ClusterError)):
            attempt()
    _write(other, 2)
    killed.start()
    cluster.settled()
    assert _holds(store, 1) and _holds(other, 2)
    _write(store, 2)
    assert _holds(store, 2)


def test_a_replica_takes_over_and_is_found(tmp_path: Path) -> None:
    """Also where nobody else is left who could say so."""
    alone = Cluster(tmp_path, servers=1)
    alone.start()
    replica = alone.replica(tmp_path / "replica")
    store = _owned(Servers(alone.url, 5), "t:3")
    _write(store, 1)
    with alone.servers[0].client() as client:
        client.wait(1, 5000)
    # Before the first write that it has copied nobody is told of a replica.
    wait_until(lambda: len(alone.say(alone.servers[0], "SLOTS")[0]) == 4, 20, "the replica is known")
    store.assign()
    alone.servers[0].kill()
    with pytest.raises(RedisError):
        _write(store, 2)
    alone.say(replica, "FAILOVER", "TAKEOVER")
    wait_until(lambda: _is_settled(alone, replica), 20, "the replica is the primary")
    assert _holds(store, 1)
    _write(store, 2)
    assert _holds(store, 2)
    store.close()
    replica.stop()


def _is_settled(cluster: Cluster, server: Redis) -> bool:
    (slots,) = cluster.say(server, "SLOTS")
    return bool(slots[2][1] == server.port) and b"cluster_state:ok" in cluster.say(server, "INFO")


def test_a_connection_that_was_closed_in_between_writes_nothing(
    redis: Redis, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one would be made without a word, on which nobody watches what was looked at."""
    store = _owned(Servers(redis.url, 5), place)
    _write(store, 1)
    judge = Owner._judge

    def closed(self: Owner, found: Sequence[Any]) -> None:
        judge(self, found)
        self._client.close()

    with monkeypatch.context() as patch, pytest.raises(ConnectionError, match="closed meanwhile"):
        patch.setattr(Owner, "_judge", closed)
        _write(store, 2)
    assert _holds(store, 1)
    store.close()


async def test_who_only_reads_finds_each_partition_where_it_is(cluster: Cluster, servers: Servers, prefix: str) -> None:
    """Also when its slot has moved."""
    for number in range(6):
        _write(_owned(servers, f"{prefix}t:{number}"), number + 1)
    reader = RedisReader(AsyncServers(cluster.url, 5), f"{prefix}t")
    try:
        assert [place.next for place in await reader.places(7)] == [1, 2, 3, 4, 5, 6, None]
        assert (await reader.read_many(5, ["cl-1"], ("between",), True)).of("cl-1").history == [_record(6)]
        cluster.move(f"{{{prefix}t:5}}:")
        with pytest.raises(MovedError):
            await reader.read_many(5, ["cl-1"], ("between",), True)
        assert [place.next for place in await reader.places(7)] == [1, 2, 3, 4, 5, 6, None]
        assert (await reader.read_many(5, ["cl-1"], ("between",), True)).of("cl-1").history == [_record(6)]
        assert await reader.time() > 0
    finally:
        await reader.close()


def test_each_primary_must_keep_what_it_is_given(cluster: Cluster, servers: Servers) -> None:
    """Whatever is wrong with one of them names it."""
    assert redis_health.complaints(servers) == []
    with cluster.servers[1].client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        (said,) = redis_health.complaints(servers)
        client.config_set("maxmemory-policy", "noeviction")
    assert said.startswith(f"127.0.0.1:{cluster.servers[1].port}: Redis drops state when memory is short")
    assert len([*redis_health.of_each(servers, lambda client: [redis_health.memory(client)])]) == 3


@pytest.mark.parametrize(
    ("error", "said", "do"),
    [
        (
            MovedError("12792 127.0.0.1:7007"),
            "slot 12792 was moved to 127.0.0.1:7007",
            "the gate asks again which server has the slot",
        ),
        (AskError("12792 127.0.0.1:7007"), "slot 12792 is being moved to 127.0.0.1:7007", "until all keys"),
        (TryAgainError("Multiple keys request during rehashing of slot"), "Multiple keys", "until all keys"),
        (ClusterError("no server has slot 3"), "no server has slot 3", "see that a primary serves each slot"),
    ],
)
def test_what_a_cluster_refuses_is_said_with_what_to_do(error: RedisError, said: str, do: str) -> None:
    found = finding(error, "redis://here")
    assert said in found.what and do in found.do and "refuses" in found.what


def test_what_cannot_be_the_address_of_a_cluster_is_said(cluster: Cluster, place: str) -> None:
    """It has one database, and no socket of one machine leads to all of it."""
    with pytest.raises(RedisError) as met:
        Servers(f"{cluster.url[:-1]}3", 5).of(place)
    assert "end GATE61_REDIS with /0" in finding(met.value, "redis://here").do
    layout = Servers("unix:///run/redis.sock", 5)
    with pytest.raises(RedisError) as met:
        layout._take(("", 0), [[0, 16383, [b"", 7001, b"id", []]]])
    assert "name one of its servers" in finding(met.value, "unix:///run/redis.sock").do


def test_the_way_in_is_the_same_to_all_servers() -> None:
    """User, password and options are those of the one that was named; a server that does not know its host has the asked one."""
    named = Servers("rediss://me:qui%40et@redis-1:7000/0?socket_keepalive=yes", 5)
    named._take(("redis-1", 7000), [[0, 99, [None, 7001, b"", []]], [100, 16383, [b"fe80::1", 7002, b"", []]]])
    told = [
        (arguments["host"], arguments["port"], arguments["username"], arguments["password"])
        for client in named._all().values()
        for arguments in [client.connection_pool.connection_kwargs]
    ]
    assert told == [("fe80::1", 7002, "me", "qui@et"), ("redis-1", 7001, "me", "qui@et")]
    assert {client.connection_pool.connection_class.__name__ for client in named._all().values()} == {"SSLConnection"}


def test_a_slot_that_nobody_has_is_said() -> None:
    """Until somebody has it, nothing can be decided."""
    named = Servers("redis://redis-1:7000/0", 5)
    named._take(("redis-1", 7000), [[0, 1, [b"", 7000, b"", []]]])
    with pytest.raises(ClusterError, match="no server has slot"):
        named.of("{t:0}:")
