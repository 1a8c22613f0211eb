"""What brokers hold, read alike by both of Kafka's clients, aiokafka and kafka-python: what one can read the other can.

Of aiokafka's the epoch is known, too: whoever comes to lead a partition begins another one, and each batch says in which it
was appended. That tells records of a log that lost its end from those that stood there before (`streams.logs.standing`).

Brokers take any bytes as a header's name, and as a record's own attributes, which mean nothing yet; neither client can read
all of them, and a record with such would stop its partition for good. A name that is not UTF-8 is read with its bytes as
escapes (`\\xff`); all else as aiokafka does it, for kafka-python too, which has no codec but gzip by itself.
"""

from collections.abc import Iterator
from itertools import count, islice
from struct import unpack_from
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException, KafkaError
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint
from kafka.errors import CorruptRecordError
from kafka.record import default_records, legacy_records, memory_records
from msgspec import Struct

_LENGTH_AT, _HEAD = 8, 12
"""Where a batch says how long it is, and what comes before that is counted, in bytes."""
_EPOCH_AT = 12
"""Where it says under which leader (epoch) it was appended, and then in which format it is."""
_WITH_EPOCH = 2
"""The first format that says the epoch."""
NO_EPOCH = -1


def read_alike() -> None:
    """Let every consumer of this process, of either client, read whatever brokers hold."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = Records, OfPartition
    memory_records.DefaultRecordBatch = _ForPython
    memory_records.LegacyRecordBatch = _LegacyForPython


class Record(Struct, frozen=True):
    """A record, with the names that aiokafka gives; times in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    serialized_key_size: int
    serialized_value_size: int
    headers: tuple[tuple[str, bytes | None], ...]
    leader_epoch: int
    """Which of those who led the partition, one after the other, appended it; `NO_EPOCH` where the batch does not say."""


class OfPartition(PartitionRecords):  # type: ignore[misc]
    """The records of one answer of a broker's."""

    def _consumer_record(self, tp: Any, record: Any) -> Record:
        key, value = record.key, record.value
        return Record(
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp,
            record.timestamp_type,
            key,
            value,
            -1 if key is None else len(key),
            -1 if value is None else len(value),
            tuple(record.headers),
            self._records.epoch,
        )


class Records:
    """What a broker sent of a partition, batch by batch, as aiokafka's consumer asks for it."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0
        self.epoch = NO_EPOCH
        """Of the batch that was given last."""
        self._records = MemoryRecords(data)
        self.has_next = self._records.has_next
        self.size_in_bytes = self._records.size_in_bytes

    def next_batch(self) -> "_Batch":
        """The next batch."""
        begun = self._at
        batch = self._records.next_batch()
        self._at += _HEAD + int(unpack_from(">i", self._data, begun + _LENGTH_AT)[0])
        epoch, form = unpack_from(">ib", self._data, begun + _EPOCH_AT)
        self.epoch = epoch if form >= _WITH_EPOCH else NO_EPOCH
        return _Batch(batch, self._data[begun : self._at])


class _Batch:
    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        many = 0
        try:
            for record in self._batch:
                yield record
                many += 1
        except (UnicodeDecodeError, CorruptRecordException):
            yield from islice(_Tolerant(self._data), many, None)


class _Tolerant(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch read without the compiled reader, which alone can be told how to read names and attributes."""

    def __iter__(self) -> "_Tolerant":
        self._maybe_uncompress()
        self._buffer: Any = _Buffer(self._buffer)
        return self

    def _read_msg(self, *_: Any) -> Any:
        parts = count()

        def decoded(buffer: Any, at: int) -> tuple[int, int]:
            """The next number; the second one, a record's attributes, is a byte and no number of any length."""
            return (buffer[at], at + 1) if next(parts) == 1 else decode_varint(buffer, at)

        return super()._read_msg(decoded)


class _Buffer(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Name(found) if isinstance(place, slice) else found


class _Name(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")


class _ForPython(default_records.DefaultRecordBatch):  # type: ignore[misc]
    """A batch as kafka-python's consumer asks for it; of a transaction's mark it asks for `next` alone."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        data = bytes(self._buffer)
        return _handed_over(_Batch(DefaultRecordBatch(data), memoryview(data)))


class _LegacyForPython(legacy_records.LegacyRecordBatch):  # type: ignore[misc]
    """A batch from before Kafka 0.11, likewise."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return _handed_over(LegacyRecordBatch(bytes(self._buffer), self.magic))


def _handed_over(batch: Any) -> Iterator[Any]:
    """Records that aiokafka read, as kafka-python's; raises what that raises for a batch that is none."""
    try:
        for r in batch:
            size = len(r.key or b"") + len(r.value or b"")
            yield default_records.DefaultRecord(
                size, r.offset, r.timestamp, r.timestamp_type, r.key, r.value, [*r.headers]
            )
    except KafkaError as error:
        raise CorruptRecordError(str(error)) from None
