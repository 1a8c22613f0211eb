"""What may be taken of the records that Kafka gives, for whoever judges by them: worker, `gate61 rebuild`, `ask`, desk, alerts."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from gate.dossier import BEFORE_EVERYTHING
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
L = TypeVar("L", bound=Hashable)


def appended(record: Any) -> Instant:
    """When the broker appended it; raises `LogLost` where a sender chose that time: he could say that he told in time."""
    if record.timestamp_type != LOG_APPEND_TIME:
        raise with_a_senders_time(record.topic, record.offset)
    return int(record.timestamp) * MILLISECOND


class Clamped(Generic[L]):
    """Append times by which is judged: in a log none is before that of the record before it (design section 3, Time).

    The clock of who comes to lead a partition may be behind that of who led it.
    """

    def __init__(self, latest: Mapping[L, Instant] = {}) -> None:
        """Where records were taken before: by log, the latest time of any of them."""
        self.latest = dict(latest)

    def appended(self, log: L, record: Any) -> Instant:
        """When the next record of that log counts as appended; raises as `appended`."""
        at = self.latest[log] = max(appended(record), self.latest.get(log, BEFORE_EVERYTHING))
        return at


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
