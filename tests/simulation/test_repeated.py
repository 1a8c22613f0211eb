"""What comes again long after it was taken: whatever Redis no longer looks up by itself, nothing is answered twice."""

import json
from itertools import pairwise
from typing import Any

import pytest

from gate.instants import text
from streams.policy_file import DEFAULT, parse
from streams.publish import unreadable_id
from streams.worker.outputs import BETWEEN, DECISIONS, REGISTER_REJECTED, REJECTED, Output
from tests.simulation.alone import Alone
from tests.stories.telling import REGISTER, Event, asks, clean_client, entity, located, merged, offer, question

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


def tolerating(seconds: int) -> bytes:
    """The default policy with another tolerance of clocks."""
    changed = DEFAULT.read_text().replace("tolerance_seconds = 60", f"tolerance_seconds = {seconds}")
    return changed.replace('version = "', f'version = "{seconds}-').encode()


def test_what_was_taken_is_known_again_where_less_is_tolerated_of_clocks_by_now() -> None:
    """An offer, weeks later too, and an entry of the register; the same id with other content is of the future."""
    alone, weeks = Alone(), 3 * 7 * 86_400
    alone.govern(tolerating(weeks))
    ahead = text((alone._clock + 17 * 86_400_000) * 1000)
    made, entry = offer(at=ahead, id="o1", offer="o1"), entity("pal", "affiliate", at=ahead)
    alone.register(entry)
    assert len(taken(alone, made)) == 1
    alone.govern(tolerating(0))
    alone.register(entry)
    before = len(alone.actions)
    alone.act(made, made, {**made, "data": {**made["data"], "channel": "sms"}})
    outputs = alone.round(alone.actions[before:])
    assert [a["leading"] for a in answers(outputs)] == ["UNREADABLE_OFFER"]
    assert [o.topic for o in outputs if o.topic in (REJECTED, REGISTER_REJECTED)] == [REJECTED]
    assert alone.partition.counts["repeated", ""] == 2 and alone.partition.counts["rejected", "FROM_THE_FUTURE"] == 1
    alone.later(days=15)  # Its id is not looked up any more, and it is ahead still.
    alone.restart()
    assert taken(alone, made) == []
    assert alone.partition.counts["repeated", ""] == 1


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


def test_nor_is_it_answered_again_under_another_policy() -> None:
    """Nor where older state has it by the id of the answer."""
    alone, bad = Alone(), offer(service="gambling")
    assert len(taken(alone, bad)) == 1
    alone.govern(tolerating(30))
    assert taken(alone, bad) == []
    alone.restart()
    assert taken(alone, bad) == []
    other = offer(service="lottery")
    decision = unreadable_id(json.dumps(other).encode(), (), parse(tolerating(30), "tolerating"))
    alone.store.note(f"answered {decision}", b"")
    assert taken(alone, other) == []


def test_a_message_between_merged_clients_that_comes_again_supersedes_nothing_by_another_policy() -> None:
    """A worker that ended before its last batch was let go of says it again, whenever that is; earlier answers stay."""
    alone = Alone()
    alone.register(*REGISTER)
    (allowed,) = taken(alone, *clean_client("anna"), offer(who="anna", id="first", at="2 h"))
    assert allowed["verdict"] == "allow"
    alone.act(merged("anna", at="3 h", who="ben"))
    (message,) = [o.value or b"" for o in alone.round(alone.actions[-1:]) if o.topic == BETWEEN]
    assert alone.greet(message)  # That two are one is a case.
    stricter = DEFAULT.read_text().replace("soft_hours = 24", "soft_hours = 1").replace('version = "', 'version = "1-')
    alone.govern(stricter.encode())
    alone.round()
    assert alone.greet(message) == []


def test_what_is_rejected_with_a_known_id_does_not_take_it_over_however_late() -> None:
    """The first stands: it comes again and is known again, also for who took over since, and the other is not taken either."""
    alone = Alone()
    first = offer(at=alone.now, id="o1", offer="o1")
    assert len(taken(alone, first)) == 1
    alone.later(weeks=2)
    taken(alone, question(at=alone.now, who="ben"))
    other = first | {"data": first["data"] | {"channel": "sms"}}
    for rejected in (1, 2):
        (answer,) = taken(alone, other | {"n": rejected})
        assert answer["leading"] == "UNREADABLE_OFFER"
        assert taken(alone, first) == []
        assert alone.partition.counts["rejected", "ID_REUSED"] == rejected
    alone.restart()
    alone.later(days=1)
    assert taken(alone, first) == [] and not alone.partition.counts["rejected", "ID_REUSED"]


def _told(portions: list[slice]) -> tuple[list[Any], dict[tuple[str, str], int]]:
    """What becomes of an offer that is altered two weeks later, in so many batches; records around it touch each bucket."""
    alone = Alone()
    taken(alone, question(at=alone.now, who="ben"))
    alone._clock += 3 * WEEK - alone._clock % WEEK + 1_000
    before, first = len(alone.actions), offer(at=alone.now, id="o1", offer="o1")
    alone.act(asks(at=text((alone._clock - 2 * WEEK) * 1000), id="r0"), first)
    alone.later(weeks=2)
    unknown = first | {"data": first["data"] | {"note": "unknown to the gate"}}
    alone.act(question(at=alone.now, who="ben"), unknown, first | {"data": first["data"] | {"channel": "sms"}}, first)
    told = [o for portion in portions for o in alone.round(alone.actions[before:][portion])]
    counts = {what: many for what, many in alone.partition.counts.items() if what[0] != "recalled"}
    return [(o.topic, o.value) for o in told if o.topic in (DECISIONS, REJECTED)], counts


@pytest.mark.parametrize("ends", [(1,), (2,), (3,), (4,), (1, 2, 3, 4, 5)])
def test_what_comes_again_after_weeks_fares_the_same_wherever_batches_end(ends: tuple[int, ...]) -> None:
    """All in one, the first by themselves, one record a batch."""
    bounds = [0, *ends, 6]
    assert _told([slice(*b) for b in pairwise(bounds)]) == _told([slice(0, 6)])
