"""What a store must do: all that one gate remembers of its clients, whatever is behind it.

One contract suite runs over every store (tests/contracts).
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from gate.dossier import Dossier
from gate.facts import Fact
from gate.history import Record


class Store(Protocol):
    """Two tiers of memory, notes, the ids seen.

    Writes are visible at once and last from `commit` on: all since the last `commit`, or none.
    """

    def dossier(self, client: str) -> Dossier:
        """The client's dossier; an empty one for somebody never seen. The caller may change it and keep it."""

    def keep(self, dossier: Dossier, *records: Record) -> None:
        """Replace the dossier and append to its client's history."""

    def history(self, client: str) -> list[Record]:
        """Every record of the client in the order of arrival."""

    def dossiers(self) -> Iterator[Dossier]:
        """Every client's dossier, in any order; read them, change nothing meanwhile."""

    def note(self, name: str, data: bytes) -> None:
        """Replace a small value of the runtime's own."""

    def noted(self, name: str) -> bytes | None:
        """A small value of the runtime's own; None if there is none."""

    def noted_under(self, prefix: str) -> Iterable[str]:
        """The names, in any order, of those of these values that begin so; no pattern's signs are in it."""

    def seen(self, key: bytes, content: bytes) -> bool | None:
        """None if the id is new (it is remembered now), True for the same content, False for another."""

    def known(self, key: bytes, content: bytes) -> bool:
        """Whether the id was seen with this content; nothing is remembered by asking."""

    def commit(self) -> None:
        """Make every write since the last commit last."""

    def rollback(self) -> None:
        """Undo every write since the last commit. A store that lasts no longer than its process need not."""

    def close(self) -> None:
        """Let go; what was not committed is lost."""


class RegisterStore(Store, Protocol):
    """A store of all that an embedded gate remembers: the register's facts too, which a worker has from their topic."""

    def learn(self, fact: Fact) -> None:
        """Append a fact to the register's."""

    def learnt(self) -> list[Fact]:
        """The register's facts in the order of arrival."""
