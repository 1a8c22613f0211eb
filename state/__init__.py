"""What the gate remembers: one contract, several stores."""

from state.journal import Journal
from state.memory import MemoryStore
from state.sqlite import SqliteStore
from state.store import RegisterStore, Store

__all__ = ["Journal", "MemoryStore", "RegisterStore", "SqliteStore", "Store"]
