"""Dossiers, history records and messages between merged clients as bytes: MessagePack behind one byte that names the version of the layout.

A layout is never changed under its number; golden files hold bytes of every version (tests/golden).
"""

from typing import Any, Final
from zlib import compress, decompress
from zlib import error as zlib_error

import msgspec

from gate.dossier import ALWAYS, ANY, UNPROMPTED, Dossier
from gate.effects import Greeting
from gate.forgotten import everything
from gate.history import Record
from gate.instants import LATEST
from gate.packing import decoder, packed, replaced

VERSION: Final = b"\x07"
_READ: Final = (VERSION, b"\x06", b"\x05", b"\x04", b"\x03", b"\x02", b"\x01")
"""Layouts that are read: what older ones lack stands at the end and has a default."""
_PAPERS_CUT: Final = 20
"""The place of a field that dossiers had up to layout 2."""
_WITH_PAPERS_CUT: Final = 2
"""The last layout that had it."""
_OF_UNKNOWN_NAMES: Final = 3
"""The last layout that does not say which names were cut, or whose."""
_OF_UNKNOWN_LIMITS: Final = 4
"""The last layout that does not say by which hard limits a request is prompted."""
_OF_UNKNOWN_TIMES: Final = 5
"""The last layout that does not say of when offers were cut, and in records not what else was said."""
_OF_UNKNOWN_TAINTS: Final = 6
"""The last layout that does not say whether scopes were cut that nobody was told to be tainted."""
_SCOPES, _OWN_EVENTS, _PROMPTS = 3, 6, 7
"""Places in a dossier and, the last one, in a scope of what says since layout 5 by which hard limits a request is prompted."""
COMPRESSED: Final = b"\xff"
"""Before a compressed message between merged clients, which its topic does not take otherwise."""
LONGEST_GREETING: Final = 8_000_000
"""Bytes of a message that its topic takes, with room for a key and what Kafka adds (`streams.kafka.topics`)."""
LAYOUTS: Final = range(1, 32)
"""Numbers of layouts, of this program and of those to come; but for `state.messages.PART` nothing else begins so."""
_encode: Final = msgspec.msgpack.Encoder().encode
_dossier, _record, _greeting = decoder(Dossier), decoder(Record), decoder(Greeting)


class UnknownLayout(Exception):
    """Bytes name a layout that this program does not know: a newer program wrote them. They may not be passed over."""


def dossier_to_bytes(dossier: Dossier) -> bytes:
    """The stored form of a dossier."""
    return VERSION + _encode(packed(dossier))


def dossier_from_bytes(data: bytes | memoryview) -> Dossier:
    """A dossier from its stored form; raises `UnknownLayout`, or `ValueError` for what was never one."""
    body = _body(data)
    return _dossier(body) if data[:1] == VERSION else _older_dossier(body, data[0])


def _older_dossier(body: memoryview, layout: int) -> Dossier:
    """From a layout that tells less: what it does not tell may be anything, and is asked of the history."""
    row = msgspec.msgpack.decode(body, type=list)
    if layout <= _WITH_PAPERS_CUT:
        del row[_PAPERS_CUT : _PAPERS_CUT + 1]
    if layout <= _OF_UNKNOWN_LIMITS:
        _prompted_for_ever(row)
    dossier = _dossier(_encode(row))
    if layout <= _OF_UNKNOWN_NAMES and dossier.dropped:
        dossier.forgotten = everything()
    if layout <= _OF_UNKNOWN_TIMES and dossier.forgotten.offers:
        dossier.forgotten.offered = LATEST
    if layout <= _OF_UNKNOWN_LIMITS:
        _concluded_by_any(dossier)
    if layout <= _OF_UNKNOWN_TAINTS and dossier.forgotten.scopes:
        dossier.concluded = ANY
    return dossier


def _concluded_by_any(dossier: Dossier) -> None:
    """Up to layout 4 it is not said by which policy scopes or sendings were cut, nor what standing orders lean on."""
    if dossier.own_events:
        dossier.repeated = [ANY]
    if dossier.offers or dossier.dropped or any(reached.sent for reached in dossier.members()):
        dossier.concluded = ANY


def _prompted_for_ever(row: list[Any]) -> None:
    """Up to layout 4 it is not said how long before a request it was sent what prompted it."""
    for scope in row[_SCOPES] if len(row) > _SCOPES else ():
        scope[_PROMPTS] = [(ALWAYS, id) for id in scope[_PROMPTS]]
    own = row[_OWN_EVENTS] if len(row) > _OWN_EVENTS else {}
    for id, (at, prompted) in own.items():
        own[id] = (at, ALWAYS if prompted else UNPROMPTED)


def record_to_bytes(record: Record) -> bytes:
    """The stored form of a history record."""
    return VERSION + _encode(packed(record))


def record_from_bytes(data: bytes | memoryview) -> Record:
    """A history record from its stored form; raises as `dossier_from_bytes` does."""
    record = _record(_body(data))
    return record if data[0] > _OF_UNKNOWN_TIMES else replaced(record, told=None)


def greeting_to_bytes(greeting: Greeting) -> bytes:
    """A message between merged clients as a whole, compressed where its topic would not take it otherwise."""
    said = VERSION + _encode(packed(greeting))
    return said if len(said) < LONGEST_GREETING else COMPRESSED + compress(said)


def greeting_from_bytes(data: bytes | memoryview) -> Greeting:
    """A message between merged clients as a whole; raises `UnknownLayout` or `ValueError` for anything else."""
    return _greeting(_body(_unpacked(data[1:]) if data[:1] == COMPRESSED else data))


def _unpacked(data: bytes | memoryview) -> bytes:
    try:
        return decompress(data)
    except zlib_error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None


def _body(data: bytes | memoryview) -> memoryview:
    if data[:1] not in _READ:
        layout = bytes(data[:1]).hex() or "nothing"
        told = f"the bytes have layout {layout}, this program knows {VERSION.hex()}"
        if data and data[0] in LAYOUTS:
            raise UnknownLayout(f"{told}: a newer gate61 wrote them, update this one")
        raise ValueError(told)
    return memoryview(data)[1:]
