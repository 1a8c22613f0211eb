"""Records whose header names are not UTF-8: aiokafka cannot read them, and one would stop its partition for good.

Brokers take any bytes as a header's name, and clients that are not of the JVM send them. Such a name is read with its bytes
as escapes (`\\xff`); everything else of the record, and every other record, is read as ever.
"""

from collections.abc import Iterator
from itertools import islice
from struct import unpack_from
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH_AT, _HEAD = 8, 12
"""Where a batch says how long it is, and what comes before that is counted, in bytes."""


def tolerate_names() -> None:
    """Let every consumer of this process read such records."""
    fetcher.MemoryRecords = Records


class Records:
    """What a broker sent of a partition, batch by batch, as the consumer asks for it."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._records = MemoryRecords(data)
        self.has_next = self._records.has_next
        self.size_in_bytes = self._records.size_in_bytes

    def next_batch(self) -> "_Batch":
        """The next batch."""
        begun = self._at
        batch = self._records.next_batch()
        self._at += _HEAD + int(unpack_from(">i", self._data, begun + _LENGTH_AT)[0])
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
        count = 0
        try:
            for record in self._batch:
                yield record
                count += 1
        except UnicodeDecodeError:
            yield from islice(_Tolerant(self._data), count, None)


class _Tolerant(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch read without the compiled reader, which alone can be told how to read names."""

    def __iter__(self) -> "_Tolerant":
        self._maybe_uncompress()
        self._buffer: Any = _Buffer(self._buffer)
        return self


class _Buffer(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Name(found) if isinstance(place, slice) else found


class _Name(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
