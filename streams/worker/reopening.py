"""Clients judged again behind a change of the register that reaches back to them: in portions, in between batches.

A change may reach back to all clients, too many for one write. Until all are judged again nothing else of the register
counts, and whoever something happens to meanwhile is judged again first: so the order is that of the logs.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from time import perf_counter
from typing import Final, Protocol

from gate.concern import Concern
from gate.facts import Fact
from state import Store
from streams.clients import Clients
from streams.worker.outputs import Output
from streams.worker.progress import Applied
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
        self._waiting: dict[str, None] = {}
        self._clients: Clients | None = None
        self._concern: Concern | None = None
        self._input = b""
        self._learnt: Applied = (0, 0, 0, 0)

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, clients: Clients, fact: Fact, offset: int, learnt: Applied) -> None:
        """A change of the register at that offset is learnt, with the logs applied so far."""
        self._clients, self._learnt = clients, learnt
        self._concern = concern = Concern(fact, clients.register)
        self._input = b"register:%d" % offset
        self._waiting = dict.fromkeys(clients.behind(concern))

    def some(self, outputs: list[Output], seconds: float) -> None:
        """Judge the next ones again, one at least, and no more once so many seconds are over."""
        begun, most = perf_counter(), len(outputs) + TOLD_AT_ONCE
        waiting = list(islice(self._waiting, REOPENED_AT_ONCE))
        for begin in range(0, len(waiting), TOGETHER):
            portion = waiting[begin : begin + TOGETHER]
            self._fetch(portion)
            for client in portion:
                self.of(client, outputs)
                if len(outputs) >= most or perf_counter() - begun >= seconds:
                    return

    def of(self, client: str, outputs: list[Output]) -> None:
        """Judge this one again, if his turn has not come, before anything else happens to him."""
        if client not in self._waiting:
            return
        del self._waiting[client]
        clients, concern = self._clients, self._concern
        assert clients is not None and concern is not None
        self._counts["reopened", ""] += 1
        effects = clients.reopen(client, concern)
        # As of when the register changed: whatever came since concerns others.
        outputs += self._telling.effects(effects, self._input, self._learnt, concern.fact.recorded, clients.policy)

    def _fetch(self, portion: Sequence[str]) -> None:
        """What judging them again will ask for, in two round trips for all."""
        clients, concern = self._clients, self._concern
        assert clients is not None and concern is not None
        self._store.recall(portion, ())
        self._store.recall_histories([c for c in portion if clients.concerned(c, concern)])
