"""The diary: events are told in any order and handed out as lines, in the order in which they arrived."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

HOUSE = "//harbour-lane.example/"


class Post(NamedTuple):
    """Where an event comes from: the department that writes it and the prefix of its ids."""

    name: str
    prefix: str
    path: str


def march(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """A time of the month."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def february(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """A time of the month before."""
    return datetime(2026, 2, day, hour, minute, tzinfo=UTC)


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Diary:
    """Everything that was told so far."""

    def __init__(self) -> None:
        self._lines: list[tuple[datetime, int, str]] = []
        self._counts: Counter[str] = Counter()

    def tell(
        self, post: Post, subject: str, at: datetime, data: Mapping[str, object], known: datetime | None = None
    ) -> str:
        """Write one event; `known` is when it arrived, if later than it happened. Returns its id."""
        event = self._envelope(post, subject, at)
        if known is not None:
            event["recordedtime"] = stamp(known)
        event["data"] = {field: value for field, value in data.items() if value is not None}
        self.put(known or at, json.dumps(event))
        return str(event["id"])

    def put(self, arrived: datetime, line: str) -> None:
        """Write a line as it stands."""
        self._lines.append((arrived, len(self._lines), line))

    def lines(self) -> list[str]:
        """All lines, in order of arrival; of one time, in the order of the telling."""
        return [line for _, _, line in sorted(self._lines)]

    def _envelope(self, post: Post, subject: str, at: datetime) -> dict[str, object]:
        return {
            "specversion": "1.0",
            "id": self._next_id(post.prefix, subject),
            "source": HOUSE + post.path,
            "type": f"gate61.{post.name}.v1",
            "subject": subject,
            "time": stamp(at),
            "datacontenttype": "application/json",
        }

    def _next_id(self, prefix: str, subject: str) -> str:
        """`prop-0a17-2` is the second offer proposed to client cl-0a17."""
        stem = f"{prefix}-{subject.removeprefix('cl-')}"
        self._counts[stem] += 1
        return f"{stem}-{self._counts[stem]}"
