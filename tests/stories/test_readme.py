"""The readme's first example: what it shows is what comes out, on files and in the same process."""

import contextlib
import io
import re
from pathlib import Path

from tests.commands.program import run

README = Path(__file__).parent.parent.parent / "README.md"


def test_the_example_prints_what_the_readme_says() -> None:
    """A reader who copies it sees the same."""
    text = README.read_text()
    found = re.search(r"which prints (`.*?`):\n\n<!-- .*?test_readme.py -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found[2], {})
    assert printed.getvalue().splitlines() == re.findall(r"`(.*?)`", found[1])


def test_a_yes_and_a_no_come_out_as_the_readme_shows_them() -> None:
    """`…` stands for more of the line; before both answers a scope is opened."""
    shown = re.search(r"test_readme.py -->\n```json\n(.*?)```", README.read_text(), re.DOTALL)
    assert shown is not None
    done = run("decide", "deploy/first.jsonl")
    notice, *answers = done.stdout.decode().splitlines()
    assert done.returncode == 0 and '"type":"gate61.scope.opened.v1"' in notice
    for line, parts in zip(answers, shown[1].splitlines(), strict=True):
        assert re.fullmatch(".*".join(re.escape(part.strip()) for part in parts.split("…")), line), parts


def test_both_are_explained_as_the_readme_shows_it() -> None:
    """The first thing that is said of each."""
    shown = re.findall(r"^    \S*gate61 (explain .*)\n    ([A-Z]+, .*)$", README.read_text(), re.MULTILINE)
    assert len(shown) == 2
    for command, said in shown:
        words = command.partition("#")[0].split()
        told = run(*words, COLUMNS="200").stdout.decode().split("\n\n")[0]
        assert " ".join(told.split()).startswith(said)
