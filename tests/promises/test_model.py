"""The gate agrees with an independent naive model that shares no code with it, on random histories in any order.

Compared are, for every offer: the number of answers, and of each the verdict, `may_send`, leading reason and the whole
set of reasons; and every reject. `GATE61_HISTORIES` sets how many seeds of each kind (default 1,000), and
`GATE61_FIRST_HISTORY` the first of them: `tests/native` plays the 9,000 after those, compiled.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from random import Random
from typing import Any

import pytest

from gate.instants import text
from streams import native
from tests.model.histories import history as another
from tests.model.oracle import answers as model
from tests.player import codes, play
from tests.progress import counted
from tests.promises.histories import history

SEEDS = int(os.environ.get("GATE61_HISTORIES", "1000"))
FIRST = int(os.environ.get("GATE61_FIRST_HISTORY", "0"))
CHUNK = 250
MAKERS: dict[str, Callable[[int], list[Any]]] = {"dense": history, "recipes": another}
FAILED_ONCE = {"dense": (4584, 5697, 6126, 7393, 9242, 11018, 14705, 50142), "recipes": (893, 1126, 5369)}
"""Seeds that once showed a mistake, of the gate or of the model."""


def repeated_ahead(events: list[Any], seed: int) -> list[Any]:
    """With some events again that say to have been recorded long before they happened, a few of them with other content."""
    random, found = Random(f"{seed} ahead"), list(events)
    for event in (e for e in events if random.random() < 0.04):
        again = {**event, "recordedtime": "2020-01-01T00:00:00Z"}
        if random.random() < 0.2 and isinstance(event.get("data"), dict):
            again["data"] = {**event["data"], "more": "x"}
        found.insert(random.randint(0, len(found)), again)
    return found


def _text(at: int | None) -> str | None:
    return None if at is None else text(at)


def compared(name: str, seeds: Sequence[int]) -> tuple[Counter[str], list[str]]:
    """How often each verdict was given first, and every difference."""
    verdicts: Counter[str] = Counter()
    differences: list[str] = []
    for seed in seeds:
        events = repeated_ahead(MAKERS[name](seed), seed)
        played, expected = play(events), model(events)
        if [(n, why) for n, _, why in played.rejected] != [tuple(r) for r in expected.rejected]:
            differences.append(f"seed {seed}: rejects {played.rejected}, not {expected.rejected}")
        if set(played.answers) != set(expected.offers):
            differences.append(f"seed {seed}: offers {set(played.answers) ^ set(expected.offers)}")
            continue
        for key, answers in played.answers.items():
            got = [(a["verdict"], a["may_send"], a["send_by"], a["leading"], frozenset(codes(a))) for a in answers]
            want = [(a.verdict, a.may_send, _text(a.send_by), a.leading, a.codes) for a in expected.offers[key]]
            if got != want:
                differences.append(f"seed {seed}, offer event {key}: {got}, not {want}")
            verdicts[got[0][0]] += 1
    return verdicts, differences


@pytest.mark.parametrize("name", MAKERS)
def test_the_gate_agrees_with_an_independent_model(name: str) -> None:
    """0 differences; all verdicts occur. On as many cores as there are."""
    seeds = [*FAILED_ONCE[name], *range(FIRST, FIRST + SEEDS)]
    cores = os.cpu_count() or 1
    verdicts: Counter[str] = Counter()
    compiled = native.preferred()
    # A process of the pool begins with the sources, whatever this one runs on.
    with ProcessPoolExecutor(cores, get_context("spawn"), native.prefer if compiled else None) as pool:
        assert pool.submit(native.preferred).result() == compiled
        chunks = [seeds[n : n + CHUNK] for n in range(0, len(seeds), CHUNK)]
        compare = partial(compared, name)
        for (found, differences), _ in zip(pool.map(compare, chunks), counted(chunks), strict=True):
            assert not differences, differences[:3]
            verdicts += found
    assert all(verdicts[v] > SEEDS // 20 for v in ("allow", "flag", "block")), verdicts
