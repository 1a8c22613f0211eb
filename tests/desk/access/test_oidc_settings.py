"""Settings of the provider, and who its people are at the desk."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.desk.access.oidc import roles_of, staff_id
from streams.desk.access.oidc_settings import may_be_asked, oidc_settings
from streams.desk.access.people import People, PersonRefused
from streams.desk.access.roles import Role
from streams.desk.running import run_desk, store_at
from streams.settings import SettingsRefused
from tests.desk.access.conftest import DESK

PREFIX = "GATE61_DESK_OIDC_"
STAFF_ID = re.compile(r"[A-Za-z0-9._:@/-]{1,128}")


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    (tmp_path / "secret").write_text("hush\n")
    given = {"ISSUER": "https://login.example", "CLIENT": "desk", "SECRET_FILE": str(tmp_path / "secret")} | more
    return {PREFIX + name: value for name, value in given.items()}


def test_nothing_set_is_no_provider() -> None:
    """And no complaint."""
    found: list[str] = []
    assert oidc_settings({"GATE61_DESK_URL": DESK}, DESK, found) is None and found == []


def test_what_is_set_is_read_and_the_secret_is_not_shown(tmp_path: Path) -> None:
    """With the provider's host as its name."""
    found: list[str] = []
    read = oidc_settings(environment(tmp_path, ROLE_CLAIM="realm_access.roles"), DESK + "/", found)
    assert read is not None and found == []
    assert (read.secret, read.back, read.name) == ("hush", f"{DESK}/oidc/back", "login.example")
    assert read.role_claim == "realm_access.roles" and "hush" not in repr(read)


def test_everything_wrong_is_said_at_once() -> None:
    """Each with what to write instead."""
    wrong = {"ISSUER": "http://login.example", "SCOPE": "profile", "ROLE_CLAIM": "", "SECRET": "hush"}
    found: list[str] = []
    assert oidc_settings({PREFIX + n: v for n, v in wrong.items()}, "", found) is None
    for name in (
        "ISSUER is",
        "CLIENT is",
        "SCOPE is",
        "ROLE_CLAIM is",
        "SECRET_FILE is missing",
        "SECRET is no setting",
    ):
        assert [c for c in found if c.startswith(PREFIX + name)], (name, found)
    assert [c for c in found if c.startswith("GATE61_DESK_URL is")] and len(found) == 7
    assert "hush" not in repr(found)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff", b"two\nlines"])
def test_a_secret_that_is_none(tmp_path: Path, content: bytes) -> None:
    """Empty, or not text."""
    set_ = environment(tmp_path)
    (tmp_path / "secret").write_bytes(content)
    found: list[str] = []
    assert oidc_settings(set_, DESK, found) is None and len(found) == 1 and "SECRET_FILE names" in found[0]


def test_the_desk_does_not_start_on_settings_that_are_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before it opens its store."""
    monkeypatch.setenv(PREFIX + "ISSUER", "https://login.example")
    with pytest.raises(SettingsRefused, match="CLIENT is missing"):
        run_desk(f"sqlite:///{tmp_path}/desk.db", "127.0.0.1", 0, DESK)
    assert not (tmp_path / "desk.db").exists()


def test_a_port_that_is_not_known_yet_is_no_way_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The provider would send browsers nowhere."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused, match="give a --port"):
        run_desk(f"sqlite:///{tmp_path}/desk.db", "127.0.0.1", 0, None)


@pytest.mark.parametrize(
    "url, good",
    [
        ("https://login.example", True),
        ("https://login.example:8443/realms/firm", True),
        ("http://127.0.0.1:9000", True),
        ("http://[::1]:9000/x", True),
        ("http://login.example", False),
        ("https://user:word@login.example", False),
        ("https://login.example#x", False),
        ("https://login.example\\@evil.example", False),
        ("https://login.example:port", False),
        ("https://[::1", False),
        ("https://", False),
        ("javascript:alert(1)", False),
        ("https://login.example/\n", False),
        ("https://" + "x" * 600, False),
        ("", False),
    ],
)
def test_addresses(url: str, good: bool) -> None:
    """https, or http on this machine; nothing that two readers read in two ways."""
    assert may_be_asked(url) is good


issuers = st.sampled_from(
    [
        "https://login.example",
        "https://login.example/",
        "https://login.example/a",
        "https://login.example:8443",
        "http://login.example",
        "https://LOGIN.example",
        f"https://{'x' * 60}.example",
        f"https://{'y' * 60}.example",
        "http://[::1]:9000",
    ]
)
subjects = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255) | st.sampled_from(
    ["10042", ":10042", "auth0|x", "x", "a/b", "a:b", "A", "a", "1" * 43, "1" * 44]
)


@given(issuers, subjects, issuers, subjects)
def test_staff_ids_are_printable_and_nobody_shares_one(one: str, sub: str, other: str, subject: str) -> None:
    """Also where a subject is made to look like another's id."""
    first, second = staff_id(one, sub), staff_id(other, subject)
    assert STAFF_ID.fullmatch(first) and "/" not in first
    assert (first == second) is ((one, sub) == (other, subject))
    made = staff_id(one, first[-43:])
    assert made != first or first[-43:] == sub


def test_staff_ids_stay_as_they_are() -> None:
    """They stand in events for ever."""
    assert staff_id("https://login.example", "10042") == "login.example:10042"
    assert staff_id("https://login.example/realms/firm", "10042") == "login.example:a56bafe5fef63f2c:10042"
    assert (
        staff_id("https://login.example", "auth0|10042") == "login.example::P1ZVH4sdIcBJ1wwwLPMAGnRldrqwThqhIYRakrj022s"
    )


def test_nobody_with_a_password_has_such_an_id(tmp_path: Path) -> None:
    """So no local person is taken for one of the provider's."""
    people = People(store_at(f"sqlite:///{tmp_path}/desk.db"))
    with pytest.raises(PersonRefused, match="staff id"):
        people.add("login.example:10042", "x", frozenset({Role.ADMIN}), "correct horse battery", 0)


@pytest.mark.parametrize(
    "claims, claim, prefix, roles",
    [
        ({"roles": ["reviewer", "auditor", "cook"]}, "roles", "", {Role.REVIEWER, Role.AUDITOR}),
        ({"roles": "reviewer approver"}, "roles", "", {Role.REVIEWER, Role.APPROVER}),
        ({"realm_access": {"roles": ["viewer"]}}, "realm_access.roles", "", {Role.VIEWER}),
        ({"https://firm.example/roles": ["viewer"]}, "https://firm.example/roles", "", {Role.VIEWER}),
        ({"groups": ["gate61-viewer", "admin"]}, "groups", "gate61-", {Role.VIEWER}),
        ({"roles": ["Reviewer", "reviewer ", "", None, 1, ["viewer"]]}, "roles", "", set()),
        ({"roles": {"viewer": True}}, "roles", "", set()),
        ({"a": "viewer"}, "a.b.c", "", set()),
        ({}, "roles", "", set()),
        ({"roles": True}, "roles", "", set()),
    ],
)
def test_roles_come_from_the_claim_alone(claims: dict[str, Any], claim: str, prefix: str, roles: set[Role]) -> None:
    """To the letter; what is no role of the desk counts for nothing."""
    assert roles_of(claims, claim, prefix) == roles
