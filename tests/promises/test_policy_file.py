"""A policy file is data with sources: a senseless one is refused with all complaints, its digest is its meaning."""

import re
import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from gate.policy import PAIR_RULES, REQUIRED_CHANNELS, STEPS
from streams.border.wire import Rejected
from streams.logs.following import Followed
from streams.logs.merge import Log
from streams.policy_file import DEFAULT, PolicyRefused, load
from streams.toml import LARGEST
from tests.simulation.world import Record

TEXT = DEFAULT.read_text()
Table = dict[str, Any]
Change = Callable[[Table], object]


def written(table: Table) -> str:
    """A table as TOML."""
    lines, sections = [], []
    for name, value in table.items():
        if isinstance(value, dict):
            sections += [f"[{name}]", *(f"{k} = {_value(v)}" for k, v in value.items())]
        else:
            lines.append(f"{name} = {_value(value)}")
    return "\n".join([*lines, *sections, ""])


def _value(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else repr(value)


def complaints(text: str | bytes, folder: Path) -> list[str]:
    """What is wrong with a policy of this text; empty if nothing is."""
    path = folder / "policy.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    try:
        load(path)
    except PolicyRefused as refused:
        assert all(line in str(refused) for line in refused.complaints) and str(path) in str(refused)
        return refused.complaints
    return []


def change(section: str, name: str, value: Any) -> Change:
    """Set one value; None removes it."""

    def apply(table: Table) -> None:
        place = table[section] if section else table
        if value is None:
            del place[name]
        else:
            place[name] = value

    return apply


def without(names: tuple[str, ...], word: str) -> list[str]:
    """All but one."""
    return [n for n in names if n != word]


REFUSED: list[tuple[str, Change, str]] = [
    ("hard limit of 28 days", change("window", "hard_days", 28), "hard_days"),
    ("hard limit of a year", change("window", "hard_days", 365), "hard_days"),
    ("hard limit of zero", change("window", "hard_days", 0), "hard_days"),
    ("hard limit below zero", change("window", "hard_days", -1), "hard_days"),
    ("hard limit that rounds to zero", change("window", "hard_days", 1e-13), "hard_days"),
    ("no hard limit", change("window", "hard_days", None), "hard_days"),
    ("hard limit in words", change("window", "hard_days", "ten"), "hard_days"),
    ("hard limit true", change("window", "hard_days", True), "hard_days"),
    ("endless hard limit", change("window", "hard_days", float("inf")), "hard_days"),
    ("hard limit not a number", change("window", "hard_days", float("nan")), "hard_days"),
    ("soft above hard", change("window", "soft_hours", 241), "soft_hours"),
    ("soft below zero", change("window", "soft_hours", -1), "soft_hours"),
    ("no soft limit", change("window", "soft_hours", None), "soft_hours"),
    ("clock tolerance below zero", change("clock", "tolerance_seconds", -1), "tolerance_seconds"),
    ("close links from 21 %", change("persons", "close_link_percent", 21), "close_link_percent"),
    ("close links from 0 %", change("persons", "close_link_percent", 0), "close_link_percent"),
    ("release of 25 hours", change("review", "release_hours", 25), "release_hours"),
    ("release of no time", change("review", "release_hours", 0), "release_hours"),
    *((f"no rule {w}", change("types", "pair_rules", without(PAIR_RULES, w)), w) for w in PAIR_RULES),
    ("empty pair rules", change("types", "pair_rules", []), "types.pair_rules"),
    ("no pair rules", change("types", "pair_rules", None), "types.pair_rules"),
    *((f"no step {w}", change("steps", "order", without(STEPS, w)), w) for w in STEPS),
    ("no steps", change("steps", "order", []), "steps.order"),
    ("steps in another order", change("steps", "order", sorted(STEPS)), "steps.order"),
    *(
        (f"no channel {w}", change("evidence", "required_channels", without(REQUIRED_CHANNELS, w)), w)
        for w in REQUIRED_CHANNELS
    ),
    ("an unheard-of pair rule", change("types", "pair_rules", [*PAIR_RULES, "colour"]), "colour"),
    ("an unheard-of step in another order", change("steps", "order", [*STEPS[::-1], "luck"]), "luck"),
    ("a step twice, in another order", change("steps", "order", [*STEPS[::-1], "time"]), "twice"),
    ("a self-approving kind that is none", change("evidence", "self_approving_kinds", ["hunch"]), "hunch"),
    ("empty channels", change("evidence", "required_channels", []), "evidence.required_channels"),
    ("no channels", change("evidence", "required_channels", None), "evidence.required_channels"),
    ("channels that are no words", change("evidence", "required_channels", [1]), "evidence.required_channels"),
    ("empty country list", change("", "countries", {}), "countries"),
    ("no country list", change("", "countries", None), "countries"),
    ("a country that is none", change("countries", "Germany", date(2024, 12, 30)), "countries.Germany"),
    ("Greece as it is called elsewhere", change("countries", "EL", date(2024, 12, 30)), "countries.EL"),
    ("a country without a date", change("countries", "DE", 2024), "countries.DE"),
    ("no version", change("", "version", None), "version"),
    ("an empty version", change("", "version", " "), "version"),
    ("a version that is a number", change("", "version", 3), "version"),
    ("no source", change("", "source", None), "source"),
    ("an empty source", change("", "source", ""), "source"),
    ("a misspelt number", change("window", "hard_day", 7), "window.hard_day"),
    ("an unknown section", change("", "windows", {"hard_days": 7}), "windows"),
    ("a section that is none", change("", "window", 7), "window"),
]


@pytest.mark.parametrize(("spoil", "names"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_senseless_policy_is_refused(spoil: Change, names: str, tmp_path: Path) -> None:
    """Judging section 8, each by itself: refused, by the name of what is wrong."""
    table = tomllib.loads(TEXT)
    assert complaints(written(table), tmp_path) == []
    spoil(table)
    found = complaints(written(table), tmp_path)
    assert any(names in line for line in found), found


def test_a_section_without_a_name_is_refused(tmp_path: Path) -> None:
    """What it says would be read by nobody."""
    assert complaints(TEXT + '\n[""]\nversion = "another"\n', tmp_path) == ["a section has no name"]


def test_one_mistake_is_one_complaint(tmp_path: Path) -> None:
    """Nobody is sent to mend what is whole."""
    for spoil in (REFUSED[0][1], change("", "version", ""), change("window", "soft_hours", 241)):
        table = tomllib.loads(TEXT)
        spoil(table)
        assert len(complaints(written(table), tmp_path)) == 1


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    """Whoever mends a policy mends it in one go."""
    table = tomllib.loads(TEXT)
    wrong = ["version", "source", "clock", "close_link", "release", "self_approving_kinds", "DE"]
    for section, name, value in (
        ("", "version", ""),
        ("", "source", ""),
        ("window", "hard_days", 28),
        ("window", "soft_hours", 700),
        ("clock", "tolerance_seconds", -1),
        ("persons", "close_link_percent", 50),
        ("review", "release_hours", 48),
        ("types", "pair_rules", ["class"]),
        ("steps", "order", without(STEPS, "type")),
        ("evidence", "required_channels", without(REQUIRED_CHANNELS, "email")),
        ("evidence", "self_approving_kinds", "attestation"),
        ("countries", "DE", "always"),
    ):
        change(section, name, value)(table)
    found = complaints(written(table), tmp_path)
    missing = [f"lacks `{word}`" for word in (*PAIR_RULES[1:], "type", "email")]
    assert all(any(word in line for line in found) for word in wrong + missing), found
    assert len(found) == len(wrong) + len(missing) + 2  # And the two of the window.


@pytest.mark.parametrize("text", [b"", b"\xff", b"version = ", b"\0", b"[window", b"a = 1\na = 2"])
def test_what_is_no_policy_is_refused(text: bytes, tmp_path: Path) -> None:
    """Damaged files are complaints, not errors."""
    assert complaints(text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "{a = " * 5_000,
        "a = " + "1" * 5_000,
        ".".join("a" * 20_000) + " = 1",
        "[evidence]\nself_approving_filers = [" + ",".join(f'"st-{n % 30_000}"' for n in range(30_001)) + "]",
    ],
    ids=["lists", "tables", "digits", "dots", "words"],
)
def test_a_hostile_policy_is_refused_at_once(text: str, tmp_path: Path) -> None:
    """No nesting, number, dotted key or list is an error, or takes longer than it is long."""
    before = perf_counter()
    assert complaints(text, tmp_path)
    assert perf_counter() - before < 1


def test_a_policy_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """So is a folder."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(PolicyRefused, match="cannot be read"):
            load(path)


@pytest.mark.parametrize(
    "milder", [("window", "hard_days", 27.9), ("window", "soft_hours", 240), ("window", "soft_hours", 0)]
)
def test_the_edges_themselves_may_be_used(milder: tuple[str, str, float], tmp_path: Path) -> None:
    """Less than 28 days; soft up to hard; no time without a person at all."""
    table = tomllib.loads(TEXT)
    change(*milder)(table)
    assert complaints(written(table), tmp_path) == []


def test_every_number_of_the_default_has_its_source_beside_it() -> None:
    """A comment on the line, or above the block it stands in; a policy is read by people who ask where it is from."""
    sourced, count = False, 0
    for line in TEXT.splitlines():
        if line.startswith("#"):
            sourced = True
        elif not line.strip() or line.startswith("["):
            sourced = False
        elif re.match(r"\w+ = [\d\[]", line):
            count += 1
            assert sourced or re.search(r"#\s*\S.{5,}", line), f"no source: {line}"
    assert count == 5 + 1 + 1 + 3 + 30


def test_the_default_has_the_thirty_states() -> None:
    """27 member states and Liechtenstein, Norway, Iceland; no more."""
    union = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
    assert set(load().countries) == {*union.split(), "LI", "NO", "IS"}


def test_the_digest_is_that_of_the_meaning(tmp_path: Path) -> None:
    """Comments, blank lines, the order of sections, keys and lists, and how a number is written do not change it."""
    path = tmp_path / "policy.toml"
    table = tomllib.loads(TEXT)
    turned = dict(sorted(table.items(), reverse=True))
    turned = {k: dict(sorted(v.items(), reverse=True)) if isinstance(v, dict) else v for k, v in turned.items()}
    turned["evidence"]["required_channels"] = list(reversed(REQUIRED_CHANNELS))
    turned["window"]["soft_hours"] = 24.0
    for text in (TEXT, re.sub(r"#.*", "", TEXT), TEXT.replace("\n", "\r\n"), written(table), written(turned)):
        path.write_bytes(text.encode())
        assert load(path).digest == load().digest


_OTHER = [
    change("", "version", "other"),
    change("", "source", "other"),
    change("window", "soft_hours", 23),
    change("window", "hard_days", 9),
    change("clock", "tolerance_seconds", 59),
    change("persons", "close_link_percent", 19),
    change("review", "release_hours", 23),
    change("evidence", "required_channels", [*REQUIRED_CHANNELS, "radio"]),
    change("evidence", "self_approving_kinds", ["session_log"]),
    change("evidence", "self_approving_filers", ["st-1"]),
    change("countries", "CH", date(2030, 1, 1)),
    change("countries", "DE", date(2024, 12, 30) + timedelta(days=1)),
]


def test_the_digest_changes_with_every_value(tmp_path: Path) -> None:
    """No two policies that can answer differently are called by one name."""
    digests = {load().digest}
    path = tmp_path / "policy.toml"
    for other in _OTHER:
        table = tomllib.loads(TEXT)
        other(table)
        path.write_text(written(table))
        digests.add(load(path).digest)
    assert len(digests) == len(_OTHER) + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a=" + b"[" * 3000, "nested too deeply"),
        (b"a=" + b"{a=" * 3000, "nested too deeply"),
        (b"a=" + b"1" * 5000, "is not TOML"),
        (b"a=\xff", "is not TOML"),
        (b"a.b=1\na.b.c=1", "is not TOML"),
        (TEXT.encode() + b"#" * LARGEST, "bytes; 65536 are the most"),
    ],
)
def test_whatever_is_published_as_a_policy_is_refused_and_ends_nobody(text: bytes, said: str, tmp_path: Path) -> None:
    """Also where Python's reader does not say that it is not TOML: every worker reads it, and would end each time."""
    (complaint,) = complaints(text, tmp_path)
    assert said in complaint
    followed = Followed()
    followed.add(Log.POLICY, Record("policy", 0, 0, 0, None, text, ()))
    assert isinstance(followed.policies[0].event, Rejected)
