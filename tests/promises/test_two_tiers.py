"""The bounded dossier answers exactly as a replay of the whole history, however small it is cut and however facts arrive.

Also: the same log gives the same bytes. `GATE61_TIERS` sets how many seeds.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

import gate.arrival
import gate.dossier
import gate.revision
import gate.solicitation
import gate.trimming
import streams.clients
from gate.dossier import Dossier
from gate.evolve import Reach, evolve
from gate.facts import Contacted, EvidenceFiled, Fact, Narrowed, Requested
from gate.forgotten import everything
from gate.register import Register
from state import MemoryStore
from state.codec import dossier_to_bytes
from tests.player import POLICY, Played, codes, play
from tests.promises import reaching
from tests.promises.histories import history
from tests.promises.papers import life

SEEDS = range(int(os.environ.get("GATE61_TIERS", "400")))
KEPT = (
    (gate.dossier, "KEPT_TOUCHES"),
    (gate.trimming, "KEPT_SCOPES"),
    (gate.trimming, "KEPT_OWN_EVENTS"),
    (gate.trimming, "KEPT_OFFERS"),
)
_SOFTNESS = {"allow": 0, "flag": 1, "block": 2}


def told(played: Played) -> Any:
    """What must agree: everything of an answer but ids of the facts, of which a cut dossier knows fewer."""
    return {
        key: [
            (a["verdict"], a["may_send"], a["send_by"], codes(a), a["scope"], a["initiation"]["grade"], a["decision"])
            for a in answers
        ]
        for key, answers in played.answers.items()
    }


def from_history_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every fact ask for the history."""

    def step(known: Any, fact: Any, policy: Any, history: Any = None) -> Any:
        if history is None:
            return gate.arrival.HISTORY_NEEDED
        return gate.arrival.step(known, fact, policy, history)

    monkeypatch.setattr(streams.clients, "step", step)


def cutting(monkeypatch: pytest.MonkeyPatch, kept: Sequence[int]) -> None:
    """Make a dossier keep so much."""
    for (module, name), value in zip(KEPT, kept, strict=True):
        monkeypatch.setattr(module, name, value)


def both(
    monkeypatch: pytest.MonkeyPatch, events: list[dict[str, Any]], kept: Sequence[int], live: int
) -> tuple[Played, Played]:
    """What comes out of a dossier that keeps so much, and of the whole history."""
    with monkeypatch.context() as cut:
        cutting(cut, kept)
        bounded = play(events, MemoryStore(live=live))
    with monkeypatch.context() as whole:
        from_history_only(whole)
        return bounded, play(events)


@pytest.mark.parametrize("kept", [(4, 24, 48, 16), (4, 2, 2, 2)], ids=["as shipped", "cut to almost nothing"])
def test_the_dossier_answers_like_the_history(kept: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts, reasons, scopes and cases agree for every seed."""
    verdicts: Counter[str] = Counter()
    for seed in SEEDS:
        bounded, replayed = both(monkeypatch, history(seed), kept, live=1 + seed % 3)
        assert told(bounded) == told(replayed), f"seed {seed}"
        assert bounded.cases == replayed.cases, f"seed {seed}"
        verdicts.update(a[0]["verdict"] for a in bounded.answers.values())
    assert all(verdicts[v] > len(SEEDS) // 8 for v in _SOFTNESS), verdicts


def cases(played: Played) -> list[tuple[str, list[str]]]:
    """Why each case was opened, and what it leans on."""
    opened = (e["data"] for e in played.out if e["type"] == "gate61.case.opened.v1")
    return sorted((case["why"], case["facts"]) for case in opened)


def test_papers_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who filed and approved what, of how many requests: answers, and cases with what they lean on."""
    allowed = 0
    for seed in SEEDS:
        bounded, replayed = both(monkeypatch, life(seed), (4, 2 + seed % 3, 2, 2), live=1)
        assert told(bounded) == told(replayed), f"seed {seed}"
        assert cases(bounded) == cases(replayed), f"seed {seed}"
        allowed += sum(a[0]["verdict"] == "allow" for a in bounded.answers.values())
    assert allowed > len(SEEDS) // 2


TOUCHES = ((gate.dossier, "KEPT_TOUCHES"), (gate.solicitation, "KEPT_TOUCHES"), (gate.revision, "KEPT_TOUCHES"))


def said_of_scopes(played: Played) -> list[tuple[int, str, str]]:
    """What was said of scopes and with which event, but not which fact showed it."""
    return sorted(
        (line, e["type"], json.dumps(e["data"] | {"because": None}, sort_keys=True))
        for line, e in zip(played.lines, played.out, strict=True)
        if e["type"].startswith(("gate61.scope", "gate61.relationship"))
    )


@pytest.mark.parametrize(("touches", "scopes"), [(1, 10**9), (4, 1), (1, 2)])
def test_what_is_cut_is_told_of(touches: int, scopes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a scope is tainted is said with the same event as if nothing were cut, whatever the register says, and when."""
    tainted = 0
    for seed in SEEDS:
        with monkeypatch.context() as whole:
            cutting(whole, (4, 10**9, 10**9, 10**9))
            whole.setattr(gate.dossier, "KEPT_TOUCHES", 10**9)
            every = said_of_scopes(play(reaching.life(seed)))
        with monkeypatch.context() as cut:
            cutting(cut, (4, scopes, 2, 2))
            for module, name in TOUCHES:
                cut.setattr(module, name, touches)
            assert said_of_scopes(play(reaching.life(seed))) == every, f"seed {seed}"
        tainted += sum(kind == "gate61.scope.tainted.v1" for _, kind, _ in every)
    assert tainted > len(SEEDS)


def test_the_same_log_gives_the_same_bytes() -> None:
    """Twice the same, whatever stays in memory."""
    for seed in range(60):
        events = history(seed)
        assert json.dumps(play(events).out) == json.dumps(play(events, MemoryStore(live=1)).out), f"seed {seed}"


@pytest.mark.parametrize("promoters", [("little", "much"), ("much", "little")])
def test_what_asks_for_the_history_has_changed_nothing(promoters: tuple[str, str]) -> None:
    """Neither what people narrow beside touches that were cut, nor an accusation of a request that may have been cut."""
    dossier, register = Dossier("anna", forgotten=everything()), Register(POLICY)
    for by in promoters:
        for n in range(1 if by == "little" else 20):
            mail = Contacted(by, "email", "marketing")
            assert evolve(dossier, Fact("//x", f"{by}-{n}", "anna", 10 + n, 10 + n, mail), register) is Reach.FORWARD
    before = dossier_to_bytes(dossier)
    for said in (
        Narrowed("little-0", "st-a", "st-b", "not for us", ()),
        EvidenceFiled("ev", "solicitation", "complaint", "st-a", request="long ago"),
        Requested("custody", "t", "web", "order", in_reply_to="long ago"),
    ):
        assert evolve(dossier, Fact("//x", "late", "anna", 50, 50, said), register) is Reach.HISTORY
        assert dossier_to_bytes(dossier) == before, said
