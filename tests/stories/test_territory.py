"""Where the provider is authorised, and where the client is (steps 1 and 2)."""

from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    Event,
    allowed,
    answer,
    asks,
    blocked,
    clean_client,
    country,
    entity,
    held,
    located,
    offer,
    proven,
    told_answers,
)

SISTER = entity("sister", "eu_authorised", services=["exchange_funds", "custody"])
NOBODY_ASKED = "INITIATION_UNKNOWN"


def test_the_authorised_sister_may_offer_what_she_is_authorised_for() -> None:
    """The gate does not apply to her, whoever the client is and whatever he asked for."""
    authorised = allowed("AUTHORISED_ENTITY")
    assert answer(SISTER, offer(by="sister")) == authorised
    assert (
        answer(SISTER, located(), offer(by="sister", service="custody", content="education", link=True)) == authorised
    )
    assert answer(SISTER, offer(by="sister", promotes=[{"service": "custody"}, {"asset": "eth"}])) == authorised


def test_the_sister_may_not_offer_more_than_that() -> None:
    """One service too many, an end of the entry, a later entry, or another relation, and she is judged."""
    judged = blocked(NOBODY_ASKED)
    assert answer(SISTER, located(), offer(by="sister", service="transfer")) == judged
    assert answer(SISTER, located(), offer(by="sister", promotes=[{"service": "transfer"}])) == judged
    over = entity("sister", "eu_authorised", at="-1 d", services=["exchange_funds"], until="2026-03-02T11:00:00Z")
    assert answer(over, located(), offer(by="sister", at="2 h")) == judged
    assert answer(over, offer(by="sister", at="2 h - 1 us")) == allowed("AUTHORISED_ENTITY")
    assert (
        answer(SISTER, entity("sister", "group", at="-1 d", services=["exchange_funds"]), located(), offer(by="sister"))
        == judged
    )
    assert answer(SISTER, located(), offer(by="brother")) == judged
    assert answer(entity("sister", "eu_authorised"), located(), offer(by="sister")) == judged


def test_the_sister_is_authorised_from_her_entry_on() -> None:
    """At its time, not before; of two entries at one time both must authorise."""
    entry = entity("sister", "eu_authorised", at="2 h", services=["exchange_funds"])
    assert answer(entry, located(), offer(at="2 h", by="sister")) == allowed("AUTHORISED_ENTITY")
    assert answer(located(), offer(at="2 h - 1 us", by="sister"), entry) == blocked(NOBODY_ASKED)
    both = [entry, entity("sister", "eu_authorised", at="2 h", services=["custody"])]
    assert answer(both, located(), offer(at="2 h", by="sister")) == blocked(NOBODY_ASKED)


def test_the_firm_itself_is_never_authorised_where_nobody_acts_for_it() -> None:
    """`by` left out means the firm, whatever the register says of it."""
    firm = entity("firm", "eu_authorised", services=["exchange_funds"])
    assert answer(firm, located(), offer()) == blocked(NOBODY_ASKED)
    assert answer(firm, located(), offer(by="firm")) == allowed("AUTHORISED_ENTITY")


def test_of_two_residences_of_one_time_both_count() -> None:
    """Whichever arrives first: who may be in the Union is judged."""
    here, there = located("DE"), located("US")
    for told in ([here, there], [there, here], [here, there, here | {"id": "again"}]):
        assert answer(told, offer()) == blocked(NOBODY_ASKED)


def test_a_client_who_lives_elsewhere_is_not_judged() -> None:
    """Each strong sign will do, also beside a weak one from elsewhere."""
    outside = allowed("OUT_OF_TERRITORY")
    for strong in ("kyc_residence", "registered_office", "tax_residence"):
        assert answer(located("US", strong), offer()) == outside
    assert answer(located("US"), located("CH", "ip"), offer()) == outside


def test_a_client_of_whom_only_weak_signs_are_known_is_held() -> None:
    """Each weak sign by itself says too little; so does none."""
    assert answer(offer()) == blocked(NOBODY_ASKED, "LOCATION_UNKNOWN")
    papers = [*REGISTER, asks(), *proven()]
    assert answer(papers, offer()) == held("LOCATION_UNKNOWN", "WITHIN_WINDOW")
    for weak in ("declared", "ip", "sim", "bank_account", "temporary_stay"):
        assert answer(papers, located("US", weak), offer()) == held("LOCATION_UNKNOWN", "WITHIN_WINDOW")
        assert answer(papers, located("DE", weak), offer()) == ALLOWED


def test_weak_signs_into_the_union_against_a_strong_one_out_of_it() -> None:
    """A conflict is held; a strong sign into the Union, or none out of it, leaves none."""
    papers = [*REGISTER, asks(), *proven()]
    for weak in ("declared", "ip", "sim", "bank_account", "temporary_stay"):
        assert answer(papers, located("US"), located("DE", weak), offer()) == held("LOCATION_CONFLICT", "WITHIN_WINDOW")
        assert answer(papers, located("US", weak), located("DE", weak, at="-1 d"), offer()) == ALLOWED
    for strong in ("kyc_residence", "registered_office"):
        assert answer(papers, located("US", "tax_residence"), located("DE", strong), offer()) == ALLOWED
    assert answer(papers, located("US", "ip"), located("DE", "sim"), offer()) == ALLOWED


def test_a_sign_lives_until_its_end_or_the_next_of_its_kind() -> None:
    """The end itself is outside; of two at one time both live."""
    papers = [*REGISTER, asks(), *proven()]
    until: list[Event] = [*papers, located("US"), located("DE", "ip", until="2 h")]
    assert answer(until, offer(at="2 h - 1 us")) == held("LOCATION_CONFLICT", "WITHIN_WINDOW")
    assert answer(until, offer(at="2 h")) == allowed("OUT_OF_TERRITORY")
    moved = [*papers, located("US"), located("DE", at="2 h")]
    assert answer(moved, offer(at="2 h")) == ALLOWED
    assert answer(papers, located("US"), offer(at="2 h - 1 us"), located("DE", at="2 h")) == allowed("OUT_OF_TERRITORY")
    assert answer(papers, located("DE"), located("US", at="-1 d"), offer()) == allowed("OUT_OF_TERRITORY")
    assert answer(papers, located("US", at="-1 d"), located("DE", at="-1 d"), offer()) == ALLOWED
    assert answer(papers, located("DE", at="-2 d"), located("US", at="-1 d", until="1 h"), offer()) == held(
        "LOCATION_UNKNOWN", "WITHIN_WINDOW"
    )


def test_an_older_sign_that_arrives_later_does_not_replace_a_newer_one() -> None:
    """Of one indicator the latest in time is live."""
    papers = [*REGISTER, asks(), *proven()]
    assert answer(papers, located("US", at="-1 d"), located("DE", at="-2 d"), offer()) == allowed("OUT_OF_TERRITORY")


def test_countries_come_into_scope_by_date_and_by_register() -> None:
    """Norway since July 2025; a country the register brings in counts from the event's time on."""
    early, late = "2025-06-30T23:59:59.999999Z", "2025-07-01T00:00:00Z"
    assert answer(located("NO", at="2025-01-01T00:00:00Z"), offer(at=early)) == allowed("OUT_OF_TERRITORY")
    assert answer(located("NO", at="2025-01-01T00:00:00Z"), offer(at=late)) == blocked(NOBODY_ASKED)
    assert answer(located("CH"), country("CH", True, at="2 h"), offer(at="2 h")) == blocked(NOBODY_ASKED)
    assert answer(located("CH"), offer(at="2 h"), country("CH", True, at="2 h + 1 us")) == allowed("OUT_OF_TERRITORY")
    assert answer(located("DE"), country("DE", False), offer()) == allowed("OUT_OF_TERRITORY")
    assert answer(located("DE"), country("DE", False), country("DE", True), offer()) == blocked(NOBODY_ASKED)
    assert answer(located("DE"), country("DE", False), country("DE", True, at="-1 d"), offer()) == blocked(NOBODY_ASKED)


def test_an_offer_in_order_is_allowed() -> None:
    """So that the refusals of these stories have a reason of their own."""
    assert answer(clean_client(), offer()) == ALLOWED


def test_of_two_signs_of_one_time_one_may_be_over() -> None:
    """The other still says where he is."""
    over, live = located("US", until="1 h"), located("DE")
    told = [*REGISTER, asks(), *proven()]
    for first, second in ((over, live), (live, over)):
        assert answer(told, first, second, offer()) == ALLOWED


def test_a_reason_names_eight_signs_at_most() -> None:
    """Those inside before those outside."""
    signs = [located(code, "ip") for code in ("DE", "FR", "IT", "ES", "AT", "NL", "BE", "PL")]
    abroad = [located(code) for code in ("US", "CH", "GB", "JP", "SG", "BR", "AU", "NZ", "TH")]
    (told,) = told_answers(REGISTER, abroad, offer())
    assert told["reasons"][0]["facts"] == [e["id"] for e in abroad[:8]]
    (told,) = told_answers(REGISTER, signs[:7], abroad[:2], offer())
    conflict = next(r for r in told["reasons"] if r["code"] == "LOCATION_CONFLICT")
    assert conflict["facts"] == [e["id"] for e in (*signs[:7], abroad[0])]
