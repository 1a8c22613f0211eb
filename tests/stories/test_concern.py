"""A change of the register that reaches back: whom it concerns is judged again, and of nobody else the past is read."""

import pytest

from gate.concern import leanings
from gate.dossier import ANY
from tests.player import Watched, play
from tests.stories.telling import (
    HERE,
    REGISTER,
    Event,
    answers,
    arrived,
    asks,
    asset,
    blocked,
    campaign,
    clean_client,
    country,
    delivered,
    ended,
    entity,
    held,
    in_order,
    located,
    offer,
    product,
    proven,
)


def test_what_an_offer_named_that_is_not_kept_any_more() -> None:
    """It is neither what was asked for nor among the latest offers."""
    named = offer(id="first", asset="sol")
    more = [offer(at=f"3 h + {n} min", id=f"o{n}", offer=f"o{n}", content="education", asset="btc") for n in range(40)]
    first = answers(clean_client(), asset("sol"), named, of="first")
    late = asset("sol", at="1 h", id="late", class_="deposit")
    since = answers(clean_client(), asset("sol"), named, more, late, of="first")
    assert since[:1] == first and since[1].leading == "OTHER_REGIME"


def test_who_was_reached_by_one_of_several_campaigns() -> None:
    """Their promoter turns out to be an affiliate."""
    both = [
        campaign("fair", by="pal", countries=["FR"]),
        campaign("ads", by="pal"),
        campaign("talk", by="pal", countries=["IT"]),
    ]
    known = entity("pal", "affiliate", at="-90 d")
    assert answers(both, clean_client(), offer(), known) == [held("PROMOTER_UNKNOWN"), blocked("CAMPAIGN_EXPOSURE")]


def test_who_came_by_the_tag_of_a_campaign_for_elsewhere() -> None:
    """It turns out to be the firm's."""
    there = campaign("fair", by="pal", countries=["FR"], at="-3 d")
    told = [HERE, there, arrived(campaign="fair"), asks(), proven(), offer()]
    late = campaign("fair", by="firm", countries=["FR"], at="-2 d", id="late")
    assert answers(told, late) == [held("PROMOTER_UNKNOWN"), blocked("CAMPAIGN_EXPOSURE")]


@pytest.mark.parametrize(
    "late",
    [
        asset("doge", at="-1 d"),
        product("saver", at="-1 d"),
        entity("pal", "affiliate", at="-1 d"),
        campaign("fair", at="-1 d", countries=["FR"]),
        ended("ads", at="-1 d"),
        country("FR", in_scope=False, at="-1 d"),
    ],
    ids=lambda event: event["type"],
)
def test_nobody_else_is_judged_again(late: Event) -> None:
    """Nor is his past read."""
    pal = campaign("talk", by="pal", at="-9 d", countries=["IT"])
    told = in_order([REGISTER, campaign(at="-9 d", countries=["IT"]), pal, located(), asks(), proven(), offer()])
    played = play([*told, late], store := Watched())
    assert not played.rejected and len(played.answers["//story", "offer-anna"]) == 1
    assert store.asked == 0


def test_a_standing_order_turns_out_to_be_what_was_sent_to_him() -> None:
    """It opens no scope; what replies to it is as good as it is, also where its asset is said only later to be the same."""
    differs = [HERE, asset("sol", technology="t-sol")]
    sent = [asks(id="first"), *proven("first"), offer("30 min"), delivered("31 min")]
    order = asks(at="1 h", id="monthly", kind="recurring_execution", asset="sol", transaction="t9")
    reply = [asks("custody", at="2 h", id="reply", in_reply_to="monthly", transaction="t2"), *proven("reply", "2 h")]
    own = offer("3 h", id="own", offer="own", service="custody", transaction="t2")
    more = offer("4 h", id="more", offer="more", service="custody", transaction="t2")
    same = asset("sol", at="-1 d", id="same")
    played = play(in_order([differs, sent, order, reply, own, same, more]))
    found = {id: [a["leading"] for a in given] for (_, id), given in played.answers.items()}
    assert found["own"] == ["WITHIN_WINDOW", "SCOPE_TAINTED"] and found["more"] == ["SCOPE_TAINTED"]


def test_of_many_standing_orders_it_may_be_any() -> None:
    """More assets than are kept by name."""
    orders = [asks(at=f"{n} min", id=f"plan-{n}", kind="recurring_execution", asset=f"a{n}") for n in range(50)]
    store = Watched()
    play(in_order([HERE, orders]), store)
    assert store.dossier("anna").repeated == [ANY]
    assert f"a:{ANY}" in leanings(store.dossier("anna"))
