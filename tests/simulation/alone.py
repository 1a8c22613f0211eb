"""One partition by itself, without a loop: the test says what is read and when."""

import json
from collections.abc import Sequence
from typing import Any, cast

from gate.facts import Instant
from gate.instants import text
from state.redis.store import RedisStore
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.worker.outputs import CONTENT_TYPE, Output
from streams.worker.partition import Partition
from tests.simulation.world import FakeRedis, Record
from tests.stories.telling import Event

BEGUN = 1_780_000_000_000
"""Milliseconds: after all that the stories tell of."""


class Alone:
    """The partition, its logs and its Redis; each event is appended a millisecond after the one before."""

    def __init__(self, cached: int = 1000, redis: Any = None) -> None:
        self.redis = cast(Any, redis or FakeRedis())
        self.followed = Followed()
        self.store = RedisStore(self.redis, "t:0", cached=cached)
        self.actions: list[Record] = []
        self.between: list[Record] = []
        self._clock = BEGUN
        self._registered = self._governed = 0
        self.govern(DEFAULT.read_bytes())
        self.restart()

    def restart(self) -> None:
        """Another worker takes over."""
        self.partition = Partition(0, 1, self.followed, self.store, "0")
        self.partition.assume("this")
        assert self.partition.open()

    def govern(self, policy: bytes) -> None:
        """Append a policy."""
        self.followed.add(Log.POLICY, self._record("policy", self._governed, policy, None))
        self._governed += 1

    def _record(self, topic: str, offset: int, value: bytes, key: bytes | None) -> Record:
        self._clock += 1
        return Record(topic, 0, offset, self._clock, key, value, (CONTENT_TYPE,))

    def later(self, weeks: int = 0, days: int = 0) -> None:
        """Let so much time pass before what is appended next."""
        self._clock += (weeks * 7 + days) * 86_400_000

    @property
    def now(self) -> str:
        """What time it is."""
        return text(self._clock * 1000)

    def register(self, *events: Event) -> None:
        """Append to the register."""
        for event in events:
            record = self._record("register", self._registered, json.dumps(event).encode(), None)
            self.followed.add(Log.REGISTER, record)
            self._registered += 1

    def act(self, *events: Event) -> None:
        """Append to what happens around clients."""
        for event in events:
            key = event["subject"].encode()
            self.actions.append(self._record("actions", len(self.actions), json.dumps(event).encode(), key))

    def greet(self, message: bytes) -> list[Output]:
        """Append a message between merged clients; what comes of it, remembered."""
        self.between.append(self._record("between", len(self.between), message, None))
        partition, (acted, _) = self.partition, self.partition.next
        partition.read([], acted, self.between[-1:], len(self.between))
        partition.recall()
        outputs = partition.work([self._governed, self._registered, len(self.between), acted], 0)
        partition.remember(outputs)
        return outputs

    def round(self, read: Sequence[Record] = (), now: Instant = 0) -> list[Output]:
        """One batch, remembered: these records are read, and all that waits for its turn has it.

        `now` is the time by which windows close, if it is later than when the last record was appended.
        """
        partition = self.partition
        partition.read(read, read[-1].offset + 1 if read else 0, [], 0)
        partition.recall()
        outputs = partition.work([self._governed, self._registered, 0, partition.next[0] + len(read)], now)
        partition.remember(outputs)
        return outputs
