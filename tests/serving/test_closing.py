"""Scopes of many clients that close within minutes: in portions, each once, in order, and over restarts."""

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
    """A client's request; each a second after the one before."""
    asked = asks(at=f"2026-03-02T{hour:02}:{n // 60:02}:{n % 60:02}Z", id=f"r-{n}")
    return Arrival(json.dumps({**asked, "subject": f"cl-{n:02}"}).encode())


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store in which many scopes are open that close together."""
    monkeypatch.setattr("streams.serve.intake.CLOSED_AT_ONCE", PORTION)
    path = tmp_path / "gate.db"
    intake = Intake(POLICY, path, Clock(NOW))
    results = intake.run(lambda: intake.take([arrival(n) for n in range(MANY)])).result().results
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
    """And those that it opens itself, too late; the next ones, and the timer, go on."""
    intake = Intake(POLICY, opened, Clock(LATER))
    seen: list[str] = []
    for first in (100, 200, 300, 400):
        found = intake.run(lambda first=first: intake.take([arrival(first), arrival(first + 1)])).result().results  # type: ignore[misc]
        told = closed([out.data for result in found for out in result.out])
        assert len(told) <= PORTION + 2
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


def test_those_that_are_due_at_one_instant_are_closed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is known up to when scopes are closed, also after a restart, whatever it trusts then."""
    monkeypatch.setattr("streams.serve.intake.CLOSED_AT_ONCE", PORTION)
    intake = Intake(POLICY, tmp_path / "gate.db", Clock(NOW))
    together = [arrival(0).raw.replace(b"cl-00", b"cl-%02d" % n).replace(b"r-0", b"r-%d" % n) for n in range(5)]
    intake.run(lambda: intake.take([Arrival(raw) for raw in together] + [arrival(n) for n in range(5, MANY)])).result()
    intake.close()
    intake = Intake(POLICY, tmp_path / "gate.db", Clock(LATER))
    seen = closed([out.data for out in intake.run(intake.wake).result()])
    assert len(seen) == 5
    intake.close()
    intake = Intake(POLICY, tmp_path / "gate.db", Clock(LATER), trust_recordedtime=True)
    late = json.loads(arrival(99).raw) | {"recordedtime": LATER, "time": LATER}
    results = intake.run(lambda: intake.take([Arrival(json.dumps(late).encode())])).result().results
    seen += closed([out.data for result in results for out in result.out])
    intake.close()
    assert len(seen) == len(set(seen)) == MANY


def test_a_request_that_takes_nothing_moves_no_mark(opened: Path) -> None:
    """Under a shorter limit, whatever was said before is not said again."""
    intake = Intake(POLICY, opened, Clock("2026-03-12T09:00:04Z"))
    seen: list[str] = []
    while outs := intake.run(intake.wake).result():
        seen += closed([out.data for out in outs])
    intake.close()
    shorter = replace(POLICY, hard_limit=POLICY.hard_limit // 2)
    for _ in range(3):
        intake = Intake(shorter, opened, Clock(LATER))
        (result,) = intake.run(lambda intake=intake: intake.take([Arrival(b"{")])).result().results  # type: ignore[misc]
        assert result.status == "rejected"
        seen += closed([out.data for out in result.out])
        intake.close()
    intake = Intake(shorter, opened, Clock(LATER))
    while outs := intake.run(intake.wake).result():
        seen += closed([out.data for out in outs])
    intake.close()
    assert len(seen) == len(set(seen)) == MANY
