"""What an event may say at most, exactly: one more is `BAD_FIELD`, and names the field."""

from typing import Any

import pytest

from tests.player import play
from tests.stories.telling import Event, entity, question


def taken(event: Event, **data: Any) -> bool:
    """Whether the event is taken with these fields."""
    rejected = play([{**event, "data": event["data"] | data}]).rejected
    assert not rejected or rejected[0][2] == "BAD_FIELD"
    return not rejected


@pytest.mark.parametrize(
    ("event", "field", "last", "beyond"),
    [
        (question(), "channel", "x" * 4096, "x" * 4097),
        (question(), "transaction", "x" * 128, "x" * 129),
        (entity("pal", "group"), "holding_percent", 100, 100.001),
        (entity("pal", "group"), "holding_percent", 0, -0.001),
    ],
)
def test_the_limit_itself_is_taken(event: Event, field: str, last: Any, beyond: Any) -> None:
    """And nothing beyond it."""
    assert taken(event, **{field: last})
    assert not taken(event, **{field: beyond})
