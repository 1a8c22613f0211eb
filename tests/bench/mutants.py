"""Breaks the gate in small ways and looks whether the tests notice: `python -m tests.bench.mutants [COUNT] [SEED] [FILE…]`.

Each mutant is one change in a copy of the project: a comparison swapped, a `not` dropped, `and` for `or`, a number
one off, a condition turned round, a result dropped. Survivors are printed; each is a missing test, or the same gate.
"""

import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
SEEDS = "150"
SLOW = ("test_busy_client.py", "test_every_code.py")
TESTS = (
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests/stories").glob("test_*.py") if p.name not in SLOW),
    *(f"tests/stories/{name}" for name in SLOW),
    "tests/promises/test_from_history.py",
    "tests/promises/test_time.py",
    "tests/promises/test_model.py",
)
"""The quick ones first: most mutants die soon."""
LEFT_OUT = {"__init__.py", "facts.py", "law.py", "known.py"}
_SWAPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


_OF_TYPES = {"annotation", "returns", "decorator_list", "bases", "keywords"}


class Mutant(NamedTuple):
    """One change: the file, its line, what changed, and the whole text after it."""

    path: Path
    line: int
    change: str
    text: str


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in a node's place, with what it is called."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _SWAPS:
            other = copy.deepcopy(node)
            other.ops = [_SWAPS[type(op)]()]
            yield "swapped", other
        case ast.Compare(ops=[first, *_]) if type(first) in _SWAPS:
            for place, op in enumerate(node.ops):
                other = copy.deepcopy(node)
                other.ops[place] = _SWAPS[type(op)]()
                yield f"swapped number {place + 1}", other
        case ast.BoolOp():
            yield "and for or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield "not dropped", node.operand
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            yield "one more", ast.Constant(value + 1)
            yield "one less", ast.Constant(value - 1)
        case ast.Constant(value=bool() as value):
            yield "turned round", ast.Constant(not value)
        case ast.IfExp():
            yield "turned round", ast.IfExp(node.test, node.orelse, node.body)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "result dropped", ast.Return(ast.Constant(None))


def _sites(parent: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Every place below that may change: parent, field, and place in a list. Types and assertions are left alone."""
    for field, value in ast.iter_fields(parent):
        if field in _OF_TYPES and isinstance(parent, ast.AnnAssign | ast.arg | ast.FunctionDef | ast.ClassDef):
            continue
        for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(node, ast.AST) and not isinstance(node, ast.Assert | ast.JoinedStr):
                yield parent, field, place
                yield from _sites(node)


def mutants(path: Path) -> Iterator[Mutant]:
    """All mutants of one file."""
    source = path.read_text()
    for number in range(len(list(_sites(ast.parse(source))))):
        tree = ast.parse(source)
        parent, field, place = list(_sites(tree))[number]
        held = getattr(parent, field)
        node = held if place is None else held[place]
        for name, other in _changes(node):
            before = ast.unparse(node)
            if place is None:
                setattr(parent, field, other)
            else:
                held[place] = other
            change = f"{name}: {before[:60]} -> {ast.unparse(ast.fix_missing_locations(other))[:60]}"
            yield Mutant(path.relative_to(ROOT), getattr(node, "lineno", 0), change, ast.unparse(tree))
            if place is None:
                setattr(parent, field, node)
            else:
                held[place] = node


def is_killed(mutant: Mutant, copied: Path) -> bool:
    """Whether the tests fail, or do not end, with it."""
    target = copied / mutant.path
    before = target.read_text()
    target.write_text(mutant.text)
    environment = {**os.environ, "GATE61_HISTORIES": SEEDS, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *TESTS]
    try:
        done = subprocess.run(command, cwd=copied, env=environment, capture_output=True, timeout=120)
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(before)


def main(arguments: list[str]) -> int:
    """Run a seeded sample, of these files or of all; survivors are printed as they are found."""
    count, seed = (int(a) for a in (*arguments[:2], *("150", "1")[len(arguments) :]))
    files = [ROOT / name for name in arguments[2:]] or [
        p for p in sorted((ROOT / "gate").rglob("*.py")) if p.name not in LEFT_OUT
    ]
    every = [m for path in files for m in mutants(path)]
    sample = Random(seed).sample(every, min(count, len(every)))
    killed = 0
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "project"
        shutil.copytree(ROOT, copied, ignore=shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache"))
        for number, mutant in enumerate(sample, 1):
            dead = is_killed(mutant, copied)
            killed += dead
            if not dead:
                print(f"survived  {mutant.path}:{mutant.line}  {mutant.change}", flush=True)
            elif number % 25 == 0:
                print(f"{number} of {len(sample)}: {killed} killed", flush=True)
    print(f"{killed} of {len(sample)} mutants killed ({len(every)} there are in all)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
