"""A relationship that is suspended or ends gets no offers (step 5)."""

import pytest

from tests.stories.telling import (
    ALLOWED,
    answer,
    answers,
    blocked,
    cases,
    clean_client,
    held,
    offer,
    relationship,
    told_answers,
)

CODES = {"suspended": "SUSPENDED", "exit_only": "EXIT_ONLY", "closed": "EXIT_ONLY"}


@pytest.mark.parametrize(("state", "code"), CODES.items())
def test_no_offer_in_such_a_relationship(state: str, code: str) -> None:
    """From the change on; one person is enough to make it stricter."""
    assert answer(clean_client(), relationship(state), offer()) == blocked(code)
    assert answer(clean_client(), relationship(state, second=None), offer()) == blocked(code)
    assert answer(clean_client(), relationship(state, at="2 h"), offer(at="2 h")) == blocked(code)
    assert answer(clean_client(), offer(at="2 h"), relationship(state, at="2 h + 1 us")) == ALLOWED


@pytest.mark.parametrize(("state", "code"), CODES.items())
def test_two_people_may_make_it_milder(state: str, code: str) -> None:
    """Two who differ; one alone, or one who signs twice, changes nothing."""
    before = [*clean_client(), relationship(state, at="-2 d")]
    assert answer(before, relationship("exempt"), offer()) == ALLOWED
    for second in (None, "st-one"):
        milder = relationship("exempt", second=second)
        assert answer(before, milder, offer()) == blocked(code)
        assert "SAME_PERSON_TWICE" in cases(before, milder)
    assert "SAME_PERSON_TWICE" not in cases(before, relationship("exempt"))


def test_of_one_time_all_that_say_so_are_named() -> None:
    """Two desks suspend him in the same moment; who says something milder is not."""
    one, two = relationship("suspended", reason="one"), relationship("suspended", reason="two")
    for order in ([one, two, relationship("exempt")], [relationship("exempt"), one, two]):
        (told,) = told_answers(clean_client(), order, offer())
        assert told["reasons"][0]["facts"] == [one["id"], two["id"]]


def test_the_ladder_of_states() -> None:
    """Exempt, suspended, exit only, closed: a step down needs two, a step up or aside one."""
    ladder = ["exempt", "suspended", "exit_only", "closed"]
    for place, state in enumerate(ladder[1:], 1):
        for to, other in enumerate(ladder):
            told = [*clean_client(), relationship(state, at="-2 d"), relationship(other, second=None)]
            expected = ["SAME_PERSON_TWICE"] if to < place else []
            assert cases(told) == expected, (state, other)
            left = CODES[state] if to < place else CODES[other]
            assert answer(told, offer()) == blocked(left), (state, other)


def test_none_is_like_exempt() -> None:
    """Where nothing was said before, exempt is not milder."""
    assert cases(clean_client(), relationship("exempt", second=None)) == []


def test_of_two_changes_at_one_time_the_stricter_holds() -> None:
    """Whatever the order they arrive in; each is measured by what stood before both."""
    strict, mild = relationship("exit_only", second=None), relationship("exempt")
    for told in ([strict, mild], [mild, strict]):
        assert answer(clean_client(), told, offer()) == blocked("EXIT_ONLY")
    assert answer(clean_client(), strict, relationship("suspended", second=None), offer()) == blocked("EXIT_ONLY")
    assert cases(clean_client(), strict, relationship("suspended", second=None)) == []


def test_an_unsigned_step_is_forgotten_when_what_stood_before_changes() -> None:
    """A milder change signed by one counts after all once a late fact shows that it was not milder."""
    told = [relationship("exit_only", at="-3 d"), relationship("suspended", second=None, at="-1 d")]
    assert answer(clean_client(), told, offer()) == blocked("EXIT_ONLY")
    late = relationship("exempt", at="-2 d")
    assert answer(clean_client(), told, late, offer()) == blocked("SUSPENDED")


def test_an_old_state_that_arrives_later_changes_nothing_now() -> None:
    """The latest in time is the state."""
    assert answer(clean_client(), relationship("exempt"), relationship("closed", at="-2 d"), offer()) == ALLOWED


def test_a_suspension_found_out_later_takes_the_answer_back() -> None:
    """A change that reaches back behind the offer."""
    late = relationship("suspended", at="1 h")
    assert answers(clean_client(), offer(), late) == [ALLOWED, blocked("SUSPENDED")]


def test_the_relationship_speaks_beside_the_later_steps() -> None:
    """It does not end the judging."""
    assert answer(clean_client(), relationship("closed"), offer(at="24 h")) == blocked("EXIT_ONLY", "WINDOW_SOFT_LIMIT")
    assert answer(clean_client(), offer(at="24 h")) == held("WINDOW_SOFT_LIMIT")


def test_a_late_step_down_from_the_stricter_of_two_states_of_one_time() -> None:
    """Also where an offer was answered since: it was signed by one person and counts for nothing."""
    both = [relationship("suspended", at="-2 d"), relationship("closed", at="-2 d")]
    down = relationship("exit_only", at="-1 d", second=None)
    for first, second in (both, both[::-1]):
        assert "SAME_PERSON_TWICE" in cases(clean_client(), offer(), first, second, down)
