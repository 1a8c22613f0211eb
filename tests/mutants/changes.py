"""Small changes of a source file that a test should notice: every place, and what may stand there instead."""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_OF_TYPES = {"annotation", "returns", "decorator_list", "bases", "keywords", "type_params"}
"""Fields of definitions that say types, which mypy looks at."""
_SHOWN = 100
_TYPES = (ast.ClassDef, ast.FunctionDef, ast.AnnAssign, ast.arg)


class Mutant(NamedTuple):
    """One change of a file: `where` is the function or class, `number` the place of the change among all of the file."""

    path: Path
    line: int
    where: str
    change: str
    number: int

    @property
    def name(self) -> tuple[str, str, str]:
        """What it is called as long as nobody rewrites it, whatever line it comes to stand on."""
        return str(self.path), self.where, self.change


class _Site(NamedTuple):
    """A place in the tree: the field of its parent, and where in it if that is a list."""

    parent: ast.AST
    field: str
    place: int | None
    where: str

    @property
    def node(self) -> ast.AST:
        """What stands there."""
        held = getattr(self.parent, self.field)
        node: ast.AST = held if self.place is None else held[self.place]
        return node

    def put(self, node: ast.AST) -> None:
        """Put another node there."""
        if self.place is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.place] = node


def mutants(root: Path, path: Path) -> list[Mutant]:
    """All mutants of one file; of several with one name the later ones are numbered."""
    found: list[Mutant] = []
    named: Counter[tuple[str, str]] = Counter()
    for number, (site, name, other) in enumerate(_all(ast.parse(path.read_text()))):
        change = f"{name}: {_shown(site.node)} -> {_shown(other)}"
        named[site.where, change] += 1
        if named[site.where, change] > 1:
            change += f" ({named[site.where, change]})"
        found.append(Mutant(path.relative_to(root), getattr(site.node, "lineno", 0), site.where, change, number))
    return found


def mutated(root: Path, mutant: Mutant) -> str:
    """The whole text of its file with that change."""
    tree = ast.parse((root / mutant.path).read_text())
    site, _, other = next(islice(_all(tree), mutant.number, None))
    site.put(other)
    return ast.unparse(ast.fix_missing_locations(tree))


def without_any(root: Path, path: Path) -> str:
    """The text of a file as a mutant of it is written, with no change."""
    return ast.unparse(ast.parse((root / path).read_text()))


def _shown(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())[:_SHOWN]


def _all(tree: ast.AST) -> Iterator[tuple[_Site, str, ast.AST]]:
    """Every change, with what it is called and what would stand there."""
    for site in _sites(tree, ""):
        for name, other in _changes(site.node):
            yield site, name, other


def _sites(parent: ast.AST, where: str) -> Iterator[_Site]:
    """Every place below that may change. Types, assertions and messages are left alone."""
    for field, value in ast.iter_fields(parent):
        if field in _OF_TYPES and isinstance(parent, _TYPES):
            continue
        for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(node, ast.AST) and not isinstance(node, ast.Assert | ast.JoinedStr):
                named = isinstance(node, ast.FunctionDef | ast.ClassDef)
                yield _Site(parent, field, place, where)
                yield from _sites(node, f"{where}.{node.name}".strip(".") if named else where)  # type: ignore[attr-defined]


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in a node's place, with what that is called."""
    match node:
        case ast.Compare():
            for place, op in enumerate(node.ops):
                other = copy.deepcopy(node)
                other.ops[place] = _COMPARED[type(op)]()
                yield "compared otherwise", other
        case ast.BoolOp():
            yield "and for or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            for place in range(len(node.values)):
                rest = [v for n, v in enumerate(node.values) if n != place]
                yield "condition dropped", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(op=ast.Not()):
            yield "not dropped", node.operand
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _CALCULATED:
            calculated = copy.deepcopy(node)
            calculated.op = _CALCULATED[type(node.op)]()
            yield "calculated otherwise", calculated
        case ast.Call(func=ast.Name(id=called)) if called in _CALLED and not node.keywords:
            yield "called otherwise", ast.Call(ast.Name(_CALLED[called], ast.Load()), node.args, [])
        case ast.Constant(value=bool() as value):
            yield "turned round", ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield "one more", ast.Constant(value + 1)
            yield "one less", ast.Constant(value - 1)
        case ast.IfExp():
            yield "turned round", ast.IfExp(node.test, node.orelse, node.body)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and not value.value):
            yield "result dropped", ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.Delete() | ast.AugAssign():
            yield "not done", ast.Pass()
        case ast.Continue():
            yield "not gone on", ast.Break()
        case ast.Break():
            yield "gone on", ast.Continue()
