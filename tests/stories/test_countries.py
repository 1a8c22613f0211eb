"""An answer says where the client was ever located, as far as it was known: people watch by country."""

from tests.stories.telling import clean_client, complaint, located, merged, offer, released, told_answers


def _countries(*words: object) -> list[list[str]]:
    return [a["countries"] for a in told_answers(*words)]  # type: ignore[arg-type]


def test_an_answer_names_every_country_the_client_was_located_in() -> None:
    """Sorted, each once, whatever the sign, and also where he is no longer."""
    moved = [located("SG", at="-90 d"), located("ES", "ip", at="-2 d"), located("ES", "sim", at="-2 d")]
    assert _countries(*moved, offer()) == [["ES", "SG"]]
    assert _countries(offer()) == [[]]


def test_a_superseding_answer_and_a_release_name_what_is_known_by_then() -> None:
    """An earlier answer keeps what it said."""
    late = complaint(at="30 d")
    assert _countries(clean_client(), offer(), located("FR", "ip", at="1 d"), late) == [["DE"], ["DE", "FR"]]
    assert _countries(clean_client(), offer(at="25 h"), released(at="26 h", expires="30 h")) == [["DE"], ["DE"]]


def test_one_person_under_two_references_was_where_either_was() -> None:
    """Like all that is shared."""
    ben = located("IT", at="-5 d", who="ben")
    assert _countries(clean_client(), ben, merged("ben"), offer()) == [["DE", "IT"]]
