"""Who is told what, and when: groups, corrections, floods."""

from pathlib import Path

import pytest
from sqlalchemy.event import listen

from state import MemoryStore
from streams.alerts.grouping import fold
from streams.embedded import Gate
from tests.alerts.telling import Telling, at, case, channel, config, decided, refused, released
from tests.commands.program import CASES
from tests.feeds import told_by
from tests.golden.test_wire import given
from tests.player import POLICY


@pytest.fixture
def alerts(tmp_path: Path) -> Telling:
    """Everything goes to one receiver."""
    return Telling(tmp_path, config())


def test_held_offers_of_a_client_are_one_alert(alerts: Telling) -> None:
    """Same client, leading reason and service within seconds: one message with the count, listing each."""
    alerts.happens(decided("d-1"), decided("d-2"), decided("d-3"))
    assert alerts.after(4) == []
    (message,) = alerts.after(1)
    data = message["data"]
    assert (message["type"], data["client"], data["reason"], data["service"]) == (
        "gate61.alert.opened",
        "c-1",
        "CAMPAIGN_EXPOSURE",
        "custody",
    )
    assert data["counts"] == {
        "taken": 3, "new": 3, "held": 3, "blocked": 0, "cases": 0, "gone": 0, "corrected": 0,
    }  # fmt: skip
    assert sorted(o["decision"] for o in data["offers"]) == ["d-1", "d-2", "d-3"]
    assert alerts.through(30) == []


def test_another_client_reason_or_service_is_another_alert(alerts: Telling) -> None:
    """Each of the three tells groups apart."""
    alerts.happens(
        decided("d-1"),
        decided("d-2", client="c-2"),
        decided("d-3", leading="WINDOW_SOFT_LIMIT"),
        decided("d-4", service="advice"),
    )
    assert len(alerts.after(5)) == 4


def test_more_of_the_same_comes_as_an_update(alerts: Telling) -> None:
    """After five minutes, with what is new and what there is in all."""
    alerts.happens(decided("d-1"))
    alerts.after(5)
    alerts.happens(decided("d-2"), decided("d-3"))
    assert alerts.through(299) == []
    (message,) = alerts.after(1)
    assert message["type"] == "gate61.alert.updated" and message["data"]["sequence"] == 2
    assert (message["data"]["counts"]["new"], message["data"]["counts"]["taken"]) == (2, 3)


def test_an_alert_lists_twenty_and_counts_all(alerts: Telling) -> None:
    """What is left out is said as a number."""
    alerts.happens(*(decided(f"d-{n}") for n in range(53)))
    (message,) = alerts.after(5)
    assert len(message["data"]["offers"]) == 20 and message["data"]["offers_left_out"] == 33
    assert message["data"]["counts"]["new"] == 53


def test_of_what_was_cut_it_is_said(alerts: Telling) -> None:
    """Its topic takes no more; also where a message has room for the beginning of a sentence only."""
    answer, opened = decided("d-1"), case("case-1")
    for each in (answer, opened):
        each["data"]["cut"] = True
    alerts.happens(answer, opened, decided("d-2", client="c-2"))
    said = {o["said"].startswith("(cut, as it was too large)") for m in alerts.after(5) for o in m["data"]["offers"]}
    assert said == {True, False}


def test_cases_and_failed_rules_are_urgent_and_do_not_wait(alerts: Telling) -> None:
    """Told at once; a rule that failed need not lead."""
    alerts.happens(case("case-1"), decided("d-1", verdict="block", also=("RULE_FAILED",)), decided("d-2", client="c-2"))
    found = alerts.after(0)
    assert sorted((m["data"]["reason"], m["data"]["severity"]) for m in found) == [
        ("CAMPAIGN_EXPOSURE", "urgent"),
        ("LATE_EVIDENCE", "urgent"),
    ]


def test_a_superseded_answer_is_corrected(alerts: Telling) -> None:
    """An alert said held; now it is blocked, on which fact's account; the block is an alert of its own."""
    alerts.happens(decided("d-1"))
    alerts.after(5)
    alerts.after(60)
    alerts.happens(decided("d-2", leading="INITIATION_SOLICITED", verdict="block", supersedes="d-1"))
    (correction,) = alerts.after(0)
    assert correction["type"] == "gate61.alert.corrected"
    (fix,) = correction["data"]["corrections"]
    assert (fix["decision"], fix["was"], fix["now"], fix["by"], fix["because"]) == (
        "d-1", "held", "blocked", "d-2", "late",
    )  # fmt: skip
    assert correction["data"]["over"] and correction["data"]["counts"]["gone"] == 1
    (opened,) = alerts.after(5)
    assert (opened["data"]["reason"], opened["data"]["counts"]["blocked"]) == ("INITIATION_SOLICITED", 1)


def test_a_release_is_told_and_so_is_its_end(alerts: Telling) -> None:
    """Held, released, taken back by a late fact: each step is told to who was told the one before."""
    alerts.happens(decided("d-1"))
    alerts.after(5)
    alerts.happens(released("d-2", "d-1"))
    (freed,) = alerts.after(5)
    assert [(f["was"], f["now"]) for f in freed["data"]["corrections"]] == [("held", "released")]
    assert freed["data"]["over"]
    alerts.happens(decided("d-3", leading="INITIATION_SOLICITED", verdict="block", supersedes="d-2"))
    found = {m["type"]: m for m in alerts.through(6)}
    assert found.keys() == {"gate61.alert.corrected", "gate61.alert.opened"}
    back = found["gate61.alert.corrected"]["data"]["corrections"]
    assert [(f["was"], f["now"]) for f in back] == [("released", "blocked")]


def test_a_correction_passes_the_filter(tmp_path: Path) -> None:
    """Who wants flags alone was told of one: that it is blocked now he hears too, but no new alert of it."""
    alerts = Telling(tmp_path, config(channel(verdicts=frozenset({"flag"}))))
    alerts.happens(decided("d-1"), decided("d-0", verdict="block"))
    (opened,) = alerts.after(5)
    assert opened["data"]["counts"]["taken"] == 1
    alerts.happens(decided("d-2", verdict="block", supersedes="d-1"))
    (correction,) = alerts.after(5)
    assert correction["type"] == "gate61.alert.corrected"
    assert alerts.through(20) == []


def test_filters(tmp_path: Path) -> None:
    """By verdict, by any reason, by least severity."""
    alerts = Telling(
        tmp_path,
        config(
            channel("blocks", verdicts=frozenset({"block"})),
            channel("windows", reasons=frozenset({"WINDOW_EXPIRED"})),
            channel("urgent", severity=2),
        ),
    )
    alerts.happens(
        decided("d-1"),
        decided("d-2", verdict="block", also=("WINDOW_EXPIRED",)),
        decided("d-3", verdict="block", client="c-2"),
        case("k-1"),
        decided("d-4", verdict="allow", may_send=True),
    )
    alerts.after(5)
    assert len(alerts.messages("blocks")) == 2
    assert [o["decision"] for m in alerts.messages("windows") for o in m["data"]["offers"]] == ["d-2"]
    assert [m["data"]["reason"] for m in alerts.messages("urgent")] == ["LATE_EVIDENCE"]


def test_blocks_close_after_quiet_and_held_offers_do_not(alerts: Telling) -> None:
    """A block is over when it has been quiet; what is held waits for a person."""
    alerts.happens(decided("d-1"), decided("d-2", client="c-2", verdict="block"))
    alerts.after(5)
    (closed,) = alerts.through(3_600, 5.0)
    assert closed["type"] == "gate61.alert.closed" and closed["data"]["client"] == "c-2"
    alerts.happens(decided("d-3", client="c-2", verdict="block"))
    (again,) = alerts.after(5)
    assert again["type"] == "gate61.alert.opened" and again["data"]["alert"] != closed["data"]["alert"]


@pytest.mark.parametrize("first", ["answer", "refusal"])
def test_a_refused_offer_is_held_no_longer(alerts: Telling, first: str) -> None:
    """Also where the refusal is read before the answer: they stand in different logs."""
    if first == "refusal":
        alerts.happens(refused("d-1"))
        alerts.happens(decided("d-1"))
        (message,) = alerts.after(5)
        assert message["data"]["counts"] | {"held": 0, "gone": 1} == message["data"]["counts"]
        return
    alerts.happens(decided("d-1"))
    alerts.after(5)
    alerts.happens(refused("d-1"))
    (closed,) = alerts.after(5)
    assert closed["type"] == "gate61.alert.closed" and closed["data"]["over"]


@pytest.mark.parametrize("first", ["answer", "refusal"])
def test_a_refusal_in_the_name_of_another_client_is_about_nothing(alerts: Telling, first: str) -> None:
    """So the gate and the desk have it, too."""
    events = [decided("d-1"), refused("d-1", client="c-2")]
    for event in events if first == "answer" else events[::-1]:
        alerts.happens(event)
    assert alerts.group()["held"] == 1
    alerts.happens(refused("d-1"))
    assert alerts.group()["held"] == 0


def test_what_nobody_can_release_any_more_is_held_no_longer(alerts: Telling) -> None:
    """At the hard limit of its scope."""
    alerts.happens(decided("d-1", hard_until=at(alerts.now + 600_000_000)))
    alerts.after(5)
    assert alerts.after(594) == []
    (closed,) = alerts.after(1)
    assert closed["data"]["counts"]["gone"] == 1 and closed["data"]["over"]


def test_repetitions_change_nothing(alerts: Telling) -> None:
    """The same answer at another place of the log, and the same place again."""
    assert alerts.happens(decided("d-1"))["taken"] == 1
    alerts.happens(decided("d-1"), decided("d-1"))
    alerts.offsets["out"] = 0
    assert alerts.happens(decided("d-9"))["repeated"] == 1
    (message,) = alerts.after(5)
    assert message["data"]["counts"]["taken"] == 1


def test_a_flood_is_one_alert_that_says_how_many_of_what(alerts: Telling) -> None:
    """Five hundred clients at once: one message, which adds up; then calm, and it closes."""
    alerts.happens(*(decided(f"d-{n}", f"c-{n}") for n in range(400)))
    alerts.happens(*(decided(f"d-{n}", f"c-{n}", "WINDOW_EXPIRED", "block", "advice") for n in range(400, 500)))
    (flood,) = alerts.after(5)
    assert flood["type"] == "gate61.flood.opened"
    counts = flood["data"]["counts"]
    assert (counts["groups"], counts["clients"], counts["new"]) == (500, 500, 500)
    assert (counts["held"], counts["blocked"]) == (400, 100)
    assert [(r["reason"], r["service"], r["state"], r["count"]) for r in flood["data"]["came_in"]] == [
        ("CAMPAIGN_EXPOSURE", "custody", "held", 400),
        ("WINDOW_EXPIRED", "advice", "blocked", 100),
    ]
    alerts.happens(*(decided(f"e-{n}", f"e-{n}") for n in range(50)))
    (more,) = alerts.through(60)
    assert more["type"] == "gate61.flood.updated" and more["data"]["counts"]["new"] == 50
    assert more["data"]["counts"]["taken"] == 550
    (closed,) = alerts.through(400)
    assert closed["type"] == "gate61.flood.closed" and closed["data"]["counts"]["held"] == 450
    assert not closed["data"]["over"]
    alerts.happens(*(released(f"r-{n}", f"d-{n}", f"c-{n}") for n in range(400)))
    alerts.happens(*(released(f"s-{n}", f"e-{n}", f"e-{n}") for n in range(50)))
    fixed = alerts.through(3_600, 5.0)
    assert sum(m["data"]["counts"]["corrected"] for m in fixed) == 450
    assert len(fixed) < 10
    assert fixed[-1]["data"]["over"]


def test_an_ended_flood_costs_nothing_while_something_is_held(alerts: Telling) -> None:
    """Every tick asks whether it is over, through an index, and counts nothing; a flood may be held for weeks."""
    asked: list[str] = []

    def note(_: object, __: object, sql: str, *___: object) -> None:
        asked.append(sql)

    alerts.happens(*(decided(f"d-{n}", f"c-{n}") for n in range(50)))
    assert alerts.through(400)[-1]["type"] == "gate61.flood.closed"
    listen(alerts.engine, "before_cursor_execute", note)
    alerts.through(10)
    assert not [sql for sql in asked if "sum(" in sql]
    (one,) = {sql for sql in asked if "alert_group.flood = ?" in sql}
    with alerts.engine.connect() as connection:
        (step,) = connection.exec_driver_sql(f"explain query plan {one}", ("f", 0, 1, 0)).all()
    assert "alert_group_flood (flood=? AND held>?)" in step[-1]
    alerts.happens(*(released(f"r-{n}", f"d-{n}", f"c-{n}") for n in range(50)))
    assert alerts.through(10)[-1]["data"]["over"]


def test_a_flood_hides_nothing_urgent(alerts: Telling) -> None:
    """A case amid hundreds of blocks is told by itself."""
    alerts.happens(*(decided(f"d-{n}", f"c-{n}", verdict="block") for n in range(300)), case("k-1"))
    found = alerts.after(5)
    assert sorted(m["type"] for m in found) == ["gate61.alert.opened", "gate61.flood.opened"]


def test_what_was_told_by_itself_closes_by_itself_within_a_flood(alerts: Telling) -> None:
    """An incident that a flood begins around is resolved all the same."""
    alerts.happens(decided("d-1", "anna"))
    alerts.after(5)
    alerts.happens(*(decided(f"d-{n}", f"c-{n}") for n in range(2, 300)), released("r-1", "d-1", "anna"))
    found = alerts.through(6)
    assert [m["data"]["over"] for m in found if m["data"].get("client") == "anna"] == [True]


def test_what_was_recorded_before_the_beginning_is_no_news(alerts: Telling) -> None:
    """The first start reads the logs from their beginning, and tells of nothing old."""
    told = alerts.told(decided("d-1", at="2026-01-01T00:00:00Z"), decided("d-2"))
    counts = fold(alerts.engine, alerts.config, told, alerts.now, alerts.now)
    assert counts["earlier"] == 1 and counts["taken"] == 1
    assert alerts.positions() == {"out": 3}


def test_an_event_that_is_none_stops_nothing(alerts: Telling) -> None:
    """Somebody else writes to the topic: counted, and read past."""
    bad = decided("d-1")
    del bad["data"]["verdict"]
    assert alerts.happens(bad, decided("d-2")) == {"unreadable": 1, "taken": 1, "no matter": 0}


def test_clients_are_not_named_to_others(tmp_path: Path) -> None:
    """PagerDuty and apprise's services see no client, offer or sentence, unless the configuration says so."""
    alerts = Telling(tmp_path, config(channel(show_client=False)))
    alerts.happens(decided("d-1", "anna"), decided("d-2", "anna", supersedes="d-1", verdict="block"))
    alerts.after(5)
    assert alerts.messages() and "anna" not in str(alerts.messages()) and "offer-d" not in str(alerts.messages())


def test_all_that_the_gate_says_in_its_cases_is_understood(tmp_path: Path) -> None:
    """Nothing it says is read past, and what is held, blocked or a case is told once."""
    paths = sorted(CASES.glob("*.json"))
    assert len(paths) > 30
    for path in paths:
        told = told_by(Gate(POLICY, MemoryStore()), given(path).splitlines())
        folder = tmp_path / path.stem
        folder.mkdir()
        alerts = Telling(folder, config(channel(), flood=10_000), now=told[-1].at)
        counts = fold(alerts.engine, alerts.config, told, alerts.now)
        assert counts["unreadable"] == 0, path.stem
        found = [m["data"]["counts"] for m in alerts.through(10)]
        answers = [t.event["data"] for t in told if t.kind == "decision"]
        alerted = {a["decision"] for a in answers if not a["may_send"]}
        cases = sum(t.kind == "case" for t in told)
        assert sum(c["new"] for c in found) == len(alerted) + cases, path.stem
        assert sum(c["corrected"] for c in found) == sum(a["supersedes"] in alerted for a in answers), path.stem
        alerts.engine.dispose()
