"""What an examination found, and what to do about it."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How grave a finding is: only `wrong` keeps the gate from working as promised."""

    OK = "ok"
    WARN = "warn"
    WRONG = "wrong"


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    about: str
    """What was looked at: `Redis`, `topics` …"""
    level: Level
    what: str
    do: str = ""
    """What to do about it; empty where nothing is to be done."""
    passes: bool = False
    """Whether it may pass by itself, so that it is waited for."""

    @property
    def wrong(self) -> bool:
        """Whether it must be mended before the gate may work."""
        return self.level is Level.WRONG
