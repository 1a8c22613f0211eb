"""A rule that fails to run blocks, opens a case, and leaves the others to speak (section 2)."""

import importlib
import json
from typing import Any

import pytest

import gate.decision
import gate.rules
from gate.effects import Answer
from state import MemoryStore
from streams.embedded import Gate
from tests.player import POLICY
from tests.stories.telling import (
    ALLOWED,
    allowed,
    answer,
    asks,
    blocked,
    cases,
    clean_client,
    contacted,
    delivered,
    entity,
    located,
    offer,
    told_answers,
)

FAILED = blocked("RULE_FAILED")


def break_(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make a step of the decision raise."""

    def fails(*_: Any) -> None:
        raise ZeroDivisionError("a mistake of our own")

    monkeypatch.setattr(gate.decision, name, fails)


RULES = [
    (name, place) for name in ("AGAINST_SCOPE", "BESIDE_REQUEST") for place in range(len(getattr(gate.rules, name)))
]


@pytest.mark.parametrize(("name", "place"), RULES)
def test_a_rule_against_a_scope_fails(name: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them; the next offer is answered once it runs again."""

    def fails(_: Any) -> None:
        raise ZeroDivisionError("a mistake of our own")

    rules = list(getattr(gate.rules, name))
    rules[place] = fails
    told = [*clean_client(), offer()]
    with monkeypatch.context() as broken:
        broken.setattr(gate.decision, name, tuple(rules))
        assert answer(told) == FAILED
        assert cases(told) == ["RULE_FAILED"]
        late = answer(clean_client(), offer(at="24 h", transaction=None))
        assert late.verdict == "block" and "RULE_FAILED" in late.codes and len(late.codes) > 1
    assert answer(told) == ALLOWED


def test_the_reason_says_what_failed_and_not_with_what(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of error, never its text: that may hold what a client said."""
    break_(monkeypatch, "relationship_is_ending")
    (told,) = told_answers(clean_client(), offer())
    (reason,) = told["reasons"]
    assert "`fails`" in reason["said"] and "ZeroDivisionError" in reason["said"]
    assert "mistake of our own" not in reason["said"]
    assert reason["facts"] == ["offer-anna"]


@pytest.mark.parametrize(
    "name",
    [
        "entity_is_authorised",
        "where_is_client",
        "mixed_content",
        "under_other_regime",
        "relationship_is_ending",
        "found_against",
    ],
)
def test_a_step_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It allows nothing that the others would have let pass."""
    break_(monkeypatch, name)
    assert answer(clean_client(), offer()) == FAILED
    assert cases(clean_client(), offer()) == ["RULE_FAILED"]


def test_what_passes_before_passes_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servicing, a way out, a client abroad and the authorised sister: no later failure stops them."""
    sister = entity("sister", "eu_authorised", services=["exchange_funds"])
    for name in ("mixed_content", "under_other_regime", "relationship_is_ending", "found_against"):
        break_(monkeypatch, name)
    assert answer(clean_client(), offer(content="exit_help")) == allowed("EXIT_SERVICE")
    break_(monkeypatch, "pure_content")
    assert answer(located("US"), offer()) == allowed("OUT_OF_TERRITORY")
    assert answer(located(), offer(content="exit_help", link=True)) == FAILED
    break_(monkeypatch, "where_is_client")
    assert answer(sister, located(), offer(by="sister")) == allowed("AUTHORISED_ENTITY")


def test_a_way_out_passes_though_earlier_steps_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client is, and who acts, does not matter for it."""
    break_(monkeypatch, "entity_is_authorised")
    break_(monkeypatch, "where_is_client")
    for content, code in (("exit_help", "EXIT_SERVICE"), ("service_notice", "SERVICE_NOTICE")):
        assert answer(offer(content=content)) == allowed(code)


def test_a_notice_whose_own_rule_fails_is_not_called_marketing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is held back for that failure alone."""
    break_(monkeypatch, "pure_content")
    assert answer(clean_client(), offer(content="service_notice")) == FAILED


def test_a_client_abroad_ends_nothing_where_an_earlier_step_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who acts might have been a reason of its own."""
    break_(monkeypatch, "entity_is_authorised")
    told = answer(located("US"), offer())
    assert told.verdict == "block" and told.codes >= {"RULE_FAILED", "OUT_OF_TERRITORY"}


def test_an_outcome_knows_which_step_ended_the_judging() -> None:
    """0 where none did; not said on the wire, the leading reason shows it."""
    sister = entity("sister", "eu_authorised", services=["exchange_funds"])
    abroad = [located("US"), offer()]
    for told, step in (
        ([sister, offer(by="sister")], 1),
        (abroad, 2),
        ([offer(content="education")], 4),
        ([offer()], 0),
    ):
        gate = Gate(POLICY, MemoryStore())
        *_, taken = [gate.take(json.dumps(event).encode()) for event in told]
        assert isinstance(taken, list) and isinstance(taken[0], Answer) and taken[0].outcome.ended == step


SISTER = entity("sister", "eu_authorised", services=["exchange_funds"])
MIXED: Any = {"content": "education", "promotes": [{"asset": "btc"}], "by": "sister"}


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ("record.proven", [*clean_client(), offer()]),
        ("territory._countries", [located("US"), asks(), offer(content="education", promotes=[{"asset": "btc"}])]),
        ("acting_entity.Reason", [SISTER, *clean_client(), offer(**MIXED)]),
    ],
)
def test_what_a_rule_leans_on_fails(cause: str, told: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else leans on it: request, offer and sending are taken, the offer is blocked, and the stream goes on."""
    rule, name = cause.split(".")

    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a mistake of our own")

    monkeypatch.setattr(importlib.import_module(f"gate.rules.{rule}"), name, fails)
    told = [*told, delivered(), contacted(at="3 h")]
    failed = answer(told)
    assert failed.verdict == "block" and "RULE_FAILED" in failed.codes
    assert cases(told)[:2] == ["RULE_FAILED", "DELIVERED_WITHOUT_PERMISSION"]
