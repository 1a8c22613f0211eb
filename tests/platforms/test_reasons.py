"""The page of the reasons: whole, in the order of judging, with the verdicts that the gate really gives."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from gate.law import DUTIES
from streams.reasons import STEPS, page
from tests.player import play
from tests.promises.histories import history

CASES = Path(__file__).parents[1] / "cases"
HISTORIES = 20
"""Random ones, in which the verdicts of reasons meet in other ways than in the cases."""


def given() -> Iterator[tuple[str, str]]:
    """Every reason with its verdict, of all answers to all cases and to random histories."""
    cases = (json.loads(path.read_text())["given"] for path in sorted(CASES.glob("*.json")))
    for events in (*cases, *(history(seed) for seed in range(HISTORIES))):
        for answers in play(events).answers.values():
            yield from ((reason["code"], reason["verdict"]) for answer in answers for reason in answer["reasons"])


def test_every_reason_stands_there_in_the_order_of_judging() -> None:
    """Whoever reads an answer finds each of its codes, and which of two leads."""
    assert re.findall(r"^\| `(\w+)` \|", page(), re.MULTILINE) == [*DUTIES]


def test_a_reason_comes_with_the_verdicts_that_the_page_says() -> None:
    """No more and no fewer; a rule that fails is a story of its own."""
    said = {(code, verdict) for step in STEPS.values() for code, (verdicts, _) in step.items() for verdict in verdicts}
    assert {*given()} | {("RULE_FAILED", "block")} == said


def test_no_limit_of_a_policy_stands_there() -> None:
    """They are the firm's: what is said holds under any policy, and nothing is left to be filled in."""
    assert "the hard limit" in page() and re.findall(r"\d+ (?:days|hours)|[{}]", page()) == []
