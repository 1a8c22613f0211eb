"""What a partition says to the world: its answers and notices, the dead letters, and the block of an unreadable offer."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from gate.effects import Answer
from gate.facts import Instant
from gate.outcome import Verdict
from gate.policy import Policy
from streams import publish
from streams.border.wire import Rejected
from streams.clients import Effect
from streams.kafka.record import beside, dead_letter_headers
from streams.logs.merge import Arrival
from streams.worker.fitting import kept_of
from streams.worker.outputs import Origin, Output, answer, outputs_of
from streams.worker.pins import Reach
from streams.worker.progress import Notes

_ANSWERED: Final = "answered "
"""The same bytes are answered once, however long ago: this is kept for good."""


class Telling:
    """Makes the outputs of one partition and counts them."""

    def __init__(
        self,
        number: int,
        partitions: int,
        version: str,
        counts: Counter[tuple[str, str]],
        notes: Notes,
    ) -> None:
        """`version` is of this program, `counts` are the partition's, in `notes` is kept which unreadable offers are answered."""
        self._number = number
        self._partitions = partitions
        self._version = version
        self._counts = counts
        self._notes = notes

    def effects(
        self, effects: Iterable[Effect], input: bytes, reach: Reach, recorded: Instant, policy: Policy
    ) -> Iterable[Output]:
        """What follows from an input, given on so much of each log."""
        effects = list(effects)
        for effect in effects:
            if isinstance(effect, Answer):
                self._counts[effect.outcome.verdict.word, effect.outcome.leading] += 1
        return outputs_of(effects, self._origin(input, reach), recorded, policy) if effects else ()

    def rejected(
        self,
        topic: int,
        reject: Rejected,
        arrival: Arrival,
        input: bytes,
        reach: Reach,
        policy: Policy,
    ) -> Iterator[Output]:
        """What cannot be taken, as it came; an offer in it is answered all the same."""
        self._counts["rejected", reject.reason] += 1
        yield self._dead_letter(topic, reject, arrival.record, policy)
        if reject.client is None or reject.offer is None:
            return
        record = arrival.record
        value, around = record.value or b"", beside(record.headers)
        decision = publish.unreadable_id(value, around, policy)
        answered = f"{_ANSWERED}{publish.unreadable_mark(value, around)}"
        # Older state has it by the answer's own id.
        if self._notes.noted(answered) is None and self._notes.noted(f"{_ANSWERED}{decision}") is None:
            self._notes.note(answered, b"")
            line = publish.unreadable(reject, decision, arrival.at, policy)
            self._counts["block", "UNREADABLE_OFFER"] += 1
            yield from answer(line, reject.client, Verdict.BLOCK, self._origin(input, reach), policy)

    def _origin(self, input: bytes, reach: Reach) -> Origin:
        return Origin(self._number, self._partitions, input, reach)

    def _dead_letter(self, topic: int, reject: Rejected, record: Any, policy: Policy) -> Output:
        kept = kept_of(record.key, record.value, tuple(record.headers))
        errors = dead_letter_headers(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            stage="read",
            reason=reject.reason,
            message=reject.message,
            attempts=1,
            version=self._version,
            policy=policy.digest,
            **({"cut": kept.cut} if kept.cut else {}),
        )
        return Output(topic, self._number, kept.key, kept.value, (*kept.headers, *errors))
