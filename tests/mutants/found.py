"""What was found out about mutants, file by file: kept as JSON, told as a report, and with reasons for what survives."""

import json
import os
import platform
import subprocess
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.mutants.changes import Mutant

REASONS = Path(__file__).with_name("survivors.toml")
_HEAD = (
    "# Mutants",
    "",
    "Written by `make mutants`: every small change of the law in `gate/`, and whether the tests notice it (stories, cases, "
    "and some hundred random histories beside an independent model and a replay of the past).",
    "",
)


class Found:
    """Of each file how many mutants there are, and which survived."""

    def __init__(self, root: Path, report: Path) -> None:
        self._root, self._report, self._kept = root, report, report.with_suffix(".json")
        self._all = {str(p.relative_to(root)): _digest(p) for p in (root / "gate").rglob("*.py")}
        kept: dict[str, dict[str, Any]] = json.loads(self._kept.read_text()) if self._kept.exists() else {}
        self._files = {file: told for file, told in kept.items() if self._all.get(file) == told["source"]}
        """Of files as they are now."""
        reasons = tomllib.loads(REASONS.read_text()) if REASONS.exists() else {}
        self.why = {
            (s["file"], s["where"], change): s["why"] for s in reasons.get("same", ()) for change in s["changes"]
        }
        """Why a mutant is the same gate, by its name."""

    def to_try(self, path: Path, every: Sequence[Mutant]) -> list[Mutant]:
        """All, or what survived if the file is as it was."""
        kept = self._files.get(str(path.relative_to(self._root)))
        if kept is None:
            return list(every)
        survived = {tuple(name) for name in kept["survived"]}
        return [m for m in every if m.name[1:] in survived]

    def keep(self, path: Path, every: Sequence[Mutant], survived: Sequence[Mutant]) -> None:
        """Note what became of one file, and write the report anew."""
        told = {"source": _digest(path), "mutants": len(every), "survived": [m.name[1:] for m in survived]}
        self._files[str(path.relative_to(self._root))] = {**told, "ground": self._ground()}
        self._kept.write_text(json.dumps(dict(sorted(self._files.items())), indent=1) + "\n")
        self._report.write_text("\n".join((*_HEAD, *self._lines())) + "\n")

    @property
    def told(self) -> str:
        """The figures, of all files there are results of."""
        every = sum(f["mutants"] for f in self._files.values())
        names = [(file, *name) for file, f in self._files.items() for name in f["survived"]]
        same = sum(name in self.why for name in names)
        share = (every - len(names)) / (every - same) if every > same else 1.0
        return (
            f"{len(self._files)} of {len(self._all)} files: {every:,} mutants, {every - len(names):,} noticed, {same:,} the same gate for a known reason: "
            f"{share:.1%} of all others are noticed"
        )

    def _lines(self) -> list[str]:
        found = [
            self.told + ".",
            "",
            "| file | mutants | not noticed | of these explained | ground |",
            "|---|--:|--:|--:|---|",
        ]
        rows = []
        for file, told in sorted(self._files.items()):
            names = [(file, *name) for name in told["survived"]]
            known = sum(name in self.why for name in names)
            found.append(f"| {file} | {told['mutants']} | {len(names) or ''} | {known or ''} | {told['ground']} |")
            rows += [
                f"| {f} | {where} | `{_safe(change)}` | {self.why.get((f, where, change), '')} |"
                for f, where, change in names
            ]
        return [
            *found,
            "",
            "## Not noticed",
            "",
            "| file | where | change | why it is the same gate |",
            "|---|---|---|---|",
            *rows,
        ]

    def _ground(self) -> str:
        command = ("git", "rev-parse", "--short=10", "HEAD")
        commit = subprocess.run(command, cwd=self._root, capture_output=True, text=True, check=False).stdout.strip()
        return f"{datetime.now(UTC):%Y-%m-%d}, {commit}, Python {platform.python_version()}, {os.cpu_count()} cores"


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:16]


def _safe(change: str) -> str:
    return change.replace("|", "\\|")
