"""Stand-in until the real one lands."""
from functools import lru_cache
from kafka.partitioner.default import murmur2  # type: ignore
from streams.wire import Read, Rejected, read
from msgspec.structs import replace

@lru_cache(65536)
def partition_of(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions

def read_record(value, key, headers, partition, partitions, appended, previous, tolerance):
    event = read(value or b"", max(appended, previous), tolerance)
    return event

def dead_letter_headers(**said):
    return [(f"gate61.errors.{k}", str(v).encode()) for k, v in said.items()]
