"""A store that tells how often a past was read."""

from gate.history import Record
from state import MemoryStore


class Watched(MemoryStore):
    """Counts how often a history is read."""

    asked = 0

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        self.asked += 1
        return super().history(client)
