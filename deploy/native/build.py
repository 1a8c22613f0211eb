"""`make native`: compiles the modules that every event goes through, from a translation of their sources.

mypyc makes C of typed Python; what it cannot make native, msgspec's classes, `translate` writes out before. The build
goes where `streams.native` looks for it, and says of which sources it is.
"""

import ast
import contextlib
import io
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from deploy.native.translate import Vocabulary, dispatch, refuse_what_changes, translated
from streams.native import BUILT, FOLDER, made_of, missing

TYPES = (
    *(
        f"gate/{name}"
        for name in (
            "facts",
            "forgotten",
            "dossier",
            "audiences",
            "register",
            "outcome",
            "known",
            "history",
            "replaying",
            "effects",
        )
    ),
    "gate/rules/question",
    "streams/border/wire",
    "streams/logs/merge",
    "streams/worker/outputs",
)
"""Modules whose classes are translated, in an order in which each comes after what it names."""
COMPILED = (
    *TYPES,
    *(
        f"gate/{name}"
        for name in ("arrival", "chronology", "concern", "decision", "evolve", "instants", "law", "notices", "packing")
    ),
    *(
        f"gate/{name}"
        for name in ("merging", "people", "revision", "same_type", "sending", "solicitation", "taint", "trimming")
    ),
    "gate/rules/*",
    "state/codec",
    *(f"state/redis/{name}" for name in ("ids", "owner", "store", "transaction")),
    "streams/kafka/record",
    *(f"streams/{name}" for name in ("clients", "index", "publish", "walk")),
    *(
        f"streams/worker/{name}"
        for name in ("applied", "judging", "partition", "pins", "progress", "reopening", "repeated", "telling")
    ),
)
_IMPORTS = "from typing import Any, Optional\n\nfrom mypy_extensions import mypyc_attr\n"


def compiled(root: Path) -> list[Path]:
    """The files that are compiled, relative to the root."""
    found = {p.relative_to(root) for pattern in COMPILED for p in root.glob(f"{pattern}.py")}
    return sorted(p for p in found if p.name != "__init__.py")


def write_sources(folder: Path) -> None:
    """The sources as they are compiled: all three packages, with classes written out where they are to be native."""
    for package in ("gate", "state", "streams"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "gate/facts.py", folder / "gate/shapes.py")
    shutil.copy(ROOT / "deploy/native/packing.py", folder / "gate/packing.py")
    words = Vocabulary()
    for name in TYPES:
        words.learn(ast.parse((ROOT / f"{name}.py").read_text()))
    for name in TYPES:
        path = folder / f"{name}.py"
        path.write_text(_with_imports(translated(path.read_text(), words)))
    for file in compiled(folder):
        refuse_what_changes((ROOT / file).read_text(), words, str(file))
    facts = folder / "gate/facts.py"
    facts.write_text(facts.read_text() + "\n\n" + dispatch(words))


def _with_imports(source: str) -> str:
    """What the translation needs beside what the module imports itself, after its first words."""
    first = ast.parse(source).body[0]
    lines = source.splitlines(keepends=True)
    lines.insert(first.end_lineno or 0, f"\n{_IMPORTS}")
    return "".join(lines)


def build(folder: Path) -> list[Path]:
    """Compile; returns the files of the build. Raises `SystemExit` with what the compilers said if that fails."""
    from mypyc.build import mypycify
    from setuptools import setup  # type: ignore[import-untyped]

    names = [str(p) for p in compiled(folder)]
    said = io.StringIO()
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            modules = mypycify(
                ["--ignore-missing-imports", *names], opt_level="3", group_name="gate61", debug_level="0"
            )
            setup(name="native", packages=[], ext_modules=modules, script_args=["-q", "build_ext", "--inplace"])
    except BaseException as error:
        raise SystemExit(f"{said.getvalue()[-4000:]}\nthe gate could not be compiled: {error}") from None
    return [
        *folder.glob("*.so"),
        *folder.glob("gate/**/*.so"),
        *folder.glob("state/**/*.so"),
        *folder.glob("streams/**/*.so"),
    ]


def main() -> None:
    """Build if what is there is of other sources."""
    if not missing():
        return
    wanted = made_of()
    print("compiling the gate; this takes a minute or two", flush=True)
    with tempfile.TemporaryDirectory(prefix="gate61-native-") as temporary:
        folder = Path(temporary)
        write_sources(folder)
        files = [*build(folder), folder / "gate/shapes.py", folder / "gate/packing.py"]
        shutil.rmtree(FOLDER, ignore_errors=True)
        for file in files:
            place = FOLDER / file.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
    (FOLDER / BUILT).write_text(wanted)


if __name__ == "__main__":
    main()
