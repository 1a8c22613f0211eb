"""What was stored by any version of the program is read by this one, and a layout never changes under its number.

`codec-N.json` holds dossiers and records of layout N, taken after every fourth file of tests/cases was played.
"""

import json
import os
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from gate.concern import Concern, concerned
from gate.dossier import UNPROMPTED, Dossier, Sent, Standing, Touch
from gate.facts import AssetClassified, Fact, Thing
from gate.forgotten import SIZE, Forgotten, may_be_among, may_hold, with_names
from gate.history import Given, Record
from gate.instants import EARLIEST, LATEST
from gate.known import outdated
from gate.outcome import Outcome, Verdict
from gate.packing import decoder_of_many, packed, replaced
from gate.policy import DAY
from gate.register import Register
from state import MemoryStore
from state.codec import (
    VERSION,
    UnknownLayout,
    dossier_from_bytes,
    dossier_to_bytes,
    record_from_bytes,
    record_to_bytes,
)
from tests.player import POLICY, play
from tests.promises.histories import history

HERE = Path(__file__).parent
CASES = sorted((HERE.parent / "cases").glob("*.json"))[::4]
CURRENT = HERE / f"codec-{VERSION[0]}.json"


def stored() -> dict[str, dict[str, str | list[str]]]:
    """Every dossier and record of every case as bytes, in hex."""
    found: dict[str, dict[str, str | list[str]]] = {}
    for path in CASES:
        store = MemoryStore()
        play(json.loads(path.read_text())["given"], store)
        for dossier in store.dossiers():
            records = [record_to_bytes(r).hex() for r in store.history(dossier.client)]
            found[f"{path.stem} {dossier.client}"] = {"dossier": dossier_to_bytes(dossier).hex(), "records": records}
    return found


def test_the_layout_did_not_change_under_its_number() -> None:
    """The same history is stored as the same bytes; for another layout raise VERSION and keep reading the old one."""
    now = stored()
    if os.environ.get("GATE61_WRITE_GOLDEN"):
        CURRENT.write_text(json.dumps(now, indent=1) + "\n")
    assert now == json.loads(CURRENT.read_text())
    assert len(now) > len(CASES)


@pytest.mark.parametrize("path", sorted(HERE.glob("codec-*.json")), ids=lambda path: path.stem)
def test_every_layout_is_read(path: Path) -> None:
    """Read, and of the current layout written again as the same bytes."""
    held = json.loads(path.read_text())
    assert len(held) > len(CASES) // 2
    for name, kept in held.items():
        dossier = dossier_from_bytes(bytes.fromhex(kept["dossier"]))
        records = [record_from_bytes(bytes.fromhex(r)) for r in kept["records"]]
        assert dossier.client == name.split()[-1]
        assert all(r.fact is None or r.of is not None or r.fact.client == dossier.client for r in records)
        assert {r.told is None for r in records} == {path.stem < "codec-6"}
        if path == CURRENT:
            assert dossier_to_bytes(dossier).hex() == kept["dossier"]
            assert [record_to_bytes(r).hex() for r in records] == kept["records"]


@pytest.mark.parametrize("dropped", [0, 1])
@pytest.mark.parametrize("layout", [2, 3])
def test_of_an_older_layout_any_name_may_be_forgotten(layout: int, dropped: int) -> None:
    """Up to layout 2 it was not said which names were cut, and in layout 3 not whose, only that something was."""
    row = msgspec.msgpack.decode(dossier_to_bytes(Dossier("anna", dropped=dropped))[1:])
    row = [*row[:20], False, *row[20:23]] if layout == 2 else [*row[:23], row[23][:5]]
    found = dossier_from_bytes(bytes([layout]) + msgspec.msgpack.encode(row))
    assert found == Dossier("anna", dropped=dropped, forgotten=found.forgotten, concluded=found.concluded)
    kinds = ("words", "scopes", "papers", "evidence", "offers", "answered")
    assert {may_hold(getattr(found.forgotten, kind), "anything") for kind in kinds} == {bool(dropped)}
    people = (found.forgotten.filers, found.forgotten.approvers)
    assert {may_be_among(some, "anybody") for some in people} == {bool(dropped)}
    assert (found.forgotten.approved > 0) == bool(dropped)


def as_layout_4(dossier: Dossier, hard_limit: int) -> Dossier:
    """What is read of a dossier that a program stored which kept what was concluded by the hard limit of then."""
    row = msgspec.msgpack.decode(dossier_to_bytes(dossier)[1:])
    for scope in row[3]:
        scope[7] = [id for ago, id in scope[7] if ago <= hard_limit]
    row[6] = {id: (at, prompted <= hard_limit) for id, (at, prompted) in row[6].items()}
    return dossier_from_bytes(b"\x04" + msgspec.msgpack.encode(row[:24]))


def test_what_layout_4_does_not_tell_is_asked_of_the_history() -> None:
    """By which hard limits requests are prompted, and what standing orders lean on: answers go on as without a change."""
    day = structs.replace(POLICY, version="day", digest="sha256:day", soft_limit=0, hard_limit=DAY)
    for seed in range(100):
        events = history(seed)
        first, then = events[:20], events[20:]
        plain = play(first, kept := MemoryStore(), day), play(then, kept)
        store = MemoryStore()
        before = play(first, store, day)
        for dossier in list(store.dossiers()):
            store.keep(as_layout_4(dossier, DAY))
        assert (before, play(then, store)) == plain, f"seed {seed}"


def test_of_layout_4_only_what_may_be_wrong_is_asked_of_the_history() -> None:
    """Somebody who was told nothing, or asked for nothing, is known as he was."""
    register = Register(POLICY)
    assert not outdated(as_layout_4(Dossier("anna"), POLICY.hard_limit), register)
    told = Dossier("anna")
    told.own.sent[Thing("custody")] = Sent(None, Touch(1, "sent"))
    assert outdated(as_layout_4(told, POLICY.hard_limit), register)
    asked = as_layout_4(Dossier("anna", own_events={"word": (1, UNPROMPTED)}), POLICY.hard_limit)
    assert not outdated(asked, register) and asked.own_events == {"word": (1, UNPROMPTED)}
    late = Fact("//x", "1", "x", 1, 1, AssetClassified("btc", "other", "pow"))
    assert concerned(asked, [Concern(late, register)], register)


def test_of_layout_5_any_time_may_be_that_of_an_offer_that_was_cut() -> None:
    """It says of which offers some were cut, and not of when."""
    for offers in (b"", with_names(b"", ["of-1"])):
        row = msgspec.msgpack.decode(dossier_to_bytes(Dossier("anna", forgotten=Forgotten(offers=offers)))[1:])
        row[23] = row[23][:9]
        found = dossier_from_bytes(b"\x05" + msgspec.msgpack.encode(row))
        assert found.forgotten == Forgotten(offers=offers, offered=LATEST if offers else EARLIEST)
        assert not outdated(found, Register(POLICY))


def test_of_layout_6_scopes_that_were_cut_may_be_untold_and_an_answer_may_be_by_any_policy() -> None:
    """It says neither; the history tells once of the scopes, and of the answer nobody."""
    for scopes in (b"", with_names(b"", ["asked"])):
        row = msgspec.msgpack.decode(dossier_to_bytes(Dossier("anna", forgotten=Forgotten(scopes=scopes)))[1:])
        found = dossier_from_bytes(b"\x06" + msgspec.msgpack.encode(row[:-1]))
        assert outdated(found, Register(POLICY)) == bool(scopes)
    standing = Standing(1, "//s", "of-1", "of-1", "dec-1", 1, False, None, None, True)
    given = Given(standing, Outcome(Verdict.FLAG, ()), 7, POLICY.digest)
    row = msgspec.msgpack.decode(record_to_bytes(Record(None, answers=(given,), told=("not-1",)))[1:])
    del row[3][0][-1]
    found_then = record_from_bytes(b"\x06" + msgspec.msgpack.encode(row))
    assert found_then == Record(None, answers=(replaced(given, policy=""),), told=("not-1",))


def test_many_values_in_one_go() -> None:
    """As an outbox holds them."""
    touches = [Touch(1, "a"), Touch(2, "b")]
    assert decoder_of_many(Touch)(msgspec.msgpack.encode([packed(t) for t in touches])) == touches


def test_a_name_has_its_bits_for_good() -> None:
    """A filter that was stored must find the names that it was made of."""
    held = with_names(b"", ["asked-1", "//desk/mail:2"])
    assert [n for n in range(8 * SIZE) if held[n >> 3] >> (n & 7) & 1] == [99, 2960, 3541, 3826]
    assert len(held) == SIZE == 512


def test_a_newer_layout_is_refused_by_name() -> None:
    """A program never guesses at bytes that a newer one wrote, nor at what was never a layout."""
    with pytest.raises(UnknownLayout, match="layout 1f, this program knows 07: a newer gate61 wrote them"):
        dossier_from_bytes(b"\x1f\x80")
    for data, told in ((b"", "nothing"), (b"{}", "7b"), (b"\xff\x80", "ff"), (b"\x00", "00"), (b"\x20", "20")):
        with pytest.raises(ValueError, match=f"layout {told}, this program knows 07$"):
            record_from_bytes(data)
    for data in (b"\x07\x80", b"\x06\x80", b"\x05\x80", b"\x04\x80", b"\x03\x80", b"\x02\x80", b"\x02\xc1", b"\x02"):
        with pytest.raises(ValueError):
            dossier_from_bytes(data)
