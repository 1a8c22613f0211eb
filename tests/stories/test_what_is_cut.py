"""What the dossier cuts still counts: sendings, touches, papers and scopes beyond its bounds, in any order of arrival."""

import pytest

from gate.forgotten import may_hold, with_names
from state import MemoryStore
from tests.player import Older, play
from tests.stories.telling import (
    ALLOWED,
    HERE,
    REGISTER,
    Event,
    Words,
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
    country,
    delivered,
    entity,
    filed,
    held,
    in_order,
    let_go,
    located,
    merged,
    notices,
    offer,
    proven,
    question,
    record,
    referred,
    released,
    retracted,
    search,
    told_answers,
    when,
)


def sends(at: str, named: str, many: int = 60, apart: int = 0) -> list[Event]:
    """Offers of the sister so many minutes apart, each about an asset of its own, sent when they were made."""
    found: list[Event] = [entity("sister", "eu_authorised", services=["exchange_funds"])]
    for n in range(many):
        then = f"{at} + {n * apart} min"
        own = offer(then, asset=f"{named}{n}", by="sister", id=f"{named}{n}", offer=f"{named}{n}")
        found += [asset(f"{named}{n}"), own, delivered(then, f"{named}{n}")]
    return found


@pytest.mark.parametrize("many", [40, 50])
def test_an_offer_of_ten_days_ago_prompts_a_request_that_arrives_late(many: int) -> None:
    """However many others were sent, and though by now it would prompt nothing any more."""
    sent = sends("-9 d - 20 h", "a", many, apart=1)
    later, request, last = question("6 h"), asks(asset="a3"), offer("7 h", asset="a3")
    assert answer(HERE, sent, request, proven(), later, last) == blocked("SCOPE_TAINTED")
    assert answer(HERE, sent, later, request, proven(), last) == blocked("SCOPE_TAINTED")


def test_what_prompts_for_ever_is_never_cut() -> None:
    """Nor what was let go ten days before, to the microsecond."""
    lesson = contacted(
        "-30 d", by="blogger", content="education", promotes=[{"service": "exchange_funds", "asset": "a3"}]
    )
    told = [HERE, sends("-25 d", "a"), lesson, question("-1 h")]
    assert answer(told, asks(asset="a3"), proven(), offer(asset="a3")) == blocked("SCOPE_TAINTED")
    for at, expected in (("-10 d", blocked("SCOPE_TAINTED")), ("-10 d - 1 us", ALLOWED)):
        told = [HERE, sends(at, "a"), question("0 h")]
        assert answer(told, asks(asset="a3"), proven(), offer(asset="a3")) == expected


def test_of_sendings_that_were_cut_one_after_the_other_the_latest_is_remembered() -> None:
    """A request that arrives late may have been prompted by it."""
    told = [HERE, sends("-60 d", "a"), question("-40 d"), sends("-20 d", "b"), question("1 h")]
    for at in ("-15 d", "-10 d"):
        late = asks(at=at, asset="b3", id="late", transaction="t2")
        found = answer(told, late, proven("late", at), offer(asset="b3", transaction="t2", id="last", offer="last"))
        assert found == blocked("SCOPE_TAINTED", "WINDOW_EXPIRED")


def test_what_named_a_thing_before_a_request_whose_event_was_cut() -> None:
    """Many words of his own, of long ago, were told only after the request."""
    words = [question("-1 d", id=f"q-{n}") for n in range(60)]
    lesson = contacted(
        "30 min", by="blogger", content="education", promotes=[{"service": "exchange_funds", "asset": "btc"}]
    )
    assert answer(HERE, asks(at="1 h"), words, proven(at="1 h"), offer()) == allowed("WITHIN_WINDOW", until="25 h")
    assert answer(HERE, asks(at="1 h"), words, lesson, proven(at="1 h"), offer()) == blocked("SCOPE_TAINTED")


def test_a_promoter_who_was_registered_for_a_while() -> None:
    """Of many touches the ones in between count as what he was then."""
    early = [referred(at=f"-20 d + {n} h", by="pal") for n in range(1, 5)]
    between = referred(at="-20 d + 6 h", by="pal")
    since = [referred(at=f"{n} min", by="pal") for n in range(11, 15)]
    known = entity("pal", "affiliate", at="-20 d + 5 h")
    chain = blocked("PERSON_CHAIN_SOLICITATION", "PROMOTER_UNKNOWN", "EXPOSED_SINCE_REQUEST")
    assert answer(early, known, between, clean_client(), since, offer()) == chain
    until = entity("pal", "affiliate", at="-20 d + 5 h", until=when("-20 d + 7 h"))
    late = [referred(at=f"-20 d + {n} h", by="pal") for n in range(8, 12)]
    chain = blocked("PERSON_CHAIN_SOLICITATION", "PROMOTER_UNKNOWN")
    assert answer(early, until, between, late, clean_client(), offer()) == chain
    told = [HERE, referred("-30 d"), early, until, between, late, asks(at="-20 d + 450 min")]
    assert ("scope.tainted", "asked-anna") in notices(told)


@pytest.mark.parametrize("many", [8, 20])
def test_who_was_an_affiliate_for_a_while_spoils_a_request_when_it_arrives(many: int) -> None:
    """Of many touches it is one in the middle that counts, and no offer is asked about."""
    affiliate = [entity("pal", "affiliate", at="-23 d"), entity("pal", "independent", at="-20 d - 1 s")]
    touches = [arrived(f"-{22 + many // 2 - n} d", via="pal", id=f"touch-{n}") for n in range(many)]
    told = [HERE, entity("pal", "independent", at="-100 d"), affiliate, touches, asks()]
    assert ("scope.tainted", "asked-anna") in notices(told)
    assert ("relationship.suspended", "asked-anna") in notices(told)


@pytest.mark.parametrize(("before", "after"), [(3, 4), (4, 4), (6, 6)])
@pytest.mark.parametrize("by_tag", [False, True])
def test_a_late_touch_among_many_spoils_a_request_though_it_is_not_kept(before: int, after: int, by_tag: bool) -> None:
    """Who made them all was for the firm by then; the client asked in between."""
    if by_tag:
        tags = [
            campaign("promo", at, by, id=by, countries=["CH"]) for at, by in (("-20 d", "blogger"), ("-1 h", "pal"))
        ]
        whose = [entity("pal", "affiliate"), *tags]
    else:
        whose = [entity("pal", "affiliate", at="-1 h")]
    times = [*(f"-{9 - n} d" for n in range(before)), *(f"{10 + n} min" for n in range(after)), "-30 min"]
    more = {"campaign": "promo"} if by_tag else {"via": "pal"}
    touches = [arrived(at, id=at.replace(" ", ""), **more) for at in times]
    told = notices(HERE, whose, touches[:before], asks(), touches[before:])
    assert told[1:] == [("scope.tainted", "-30min"), ("relationship.suspended", "-30min")]


@pytest.mark.parametrize("many", [10, 48, 60])
def test_a_release_under_an_id_of_his_own_is_refused_however_much_he_said_since(many: int) -> None:
    """His past says whether it is one, not how much of that is kept."""
    words = [question(f"1 min + {n} s", id=f"q-{n}") for n in range(many)]
    told = [question("-3 h", id="his"), clean_client(), words, contacted("30 min", by="stranger"), offer("2 h")]
    signed, last = released(at="3 h", expires="5 h") | {"source": "//desk"}, question("3 h")
    shown = held("EXPOSED_SINCE_REQUEST")
    assert answers(told, last, signed | {"id": "his"}) == [shown]
    assert "RELEASE_REFUSED" in cases(told, last, signed | {"id": "his"})
    assert answers(told, last, signed | {"id": "other"}) == [shown, let_go("EXPOSED_SINCE_REQUEST", until="5 h")]


def test_a_release_is_not_refused_for_an_id_that_a_filter_seems_to_hold() -> None:
    """Of a client who was answered three hundred times one id in fifty seems to be one of those."""
    words: list[Words] = []
    for n in range(300):
        order = asks(at=f"-3 d + {n} min", id=f"plan-{n}", kind="recurring_execution", in_reply_to=f"q-{n}")
        words += [question(f"-3 d + {n} min", id=f"q-{n}"), order]
    full = with_names(b"", [f"q-{n}" for n in range(300)])
    seeming = next(f"release-{n}" for n in range(1_000) if may_hold(full, f"release-{n}"))
    told = [words, clean_client(), contacted("30 min", by="stranger"), offer("2 h"), question("3 h")]
    signed = released(at="3 h", expires="5 h") | {"id": seeming}
    assert answers(told, signed)[1:] == [let_go("EXPOSED_SINCE_REQUEST", until="5 h")]


@pytest.mark.parametrize(
    ("many", "code"),
    [
        ([campaign(f"feature-{n}", at=f"-{60 - n} d", kind="eu_feature") for n in range(6)], "CAMPAIGN_EXPOSURE"),
        ([campaign(f"since-{n}", at=f"{30 + n} min") for n in range(6)], "EXPOSED_SINCE_REQUEST"),
        ([referred(at=f"-{n} d", by="stranger") for n in range(11, 1, -1)], "PROMOTER_UNKNOWN"),
    ],
)
def test_people_release_an_answer_that_leans_on_many_exposures(many: Words, code: str) -> None:
    """It covers all of them, not only those that the answer was judged on; one more takes it back."""
    told = [many, clean_client(), offer()]
    assert answers(told, released()) == [held(code), let_go(code, until="5 h")]
    assert answers(told, released(), question("1 h")) == [held(code), let_go(code, until="5 h")]
    more = {"CAMPAIGN_EXPOSURE": campaign("one-more", at="-57 d + 1 h", kind="eu_feature")}
    late = more.get(code, referred(at="-5 d + 1 h", by="stranger"))
    if code == "EXPOSED_SINCE_REQUEST":
        late = campaign("one-more", at="30 min + 1 s")
    assert answers(told, released(), late)[2:] == [held(code)]


@pytest.mark.parametrize("many", [24, 30])
def test_one_document_for_many_requests(many: int) -> None:
    """An e-mail that asks for many things, and one search; approved once."""
    told: list[Words] = [HERE]
    for n in range(many):
        at, asked = f"{n} min", f"r{n}"
        told.append(asks(at=at, id=asked, transaction=f"t{n}"))
        told.append({**record(asked, at), "data": {**record(asked)["data"], "evidence": "mail"}})
        told.append({**search(asked, at), "data": {**search(asked)["data"], "evidence": "sweep"}})
    told += [approved("mail", "40 min"), approved("sweep", "40 min"), asks(at="50 min", id="more", transaction="tm")]
    assert answer(*told, offer("1 h", transaction=f"t{many - 1}")).verdict == "allow"


def test_papers_that_are_filed_before_their_requests_arrive() -> None:
    """However many; each request finds its own."""
    told: list[Words] = [HERE]
    for n in range(60):
        told += proven(f"r{n}", "-1 min")
    assert answer(*told, asks(id="r1"), offer()) == ALLOWED


@pytest.mark.parametrize("before", [7, 8])
def test_two_proposals_of_one_time_stay_together(before: int) -> None:
    """A sending was let go only if both were allowed, however many offers came before and after."""
    told: list[Words] = [clean_client()]
    told += [offer(f"1 h + {n} min", id=f"e{n}", offer=f"e{n}", content="education") for n in range(before)]
    told += [offer(id="p1", offer="x", transaction="another"), offer(id="p2", offer="x")]
    told += [offer(f"2 h + {n} min", id=f"l{n}", offer=f"l{n}", content="education") for n in range(1, 8)]
    told += [delivered("3 h", "x"), offer("4 h", id="last", offer="last")]
    assert answer(*told, of="last") == held("EXPOSED_SINCE_REQUEST")
    assert cases(*told) == ["DELIVERED_WITHOUT_PERMISSION"]


@pytest.mark.parametrize("many", [3, 17])
def test_a_sending_belongs_to_the_latest_proposal_though_only_an_older_one_is_kept(many: int) -> None:
    """The older one arrived late; that the latest was blocked stands in the history alone once many others followed."""
    told: list[Words] = [clean_client(), offer("2 h", id="p2", offer="x", transaction="another")]
    told += [offer(f"2 h + {n} min", id=f"l{n}", offer=f"l{n}", content="education") for n in range(1, many + 1)]
    told += [offer("1 h", id="p1", offer="x"), delivered("4 h", "x"), offer("5 h", id="last", offer="last")]
    assert answer(*told, of="last") == held("EXPOSED_SINCE_REQUEST")
    assert cases(*told) == ["DELIVERED_WITHOUT_PERMISSION"]


@pytest.mark.parametrize("many", [3, 16])
def test_a_sending_belongs_to_all_proposals_of_one_time_though_only_one_is_kept(many: int) -> None:
    """The others, and one that was blocked, were cut between them."""
    told: list[Words] = [clean_client(), offer("1 h", id="p1", offer="x", transaction="another")]
    told += [offer("1 h", id=f"o{n}", offer=f"o{n}", content="education") for n in range(many)]
    told += [offer("1 h", id="p2", offer="x"), delivered("2 h", "x"), offer("3 h", id="last", offer="last")]
    assert answer(*told, of="last") == held("EXPOSED_SINCE_REQUEST")
    assert cases(*told) == ["DELIVERED_WITHOUT_PERMISSION"]


@pytest.mark.parametrize("many", [16, 17])
def test_all_answers_of_one_time_are_judged_again_on_a_sending_of_that_time(many: int) -> None:
    """No answer let it go; of seventeen that have one time all are cut."""
    told = [clean_client(), [offer("1 h", id=f"o{n}", offer=f"o{n}") for n in range(many)]]
    for n in (0, many - 1):
        assert answers(told, delivered("1 h", "unknown"), of=f"o{n}") == [ALLOWED, held("EXPOSED_SINCE_REQUEST")]


@pytest.mark.parametrize("many", [24, 25, 60])
def test_every_scope_is_told_spoilt_once(many: int) -> None:
    """By a solicitation that is found late, and by no later one again."""
    asked = [asks(at=f"{n} min", id=f"r{n}", transaction=f"t{n}") for n in range(many)]
    found = notices(HERE, asked, contacted("-1 d"), contacted("-2 d"))
    assert [name for name, _ in found].count("scope.tainted") == many
    assert [name for name, _ in found].count("relationship.suspended") == 1
    again = notices(HERE, contacted("-2 d"), asked, contacted("-1 d"), located("FR", "ip", "1 d"))
    assert [name for name, _ in again].count("scope.tainted") == many
    his = [question(who="ben"), contacted(who="ben"), located("DE", who="ben")]
    joined = notices(HERE, asked, his, merged("ben"))
    assert [name for name, _ in joined].count("scope.tainted") == many
    moved = notices(campaign(countries=["FR"]), HERE, asked, located("FR", "ip", "1 d"), located("FR", "ip", "2 d"))
    assert [name for name, _ in moved].count("scope.tainted") == many
    accused = notices(HERE, asked, complaint("1 d"), approved("complaint", "2 d"))
    assert [name for name, _ in accused].count("scope.tainted") == many
    at_once = [asks(id=f"r{n}", transaction=f"t{n}") for n in range(many)]
    assert [name for name, _ in notices(HERE, at_once, contacted("0 h"))].count("scope.tainted") == many


MANY = 30


def many_requests() -> list[Event]:
    """More than a dossier keeps scopes of."""
    return [asks(at=f"{n} min", id=f"r{n}", transaction=f"t{n}") for n in range(MANY)]


def told_once(*told: Words, store: MemoryStore | None = None) -> bool:
    """Whether of each scope it is said once that it is tainted, and once that the relationship is suspended."""
    played = play(in_order(told), store)
    assert not played.rejected, played.rejected
    ids = [e["id"] for e in played.out if e["type"] == "gate61.scope.tainted.v1"]
    suspended = [e for e in played.out if e["type"] == "gate61.relationship.suspended.v1"]
    return len(ids) == len(set(ids)) == MANY and len(suspended) == 1


LESSON = contacted(
    "-1 h", by="blogger", content="education", promotes=[{"service": "exchange_funds", "asset": "eth"}], id="lesson"
)


@pytest.mark.parametrize(
    ("before", "late"),
    [
        (HERE, delivered("-1 h", "unknown")),
        (HERE, campaign()),
        ([HERE, arrived(via="pal")], entity("pal", "affiliate", at="-2 d")),
        ([REGISTER, campaign(countries=["CH"]), located("CH"), located("DE", "ip")], country("CH", True)),
        ([HERE, arrived(campaign="ads")], campaign(countries=["CH"])),
        ([REGISTER[:-1], asset("eth", technology="evm"), located(), LESSON], asset("eth", at="-2 h")),
    ],
    ids=["a sending", "a campaign", "who somebody is", "a country", "a campaign whose tag it was", "an asset"],
)
def test_whatever_arrives_late_tells_of_scopes_that_were_cut(before: Words, late: Event) -> None:
    """Each is told spoilt once, and the first one suspends the relationship."""
    assert told_once(before, many_requests(), late)
    assert told_once(before, many_requests(), late, contacted("-10 h"))


@pytest.mark.parametrize(
    ("before", "then"),
    [
        ([HERE, arrived(campaign="ads")], campaign(at="5 h", countries=["CH"])),
        (
            [REGISTER, campaign(countries=["CH"]), located("CH"), located("DE", "ip")],
            country("CH", True, at="5 h"),
        ),
    ],
    ids=["whose tag it was", "what is in scope"],
)
def test_an_answer_that_says_so_first_tells_of_scopes_that_were_cut(before: Words, then: Event) -> None:
    """What spoils them became known in order of time, and nothing arrived of the client since."""
    own = offer("6 h", transaction=f"t{MANY - 1}")
    assert told_once(before, many_requests(), then, own)
    assert told_once(before, many_requests(), then, own, offer("7 h", id="again"))


@pytest.mark.parametrize("next_one", [contacted("6 h"), delivered("6 h", "unknown")])
def test_whatever_is_next_tells_of_scopes_that_were_cut(next_one: Event) -> None:
    """It spoils none itself, but by what the register says since they are spoilt."""
    before, then = [HERE, arrived(campaign="ads")], campaign(at="5 h", countries=["CH"])
    assert told_once(before, many_requests(), then, next_one, offer("7 h", transaction=f"t{MANY - 1}"))


@pytest.mark.parametrize("next_one", [referred("40 min", by="affiliate"), offer("41 min", transaction="b24")])
def test_scopes_that_were_cut_are_told_of_though_all_that_are_kept_were_told(next_one: Event) -> None:
    """A sending spoilt those; whose tag it was that came before all of them is known last."""
    early, late = (
        [asks(at=f"{at} min + {n} s", id=f"{name}{n}", transaction=f"{name}{n}") for n in range(many)]
        for name, at, many in (("a", 0, 5), ("b", 20, 25))
    )
    whose = campaign("promo", at="30 min", by="affiliate", countries=["CH"])
    past = [HERE, arrived("-1 h", campaign="promo"), early, delivered("10 min", "unknown"), late, whose]
    assert told_once(past, next_one)
    assert told_once(past, next_one, question("50 min"), referred("1 h", by="affiliate"), offer("2 h", id="last"))


def test_of_a_scope_that_was_cut_and_is_kept_again_it_is_told_that_it_is_spoilt() -> None:
    """Its papers were filed late."""
    assert told_once(HERE, many_requests(), proven("r0", "2 h"), contacted("-1 d"))


def test_a_scope_that_was_cut_is_not_told_spoilt_again() -> None:
    """What spoilt it was withdrawn, and something else spoils it."""
    withdrawn = [complaint("2 h"), approved("complaint", "3 h"), retracted("complaint", "4 h")]
    assert told_once(HERE, many_requests(), withdrawn, contacted("-1 d"))


def test_of_records_that_do_not_say_what_was_told_all_that_was_spoilt_counts_as_told() -> None:
    """What a client's event spoils is told, and not again with the next one."""
    assert told_once(HERE, many_requests(), contacted("-1 d"), contacted("-2 d"), contacted("-12 h"), store=Older())
    assert told_once(HERE, many_requests(), delivered("-1 h", "unknown"), contacted("-2 d"), store=Older())
    before = contacted("-2 d"), many_requests()
    assert told_once(HERE, *before, contacted("-1 d"), proven("r0", "2 h"), contacted("-3 d"), store=Older())


@pytest.mark.parametrize("many", [23, 24, 30])
def test_a_late_request_whose_scope_is_cut_at_once_opens_it(many: int) -> None:
    """Or, prompted, spoils it."""
    told = [HERE, busy(0, many)]
    late = asks(at=f"{many - 1} min - 1 s", id="late", transaction="late")
    assert notices(told, late)[many:] == [("scope.opened", "late")]
    prompted = asks(at=f"{many - 1} min - 1 s", id="late", transaction="late", in_reply_to="news")
    assert notices(told, prompted)[many:] == [("scope.tainted", "late")]


@pytest.mark.parametrize("by", ["affiliate", "firm"])
def test_of_many_touches_an_answer_given_again_names_the_earliest_and_the_latest(by: str) -> None:
    """Four on each side of the request, though a late fact made it look at all of them."""
    after = [contacted(f"{n + 1} min", by, id=f"after-{n:02}") for n in range(14)]
    before = [contacted(f"-{n + 1} d", by, id=f"before-{n:02}") for n in range(14)]
    first, again = told_answers(clean_client(), after, offer(), before[3])
    named = {r["code"]: r["facts"] for r in again["reasons"]}
    code = "PERSON_CHAIN_SOLICITATION" if by == "affiliate" else "INITIATION_SOLICITED"
    assert named[code] == ["before-03", "asked-anna"]
    assert named["EXPOSED_SINCE_REQUEST"] == [f"after-{n}" for n in (10, 11, 12, 13)] + ["asked-anna"]
    assert [r["facts"] for r in first["reasons"]] == [named["EXPOSED_SINCE_REQUEST"]]
    (only,) = told_answers(clean_client(), before, offer())
    assert only["reasons"][0]["facts"] == [f"before-{n}" for n in (13, 12, 11, 10)] + ["asked-anna"]


def test_who_filed_it_may_not_approve_it_once_his_filing_is_cut() -> None:
    """While others file the same for further requests."""
    told: list[Words] = [HERE]
    for n in range(30):
        who = "st-a" if n == 0 else "st-b"
        asked = asks(at=f"{n} min", id=f"r{n}", transaction=f"t{n}")
        told += [asked, filed("mail", "initiation", "inbound_email", f"{n} min", f"r{n}", by=who)]
        told += [filed("sweep", "no_solicitation", "channel_search", f"{n} min", f"r{n}", by="st-b")]
    told += [approved("mail", "40 min", by="st-a"), approved("sweep", "40 min")]
    assert answer(*told, offer("1 h", transaction="t29")) == blocked("EVIDENCE_UNAPPROVED")


def mail(request: str, at: str, by: str) -> Event:
    """A message of the client's that is filed for several of his requests."""
    return filed("mail", "initiation", "inbound_email", at, request, by=by)


def busy(since: int, until: int) -> list[Words]:
    """Requests of a minute each with all their papers."""
    return [
        [asks(at=f"{n} min", id=f"r{n}", transaction=f"t{n}"), proven(f"r{n}", f"{n} min")] for n in range(since, until)
    ]


def test_who_filed_what_was_cut_may_not_approve_it_when_another_files_it_again() -> None:
    """Nor does he who approved it file it then without a word."""
    first = [asks(id="r0", transaction="t0"), mail("r0", "0 h", "st-a"), approved("mail", "0 h", by="st-b")]
    again = [
        asks(at="40 min", id="last", transaction="tl"),
        mail("last", "40 min", "st-c"),
        proven("last", "40 min")[1:],
    ]
    told: list[Words] = [HERE, first, busy(1, 40), again]
    last = offer("1 h", transaction="tl")
    for by, expected, opened in (
        ("st-a", blocked("EVIDENCE_UNAPPROVED"), ["SAME_PERSON_TWICE"]),
        ("st-b", allowed("WITHIN_WINDOW", until="24 h + 40 min"), []),
    ):
        signed = [told, approved("search-last", "45 min"), approved("mail", "45 min", by=by)]
        assert answer(signed, last) == expected
        assert cases(signed) == opened
    assert cases(HERE, first, busy(1, 40), asks(at="40 min", id="last"), mail("last", "40 min", "st-b")) == [
        "SAME_PERSON_TWICE"
    ]


def test_what_one_approved_himself_is_not_forgotten_among_papers_for_nothing() -> None:
    """He filed it for another request, whose scope was cut since."""
    told = [HERE, asks(id="r0", transaction="t0"), mail("r0", "0 h", "st-a"), busy(1, 20)]
    told += [asks(at="20 min", id="last", transaction="tl"), mail("last", "20 min", "st-b"), search("last", "20 min")]
    told += [approved("search-last", "20 min"), approved("mail", "20 min", by="st-a"), busy(21, 27)]
    loose = [filed(f"loose-{n}", "initiation", "inbound_email", "30 min") for n in range(100)]
    assert answer(told, loose, offer("1 h", transaction="tl")).verdict == "block"
    signed = approved("mail", "31 min", by="st-c")
    carried = allowed("WITHIN_WINDOW", until="24 h + 20 min")
    assert answer(told, loose, signed, offer("1 h", transaction="tl")) == carried


def test_who_filed_it_for_no_request_long_ago_may_not_approve_it() -> None:
    """Among many papers that support nothing it is remembered whose it was."""
    loose = [filed(f"loose-{n}", "initiation", "inbound_email", "0 h") for n in range(100)]
    told = [HERE, filed("mail", "initiation", "inbound_email", "0 h", by="st-a"), loose, asks(at="1 h")]
    told += [mail("asked-anna", "1 h", "st-b"), search("asked-anna", "1 h"), approved("search-asked-anna", "1 h")]
    assert answer(told, approved("mail", "1 h", by="st-a"), offer()) == blocked("EVIDENCE_UNAPPROVED")
    assert cases(told, approved("mail", "1 h", by="st-a")) == ["SAME_PERSON_TWICE"]
    assert answer(told, approved("mail", "1 h", by="st-c"), offer()) == allowed("WITHIN_WINDOW", until="25 h")


def test_evidence_that_is_withdrawn_after_its_first_filing_was_cut() -> None:
    """It was filed again for another request since; the answer that leant on it is taken back."""
    first = [asks(id="r0", transaction="t0"), mail("r0", "0 h", "st-a"), approved("mail", "0 h"), search("r0", "0 h")]
    first += [approved("search-r0", "0 h"), offer("30 s", id="first", transaction="t0")]
    told: list[Words] = [
        HERE,
        first,
        busy(1, 40),
        asks(at="40 min", id="last", transaction="tl"),
        mail("last", "40 min", "st-a"),
    ]
    found = answers(*told, retracted("mail", "50 min"), of="first")
    assert found == [ALLOWED, blocked("EVIDENCE_ABSENT")]


@pytest.mark.parametrize("many", [47, 48])
def test_an_accusation_finds_an_approval_that_was_cut(many: int) -> None:
    """It has the name of a record of a standing order that somebody approved; one more such, and both were cut."""
    orders: list[Words] = [
        [asks(at=f"{n} min", id=f"p{n}", kind="recurring_execution"), *proven(f"p{n}", f"{n} min")] for n in range(many)
    ]
    accused = filed("record-p0", "solicitation", "complaint", "51 min", by="st-third", solicited_at="48 min")
    told = [HERE, orders, asks(at="50 min"), proven(at="50 min"), accused]
    assert answer(told, offer("1 h")) == blocked("EVIDENCE_CONTRADICTED")
    assert ("scope.tainted", accused["id"]) in notices(told)


@pytest.mark.parametrize(("filed_at", "approved_at"), [("25 min", "30 min"), ("26 min", "26 min")])
def test_a_paper_that_arrives_late_finds_the_approval_that_was_cut(filed_at: str, approved_at: str) -> None:
    """It was filed for the next request before somebody approved it, or at that time."""
    first = [asks(id="r0", transaction="t0"), mail("r0", "0 h", "st-a"), approved("mail", approved_at)]
    last = [asks(at="20 min", id="last", transaction="tl"), search("last", "20 min"), approved("search-last", "20 min")]
    told = [HERE, first, busy(1, 20), last, busy(21, 27), mail("last", filed_at, "st-b")]
    assert answer(told, offer("1 h", transaction="tl")) == allowed("WITHIN_WINDOW", until="24 h + 20 min")
