"""What the logs tell, in the desk's store: the same tables however the reading was cut, killed and repeated."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select

from state import MemoryStore
from streams.demo.month import PATH
from streams.demo.serving import filled
from streams.desk import tables as t
from streams.desk.fold import fold, positions
from streams.desk.running import store_at
from streams.embedded import Gate
from streams.feed import Told
from tests.feeds import told_by
from tests.player import POLICY


@pytest.fixture(scope="module")
def month() -> list[Told]:
    """The shipped month, its decision ids filled in."""
    gate, decisions, told = Gate(POLICY, MemoryStore()), {}, []  # type: ignore[var-annotated]
    for line in PATH.read_bytes().splitlines():
        for each in told_by(gate, [filled(line, decisions)]):
            offset = 1 + sum(known.log == each.log for known in told)
            told.append(Told(each.log, offset, each.kind, each.at, each.event, each.data))
            if each.kind == "decision":
                data = each.event["data"]
                decisions.setdefault(data["event"]["id"], []).append(data["decision"])
    return told


Fresh = Callable[[], Engine]


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fresh]:
    """Makes empty stores: files, or databases of the real PostgreSQL."""
    opened: list[Engine] = []

    def make() -> Engine:
        file = f"sqlite:///{tmp_path}/{len(opened)}.db"
        address = file if request.param == "sqlite" else request.getfixturevalue("postgres").store()
        opened.append(store_at(address))
        return opened[-1]

    yield make
    for engine in opened:
        engine.dispose()


def tables(engine: Engine) -> dict[str, list[Any]]:
    """Everything that was made of the logs."""
    made = (t.decision, t.country, t.said, t.notice, t.case, t.reject, t.position)
    with engine.connect() as connection:
        return {x.name: sorted(map(repr, connection.execute(select(x)).all())) for x in made}


def test_the_month_is_all_there(month: list[Told], fresh: Fresh) -> None:
    engine = fresh()
    fold(engine, month)
    found = tables(engine)
    assert len(found["decision"]) == sum(each.kind == "decision" for each in month)
    assert len(found["said"]) == sum(each.kind in ("action", "register") for each in month) > 500
    assert len(found["reject"]) == sum(each.kind == "rejected" for each in month) > 0
    with engine.connect() as connection:
        d = t.decision.c
        standing = connection.execute(select(d.id).where(d.replaced_by.is_(None))).all()
        named = {e.event["data"]["supersedes"] for e in month if e.kind == "decision"}
        assert not named & {row.id for row in standing}


@pytest.mark.parametrize("seed", range(6))
def test_however_the_reading_is_cut_mixed_and_repeated(month: list[Told], fresh: Fresh, seed: int) -> None:
    whole, cut = fresh(), fresh()
    fold(whole, month)
    random = Random(seed)
    logs = {log: [e for e in month if e.log == log] for log in sorted({e.log for e in month})}
    while any(logs.values()):
        log = random.choice([name for name, left in logs.items() if left])
        many = random.choice([1, 7, 100])
        batch, logs[log] = logs[log][:many], logs[log][many:]
        fold(cut, batch)
        if random.random() < 0.3:
            fold(cut, batch)
    assert tables(cut) == tables(whole)


def test_what_fails_in_the_middle_leaves_nothing_behind(
    month: list[Told], fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = fresh()
    fold(engine, month[:50])
    before = tables(engine)

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(t, "put", full)
    with pytest.raises(OSError, match="full"):
        fold(engine, month[50:150])
    monkeypatch.undo()
    assert tables(engine) == before
    fold(engine, month[50:])
    whole = fresh()
    fold(whole, month)
    assert tables(engine) == tables(whole)


def test_an_answer_published_twice_counts_once(month: list[Told], fresh: Fresh) -> None:
    engine = fresh()
    fold(engine, month)
    before = tables(engine)
    last = max(e.offset for e in month if e.log == "out")
    again = [Told(e.log, last + e.offset, e.kind, e.at, e.event, e.data) for e in month if e.log == "out"]
    fold(engine, again)
    after = tables(engine)
    assert {k: v for k, v in after.items() if k != "position"} == {k: v for k, v in before.items() if k != "position"}
    assert positions(engine)["out"] == 2 * last + 1
