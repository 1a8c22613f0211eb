"""What the logs tell, in the desk's store: the same tables however the reading was cut, killed and repeated."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, event, inspect, select, text

from gate.instants import LATEST
from state import MemoryStore
from streams.demo import PATH, filled
from streams.desk import tables as t
from streams.desk.files import answer, rejects
from streams.desk.fold import fold
from streams.desk.running import desk_at, store_at
from streams.embedded import Gate
from streams.feed import FeedTrouble, Told
from streams.feed.sending import SOURCE, Receipt
from streams.stores import positions, read_to
from tests.desk.rows import item
from tests.feeds import ListFeed, told_by
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
    made = (t.decision, t.country, t.said, t.thing, t.notice, t.case, t.reject, *t.READ_TO)
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

    monkeypatch.setattr("streams.desk.fold.go_on", full)
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
    assert positions(engine, t.position)["out"] == 2 * last + 1


@pytest.mark.parametrize("odd", ["plain", 'a"b\\c', "50%_/é", "a%"])
def test_an_answer_has_the_cases_that_name_it_and_no_other_is_looked_into(fresh: Fresh, odd: str) -> None:
    """By its decision or its event, whatever letters an id has; a client may have thousands of cases."""
    engine = fresh()
    answered = item(1, 0) | {"id": odd, "event": f"{odd}-e", "client": "cl-1"}

    def opened(id: str, decisions: list[str], facts: list[str], client: str = "cl-1") -> dict[str, object]:
        lists = {"decisions": msgspec.json.encode(decisions).decode(), "facts": msgspec.json.encode(facts).decode()}
        return {
            "id": id,
            "why": "x",
            "said": "y",
            "client": client,
            "recorded": 1,
            "closed": False,
            "cut": False,
            **lists,
        }

    with engine.begin() as connection:
        connection.execute(t.decision.insert(), [answered])
        rows = [opened("by decision", ["d-0", odd], []), opened("by event", ["d-0"], [f"{odd}-e"])]
        rows += [opened("of another", [odd], [], "cl-2"), opened("of its like", [f"{odd}x", odd.upper()], [])]
        rows += [opened("of none", [], []) | {"decisions": "no list", "facts": "no list"}]
        connection.execute(t.case.insert(), rows)
    found = answer(engine, odd)
    assert found is not None and {case.id for case in found.cases} == {"by decision", "by event"}


def _refusal(told: Told, client: str, offset: int, id: str = "no") -> Told:
    """People refuse the answer that was told, in the name of a client."""
    event = {
        "source": "//desk",
        "id": id,
        "type": "gate61.review.refused.v1",
        "subject": client,
        "time": "2026-03-30T00:00:00Z",
        "data": {"decision": told.event["data"]["decision"], "by": "rita", "reason": "no"},
    }
    return Told("taken", offset, "action", told.at, event, b"")


@pytest.mark.parametrize("first", [True, False], ids=["before the answer", "after it"])
def test_a_refusal_takes_away_only_what_is_about_its_own_client(month: list[Told], fresh: Fresh, first: bool) -> None:
    held = next(e for e in month if e.kind == "decision" and e.event["data"]["verdict"] == "flag")
    for client, open in (("somebody-else", True), (held.event["data"]["client"], False)):
        engine, refusal = fresh(), _refusal(held, client, 1)
        for batch in [[refusal], [held]] if first else [[held], [refusal]]:
            fold(engine, batch)
        with engine.connect() as connection:
            (row,) = connection.execute(select(t.decision.c.open, t.decision.c.refused_by)).all()
            countries = connection.execute(select(t.country)).all()
        assert (row.open, row.refused_by) == (open, None if open else "rita")
        assert bool(countries) is open


def test_what_stands_under_an_id_that_was_used_before_changes_nothing(month: list[Told], fresh: Fresh) -> None:
    """The gate rejects it; its first event stands."""
    held = next(e for e in month if e.kind == "decision" and e.event["data"]["verdict"] == "flag")
    client, engine = held.event["data"]["client"], fresh()
    other = replace(held, event={**held.event, "data": {**held.event["data"], "decision": "another"}})
    fold(engine, [held, _refusal(other, client, 1)])
    fold(engine, [_refusal(held, client, 2)])
    with engine.connect() as connection:
        assert [row.open for row in connection.execute(select(t.decision.c.open))] == [True]


class Nowhere:
    """A `Sender` that nothing is given to."""

    async def send(self, event: Mapping[str, Any]) -> Receipt:
        """See `Sender`."""
        raise AssertionError

    async def close(self) -> None:
        """See `Sender`."""


def _of_another(told: Told, client: str, service: str, log: str) -> Told:
    """The same id in another log, about another client who is offered something else."""
    data = {**told.event["data"], "client": client, "decision": f"of {client}", "offer": "of-x", "service": service}
    if told.kind == "action":
        data = {**told.event["data"], "service": service, "asset": None, "product": "lombard"}
    return replace(told, log=log, offset=1, event={**told.event, "subject": client, "data": data})


@pytest.mark.parametrize("first", ["offers", "answers"])
def test_one_id_of_two_clients_in_two_partitions_is_two_offers(month: list[Told], fresh: Fresh, first: str) -> None:
    """The gate recognises ids of each partition by itself, and takes both."""
    answer = next(e for e in month if e.kind == "decision" and e.event["data"]["supersedes"] is None)
    event, service = answer.event["data"]["event"], "portfolio_management"
    offer = next(e for e in month if e.kind == "action" and e.event["id"] == event["id"])
    offers = [replace(offer, log="actions:1"), _of_another(offer, "cl-other", service, "actions:2")]
    answers = [replace(answer, log="out:1"), _of_another(answer, "cl-other", service, "out:2")]
    engine = fresh()
    for batch in (offers, answers) if first == "offers" else (answers, offers):
        for each in batch:
            fold(engine, [each])
    named = offer.event["data"]
    own = (named["service"], named.get("asset"), named.get("product"))
    with engine.connect() as connection:
        d, g = t.decision.c, t.thing.c
        kept = connection.execute(select(g.client, g.service, g.asset, g.product)).all()
        shown = connection.execute(select(d.client, d.service, d.asset, d.product)).all()
    assert sorted(shown) == sorted(kept) and own != (service, None, "lombard")
    assert set(map(tuple, shown)) == {(offer.event["subject"], *own), ("cl-other", service, None, "lombard")}


def test_a_store_of_another_layout_is_made_anew_from_the_logs(month: list[Told], fresh: Fresh) -> None:
    """What people did at the desk stays; that is in no log."""
    whole, old = fresh(), fresh()
    assert not t.made_anew(whole)
    fold(whole, month)
    fold(old, month)
    with old.begin() as connection:
        case = connection.execute(select(t.case.c.id)).scalars().first()
        t.insert_new(connection, t.closing, [{"case": case, "by": "rita", "at": 1, "reason": "seen"}])
        t.said.drop(connection)
        key = "constraint said_key primary key (source, id)"
        connection.execute(text(f"create table said (source text, id text, kind text, client text, {key})"))
    desk_at(ListFeed(), Nowhere(), old, lambda: 1)
    assert read_to(old, t.READ_TO) == [{}, {}, {}]
    fold(old, month)
    assert not t.made_anew(old)
    with whole.begin() as connection:
        connection.execute(t.case.update().where(t.case.c.id == case).values(closed=True))
    assert tables(old) == tables(whole)
    with old.connect() as connection:
        assert connection.execute(select(t.closing.c.by)).scalars().all() == ["rita"]


def test_a_store_of_before_is_given_the_index_of_what_could_not_be_taken(month: list[Told], fresh: Fresh) -> None:
    """Without it the page of sources reads all that was ever rejected, with its bytes; all else stays as it is."""
    old = fresh()
    fold(old, month)
    before = tables(old)
    with old.begin() as connection:
        connection.execute(text("drop index reject_latest"))
    desk_at(ListFeed(), Nowhere(), old, lambda: 1)
    assert tables(old) == before and {"reject_latest"} == {
        index["name"] for index in inspect(old).get_indexes("reject")
    }
    if old.dialect.name == "sqlite":
        raw = {"reason": "BAD_FIELD", "message": "m", "source": None, "id": None, "raw": "x" * 20_000}
        fold(old, [Told("rejected", n, "rejected", LATEST + n % 7 - 6, raw, b"") for n in range(10, 200)])
        asked: list[str] = []
        event.listen(old, "before_cursor_execute", lambda _1, _2, said, *_: asked.append(said))
        latest = rejects(old, 3).latest
        assert [(r.recorded, r.number) for r in latest] == [(LATEST, 195), (LATEST, 188), (LATEST, 181)]
        with old.connect() as connection:
            told = [(said, (3, 0)[: said.count("?")]) for said in asked]
            plans = [connection.exec_driver_sql(f"explain query plan {said}", given).all() for said, given in told]
            found = [row[-1] for plan in plans for row in plan]
        assert all("INDEX" in step for step in found), "neither sorted nor read whole"


def test_what_the_gate_said_of_an_act_is_learnt_with_the_place_where_it_stands(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk that dies between the two would never hear of it again."""
    engine = fresh()
    row = dict.fromkeys(("kind", "client", "about", "by", "data"), "x") | {"id": "desk-1", "at": 1, "told": ""}
    with engine.begin() as connection:
        t.insert_new(connection, t.act, [{**row, "status": "taken", "sent": "{}"}])
    told = {"source": SOURCE, "id": "desk-1", "reason": "ID_REUSED", "message": "used before", "raw": "{}"}
    rejected = Told("rejected", 1, "rejected", 1, told, b"{}")
    with monkeypatch.context() as patched:
        patched.setattr("streams.desk.fold.saw", _dies)
        with pytest.raises(OSError):
            fold(engine, [rejected])
    assert positions(engine, t.position) == {}
    fold(engine, [rejected])
    with engine.connect() as connection:
        (act,) = connection.execute(select(t.act.c.status, t.act.c.told)).all()
    assert tuple(act) == ("rejected", "ID_REUSED: used before") and positions(engine, t.position) == {"rejected": 2}


def _dies(*_: object) -> None:
    raise OSError("killed")


async def test_a_log_that_is_not_the_one_that_was_read_is_trouble(month: list[Told], fresh: Fresh) -> None:
    """The desk keeps what it read last with the place where that stood, also where it is started anew."""
    engine = fresh()
    fold(engine, month[:200])
    fold(engine, month[150:300])
    last = {each.log: each for each in month[:300]}
    assert read_to(engine, t.READ_TO)[1:] == [
        {log: each.mark for log, each in last.items()},
        {log: each.at for log, each in last.items()},
    ]
    right = desk_at(ListFeed(month), Nowhere(), engine, lambda: 1)
    await right.begin()
    await right.round(0)
    other = desk_at(ListFeed([replace(each, data=each.data + b" ") for each in month]), Nowhere(), engine, lambda: 1)
    await other.begin()
    with pytest.raises(FeedTrouble, match="another store"):
        await other.round(0)
