"""The law looks at nothing but what it is given: no clock, network, environment, file, framework or log."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

GATE = Path(__file__).parents[2] / "gate"
MODULES = sorted(GATE.rglob("*.py"))
ALLOWED = {
    "bisect",
    "collections",
    "datetime",
    "enum",
    "functools",
    "gate",
    "hashlib",
    "heapq",
    "itertools",
    "msgspec",
    "typing",
    "zlib",
}
"""All that may be imported, by the name of the package. What is not here may well reach out."""
OF_CLOCKS = {"now", "today", "utcnow", "fromtimestamp", "astimezone"}
"""What times can be asked for that looks at the machine's clock or time zone."""
OF_PYTHON = {"open", "print", "input", "breakpoint", "eval", "exec", "__import__", "__builtins__"}
"""What reaches a file, a terminal or any code without an import."""


def reaching(text: str) -> Iterator[str]:
    """What of a module's text looks beyond what it is given."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] not in ALLOWED)
            case ast.ImportFrom(module, names, level):
                yield from (f"{module}" for _ in names[:1] if level or (module or "").split(".")[0] not in ALLOWED)
            case ast.Attribute(attr=name) if name in OF_CLOCKS | OF_PYTHON:
                yield name
            case ast.Name(id=name) if name in OF_PYTHON:
                yield name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(GATE)))
def test_no_module_of_the_law_reaches_out(path: Path) -> None:
    """Neither by what it imports nor by what Python gives to everybody."""
    assert [*reaching(path.read_text())] == []


@pytest.mark.parametrize(
    "text",
    [
        "import structlog",
        "import redis.asyncio",
        "from subprocess import run",
        "def f():\n    import threading",
        "from . import facts",
        "from datetime import datetime\nnow = datetime.now",
        "from datetime import date\ndate.today()",
        "open('x')",
        "said = print",
        "from builtins import open",
    ],
)
def test_whatever_reaches_out_is_found(text: str) -> None:
    """Also within a function, or under another name."""
    assert [*reaching(text)]
