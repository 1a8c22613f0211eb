"""A partition's clients judged again behind a change of the register: in portions, in between batches (`streams.walk`)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Final, Protocol

from gate.facts import Fact
from state import Store
from streams.clients import Clients
from streams.walk import Walk
from streams.worker.outputs import Output
from streams.worker.pins import Reach
from streams.worker.telling import Telling

REOPENED_AT_ONCE = 500
"""Clients judged again with each batch."""
TOLD_AT_ONCE = 10_000
"""Outputs of these, after which the next client waits for the next batch: all of a batch is one write."""
TOGETHER: Final = 100
"""Of these, whose histories are fetched in one round trip."""


class HistoryStore(Store, Protocol):
    """A store that fetches what reopening many clients asks for, in few round trips."""

    def recall(self, clients: Iterable[str], ids: Sequence[bytes]) -> int:
        """Fetch their dossiers; returns how many were not in memory."""

    def recall_histories(self, clients: Iterable[str]) -> None:
        """Fetch the histories of clients who are judged again next."""


class Reopening:
    """Who waits to be judged again behind the latest change of the register."""

    def __init__(self, store: HistoryStore, telling: Telling, counts: Counter[tuple[str, str]]) -> None:
        self._store, self._telling, self._counts = store, telling, counts
        self._walk: Walk | None = None
        self._input = b""
        self._learnt = Reach((0, 0, 0, 0), ())

    def __len__(self) -> int:
        return 0 if self._walk is None else len(self._walk)

    def begin(self, clients: Clients, fact: Fact, offset: int, learnt: Reach) -> None:
        """A change of the register at that offset is learnt, with the logs applied so far."""
        self._walk = Walk(clients, fact)
        self._learnt, self._input = learnt, b"register:%d" % offset

    def some(self, outputs: list[Output], seconds: float) -> None:
        """Judge the next ones again, one at least, and no more once so many seconds are over."""
        if self._walk is None:
            return
        begun, most = perf_counter(), len(outputs) + TOLD_AT_ONCE
        waiting = self._walk.next(REOPENED_AT_ONCE)
        for begin in range(0, len(waiting), TOGETHER):
            portion = waiting[begin : begin + TOGETHER]
            self._fetch(self._walk, portion)
            for client in portion:
                self.of(client, outputs)
                if len(outputs) >= most or perf_counter() - begun >= seconds:
                    return

    def of(self, client: str, outputs: list[Output]) -> None:
        """Judge this one again, if his turn has not come, before anything else happens to him."""
        walk = self._walk
        if walk is None or client not in walk:
            return
        self._counts["reopened", ""] += 1
        effects = walk.judge(client)
        # As of when the register changed: whatever came since concerns others.
        outputs += self._telling.effects(effects, self._input, self._learnt, walk.fact.recorded, walk.policy)

    def _fetch(self, walk: Walk, portion: Sequence[str]) -> None:
        """What judging them again will ask for, in two round trips for all."""
        self._store.recall(portion, ())
        self._store.recall_histories([client for client in portion if walk.concerns(client)])
