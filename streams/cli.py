"""The program `gate61`: commands that people script against (contract section 5)."""

import base64
import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from gate.effects import Answer
from gate.facts import Fact
from gate.policy import Policy
from state import MemoryStore
from streams.demo.account import tell
from streams.embedded import Gate
from streams.explain import explain as explained
from streams.policy_file import PolicyRefused, differences, load
from streams.progress import Progress
from streams.wire import SIZE_LIMIT, Rejected

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The gate of MiCA Art. 61."
)
policies = typer.Typer(no_args_is_help=True, help="Policy files.")
app.add_typer(policies, name="policy")

Files = Annotated[list[str], typer.Argument(help="event files, one JSON event a line; `-` is standard input")]
PolicyPath = Annotated[Path | None, typer.Option("--policy", envvar="GATE61_POLICY", help="policy file (TOML)")]


def _refuse(message: str) -> typer.Exit:
    print(f"gate61: {message}", file=sys.stderr)
    return typer.Exit(2)


def _policy(path: Path | None) -> Policy:
    try:
        return load(path)
    except PolicyRefused as refused:
        raise _refuse(str(refused)) from None


def _open(names: list[str]) -> list[tuple[str, BinaryIO]]:
    opened: list[tuple[str, BinaryIO]] = []
    for name in names:
        try:
            opened.append((name, sys.stdin.buffer if name == "-" else open(name, "rb")))
        except OSError as error:
            raise _refuse(f"`{name}` cannot be read: {error.strerror}") from None
    return opened


def _lines(files: list[tuple[str, BinaryIO]]) -> Iterator[tuple[str, int, bytes]]:
    """File, number from 1 and bytes of each line, with a bar on a terminal."""
    progress = Progress(files)
    for name, file in files:
        for number, line in enumerate(file, 1):
            yield name, number, line[:-1] if line.endswith(b"\n") else line
            if number & 0xFFF == 0:
                progress.show(file)
    progress.done()


class _Rejects:
    """The rejects file, or standard error: a JSON line for each line that could not be taken."""

    def __init__(self, path: Path | None, several: bool) -> None:
        try:
            self._file = path.open("w") if path else sys.stderr
        except OSError as error:
            raise _refuse(f"`{path}` cannot be written: {error.strerror}") from None
        self._several = several
        self.count = 0

    def put(self, name: str, number: int, line: bytes, reject: Rejected) -> None:
        self.count += 1
        entry: dict[str, object] = {"file": name} if self._several else {}
        entry |= {"line": number, "reason": reject.reason, "message": reject.message}
        entry |= {k: v for k, v in (("source", reject.source), ("id", reject.id)) if v is not None}
        try:
            entry["raw"] = line.decode()
        except UnicodeDecodeError:
            entry["raw_base64"] = base64.b64encode(line).decode()
        print(json.dumps(entry, ensure_ascii=False), file=self._file)

    def close(self) -> None:
        if self._file is not sys.stderr:
            self._file.close()


@app.command()
def decide(
    files: Files,
    policy: PolicyPath = None,
    rejects: Annotated[Path | None, typer.Option(help="where lines that cannot be taken are kept")] = None,
) -> None:
    """Answer every offer in files of events, in the order of arrival; answers, notices and cases on standard output."""
    gc.disable()  # Facts and answers form no cycles; looking for some costs a tenth of the time.
    gate = Gate(_policy(policy), MemoryStore())
    opened = _open(files)
    kept = _Rejects(rejects, len(files) > 1)
    out = sys.stdout.buffer
    for name, number, line in _lines(opened):
        taken = gate.take(line)
        if isinstance(taken, Rejected):
            kept.put(name, number, line, taken)
            answer = gate.answer_to_reject(taken, line[: SIZE_LIMIT + 1])
            if answer:
                out.write(answer + b"\n")
            continue
        for effect in taken:
            out.write(gate.line_of(effect) + b"\n")
    out.flush()
    kept.close()
    if kept.count:
        raise typer.Exit(3)


@app.command()
def explain(
    decision: Annotated[str, typer.Argument(help="a decision's id, or the id of an offer or of its event")],
    files: Files,
    policy: PolicyPath = None,
) -> None:
    """Explain a decision to a person, from the files of events that led to it."""
    used = _policy(policy)
    gate = Gate(used, MemoryStore())
    facts: dict[str, Fact] = {}
    found: list[Answer] = []
    for _, _, line in _lines(_open(files)):
        taken = gate.take(line)
        if isinstance(taken, Rejected):
            continue
        for effect in taken:
            if isinstance(effect, Answer) and decision in (
                effect.standing.decision,
                effect.standing.offer,
                effect.offer.id,
            ):
                found.append(effect)
        if gate.last is not None:
            facts[gate.last.id] = gate.last
    if not found:
        print(f"gate61: no decision, offer or offer event `{decision}` in these files", file=sys.stderr)
        raise typer.Exit(1)
    for answer in found:
        explained(answer, facts, used, _console())


@app.command()
def demo(
    policy: PolicyPath = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="only print the account")] = False,
) -> None:
    """Play a shipped month of a fictional platform through the gate, and say what was held and why."""
    tell(_policy(policy), _console())


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)


@policies.command()
def check(file: Path) -> None:
    """Check a policy file, and print what it changes against the default."""
    policy, default = _policy(file), _policy(None)
    print(f"policy {policy.version} may be used; digest {policy.digest}")
    changed = differences(policy, default)
    for name, ours, theirs in changed:
        print(f"  {name}: {ours} -> {theirs}")
    if not changed:
        print("  the same as the default")


def main() -> None:
    """Entry point."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
