"""What came into the gate and what it said, to read on from a place: for the desk and the alerts."""

from streams.feed.opening import Gate, gate_of
from streams.feed.sending import Receipt, Sender
from streams.feed.told import Feed, FeedTrouble, Kind, SourceHealth, Told

__all__ = ["Feed", "FeedTrouble", "Gate", "Kind", "Receipt", "Sender", "SourceHealth", "Told", "gate_of"]
