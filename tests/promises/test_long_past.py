"""A long past costs what it is long, and in order nothing of it is read (README, speed; ARCHITECTURE, known costs)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import thread_time

import pytest

from gate.forgotten import PEOPLE, SIZE, may_be_among, may_hold, with_names, with_person
from state import MemoryStore
from streams.border.wire import Rejected
from streams.embedded import Gate
from tests.player import POLICY, Watched, play
from tests.promises.histories import history
from tests.promises.working import calls
from tests.stories.telling import (
    HERE,
    Event,
    approved,
    arrived,
    asks,
    campaign,
    complaint,
    contacted,
    delivered,
    entity,
    filed,
    in_order,
    located,
    narrowed,
    offer,
    question,
    record,
)


def _month(orders: int, at_once: bool) -> list[Event]:
    """Orders with papers, an offer after each, which is sent; at once or a second later."""
    found: list[Event] = in_order((HERE,))
    for n in range(orders):
        begin = n * 60
        found += in_order(
            (
                asks(at=f"{begin} s", id=f"asked-{n}", transaction=f"t-{n}"),
                record(f"asked-{n}", at=f"{begin + 1} s"),
                approved(f"record-asked-{n}", at=f"{begin + 2} s"),
                offer(at=f"{begin + 10} s", id=f"offer-{n}", offer=f"of-{n}", transaction=f"t-{n}"),
                delivered(at=f"{begin + (10 if at_once else 11)} s", offer=f"of-{n}"),
            )
        )
    return found


TAG = campaign("promo", at="-30 d")
RENEWED = entity("firm", "firm", at="20 min", id="renewed")
VISITS = [arrived(f"{n} min", id=f"visit-{n}", campaign="promo") for n in range(40)]
LETTERS = [contacted(f"{n} min", id=f"letter-{n}") for n in range(40)]
SENT: list[Event] = [
    told(f"{n} min", offer=f"of-{n}", id=f"{name}-{n}")
    for n in range(1, 41)
    for name, told in (("offer", offer), ("sent", delivered))
]
MONTH = [*_month(60, at_once=False), located(at="61 min")]
NUMBERED = [question(f"{n} min", id="1") | {"source": f"//desk-{n}"} for n in range(40)]

STANDING_ORDERS = [
    told
    for n in range(0, 100, 2)
    for told in (
        asks(at=f"{n} min", id=f"plan-{n}", kind="recurring_execution", in_reply_to=f"alert-{n}"),
        record(f"plan-{n}", at=f"{n + 1} min"),
        approved(f"record-plan-{n}", at=f"{n + 1} min"),
        delivered(f"{n + 1} min", offer=f"unknown-{n}", id=f"out-{n}"),
    )
]


@pytest.mark.parametrize(
    "past",
    [
        VISITS,
        [*LETTERS[:20], RENEWED, *LETTERS[20:]],
        SENT,
        NUMBERED,
        MONTH,
        STANDING_ORDERS,
    ],
    ids=[
        "visits",
        "letters",
        "offers sent at once",
        "words that sources number alike",
        "orders and a new address",
        "standing orders that answer alerts, papers that nobody needs, sendings that nobody proposed",
    ],
)
def test_in_order_nothing_of_the_past_is_read(past: list[Event]) -> None:
    """Whoever is reached again and again by somebody who stays the same to the firm."""
    last = asks(at="2 h", id="last", transaction="t2")
    told = in_order((TAG, HERE, asks(), past, last, offer(at="3 h"), offer(at="4 h", id="again", offer="again")))
    play(told, store := Watched())
    assert store.asked == 0


def test_a_thousand_orders_with_their_papers_read_nothing_of_the_past() -> None:
    """However full the filters are of what was cut."""
    play(_month(1000, at_once=False), store := Watched())
    assert store.asked == 0


REACHING_BACK = {"gate61.client.merged.v1", "gate61.review.released.v1", "gate61.evidence.retracted.v1"}
OFFERED = "gate61.offer.proposed.v1"
AT_ONCE = {
    f"gate61.{name}.v1" for name in ("client.located", "client.requested", "evidence.approved", "offer.delivered")
}
"""With what an offer may have one time, if that was no sending of the same offer."""


def _as_it_happens(seed: int) -> list[Event]:
    """A random life of which everything arrives as it happens, and nothing reaches back."""
    events = [e for e in history(seed) if e["type"] not in REACHING_BACK and "in_reply_to" not in e["data"]]
    accused = {e["data"]["evidence"] for e in events if e["data"].get("supports") == "solicitation"}
    events = [e for e in events if e["data"].get("evidence") not in accused]
    events.sort(key=lambda e: (e["time"], e["type"] == OFFERED))
    at, found = datetime(2026, 1, 1, tzinfo=UTC), list[Event]()
    for event in {(e["source"], e["id"]): e for e in events}.values():
        before: Event = found[-1] if event["type"] == OFFERED and found else {"type": ""}
        if before["type"] not in AT_ONCE or before["data"].get("offer") == event["data"].get("offer"):
            at += timedelta(minutes=1)
        found.append({**event, "time": at.isoformat(), "recordedtime": "2026-12-31T00:00:00Z"})
    return found


def test_what_happens_in_order_needs_nothing_of_the_past() -> None:
    """Where every fact is later than those before it, the dossier is enough for all of them."""
    judged = 0
    for seed in range(150):
        judged += len(play(_as_it_happens(seed), store := Watched()).answers)
        assert store.asked == 0, f"seed {seed}"
    assert judged > 500


def test_a_dossier_stays_within_its_bounds() -> None:
    """However much of everything happens around a client; and a replay that a late fact asks for keeps it there."""
    store = Watched()
    gate = Gate(POLICY, store)
    held: list[tuple[int, int, int]] = []
    sister = entity("sister", "eu_authorised", services=["exchange_funds"])
    sends = [
        told(f"{n} min", offer=f"s-{n}", id=f"{name}-{n}", **more)
        for n in range(1, 61)
        for name, told, more in (("hers", offer, {"by": "sister", "asset": f"a-{n}"}), ("went", delivered, {}))
    ]
    days = [sends, _month(80, at_once=False)[len(HERE) :], [question(f"{n} min", id=f"q-{n}") for n in range(120)]]
    days += [
        [asks(at=f"{n} min", id=f"re-{n}", in_reply_to=f"far-{n}", kind="recurring_execution") for n in range(120)]
    ]
    days += [[record(f"never-{n}", at=f"{n} min") for n in range(120)]]
    days += [[filed(f"loose-{n}", "initiation", "inbound_email", f"{n} min") for n in range(120)]]
    days += [[contacted(f"{n} min", id=f"letter-{n}") for n in range(20)]]
    for number, day in enumerate(days):
        told = [
            {**e, "time": (datetime.fromisoformat(e["time"]) + timedelta(days=40 * number)).isoformat()} for e in day
        ]
        for event in (*((*HERE, sister) if number == 0 else ()), *told, located("AT", at=f"{40 * number} d + 1 h")):
            assert not isinstance(gate.take(json.dumps(event).encode()), Rejected)
            dossier = store.dossier("anna")
            held.append((len(dossier.scopes), len(dossier.own_events), len(dossier.offers)))
            assert len(dossier.filings) <= 48 and len(dossier.filings.get("", ())) <= 48
            assert len(dossier.waiting) <= 48 and len(dossier.own.approvals) <= 48
            assert all(len(span.entries) <= 8 for span in dossier.own.touches.values())
    assert [max(many) for many in zip(*held, strict=True)] == [24, 48, 16]
    assert dossier.dropped > 500
    assert {thing.asset for thing in dossier.own.sent} == {"btc"}
    forgotten = dossier.forgotten
    filters = (forgotten.words, forgotten.scopes, forgotten.papers, forgotten.evidence, forgotten.offers)
    assert [len(held) for held in filters] == [SIZE] * 5
    assert (forgotten.filers, forgotten.approvers) == (["st-filer"], ["st-second"])


def test_a_filter_never_misses_a_name_and_seldom_finds_another() -> None:
    """As seldom as it says, whatever the names: also such as count up."""
    for made in ("e{}", "asked-{:06}", "//desk/2026/{}"):
        names = [made.format(n) for n in range(4000)]
        for many, most in ((0, 0), (500, 0.07), (2000, 0.45)):
            held = with_names(b"", names[:many]) if many else b""
            assert all(may_hold(held, name) for name in names[:many])
            assert sum(may_hold(held, name) for name in names[many:]) <= most * (4000 - many)
            assert held == with_names(held, names[:many]) or not many


def test_of_too_many_people_anybody_may_have_signed() -> None:
    """A list that somebody else's ids could make long is none."""
    people: list[str] = []
    for n in range(PEOPLE):
        assert not may_be_among(people, "anna")
        people = with_person(with_person(people, f"st-{n}"), f"st-{n}")
    assert len(people) == PEOPLE and may_be_among(people, "st-0")
    assert may_be_among(crowd := with_person(people, "one-more"), "anna") and len(crowd) == 1
    assert with_person(crowd, "anna") == crowd


def _letters(many: int, by: str) -> list[Event]:
    """A request, a letter, a request, ..."""
    pairs = (
        (asks(at=f"{2 * n} s", id=f"asked-{n}"), contacted(f"{2 * n + 1} s", by, id=f"letter-{n}")) for n in range(many)
    )
    return in_order((HERE, *(event for pair in pairs for event in pair)))


def _seconds_of_all(many: int) -> list[Event]:
    """In one second the client asks, is made an offer and is sent it; and again the next minute."""
    rounds = (
        (
            asks(at=f"{n} min", id=f"asked-{n}", transaction=f"t-{n}"),
            offer(at=f"{n} min", id=f"offer-{n}", offer=f"of-{n}", transaction=f"t-{n}"),
            delivered(at=f"{n} min", offer=f"of-{n}"),
        )
        for n in range(many)
    )
    return in_order((HERE, *(event for each in rounds for event in each)))


def _campaigns(many: int) -> list[Event]:
    """A campaign, an offer, a campaign, ..."""
    pairs = (
        (campaign(f"ads-{n}", at=f"{n} s"), offer(f"{n} s", id=f"offer-{n}", offer=f"of-{n}")) for n in range(many)
    )
    return in_order((HERE, asks(), *(event for pair in pairs for event in pair)))


def _visits(many: int) -> list[Event]:
    """A visit by a tag that nobody registered, a request, a visit by another, ..."""
    pairs = (
        (arrived(f"{2 * n} s", id=f"visit-{n}", campaign=f"tag-{n}"), asks(at=f"{2 * n + 1} s", id=f"asked-{n}"))
        for n in range(many)
    )
    return in_order((HERE, *(event for pair in pairs for event in pair)))


def _narrowed_letters(many: int) -> list[Event]:
    """A letter of whom nobody knows, that people narrow, a request, ..."""
    rounds = (
        (
            contacted(f"{3 * n} s", "somebody", id=f"letter-{n}"),
            narrowed(f"letter-{n}", at=f"{3 * n + 1} s"),
            asks(at=f"{3 * n + 2} s", id=f"asked-{n}"),
        )
        for n in range(many)
    )
    return in_order((HERE, *(event for each in rounds for event in each)))


def _one_transaction(many: int) -> list[Event]:
    """Requests of one transaction with their records, an offer after each; channels were not searched."""
    rounds = (
        (
            asks(at=f"{n} min", id=f"asked-{n}", transaction="t"),
            record(f"asked-{n}", at=f"{n} min"),
            approved(f"record-asked-{n}", at=f"{n} min"),
            offer(at=f"{n} min + 9 s", id=f"offer-{n}", offer=f"of-{n}", transaction="t"),
        )
        for n in range(many)
    )
    return in_order((HERE, *(event for each in rounds for event in each)))


def _took(events: list[Event], late: Event) -> float:
    gate = Gate(POLICY, MemoryStore())
    for event in events:
        gate.take(json.dumps(event).encode())
    begun = thread_time()
    assert not isinstance(gate.take(json.dumps(late).encode()), Rejected)
    return thread_time() - begun


REACHES_BACK = complaint(at="1 d", solicited_at="-1 d")


@pytest.mark.parametrize(
    ("past", "late"),
    [
        (lambda n: _month(n, at_once=False), REACHES_BACK),
        (lambda n: _month(n, at_once=False), located("FR", at="-1 d")),
        (lambda n: _month(n, at_once=True), REACHES_BACK),
        (lambda n: _month(n, at_once=True), located("FR", at="-1 d")),
        (lambda n: _letters(n, "affiliate"), REACHES_BACK),
        (lambda n: _letters(n, "blogger"), REACHES_BACK),
        (_campaigns, located("FR", at="-1 d")),
        (_one_transaction, REACHES_BACK),
        (_visits, REACHES_BACK),
        (_narrowed_letters, REACHES_BACK),
        (_seconds_of_all, REACHES_BACK),
        (_seconds_of_all, located("FR", at="-1 d")),
    ],
    ids=[
        "orders",
        "orders, moved",
        "sent at once",
        "sent at once, moved",
        "letters",
        "a blogger's",
        "campaigns",
        "requests of one transaction",
        "tags that nobody registered",
        "letters that people narrowed",
        "asked and sent in one second",
        "asked and sent in one second, moved",
    ],
)
def test_a_late_fact_costs_what_the_past_is_long(past: Callable[[int], list[Event]], late: Event) -> None:
    """Four times the past, some four times the work, and not sixteen."""
    short, long = (min(_took(past(many), late) for _ in range(3)) for many in (100, 400))
    assert long < 9 * short, (short, long)


def test_an_offer_that_is_proposed_and_sent_again_and_again_costs_each_time_the_same() -> None:
    """A sending is of the latest proposal: those before it are not looked through."""

    def work(many: int) -> int:
        pairs = (
            (
                offer(f"{2 * n} s", id=f"offer-{n}", offer="same"),
                delivered(f"{2 * n + 1} s", offer="same", id=f"sent-{n}"),
            )
            for n in range(many)
        )
        gate = Gate(POLICY, MemoryStore())
        for event in in_order((HERE, asks(), *(event for each in pairs for event in each))):
            gate.take(json.dumps(event).encode())
        late = json.dumps(REACHES_BACK).encode()
        return calls(lambda: gate.take(late))

    few, many = work(100), work(600)
    assert many < 7 * few, (few, many)
