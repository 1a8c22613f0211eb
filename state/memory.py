"""A store for one run: dossiers and ids in memory, packed; the history in a temporary file that nobody else sees.

Dossiers in use stay as objects, the least recently used are packed, so that a client costs his bytes and not his
objects. Each record in the file names the place of its client's record before it.
"""

from collections.abc import Iterator
from os import pread
from tempfile import TemporaryFile

from gate.dossier import Dossier
from gate.facts import Fact
from gate.history import Record
from state.codec import dossier_from_bytes, dossier_to_bytes, record_from_bytes, record_to_bytes
from state.seen import Seen

LIVE_DOSSIERS = 256
"""How many dossiers stay as objects."""
_PLACE = 8
"""Bytes of a place in the file: the offset of a record; 0 is nowhere."""
_HEAD = _PLACE + 8
"""Before each record the place of the client's record before it, and its own length."""
_AT_ONCE = 4096
"""Bytes read at a place; most records end there."""


class MemoryStore:
    """The store of `decide` and of tests."""

    def __init__(self, live: int = LIVE_DOSSIERS) -> None:
        self._limit = live
        self._live: dict[str, Dossier] = {}
        self._packed: dict[str, bytes] = {}
        """Of each client the place of his last record and his dossier; while he is live the dossier is out of date."""
        self._last: dict[str, int] = {}
        """The place of the last record of those who are live."""
        self._spool = TemporaryFile(buffering=1 << 20)
        self._end = 1
        self._spool.write(b"\0")
        self._register: list[Fact] = []
        self._notes: dict[str, bytes] = {}
        self._seen = Seen()

    def dossier(self, client: str) -> Dossier:
        """See `Store`."""
        found = self._live.get(client)
        if found is not None:
            return found
        packed = self._packed.get(client)
        return Dossier(client) if packed is None else dossier_from_bytes(memoryview(packed)[_PLACE:])

    def keep(self, dossier: Dossier, *records: Record) -> None:
        """See `Store`."""
        client, live = dossier.client, self._live
        if live.pop(client, None) is None:
            packed = self._packed.setdefault(client, bytes(_PLACE))
            last = int.from_bytes(packed[:_PLACE])
        else:
            last = self._last[client]
        live[client] = dossier
        for record in records:
            data = record_to_bytes(record)
            self._spool.write(last.to_bytes(_PLACE) + len(data).to_bytes(_HEAD - _PLACE) + data)
            last = self._end
            self._end += _HEAD + len(data)
        self._last[client] = last
        if len(live) > self._limit:
            self._pack()

    def _pack(self) -> None:
        oldest = next(iter(self._live))
        self._packed[oldest] = self._last.pop(oldest).to_bytes(_PLACE) + dossier_to_bytes(self._live.pop(oldest))

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        self._spool.flush()
        file, found = self._spool.fileno(), []
        last = self._last.get(client)
        place = int.from_bytes(self._packed.get(client, b"")[:_PLACE]) if last is None else last
        while place:
            data = pread(file, _AT_ONCE, place)
            end = _HEAD + int.from_bytes(data[_PLACE:_HEAD])
            if len(data) < end:
                data += pread(file, end - len(data), place + len(data))
            found.append(record_from_bytes(memoryview(data)[_HEAD:end]))
            place = int.from_bytes(data[:_PLACE])
        found.reverse()
        return found

    def dossiers(self) -> Iterator[Dossier]:
        """See `Store`."""
        return map(self.dossier, list(self._packed))

    def learn(self, fact: Fact) -> None:
        """See `RegisterStore`."""
        self._register.append(fact)

    def learnt(self) -> list[Fact]:
        """See `RegisterStore`."""
        return list(self._register)

    def note(self, name: str, data: bytes) -> None:
        """See `Store`."""
        self._notes[name] = data

    def noted(self, name: str) -> bytes | None:
        """See `Store`."""
        return self._notes.get(name)

    def noted_under(self, prefix: str) -> list[str]:
        """See `Store`."""
        return [name for name in self._notes if name.startswith(prefix)]

    def seen(self, key: bytes, content: bytes) -> bool | None:
        """See `Store`."""
        return self._seen.add(int.from_bytes(key, "little"), int.from_bytes(content, "little"))

    def known(self, key: bytes, content: bytes) -> bool:
        """See `Store`."""
        return self._seen.holds(int.from_bytes(key, "little"), int.from_bytes(content, "little"))

    def commit(self) -> None:
        """See `Store`."""

    def rollback(self) -> None:
        """See `Store`: nothing lasts here."""

    def close(self) -> None:
        """See `Store`."""
        self._spool.close()
