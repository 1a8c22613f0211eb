"""What is shipped: whole, under names that nobody else owns, from locked parts, and speaking of itself alone."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
PACKAGES = ("gate", "state", "streams")


def tracked() -> list[Path]:
    """The files of the project."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]
    assert Path(__file__).resolve() in found, "git lists the files of this very project"
    return found


def test_a_wheel_holds_all_that_runs(tmp_path: Path) -> None:
    """Policy, demo month and pages travel with the code."""
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("gate61-*.whl")
    held = set(ZipFile(wheel).namelist())
    code = {str(p.relative_to(ROOT)) for name in PACKAGES for p in tracked() if p.is_relative_to(ROOT / name)}
    assert code - held == set()
    assert "deploy/policy/default.toml" in held
    assert not any(name.startswith("tests/") for name in held)


def test_every_module_has_its_place_in_the_table_of_parts() -> None:
    """Once, by its name or within its folder; and nothing is there that is gone."""
    named: list[str] = []
    _, _, parts = (ROOT / "ARCHITECTURE.md").read_text().partition("\n## The parts\n")
    for row in re.findall(r"^\| (`.+?`) \|", parts.partition("\n## ")[0], re.MULTILINE):
        folder = ""
        for name in re.findall(r"`([^`]+)`", row):
            folder = name.rpartition("/")[0] if "/" in name else folder
            named.append(name if "/" in name else f"{folder}/{name}")
    assert [name for name in named if named.count(name) > 1] == []
    assert [name for name in named if not (ROOT / name).exists()] == []
    modules = [p.relative_to(ROOT) for p in tracked() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in PACKAGES]
    inside = tuple(name for name in named if name.endswith("/"))
    lost = [str(p) for p in modules if str(p) not in named and not str(p).startswith(inside) and p.stem != "__init__"]
    assert lost == []


def test_nobody_else_owns_our_names() -> None:
    """`gate`, `state` and `streams` are words that anyone could install."""
    owners = packages_distributions()
    for name in PACKAGES:
        assert set(owners.get(name, ["gate61"])) == {"gate61"}


def test_locks_name_every_part_with_its_hash_and_no_place() -> None:
    """What is installed is what was locked, from wherever the machine fetches."""
    locks = sorted((ROOT / "deploy" / "lock").glob("*.txt"))
    assert [lock.stem for lock in locks] == ["dev", "run"]
    for lock in locks:
        text = lock.read_text()
        parts = re.findall(r"^([A-Za-z0-9._-]+(?:\[[a-z0-9,]+\])?)==", text, re.MULTILINE)
        assert len(parts) > 5
        assert "://" not in text and "--index" not in text
        for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_what_is_imported_is_declared_and_nothing_else() -> None:
    """A part that comes along with another one may go with it."""
    declared = {
        re.split(r"[\[>=]", d)[0]
        for d in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    owners, found = packages_distributions(), set()
    for path in (p for p in tracked() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in PACKAGES):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                found |= {
                    owner.lower().replace("_", "-") for name in names for owner in owners.get(name.split(".")[0], ())
                }
    assert found - {"gate61", *BUILD} == declared


BUILD = {"mypy", "mypy-extensions", "setuptools"}
"""Of the compiler alone, which `make native` brings along."""


def test_no_file_speaks_of_a_machine_or_of_work_to_come() -> None:
    """No folders of anybody's machine, no hosts of registries, nothing left for later."""
    places = ["/" + name + "/" for name in ("root", "work", "home")]
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "repo.maven" + ".apache"]
    later = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    for path in tracked():
        text = path.read_text(errors="replace")
        for word in (*places, *hosts, *later):
            assert word not in text, f"{path.relative_to(ROOT)} says `{word}`"


def test_everything_public_says_what_it_is() -> None:
    """Modules, classes and functions that others may use have a docstring."""
    silent = []
    for path in (p for p in tracked() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in PACKAGES):
        tree = ast.parse(path.read_text())
        named = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
        inner = [m for c in named if isinstance(c, ast.ClassDef) and not c.name.startswith("_") for m in c.body]
        named += [m for m in inner if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
        public = [n for n in named if not n.name.startswith("_")]
        silent += [f"{path.relative_to(ROOT)}:{n.lineno} {n.name}" for n in public if not ast.get_docstring(n)]
        assert ast.get_docstring(tree) or not tree.body, path
    assert not silent
