"""What `make mutants` tries is one change each, and its reasons speak of what there is."""

import ast
from difflib import unified_diff
from pathlib import Path

from tests.mutants.changes import mutants, mutated, without_any
from tests.mutants.found import Found

ROOT = Path(__file__).parents[2]
LAW = """
def kept(waited: int, limit: int = 3) -> bool:
    '''Not this one.'''
    assert waited >= 0, f"{waited} is none"
    if not waited or waited < limit:
        return max(waited, 1) == 1
    return False
"""


def test_every_place_is_changed_in_every_way(tmp_path: Path) -> None:
    """One at a time; types, assertions and sentences are left alone."""
    (tmp_path / "law.py").write_text(LAW)
    every = mutants(tmp_path, tmp_path / "law.py")
    assert [m.change for m in every] == [
        "one more: 3 -> 4",
        "one less: 3 -> 2",
        "and for or: not waited or waited < limit -> not waited and waited < limit",
        "condition dropped: not waited or waited < limit -> waited < limit",
        "condition dropped: not waited or waited < limit -> not waited",
        "not dropped: not waited -> waited",
        "compared otherwise: waited < limit -> waited <= limit",
        "result dropped: return max(waited, 1) == 1 -> return None",
        "compared otherwise: max(waited, 1) == 1 -> max(waited, 1) != 1",
        "called otherwise: max(waited, 1) -> min(waited, 1)",
        "one more: 1 -> 2",
        "one less: 1 -> 0",
        "one more: 1 -> 2 (2)",
        "one less: 1 -> 0 (2)",
        "turned round: False -> True",
    ]
    before = without_any(tmp_path, Path("law.py")).splitlines()
    for mutant in every:
        changed = [*unified_diff(before, mutated(tmp_path, mutant).splitlines(), n=0, lineterm="")][2:]
        assert [line[0] for line in changed] == ["@", "-", "+"], mutant
        ast.parse(mutated(tmp_path, mutant))


def test_reasons_are_of_mutants_that_there_are() -> None:
    """What was rewritten needs none, or another."""
    names = {m.name for path in (ROOT / "gate").rglob("*.py") for m in mutants(ROOT, path)}
    assert len(names) > 2000
    assert set(Found(ROOT, ROOT / "deploy" / "proofs" / "mutants.md").why) <= names
