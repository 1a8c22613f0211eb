"""A client with a long past is answered like one with a short one: what the dossier cuts, the history keeps."""

import pytest

from tests.stories.telling import (
    ALLOWED,
    REGISTER,
    Event,
    allowed,
    answer,
    answers,
    approved,
    arrived,
    asks,
    asset,
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
    let_go,
    located,
    merged,
    narrowed,
    notices,
    offer,
    proven,
    question,
    record,
    referred,
    released,
    retracted,
    search,
)

MANY = 52


def requests(days: int = 400, **more: str) -> list[Event]:
    """Many earlier requests, each with its papers."""
    found: list[Event] = []
    for n in range(MANY):
        at = f"-{days} d + {n} min"
        found += [asks("custody", at=at, id=f"old-{n}", transaction=f"old-{n}", **more), *proven(f"old-{n}", at)]
    return found


def offers(at: str = "-350 d", content: str = "offer") -> list[Event]:
    """Many earlier offers."""
    return [
        offer(at=f"{at} + {n} min", id=f"old-offer-{n}", offer=f"old-of-{n}", content=content, asset=f"a{n}")
        for n in range(MANY)
    ]


BUSY = [*requests(), *offers(), *[question(at=f"-300 d + {n} min") for n in range(MANY)]]


def test_a_long_past_changes_nothing() -> None:
    """The offer is judged as if it were the first."""
    assert answer(BUSY, clean_client(), offer()) == ALLOWED
    assert answer(BUSY, clean_client(), offer(at="10 d")) == blocked("WINDOW_EXPIRED")
    assert answer(BUSY, clean_client(), contacted(), offer()) == blocked("INITIATION_SOLICITED")


def test_many_open_requests_at_once() -> None:
    """The one in whose transaction it is offered carries it, however many came after."""
    later = [asks(at=f"{n} min", id=f"more-{n}", transaction=f"more-{n}") for n in range(30, 30 + MANY)]
    proofs = [p for n in range(30, 30 + MANY) for p in proven(f"more-{n}", f"{n} min")]
    assert answer(clean_client(), later, proofs, offer()) == ALLOWED
    assert answer(clean_client(), later, proofs, offer(transaction="t9")) == blocked("OUTSIDE_ORIGINAL_TRANSACTION")
    assert answer(clean_client(), later, offer()) == ALLOWED
    assert answer(later, clean_client(), offer()) == ALLOWED
    closing = notices(clean_client(), later, proofs, question("11 d", who="ben"))
    assert [n for n, _ in closing].count("scope.closed") == MANY + 1


def test_an_old_offer_may_still_be_judged_again_or_released() -> None:
    """The answer that stands is kept with the history."""
    told = [*clean_client(), offer(at="25 h", id="first", offer="of-first"), offers("26 h", "education")]
    soft = held("WINDOW_SOFT_LIMIT")
    release = released("first", at="28 h", expires="30 h")
    assert answers(told, contacted(), of="first") == [soft, blocked("INITIATION_SOLICITED", "WINDOW_SOFT_LIMIT")]
    assert answers(told, release, of="first") == [soft, let_go("WINDOW_SOFT_LIMIT", until="30 h")]
    assert cases(told, release, delivered(at="29 h", offer="of-first")) == []
    assert cases(told, delivered(at="29 h", offer="of-first")) == ["DELIVERED_WITHOUT_PERMISSION"]
    assert cases(told, released("none", at="28 h", expires="30 h")) == ["RELEASE_REFUSED"]
    alone = released("first", at="28 h", expires="30 h", second="st-one")
    assert cases(told, alone) == ["SAME_PERSON_TWICE"]
    late = released("first", at="28 h", expires="60 h")
    assert cases(told, late) == ["RELEASE_REFUSED"]


def test_papers_of_an_old_request() -> None:
    """Approved, withdrawn or filed after the dossier has let go of it; who files does not approve."""
    busy = [*clean_client(), *[asks("custody", at=f"{n} min", id=f"more-{n}") for n in range(30, 30 + MANY)]]
    for n in range(30, 30 + MANY):
        busy += proven(f"more-{n}", f"{n} min")
    late = [asks(at="-1 min", id="t", transaction="t2")]
    papers = [record("t", "2 h"), search("t", "2 h"), approved("record-t", "2 h"), approved("search-t", "2 h")]
    own = offer(at="3 h", transaction="t2")
    carried = allowed("WITHIN_WINDOW", until="24 h - 1 min")
    assert answer(busy, late, papers, own) == carried
    assert answer(late, busy, papers, own) == carried
    assert cases(late, busy, papers[:1], approved("record-t", "2 h", by="st-filer")) == ["SAME_PERSON_TWICE"]
    assert cases(record("t", "0 h"), late, busy, approved("record-t", "2 h", by="st-filer")) == ["SAME_PERSON_TWICE"]
    expected = [carried, blocked("OUTSIDE_ORIGINAL_TRANSACTION")]
    assert answers(late, busy, papers, own, retracted("record-t", "30 d")) == expected
    unfiled = [retracted("record-t", "30 min"), *papers]
    assert answer(late, busy, unfiled, own) == blocked("OUTSIDE_ORIGINAL_TRANSACTION")


def test_a_reply_to_a_word_long_ago() -> None:
    """It is the client's own, and remembered."""
    words = [question(at=f"-300 d + {n} min", id=f"word-{n}") for n in range(MANY)]
    papers = [e for e in clean_client() if e["id"] != "asked-anna"]
    for n in (0, MANY - 1):
        assert answer(papers, words, asks(in_reply_to=f"word-{n}"), offer()) == ALLOWED
    assert answer(papers, words, asks(in_reply_to="alert-77"), offer()) == blocked("SCOPE_TAINTED")
    shared = contacted("-299 d", by="blogger", content="education", id="word-0") | {"source": "//other"}
    note = filed("note", "initiation", "inbound_email", "-299 d") | {"source": "//other", "id": "word-0"}
    for late in (shared, note):
        assert answer(papers, words, asks(in_reply_to="word-0"), late, offer()) == blocked("SCOPE_TAINTED")


def test_many_replies_to_what_was_not_heard_yet() -> None:
    """The word each answers may still arrive; also when there are too many to keep."""
    replies = [asks("custody", at=f"-{n} min", id=f"reply-{n}", in_reply_to=f"unheard-{n}") for n in range(1, MANY)]
    papers = [e for e in clean_client() if e["id"] != "asked-anna"]
    first = asks(in_reply_to="unheard-0")
    for word in (question(id="unheard-0"), declared("-1 h") | {"id": "unheard-0"}, arrived(id="unheard-0")):
        assert answer(papers, first, replies, word, offer()) == ALLOWED
        assert answer(papers, replies, first, offer()) == blocked("SCOPE_TAINTED")


@pytest.mark.parametrize("at", ["-20 d", "1 min"])
def test_many_touches_of_one_promoter(at: str) -> None:
    """Whose standing changed in between: each touch counts as it was then."""
    touches = [referred(at=f"{at} + {n} s", by="friend") for n in range(MANY)]
    middle = f"{at} + {MANY // 2} s"
    turned = [
        entity("friend", "independent"),
        entity("friend", "affiliate", at=middle),
        entity("friend", "independent", at=f"{middle} + 1 us"),
    ]
    expected = blocked("PERSON_CHAIN_SOLICITATION") if at == "-20 d" else held("EXPOSED_SINCE_REQUEST")
    assert answer(turned, clean_client(), touches, offer()) == expected
    assert answer(turned[:1], clean_client(), touches, offer()) == ALLOWED
    assert answers(turned[:1], clean_client(), touches, offer(), turned[1:]) == [ALLOWED, expected]
    few = referred(at=at)  # Somebody else came once: of him nothing was cut.
    assert answer(turned, clean_client(), few, touches, offer()) == expected


@pytest.mark.parametrize("at", ["-20 d", "1 min"])
def test_many_arrivals_by_one_tag(at: str) -> None:
    """Whose campaign changed hands in between: each arrival counts as it was then."""
    came = [arrived(at=f"{at} + {n} s", campaign="ads") for n in range(MANY)]
    middle = f"{at} + {MANY // 2} s"
    blogger = campaign(at="-60 d", by="blogger", countries=["US"])
    firm = [campaign(at=middle, countries=["US"]), campaign(at=f"{middle} + 1 us", by="blogger", countries=["US"])]
    expected = blocked("CAMPAIGN_EXPOSURE") if at == "-20 d" else held("EXPOSED_SINCE_REQUEST")
    assert answer(REGISTER, blogger, firm, clean_client(), came, offer()) == expected
    assert answer(REGISTER, blogger, clean_client(), came, offer()) == ALLOWED
    assert answers(REGISTER, blogger, clean_client(), came, offer(), firm) == [ALLOWED, expected]


@pytest.mark.parametrize("first", ["blogger", "friend"])
def test_many_arrivals_by_the_tag_of_two(first: str) -> None:
    """Who both began the campaign at one time; one of them was an affiliate for a moment."""
    came = [arrived(at=f"-20 d + {n} s", campaign="ads") for n in range(MANY)]
    middle = f"-20 d + {MANY // 2} s"
    second = "friend" if first == "blogger" else "blogger"
    both = [campaign(by=by, countries=["US"], id=id) for id, by in (("v1", first), ("v2", second))]
    friend = [
        entity("friend", "independent"),
        entity("friend", "affiliate", at=middle),
        entity("friend", "independent", at=f"{middle} + 1 us"),
    ]
    assert answer(REGISTER, both, friend[:1], clean_client(), came, offer()) == ALLOWED
    assert answer(REGISTER, both, friend, clean_client(), came, offer()) == blocked("CAMPAIGN_EXPOSURE")


def test_one_of_many_touches_is_narrowed() -> None:
    """The others stay."""
    touches = [contacted(at=f"1 h + {n} s", by="affiliate", id=f"mail-{n}") for n in range(MANY)]
    exposed = held("EXPOSED_SINCE_REQUEST")
    told = [*clean_client(), *touches]
    assert answer(told, narrowed("mail-30", at="100 min"), offer()) == exposed
    assert answer(told, [narrowed(f"mail-{n}", at="100 min") for n in range(MANY)], offer()) == ALLOWED
    all_but_one = [narrowed(f"mail-{n}", at="100 min") for n in range(MANY) if n != 30]
    assert answer(told, all_but_one, offer()) == exposed


def test_many_campaigns() -> None:
    """Before and after the request."""
    many = [campaign(f"ads-{n}", at=f"-{n} d") for n in range(1, MANY)]
    assert answer(many, clean_client(), offer()) == blocked("CAMPAIGN_EXPOSURE")
    after = [campaign(f"late-{n}", at=f"{n} min") for n in range(30, 30 + MANY)]
    assert answer(after, clean_client(), offer()) == held("EXPOSED_SINCE_REQUEST")
    left = [narrowed(f"late-{n}", at="100 min") for n in range(30, 29 + MANY)]
    assert answer(after, clean_client(), left, offer()) == held("EXPOSED_SINCE_REQUEST")
    assert answer(after, clean_client(), left, narrowed(f"late-{29 + MANY}", at="100 min"), offer()) == ALLOWED


def test_many_sendings_that_were_let_go() -> None:
    """Ten days after the last, what they named may be asked for; until then it may not."""
    sent: list[Event] = []
    for n in range(MANY):
        sister = entity("sister", "eu_authorised", services=["exchange_funds"])
        sent += [sister, asset(f"a{n}")] if n else [sister, asset("a0")]
        sent += [
            offer(at=f"-9 d + {n} min", by="sister", asset=f"a{n}", id=f"s{n}", offer=f"s{n}"),
            delivered(f"-9 d + {n} min", f"s{n}"),
        ]
    assert answer(sent, clean_client(asset="a3"), offer(asset="a3")) == blocked("SCOPE_TAINTED")
    later = [asks(at="2 d", id="second", asset="a3", transaction="t2"), *proven("second", "2 d")]
    expected = allowed("WITHIN_WINDOW", until="3 d")
    assert answer(sent, clean_client(), later, offer(at="2 d + 1 h", asset="a3", transaction="t2")) == expected


def test_merged_with_a_busy_client() -> None:
    """His past counts for the other too."""
    bens = [{**e, "subject": "ben"} for e in BUSY if e["id"] != "asked-anna"]
    assert answer(bens, clean_client(), merged("ben"), offer()) == ALLOWED
    touched = [*bens, *[referred(at=f"-{n} d", by="affiliate", who="ben") for n in range(1, MANY)]]
    assert answer(touched, clean_client(), merged("ben"), offer()) == blocked("PERSON_CHAIN_SOLICITATION")
    assert answer(clean_client(), merged("ben"), touched, located("FR", who="ben"), offer()) == blocked(
        "PERSON_CHAIN_SOLICITATION"
    )


def test_many_papers_for_requests_that_never_came() -> None:
    """They crowd nobody out, and count when their request arrives after all."""
    stray = [record(f"never-{n}", at=f"-{n} min") for n in range(MANY)]
    stray += [approved(f"record-never-{n}", at="0 h") for n in range(MANY)]
    assert answer(clean_client(), stray, offer()) == ALLOWED
    late = [
        asks(at="10 min", id="never-1", transaction="t2"),
        search("never-1", "20 min"),
        approved("search-never-1", "20 min"),
    ]
    assert answer(clean_client(), stray, late, offer(transaction="t2")) == allowed(
        "WITHIN_WINDOW", until="24 h + 10 min"
    )


def test_an_accusation_for_an_old_request() -> None:
    """It is about the client, and stays when the request's own papers are cut."""
    accused = [complaint(at="-399 d", solicited_at="-500 d", request="old-0"), approved("complaint", "-398 d")]
    assert answer(requests(), accused, BUSY, clean_client(), offer()) == blocked("EVIDENCE_CONTRADICTED")


def test_two_requests_under_one_id() -> None:
    """Of two sources; papers that name it are for both, also when one of them is long ago."""
    double = {**asks(at="-400 d", transaction="old"), "source": "//other"}
    assert answer(double, BUSY, clean_client(), offer()) == ALLOWED
    assert answer(double, clean_client(), BUSY, offer()) == ALLOWED


def test_papers_for_an_old_request_that_had_none() -> None:
    """Filed when thirty others have been made since; it opens its window all the same."""
    first = [*REGISTER, located(), asks()]
    later = [asks(at=f"{n} min", id=f"more-{n}", transaction=f"more-{n}") for n in range(1, 31)]
    assert answer(first, later, proven(at="40 min"), offer()) == ALLOWED
    only = [record(at="40 min"), approved("record-asked-anna", "41 min")]
    assert answer(first, later, only, offer()) == held("CHANNELS_NOT_SEARCHED")
    assert answer(first, later, offer()) == blocked("EVIDENCE_ABSENT", "OUTSIDE_ORIGINAL_TRANSACTION")


def test_the_register_may_change_behind_an_old_offer() -> None:
    """Though what it was about has been cut."""
    told = [*clean_client(asset="sol"), asset("sol"), offer(id="first", asset="sol"), offers("3 h", "education")]
    late = asset("sol", at="1 h", class_="deposit")
    assert answers(told, late, of="first") == [ALLOWED, blocked("OTHER_REGIME", "WITHIN_WINDOW")]
