"""What others wrote never steers the terminal of who reads it, nor is it taken for markup, whichever command shows it."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text
from sqlalchemy import insert
from typer.testing import CliRunner

import streams.commands
import streams.doctor
from state.finding import Finding, Level
from streams.cli import app
from streams.commands.common import refuse, say, warn
from streams.commands.page import Page
from streams.desk.access.people import person
from streams.desk.running import store_at
from streams.policy_file import DEFAULT, PolicyRefused
from streams.settings import SettingsRefused
from streams.terminal import plain
from tests.commands.program import on_terminal, run

EVIL = "\x1b]0;pwn\x07\x1b[2J\u202e\x9b2J"
SHOWN = r"\x1b]0;pwn\x07\x1b[2J\u202e\x9b2J"
COMMANDS = Path(streams.commands.__file__).parent
_PRINTING = ("common.py",)
"""Where there are `say`, `warn`, `record` and `event`."""


def test_words_of_others_are_plain() -> None:
    """Escape sequences and marks that turn the reading order are shown, not obeyed."""
    assert plain("a\x1b[2Jb\u202ec\nd é") == "a\\x1b[2Jb\\u202ec\\nd é"


def _written_past(module: ast.Module) -> Iterator[int]:
    """Lines where something is printed in another way than by what commands share."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("print", "Console", "typer.echo", "typer.secho", "rich.print"):
                yield node.lineno


@pytest.mark.parametrize("file", sorted(COMMANDS.glob("*.py")), ids=lambda file: file.name)
def test_no_command_prints_past_what_makes_words_plain(file: Path) -> None:
    """Lines go through `say` and `warn`, records through `record`, tables onto a `Page`."""
    assert file.name in _PRINTING or [*_written_past(ast.parse(file.read_text()))] == []


def test_what_commands_say_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    """Ends of lines stay; a refusal goes to standard error like a warning."""
    say(f"{EVIL}\nnext")
    warn(EVIL)
    refuse(EVIL)
    shown = capsys.readouterr()
    assert shown.out == f"{SHOWN}\nnext\n" and shown.err == f"gate61: {SHOWN}\n" * 2


def test_a_policy_cannot_steer_the_terminal_of_who_checks_it(tmp_path: Path) -> None:
    """Neither by a key that is not known nor by its version, its countries or what it changes."""
    escaped = EVIL.encode("unicode_escape").decode().replace("\\x", "\\u00")
    words = DEFAULT.read_text()
    for name, text in (
        ("key.toml", f'"{escaped}" = 1\n{words}'),
        ("version.toml", words.replace('version = "', f'version = "{escaped}')),
        ("source.toml", words.replace('source = "', f'source = "{escaped}\\nby policy')),
        ("word.toml", words.replace('"calls", "group"', f'"calls", "group", "{escaped}"')),
    ):
        (tmp_path / name).write_text(text)
        done = run("policy", "check", tmp_path / name)
        said = (done.stdout + done.stderr).decode()
        assert EVIL[0] not in said and "\u202e" not in said and "\x9b" not in said, name
        assert SHOWN in said or name == "version.toml"


def test_what_is_complained_about_is_a_line_each() -> None:
    """Nothing that is quoted makes further ones."""
    for refused in (PolicyRefused("p", [f"`a\n  - b{EVIL}`"]), SettingsRefused([f"`a\n  - b{EVIL}`"])):
        assert len(str(refused).splitlines()) == 2 and SHOWN in str(refused)


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_doctor_shows_what_it_found_in_a_topic_as_words(monkeypatch: pytest.MonkeyPatch, as_json: list[str]) -> None:
    found = Finding("policy", Level.WRONG, f"`{EVIL}\nok` is [red]not[/] known [/]", f"mend {EVIL}")
    monkeypatch.setattr(streams.doctor, "examine", lambda _: iter((found,)))
    shown = CliRunner().invoke(app, ["doctor", *as_json])
    assert shown.exit_code == 1 and not set(EVIL) & {"\x1b", "\x07", "\u202e", "\x9b"} & set(shown.output)
    assert "[red]not[/] known [/]" in shown.output and len(shown.output.splitlines()) == (1 if as_json else 3)


def test_the_name_of_a_person_is_no_markup(tmp_path: Path) -> None:
    """A provider's people call themselves what they like."""
    engine = store_at(f"sqlite:///{tmp_path}/desk.db")
    for id, name in (
        ("idp.example:1", "[/x] Eve"),
        ("idp.example:2", "[red]:smile: Eve[/red]"),
        ("idp.example:3", EVIL),
    ):
        row = {"id": id, "name": name, "roles": "viewer", "password": None, "enabled": True, "changed": 1}
        with engine.begin() as connection:
            connection.execute(insert(person).values(row))
    engine.dispose()
    listed = run("desk", "users", "list", "--store", tmp_path / "desk.db")
    said = listed.stdout.decode()
    assert listed.returncode == 0, listed.stderr
    assert all(name in said for name in ("[/x] Eve", "[red]:smile: Eve[/red]", SHOWN)) and "\x1b" not in said
    as_json = run("desk", "users", "list", "--json", "--store", tmp_path / "desk.db").stdout
    assert as_json.isascii() and b"\x1b" not in as_json and len(as_json.splitlines()) == 3


def test_a_table_loses_nothing_of_what_it_shows_as_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns are as wide as the words that stand for what cannot be shown; also a `Text` is plain."""
    monkeypatch.setattr(sys, "stdout", out := StringIO())
    table = Table("a", "b")
    table.add_row(EVIL, "next")
    page = Page()
    page.print(table)
    page.print(Text(EVIL, "bold"))
    said = out.getvalue()
    assert SHOWN in said and SHOWN.replace(r"\x07", "") in said  # Of a `Text` rich itself drops the bell.
    assert "next" in said and "\x1b" not in said


def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    """Who read it is gone, or its disk is full: what was to be waited for is waited for all the same."""
    saying = """
import structlog
from streams.web import logs
logs.log_to_stderr()
for _ in range(9):
    structlog.get_logger().warning("Redis does not answer", why="x" * 10_000)
print("goes on")
"""
    gone, nobody = os.pipe()
    os.close(gone)
    done = subprocess.run([sys.executable, "-c", saying], stdout=subprocess.PIPE, stderr=nobody, check=False)
    os.close(nobody)
    assert done.stdout == b"goes on\n"


def test_what_is_logged_cannot_steer_a_terminal() -> None:
    """Somebody who signs in at the desk types what he likes."""
    saying = f"""
import structlog
from streams.web import logs
logs.log_to_stderr()
structlog.get_logger().warning("sign-in refused", who={EVIL!r})
"""
    shown = on_terminal("-c", saying, program=sys.executable, TERM="xterm", NO_COLOR="1").decode()
    assert SHOWN in shown and "\x1b" not in shown and "\u202e" not in shown
