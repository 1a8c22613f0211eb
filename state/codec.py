"""Dossiers and history records as bytes: MessagePack behind one byte that names the version of the layout.

A layout is never changed under its number; golden files hold bytes of every version (tests/golden).
"""

import msgspec

from gate.dossier import Dossier
from gate.history import Record

VERSION = b"\x01"
_encoder = msgspec.msgpack.Encoder()
_dossier = msgspec.msgpack.Decoder(Dossier)
_record = msgspec.msgpack.Decoder(Record)


class UnknownLayout(Exception):
    """Stored bytes name a layout that this program does not know: a newer program wrote them."""


def dossier_to_bytes(dossier: Dossier) -> bytes:
    """The stored form of a dossier."""
    return VERSION + _encoder.encode(dossier)


def dossier_from_bytes(data: bytes | memoryview) -> Dossier:
    """A dossier from its stored form."""
    return _dossier.decode(_body(data))


def record_to_bytes(record: Record) -> bytes:
    """The stored form of a history record."""
    return VERSION + _encoder.encode(record)


def record_from_bytes(data: bytes | memoryview) -> Record:
    """A history record from its stored form."""
    return _record.decode(_body(data))


def _body(data: bytes | memoryview) -> memoryview:
    if data[:1] != VERSION:
        layout = bytes(data[:1]).hex() or "nothing"
        raise UnknownLayout(f"stored bytes have layout {layout}, this program knows {VERSION.hex()}")
    return memoryview(data)[1:]
