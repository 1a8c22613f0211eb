"""A client's timeline: what happened, when it was recorded, and when offers could follow; as a picture and as rows."""

from streams.desk.timeline.drawing import timeline
from streams.desk.timeline.marks import Lane, Mark, Row, Tone, Window, anchor, rows
from streams.desk.timeline.scale import Span

__all__ = ["Lane", "Mark", "Row", "Span", "Tone", "Window", "anchor", "rows", "timeline"]
