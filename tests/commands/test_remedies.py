"""Every reason has its remedy."""

from gate.law import DUTIES
from streams.remedies import LASTING, REMEDIES, remedy

PASSES = {
    "RELEASED",
    "AUTHORISED_ENTITY",
    "OUT_OF_TERRITORY",
    "SERVICE_NOTICE",
    "EXIT_SERVICE",
    "EDUCATION_ONLY",
    "WITHIN_WINDOW",
}
"""Reasons that let an offer go (judging sections 3, 5 and 7)."""


def test_every_reason_has_one_and_none_is_left_over() -> None:
    """In the order of judging, as `gate.law` has them."""
    assert list(REMEDIES) == list(DUTIES)


def test_each_is_one_sentence_of_its_own() -> None:
    """No two reasons share a remedy, and none has room for a second sentence."""
    assert len(set(REMEDIES.values())) == len(REMEDIES)
    for code, said in REMEDIES.items():
        assert said[0].isupper() and said.endswith(".") and ". " not in said, code
        assert code not in said, code


def test_only_what_lets_go_has_nothing_to_be_different() -> None:
    """`Nothing:` stands where the reason lets the offer go, and only there."""
    assert {code for code, said in REMEDIES.items() if said.startswith("Nothing:")} == PASSES


def test_a_reason_of_a_newer_gate_is_said_to_be_unknown() -> None:
    """Desk and screen show it all the same."""
    assert "does not know" in remedy("SOMETHING_NEW", "block")
    assert remedy("WINDOW_EXPIRED", "block").startswith("The client would have had to ask again himself")


def test_whatever_only_flags_may_be_released() -> None:
    """By two people and before the hard limit, where nothing blocks it; of blocks that alone of an unclassified asset."""
    may = "two people may release it"
    for code in set(DUTIES) - PASSES:
        assert f"; or, where nothing blocks it, {may} before the hard limit." in remedy(code, "flag"), code
        assert (may in remedy(code, "block")) == (code == "TYPE_UNCLASSIFIED"), code
    assert may not in remedy("RELEASED", "flag")


def test_what_two_people_may_make_milder_is_not_said_to_last() -> None:
    """Lasting is what neither people nor another request change."""
    assert not any("two people" in REMEDIES[code] for code in LASTING)
    for code in ("EXIT_ONLY", "SUSPENDED"):
        assert "only two people can make it milder" in remedy(code, "block")


def test_the_offers_own_things_and_times_are_named_where_they_are_known() -> None:
    """Else what they are."""
    assert "ask for staking as well" in remedy("NEW_PRODUCT_TYPE", "block", covered="staking")
    said = remedy("WINDOW_EXPIRED", "block", soft="noon", hard="{midnight}")
    assert "before noon, or before {midnight} and with a release by two people" in said
    assert not any("{" in remedy(code, verdict) for code in DUTIES for verdict in ("allow", "flag", "block"))
