"""How the partitions of a worker go round: which do not get on, for `/readyz`, and whether to begin anew, for `/livez`."""

from collections.abc import Mapping

from aiokafka.errors import KafkaError

from gate.facts import Instant
from gate.policy import SECOND
from streams.worker.here import Here
from streams.worker.loop import PartitionLoop

STALLED_SECONDS = 30
"""What is there and not read for so long, though the loop goes round, is held back by a transaction, or by a broker that does not copy it."""
AWAITED_SECONDS = 5
"""What Kafka does sooner than that where it is well, and what a round takes."""
DEAF = 300 * SECOND
"""Trouble with Kafka that another process might not have."""
BUSY_SECONDS = 10
"""A round takes less where not much is to be judged."""
HANGS_SECONDS = 60
"""No round takes so long, unless something is being judged."""
STUCK_SECONDS = 300
"""No event takes so long to judge."""


class Rounds:
    """What can be seen of the loops from outside, by a clock that nobody sets."""

    def __init__(self, loops: Mapping[int, PartitionLoop], world: Here, inputs: str) -> None:
        """`loops` are the worker's, by partition, as they come and go; `inputs` is the topic that they read."""
        self._loops = loops
        self._world = world
        self._inputs = inputs
        self._stalled: dict[int, tuple[int, Instant]] = {}
        """By partition that has more than it could look at: how far it looked, and since when."""

    def saw(self, number: int, looked: int, end: int) -> None:
        """Note how far a partition has looked, and how far there is something."""
        before = self._stalled.pop(number, None)
        if looked < end and self._goes_round(number):
            self._stalled[number] = before if before and before[0] == looked else (looked, self._world.steady())

    def trouble(self) -> list[str]:
        """What keeps partitions from deciding; empty if nothing does."""
        waiting = [f"partition {n} is {loop.state}" for n, loop in self._loops.items() if loop.state != "running"]
        return [*self._awaiting(), *self._busy(), *self._unreadable(), *waiting]

    def hanging(self, heard: Instant, away: bool = False) -> list[str]:
        """Why the process should be started again; `heard` is when a broker last said something of the register.

        Loops that did not go round for a minute although nothing is known to be wrong and nothing is judged, or one thing
        for ever; those that wait for Kafka, for five, and not at all while that is `away`; and all of them where none got
        anything done with Kafka for long, though Kafka answers who follows the register.
        """
        now = self._world.steady()
        deaf = [loop for loop in self._loops.values() if isinstance(loop.trouble, KafkaError)]
        since = max((loop.round for loop in deaf), default=now)
        if len(deaf) == len(self._loops) and now - since > DEAF and now - heard < DEAF:
            return [f"no partition has got anything done with Kafka for {(now - since) // SECOND} s"]
        late = {n: self._seconds_since(loop.beat) for n, loop in self._loops.items() if loop.goes and not loop.paused}
        return [
            f"partition {n} has not gone round for {seconds} s"
            for n, seconds in late.items()
            if seconds > HANGS_SECONDS and not self._is_busy(self._loops[n], seconds, away)
        ]

    def _is_busy(self, loop: PartitionLoop, seconds: int, away: bool) -> bool:
        """Whether another process would do no better than a loop that has not gone round for so long."""
        if loop.awaits:
            return away or seconds * SECOND <= DEAF
        return loop.judging and self._world.at_it <= STUCK_SECONDS * SECOND

    def _goes_round(self, number: int) -> bool:
        """Whether a partition reads on, again and again."""
        loop = self._loops.get(number)
        return loop is not None and loop.state == "running" and self._seconds_since(loop.beat) <= AWAITED_SECONDS

    def _awaiting(self) -> list[str]:
        """Partitions that wait for Kafka longer than they do where it is well."""
        waited = {
            n: (loop.awaits[0], self._seconds_since(loop.awaits[1])) for n, loop in self._loops.items() if loop.awaits
        }
        return [
            f"partition {n} has waited for {seconds} s for Kafka {what}; see `gate61 doctor`"
            for n, (what, seconds) in waited.items()
            if seconds > AWAITED_SECONDS
        ]

    def _busy(self) -> list[str]:
        """Partitions whose round takes long for another reason: what comes meanwhile is not answered yet."""
        late = {n: self._seconds_since(loop.beat) for n, loop in self._loops.items() if loop.goes and not loop.awaits}
        return [
            f"partition {n} is still judging what it took {seconds} s ago"
            if self._loops[n].judging
            else f"partition {n} has not gone round for {seconds} s"
            for n, seconds in late.items()
            if seconds > BUSY_SECONDS and self._loops[n].state == "running"
        ]

    def _unreadable(self) -> list[str]:
        """Partitions that go round, and whose next record is there and does not come."""
        waited = {n: self._seconds_since(since) for n, (_, since) in self._stalled.items() if self._goes_round(n)}
        return [
            f"nothing more of `{self._inputs}:{n}` could be read for {seconds} s, though there is more: end the transaction "
            "that somebody has open there, or see that all brokers run that copy it"
            for n, seconds in waited.items()
            if seconds > STALLED_SECONDS
        ]

    def _seconds_since(self, then: Instant) -> int:
        return (self._world.steady() - then) // SECOND
