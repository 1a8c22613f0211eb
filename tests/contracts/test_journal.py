"""The journal beside the state: what came out and what was rejected lasts with it, or not at all."""

from pathlib import Path

import msgspec
import pytest

from gate.dossier import Dossier
from state.journal import Journal, Kept, Log, Out, mark_of


def _kept(raw: bytes, headers: str | None = None) -> Kept:
    return Kept(5, "NOT_JSON", "no", None, "e-1", headers, raw)


def test_what_came_out_is_numbered_and_found_again(tmp_path: Path) -> None:
    """Numbers grow; pages go on from any of them; the last about something is found."""
    journal = Journal(tmp_path / "gate.db")
    assert (journal.last_number(), journal.published(0, 9), journal.last_about("x")) == (0, [], None)
    outs = [journal.publish(b"%d" % n, "x" if n < 3 else None) for n in range(1, 5)]
    assert [o.number for o in outs] == [1, 2, 3, 4] and journal.last_number() == 4
    assert journal.published(1, 2) == outs[1:3]
    assert journal.last_about("x") == Out(2, b"2")


def test_rejects_are_kept_once_and_counted(tmp_path: Path) -> None:
    """Same bytes, same reason, same headers: one entry; anything else is another."""
    journal = Journal(tmp_path / "gate.db")
    numbers = [journal.reject(k) for k in (_kept(b"\xff\0"), _kept(b"\xff\0"), _kept(b"\xff\0", "[]"), _kept(b"{"))]
    assert numbers == [1, 1, 2, 3]
    assert [(k.raw, k.headers, k.times) for k in journal.rejected(0, 9)] == [
        (b"\xff\0", None, 2),
        (b"\xff\0", "[]", 1),
        (b"{", None, 1),
    ]
    assert [k.number for k in journal.rejected(1, 1)] == [2]


def test_a_page_holds_so_many_bytes_and_one_entry_at_least(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large entries are, whoever goes on from the last number meets each of them once."""
    monkeypatch.setattr("state.journal.PAGE_BYTES", 10)
    journal = Journal(tmp_path / "gate.db")
    for number, size in enumerate((4, 6, 1, 30, 2, 2)):
        journal.publish(bytes(size))
        journal.take(bytes(size), 5)
        journal.reject(_kept(bytes(size - 1), str(number)))
    for log in (journal.published, journal.taken, journal.rejected):
        pages: list[list[int]] = []
        while page := log(pages[-1][-1] if pages else 0, 9):
            pages.append([entry.number for entry in page])
        assert pages == [[1, 2], [3], [4], [5, 6]]
    assert [journal.last_number("out"), journal.last_number("taken"), journal.last_number("rejected")] == [6, 6, 6]


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (rb'{"a":"\ud83d"}', rb'{"a":"\ufffd"}'),
        (rb'{"\uDE00\uD83D":[{"\ud83d\u0041":1}]}', rb'{"\ufffd\ufffd":[{"\ufffd\u0041":1}]}'),
        (rb'{"a":"\ud83d\ud83d\ude00\ude00"}', rb'{"a":"\ufffd\ud83d\ude00\ufffd"}'),
        (rb'{"a":"\\ud83d \\\ud83d \" \uD83D\uDE00"}', rb'{"a":"\\ud83d \\\ufffd \" \uD83D\uDE00"}'),
    ],
)
def test_what_a_gate_of_before_took_can_be_read(tmp_path: Path, held: bytes, told: bytes) -> None:
    """Half of a surrogate pair stands as a replacement character; who reads on knows the entry by what he read."""
    journal = Journal(tmp_path / "gate.db")
    journal.take(held, 5)
    (entry,) = journal.taken(0, 9)
    assert entry.data == told and msgspec.json.decode(told) is not None
    known = [journal.stands("taken", 1, mark) for mark in (entry.mark, mark_of(held), mark_of(b"x"))]
    assert known == [True, True, False]


def test_all_of_it_lasts_together(tmp_path: Path) -> None:
    """What was not committed is gone with the state it came from, and its numbers were never seen by anybody."""
    path = tmp_path / "gate.db"
    journal = Journal(path)
    journal.publish(b"one")
    journal.commit()
    journal.publish(b"two")
    journal.reject(_kept(b"{"))
    journal.keep(Dossier("cl-1", horizon=3))
    journal.close()
    again = Journal(path)
    assert again.published(0, 9) == [Out(1, b"one")]
    assert again.rejected(0, 9) == [] and list(again.dossiers()) == []
    again.publish(b"three")
    again.rollback()
    assert again.published(1, 9) == []


def test_an_entry_stands_under_its_number_and_mark(tmp_path: Path) -> None:
    """In each log; before the first stands nothing, in any of them."""
    journal = Journal(tmp_path / "gate.db")
    assert journal.stands("out", 0) and journal.stands("out", 0, mark_of(b"x")) and not journal.stands("out", 1)
    journal.publish(b"one")
    journal.take(b"two", 5)
    journal.reject(_kept(b"\xff"))
    marks: tuple[tuple[Log, bytes], ...] = (("out", b"one"), ("taken", b"two"), ("rejected", b"\xff"))
    for log, data in marks:
        found = [journal.stands(log, *place) for place in ((1,), (1, mark_of(data)), (1, mark_of(b"x")), (2,))]
        assert found == [True, True, False, False]
