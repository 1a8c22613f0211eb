"""Own initiative must be proven: an approved record of the request, and a search of all channels (step 6)."""

import pytest
from msgspec import structs

from gate.policy import Policy
from tests.player import POLICY
from tests.stories.telling import (
    ALL_CHANNELS,
    ALLOWED,
    REGISTER,
    Event,
    answer,
    answers,
    approved,
    asks,
    blocked,
    cases,
    complaint,
    declared,
    filed,
    held,
    located,
    offer,
    proven,
    record,
    retracted,
    search,
    told_answers,
)

START = [*REGISTER, located(), asks()]
RECORD, SEARCH = record(), search()
RECORD_OK, SEARCH_OK = approved("record-asked-anna"), approved("search-asked-anna")

ABSENT = blocked("EVIDENCE_ABSENT")
ATTESTED = blocked("ATTESTATION_ONLY")
UNAPPROVED = blocked("EVIDENCE_UNAPPROVED")
NOT_SEARCHED = held("CHANNELS_NOT_SEARCHED")


def grade(*words: Event | list[Event]) -> tuple[str, str, list[str]]:
    """State, grade and evidence of the initiation that an answer shows."""
    initiation = told_answers(*words)[-1]["initiation"]
    return initiation["state"], initiation["grade"], initiation["evidence"]


def test_the_ladder_of_evidence() -> None:
    """Nothing, a declaration, a record, its approval, the search, its approval: one row speaks at a time."""
    told = [*START, offer()]
    assert answer(told) == ABSENT
    assert answer(*START, declared(), offer()) == ATTESTED
    assert answer(*START, declared(), RECORD, offer()) == UNAPPROVED
    assert answer(*START, RECORD, RECORD_OK, offer()) == NOT_SEARCHED
    assert answer(*START, RECORD, RECORD_OK, SEARCH, offer()) == NOT_SEARCHED
    assert answer(*START, RECORD, RECORD_OK, SEARCH, SEARCH_OK, offer()) == ALLOWED
    assert answer(*START, SEARCH, SEARCH_OK, offer()) == ABSENT


def test_a_later_request_that_nobody_searched_for_does_not_hold_up_an_earlier_one() -> None:
    """Each request of the transaction may carry the offer, and one whose proof is whole does."""
    later = [asks(id="second", at="30 min"), record("second", "40 min"), approved("record-second", "45 min")]
    assert answer([*START, RECORD, RECORD_OK, SEARCH, SEARCH_OK], later, offer()) == ALLOWED


def test_of_several_declarations_the_first_is_named() -> None:
    """In whatever order they arrive."""
    first, later = declared("5 min"), declared("6 min")
    for told in ([first, later], [later, first]):
        (given,) = told_answers(START, told, offer())
        assert given["reasons"][0]["facts"] == [first["id"], "asked-anna"]


def test_an_accusation_declares_nothing() -> None:
    """Whatever kind of paper it is, and though it names the request."""
    accused = filed("paper", "solicitation", "attestation", request="asked-anna", solicited_at="3 h")
    assert answer(START, accused, offer()) == blocked("EVIDENCE_ABSENT", "EXPOSED_SINCE_REQUEST")


def test_a_reason_names_four_papers_at_most() -> None:
    """In the order in which they were filed, and the request."""
    papers = [record(at=f"{n} min", by=f"st-{n}") for n in range(1, 6)]
    for many in (3, 4, 5):
        (told,) = told_answers(START, papers[:many], offer())
        assert told["reasons"][0]["facts"] == [*(p["id"] for p in papers[: min(many, 4)]), "asked-anna"]


def test_the_grade_is_told() -> None:
    """A to D or none, with the state of the initiation and the evidence it leans on."""
    record, search = "record-asked-anna", "search-asked-anna"
    assert grade(START[1:3], offer()) == ("unknown", "none", [])
    assert grade(START, offer()) == ("under_review", "none", [])
    assert grade(START, declared(), offer()) == ("under_review", "D", [])
    assert grade(START, RECORD, offer()) == ("under_review", "C", [record])
    assert grade(START, RECORD, RECORD_OK, offer()) == ("exclusive", "B", [record])
    assert grade(START, proven(), offer()) == ("exclusive", "A", [record, search])
    many = [filed(f"r{n}", "initiation", "inbound_email", "1 min", "asked-anna") for n in range(9)]
    assert grade(START, many, offer()) == ("under_review", "C", [f"r{n}" for n in range(8)])
    assert grade(START, proven(), complaint(), offer()) == ("contested", "A", [record, search])
    assert grade(START, proven(), complaint(), approved("complaint", "1 h"), offer())[:2] == ("solicited", "A")


@pytest.mark.parametrize("kind", ["inbound_email", "inbound_call", "inbound_chat", "inbound_letter", "session_log"])
def test_what_is_a_record(kind: str) -> None:
    """What came in by itself."""
    assert answer(START, record(kind=kind), RECORD_OK, SEARCH, SEARCH_OK, offer()) == ALLOWED


@pytest.mark.parametrize("kind", ["channel_search", "affiliate_report", "campaign_report", "complaint"])
def test_what_is_no_record(kind: str) -> None:
    """Other kinds do not show a request, nor does one that supports something else."""
    assert answer(START, record(kind=kind), RECORD_OK, SEARCH, SEARCH_OK, offer()) == ABSENT
    inbound = filed("record-asked-anna", "no_solicitation", "inbound_email", request="asked-anna")
    assert answer(START, inbound, RECORD_OK, SEARCH, SEARCH_OK, offer()) == ABSENT


@pytest.mark.parametrize("kind", ["attestation", "tick_box", "terms_clause"])
def test_what_is_only_declared_has_no_weight(kind: str) -> None:
    """Approved or not."""
    for supports in ("initiation", "no_solicitation"):
        attested = filed("record-asked-anna", supports, kind, request="asked-anna")
        assert answer(START, attested, RECORD_OK, SEARCH, SEARCH_OK, offer()) == ATTESTED
        assert grade(START, attested, offer()) == ("under_review", "D", ["record-asked-anna"])


def test_a_declaration_weighs_nothing_beside_a_record() -> None:
    """The first row that fits is the only one that speaks."""
    assert answer(START, proven(), declared(), offer()) == ALLOWED


def test_evidence_belongs_to_the_request_it_names() -> None:
    """Another request's record, or one without a request, shows nothing."""
    for request in (None, "another"):
        other = filed("record-asked-anna", "initiation", "inbound_email", request=request)
        assert answer(START, other, RECORD_OK, SEARCH, SEARCH_OK, offer()) == ABSENT
        elsewhere = filed(
            "search-asked-anna", "no_solicitation", "channel_search", request=request, channels_searched=ALL_CHANNELS
        )
        assert answer(START, RECORD, RECORD_OK, elsewhere, SEARCH_OK, offer()) == NOT_SEARCHED


def test_who_files_does_not_approve() -> None:
    """`by` alone decides; a case is opened, whichever of the two arrives first."""
    himself = approved("record-asked-anna", by="st-filer", second="st-second")
    told = [*START, RECORD, himself, SEARCH, SEARCH_OK]
    assert answer(told, offer()) == UNAPPROVED
    assert cases(told) == ["SAME_PERSON_TWICE"]
    assert cases(START, himself, RECORD) == ["SAME_PERSON_TWICE"]
    assert answer(told, RECORD_OK, offer()) == ALLOWED
    assert (
        answer(START, RECORD, approved("record-asked-anna", second="st-filer"), SEARCH, SEARCH_OK, offer()) == ALLOWED
    )


def test_what_is_approved_before_it_is_filed_is_not_approved() -> None:
    """In the firm's favour; at one time it is. Against the firm it counts."""
    at_once = approved("record-asked-anna", at="10 min")
    early = approved("record-asked-anna", at="10 min - 1 us")
    assert answer(START, SEARCH, SEARCH_OK, at_once, RECORD, offer()) == ALLOWED
    assert answer(START, SEARCH, SEARCH_OK, early, RECORD, offer()) == UNAPPROVED
    against = approved("complaint", at="10 min")
    assert answer(START, proven(), against, complaint(), offer()) == blocked("EVIDENCE_CONTRADICTED")


def test_an_approval_counts_from_its_time_on() -> None:
    """At the offer's time it is there, later it is not."""
    told = [*START, RECORD, SEARCH, SEARCH_OK]
    assert answer(told, approved("record-asked-anna", at="2 h"), offer(at="2 h")) == ALLOWED
    assert answer(told, offer(at="2 h"), approved("record-asked-anna", at="2 h + 1 us")) == UNAPPROVED
    assert answer(START, proven(at="2 h"), offer(at="2 h")) == ALLOWED
    assert answer(START, offer(at="2 h"), proven(at="2 h + 1 us")) == ABSENT


@pytest.mark.parametrize("channel", ALL_CHANNELS)
def test_every_required_channel_is_searched(channel: str) -> None:
    """In one search or in several together; each must be approved and support `no_solicitation`."""
    others = [c for c in ALL_CHANNELS if c != channel]
    told = [*START, RECORD, RECORD_OK, search(channels=others), SEARCH_OK]
    assert answer(told, offer()) == NOT_SEARCHED
    rest = filed("rest", "no_solicitation", "channel_search", request="asked-anna", channels_searched=[channel])
    assert answer(told, rest, offer()) == NOT_SEARCHED
    assert answer(told, rest, approved("rest"), offer()) == ALLOWED
    for supports, kind in (("initiation", "channel_search"), ("no_solicitation", "campaign_report")):
        wrong = filed("rest", supports, kind, request="asked-anna", channels_searched=[channel])
        assert answer(told, wrong, approved("rest"), offer()) == NOT_SEARCHED


def test_other_channels_do_not_stand_in() -> None:
    """A channel nobody asked for."""
    told = [*START, RECORD, RECORD_OK]
    assert answer(told, search(channels=["email", "pigeons"]), SEARCH_OK, offer()) == NOT_SEARCHED
    assert answer(told, search(channels=[*ALL_CHANNELS, "pigeons"]), SEARCH_OK, offer()) == ALLOWED


def test_withdrawn_proof_proves_nothing() -> None:
    """From its filing on, so that what was allowed on it is taken back."""
    told = [*START, *proven()]
    assert answer(told, retracted("record-asked-anna"), offer()) == ABSENT
    assert answers(told, offer(), retracted("record-asked-anna", at="3 h")) == [ALLOWED, ABSENT]
    assert answers(told, offer(), retracted("search-asked-anna", at="3 h")) == [ALLOWED, NOT_SEARCHED]
    assert answers(told, offer(), retracted("search-asked-anna", at="3 h", second="st-one")) == [ALLOWED]


def test_what_the_policy_lets_approve_itself() -> None:
    """Kinds and filers; the default names none."""
    told = [*START, RECORD, SEARCH, offer()]
    kinds = frozenset(("inbound_email", "channel_search"))
    by_kind: Policy = structs.replace(POLICY, self_approving_kinds=kinds)
    by_filer: Policy = structs.replace(POLICY, self_approving_filers=frozenset(("st-filer",)))
    assert answer(told, policy=by_kind) == ALLOWED
    assert answer(told, policy=by_filer) == ALLOWED
    assert answer(told) == UNAPPROVED
