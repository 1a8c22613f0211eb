"""Scopes of many clients that close at one time: in portions, each once, in order, and over restarts."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from streams.serve.bodies import Arrival
from streams.serve.intake import Intake
from tests.player import POLICY
from tests.serving.service import Clock
from tests.stories.telling import asks

MANY, PORTION = 10, 3
NOW, LATER = "2026-03-02T12:00:00Z", "2026-03-20T12:00:00Z"


def arrival(n: int, hour: int = 9) -> Arrival:
    """A client's request; all at one time."""
    asked = asks(at=f"2026-03-02T{hour:02}:00:00Z", id=f"r-{n}")
    return Arrival(json.dumps({**asked, "subject": f"cl-{n:02}"}).encode())


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store in which many scopes are open that close together."""
    monkeypatch.setattr("streams.serve.intake.CLOSED_AT_ONCE", PORTION)
    path = tmp_path / "gate.db"
    intake = Intake(POLICY, path, Clock(NOW))
    results = intake.run(lambda: intake.take([arrival(n) for n in range(MANY)])).result()
    assert all(result.status == "taken" for result in results)
    intake.close()
    return path


def closed(outs: list[bytes]) -> list[str]:
    """Whose scopes, in order."""
    events = [json.loads(out) for out in outs]
    return [e["subject"] for e in events if e["type"] == "gate61.scope.closed.v1"]


@pytest.mark.parametrize("killed", [False, True])
def test_the_timer_closes_them_in_portions(opened: Path, killed: bool) -> None:
    """Each once and in order, also where the gate is started anew after every portion."""
    told: list[list[str]] = []
    intake = Intake(POLICY, opened, Clock(LATER))
    while not told or told[-1]:
        told.append(closed([out.data for out in intake.run(intake.wake).result()]))
        if killed:
            intake.close()
            intake = Intake(POLICY, opened, Clock(LATER))
        assert len(told) < 2 * MANY
    intake.close()
    everybody = [f"cl-{n:02}" for n in range(MANY)]
    assert [client for some in told for client in some] == everybody
    assert max(map(len, told)) == PORTION


def test_one_request_closes_no_more_than_a_portion(opened: Path) -> None:
    """Whatever number of events it has; the next ones, and the timer, go on."""
    intake = Intake(POLICY, opened, Clock(LATER))
    seen: list[str] = []
    for first in (100, 200, 300, 400):
        found = intake.run(lambda first=first: intake.take([arrival(first), arrival(first + 1)])).result()  # type: ignore[misc]
        told = closed([out.data for result in found for out in result.out])
        assert len(told) <= PORTION
        seen += told
    while outs := intake.run(intake.wake).result():
        seen += closed([out.data for out in outs])
    intake.close()
    assert len(seen) == len(set(seen)) == MANY + 8


def test_a_policy_that_comes_between_two_portions_loses_none(opened: Path) -> None:
    """What was said to be closed by the limit before is not said again, and the others close by the new one."""
    intake = Intake(POLICY, opened, Clock(LATER))
    seen = closed([out.data for out in intake.run(intake.wake).result()])
    intake.close()
    for hard_limit in (POLICY.hard_limit // 2, POLICY.hard_limit * 3):
        intake = Intake(replace(POLICY, hard_limit=hard_limit), opened, Clock("2026-06-20T12:00:00Z"))
        while outs := intake.run(intake.wake).result():
            seen += closed([out.data for out in outs])
        intake.close()
    assert len(seen) == len(set(seen)) == MANY


def test_after_another_policy_all_are_closed_at_once(opened: Path) -> None:
    """Up to when scopes are closed is noted of one hard limit: a portion by the new one would be taken for the old."""
    seen: list[str] = []
    intake = Intake(POLICY, opened, Clock(NOW))
    intake.run(lambda: intake.take([arrival(n, n - 10) for n in range(10, 20)])).result()
    intake.close()
    for _ in range(3):
        intake = Intake(replace(POLICY, hard_limit=POLICY.hard_limit * 2), opened, Clock("2026-06-20T12:00:00Z"))
        seen += closed([out.data for out in intake.run(intake.wake).result()])
        intake.close()
    assert len(seen) == len(set(seen)) == MANY + 10
