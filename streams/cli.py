"""The program `gate61`: commands that people script against (contract section 5)."""

import base64
import gc
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from gate.effects import Answer
from state import MemoryStore
from streams.commands import keys as keys_of_services
from streams.commands.alerts import alerts
from streams.commands.ask import ask
from streams.commands.common import PolicyPath, console, policy_or_refuse, refuse, refuse_all
from streams.commands.desk import desk
from streams.commands.dlq import dlq
from streams.commands.doctor import doctor
from streams.commands.policy import policies
from streams.commands.rebuild import rebuild
from streams.commands.schemas import schemas
from streams.commands.serve import serve
from streams.commands.topics import topics
from streams.commands.watch import watch
from streams.commands.worker import worker
from streams.demo.account import Month, tell
from streams.embedded import Gate
from streams.explain import Found, Proofs, explain_unreadable
from streams.explain import explain as explained
from streams.progress import Progress
from streams.settings import misspelt
from streams.wire import Rejected

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(policies, name="policy")
app.command()(worker)
app.command()(rebuild)
app.command()(doctor)
app.add_typer(topics, name="topics")
app.add_typer(dlq, name="dlq")
app.add_typer(desk, name="desk")
app.add_typer(keys_of_services.app, name="keys")
app.command()(watch)
app.command()(serve)
app.command()(ask)
app.add_typer(alerts, name="alerts")
app.command()(schemas)


def _version(asked: bool) -> None:
    if asked:
        print(f"gate61 {version_of('gate61')}")
        raise typer.Exit


_ON_FILES = ("decide", "explain", "demo")
"""Commands that hold no connections: elsewhere that signal would also come from a broker or client who hangs up."""

_WITHOUT_SETTINGS = (*_ON_FILES, "policy", "keys")
"""Commands that look at few settings; the others complain about what is no setting with what else is wrong."""


@app.callback()
def program(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """The gate of MiCA Art. 61: may this offer be sent to this client now?"""
    if context.invoked_subcommand in _WITHOUT_SETTINGS:
        refuse_all(misspelt(os.environ))
    if context.invoked_subcommand in _ON_FILES and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # A reader who has had enough ends the program, quietly.


Files = Annotated[list[str], typer.Argument(help="event files, one JSON event a line; `-` is standard input")]


def _open(names: list[str]) -> list[tuple[str, BinaryIO]]:
    opened: list[tuple[str, BinaryIO]] = []
    for name in names:
        try:
            opened.append((name, sys.stdin.buffer if name == "-" else open(name, "rb")))
        except OSError as error:
            raise refuse(f"`{name}` cannot be read: {error.strerror}") from None
    return opened


def _nothing() -> None:
    pass


def _lines(
    files: list[tuple[str, BinaryIO]], before_waiting: Callable[[], None] = _nothing
) -> Iterator[tuple[str, int, bytes]]:
    """File, number from 1 and bytes of each line, with a bar on a terminal.

    `before_waiting` is called whenever standard input has to be asked for more, which may take for ever.
    """
    progress = Progress(files)
    for name, file in files:
        for number, line in enumerate(_fed(file, before_waiting) if name == "-" else file, 1):
            yield name, number, line[:-1] if line.endswith(b"\n") else line
            if number & 0xFFF == 0:
                progress.show(file)
    progress.done()


def _fed(file: BinaryIO, before_waiting: Callable[[], None]) -> Iterator[bytes]:
    """The lines of a pipe without their ends, each as soon as it is there."""
    begun: list[bytes] = []
    while True:
        before_waiting()
        chunk = os.read(file.fileno(), 1 << 16)
        if not chunk:
            break
        first, *lines = chunk.split(b"\n")
        begun.append(first)
        if lines:
            yield b"".join(begun)
            begun = [lines.pop()]
            yield from lines
    if any(begun):
        yield b"".join(begun)


class _Rejects:
    """The rejects file, or standard error: a JSON line for each line that could not be taken."""

    def __init__(self, path: Path | None, several: bool) -> None:
        try:
            self._file: BinaryIO = path.open("wb") if path else sys.stderr.buffer
        except OSError as error:
            raise refuse(f"`{path}` cannot be written: {error.strerror}") from None
        self._several = several
        self._reasons: Counter[str] = Counter()

    def put(self, name: str, number: int, line: bytes, reject: Rejected) -> None:
        self._reasons[reject.reason] += 1
        entry: dict[str, object] = {"file": name} if self._several else {}
        entry |= {"line": number, "reason": reject.reason, "message": reject.message}
        entry |= {k: v for k, v in (("source", reject.source), ("id", reject.id)) if v is not None}
        try:
            entry["raw"] = line.decode()
        except UnicodeDecodeError:
            entry["raw_base64"] = base64.b64encode(line).decode()
        self._file.write(json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n")
        self._file.flush()

    @property
    def count(self) -> int:
        """How many could not be taken."""
        return self._reasons.total()

    def tell(self, path: str) -> None:
        """Say on standard error where they are, and why they could not be taken."""
        each = ", ".join(f"{count} {reason}" for reason, count in self._reasons.most_common())
        lines = "1 line" if self.count == 1 else f"{self.count} lines"
        print(f"gate61: {lines} could not be taken: {path} ({each})", file=sys.stderr)


@app.command()
def decide(
    files: Files,
    policy: PolicyPath = None,
    rejects: Annotated[Path | None, typer.Option(help="where lines that cannot be taken are kept")] = None,
    _as_json: Annotated[bool, typer.Option("--json", help="an event a line, as it is anyhow")] = False,
) -> None:
    """Answer every offer in files of events, in the order of arrival; answers, notices and cases on standard output."""
    gc.disable()  # Facts and answers form no cycles; looking for some costs a tenth of the time.
    gate = Gate(policy_or_refuse(policy), MemoryStore())
    opened = _open(files)
    if rejects and rejects.exists() and any(os.path.samestat(rejects.stat(), os.fstat(f.fileno())) for _, f in opened):
        raise refuse(f"`{rejects}` is among the files to read; rejects would overwrite it")
    kept = _Rejects(rejects, len(files) > 1)
    out = sys.stdout.buffer
    for name, number, line in _lines(opened, out.flush):
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


@app.command()
def explain(
    decision: Annotated[str, typer.Argument(help="a decision's id, or the id of an offer or of its event")],
    files: Files,
    policy: PolicyPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="the answers as events, one a line")] = False,
) -> None:
    """Explain a decision to a person, from the files of events that led to it."""
    gate = Gate(policy_or_refuse(policy), MemoryStore())
    proofs = Proofs()
    found: list[tuple[Answer, Found] | bytes] = []
    replaced: dict[str, Answer] = {}
    for _, _, line in _lines(_open(files)):
        taken = gate.take(line)
        if isinstance(taken, Rejected):
            unreadable = gate.answer_to_reject(taken, line)
            if unreadable and decision in _named(json.loads(unreadable)["data"]):
                found.append(unreadable)
            continue
        if gate.last is not None:
            proofs.learn(gate.last)
        for answer in (effect for effect in taken if isinstance(effect, Answer)):
            if answer.supersedes:
                replaced[answer.supersedes] = answer
            if decision in (answer.standing.decision, answer.standing.offer, answer.offer.id):
                found.append((answer, proofs.of(answer)))
    if not found:
        print(f"gate61: no decision, offer or offer event `{decision}` in these files", file=sys.stderr)
        raise typer.Exit(1)
    page = console()
    for each in found:
        if as_json:
            print((each if isinstance(each, bytes) else gate.line_of(each[0])).decode())
        elif isinstance(each, bytes):
            explain_unreadable(each, page)
        else:
            answer, leans_on = each
            explained(answer, replaced.get(answer.standing.decision), leans_on, gate.policy, page)


def _named(data: dict[str, Any]) -> tuple[str | None, ...]:
    """What a decision can be asked for by."""
    return data["decision"], data["offer"], data["event"]["id"]


@app.command()
def demo(
    policy: PolicyPath = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="only print the account")] = False,
    port: Annotated[int, typer.Option(help="of the desk; 0 takes a free one", min=0, max=65535)] = 8063,
    as_json: Annotated[
        bool, typer.Option("--json", help="what came out of the month as events, one a line, and no desk")
    ] = False,
) -> None:
    """Play a shipped month of a fictional platform through the gate, say what was held and why, and open the desk on it."""
    used = policy_or_refuse(policy)
    if as_json:
        Month(used, lambda line: print(line.decode()))
        return
    tell(used, console())
    if not no_serve:
        from streams.demo.serving import (
            serve_month,
        )  # What only serves is not loaded by commands that are called often.
        from streams.web.listening import ListeningRefused

        sys.stdout.flush()
        try:
            serve_month(used, port)
        except ListeningRefused as refused:
            raise refuse(str(refused)) from None


def main() -> None:
    """Entry point."""
    try:
        app()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # What is still held for it would fail again on leaving.
        print(f"gate61: stopped before the end: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(1) from None
