"""P1 to P4 of judging section 1, as properties of random histories."""

from itertools import pairwise
from typing import Any

import pytest

from tests.player import asked_again, play, told
from tests.promises.histories import history

SEEDS = range(300)
GRAVITY = {"allow": 0, "flag": 1, "block": 2}
Event = dict[str, Any]


def without_people(seed: int) -> list[Event]:
    """A history in which nobody releases anything."""
    return [e for e in history(seed) if e["type"] != "gate61.review.released.v1"]


def in_order(events: list[Event]) -> list[Event]:
    """The same events, each arriving when it counts: what reaches back first, at equal times offers last.

    What a release or an approval leans on must have arrived before it; histories in which it would not are not asked.
    """

    def effective(event: Event) -> tuple[str, bool]:
        data = event["data"]
        if event["type"] == "gate61.client.merged.v1":
            return "", False
        if event["type"] == "gate61.evidence.filed.v1" and data.get("supports") == "solicitation":
            return min(data.get("solicited_at") or "", event["time"]), False
        return event["time"], event["type"] == "gate61.offer.proposed.v1"

    return [{**e, "recordedtime": "2026-12-31T00:00:00Z"} for e in sorted(events, key=effective)]


@pytest.mark.parametrize("chunk", range(3))
def test_p1_the_standing_answer_is_never_softer_than_what_the_facts_say(chunk: int) -> None:
    """After every arrival: an offer asked anew on all of them would get no graver answer than the one that stands."""
    compared = graver = 0
    for seed in SEEDS[chunk::3]:
        events = [e for e in without_people(seed) if e["type"] != "gate61.offer.delivered.v1"]
        for end in (len(events) // 3, 2 * len(events) // 3, len(events)):
            standing, said = told(play(events[:end])), asked_again(events[:end])
            for offer, answer in standing.items():
                stands, says = GRAVITY[answer["verdict"]], GRAVITY[said[offer]["verdict"]]
                assert stands >= says, f"seed {seed}, {end}, {offer}"
                compared += 1
                graver += stands > says
    assert compared > 800
    assert graver > 10 or chunk == 0, "late facts in the firm's favour leave a graver answer standing"


def test_p2_the_standing_answer_never_softens_unless_people_release_it() -> None:
    """Each answer that replaces another is graver, or a release of a held one, which a later one may take back."""
    released = 0
    for seed in SEEDS:
        for offer, answers in play(history(seed)).answers.items():
            chain = [a for a in answers if a["leading"] != "UNREADABLE_OFFER"]
            for before, after in pairwise(chain):
                assert after["supersedes"] == before["decision"]
                if after["leading"] == "RELEASED":
                    assert (before["verdict"], after["verdict"]) == ("flag", "flag"), f"seed {seed}, {offer}"
                    released += 1
                elif before["leading"] == "RELEASED":
                    assert after["verdict"] != "allow" and not after["may_send"], f"seed {seed}, {offer}"
                else:
                    assert GRAVITY[after["verdict"]] > GRAVITY[before["verdict"]], f"seed {seed}, {offer}"
    assert released


def test_p3_facts_in_the_order_of_effective_time_are_answered_as_they_say() -> None:
    """Nothing is ever superseded, and every answer is what all facts up to it say."""
    compared = 0
    for seed in SEEDS:
        kinds = ("evidence.retracted", "evidence.approved", "offer.delivered")
        events = [e for e in without_people(seed) if not e["type"].removeprefix("gate61.").startswith(kinds)]
        arrived = in_order(events)
        played = play(arrived)
        assert all(len(answers) == 1 for answers in played.answers.values()), f"seed {seed}"
        for offer, answer in asked_again(arrived).items():
            there = played.answers[offer][0]
            assert (there["verdict"], there["leading"]) == (answer["verdict"], answer["leading"]), (
                f"seed {seed}, {offer}"
            )
            compared += 1
    assert compared > 1000


def test_p4_others_duplicates_and_rejects_change_nothing() -> None:
    """The answers of one client are the same bytes alone as among others, repetitions and lines that cannot be taken."""
    register = ("campaign", "entity", "asset", "product", "country")
    compared = rejected = 0
    for seed in SEEDS:
        events = [e for e in history(seed) if e["type"] != "gate61.client.merged.v1"]
        shared = [e for e in events if e["type"].removeprefix("gate61.").startswith(register)]
        crowd: list[Event | str] = []
        for number, event in enumerate(events):
            crowd += [event, f"no event {number}", events[number // 2]]
        among = play(crowd)
        rejected += len(among.rejected)
        for client in {e["subject"] for e in events if e not in shared}:
            alone = play([e for e in events if e in shared or e["subject"] == client])
            mine = {o: a for o, a in among.answers.items() if a[0]["client"] == client}
            assert mine == {o: a for o, a in alone.answers.items() if a[0]["client"] == client}, (
                f"seed {seed}, {client}"
            )
            compared += len(mine)
    assert compared > 1500 and rejected > 10_000
