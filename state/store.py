"""What a store must do: dossiers, histories and seen ids of one gate, whatever is behind it.

One contract suite runs over every store (tests/contracts).
"""

from collections.abc import Iterator
from typing import Protocol

from gate.dossier import Dossier
from gate.history import Record


class Store(Protocol):
    """Two tiers of memory and the ids seen."""

    def dossier(self, client: str) -> Dossier:
        """The client's dossier; an empty one for somebody never seen. The caller may change it and keep it."""

    def keep(self, dossier: Dossier, *records: Record) -> None:
        """Replace the dossier and append to its client's history, both or neither."""

    def history(self, client: str) -> list[Record]:
        """Every record of the client in the order of arrival."""

    def clients(self) -> Iterator[str]:
        """Everybody with a history, in the order of first arrival."""

    def seen(self, key: bytes, content: bytes) -> bool | None:
        """None if the id is new (it is remembered now), True for the same content, False for another."""

    def close(self) -> None:
        """Write what is pending and let go."""
