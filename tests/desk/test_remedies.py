"""Every reason has its remedy."""

from gate.law import DUTIES
from streams.desk.remedies import REMEDIES, remedy

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
    """The desk shows it all the same."""
    assert "does not know" in remedy("SOMETHING_NEW")
    assert remedy("WINDOW_EXPIRED").startswith("The client would have had to ask again himself")
