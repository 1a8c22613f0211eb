"""What comes again long after it was taken: whatever Redis no longer looks up by itself, nothing is answered twice."""

import json
from typing import Any

from gate.instants import text
from streams.worker.outputs import DECISIONS, Output
from tests.simulation.alone import Alone
from tests.stories.telling import Event, asks, located, offer, question

WEEK = 7 * 86_400_000


def answers(outputs: list[Output]) -> list[Any]:
    """What was decided."""
    return [json.loads(o.value or b"")["data"] for o in outputs if o.topic == DECISIONS]


def taken(alone: Alone, *events: Event) -> list[Any]:
    """What is decided where these come now."""
    before = len(alone.actions)
    alone.act(*events)
    return answers(alone.round(alone.actions[before:]))


def test_an_offer_whose_time_was_ahead_is_known_again_once_its_week_is_let_go() -> None:
    """It was recorded before its own time, as clocks differ: seven days after that time its id is not kept any more."""
    alone = Alone()
    taken(alone, question(at=text((alone._clock - 2 * WEEK) * 1000), who="ben"))
    alone._clock += WEEK - alone._clock % WEEK - 2_000  # Two seconds before ids go into another week's bucket.
    ahead = offer(at=text((alone._clock + 59_000) * 1000), id="o1", offer="o1")
    (first,) = taken(alone, ahead)
    assert first["verdict"] == "block"
    taken(alone, located("US", at=text((alone._clock - 1_000) * 1000)))
    alone.later(weeks=1)
    alone._clock += 10_000
    taken(alone, question(at=alone.now, who="ben"))
    assert taken(alone, ahead) == []
    assert [o for o in taken(alone, ahead | {"data": ahead["data"] | {"channel": "sms"}}) if o["may_send"]] == []
    assert alone.partition.counts["rejected", "ID_REUSED"] == 1


def test_an_unreadable_offer_is_answered_once_however_long_ago() -> None:
    """The same bytes; other bytes are another offer."""
    alone = Alone()
    bad = offer(service="gambling")
    (first,) = taken(alone, bad)
    assert first["leading"] == "UNREADABLE_OFFER" and taken(alone, bad) == []
    for _ in range(4):
        alone.later(weeks=1)
        taken(alone, asks(at=alone.now, id=f"r{alone._clock}"))
        alone.restart()
        assert taken(alone, bad) == []
    (other,) = taken(alone, offer(service="gamble"))
    assert other["decision"] != first["decision"]
