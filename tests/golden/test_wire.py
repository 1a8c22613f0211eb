"""What goes out on the wire, byte for byte: of every case a digest, of some the whole, of the demo month a digest.

After a change that is meant, `GATE61_WRITE_GOLDEN=1` writes the files anew; the difference is then read by a person.
"""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from state import MemoryStore
from streams.demo.month import month
from streams.embedded import Gate
from tests.commands.program import CASES, lines, run
from tests.player import POLICY, lines_of

HERE = Path(__file__).parent
DIGESTS = HERE / "wire-1.json"
WHOLE = ("02-the-month", "06-late-affiliate-file", "36-two-people-narrow-a-taint")
MONTH = Path(__file__).parents[2] / "streams" / "demo" / "month.jsonl"


def given(path: Path) -> bytes:
    """The events of a case as a file."""
    return lines(json.loads(path.read_text())["given"])


def said(**environment: str) -> dict[str, bytes]:
    """What `gate61 decide` prints for every case, each in a run of its own, and for the demo month."""
    out = {
        path.stem: run("decide", "-", stdin=given(path), settings=environment).stdout
        for path in sorted(CASES.glob("*"))
    }
    return out | {"the demo month": run("decide", str(MONTH), settings=environment).stdout}


def test_the_wire_has_not_changed() -> None:
    """Every byte that went out for these events goes out again; under another time zone and order of hashes too."""
    now = said(TZ="Asia/Kathmandu", PYTHONHASHSEED="1")
    digests = {name: sha256(out).hexdigest() for name, out in now.items()}
    if os.environ.get("GATE61_WRITE_GOLDEN"):
        DIGESTS.write_text(json.dumps(digests, indent=1) + "\n")
        for name in WHOLE:
            (HERE / f"wire-1-{name}.jsonl").write_bytes(now[name])
    for name in WHOLE:
        assert now[name] == (HERE / f"wire-1-{name}.jsonl").read_bytes(), name
    assert digests == json.loads(DIGESTS.read_text())
    assert now == said(TZ="America/St_Johns", PYTHONHASHSEED="2", LC_ALL="C")


@pytest.mark.parametrize("path", sorted(CASES.glob("*")), ids=lambda path: path.stem)
def test_every_sentence_is_as_it_was(path: Path) -> None:
    """The same bytes from the gate as a library."""
    gate = Gate(POLICY, MemoryStore())
    out = b"".join(b"%b\n" % said for line in given(path).splitlines() for said in lines_of(gate, line)[1])
    assert sha256(out).hexdigest() == json.loads(DIGESTS.read_text())[path.stem]


def test_the_demo_month_is_what_its_generator_writes() -> None:
    """The shipped file is seeded: nobody edits it by hand."""
    assert "".join(f"{line}\n" for line in month()).encode("utf-8", "surrogateescape") == MONTH.read_bytes()
