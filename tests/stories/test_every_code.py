"""Every reason, case and notice that the gate knows is the outcome of some story.

Read from the stories' own text: an expectation that names a code holds only where the story reaches it.
"""

import ast
import re
from pathlib import Path

from gate.law import DUTIES, OF_CASES
from tests.player import codes, play
from tests.stories.telling import offer

HERE = Path(__file__).parent
GATE = HERE.parent.parent / "gate"
EXPECTATIONS = {"allowed", "held", "blocked", "let_go"}
CASES = {
    "LATE_EVIDENCE",
    "LOCATION_CONFLICT",
    "DELIVERED_WITHOUT_PERMISSION",
    "EXPOSURE",
    "EVIDENCE_CONTRADICTED",
    "IDENTITY_MERGED",
    "SAME_PERSON_TWICE",
    "RELEASE_REFUSED",
    "RULE_FAILED",
}
NOTICES = {"scope.opened", "scope.closed", "scope.tainted", "relationship.suspended"}


def stories() -> list[ast.AST]:
    """Every node of every other story."""
    files = [p for p in HERE.glob("test_*.py") if p.name != Path(__file__).name]
    return [node for path in files for node in ast.walk(ast.parse(path.read_text()))]


def expected_codes() -> set[str]:
    """Codes that stand in an expected answer."""
    calls = [
        n for n in stories() if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in EXPECTATIONS
    ]
    return {a.value for call in calls for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}


def compared(calls: str) -> set[str]:
    """Words that a call of this name is compared with, in order or as a set."""
    found = set()
    for node in stories():
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq) and f"{calls}(" in ast.unparse(node.left):
            found |= set(re.findall(r"'([A-Za-z_.]+)'", ast.unparse(node.comparators[0])))
    return found


def test_every_reason_is_the_outcome_of_some_story() -> None:
    """But the one that leads a release, which `let_go` expects, and what cannot be read, below."""
    assert set(DUTIES) - expected_codes() == {"RELEASED", "UNREADABLE_OFFER"}


def test_every_case_is_opened_in_some_story() -> None:
    """Those of judging section 6, and a rule that failed; the gate opens no other."""
    opened = {
        why for path in GATE.glob("*.py") for why in re.findall(r"""case_of\(["']([A-Z_]+)["']""", path.read_text())
    }
    assert opened == CASES == CASES & compared("cases")


def test_every_notice_is_told_in_some_story() -> None:
    """All four kinds."""
    told = {n.value for n in stories() if isinstance(n, ast.Constant) and n.value in NOTICES}
    assert told == NOTICES


def test_an_offer_that_cannot_be_read_is_blocked() -> None:
    """It has a client and an offer, but no service; nothing is sent."""
    unreadable = offer()
    del unreadable["data"]["service"]
    played = play([unreadable])
    assert played.rejected == [(1, "offer-anna", "BAD_FIELD")]
    ((told,),) = played.answers.values()
    assert (told["verdict"], told["may_send"], codes(told)) == ("block", False, ["UNREADABLE_OFFER"])


def test_every_case_says_its_law() -> None:
    """As every reason does."""
    assert OF_CASES.keys() == CASES and all(OF_CASES.values())
