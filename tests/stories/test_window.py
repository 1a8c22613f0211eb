"""Marketing may follow a request for a very short time, in its transaction; which request counts (steps 4 and 8)."""

import pytest

from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    allowed,
    answer,
    asks,
    blocked,
    clean_client,
    contacted,
    held,
    located,
    offer,
    proven,
    told_answers,
)

SOFT = held("WINDOW_SOFT_LIMIT")
EXPIRED = blocked("WINDOW_EXPIRED")
ANOTHER = blocked("OUTSIDE_ORIGINAL_TRANSACTION")


def test_the_window_after_a_request() -> None:
    """A day, then a person decides, then it is shut; at a limit itself it is passed."""
    assert answer(clean_client(), offer(at="30 min")) == ALLOWED
    assert answer(clean_client(), offer(at="24 h - 1 us")) == ALLOWED
    assert answer(clean_client(), offer(at="24 h")) == SOFT
    assert answer(clean_client(), offer(at="10 d - 1 us")) == SOFT
    assert answer(clean_client(), offer(at="10 d")) == EXPIRED
    assert answer(clean_client(), offer(at="900 d")) == EXPIRED


def test_an_offer_at_the_moment_of_the_request() -> None:
    """It counts as asked for, also where the request arrives after its record."""
    request = asks()
    told = [*REGISTER, located(), *proven(at="0 h"), request]
    told = [{**e, "time": request["time"]} if e["type"].startswith("gate61.evidence") else e for e in told]
    assert answer(told, offer(at="0 h")) == ALLOWED


def test_an_offer_belongs_into_the_transaction() -> None:
    """Missing or another, it is outside."""
    assert answer(clean_client(), offer(transaction=None)) == ANOTHER
    assert answer(clean_client(), offer(transaction="t2")) == ANOTHER
    assert answer(clean_client(), offer(transaction=None, at="24 h")) == blocked(
        "OUTSIDE_ORIGINAL_TRANSACTION", "WINDOW_SOFT_LIMIT"
    )
    assert answer(clean_client(), offer(transaction="t2", at="10 d")) == blocked(
        "WINDOW_EXPIRED", "OUTSIDE_ORIGINAL_TRANSACTION"
    )


def test_every_request_opens_a_scope_but_not_what_recurs() -> None:
    """An order does; a savings plan's monthly execution and an open question do not."""
    order = asks(kind="order", at="5 d", id="second")
    offered = offer(at="5 d + 2 h")
    assert answer(clean_client(), order, proven("second", "5 d"), offered) == allowed("WITHIN_WINDOW", until="6 d")
    recurring = asks(kind="recurring_execution", at="5 d", id="second")
    assert answer(clean_client(), recurring, proven("second", "5 d"), offered) == SOFT


def test_the_softest_of_several_requests_counts() -> None:
    """Whichever it is: earlier or later, only its reasons are listed."""
    second = asks(at="30 min", id="second", asset="eth", transaction="t2")
    assert answer(clean_client(), second, offer()) == ALLOWED
    assert answer(clean_client(), second, offer(asset="eth", transaction="t2")) == blocked("EVIDENCE_ABSENT")
    late = asks(at="26 h", id="second")
    later = allowed("WITHIN_WINDOW", until="50 h")
    assert answer(clean_client(), late, proven("second", "26 h"), offer(at="27 h")) == later
    assert answer(clean_client(), late, offer(at="27 h")) == SOFT


def test_of_equally_soft_requests_the_latest_counts() -> None:
    """Of one time the greater source and id."""
    second = [asks(at="1 h", id="second"), *proven("second", "1 h")]
    assert answer(clean_client(), second, offer()) == allowed("WITHIN_WINDOW", until="25 h")
    third = asks(at="2 h", id="third")
    assert answer(clean_client(), second, third, offer(at="3 h")) == allowed("WITHIN_WINDOW", until="25 h")
    same_time = [asks(id="z-asked", transaction="t2"), *proven("z-asked")]
    assert answer(clean_client(), same_time, offer(transaction="t3")) == ANOTHER
    (told,) = told_answers(clean_client(), same_time, offer(transaction="t3"))
    assert told["reasons"][0]["facts"][0] == "z-asked"
    (told,) = told_answers(
        clean_client(), [{**e, "id": e["id"].replace("z-", "a-")} for e in same_time], offer(transaction="t3")
    )
    assert told["reasons"][0]["facts"][0] == "asked-anna"
    other_source = {**asks(id="a-asked", transaction="t2"), "source": "//z"}
    (told,) = told_answers(clean_client(), other_source, offer(transaction="t3"))
    assert told["reasons"][0]["facts"][0] == "a-asked"


def test_blocks_are_equal_however_many_reasons_they_have() -> None:
    """Of two blocked scopes the latest is listed, not the one with fewer reasons."""
    second = asks(at="1 h", id="second", transaction="t2", asset="eth")
    expected = blocked("EVIDENCE_ABSENT", "NEW_ASSET_TYPE", "OUTSIDE_ORIGINAL_TRANSACTION")
    assert answer(clean_client(), second, offer(transaction="t3")) == expected


def test_a_request_of_another_service_gives_no_scope() -> None:
    """Nor does one after the offer."""
    assert answer(clean_client("anna", service="custody"), offer()) == blocked("NEW_SERVICE_TYPE")
    assert answer(clean_client(), asks("custody", at="3 h", id="second"), offer(service="custody")) == blocked(
        "NEW_SERVICE_TYPE"
    )


def test_with_several_things_the_earliest_scope_limits_the_answer() -> None:
    """Each thing has its own softest scope."""
    second = [asks("custody", at="1 h", id="second", asset="btc"), *proven("second", "1 h")]
    both = offer(promotes=[{"service": "custody", "asset": "btc"}])
    assert answer(clean_client(), second, both) == ALLOWED
    turned = offer(service="custody", promotes=[{"service": "exchange_funds", "asset": "btc"}])
    assert answer(clean_client(), second, turned) == ALLOWED
    alone = offer(service="custody")
    assert answer(clean_client(), second, alone) == allowed("WITHIN_WINDOW", until="25 h")


def test_the_answer_shows_its_scope() -> None:
    """Opened, soft and hard end, and whether it is open, for servicing only, or tainted."""
    (told,) = told_answers(clean_client(), offer())
    assert told["scope"] == {
        "service": "exchange_funds",
        "asset": "btc",
        "opened_at": "2026-03-02T09:00:00Z",
        "soft_until": "2026-03-03T09:00:00Z",
        "hard_until": "2026-03-12T09:00:00Z",
        "state": "open",
    }
    states = [
        (offer(at="10 d - 1 us"), "open"),
        (offer(at="10 d"), "servicing_only"),
    ]
    for offered, state in states:
        assert told_answers(clean_client(), offered)[0]["scope"]["state"] == state
        tainted = told_answers(contacted(), clean_client(), offered)[0]["scope"]["state"]
        assert tainted == "tainted"
    flagged = told_answers(clean_client(), contacted(at="1 h"), offer())[0]
    assert (flagged["scope"]["state"], flagged["initiation"]["state"]) == ("open", "contested")
    assert told_answers(clean_client(), offer(content="education"))[0]["scope"] is None
    assert told_answers(clean_client(), offer(service="custody"))[0]["scope"] is None


@pytest.mark.parametrize(("at", "told"), [("1 h", "1 h 0 min"), ("3 h", "3 h 0 min"), ("24 h - 1 us", "23 h 59 min")])
def test_an_allow_says_how_long_ago_the_request_was(at: str, told: str) -> None:
    """In full minutes."""
    (given,) = told_answers(clean_client(), offer(at=at))
    assert given["reasons"][0]["said"].startswith(f"{told} after the client's own request")
