"""Two references, one person: the worse history counts for both (section 6)."""

import pytest

from gate.facts import Contacted, Fact, Proposed
from gate.history import Record
from gate.known import Known
from gate.packing import replaced
from gate.revision import reopen
from state import MemoryStore
from streams.embedded import Gate
from tests.player import POLICY, fill
from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    Answer,
    Event,
    allowed,
    answer,
    answers,
    approved,
    arrived,
    asks,
    blocked,
    campaign,
    cases,
    clean_client,
    complaint,
    contacted,
    declared,
    delivered,
    entity,
    filed,
    held,
    in_order,
    located,
    merged,
    narrowed,
    notices,
    offer,
    proven,
    question,
    record,
    referred,
    relationship,
    retracted,
    search,
    tell,
)

MERGED = [*clean_client(), merged("ben")]


@pytest.mark.parametrize(
    ("of_ben", "expected"),
    [
        (contacted(who="ben"), blocked("INITIATION_SOLICITED")),
        (contacted(who="ben", at="1 h"), held("EXPOSED_SINCE_REQUEST")),
        (referred(who="ben", by="affiliate"), blocked("PERSON_CHAIN_SOLICITATION")),
        (arrived(who="ben", via="stranger"), held("PROMOTER_UNKNOWN")),
        (complaint(who="ben"), held("EVIDENCE_CONTRADICTED")),
        (relationship("suspended", who="ben", second=None), blocked("SUSPENDED")),
        (relationship("exit_only", who="ben", second=None), blocked("EXIT_ONLY")),
        (relationship("closed", who="ben", second=None), ALLOWED),
        (contacted(who="ben", by="blogger", content="education", promotes=[{}]), blocked("SCOPE_TAINTED")),
        (delivered(who="ben", offer="of-ben", at="-1 h"), blocked("INITIATION_SOLICITED")),
    ],
)
def test_what_happened_to_one_counts_for_the_other(of_ben: Event, expected: Answer) -> None:
    """Whether it arrives before or after the merger, and whichever of the two was merged with the other."""
    assert answer(clean_client(), of_ben, merged("ben"), offer()) == expected
    assert answer(clean_client(), merged("ben"), of_ben, offer()) == expected
    assert answer(clean_client(), of_ben, merged("anna", who="ben"), offer()) == expected
    assert answer(clean_client(), merged("anna", who="ben"), of_ben, offer()) == expected
    assert answer(clean_client(), of_ben, offer()) == ALLOWED
    late = [ALLOWED] if expected == ALLOWED else [ALLOWED, expected]
    assert answers(clean_client(), merged("ben"), offer(), of_ben) == late
    assert answers(clean_client(), of_ben, offer(), merged("ben")) == late


def test_locations_are_shared() -> None:
    """One lives here, so both do."""
    abroad = [*REGISTER, asks(), *proven(), located("US")]
    assert answer(abroad, offer()) == allowed("OUT_OF_TERRITORY")
    here = located("DE", who="ben")
    assert answer(abroad, here, merged("ben"), offer()) == ALLOWED
    weak = located("DE", "ip", who="ben")
    conflict = held("LOCATION_CONFLICT", "WITHIN_WINDOW")
    assert answer(abroad, weak, merged("ben"), offer()) == conflict
    assert answer(clean_client(), located("US", who="ben"), merged("ben"), offer()) == ALLOWED
    reached = [campaign(countries=["FR"]), located("FR", "ip", who="ben", until="-1 d")]
    assert answer(reached, MERGED, offer()) == blocked("CAMPAIGN_EXPOSURE")
    twice = [campaign(), located("DE", who="ben"), MERGED]
    assert answer(twice, offer()) == blocked("CAMPAIGN_EXPOSURE")


def test_requests_records_and_declarations_stay_each_ones_own() -> None:
    """Ben's request is not Anna's, nor his record, nor his tick-box."""
    bens = [asks(who="ben"), *proven("asked-ben", who="ben"), merged("ben")]
    assert answer(*REGISTER, located(), bens, offer()) == blocked("INITIATION_UNKNOWN")
    told = [*REGISTER, located(), asks(), merged("ben")]
    assert answer(told, record(who="ben"), approved("record-asked-anna", who="ben"), offer()) == blocked(
        "EVIDENCE_ABSENT"
    )
    assert answer(told, record(), approved("record-asked-anna", who="ben"), offer()) == blocked("EVIDENCE_UNAPPROVED")
    assert answer(told, declared(who="ben"), offer()) == blocked("EVIDENCE_ABSENT")
    assert answer(told, proven(), retracted("record-asked-anna", who="ben"), offer()) == ALLOWED
    replied = [*REGISTER, located(), asks(in_reply_to="m1"), *proven(), merged("ben")]
    assert answer(replied, question(who="ben", id="m1"), offer()) == blocked("SCOPE_TAINTED")


def test_accusations_are_approved_and_withdrawn_each_in_ones_own_file() -> None:
    """And then count so for both."""
    accused = complaint(who="ben")
    assert answer(MERGED, accused, approved("complaint", "90 min", who="ben"), offer()) == blocked(
        "EVIDENCE_CONTRADICTED"
    )
    assert answer(MERGED, accused, approved("complaint", "90 min"), offer()) == held("EVIDENCE_CONTRADICTED")
    assert answer(MERGED, accused, retracted("complaint", "90 min", who="ben"), offer()) == ALLOWED
    assert answer(MERGED, accused, retracted("complaint", "90 min"), offer()) == held("EVIDENCE_CONTRADICTED")
    late = approved("complaint", "30 d", who="ben")
    assert answers(MERGED, accused, offer(), late) == [held("EVIDENCE_CONTRADICTED"), blocked("EVIDENCE_CONTRADICTED")]


def test_a_narrowing_is_for_whom_the_exposure_reached() -> None:
    """Ben's referral is narrowed in Ben's name."""
    reached = referred(by="stranger", who="ben")
    assert answer(MERGED, reached, narrowed(reached["id"], who="ben"), offer()) == ALLOWED
    assert answer(MERGED, reached, narrowed(reached["id"]), offer()) == held("PROMOTER_UNKNOWN")
    ads = [campaign(), located(who="ben"), MERGED]
    assert answer(ads, narrowed("ads"), offer()) == blocked("CAMPAIGN_EXPOSURE")
    assert answer(ads, narrowed("ads"), narrowed("ads", who="ben"), offer()) == ALLOWED


def test_who_filed_for_one_may_approve_what_was_filed_for_the_other() -> None:
    """Evidence has its name with its client."""
    told = [*REGISTER, located(), merged("ben", at="-1 d"), asks(), search(), approved("search-asked-anna")]
    his = filed("record-asked-anna", "initiation", "inbound_email", "5 min", by="st-second", who="ben")
    assert answer(told, his, record(), approved("record-asked-anna"), offer()) == ALLOWED


def test_one_signs_milder_for_himself_only() -> None:
    """Anna's release from suspension does not lift Ben's."""
    told = [*MERGED, relationship("suspended", at="-2 d", who="ben"), relationship("exempt")]
    assert answer(told, offer()) == blocked("SUSPENDED")
    assert answer(told, relationship("exempt", who="ben"), offer()) == ALLOWED
    assert cases(MERGED, relationship("suspended", at="-2 d", who="ben"), relationship("exempt", second=None)) == [
        "IDENTITY_MERGED"
    ]
    late = [MERGED, offer(), relationship("suspended", at="-2 d", who="ben"), relationship("exempt", second=None)]
    assert "SAME_PERSON_TWICE" not in cases(late)


def test_a_closed_client_stays_closed_himself() -> None:
    """His double is not; of the rest the strictest counts."""
    told = [*MERGED, relationship("closed"), relationship("suspended", who="ben")]
    assert answer(told, offer()) == blocked("EXIT_ONLY")
    double = [*clean_client(), relationship("closed", who="ben"), relationship("suspended", who="carl")]
    assert answer(double, merged("ben"), merged("carl"), offer()) == blocked("SUSPENDED")


def test_who_is_connected_through_another_is_connected() -> None:
    """Whatever the order of mergers and facts."""
    carl = contacted(who="carl")
    first, second = merged("ben"), merged("carl", who="ben")
    for told in (
        [first, second, carl],
        [second, first, carl],
        [carl, second, first],
        [carl, first, second],
        [first, carl, second],
    ):
        assert answer(clean_client(), told, offer()) == blocked("INITIATION_SOLICITED")
        assert answers(clean_client(), offer(), told)[-1] == blocked("INITIATION_SOLICITED")
    around = [first, second, merged("anna", who="carl"), merged("ben"), carl]
    assert answer(clean_client(), around, offer()) == blocked("INITIATION_SOLICITED")


def test_a_merger_with_oneself_is_none() -> None:
    """It is noted, and changes nothing."""
    assert answer(clean_client(), merged("anna"), offer()) == ALLOWED
    assert cases(clean_client(), merged("anna"), contacted(at="1 h")) == ["IDENTITY_MERGED", "EXPOSURE"]


def test_offers_to_the_other_prompt_and_solicit_too() -> None:
    """A sending that was let go prompts; one that was not solicits."""
    bens = [*clean_client("ben"), offer(who="ben"), delivered(offer="of-ben", who="ben")]
    annas = [asks(at="3 h"), *proven(at="3 h"), located()]
    after = offer(at="4 h")
    assert answer(bens, annas, after) == allowed("WITHIN_WINDOW", until="27 h")
    assert answer(bens, annas, merged("ben"), after) == blocked("SCOPE_TAINTED")
    assert answer(merged("ben"), bens, annas, after) == blocked("SCOPE_TAINTED")
    unlet = [*REGISTER, located(who="ben"), offer(who="ben"), delivered(offer="of-ben", who="ben")]
    both = blocked("INITIATION_SOLICITED", "SCOPE_TAINTED")
    assert answer(unlet, annas, merged("ben"), after) == both
    assert answer(merged("ben"), unlet, annas, after) == both
    sent_by = [*REGISTER, located(who="ben"), offer(who="ben", by="affiliate"), delivered(offer="of-ben", who="ben")]
    chain = blocked("PERSON_CHAIN_SOLICITATION", "SCOPE_TAINTED")
    assert answer(sent_by, annas, merged("ben"), after) == chain


def test_each_is_answered_alone() -> None:
    """A late fact of one supersedes the answers of both, each with its own case."""
    told = [*clean_client(), *clean_client("ben"), merged("ben"), offer(), offer(who="ben")]
    late = contacted(at="1 h", who="ben")
    for of in ("offer-anna", "offer-ben"):
        assert answers(told, late, of=of) == [ALLOWED, held("EXPOSED_SINCE_REQUEST")]
    opened = [e["data"] for e in tell(told, late).out if e["data"].get("why") == "LATE_EVIDENCE"]
    assert sorted(c["client"] for c in opened) == ["anna", "ben"]


def test_who_joins_brings_all_his_past() -> None:
    """Whatever he was heard of first, and if he was heard of once."""
    past = [located("DE", at="3 h", who="ben"), contacted(who="ben")]
    for his in (past, past[::-1], past[1:]):
        assert answers(clean_client(), his, offer(), merged("ben")) == [ALLOWED, blocked("INITIATION_SOLICITED")]


def test_two_clients_offers_may_have_one_id() -> None:
    """Ids are looked at by partition; each answer is about the client's own offer."""
    store = MemoryStore()
    gate = Gate(POLICY, store)
    for told in in_order([MERGED, offer()]):
        gate.take(fill(told, {}))
    (proposed,) = [r.fact for r in store.history("anna") if r.fact and isinstance(r.fact.said, Proposed)]
    his = Record(replaced(proposed, client="ben"), of="ben")
    mail = Fact("//story", "mail", "anna", proposed.at, proposed.at, Contacted("firm", "email", "marketing"))
    known = Known(store.dossier("anna"), gate.register)
    found, _ = reopen(known, proposed.at, mail, [*store.history("anna"), his, Record(mail)])
    assert [(a.offer.client, a.outcome.leading) for a in found.answers] == [("anna", "EXPOSED_SINCE_REQUEST")]


def test_a_case_says_that_two_are_one() -> None:
    """Whoever was told of first."""
    assert cases(clean_client(), merged("ben")) == ["IDENTITY_MERGED"]


def test_the_register_may_change_behind_what_reached_the_other() -> None:
    """Who sent Ben turns out to be an agent: Anna's answer is taken back."""
    told = [
        referred(by="newcomer", who="ben"),
        *MERGED,
        narrowed(referred(by="newcomer", who="ben")["id"], who="ben"),
        offer(),
    ]
    late = entity("newcomer", "agent", at="-2 d")
    assert answers(told, late) == [ALLOWED, blocked("PERSON_CHAIN_SOLICITATION")]


def test_a_late_request_of_when_one_of_them_was_abroad_opens_nothing() -> None:
    """The other's past does not matter for where the one was."""
    moved = [*REGISTER, located("US"), located("US", "ip"), located("US", who="ben"), merged("ben", at="-1 d")]
    moved += [located("DE", at="1 h")]
    assert notices(moved, asks()) == []
    assert notices(moved, asks(at="2 h")) == [("scope.opened", "asked-anna")]
