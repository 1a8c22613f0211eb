"""What the store of a partition promises beyond every store's contract, on a real Redis."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as Client
from redis.exceptions import RedisError, ResponseError

from gate.dossier import Dossier
from gate.facts import Asked, Fact
from gate.history import Record
from gate.policy import DAY
from state.notes import BETWEEN
from state.redis import errors as redis_errors
from state.redis import health as redis_health
from state.redis.look import StateLost, look, tag
from state.redis.owner import Fenced, Moved, Owner
from state.redis.reader import Place, RedisReader
from state.redis.servers import AsyncServers
from state.redis.store import RedisStore
from streams.worker.belonging import OtherPartitions, same_spread
from streams.worker.clock import Clock
from streams.worker.progress import Progress
from tests.runtime.redis import Redis


def _fact(n: int) -> Fact:
    return Fact("//s", f"ask-{n}", "cl-1", n, n, Asked("chat"))


@pytest.fixture
def place(prefix: str) -> str:
    return f"{prefix}t:3"


@pytest.fixture
def store(redis: Redis, place: str) -> Iterator[RedisStore]:
    made = RedisStore(redis.client(), place)
    made.assign()
    yield made
    made.close()


def _keys(redis: Redis, place: str) -> dict[bytes, bytes]:
    with redis.client() as client:
        return {key: client.dump(key) for key in client.scan_iter(match=f"{{{place}}}*")}


def test_a_batch_is_written_with_the_next_offset_and_the_outbox(store: RedisStore, redis: Redis, place: str) -> None:
    """And nothing of it before; the next owner finds all of it."""
    assert store.assign() == (None, b"")
    before = _keys(redis, place)
    store.keep(Dossier("cl-1", horizon=3), Record(_fact(1)))
    store.seen(bytes(8), bytes(8))
    store.note("between", b"5")
    assert _keys(redis, place) == before
    store.commit(42, b"outputs")
    again = RedisStore(redis.client(), place)
    assert again.assign() == (42, b"outputs")
    assert again.dossier("cl-1").horizon == 3 and again.history("cl-1") == [Record(_fact(1))]
    assert again.seen(bytes(8), bytes(8)) is True and again.noted("between") == b"5"
    again.close()


def test_how_far_state_is_made_anew_is_noted_until_it_is_there(store: RedisStore, redis: Redis, place: str) -> None:
    """Beside the state: removing that leaves it, and nothing else; nor is it missed, or counted, where it is gone."""
    beside = RedisStore(redis.client(), place, below="rebuild:")
    beside.assign()
    beside.commit(3)
    beside.close()
    store.note("between", b"5")
    store.commit(42)
    assert store.look().making == b""
    store.making(b"1.2.3.4.0", b"unpublished")
    store.verify()
    assert store.look().making == b"1.2.3.4.0" and store.look().lost == ""
    store.clear()
    kept = {f"{{{place}}}:{name}".encode() for name in ("making", "unpublished")}
    assert {*_keys(redis, place)} == kept and store.outboxes() == (None, b"unpublished")
    store.assign()
    store.commit(7)
    store.making(None)
    assert store.outboxes() == (b"", None)
    assert (store.look().next, store.look().making, store.look().lost) == (7, b"", "")


async def test_who_only_reads_finds_what_a_worker_noted(
    store: RedisStore, redis: Redis, place: str, prefix: str
) -> None:
    """How far it has come, and over how many partitions its clients are spread: the same for all who ask."""
    progress = Progress(store, 0, 4, "here")
    progress.actions, progress.looked, progress.recorded, progress.between = 42, 45, 17, 9
    progress.note(store, walking=False)
    store.commit(42)
    reader = RedisReader(AsyncServers(redis.url, 5), f"{prefix}t")
    try:
        assert (await reader.places(4))[3] == Place(45, 17, 4, b"here", {"policy": b"0", "register": b"0"})
    finally:
        await reader.close()
    with redis.client() as client:
        found = look(client, tag(place))
    with pytest.raises(OtherPartitions, match="spread over 4 partitions, and the topic has 5"):
        same_spread([found], 5)
    assert found.noted(BETWEEN) == b"9"


async def test_who_only_reads_says_which_number_is_none(
    store: RedisStore, redis: Redis, place: str, prefix: str
) -> None:
    """As who owns it: whatever changed it, it is state that is lost, and what to do is said."""
    store.note("recorded", b"soon")
    store.commit(1)
    reader = RedisReader(AsyncServers(redis.url, 5), f"{prefix}t")
    try:
        for asked in (reader.places(4), reader.read_many(3, ["cl-1"], ("recorded",), False)):
            with pytest.raises(StateLost, match=r"holds `soon` as `recorded`, which is no number: .*gate61 rebuild"):
                await asked
        with redis.client() as client:
            client.hset(f"{tag(place)}meta", "next", "far")
        with pytest.raises(StateLost, match="holds `far` as `next`"):
            await reader.places(4)
    finally:
        await reader.close()


def test_whoever_lost_the_partition_writes_nothing(store: RedisStore, redis: Redis, place: str) -> None:
    """A zombie wakes up and finds the door shut."""
    store.keep(Dossier("cl-1", horizon=3))
    store.commit(1)
    with RedisStoreOf(redis, place) as newer:
        newer.assign()
        store.keep(Dossier("cl-1", horizon=4))
        before = _keys(redis, place)
        with pytest.raises(Fenced):
            store.commit(2)
        assert _keys(redis, place) == before
        assert newer.dossier("cl-1").horizon == 3


def test_whoever_has_not_taken_the_partition_writes_nothing(store: RedisStore, redis: Redis, place: str) -> None:
    """Neither where somebody else has it, nor where nobody ever had; what is there he may read."""
    store.keep(Dossier("cl-1", horizon=3))
    store.commit(1)
    for where, told in ((place, Fenced), (f"{place}0", Moved)):
        before = _keys(redis, where)
        with RedisStoreOf(redis, where) as other:
            assert other.dossier("cl-1").horizon == (3 if where == place else Dossier("cl-1").horizon)
            other.note("between", b"5")
            with pytest.raises(told):
                other.commit(2)
        assert _keys(redis, where) == before
    store.commit(2)


@pytest.mark.parametrize("what", ["takes over", "removes a dossier", "forgets the notes"])
def test_whoever_writes_between_a_look_and_the_write_stops_it(
    store: RedisStore, redis: Redis, place: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """What was found right before must still be so, or nothing is written."""
    store.keep(Dossier("cl-1", horizon=3), Record(_fact(1)))
    store.note("between", b"5")
    store.commit(1)
    judge, seen = Owner._judge, []

    def overtaken(self: Owner, found: Sequence[Any]) -> None:
        judge(self, found)
        with RedisStoreOf(redis, place) as newer, redis.client() as client:
            match what:
                case "takes over":
                    newer.assign()
                case "removes a dossier":
                    client.hdel(f"{{{place}}}:dossiers", "cl-1")
                case _:
                    client.delete(f"{{{place}}}:notes")
        seen.append(_keys(redis, place))

    monkeypatch.setattr(Owner, "_judge", overtaken)
    store.keep(Dossier("cl-2"), Record(_fact(2)))
    with pytest.raises(Moved):
        store.commit(2, b"outputs")
    assert seen == [_keys(redis, place)]


@pytest.mark.parametrize("fault", ["too little memory", "a client is disconnected"])
def test_a_write_that_redis_refuses_leaves_nothing_behind(
    store: RedisStore, redis: Redis, place: str, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Neither of the batch nor, for whoever is given the connection next, of what was under way."""
    store.keep(Dossier("cl-1", horizon=3), Record(_fact(1)))
    store.commit(1)
    before = _keys(redis, place)
    judge = Owner._judge

    def meanwhile(self: Owner, found: Sequence[Any]) -> None:
        judge(self, found)
        if fault == "too little memory":
            client.config_set("maxmemory", 1)
        else:
            client.client_kill_filter(_type="normal", skipme=True)

    with redis.client() as client:
        monkeypatch.setattr(Owner, "_judge", meanwhile)
        store.keep(Dossier("cl-1", horizon=4), Record(_fact(2)))
        try:
            with pytest.raises(RedisError):
                store.commit(2, b"outputs")
        finally:
            client.config_set("maxmemory", 0)
        monkeypatch.setattr(Owner, "_judge", judge)
        assert _keys(redis, place) == before
        assert store.assign() == (1, b"")
        store.keep(Dossier("cl-1", horizon=4), Record(_fact(2)))
        store.commit(2, b"outputs")
        assert store.assign() == (2, b"outputs") and len(store.history("cl-1")) == 2


READS = ["GET", "EXISTS", "LRANGE", "HGET", "HMGET", "HLEN", "HKEYS", "HSCAN"]
NEEDED = [*READS, "UNLINK", "RPUSH", "SET", "HSET", "WATCH", "MULTI", "EXEC", "EVAL"]
"""By an owner of a partition."""


def rights_of_the_readme() -> tuple[list[str], list[str]]:
    """The commands that it says a worker's user needs, and those that one who makes state anew needs besides."""
    (told,) = re.findall(r"Its user needs (.*?)\n\n", Path("README.md").read_text(), re.DOTALL)
    of_workers, of_rebuild = told.replace("\n", " ").split("`gate61 rebuild` also")
    return re.findall(r"`([A-Z]+)`", of_workers), re.findall(r"`([A-Z]+)`", of_rebuild.split(";")[0])


def right(command: str) -> str:
    """As Redis' list of rights calls it."""
    return f"+{command.lower()}"


@pytest.fixture
def limited(redis: Redis) -> Iterator[Callable[..., str]]:
    """Gives a user of Redis these rights alone; returns the address by which he comes."""

    def limit(*rights: str) -> str:
        with redis.client() as client:
            client.acl_setuser("limited", enabled=True, nopass=True, keys=["*"], commands=[*rights], reset=True)
        return redis.url.replace("//", "//limited:any@")

    yield limit
    with redis.client() as client:
        client.acl_deluser("limited")


@pytest.mark.parametrize("command", NEEDED)
def test_who_may_not_do_all_that_an_owner_does_becomes_none(
    redis: Redis, place: str, limited: Callable[..., str], command: str
) -> None:
    """He is told what he lacks before he begins; whoever has the partition keeps it, and nothing is left behind."""
    store = RedisStore(redis.client(), place)
    store.assign()
    store.keep(Dossier("cl-1"), Record(_fact(1)))
    store.commit(1, b"outputs")
    before = _keys(redis, place)
    other = RedisStore(Client.from_url(limited("+@all", f"-{command.lower()}")), place)
    with pytest.raises(ResponseError) as met:
        other.assign()
    told = redis_errors.said(met.value, redis.url)
    assert re.search(rf"\b{command}\b", told, re.IGNORECASE) and "give the user of GATE61_REDIS the rights" in told
    assert _keys(redis, place) == before
    store.keep(Dossier("cl-1"), Record(_fact(2)))
    store.commit(2)
    other.close()
    store.close()


def test_the_rights_that_the_readme_names_are_enough(redis: Redis, place: str, limited: Callable[..., str]) -> None:
    """For whoever owns a partition, asks how Redis is, and only reads; and, with one more, makes state anew."""
    of_workers, of_rebuild = rights_of_the_readme()
    assert {*NEEDED} <= {*of_workers} and of_rebuild == ["SCAN"]
    client = Client.from_url(limited(*map(right, [*of_workers, *of_rebuild])))
    for _ in range(2):
        store = RedisStore(client, place)
        store.assign()
        store.keep(Dossier("cl-1", horizon=3), Record(_fact(1)))
        store.note("between", b"5")
        store.commit(1, b"outputs")
        store.verify()
        assert store.look().next == 1 and store.noted_under("") == {"between"} and len([*store.dossiers()]) == 1
        assert [*store.differences(store)] == [] and len(store.history("cl-1")) == 1 and store.count() == 1
        store.clear()
    assert redis_health.complaints(client) == []
    Clock().ask(client)
    assert redis_health.renew(client) is None or redis_health.renew(client) is None
    client.close()


@pytest.mark.parametrize("then", ["the same owner goes on", "another one comes", "another one, and then the same"])
def test_a_write_whose_end_redis_refused_is_not_counted(
    redis: Redis, place: str, limited: Callable[..., str], then: str
) -> None:
    """Whoever began it does the rest, once, as soon as he may; nobody else decides anything on what is there."""
    store = RedisStore(Client.from_url(limited("+@all")), place)
    store.assign()
    store.keep(Dossier("cl-1", horizon=3), Record(_fact(1)))
    store.commit(1)
    store.keep(Dossier("cl-1", horizon=4), Record(_fact(2)), Record(_fact(3)))
    limited("+@all", "-rpush")
    for attempt in (lambda: store.commit(2, b"outputs"), store.assign):
        with pytest.raises(ResponseError, match=r"can't run this command.*RPUSH|no permissions.*rpush"):
            attempt()
    with RedisStoreOf(redis, place) as other:
        if then != "the same owner goes on":
            for _ in range(2):
                with pytest.raises(StateLost, match=r"a write whose end Redis refused.*`gate61 rebuild`"):
                    other.assign()
            assert "whose end Redis refused" in other.look().lost and other.look().begun
        limited("+@all")
        if then == "another one comes":
            return
        for _ in range(2):
            assert store.assign() == (2, b"outputs")
            assert [r.fact.at for r in store.history("cl-1") if r.fact] == [1, 2, 3]
        assert other.assign() == (2, b"outputs") and other.dossier("cl-1").horizon == 4
    store.close()


async def test_nobody_is_answered_on_a_write_whose_end_redis_refused(
    redis: Redis, prefix: str, limited: Callable[..., str]
) -> None:
    """Also where he and his history are whole."""
    store = RedisStore(Client.from_url(limited("+@all")), f"{prefix}t:0")
    store.assign()
    store.note("recorded", b"1")
    store.keep(Dossier("cl-1"), Record(_fact(1)))
    store.commit(1)
    store.keep(Dossier("cl-1", horizon=3), Record(_fact(2)))
    limited("+@all", "-rpush")
    with pytest.raises(ResponseError):
        store.commit(2)
    reader = RedisReader(AsyncServers(redis.url, 5), f"{prefix}t")
    with pytest.raises(StateLost, match="whose end Redis refused"):
        await reader.read_many(0, ["cl-2"], ("recorded",), False)
    await reader.close()
    store.close()


@pytest.mark.parametrize("forgot", ["everything", "the last batches", "who owns it"])
def test_a_redis_that_forgot_its_owner_is_not_taken_for_another_one(
    store: RedisStore, redis: Redis, place: str, forgot: str
) -> None:
    """Emptied, or a replica that had not heard of everything: nobody looks for a second worker. Nothing is written."""
    store.keep(Dossier("cl-1", horizon=3))
    store.commit(1)
    old = _keys(redis, place)
    store.assign()
    store.keep(Dossier("cl-1", horizon=4))
    store.commit(2)
    with redis.client() as client:
        if forgot == "who owns it":
            client.hdel(f"{{{place}}}:meta", "token")
        else:
            client.delete(*_keys(redis, place))
        for key, value in old.items() if forgot == "the last batches" else ():
            client.restore(key, 0, value)
    before = _keys(redis, place)
    with pytest.raises(Moved, match="went back"):
        store.verify()
    store.keep(Dossier("cl-1", horizon=5))
    with pytest.raises(Moved, match="went back"):
        store.commit(3)
    assert _keys(redis, place) == before


def test_more_records_than_a_script_has_room_for_are_written(store: RedisStore, redis: Redis, place: str) -> None:
    """Of one client and of many, in order."""
    store.keep(Dossier("cl-1"), *(Record(_fact(n)) for n in range(9_001)))
    for n in range(500):
        store.keep(Dossier(f"cl-1{n}"), Record(_fact(n)), Record(_fact(n + 1)))
    store.commit(1)
    with RedisStoreOf(redis, place) as again:
        again.assign()
        assert [r.fact.at for r in again.history("cl-1") if r.fact] == list(range(9_001))
        assert [r.fact.at for r in again.history("cl-17") if r.fact] == [7, 8]


def test_a_history_that_somebody_replaced_is_told_and_harms_nothing_else(
    store: RedisStore, redis: Redis, place: str
) -> None:
    """All else of the batch is written; whoever asks for that history is told."""
    for n in range(3):
        store.keep(Dossier(f"cl-{n}"), Record(_fact(n)))
    store.commit(1)
    with redis.client() as client:
        client.set(f"{{{place}}}:history:cl-1", "somebody was here")
    for n in range(3):
        store.keep(Dossier(f"cl-{n}"), Record(_fact(n + 10)))
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        store.commit(2, b"outputs")
    assert store.assign() == (2, b"outputs")
    assert [len(store.history(f"cl-{n}")) for n in (0, 2)] == [2, 2]
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        store.history("cl-1")


def test_a_redis_that_went_back_is_found_out(store: RedisStore, redis: Redis, place: str) -> None:
    """Though the token is the same, and even if the offset is."""
    store.keep(Dossier("cl-1", horizon=3))
    store.commit(7)
    old = _keys(redis, place)
    store.keep(Dossier("cl-1", horizon=4))
    store.commit(7)
    with redis.client() as client:
        for key, value in old.items():
            client.restore(key, 0, value, replace=True)
    store.keep(Dossier("cl-1", horizon=5))
    with pytest.raises(Moved):
        store.commit(8)
    store.assign()
    assert store.dossier("cl-1").horizon == 3


@pytest.mark.parametrize("what", ["a dossier", "all dossiers", "a history", "notes", "ids", "some ids"])
def test_what_was_evicted_or_removed_is_found_out(store: RedisStore, redis: Redis, place: str, what: str) -> None:
    """Nothing is decided on what is left."""
    for n in range(5):
        store.keep(Dossier(f"cl-{n}"), Record(_fact(n)))
        store.seen(n.to_bytes(8, "big"), bytes(8))
    store.note("between", b"0")
    store.commit(1)
    with redis.client() as client:
        match what:
            case "ids":
                client.delete(f"{{{place}}}:seen:0")
            case "some ids":
                client.hdel(f"{{{place}}}:seen:0", bytes(8))
            case "a dossier":
                client.hdel(f"{{{place}}}:dossiers", "cl-3")
            case "all dossiers":
                client.delete(f"{{{place}}}:dossiers")
            case "a history":
                client.delete(f"{{{place}}}:history:cl-1")
            case _:
                client.delete(f"{{{place}}}:notes")
    before = _keys(redis, place)
    assert bool(store.look().lost) is (what != "a history")  # Which is found out when it is asked for.
    assert _keys(redis, place) == before
    if what != "a history":  # That is found out when it is asked for: counting them all would cost too much.
        with pytest.raises(StateLost):
            store.verify()
    with pytest.raises(StateLost):
        store.assign()
        store.history("cl-1")
        store.keep(Dossier("cl-9"))
        store.commit(2)


@pytest.mark.parametrize("left", ["seen:2857", "outbox"])
def test_what_is_left_of_a_state_is_no_new_partition(store: RedisStore, redis: Redis, place: str, left: str) -> None:
    """Else its facts would be taken for repetitions, and its outputs for said."""
    store.recorded(2857 * 7 * DAY)
    store.keep(Dossier("cl-1"), Record(_fact(1)))
    store.seen(bytes(8), bytes(8))
    store.commit(1, b"outputs")
    with redis.client() as client:
        for key in _keys(redis, place):
            if not key.endswith(left.encode()):
                client.delete(key)
    assert store.look().lost.endswith("nothing else of what was written")
    with pytest.raises(StateLost, match="gate61 rebuild"):
        store.assign()
    store.clear()
    assert store.look().lost == ""
    assert store.assign() == (None, b"")


@pytest.mark.parametrize("key", ["meta", "notes", "dossiers", "outbox", "seen:2857"])
def test_what_somebody_else_put_in_its_place_is_found_out(
    store: RedisStore, redis: Redis, place: str, key: str
) -> None:
    """Of whatever type; what can still be read is."""
    store.recorded(2857 * 7 * DAY)
    store.keep(Dossier("cl-1"), Record(_fact(1)))
    store.seen(bytes(8), bytes(8))
    store.commit(7, b"outputs")
    assert store.look()[:3] == (7, 1, 1) and store.look().lost == ""
    with redis.client() as client:
        client.delete(f"{{{place}}}:{key}")
        client.rpush(f"{{{place}}}:{key}", "somebody was here")
    assert store.look().lost and store.look().next == (None if key == "meta" else 7)


@pytest.mark.parametrize(("key", "field"), [("meta", "next"), ("meta", "batch"), ("meta", "ids"), ("notes", "week")])
def test_what_should_be_a_number_and_is_none_is_state_lost(
    store: RedisStore, redis: Redis, place: str, key: str, field: str
) -> None:
    """Named, for its owner and for who only looks."""
    store.recorded(2857 * 7 * DAY)
    store.keep(Dossier("cl-1"))
    store.commit(7)
    with redis.client() as client:
        client.hset(f"{{{place}}}:{key}", field, "ten")
    assert store.look().lost == f"holds `ten` as `{field}`, which is no number"
    with pytest.raises(StateLost, match=f"`ten` as `{field}`, which is no number.*gate61 rebuild"):
        store.assign()


def test_a_history_of_before_redis_went_back_is_not_said_to_be_evicted(
    store: RedisStore, redis: Redis, place: str
) -> None:
    """It comes up to what there is by itself, and nobody need make it anew."""
    store.keep(Dossier("cl-1", horizon=3), Record(_fact(1)))
    store.commit(1)
    with redis.client() as client:
        before = {key: client.dump(key) for key in _keys(redis, place)}
        store.keep(store.dossier("cl-1"), Record(_fact(2)))
        store.commit(2)
        for key, dumped in before.items():
            client.restore(key, 0, dumped, replace=True)
    with pytest.raises(Moved, match="went back"):
        store.history("cl-1")
    assert store.assign().next == 1 and len(store.history("cl-1")) == 1


def test_an_outbox_that_is_gone_is_not_an_empty_one(store: RedisStore, redis: Redis, place: str) -> None:
    """What it held may never have been published: so the place it was written with is not one to make anew up to."""
    store.keep(Dossier("cl-1"), Record(_fact(1)))
    store.commit(1)
    assert store.assign() == (1, b"") and store.look().next == 1 and store.look().outbox
    with redis.client() as client:
        client.delete(f"{{{place}}}:outbox")
    with pytest.raises(StateLost, match="no outbox"):
        store.assign()
    assert not store.look().outbox


def test_state_whose_ids_were_not_counted_is_taken(store: RedisStore, redis: Redis, place: str) -> None:
    """It is of an earlier build; the next write counts them."""
    store.seen(bytes(8), bytes(8))
    store.commit(1)
    with redis.client() as client:
        client.hdel(f"{{{place}}}:meta", "ids")
        store.assign()
        store.seen(b"1" * 8, bytes(8))
        store.commit(2)
        assert client.hget(f"{{{place}}}:meta", "ids") == b"2"
    store.assign()


@pytest.mark.parametrize("at_most", [20_000, 3])
def test_histories_are_fetched_together(
    store: RedisStore, redis: Redis, monkeypatch: pytest.MonkeyPatch, at_most: int
) -> None:
    """In one round trip, with what is not committed yet; long ones one by one; what is committed since is seen."""
    monkeypatch.setattr("state.redis.store.FETCHED_RECORDS", at_most)
    clients = [f"cl-{n}" for n in range(4)]
    for n, client in enumerate(clients):
        store.keep(Dossier(client), Record(_fact(n)), Record(_fact(n + 10)))
    store.commit(1)
    store.keep(Dossier("cl-0"), Record(_fact(20)))
    told = [f"ask-{n}" for n in range(4)]

    def ids(client: str) -> list[str]:
        return [record.fact.id for record in store.history(client) if record.fact]

    store.recall_histories(clients)
    with redis.client() as client:
        before = client.info("commandstats").get("cmdstat_lrange", {}).get("calls", 0)
        first = [ids(c)[0] for c in clients]
        after = client.info("commandstats").get("cmdstat_lrange", {}).get("calls", 0)
    assert first == told and after - before == (0 if at_most > 3 else 3)
    assert ids("cl-0") == ["ask-0", "ask-10", "ask-20"]
    store.recall_histories(clients)
    store.keep(Dossier("cl-1"), Record(_fact(21)))
    store.commit(2)
    assert ids("cl-1") == ["ask-1", "ask-11", "ask-21"]


def test_ids_are_recognised_for_seven_days_and_then_let_go(store: RedisStore, redis: Redis, place: str) -> None:
    """Memory does not grow for ever, and an id costs two questions, however long the gate has run."""
    begin = 20_000 * DAY
    for day in range(30):
        store.recorded(begin + day * DAY)
        assert store.seen(day.to_bytes(8, "big"), bytes(8)) is None
        store.commit(day)
        store.assign()
        for back in range(min(day, 7) + 1):
            assert store.seen((day - back).to_bytes(8, "big"), bytes(8)) is True, (day, back)
    kept = [key for key in _keys(redis, place) if b":seen:" in key]
    assert len(kept) == 2


def test_a_batch_of_known_and_new_ids(store: RedisStore) -> None:
    """Whoever publishes again what he does not know to have arrived sends both: of this week, of the last, and of none."""
    ids = [n.to_bytes(8, "big") for n in range(3)]
    for week, known in enumerate(ids[:2]):
        store.recorded((20_000 + 7 * week) * DAY)
        assert store.seen(known, bytes(8)) is None
        store.commit(week)
    store.assign()
    store.recall(["anna"], ids)
    assert [store.seen(known, bytes(8)) for known in ids] == [True, True, None]


def test_ids_are_recognised_where_redis_went_back_by_weeks(store: RedisStore, redis: Redis, place: str) -> None:
    """The week is that of what is stored, not the later one that was known before."""
    key = bytes(8)
    store.recorded(20_000 * DAY)
    store.seen(key, key)
    store.commit(1)
    old = _keys(redis, place)
    store.recorded(20_030 * DAY)
    store.seen(b"\1" * 8, key)
    store.commit(2)
    with redis.client() as client:
        for name in client.scan_iter(match=f"{{{place}}}*"):
            client.unlink(name)
        for name, value in old.items():
            client.restore(name, 0, value, replace=True)
    store.assign()
    store.recorded(20_000 * DAY)
    store.commit(3)
    store.assign()
    assert store.seen(key, key) is True


def test_what_is_asked_for_again_and_again_without_a_write_stays_bounded(redis: Redis, place: str) -> None:
    """A partition that waits asks and does not write; what it changed and whom it asks for it keeps all the same."""
    store = RedisStore(redis.client(), place, cached=10)
    store.assign()
    for n in range(200):
        store.keep(Dossier(f"cl-{n}", horizon=n), Record(_fact(n)))
    store.commit(1)
    store.keep(Dossier("cl-7", horizon=1000), Record(_fact(1)))
    for n in range(0, 200, 20):
        store.recall([f"cl-{m}" for m in range(n, n + 20)], [])
        assert len(store._cache) <= 10 + 20 + 1, n
    assert store.recall([f"cl-{m}" for m in range(180, 200)], []) == 0
    assert store.dossier("cl-7").horizon == 1000
    store.commit(2)
    store.assign()
    assert store.dossier("cl-7").horizon == 1000 and len(store.history("cl-7")) == 2
    store.close()


class RedisStoreOf:
    """Another owner, who lets go in the end."""

    def __init__(self, redis: Redis, place: str) -> None:
        self.store = RedisStore(redis.client(), place)

    def __enter__(self) -> RedisStore:
        return self.store

    def __exit__(self, *_: object) -> None:
        self.store.close()
