"""Beside a worker: who is still to be judged again behind changes of the register that wait for their turn."""

import json
from collections import Counter
from typing import Any, cast

import pytest

from gate.concern import Concern, is_partial, leanings
from gate.dossier import Dossier
from gate.facts import Fact
from state import MemoryStore
from state.notes import REGISTER, WALK
from state.redis.reader import Remembered
from streams.ask import over_redis
from streams.ask.over_redis import OverRedis
from streams.embedded import Gate
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.worker.outputs import CONTENT_TYPE
from tests.player import POLICY
from tests.promises.histories import history
from tests.simulation.run import OF_REGISTER
from tests.simulation.world import Record
from tests.stories.telling import Event, campaign, clean_client, entity, offer

NOW = 1_790_000_000_000
"""Milliseconds: after all that the stories tell of."""


class Stream:
    """The register's log as it was read, and nothing that is wrong."""

    partitions = 1

    def __init__(self) -> None:
        self.followed = Followed()
        self.followed.add(Log.POLICY, Record("policy", 0, 0, NOW, None, DEFAULT.read_bytes(), (CONTENT_TYPE,)))

    def registered(self, *events: Event) -> None:
        """These stand in the log, too."""
        for event in events:
            line, at = (
                json.dumps(event | {"recordedtime": "2026-09-01T00:00:00Z"}).encode(),
                self.followed.read[Log.REGISTER],
            )
            self.followed.add(Log.REGISTER, Record("register", 0, at, NOW + at, None, line, (CONTENT_TYPE,)))

    def trouble(self) -> str:
        return ""

    def furthest(self, partition: int) -> int:
        return 0

    def behind(self, partition: int, next_offset: int | None) -> float:
        return 0.0


def beside(stream: Stream) -> OverRedis:
    """The reader over that, which asks no Redis here."""
    return OverRedis(cast(Any, stream), cast(Any, None), 1.0, lambda: NOW * 1000, "nowhere")


def dossiers_of(events: list[Event]) -> list[Dossier]:
    """What the embedded gate remembers of clients."""
    store = MemoryStore()
    gate = Gate(POLICY, store)
    for event in events:
        gate.take(json.dumps(event).encode())
    return [*store.dossiers()]


def remembered(dossier: Dossier, applied: int, walking: int = -1) -> Remembered:
    """That a partition has applied so much of the register, and is still judging again behind a change of it, or is not."""
    return Remembered(1, {REGISTER: applied, WALK: walking}, dossier, None)


@pytest.mark.parametrize("seed", range(40))
def test_it_is_asked_of_each_change_whether_it_concerns_him(seed: int) -> None:
    """Whatever the partitions have applied, and whatever comes to the register in between."""
    events = history(seed, 60)
    of_register = [e for e in events if e["type"].removeprefix("gate61.").startswith(OF_REGISTER)]
    stream, clients = Stream(), dossiers_of(events)
    reader = beside(stream)
    for number, event in enumerate(of_register):
        stream.registered(event)
        if number % 5 and number + 1 < len(of_register):
            continue
        for applied, walking in ((0, -1), (number // 2, -1), (number, number // 3), (number + 1, -1)):
            for partition, dossier in enumerate(clients):
                register = reader._current()
                facts = [
                    stream.followed.fact(n)
                    for n in range(min(applied, walking) if walking >= 0 else applied, number + 1)
                ]
                expected = any(
                    is_partial(dossier, register) or Concern(fact, register).among(leanings(dossier))
                    for fact in facts
                    if isinstance(fact, Fact) and dossier.latest >= fact.at
                )
                assert reader._is_pending(partition % 2, remembered(dossier, applied, walking), register) is expected


def test_whom_a_change_concerns_is_found_out_once_for_a_whole_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of recipients beside thousands of changes: else the answer comes too late for all but the first."""
    made: Counter[str] = Counter()

    def counted(fact: Fact, register: Any) -> Concern:
        made[fact.id] += 1
        return Concern(fact, register)

    monkeypatch.setattr(over_redis, "Concern", counted)
    clients = [d for n in range(20) for d in dossiers_of([*clean_client(f"c{n}"), offer(who=f"c{n}")])]
    stream = Stream()
    stream.registered(*(campaign(f"k{n}", at=f"-{n + 1} min", id=f"k{n}", countries=["FR"]) for n in range(50)))
    reader = beside(stream)
    for _ in range(3):
        assert not any(reader._is_pending(0, remembered(dossier, 0), reader._current()) for dossier in clients)
    assert len(made) == 50 and set(made.values()) == {1}
    stream.registered(entity("firm", "firm", at="-1 d", id="again"))
    assert not any(reader._is_pending(1, remembered(dossier, 0), reader._current()) for dossier in clients)
    assert len(made) == 51 and set(made.values()) == {1, 2}, "whom one concerns is said by the whole register"
