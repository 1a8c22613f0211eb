"""Limits that stand in different rooms and lean on each other."""

from state.codec import LONGEST_GREETING
from state.redis_ids import WEEK
from streams.topics import LARGEST_MESSAGE
from streams.worker.publishing import PUBLISH_SECONDS
from streams.worker.repeated import RECOGNISED
from streams.worker.rounds import HANGS_SECONDS

LONGEST_KEY = 128
"""Bytes of a client's reference."""
OF_KAFKA = 1024
"""Bytes that Kafka adds to one record at most, its headers and its batch's."""


def test_limits_that_hang_together_do() -> None:
    """Who changes one of a pair changes the other."""
    assert PUBLISH_SECONDS < HANGS_SECONDS, "publishing is given up before a worker is started again for it"
    assert LONGEST_GREETING + LONGEST_KEY + OF_KAFKA <= LARGEST_MESSAGE, "what merged clients say fits into its topic"
    assert RECOGNISED == WEEK, "an id older than its bucket is looked up in the history, and no younger one is"
