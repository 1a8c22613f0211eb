"""Reading a topic to where it ended: whoever takes the records may take his time, and a log that stalls is said to."""

from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from streams.kafka.reading import Extent, NotRead, records

LETTERS = TopicPartition("letters", 0)


class Fetched:
    """A record."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


class Portions(KafkaConsumer):  # type: ignore[misc]
    """A consumer that is given three records, one at a time, then none."""

    def __init__(self, clock: list[float]) -> None:
        self.clock, self.at = clock, 0

    def assign(self, partitions: list[TopicPartition]) -> None:
        """See KafkaConsumer."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See KafkaConsumer."""

    def position(self, partition: TopicPartition, timeout_ms: int | None = None) -> int:
        """See KafkaConsumer."""
        return self.at

    def poll(self, timeout_ms: int = 0, **how: Any) -> dict[TopicPartition, list[Fetched]]:
        """See KafkaConsumer."""
        self.clock[0] += 0.5
        if self.at == 3:
            return {}
        self.at += 1
        return {LETTERS: [Fetched(self.at - 1)]}


@pytest.mark.parametrize("end", [3, 4])
def test_a_reader_who_takes_a_minute_over_each_record_gets_all(monkeypatch: pytest.MonkeyPatch, end: int) -> None:
    """And is told that a log stalls only where nothing came of it for so long while he waited."""
    clock = [0.0]
    monkeypatch.setattr("streams.kafka.reading.monotonic", lambda: clock[0])
    found = []
    try:
        for record in records(Portions(clock), Extent("letters", {0: (0, end)})):
            found.append(record.offset)
            clock[0] += 60
        assert end == 3
    except NotRead as error:
        assert end == 4 and "nothing came for 30 s" in str(error)
    assert found == [0, 1, 2]
