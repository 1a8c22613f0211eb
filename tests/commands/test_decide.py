"""`gate61 decide` as contract section 5 has it: what goes where, and with which exit."""

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.policy_file import DEFAULT
from tests.commands.program import ENVIRONMENT, PROGRAM, answers, case, events, lines, on_terminal, run

OFFER = {
    "specversion": "1.0",
    "id": "prop-1",
    "source": "//platform.example/offers",
    "type": "gate61.offer.proposed.v1",
    "subject": "cl-1",
    "time": "2026-03-02T10:00:00Z",
    "data": {"offer": "of-1", "service": "custody", "channel": "email", "content": "offer"},
}


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """The first story as a file."""
    path = tmp_path / "story.jsonl"
    path.write_bytes(case("01"))
    return path


def test_a_file_is_answered_with_exit_0(story: Path) -> None:
    """Every offer has its answer, in the order given, and nothing is said besides."""
    done = run("decide", story)
    asked = [e["id"] for e in events(story.read_bytes()) if e["type"] == "gate61.offer.proposed.v1"]
    assert (done.returncode, done.stderr) == (0, b"")
    assert [a["event"]["id"] for a in answers(done.stdout)] == asked
    assert {a["verdict"] for a in answers(done.stdout)} > {"allow"}


def test_json_is_what_it_prints_anyhow(story: Path) -> None:
    """As every command that prints records it knows the option."""
    assert run("decide", story, "--json").stdout == run("decide", story).stdout != b""


@pytest.mark.parametrize("digits", [4_300, 4_301])
def test_long_numbers_are_read_alike_whatever_the_environment_says(tmp_path: Path, digits: int) -> None:
    """How many digits Python takes can be set for a process."""
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({**OFFER, "x": 0}).replace('"x": 0', f'"x": {"9" * digits}'))
    for most in ("0", "640", "100000"):
        done = run("decide", path, PYTHONINTMAXSTRDIGITS=most)
        assert done.returncode == (3 if digits > 4_300 else 0)
        assert digits == 4_300 or b"4301 digits; at most 4300" in done.stderr


def test_several_files_are_one_stream(story: Path, tmp_path: Path) -> None:
    """Cut anywhere between two lines, also with standard input in the middle, the answers are the same bytes."""
    parts = story.read_bytes().splitlines(keepends=True)
    for name, content in (("a", parts[:5]), ("c", parts[9:])):
        (tmp_path / name).write_bytes(b"".join(content))
    done = run("decide", tmp_path / "a", "-", tmp_path / "c", stdin=b"".join(parts[5:9]))
    assert (done.returncode, done.stdout) == (0, run("decide", story).stdout)


def test_standard_input_is_answered_like_a_file(story: Path) -> None:
    """The last line may lack its end; lines may end as on Windows."""
    plain = run("decide", story).stdout
    for content in (story.read_bytes(), story.read_bytes()[:-1], story.read_bytes().replace(b"\n", b"\r\n")):
        assert run("decide", "-", stdin=content).stdout == plain


def test_an_empty_file_is_no_mistake(tmp_path: Path) -> None:
    """Nothing in, nothing out."""
    (tmp_path / "empty").touch()
    for done in (run("decide", tmp_path / "empty"), run("decide", "-")):
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_rejects_are_kept_byte_for_byte_and_all_others_answered(story: Path, tmp_path: Path) -> None:
    """Exit 3; a JSON line each with line, reason, message, source and id where they can be read, and the bytes."""
    bad = [b'{"id": "x"\r', b"\x00\xff\xfe", b"", lines([{**OFFER, "id": "p-9", "time": "noon"}])[:-1]]
    story.write_bytes(bad[0] + b"\n" + bad[1] + b"\n" + case("01") + bad[2] + b"\n" + bad[3])
    done = run("decide", story, "--rejects", tmp_path / "rejects.jsonl")
    count = len(story.read_bytes().splitlines())
    kept = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_bytes().splitlines()]
    assert done.returncode == 3 and done.stderr.count(b"\n") == 1
    assert [(k["line"], k["reason"]) for k in kept] == [
        (1, "NOT_JSON"),
        (2, "NOT_UTF8"),
        (count - 1, "NOT_JSON"),
        (count, "BAD_TIME"),
    ]
    raw = [base64.b64decode(k["raw_base64"]) if "raw_base64" in k else k["raw"].encode() for k in kept]
    assert raw == bad
    assert all(set(k) == {"line", "reason", "message", "raw"} for k in (kept[0], kept[2]))
    assert (kept[3]["source"], kept[3]["id"]) == (OFFER["source"], "p-9")
    told = answers(done.stdout)
    assert [a["leading"] for a in told][-1] == "UNREADABLE_OFFER" and not told[-1]["may_send"]
    assert told[:-1] == answers(run("decide", "-", stdin=case("01")).stdout)


def test_without_a_rejects_file_they_go_to_standard_error() -> None:
    """The answers stay clean; of several files each line says from which."""
    done = run("decide", "-", stdin=b"\xe2\x82\xac\n" + case("01"))
    (kept,) = events(done.stderr)
    assert done.returncode == 3 and kept["raw"] == "€" and events(done.stdout)
    done = run("decide", "-", os.devnull, stdin=b"{\n")
    assert events(done.stderr)[0]["file"] == "-"


def test_rejects_on_standard_error_steer_no_terminal(tmp_path: Path) -> None:
    """They are ASCII there, and say the same as in a file."""
    line = '{"a": "\u009b31m \u202e \x7f é"}\n'.encode()
    (shown,) = run("decide", "-", stdin=line).stderr.splitlines()
    run("decide", "-", "--rejects", tmp_path / "rejects", stdin=line)
    assert shown.isascii() and b"\x7f" not in shown
    assert json.loads(shown) == json.loads((tmp_path / "rejects").read_bytes())


def test_rejects_are_utf8_whatever_the_locale(tmp_path: Path) -> None:
    """Bytes unchanged also on a machine that speaks Latin-1."""
    path = tmp_path / "rejects"
    done = run("decide", "-", "--rejects", path, stdin="€\n".encode(), PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    assert done.returncode == 3 and json.loads(path.read_bytes())["raw"] == "€"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (lines([{**OFFER, "note": "x" * 300_000}]), "TOO_LARGE"),
        (os.urandom(4000).replace(b"\n", b"") + b"\xff\n", "NOT_UTF8"),
        (b"\xef\xbb\xbf" + lines([OFFER]), "NOT_JSON"),
    ],
    ids=["300 KB", "binary garbage", "byte order mark"],
)
def test_hostile_lines_are_rejected_and_the_next_one_is_answered(line: bytes, reason: str) -> None:
    """Also where one line takes several reads of a pipe."""
    done = run("decide", "-", stdin=line + lines([OFFER]))
    assert [e["reason"] for e in events(done.stderr)] == [reason]
    assert done.returncode == 3 and answers(done.stdout)[-1]["leading"] == "INITIATION_UNKNOWN"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["nowhere.jsonl"], b"`nowhere.jsonl` cannot be read: No such file"),
        (
            ["nowhere.jsonl", "/", "else.jsonl"],
            b"No such file or directory; `/` cannot be read: Is a directory; `else.jsonl`",
        ),
        (["/"], b"`/` cannot be read: Is a directory"),
        (["-", "--rejects", "/nowhere/rejects"], b"`/nowhere/rejects` cannot be written"),
        (["-", "--policy", "nowhere.toml"], b"nowhere.toml"),
        (["-", "--polcy", "x"], b"No such option"),
        ([], b"Missing argument"),
    ],
)
def test_wrong_use_says_what_is_wrong_with_exit_2(wrong: list[str], says: bytes) -> None:
    """Before anything is answered, in one message without a traceback."""
    done = run("decide", *wrong, stdin=lines([OFFER]), COLUMNS="200")
    assert (done.returncode, done.stdout) == (2, b"")
    assert says in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("closed", "code", "says"),
    [
        ("<&-", 2, "gate61: standard input is closed: give it a file, or leave `-` out"),
        (">&-", 2, "gate61: standard output is closed: send it to a file, or to /dev/null"),
        ("2>&-", 0, ""),
    ],
)
def test_a_stream_that_whoever_started_it_closed(story: Path, closed: str, code: int, says: str) -> None:
    """As schedulers do: what cannot work is said in a line, and what can, works."""
    names = "-" if closed == "<&-" else f"'{story}'"
    command = f"'{PROGRAM}' decide {names} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
    assert (done.returncode, done.stderr.decode().strip()) == (code, says)
    assert bool(answers(done.stdout)) == (code == 0)


def test_a_broken_policy_is_refused_with_every_complaint_at_once(tmp_path: Path) -> None:
    """By option or by environment, exit 2."""
    path = tmp_path / "policy.toml"
    path.write_text('version = ""\nsource = "x"\n[window]\nsoft_hours = 999\nhard_days = 28\n')
    for done in (run("decide", "-", "--policy", path), run("decide", "-", GATE61_POLICY=str(path))):
        assert done.returncode == 2 and done.stdout == b""
        for complaint in (b"`version` is empty", b"hard_days", b"above the hard limit", b"`countries` is empty"):
            assert complaint in done.stderr


def test_rejects_never_overwrite_what_is_read(story: Path) -> None:
    """The bytes that are to be kept are not destroyed first."""
    before = story.read_bytes()
    done = run("decide", story, "--rejects", story)
    assert done.returncode == 2 and b"overwrite" in done.stderr and story.read_bytes() == before


def test_another_policy_answers_by_its_own_numbers_and_name(story: Path, tmp_path: Path) -> None:
    """The option goes before the environment; version and digest stand in every answer."""
    default = Path("deploy/policy/default.toml").read_text()
    path = tmp_path / "short.toml"
    path.write_text(default.replace('"2026-11-21"', '"short"').replace("soft_hours = 24", "soft_hours = 0"))
    plain, short = run("decide", story), run("decide", story, "--policy", path, GATE61_POLICY="/nowhere")
    assert short.returncode == 0
    assert {a["policy"]["version"] for a in answers(short.stdout)} == {"short"}
    assert "allow" in {a["verdict"] for a in answers(plain.stdout)}
    assert "allow" not in {a["verdict"] for a in answers(short.stdout)}


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_no_file_takes_the_place_of_a_stream_that_was_closed(closed: str) -> None:
    """A store that is opened then would have what goes to standard error written into it."""
    code = "import os; from streams.cli import _closed; _closed(); print(os.open(os.devnull, os.O_RDWR))"
    done = subprocess.run(f"'{sys.executable}' -c '{code}' {closed}", shell=True, capture_output=True, check=True)
    assert int(done.stdout) > 2


def test_an_answer_comes_out_before_standard_input_is_closed() -> None:
    """Who pipes events in as they happen is answered as they happen."""
    command: list[str | Path] = [PROGRAM, "decide", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as program:
        assert program.stdin and program.stdout
        for number in (1, 2):
            begun = {**OFFER, "id": f"prop-{number}", "data": {**OFFER["data"], "offer": f"of-{number}"}}  # type: ignore[dict-item]
            line = lines([begun])
            program.stdin.write(line[:40])
            program.stdin.flush()
            program.stdin.write(line[40:])
            program.stdin.flush()
            assert json.loads(program.stdout.readline())["data"]["offer"] == f"of-{number}"
        program.stdin.close()
        assert program.wait(10) == 0


def test_a_reader_who_has_had_enough_ends_it_quietly(story: Path, tmp_path: Path) -> None:
    """As with `| head -1`: no traceback, no complaint, no exit that means something else."""
    many = tmp_path / "many.jsonl"
    many.write_bytes(b"".join(lines([{**OFFER, "id": f"p-{n}", "subject": f"cl-{n}"}]) for n in range(2000)))
    with subprocess.Popen([PROGRAM, "decide", many], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout and program.stderr
        assert program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(20) in (0, -signal.SIGPIPE)


def test_a_full_disk_is_said_in_one_line(story: Path) -> None:
    """Never exit 0 for answers that nobody has."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([PROGRAM, "decide", story], stdout=full, stderr=subprocess.PIPE, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr == b"gate61: stopped before the end: No space left on device\n"


@pytest.mark.parametrize("words", [["--version"], ["policy", "check", str(DEFAULT)]])
def test_what_little_a_command_says_is_missed_too(words: list[str]) -> None:
    """It is held until the command ends, and would be lost in leaving, with an exit code of Python's own."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (1, b"gate61: stopped before the end: No space left on device\n")


def test_ctrl_c_ends_it_quietly_with_what_was_answered() -> None:
    """The exit of an interrupted program, whole lines only."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([PROGRAM, "decide", "-"], env=ENVIRONMENT, **pipes) as program:  # type: ignore[call-overload]
        program.stdin.write(lines([OFFER]))
        program.stdin.flush()
        assert json.loads(program.stdout.readline())
        program.send_signal(signal.SIGINT)
        assert program.wait(10) == 130
        assert program.stdout.read() == b"" and program.stderr.read() == b""


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    """Never in a file, a pipe, or between answers on one terminal; and it is gone at the end."""
    many = tmp_path / "many.jsonl"
    line = lines([{**OFFER, "type": "gate61.client.asked.v1", "data": {"channel": "chat"}}])
    many.write_bytes(line * 9000)
    with (tmp_path / "out").open("wb") as out:
        shown = on_terminal("decide", many, out=out)
    assert b"%" in shown and shown.endswith(b" \r")
    assert b"#" not in on_terminal("decide", many)
    assert b"[####################" in on_terminal("explain", "no-such", many)
    assert run("decide", many).stderr == b""


def test_what_could_not_be_taken_is_counted_by_reason(tmp_path: Path) -> None:
    """Exit 3 alone does not say that anything was kept, or where."""
    rejects = tmp_path / "rejects.jsonl"
    done = run("decide", "-", "--rejects", rejects, stdin=b"nope\n{}\n[]\n")
    assert done.returncode == 3
    told = f"gate61: 3 lines could not be taken: {rejects} (2 NOT_A_CLOUDEVENT, 1 NOT_JSON)\n"
    assert done.stderr.decode() == told
