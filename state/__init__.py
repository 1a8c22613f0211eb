"""What the gate remembers: one contract, several stores."""

from state.memory import MemoryStore
from state.sqlite import SqliteStore
from state.store import Store

__all__ = ["MemoryStore", "SqliteStore", "Store"]
