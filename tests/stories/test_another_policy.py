"""Another policy in mid-history: earlier answers stand, and what is judged later is judged by it, from the facts."""

from typing import Any

import pytest
from msgspec import structs

from gate.policy import DAY, HOUR, Policy
from gate.register import Register
from state import MemoryStore
from streams.policy_file import DEFAULT, parse
from tests.player import POLICY, Older, Watched, play
from tests.stories.telling import (
    HERE,
    REGISTER,
    Answer,
    Event,
    Words,
    allowed,
    asks,
    asset,
    blocked,
    campaign,
    clean_client,
    complaint,
    contacted,
    delivered,
    entity,
    held,
    in_order,
    let_go,
    located,
    offer,
    proven,
    question,
    referred,
    released,
    said,
)

PROMPTED = blocked("SCOPE_TAINTED")


def other(version: str, **changes: Any) -> Policy:
    """The default policy with other numbers."""
    changed = structs.replace(POLICY, version=version, **changes)
    return structs.replace(changed, digest=f"sha256:{version}")


SHORT = other("short", soft_limit=12 * HOUR, hard_limit=DAY)
LONG = other("long", soft_limit=27 * DAY, hard_limit=27 * DAY)


def answers(*parts: tuple[Policy, Words], store: MemoryStore | None = None) -> list[Answer]:
    """All answers to the last offer, each part being told under its policy."""
    events: list[Event] = []
    then: dict[int, Policy] = {}
    for policy, words in parts:
        then[len(events) + 1] = policy
        events += in_order([words])
    played = play(events, store, policy=parts[0][0], then=then)
    assert not played.rejected, played.rejected
    last = [e for e in events if e["type"] == "gate61.offer.proposed.v1"][-1]["id"]
    return [said(a) for a in played.answers["//story", last]]


SENT: list[Words] = [clean_client(), offer("30 min"), delivered("31 min")]
AGAIN: list[Words] = [asks(at="50 h", id="second", transaction="t2"), *proven("second", "50 h")]
OWN = offer(at="51 h", id="last", offer="of-last", transaction="t2")
HARMLESS = located("AT", "ip", at="50 h + 30 min")


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (SHORT, POLICY, PROMPTED),
        (SHORT, LONG, PROMPTED),
        (POLICY, SHORT, allowed("WITHIN_WINDOW", until="62 h")),
        (POLICY, LONG, PROMPTED),
    ],
    ids=lambda policy: policy.version if isinstance(policy, Policy) else "",
)
def test_what_was_let_go_prompts_by_the_hard_limit_of_when_it_is_judged(
    first: Policy, then: Policy, expected: Answer
) -> None:
    """Two days before the request; whatever limit was in force when that came. A harmless late fact changes nothing."""
    assert answers((first, [SENT, AGAIN]), (then, [OWN, HARMLESS])) == [expected]
    assert answers((first, SENT), (then, [AGAIN, OWN, HARMLESS])) == [expected]
    assert answers((then, [SENT, AGAIN, OWN, HARMLESS])) == [expected]


def test_a_request_in_reply_to_one_that_the_policy_prompts() -> None:
    """It is as good as what it replies to, by each policy."""
    reply = [asks("custody", at="50 h", id="third", in_reply_to="second", transaction="t3"), *proven("third", "50 h")]
    own = offer(at="51 h", id="last", offer="of-last", service="custody", transaction="t3")
    assert answers((SHORT, [SENT, AGAIN, reply]), (POLICY, own)) == [PROMPTED]
    assert answers((POLICY, [SENT, AGAIN, reply]), (SHORT, own)) == [allowed("WITHIN_WINDOW", until="62 h")]
    assert answers((SHORT, [SENT, AGAIN, reply, own]), (POLICY, HARMLESS))[-1] == PROMPTED


def test_an_answer_stands_by_the_policy_that_it_was_given_by() -> None:
    """Until a late fact has it judged again."""
    given = allowed("WITHIN_WINDOW", until="62 h")
    assert answers((SHORT, [SENT, AGAIN, OWN]), (POLICY, question("52 h"))) == [given]
    assert answers((SHORT, [SENT, AGAIN, OWN]), (POLICY, [question("52 h"), HARMLESS])) == [given, PROMPTED]


def test_that_a_later_policy_prompts_a_request_is_said_with_the_answer() -> None:
    """Once; what a shorter limit clears is not taken back."""
    events = in_order([SENT, AGAIN, OWN, offer(at="52 h", id="more", offer="more", transaction="t2")])
    played = play(events, policy=SHORT, then={len(events) - 1: POLICY})
    tainted = [e["data"]["scope"] for e in played.out if e["type"] == "gate61.scope.tainted.v1"]
    assert [scope["opened_at"] for scope in tainted] == ["2026-03-04T11:00:00Z"]


@pytest.mark.parametrize(
    ("first", "then", "before"),
    [
        (
            POLICY,
            other("strict", close_link_percent=10.0),
            [entity("pal", "independent", holding_percent=15), contacted(by="pal"), asks()],
        ),
        (
            other("fewer", countries={k: v for k, v in POLICY.countries.items() if k != "NO"}),
            POLICY,
            [campaign(countries=["NO"]), located("NO", at="-2 d"), located("DE", "ip"), asks()],
        ),
        (
            POLICY,
            other("trusting", self_approving_kinds=frozenset(["complaint"])),
            [asks(), complaint("30 min")],
        ),
    ],
    ids=["who counts", "what is in scope", "what approves itself"],
)
def test_that_a_later_policy_finds_a_client_solicited_is_said_with_the_answer(
    first: Policy, then: Policy, before: Words
) -> None:
    """Of the first scope, so that the relationship is suspended, too; once."""
    events = in_order([HERE, before, offer("1 h"), offer("2 h", id="next", offer="next"), offer("3 h", id="last")])
    played = play(events, policy=first, then={len(events) - 1: then})
    told = [e["type"] for e in played.out if e["type"].startswith(("gate61.scope.tainted", "gate61.relationship"))]
    assert told == ["gate61.scope.tainted.v1", "gate61.relationship.suspended.v1"]


@pytest.mark.parametrize(("first", "then"), [(SHORT, LONG), (LONG, SHORT), (SHORT, SHORT), (LONG, LONG)])
def test_a_contact_is_an_exposure_once_whatever_limits_follow_one_another(first: Policy, then: Policy) -> None:
    """Of the scope that was open by the limit of then, or of one whose request arrived later."""
    events = in_order([HERE, question("-1 d"), asks(), contacted("40 h"), asks(at="36 h", id="late", transaction="t2")])
    for store in (MemoryStore(), Older()) if first == then else (MemoryStore(),):
        out = play(events, store, policy=first, then={len(events): then}).out
        assert [e["data"]["why"] for e in out if e["type"] == "gate61.case.opened.v1"] == ["EXPOSURE"]


def test_sendings_that_were_cut_by_a_shorter_limit() -> None:
    """Sixty things were named two days before the request, and cut a day after."""
    sister: list[Words] = [HERE, entity("sister", "eu_authorised", services=["exchange_funds"])]
    for n in range(60):
        own = offer("-50 h", asset=f"a{n}", by="sister", id=f"a{n}", offer=f"a{n}")
        sister += [asset(f"a{n}"), own, delivered("-50 h", f"a{n}", id=f"sent-{n}")]
    asked = [question("-10 h"), asks(asset="a3"), *proven()]
    assert answers((SHORT, [sister, asked]), (POLICY, offer(asset="a3"))) == [PROMPTED]
    assert answers((SHORT, [sister, asked[:1]]), (POLICY, [asked[1:], offer(asset="a3")])) == [PROMPTED]


def orders(many: int) -> list[Event]:
    """Orders for assets that nothing takes for one another, with papers, an hour apart."""
    told: list[Words] = [HERE]
    for n in range(many):
        told += [asks(at=f"{n} h", id=f"r{n}", transaction=f"t{n}"), *proven(f"r{n}", f"{n} h")]
    return in_order(told)


def test_a_scope_that_was_cut_as_shut_may_be_open_again() -> None:
    """By a longer limit; a dossier that keeps two dozen does not tell."""
    own = offer(at="60 h", id="last", offer="last", transaction="t2")
    assert answers((SHORT, orders(60)), (POLICY, own)) == [held("WINDOW_SOFT_LIMIT")]
    assert answers((SHORT, orders(60)), (SHORT, own)) == [blocked("OUTSIDE_ORIGINAL_TRANSACTION")]


def test_what_a_mixed_notice_named_follows_the_policys_countries() -> None:
    """A notice to somebody outside the Union names its own thing, too."""
    countries = {k: v for k, v in POLICY.countries.items() if k != "NO"}
    without = other("without", countries=countries)
    transfer = [asks("transfer", at="-1 h", id="first", transaction="t1"), *proven("first", "-1 h")]
    notice = offer(
        at="-30 min",
        id="notice",
        offer="notice",
        content="service_notice",
        transaction="t1",
        promotes=[{"service": "transfer", "asset": "btc"}],
    )
    let = released("notice", at="-29 min", expires="1 h")
    sent: list[Words] = [REGISTER, located("NO"), transfer, notice, let, delivered("-28 min", "notice")]
    moved = located("FR", at="-1 min")
    asked = [moved, asks(at="30 min", id="second", transaction="t2"), *proven("second", "30 min")]
    own = offer(at="1 h", id="last", offer="last", transaction="t2")
    clear = allowed("WITHIN_WINDOW", until="1470 min")
    for first, then, expected in ((POLICY, POLICY, clear), (without, without, PROMPTED)):
        assert answers((first, sent), (then, [asked, own])) == [expected]
    for first, then, expected in ((without, POLICY, clear), (POLICY, without, PROMPTED)):
        assert answers((first, sent), (then, [asked, own])) == [expected]
        assert answers((first, [sent, asked]), (then, own)) == [expected]
        assert answers((first, sent[:-1]), (then, [sent[-1], asked, own])) == [expected]


def test_another_policy_costs_the_past_of_whom_it_may_concern_and_only_once() -> None:
    """Of nobody from whom nothing was cut the past is read, whatever limits follow one another."""
    store = Watched()
    answers((SHORT, [SENT, AGAIN]), (POLICY, OWN), (LONG, question("52 h")), store=store)
    assert store.asked == 0
    more = [offer("60 h"), *(question(f"{61 + n} h", id=f"q{n}") for n in range(9))]
    store = Watched()
    answers((SHORT, orders(60)), (POLICY, more), (other("same"), question("70 h")), store=store)
    recalled = 2  # Each start looks for when the scopes close that were cut.
    assert store.asked == 1 + recalled


CLOSER = other("closer", close_link_percent=19.0)
SWISS = other("swiss", countries=POLICY.countries | {"CH": POLICY.countries["DE"]})


@pytest.mark.parametrize(
    ("told", "stricter", "code"),
    [
        (
            [
                entity("pal", "independent", holding_percent=19.5),
                clean_client(),
                contacted("10 min", by="stranger"),
                contacted("20 min", by="pal"),
            ],
            CLOSER,
            "EXPOSED_SINCE_REQUEST",
        ),
        (
            [
                campaign("here", at="-50 d", kind="eu_feature"),
                campaign("there", at="-60 d", kind="eu_feature", countries=["CH"]),
                clean_client(),
                located("CH", "ip", at="-40 d"),
            ],
            SWISS,
            "CAMPAIGN_EXPOSURE",
        ),
    ],
    ids=["who counts", "what is in scope"],
)
def test_a_release_covers_no_solicitation_that_only_a_later_policy_finds(
    told: Words, stricter: Policy, code: str
) -> None:
    """Nobody was shown it: people cannot release the earlier answer, and what they released is taken back."""
    shown, gone, late = held(code), let_go(code, until="5 h"), question("30 min")
    assert answers((POLICY, [told, offer()]), (stricter, released())) == [shown]
    assert answers((POLICY, [told, offer(), released()]), (stricter, late)) == [shown, gone, shown]
    assert answers((POLICY, [told, offer()]), (POLICY, [released(), late])) == [shown, gone]
    assert answers((stricter, [told, offer()]), (stricter, [released(), late])) == [shown, gone]


def test_under_another_policy_a_release_covers_what_the_answer_says() -> None:
    """Of ten exposures an answer says eight; where its own policy is in force all that it leant on are covered."""
    shown, gone = held("PROMOTER_UNKNOWN"), let_go("PROMOTER_UNKNOWN", until="5 h")
    few, many = ([referred(f"-{n} d", by="stranger") for n in range(20, 20 - many, -1)] for many in (8, 10))
    same, late = other("same"), question("30 min")
    assert answers((POLICY, [few, clean_client(), offer()]), (same, [released(), late])) == [shown, gone]
    told: list[Words] = [many, clean_client(), offer()]
    assert answers((POLICY, told), (same, released())) == [shown]
    assert answers((POLICY, [told, released()]), (same, late)) == [shown, gone, shown]
    assert answers((POLICY, told), (same, question("2 h")), (POLICY, [released(), late])) == [shown, gone]


def test_what_concludes_is_the_hard_limit_and_the_countries() -> None:
    """By no other number anything is kept that would have to be found anew."""
    marks = {Register(p).concluding for p in (POLICY, other("other", soft_limit=0), parse(DEFAULT.read_bytes(), "it"))}
    assert len(marks) == 1
    assert Register(SHORT).concluding not in marks
    assert Register(other("fewer", countries={"DE": 0})).concluding not in marks


def test_somebody_independent_prompts_by_every_limit() -> None:
    """However long ago a message named it."""
    lesson = contacted("-300 d", by="blogger", content="education", promotes=[{"service": "exchange_funds"}])
    assert answers((SHORT, [HERE, lesson, asks(), *proven()]), (LONG, offer())) == [PROMPTED]
