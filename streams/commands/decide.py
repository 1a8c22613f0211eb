"""`gate61 decide`: every offer in files of events answered, in the order of arrival, without any server."""

import gc
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from state import MemoryStore
from streams.border.raw import field_of
from streams.border.wire import Rejected
from streams.commands.common import PolicyPath, policy_or_refuse, refuse, warn
from streams.commands.files import Files, lines, opened
from streams.embedded import Gate


class _Rejects:
    """The rejects file, or standard error: a JSON line for each line that could not be taken."""

    def __init__(self, path: Path | None, several: bool) -> None:
        try:
            self._file: BinaryIO = path.open("wb") if path else sys.stderr.buffer
        except OSError as error:
            raise refuse(f"`{path}` cannot be written: {error.strerror}") from None
        self._shown = path is None
        """Whether a terminal may be what it goes to: what others wrote steers none, in ASCII."""
        self._several = several
        self._reasons: Counter[str] = Counter()

    def put(self, name: str, number: int, line: bytes, reject: Rejected) -> None:
        self._reasons[reject.reason] += 1
        entry: dict[str, object] = {"file": name} if self._several else {}
        entry |= {"line": number, "reason": reject.reason, "message": reject.message}
        entry |= {k: v for k, v in (("source", reject.source), ("id", reject.id)) if v is not None}
        entry |= field_of("raw", line)
        self._file.write(json.dumps(entry, ensure_ascii=self._shown).encode("utf-8", "surrogateescape") + b"\n")
        self._file.flush()

    @property
    def count(self) -> int:
        """How many could not be taken."""
        return self._reasons.total()

    def tell(self, path: str) -> None:
        """Say on standard error where they are, and why they could not be taken."""
        each = ", ".join(f"{count} {reason}" for reason, count in self._reasons.most_common())
        lines = "1 line" if self.count == 1 else f"{self.count} lines"
        warn(f"{lines} could not be taken: {path} ({each})")


def decide(
    files: Files,
    policy: PolicyPath = None,
    rejects: Annotated[Path | None, typer.Option(help="where lines that cannot be taken are kept")] = None,
    _as_json: Annotated[bool, typer.Option("--json", help="an event a line, as it is anyhow")] = False,
) -> None:
    """Answer every offer in files of events, in the order of arrival; answers, notices and cases on standard output."""
    gc.disable()  # Facts and answers form no cycles; looking for some costs a tenth of the time.
    gate = Gate(policy_or_refuse(policy), MemoryStore())
    events = opened(files)
    if rejects and rejects.exists() and any(os.path.samestat(rejects.stat(), os.fstat(f.fileno())) for _, f in events):
        raise refuse(f"`{rejects}` is among the files to read; rejects would overwrite it")
    kept = _Rejects(rejects, len(files) > 1)
    out = sys.stdout.buffer
    for name, number, line in lines(events, out.flush):
        taken = gate.take(line)
        if isinstance(taken, Rejected):
            kept.put(name, number, line, taken)
            answer = gate.answer_to_reject(taken, line)
            if answer:
                out.write(answer + b"\n")
            continue
        for effect in taken:
            out.write(gate.line_of(effect) + b"\n")
    out.flush()
    if kept.count:
        if rejects:
            kept.tell(str(rejects))
        raise typer.Exit(3)
