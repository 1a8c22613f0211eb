"""Every file of `tests/cases` is a story that the gate must answer in one way; adding one needs no code."""

import json
from pathlib import Path
from typing import Any

import pytest

from streams.border.wire import instant
from tests.player import codes, play

CASES = sorted((Path(__file__).parent.parent / "cases").glob("*.json"))


def _instant(text: str | None) -> int | None:
    return None if text is None else instant(text)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_story(path: Path) -> None:
    """Verdict, leading reason, all reasons, permission, time to send, rejects and cases are as the story says."""
    case: dict[str, Any] = json.loads(path.read_text())
    played = play(case["given"])
    expect = case["expect"]
    assert expect["offers"] or expect["rejected"], "a story is about some answer"
    for offer in expect["offers"]:
        got = played.answers.get((offer["event"]["source"], offer["event"]["id"]), [])
        told = [(a["verdict"], a["leading"], sorted(codes(a)), a["may_send"], _instant(a["send_by"])) for a in got]
        assert told == [
            (a["verdict"], a["leading"], sorted(a["codes"]), a["may_send"], _instant(a["send_by"]))
            for a in offer["answers"]
        ], offer["event"]["id"]
        assert all(codes(a)[0] == a["leading"] for a in got)
    assert len(played.rejected) == len(expect["rejected"])
    for want in expect["rejected"]:
        assert any(
            reason == want["reason"] and (id == want["id"] if "id" in want else line == want["line"])
            for line, id, reason in played.rejected
        )
    assert set(expect["cases"]) <= played.cases


def test_there_are_stories() -> None:
    """An empty folder would prove nothing."""
    assert len(CASES) >= 42
