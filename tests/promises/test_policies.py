"""Policies that follow one another: the bounded dossier answers as the whole history, and as the independent model.

`GATE61_POLICIES` sets how many seeds of each kind.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from gate.instants import text
from state import MemoryStore
from tests.model.facts import REGISTER
from tests.model.histories import history as recipes
from tests.model.oracle import REACHES_BACK, Answer
from tests.model.oracle import answers as model
from tests.player import Played, codes, play
from tests.promises import papers
from tests.promises.histories import history as dense
from tests.promises.prompting import apart, life, numbers, policies
from tests.promises.test_two_tiers import cutting, from_history_only

SEEDS = range(int(os.environ.get("GATE61_POLICIES", "30")))
MAKERS: dict[str, Callable[[int], list[Any]]] = {
    "dense": dense,
    "recipes": recipes,
    "papers": papers.life,
    "prompting": life,
}
CARE = frozenset(f"gate61.{name}.v1" for name in (*REGISTER, *REACHES_BACK, "offer.proposed", "review.released"))
"""What touches offers at times of its own, or none but its own."""
Said = tuple[tuple[str, str], str, bool, str | None, frozenset[str]]


def by_line(played: Played) -> dict[int, dict[Said, bool]]:
    """What was answered to each event, and whether that replaces the answer of an earlier policy."""
    found: dict[int, dict[Said, bool]] = {}
    given: dict[str, str] = {}
    for line, out in zip(played.lines, played.out, strict=True):
        if out["type"] != "gate61.offer.decided.v1":
            continue
        a = out["data"]
        given[a["decision"]] = a["policy"]["version"]
        key = (a["event"]["source"], a["event"]["id"])
        said = (key, a["leading"], a["may_send"], a["send_by"], frozenset(codes(a)))
        found.setdefault(line, {})[said] = given.get(a["supersedes"] or a["decision"]) != a["policy"]["version"]
    return found


def by_line_of_model(offers: dict[tuple[str, str], list[Answer]]) -> dict[int, dict[Said, bool]]:
    """The same of the model."""
    found: dict[int, dict[Said, bool]] = {}
    for key, answers in offers.items():
        for before, a in zip([answers[0], *answers], answers, strict=False):
            said = (key, a.leading, a.may_send, None if a.send_by is None else text(a.send_by), a.codes)
            found.setdefault(a.line, {})[said] = a.superseding and before.numbers is not a.numbers
    return found


def agreed(
    got: dict[int, dict[Said, bool]], want: dict[int, dict[Said, bool]], events: list[Any], seed: int
) -> Counter[bool]:
    """How many lines agree: all, until one of both judges an offer again that an earlier policy answered.

    Which offers such an arrival may touch is a matter of care; where all are judged by one policy it shows nowhere.
    Whether people release an answer is not.
    """
    lines: Counter[bool] = Counter()
    for line in sorted(got.keys() | want.keys()):
        some, others = got.get(line, {}), want.get(line, {})
        if not lines[False] and some != others:
            parted = {s: old for s, old in (some | others).items() if (s in some) != (s in others)}
            careful = events[line - 1]["type"] in CARE and all(leading != "RELEASED" for _, leading, *_ in parted)
            assert careful and all(parted.values()), f"seed {seed}, line {line}: {some}, not {others}"
            lines[False] += 1
        else:
            lines[not lines[False]] += 1
    return lines


@pytest.mark.parametrize("kept", [(4, 24, 48, 16), (4, 2, 2, 2)], ids=["as shipped", "cut to almost nothing"])
@pytest.mark.parametrize("name", MAKERS)
def test_the_dossier_answers_like_the_history(
    name: str, kept: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was concluded, and cut, by the policies before."""
    lines: Counter[bool] = Counter()
    for seed in SEEDS:
        events = apart(MAKERS[name](seed))
        then = policies(seed, len(events))
        with monkeypatch.context() as cut:
            cutting(cut, kept)
            bounded = play(events, MemoryStore(live=1 + seed % 3), then=then)
        with monkeypatch.context() as whole:
            from_history_only(whole)
            replayed = play(events, then=then)
        lines += agreed(by_line(bounded), by_line(replayed), events, seed)
    assert lines[True] > 40 * lines[False], lines


@pytest.mark.parametrize("name", MAKERS)
def test_the_gate_agrees_with_the_model(name: str) -> None:
    """Under all numbers that a policy has of what is judged."""
    lines: Counter[bool] = Counter()
    for seed in SEEDS:
        events = apart(MAKERS[name](seed))
        then = policies(seed, len(events))
        played, expected = play(events, then=then), model(events, then=numbers(then))
        lines += agreed(by_line(played), by_line_of_model(expected.offers), events, seed)
    assert lines[True] > 9 * lines[False], lines
