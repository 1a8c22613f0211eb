"""Every case and what people do is answered alike from the dossier and from the whole history."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.player import play
from tests.promises.test_two_tiers import from_history_only
from tests.stories.telling import clean_client, event, in_order, offer, released

CASES = sorted((Path(__file__).parent.parent / "cases").glob("*.json"))
SIGNED: dict[str, Any] = {"decision": "@decision:offer-anna#1", "by": "st-one", "reason": "no"}
PEOPLE = in_order(
    [
        clean_client(),
        offer(at="25 h"),
        event("review.refused", "anna", "26 h", None, **SIGNED),
        released(at="26 h", expires="30 h", second="st-one"),
        released(at="26 h", expires="60 h"),
        released(at="26 h", expires="30 h"),
        released(at="27 h", expires="30 h", number=2),
    ]
)
HISTORIES = {path.stem: json.loads(path.read_text())["given"] for path in CASES} | {"people": PEOPLE}


@pytest.mark.parametrize("name", HISTORIES)
def test_the_whole_history_answers_like_the_dossier(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers, notices and cases, byte for byte."""
    by_dossier = play(HISTORIES[name])

    from_history_only(monkeypatch)
    by_history = play(HISTORIES[name])
    assert by_history.out == by_dossier.out
    assert by_history.rejected == by_dossier.rejected
