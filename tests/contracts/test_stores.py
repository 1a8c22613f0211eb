"""One contract over every store."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis as Client

from gate.dossier import Dossier, Scope, Standing
from gate.facts import Asked, Fact
from gate.history import Given, Record
from state import MemoryStore, RegisterStore, SqliteStore, Store
from state.codec import record_from_bytes, record_to_bytes
from state.redis.servers import Servers
from state.redis.store import RedisStore
from streams.border.wire import Rejected
from streams.embedded import Gate
from tests.player import POLICY
from tests.promises.histories import history
from tests.stories.telling import asks, question, when

Opener = Callable[[], RegisterStore]


def _fact(n: int, client: str = "cl-1") -> Fact:
    return Fact("//s", f"ask-{n}", client, n, n, Asked("chat"))


def _owned(client: Client | Servers, partition: str) -> RedisStore:
    made = RedisStore(client, partition)
    made.assign()
    return made


class WithRegister:
    """A worker's store that keeps the register's facts too, as notes: so an embedded gate can be tried over it."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def learn(self, fact: Fact) -> None:
        """See `RegisterStore`."""
        self._store.note(f"learnt {len(self.learnt()):06}", record_to_bytes(Record(fact)))

    def learnt(self) -> list[Fact]:
        """See `RegisterStore`."""
        stored = (self._store.noted(name) for name in sorted(self._store.noted_under("learnt ")))
        return [fact for record in stored if record and (fact := record_from_bytes(record).fact)]


@pytest.fixture(params=["memory", "memory packed", "sqlite", "redis", "cluster"])
def store(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> Iterator[Store]:
    """Each store, new."""
    made: Store
    if request.param == "sqlite":
        made = SqliteStore(tmp_path / "gate.db")
    elif request.param == "redis":
        made = _owned(request.getfixturevalue("redis").client(), f"{prefix}t:0")
    elif request.param == "cluster":
        made = _owned(Servers(request.getfixturevalue("cluster").url, 5), f"{prefix}t:0")
    else:
        made = MemoryStore(live=1 if "packed" in request.param else 100)
    yield made
    made.close()


def test_somebody_never_seen_has_an_empty_dossier(store: Store) -> None:
    """Nothing is known, and asking leaves no trace."""
    assert store.dossier("cl-9") == Dossier("cl-9")
    assert store.history("cl-9") == []
    assert list(store.dossiers()) == []


def test_what_is_kept_comes_back(store: Store) -> None:
    """The dossier as it was last kept, the history in the order of arrival, client by client."""
    dossier = store.dossier("cl-1")
    dossier.scopes.append(Scope(5, "//s", "req-1", "custody", None, "btc", "tx-1", []))
    store.keep(dossier, Record(_fact(1)), Record(_fact(2)))
    other = store.dossier("cl-2")
    store.keep(other, Record(_fact(3, "cl-2"), let_go=True))
    again = store.dossier("cl-1")
    again.horizon = 7
    store.keep(again, Record(_fact(4)))
    store.keep(store.dossier("cl-2"))
    assert store.dossier("cl-1").horizon == 7
    assert store.dossier("cl-1").scopes[0].asset == "btc"
    assert [r.fact.id for r in store.history("cl-1") if r.fact] == ["ask-1", "ask-2", "ask-4"]
    assert store.history("cl-2") == [Record(_fact(3, "cl-2"), let_go=True)]
    assert sorted(d.client for d in store.dossiers()) == ["cl-1", "cl-2"]


def test_a_record_of_any_size_comes_back(store: Store) -> None:
    """What a late fact forced for thousands of offers is one record; those around it stay what they are."""
    given = Given(Standing(1, "//s", "of-1", "of-1", "d" * 1_000, 2, False, None, None, False))
    long = Record(_fact(2), answers=(given,) * 17_000)
    assert len(record_to_bytes(long)) > 1 << 24
    store.keep(store.dossier("cl-1"), Record(_fact(1)), long, Record(_fact(3)))
    assert store.history("cl-1") == [Record(_fact(1)), long, Record(_fact(3))]


def test_an_id_is_seen_once(store: Store) -> None:
    """New, the same again, the same with other content; many ids do not disturb each other."""
    first, second = bytes(8), b"\x01" * 8
    assert store.seen(first, second) is None
    assert store.seen(first, second) is True
    assert store.seen(first, first) is False
    asked = b"\x02" * 8
    assert store.known(first, second) and not store.known(first, first) and not store.known(asked, second)
    assert store.seen(asked, second) is None, "by asking nothing is remembered"
    ids = [(n * 2654435761).to_bytes(8, "little") for n in range(1, 9000)]
    assert all(store.seen(i, i) is None for i in ids[:200])
    if isinstance(store, MemoryStore):
        assert all(store.seen(i, i) is None for i in ids[200:])
        assert all(store.seen(i, i) is True for i in ids)


def test_notes_come_back(store: Store) -> None:
    """The last value of each."""
    assert store.noted("recorded") is None
    store.note("recorded", b"1")
    store.note("recorded", b"2")
    store.commit()
    assert store.noted("recorded") == b"2"


def test_the_register_comes_back(store: Store) -> None:
    """In the order of arrival, of every store but a worker's, who has it from its topic."""
    if isinstance(store, RedisStore):
        assert not hasattr(store, "learnt")
        return
    of_all = cast(RegisterStore, store)
    assert of_all.learnt() == []
    of_all.learn(_fact(2))
    of_all.learn(_fact(1))
    of_all.commit()
    assert of_all.learnt() == [_fact(2), _fact(1)]


def test_notes_are_found_by_how_their_names_begin(store: Store) -> None:
    """Those that last and those of now, each once."""
    assert list(store.noted_under("told ")) == []
    for name in ("told a", "told b", "untold c", "told"):
        store.note(name, b"")
    store.commit()
    store.note("told a", b"")
    store.note("told ä*", b"")
    assert sorted(store.noted_under("told ")) == ["told a", "told b", "told ä*"]


def test_sqlite_survives_a_restart_with_what_was_committed_and_no_more(tmp_path: Path) -> None:
    """A firm's proof outlives the process; half of an event does not."""
    path = tmp_path / "gate.db"
    store = SqliteStore(path)
    store.keep(Dossier("cl-1", horizon=3), Record(_fact(1)))
    store.seen(bytes(8), bytes(8))
    store.commit()
    store.keep(Dossier("cl-1", horizon=4), Record(_fact(2)))
    store.seen(b"\1" * 8, bytes(8))
    store.learn(_fact(3))
    store.close()
    again = SqliteStore(path)
    assert again.dossier("cl-1").horizon == 3
    assert again.history("cl-1") == [Record(_fact(1))]
    assert again.seen(bytes(8), bytes(8)) is True
    assert again.learnt() == []
    again.keep(Dossier("cl-1", horizon=5))
    again.rollback()
    assert again.dossier("cl-1").horizon == 3
    assert again.seen(b"\1" * 8, bytes(8)) is None
    again.close()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_gate_that_restarts_after_every_event_says_the_same(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, prefix: str
) -> None:
    """Nothing that an answer needs lives in the process alone; also where lines say that they were recorded earlier."""
    goes_back = [
        {**told, "recordedtime": when(recorded)}
        for told, recorded in ((asks(), "0 h"), (question("19 d"), "20 d"), (question("4 d"), "5 d"))
    ]
    for seed, events in enumerate([*map(history, range(30)), [*goes_back, question("21 d")]]):
        lines = [json.dumps(e).encode() for e in events]

        def opened(seed: int = seed) -> RegisterStore:
            if kind == "sqlite":
                return SqliteStore(tmp_path / f"gate-{seed}.db")
            return cast(
                RegisterStore, WithRegister(_owned(request.getfixturevalue("redis").client(), f"{prefix}{seed}:0"))
            )

        def run(lines: list[bytes], opened: Opener, restart: bool) -> Iterator[object]:
            store = opened()
            gate = Gate(POLICY, store)
            for line in lines:
                if restart:
                    gate.commit()
                    store.close()
                    store = opened()
                    gate = Gate(POLICY, store)
                taken = gate.take(line)
                yield taken if isinstance(taken, Rejected) else [gate.line_of(effect) for effect in taken]
            store.close()

        assert list(run(lines, opened, True)) == list(run(lines, MemoryStore, False)), f"seed {seed}"
