"""Limits that stand in different rooms and lean on each other."""

from random import Random

import pytest

from gate.effects import Greeting
from gate.facts import Asked, Fact
from gate.history import Record
from state.codec import LONGEST_GREETING
from state.messages import message_to_records
from state.redis.ids import WEEK
from streams.kafka.topics import LARGEST_MESSAGE
from streams.worker.publishing import PUBLISH_SECONDS
from streams.worker.repeated import RECOGNISED
from streams.worker.rounds import HANGS_SECONDS
from tests.simulation.world import OF_KAFKA

LONGEST_KEY = 128
"""Bytes of a client's reference."""


def test_limits_that_hang_together_do() -> None:
    """Who changes one of a pair changes the other."""
    assert PUBLISH_SECONDS < HANGS_SECONDS, "publishing is given up before a worker is started again for it"
    assert LONGEST_GREETING + LONGEST_KEY + OF_KAFKA <= LARGEST_MESSAGE, "what merged clients say fits into its topic"
    assert RECOGNISED == WEEK, "an id older than its bucket is looked up in the history, and no younger one is"


@pytest.mark.parametrize("many", [10, 81, 170, 250])
def test_what_merged_clients_say_fits_into_its_topic_also_where_it_cannot_be_compressed(many: int) -> None:
    """Whoever makes up ids by chance, or promotes a thousand made-up things, has such a past."""
    random = Random(many)
    facts = [
        Fact("//platform", f"asked-{n}", "a" * 128, n, n, Asked(random.randbytes(50_000).hex())) for n in range(many)
    ]
    greeting = Greeting("b" * 128, "a" * 128, tuple(Record(f, of="a" * 128) for f in facts), ("a" * 128,), facts[0])
    sent = message_to_records(greeting)
    assert sum(map(len, sent)) >= many * 50_000, "it is not made smaller than what it says"
    assert all(len(record) + LONGEST_KEY + OF_KAFKA <= LARGEST_MESSAGE for record in sent)
