"""Whatever happens to workers, Redis and what they are told: every answer is given once by meaning, and none is wrong."""

import asyncio
import json
import os
from collections import Counter

import pytest

from streams.wire import instant
from streams.worker.outputs import BETWEEN, CASES, DECISIONS, FLAGGED, NOTICES
from tests.player import asked_again
from tests.promises.histories import history
from tests.simulation.run import PARTITIONS, plan, simulate
from tests.simulation.world import KINDS, REGISTER, World
from tests.stories.telling import clean_client, contacted, offer

SEEDS = int(os.environ.get("GATE61_SIMULATIONS", "500"))
FAULTS = 0.02
_OF_PEOPLE = ("gate61.review.released.v1", "gate61.offer.delivered.v1")
VERDICTS = ("allow", "flag", "block")


def _published(world: World, *topics: int) -> dict[str, bytes]:
    """By id; copies must be the same bytes."""
    found: dict[str, bytes] = {}
    for topic in topics:
        for partition in range(PARTITIONS):
            for record in world.logs.get((topic, partition), []):
                id = json.loads(record.value or b"")["id"]
                assert found.setdefault(id, record.value or b"") == record.value, "copies are identical"
    return found


def _by_id(lines: list[bytes], *kinds: str) -> dict[str, bytes]:
    return {e["id"]: line for line in lines if (e := json.loads(line))["type"].startswith(kinds)}


def _stands(lines: dict[str, bytes]) -> dict[tuple[str, str], str]:
    """The verdict of the answer to every offer that no other supersedes."""
    told = [json.loads(line)["data"] for line in lines.values()]
    replaced = {d["supersedes"] for d in told}
    standing = [d for d in told if d["decision"] not in replaced and d["leading"] != "UNREADABLE_OFFER"]
    return {(d["event"]["source"], d["event"]["id"]): d["verdict"] for d in standing}


@pytest.mark.parametrize("chunk", range(10))
def test_no_trouble_changes_an_answer(chunk: int) -> None:
    """The same answers, notices and cases as `gate61 decide` gives on the same log, whatever goes wrong."""
    for seed in range(chunk * SEEDS // 10, (chunk + 1) * SEEDS // 10):
        events = [e for e in history(seed, 60) if e["type"] != "gate61.client.merged.v1"]
        planned, said = plan(events)
        world = asyncio.run(simulate(seed, planned, FAULTS if seed % 10 else 0.0))
        answers = _published(world, DECISIONS)
        assert answers == _by_id(said, "gate61.offer"), f"seed {seed}"
        assert _published(world, FLAGGED).keys() <= answers.keys()
        notices, expected = _published(world, NOTICES), _by_id(said, "gate61.scope", "gate61.relationship")
        # The clock closes windows too, where the embedded gate needs an event that can be taken.
        extra = [json.loads(line) for id, line in notices.items() if id not in expected]
        assert all(e["type"] == "gate61.scope.closed.v1" and instant(e["time"]) <= world.clock for e in extra)
        assert {id: notices.get(id) for id in expected} == expected, f"seed {seed}"
        assert _published(world, CASES) == _by_id(said, "gate61.case"), f"seed {seed}"


def test_brokers_whose_clocks_differ_make_no_answer_contradict_what_was_published() -> None:
    """The register's broker is behind: what it appends later has an earlier time. Redis goes back again and again."""
    later = 0
    for seed in range(SEEDS // 5):
        events = [e for e in history(seed, 60) if e["type"] not in _OF_PEOPLE]
        planned, _ = plan(events)
        world = asyncio.run(simulate(seed, planned, 3 * FAULTS, behind={REGISTER: 1_500_000, BETWEEN: 700_000}))
        answers = _published(world, DECISIONS)  # Which fails if copies differ.
        first = [json.loads(line)["data"] for line in answers.values()]
        given = Counter(
            (d["event"]["source"], d["event"]["id"]) for d in first if d["supersedes"] is None and d["event"]["id"]
        )
        assert max(given.values(), default=1) == 1, f"seed {seed}"
        later += sum("pins=" in what or ("'pins': " in what and "'pins': 0" not in what) for what in world.happened)
    assert later > SEEDS // 20, "Redis went back behind published answers"


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Also of what went wrong."""
    planned, _ = plan(history(3, 60))
    one, two = (asyncio.run(simulate(3, planned, FAULTS)) for _ in range(2))
    assert one.logs == two.logs and one.happened == two.happened


def test_what_merged_clients_tell_each_other_arrives() -> None:
    """It takes a while; in the end no answer that stands is softer than all the facts together say (P1)."""
    for seed in range(SEEDS // 5):
        events = [e for e in history(seed, 60) if e["type"] not in _OF_PEOPLE]
        planned, _ = plan(events)
        world = asyncio.run(simulate(seed, planned, FAULTS))
        have = _stands(_published(world, DECISIONS))
        for asked, answer in asked_again([json.loads(p.line) for p in planned]).items():
            assert VERDICTS.index(have[asked]) >= VERDICTS.index(answer["verdict"]), f"seed {seed}, {asked}"


def test_each_error_of_each_effect_fails_closed() -> None:
    """Row 11: one offer that must be blocked, one that may be sent; whatever fails, whenever, no answer is another."""
    told = [*clean_client(), contacted(at="-3 h"), offer(at="4 h"), *clean_client("ben"), offer(who="ben")]
    planned, said = plan(told)
    expected = _by_id(said, "gate61.offer")
    assert sorted(json.loads(line)["data"]["verdict"] for line in expected.values()) == ["allow", "block"]
    calm = asyncio.run(simulate(1, planned, 0.0))
    names = Counter(calm.effects)
    assert {"assume", "open", "bounds", "read", "ends", "work", "publish", "acknowledge"} <= names.keys()
    tried = 0
    seen: Counter[str] = Counter()
    for number, name in enumerate(calm.effects, 1):
        seen[name] += 1
        if seen[name] > 12 and name in ("read", "acknowledge", "work", "ends"):
            continue  # Idle rounds: nothing is under way.
        for kind in KINDS:
            world = asyncio.run(simulate(1, planned, 0.0, (number, kind)))
            assert _published(world, DECISIONS) == expected, f"{kind} at {name}, effect {number}"
            tried += 1
    assert tried > 200
