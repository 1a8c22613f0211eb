"""What may be taken of the records that Kafka gives, for whoever judges by them: the worker, `gate61 rebuild` and `ask`."""

from collections.abc import Sequence
from typing import Any, Final

from gate.facts import Instant
from gate.policy import MILLISECOND
from streams.logs.lost import with_a_senders_time

BATCH: Final = 2_000
"""Records of a partition in one batch at most."""
BATCH_MEMORY = 32 * 1024 * 1024
"""Bytes of these at most, or one record: what is fetched may unpack to far more than the broker sent, and all that follows
from a batch is one write, of which Redis takes half a gigabyte."""
LOG_APPEND_TIME: Final = 1
"""The type of a record's time, as the protocol numbers them."""


def appended(record: Any) -> Instant:
    """When the broker appended it; raises `LogLost` where a sender chose that time: he could say that he told in time."""
    if record.timestamp_type != LOG_APPEND_TIME:
        raise with_a_senders_time(record.topic, record.offset)
    return int(record.timestamp) * MILLISECOND


def as_many_as_fit(records: Sequence[Any]) -> int:
    """How many of the records, from the first on, are no more than `BATCH_MEMORY` together; at least one."""
    held = 0
    for place, record in enumerate(records):
        held += record.serialized_key_size + record.serialized_value_size
        for _, value in record.headers:
            held += len(value or b"")
        if held > BATCH_MEMORY and place:
            return place
    return len(records)
