"""Whether an event came before: by its id for as long as that is looked up, by the client's history for longer."""

from collections.abc import Sequence
from typing import Final, Protocol

from gate.facts import Fact
from gate.packing import replaced
from gate.policy import DAY
from streams.border.wire import Read
from streams.logs.following import Followed
from streams.worker.progress import Progress
from streams.worker.reopening import HistoryStore

RECOGNISED: Final = 7 * DAY
"""Ids are looked up in their buckets for that long; whoever repeats an event later is found out by the history."""
PAST_KEPT: Final = 20_000
"""Facts of histories that are kept, within a batch, to find repeated events in."""


class IdStore(HistoryStore, Protocol):
    """A store of which an id can be asked back."""

    def unsee(self, key: bytes) -> None:
        """Take back that an id was new."""


class Repeated:
    """What is known of the events that came before to one partition, within a batch."""

    def __init__(self, store: IdStore, progress: Progress, followed: Followed) -> None:
        self._store, self._progress, self._followed = store, progress, followed
        self._late: dict[str, None] = {}
        """Of those who are spoken of, who has events so old that only his history tells whether they came before."""
        self._past: dict[str, dict[tuple[str, str], Fact]] = {}
        """By client, his own facts; of those who were asked for in this batch."""
        self._past_many = 0
        """How many facts these are together."""

    def begin(self, events: Sequence[Read]) -> None:
        """These events are the next batch."""
        self._late = dict.fromkeys(e.fact.client for e in events if self._is_late(e.fact))
        self._past, self._past_many = {}, 0

    def recall(self) -> None:
        """Fetch the histories that the batch will ask for."""
        if self._late:
            self._store.recall_histories(self._late)
            self._late = {}

    def seen(self, event: Read) -> bool | None:
        """Whether the event came before: None if not, and it has come now; False if with other content."""
        fact = event.fact
        seen = self._store.seen(event.key, event.content)
        if seen is None and self._is_late(fact):
            known = self._past_of(fact.client).get(fact.key)
            if known is not None:
                self._store.unsee(event.key)  # The first stands; whatever is not taken uses up no id.
                return known == replaced(fact, recorded=known.recorded)
        if seen is None and fact.client in self._past:
            self._past[fact.client][fact.key] = fact  # A batch may span weeks: in it this may be repeated late.
        return seen

    def known(self, event: Read) -> bool:
        """Whether the event came before, with the same content; asking leaves no trace."""
        fact = event.fact
        if self._store.known(event.key, event.content):
            return True
        known = self._past_of(fact.client).get(fact.key) if self._is_late(fact) else None
        return known is not None and known == replaced(fact, recorded=known.recorded)

    def _is_late(self, fact: Fact) -> bool:
        """Whether it may have come before, longer ago than its id is looked up; its time may have been ahead then."""
        oldest = fact.recorded - RECOGNISED
        return fact.at < oldest + self._followed.tolerance and self._progress.born < oldest

    def _past_of(self, client: str) -> dict[tuple[str, str], Fact]:
        """The client's own facts; read once for a batch, as somebody may bring the whole past of one client late."""
        past = self._past.get(client)
        if past is None:
            facts = [r.fact for r in self._store.history(client) if r.fact is not None and r.of is None]
            self._past_many += len(facts)
            if self._past_many > PAST_KEPT:
                self._past, self._past_many = {}, len(facts)
            past = self._past[client] = {fact.key: fact for fact in facts}
        return past
