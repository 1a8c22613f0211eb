"""What a broker sends is read whole, and alike by both clients, where each alone would stop at some of it."""

import struct
from itertools import product
from random import Random
from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from kafka.errors import CorruptRecordError
from kafka.record import memory_records

from streams.logs.records import Records, read_alike

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
CHECKSUM_AT, CHECKED_FROM, FIRST_ATTRIBUTES_AT = 17, 21, 62


def batch(first: int, records: list[list[tuple[str, bytes | None]]], compression: int = NONE) -> bytes:
    """A batch of records with these headers; `zz` in a name becomes bytes that are no UTF-8 (uncompressed only)."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1 << 20)
    for number, headers in enumerate(records):
        assert builder.append(number, 1_000 + number, b"key", b"value", headers)
    data = bytearray(builder.build().replace(b"zz", b"\xff\xc3") if compression == NONE else builder.build())
    struct.pack_into(">q", data, 0, first)
    struct.pack_into(">I", data, CHECKSUM_AT, calc_crc32c(bytes(data[CHECKED_FROM:])))
    return bytes(data)


def read(records: Any) -> list[tuple[Any, ...]]:
    """Everything, as the consumer asks for it."""
    found = []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc() and not one.is_control_batch
        found += [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in one]
        assert one.next_offset == found[-1][0] + 1
    return found


def read_by_kafka_python(data: bytes) -> list[tuple[Any, ...]]:
    """Everything, as its consumer asks for it."""
    read_alike()
    found, records = [], memory_records.MemoryRecords(data)
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        found += [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in one if r.validate_crc()]
    return found


def test_a_name_that_is_not_utf8_is_read_with_escapes_and_its_neighbours_as_ever() -> None:
    """Before, in and after its batch."""
    good: list[list[tuple[str, bytes | None]]] = [[("a", b"1")], [], [("é", None)]]
    data = batch(0, good) + batch(3, [good[0], [("zzx", b"2"), ("a", None)], good[2]]) + batch(6, good)
    with pytest.raises(UnicodeDecodeError):
        read(MemoryRecords(data))
    found = read(Records(data))
    assert [offset for offset, *_ in found] == list(range(9))
    assert [headers for *_, headers in found[:5]] == [*good, good[0], [("\\xff\\xc3x", b"2"), ("a", None)]]
    assert all((key, value) == (b"key", b"value") for _, _, key, value, _ in found)
    assert read_by_kafka_python(data) == found


def test_attributes_of_a_record_are_passed_over() -> None:
    """They mean nothing, whatever they are; also where a name beside them is no UTF-8."""
    for names in ("a", "zz"):
        data = bytearray(batch(0, [[(names, b"1")], []]))
        data[FIRST_ATTRIBUTES_AT] = 0x81
        struct.pack_into(">I", data, CHECKSUM_AT, calc_crc32c(bytes(data[CHECKED_FROM:])))
        with pytest.raises(CorruptRecordException):
            read(MemoryRecords(bytes(data)))
        found = read(Records(bytes(data)))
        assert [(key, value, [v for _, v in headers]) for *_, key, value, headers in found] == [
            (b"key", b"value", [b"1"]),
            (b"key", b"value", []),
        ]
        assert read_by_kafka_python(bytes(data)) == found


def test_what_is_no_batch_is_named_by_each_client_in_its_own_way() -> None:
    """Commands know the errors of their own client alone."""
    data = bytearray(batch(0, [[("a", b"1")]]))
    data[FIRST_ATTRIBUTES_AT - 1] ^= 2
    struct.pack_into(">I", data, CHECKSUM_AT, calc_crc32c(bytes(data[CHECKED_FROM:])))
    with pytest.raises(CorruptRecordException):
        read(Records(bytes(data)))
    with pytest.raises(CorruptRecordError):
        read_by_kafka_python(bytes(data))


@pytest.mark.parametrize(("magic", "compression"), [*product((0, 1), (NONE, GZIP, SNAPPY)), (1, LZ4)])
def test_batches_of_long_ago_are_read_alike(magic: int, compression: int) -> None:
    """From before Kafka 0.11: one record each, or compressed several."""
    builder = LegacyRecordBatchBuilder(magic, compression, 1 << 20)
    for number in range(3):
        assert builder.append(number, 1_000 + number, b"key", b"value" * 50)
    data = bytes(builder.build())
    found, records = [], Records(data)
    while records.has_next():
        found += [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in records.next_batch()]
    assert len(found) == 3 and read_by_kafka_python(data) == found


@pytest.mark.parametrize("compression", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_everything_else_is_read_as_aiokafka_does(compression: int) -> None:
    """With any headers, compressed in any way or not, and with the last batch cut off, as brokers do."""
    rng = Random(66)
    data = b""
    for first in range(0, 90, 3):
        headers = [[(rng.choice("abé"), rng.choice([None, b"", b"x"]))] * rng.randrange(3) for _ in range(3)]
        data += batch(first, headers, compression)
    assert read(Records(data)) == read(MemoryRecords(data))
    assert read(Records(data[:-5])) == read(MemoryRecords(data[:-5])) == read(Records(data))[:-3]
    assert read_by_kafka_python(data) == read(MemoryRecords(data))
    assert Records(data).size_in_bytes() == len(data)
    assert not Records(b"").has_next()
