"""Where the hot modules were compiled (`make native`) from exactly these sources, they are taken instead.

Compiled or not, the law is the same source and every answer the same bytes; only the time differs. A build of other
sources, or for another Python, is left alone, and the worker says so when it starts.
"""

import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
FOLDER = Path(sys.prefix) / "native"
"""Where a build lies: beside what is installed for the same interpreter."""
BUILT = "BUILT"
"""The file of a build that says what it was made of."""


def made_of(root: Path = ROOT) -> str:
    """What a build of these sources says: the interpreter, and a digest of everything that is translated or translates."""
    digest = sha256()
    for folder in ("gate", "state", "streams", "deploy/native"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return f"{sys.implementation.cache_tag} {digest.hexdigest()}"


def missing(folder: Path = FOLDER) -> str:
    """Why the gate does not run compiled here; empty if it can."""
    built = folder / BUILT
    if not built.is_file():
        return "the gate is not compiled; `make native` makes it one and a half times as fast"
    if built.read_text() != made_of():
        return "the compiled gate was made from other sources and is not used; run `make native` again"
    return ""


def prefer(folder: Path = FOLDER) -> bool:
    """Take what is compiled from now on, if it may be; call it before anything of `gate` or `state` is imported."""
    if missing(folder):
        return False
    sys.meta_path.insert(0, _Compiled(folder))
    return True


def preferred() -> bool:
    """Whether this process takes what is compiled."""
    return any(isinstance(finder, _Compiled) for finder in sys.meta_path)


class _Compiled(MetaPathFinder):
    """Finds what a build holds, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            ".".join((*path.relative_to(folder).parent.parts, path.name.split(".", 1)[0])): path
            for path in folder.rglob("*")
            if path.suffix in (".so", ".pyd", ".py")
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib`."""
        found = self._files.get(fullname)
        return None if found is None else spec_from_file_location(fullname, found)
