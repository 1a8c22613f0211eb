"""`gate61 policy check`, `--help`, `--version`, `demo`: the rest of what people type."""

import json
import logging
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from sqlalchemy import insert
from structlog.testing import capture_logs

from streams.alerts.tables import delivery, opened
from streams.demo import PATH, filled
from streams.desk.access import people
from streams.desk.running import store_at
from streams.policy_file import DEFAULT
from streams.web import logs
from tests.commands.program import answers, on_terminal, run

VERSION = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]


def test_a_policy_is_checked_with_what_it_changes(tmp_path: Path) -> None:
    """Each number that differs from the default, in words that a person can compare."""
    path = tmp_path / "p.toml"
    path.write_text(
        DEFAULT.read_text()
        .replace("soft_hours = 24", "soft_hours = 12")
        .replace("hard_days = 10", "hard_days = 7")
        .replace('version = "', 'version = "own-')
    )
    done = run("policy", "check", path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"window.soft_hours: 24 -> 12" in done.stdout and b"window.hard_days: 10 -> 7" in done.stdout
    same = run("policy", "check", DEFAULT)
    assert same.returncode == 0 and b"the same as the default" in same.stdout


def test_a_senseless_policy_is_refused_with_exit_2(tmp_path: Path) -> None:
    """A line for each complaint, and nothing on standard output."""
    path = tmp_path / "p.toml"
    path.write_text("[window]\nhard_days = 0\n")
    done = run("policy", "check", path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len([line for line in done.stderr.splitlines() if line.startswith(b"  - ")]) >= 8


@pytest.mark.parametrize(
    "command",
    [[], ["decide"], ["explain"], ["demo"], ["policy"], ["policy", "check"], ["dlq"], ["dlq", "replay"], ["watch"]],
)
def test_help_fits_the_command(command: list[str]) -> None:
    """Exit 0, one sentence of what it does, every option with its meaning."""
    done = run(*command, "--help", NO_COLOR="1", COLUMNS="120")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Usage: gate61" in done.stdout and b"\x1b[" not in done.stdout
    if command == []:
        assert all(name in done.stdout for name in (b"decide", b"explain", b"demo", b"policy"))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("policy", "check"), "a policy file (TOML)"),
        (("policy", "publish"), "a policy file (TOML)"),
        (("dlq", "replay"), "[PLACE]... "),
        (("worker",), "GATE61_REDIS"),
        (("doctor",), "GATE61_REDIS"),
        (("topics", "plan"), "GATE61_PARTITIONS"),
        (("serve",), "2 or GATE61_ASK_BUDGET"),
    ],
)
def test_help_says_what_is_to_be_given(command: tuple[str, ...], said: str) -> None:
    """As an argument, or in the environment where that is all there is."""
    shown = " ".join(run(*command, "--help", NO_COLOR="1", COLUMNS="160").stdout.decode().split())
    assert said in shown and "[[" not in shown, shown


def test_the_version_is_the_package_s() -> None:
    """One line."""
    assert run("--version").stdout.decode() == f"gate61 {VERSION}\n"


def test_the_demo_tells_the_month_in_plain_words() -> None:
    """Everything that can happen is in it: allowed, held, blocked, superseded, released, cases, rejects."""
    done = run("demo", "--no-serve", COLUMNS="140")
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"") and "Traceback" not in text
    for word in ("A month at", "allowed", "held", "blocked", "superseded", "released", "Cases", "byte for byte"):
        assert word in text
    assert "\x1b[" not in text
    assert text == run("demo", "--no-serve", TZ="Pacific/Apia", PYTHONHASHSEED="7").stdout.decode()


def test_the_demo_tells_programs_what_came_out_of_the_month() -> None:
    """The events that `decide` would write, and no desk: it ends by itself."""
    done = run("demo", "--json")
    said = answers(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {a["verdict"] for a in said} == {"allow", "flag", "block"}
    assert "UNREADABLE_OFFER" in {a["leading"] for a in said}
    decisions: dict[str, list[str]] = {}
    for each in said:
        decisions.setdefault(each["event"]["id"], []).append(each["decision"])
    filled_in = b"\n".join(filled(line, decisions) for line in PATH.read_bytes().splitlines())
    assert run("decide", "-", stdin=filled_in).stdout == done.stdout


def columns(shown: bytes) -> list[str]:
    """The columns of a table of one row, each as one word."""
    lines = [line.split("│") for line in shown.decode().splitlines() if "│" in line]
    return ["".join(cell.strip() for cell in column) for column in zip(*lines, strict=True)]


@pytest.mark.parametrize("wide", [40, 80])
def test_what_other_commands_ask_for_is_shown_whole_on_a_narrow_terminal(tmp_path: Path, wide: int) -> None:
    """The id of a dead message, and a staff id of a provider's."""
    id, staff = f"msg_{'0123456789abcde' * 2}", f"login.firm.example:{'0123456789' * 8}"
    dead = {"id": id, "channel": "siem", "about": "alr-1", "sequence": 1, "kind": "gate61.alert.opened", "body": b"{}"}
    dead |= {"state": "dead", "created": 1, "attempts": 10, "status": 500, "said": "the receiver says 500"}
    person = {"id": staff, "name": "Kim", "roles": "viewer", "password": None, "enabled": True, "changed": 1}
    alerts, desk = opened(f"sqlite:///{tmp_path}/a.db"), store_at(f"sqlite:///{tmp_path}/d.db")
    for engine, table, row in ((alerts, delivery, dead), (desk, people.person, person)):
        with engine.begin() as connection:
            connection.execute(insert(table).values(row))
        engine.dispose()
    shown = on_terminal("alerts", "--store", tmp_path / "a.db", "dead", "list", COLUMNS=str(wide), TERM="xterm")
    assert id in columns(shown), shown.decode()
    listed = on_terminal(
        "desk", "--store", tmp_path / "d.db", "users", "list", COLUMNS=str(wide), TERM="xterm"
    ).decode()
    first = [re.split(r"\s{2,}", line.strip())[0] for line in listed.splitlines()]
    assert staff in "".join(first), listed


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_honoured_on_a_terminal(setting: dict[str, str], coloured: bool) -> None:
    """Without it help is coloured, with it no colour leaves the program."""
    shown = on_terminal("decide", "--help", out=None, TERM="xterm-256color", settings=setting)
    assert (b"\x1b[1;3" in shown) is coloured


_SAYING = """
import logging, structlog, uvicorn
from fastapi import FastAPI
from streams.web import listening, logs

class Said(Exception):
    pass

def started(self, sockets):
    logging.getLogger("uvicorn.error").warning("uvicorn speaks")
    raise Said

logs.log_to_stderr()
structlog.get_logger().warning("structlog speaks", detail=1)
try:
    [][0]
except IndexError:
    structlog.get_logger().exception("structlog fails")
listening._Server.run = started
try:
    listening.listen(FastAPI(), "127.0.0.1", 0, "a service")
except Said:
    pass
"""


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)])
def test_logs_of_services_have_colours_where_they_are_wanted(setting: dict[str, str], coloured: bool) -> None:
    """On a terminal, unless NO_COLOR says otherwise: what the gate logs, what its HTTP server does, and errors."""
    shown = on_terminal("-c", _SAYING, program=sys.executable, TERM="xterm", settings=setting)
    assert all(words in shown for words in (b"structlog speaks", b"uvicorn speaks", b"IndexError"))
    assert (b"\x1b[" in shown) is coloured


def test_logs_of_services_have_no_colours_beyond_a_terminal() -> None:
    """JSON lines, for programs; also where only standard output is a terminal."""
    with TemporaryFile() as file:
        on_terminal("-c", _SAYING, program=sys.executable, err=file, TERM="xterm")
        file.seek(0)
        said = file.read()
    assert b"uvicorn speaks" in said and b"\x1b[" not in said
    assert json.loads(said.splitlines()[0])["event"] == "structlog speaks"


def test_what_libraries_say_is_said_once_a_minute_and_then_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of it names places in memory, and is never the same again: what is remembered of it does not grow for ever."""
    now = [0.0]
    monkeypatch.setattr(logs, "monotonic", lambda: now[0])
    heard = logs._Overheard("a library", logging.WARNING)
    with capture_logs() as said:
        for second in range(1, 1_000):
            now[0] = float(second)
            for words in ("broker away", f"<Task at {second}>"):
                heard.emit(logging.LogRecord("asyncio", logging.ERROR, "", 0, words, (), None))
    assert sum(each["said"] == "broker away" for each in said) == 17
    assert len(heard._said) <= logs.REPEATED_SECONDS + 1


def test_no_command_loads_what_only_writes_the_demos_month() -> None:
    """Some are called often."""
    code = "import sys, streams.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "streams.demo.account" in done.stdout.split()
    assert not {"streams.demo.month", "streams.demo.recipes", "streams.demo.house"} & {*done.stdout.split()}
