"""What was found out about mutants, file by file: kept as JSON, told as a report, and with reasons for what survives."""

import json
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tests.mutants.changes import Mutant
from tests.reports import ground

REASONS = Path(__file__).with_name("survivors.toml")
_HEAD = (
    "# Mutants",
    "",
    "Written by `make mutants`: every small change of the law in `gate/`, and whether the tests notice it (stories, cases, "
    "and some hundred random histories beside an independent model and a replay of the past).",
    "",
)


Name = tuple[str, str, str]


class Found:
    """Of each file how many mutants there are, and which survived."""

    def __init__(self, root: Path, report: Path) -> None:
        self._report, self._kept = report, report.with_suffix(".json")
        self._sources = {str(p.relative_to(root)): _digest(p) for p in (root / "gate").rglob("*.py")}
        kept: dict[str, dict[str, Any]] = json.loads(self._kept.read_text()) if self._kept.exists() else {}
        self._files = {file: told for file, told in kept.items() if self._sources.get(file) == told["source"]}
        """Of files as they are now."""
        reasons = tomllib.loads(REASONS.read_text())["same"]
        self.why: Final[dict[Name, str]] = {(s["file"], s["where"], c): s["why"] for s in reasons for c in s["changes"]}
        """Why a mutant is the same gate, by its name."""

    def to_try(self, file: str, every: Sequence[Mutant]) -> list[Mutant]:
        """All, or what survived if the file is as it was."""
        if file not in self._files:
            return list(every)
        survived = set(self._survived(file))
        return [m for m in every if m.name in survived]

    def keep(self, file: str, every: Sequence[Mutant], survived: Sequence[Mutant]) -> None:
        """Note what became of one file, and write the report anew."""
        names = [m.name[1:] for m in survived]
        self._files[file] = {
            "source": self._sources[file],
            "mutants": len(every),
            "survived": names,
            "ground": ground(),
        }
        self._kept.write_text(json.dumps(dict(sorted(self._files.items())), indent=1) + "\n")
        self._report.write_text("\n".join((*_HEAD, *self._lines())) + "\n")

    @property
    def told(self) -> str:
        """The figures, of all files there are results of."""
        every = sum(told["mutants"] for told in self._files.values())
        names = [name for file in self._files for name in self._survived(file)]
        same = sum(name in self.why for name in names)
        noticed = every - len(names)
        share = noticed / (every - same) if every > same else 1.0
        return (
            f"{len(self._files)} of {len(self._sources)} files: {every:,} mutants, {noticed:,} noticed, {same:,} the same "
            f"gate for a known reason: {share:.1%} of all others are noticed"
        )

    def _survived(self, file: str) -> list[Name]:
        return [(file, where, change) for where, change in self._files[file]["survived"]]

    def _lines(self) -> list[str]:
        files = ["| file | mutants | not noticed | of these explained | ground |", "|---|--:|--:|--:|---|"]
        rows = ["| file | where | change | why it is the same gate |", "|---|---|---|---|"]
        for file, told in sorted(self._files.items()):
            names = self._survived(file)
            known = sum(name in self.why for name in names)
            files.append(f"| {file} | {told['mutants']} | {len(names) or ''} | {known or ''} | {told['ground']} |")
            rows += [f"| {f} | {where} | `{_safe(c)}` | {self.why.get((f, where, c), '')} |" for f, where, c in names]
        return [f"{self.told}.", "", *files, "", "## Not noticed", "", *rows]


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:16]


def _safe(change: str) -> str:
    return change.replace("|", "\\|")
