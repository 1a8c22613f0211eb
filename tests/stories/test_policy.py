"""A senseless policy refuses to load, with all complaints at once; a sensible one is in every answer (section 8)."""

from pathlib import Path

import pytest
from msgspec import structs

from gate.arrival import step
from gate.dossier import Dossier
from gate.facts import Asked, Fact
from gate.known import Known
from gate.policy import DAY, HOUR, complaints
from gate.register import Register
from streams.policy_file import DEFAULT, PolicyRefused, load
from tests.player import POLICY
from tests.stories.telling import (
    allowed,
    answer,
    asks,
    blocked,
    clean_client,
    entity,
    held,
    offer,
    referred,
    told_answers,
)

TEXT = DEFAULT.read_text()


def loaded(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """What is wrong with the default policy after these changes."""
    text = TEXT
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    path = folder / "policy.toml"
    path.write_text(text)
    try:
        load(path)
    except PolicyRefused as refused:
        return refused.complaints
    return []


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("hard_days = 10", "hard_days = 28", "window.hard_days"),
        ("hard_days = 10", "hard_days = 0", "window.hard_days"),
        ("hard_days = 10", "hard_days = -1", "window.hard_days"),
        ("soft_hours = 24", "soft_hours = 241", "window.soft_hours"),
        ("soft_hours = 24", "soft_hours = -1", "window.soft_hours"),
        ("tolerance_seconds = 60", "tolerance_seconds = -1", "clock.tolerance_seconds"),
        ("close_link_percent = 20", "close_link_percent = 0", "persons.close_link_percent"),
        ("close_link_percent = 20", "close_link_percent = 20.5", "persons.close_link_percent"),
        ("release_hours = 24", "release_hours = 0", "review.release_hours"),
        ("release_hours = 24", "release_hours = 25", "review.release_hours"),
        ('"class", ', "", "types.pair_rules"),
        ('order = ["acting_entity", ', "order = [", "steps.order"),
        ('["acting_entity", "territory"', '["territory", "acting_entity"', "steps.order"),
        ('"calls", "group"', '"calls"', "evidence.required_channels"),
        ('"email", "push"', '"push"', "evidence.required_channels"),
        ('version = "2026-11-21"', "", "version"),
        ('version = "2026-11-21"', 'version = " "', "version"),
        ('source = "gate61 default policy; law reference LAW.md"', "", "source"),
    ],
)
def test_a_senseless_policy_is_refused(before: str, after: str, complaint: str, tmp_path: Path) -> None:
    """Each number and list by itself, and nothing else is complained about."""
    found = loaded(tmp_path, (before, after))
    assert complaint in found[0] and (len(found) == 1 or "hard_days" in complaint), found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("hard_days = 10", "hard_days = 27.9"),
        ("hard_days = 10", "hard_days = 1"),
        ("soft_hours = 24", "soft_hours = 240"),
        ("soft_hours = 24", "soft_hours = 0"),
        ("tolerance_seconds = 60", "tolerance_seconds = 0"),
        ("close_link_percent = 20", "close_link_percent = 0.1"),
        ("release_hours = 24", "release_hours = 1"),
        ('"calls", "group"', '"calls", "group", "pigeons"'),
    ],
)
def test_a_sensible_policy_loads(before: str, after: str, tmp_path: Path) -> None:
    """At the edges of what is refused."""
    assert loaded(tmp_path, (before, after)) == []


def test_lists_may_not_be_empty_or_gone(tmp_path: Path) -> None:
    """Countries, channels, pair rules and steps."""
    bare = structs.replace(POLICY, countries={}, required_channels=(), pair_rules=(), steps=())
    names = ("types.pair_rules", "steps.order", "evidence.required_channels", "countries")
    found = complaints(bare)
    assert len(found) == len(names)
    assert all(name in line for name, line in zip(names, found, strict=True)), found
    assert loaded(tmp_path, ("[types]", "[kinds]"))


def test_times_are_refused_and_allowed_to_the_microsecond() -> None:
    """Whatever a file's hours and days come out as."""
    least = structs.replace(POLICY, hard_limit=1, soft_limit=0, clock_tolerance=0, release_limit=1)
    assert complaints(least) == []
    for name in ("hard_limit", "soft_limit", "clock_tolerance", "release_limit"):
        below = structs.replace(least, **{name: getattr(least, name) - 1})
        assert complaints(below), name


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    """One reading is enough to mend it."""
    found = loaded(
        tmp_path,
        ("hard_days = 10", "hard_days = 40"),
        ("release_hours = 24", "release_hours = 99"),
        ("AT = 2024", "A = 2024"),
    )
    assert len(found) == 3


def test_the_default_policy_is_sensible() -> None:
    """Its numbers are those of the documents."""
    assert complaints(POLICY) == []
    assert (POLICY.soft_limit, POLICY.hard_limit, POLICY.release_limit) == (24 * HOUR, 10 * DAY, 24 * HOUR)
    assert len(POLICY.countries) == 30


def test_what_an_editor_puts_before_a_policy_is_no_part_of_it(tmp_path: Path) -> None:
    """A byte-order mark, and the ends of lines as Windows writes them."""
    file = tmp_path / "policy.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load(file).digest == POLICY.digest


def test_a_policys_numbers_are_used() -> None:
    """A shorter window, another share, one more channel, one more country."""
    short = structs.replace(POLICY, soft_limit=HOUR, hard_limit=2 * HOUR)
    told = clean_client()
    assert answer(told, offer(at="1 h - 1 us"), policy=short) == allowed("WITHIN_WINDOW", until="1 h")
    assert answer(told, offer(at="1 h"), policy=short) == held("WINDOW_SOFT_LIMIT")
    assert answer(told, offer(at="2 h"), policy=short) == blocked("WINDOW_EXPIRED")
    strict = structs.replace(POLICY, close_link_percent=5.0)
    owner = [entity("owner", "independent", holding_percent=5), *told, referred(by="owner")]
    assert answer(owner, offer(), policy=strict) == blocked("PERSON_CHAIN_SOLICITATION")
    assert answer(owner, offer()) == allowed("WITHIN_WINDOW", until="24 h")
    strictest = structs.replace(POLICY, close_link_percent=0.1)
    assert answer(told, referred(), offer(), policy=strictest) == allowed("WITHIN_WINDOW", until="24 h")
    more = structs.replace(POLICY, required_channels=(*POLICY.required_channels, "pigeons"))
    assert answer(told, offer(), policy=more) == held("CHANNELS_NOT_SEARCHED")


def test_the_policy_is_in_every_answer() -> None:
    """Its version and digest; the decision's id depends on it."""
    other = structs.replace(POLICY, version="other", digest="sha256:other")
    (told,) = told_answers(clean_client(), offer())
    (again,) = told_answers(clean_client(), offer(), policy=other)
    assert told["policy"] == {"version": POLICY.version, "digest": POLICY.digest}
    assert again["policy"] == {"version": "other", "digest": "sha256:other"}
    assert told["decision"] != again["decision"]


def test_a_request_is_needed_whatever_the_policy() -> None:
    """No number opens a window that nobody asked for."""
    wide = structs.replace(POLICY, soft_limit=27 * DAY, hard_limit=27 * DAY)
    assert answer(clean_client()[:-5], asks("custody"), offer(), policy=wide) == blocked("NEW_SERVICE_TYPE")


def test_nobody_is_judged_by_two_policies_at_once() -> None:
    """A register that was read by another policy knows other countries and promoters than the one that is asked for."""
    known, said = Known(Dossier("anna"), Register(POLICY)), Fact("//x", "1", "anna", 1, 1, Asked("web"))
    with pytest.raises(AssertionError, match=r"`stricter`.*`2026-11-21`"):
        step(known, said, structs.replace(POLICY, version="stricter"))
