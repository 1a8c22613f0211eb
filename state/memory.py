"""A store for one run: dossiers and ids in memory, packed; the history in a temporary file that nobody else sees.

Dossiers in use stay as objects, the least recently used are packed, so that a client costs his bytes and not his
objects.
"""

from array import array
from collections.abc import Iterator
from os import pread
from tempfile import TemporaryFile

from gate.dossier import Dossier
from gate.history import Record
from state.codec import dossier_from_bytes, dossier_to_bytes, record_from_bytes, record_to_bytes
from state.seen import Seen

LIVE_DOSSIERS = 1024
"""How many dossiers stay as objects."""


class MemoryStore:
    """The store of `decide` and of tests."""

    def __init__(self, live: int = LIVE_DOSSIERS) -> None:
        self._limit = live
        self._live: dict[str, Dossier] = {}
        self._packed: dict[str, bytes] = {}
        self._places: dict[str, array[int]] = {}
        self._spool = TemporaryFile(buffering=1 << 20)
        self._end = 0
        self._seen = Seen()

    def dossier(self, client: str) -> Dossier:
        """See `Store`."""
        found = self._live.get(client)
        if found is not None:
            return found
        packed = self._packed.get(client)
        return Dossier(client) if packed is None else dossier_from_bytes(packed)

    def keep(self, dossier: Dossier, *records: Record) -> None:
        """See `Store`."""
        self._live.pop(dossier.client, None)
        self._live[dossier.client] = dossier
        places = self._places.get(dossier.client)
        if places is None:
            places = self._places[dossier.client] = array("Q")
        for record in records:
            data = record_to_bytes(record)
            places.append(self._end << 24 | len(data))
            self._end += self._spool.write(data)
        if len(self._live) > self._limit:
            oldest = next(iter(self._live))
            self._packed[oldest] = dossier_to_bytes(self._live.pop(oldest))

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        self._spool.flush()
        file = self._spool.fileno()
        return [record_from_bytes(pread(file, place & 0xFFFFFF, place >> 24)) for place in self._places.get(client, ())]

    def clients(self) -> Iterator[str]:
        """See `Store`."""
        return iter(list(self._places))

    def seen(self, key: bytes, content: bytes) -> bool | None:
        """See `Store`."""
        return self._seen.add(int.from_bytes(key, "little"), int.from_bytes(content, "little"))

    def close(self) -> None:
        """See `Store`."""
        self._spool.close()
