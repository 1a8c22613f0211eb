"""Row 2 of the proofs: every store against a naive model, step by random step, with restarts in between."""

import copy
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gate.dossier import Dossier
from gate.facts import Asked, Fact
from gate.history import Record
from state import MemoryStore, SqliteStore, Store
from state.redis.store import RedisStore
from tests.progress import counted

RUNS = int(os.environ.get("GATE61_MACHINES", "2000"))
STEPS = 50
CLIENTS = [f"cl-{n}" for n in range(4)]


class Naive:
    """What a store means: dictionaries and lists, copied at each commit."""

    def __init__(self) -> None:
        self.now: dict[str, Any] = {"dossiers": {}, "history": {}, "learnt": [], "notes": {}, "seen": {}}
        self.last = copy.deepcopy(self.now)


def _step(rng: Random, store: Store, naive: Naive, number: int) -> None:
    client = rng.choice(CLIENTS)
    now = naive.now
    fact = Fact("//s", f"f-{number}", client, number, number, Asked("chat"))
    match rng.randrange(8):
        case 0 | 1:
            dossier = store.dossier(client)
            assert dossier.horizon == now["dossiers"].get(client, Dossier(client).horizon)
            dossier.horizon = number
            records = [Record(fact)] * rng.randrange(3)
            store.keep(dossier, *records)
            now["dossiers"][client] = number
            now["history"].setdefault(client, []).extend(records)
        case 2:
            assert store.history(client) == now["history"].get(client, [])
        case 3:
            assert {d.client: d.horizon for d in store.dossiers()} == now["dossiers"]
        case 4 if isinstance(store, MemoryStore | SqliteStore):
            store.learn(fact)
            now["learnt"].append(fact)
            assert store.learnt() == now["learnt"]
        case 5:
            name = rng.choice("ab")
            assert store.noted(name) == now["notes"].get(name)
            now["notes"][name] = b"%d" % number
            store.note(name, b"%d" % number)
        case 6:
            key, content = rng.randrange(6).to_bytes(8, "big"), rng.randrange(2).to_bytes(8, "big")
            assert store.known(key, content) == (now["seen"].get(key) == content)
            known = now["seen"].setdefault(key, content)
            new = (key, content) not in naive.now.setdefault("asked", {}) and known == content
            answer = store.seen(key, content)
            assert answer in ((None, True) if new else (known == content,))
            now["asked"][key, content] = True
        case 7:
            store.commit()
            naive.last = copy.deepcopy(now)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_every_store_does_what_the_naive_one_does(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, prefix: str
) -> None:
    """Also after a restart, which keeps what was committed and nothing else."""
    share = {"memory": 1.0, "sqlite": 0.2, "redis": 0.2}[kind]
    for seed in counted(range(int(RUNS * share))):
        rng, naive = Random(seed), Naive()

        def opened(seed: int = seed) -> Store:
            if kind == "memory":
                return MemoryStore(live=2)
            if kind == "sqlite":
                return SqliteStore(tmp_path / f"{seed}.db")
            made = RedisStore(request.getfixturevalue("redis").client(), f"{prefix}{seed}:0", cached=2)
            made.assign()
            return made

        store = opened()
        for number in range(STEPS):
            if kind != "memory" and rng.random() < 0.05:
                store.close()
                store, naive.now = opened(), copy.deepcopy(naive.last)
            _step(rng, store, naive, number)
        store.close()
        (tmp_path / f"{seed}.db").unlink(missing_ok=True)
