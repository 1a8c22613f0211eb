"""What is said is never larger than its topic takes, and never loses what it permits."""

import json
from typing import Any

import pytest

from gate.effects import Answer, Case, Greeting
from gate.facts import Asked, Fact
from gate.history import Record
from gate.instants import text
from gate.outcome import Outcome
from gate.packing import replaced
from state import MemoryStore
from state.codec import COMPRESSED, greeting_from_bytes, greeting_to_bytes
from streams.embedded import Gate
from streams.kafka.topics import topics
from streams.worker.outputs import CASES, DECISIONS, Origin, outputs_of
from streams.worker.pins import Reach
from tests.player import POLICY
from tests.stories.telling import clean_client, contacted, offer

ORIGIN = Origin(0, 1, b"0:1", Reach((1, 1, 0, 2), (9, 9)))
PERMISSION = ("decision", "event", "offer", "client", "verdict", "may_send", "send_by", "leading", "supersedes")


def answer() -> Answer:
    gate = Gate(POLICY, MemoryStore())
    found: list[Any] = []
    for event in (*clean_client(), contacted(at="-3 h"), offer("4 h")):
        taken = gate.take(json.dumps({**event, "recordedtime": text(1_780_000_000_000_000)}).encode())
        found += taken  # type: ignore[arg-type]
    return next(effect for effect in found if isinstance(effect, Answer))


def published(effect: Answer | Case) -> list[Any]:
    return [*outputs_of([effect], ORIGIN, 1_780_000_000_000_000, POLICY)]


@pytest.mark.parametrize(("many", "long"), [(50_000, 20), (8, 200_000), (0, 3_000_000)])
def test_an_answer_that_is_too_large_says_the_same_with_less(many: int, long: int) -> None:
    whole = answer()
    facts = tuple(f"{n}-{'f' * long}" for n in range(many))
    reasons = tuple(replaced(r, said=r.said + "x" * long, facts=facts) for r in whole.outcome.reasons)
    outcome: Outcome = replaced(whole.outcome, reasons=reasons)
    outs = published(replaced(whole, outcome=outcome))
    assert [o.topic for o in outs][:1] == [DECISIONS] and all(o.value == outs[0].value for o in outs)
    limit = topics()[DECISIONS].largest
    assert sum(len(part) for _, part in outs[0].headers) + len(outs[0].value) + len(outs[0].key) < limit - 1000
    said, before = json.loads(outs[0].value)["data"], json.loads(published(whole)[0].value)["data"]
    assert said["cut"] is True and "cut" not in before
    assert {k: said[k] for k in PERMISSION} == {k: before[k] for k in PERMISSION}
    assert [r["code"] for r in said["reasons"]] == [r["code"] for r in before["reasons"]]


def test_a_case_that_is_too_large_names_as_many_as_fit() -> None:
    decisions = tuple(f"dec-{n:024}" for n in range(100_000))
    (out,) = published(Case("case-1", "LATE_EVIDENCE", "arrived late", "anna", decisions, ("fact-1",)))
    said = json.loads(out.value)["data"]
    assert out.topic == CASES and len(out.value) < topics()[CASES].largest - 1000
    assert said["decisions"] == [*decisions[:1000]] and said["facts"] == ["fact-1"] and said["cut"] is True


def test_a_message_between_merged_clients_that_is_too_large_is_compressed() -> None:
    facts = [Fact("//platform", f"asked-{n:010}", "anna", n, n, Asked("chat")) for n in range(200_000)]
    greeting = Greeting("ben", "anna", tuple(Record(f, of="anna") for f in facts), ("anna",), facts[0])
    packed = greeting_to_bytes(greeting)
    assert packed[:1] == COMPRESSED and len(packed) < topics().between.largest // 2
    assert greeting_from_bytes(packed) == greeting
    with pytest.raises(ValueError, match="unpacked"):
        greeting_from_bytes(packed[:-9])
    few = greeting_to_bytes(Greeting("ben", "anna", (), ("anna",), facts[0]))
    assert few[:1] != COMPRESSED
