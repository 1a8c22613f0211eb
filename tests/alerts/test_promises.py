"""Promises of the grouping: whatever comes, in whatever batches, killed wherever, the counts add up to what came."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from streams.alerts import tables as t
from streams.alerts.grouping import fold
from streams.alerts.speaking import speak
from tests.alerts.telling import Event, Telling, case, channel, config, decided, refused, released

LEADING = ("CAMPAIGN_EXPOSURE", "WINDOW_EXPIRED", "SCOPE_TAINTED")
Step = tuple[str, Any]


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Batches of answers, later answers, refusals, cases and repetitions; time between them; and deaths."""
    steps: list[Step] = []
    known: list[tuple[str, str]] = []
    told: list[Event] = []
    number = 0
    for _ in range(draw(st.integers(1, 12))):
        batch: list[Event] = []
        for _ in range(draw(st.integers(0, 12))):
            number += 1
            id = f"d-{number}"
            client = f"c-{draw(st.integers(1, 9))}"
            what = draw(st.sampled_from("answer answer answer later release refuse case repeat allow".split()))  # noqa: SIM905
            verdict = draw(st.sampled_from(["flag", "block"]))
            leading = draw(st.sampled_from(LEADING))
            if what in ("later", "release", "refuse") and known:
                at = draw(st.integers(0, len(known) - 1))
                old, client = known[at]
                if what == "refuse":
                    batch.append(refused(old, draw(st.sampled_from([client, "c-else"]))))
                    continue
                known[at] = (id, client)
                later = decided(id, client, leading, verdict, supersedes=old)
                batch.append(later if what == "later" else released(id, old, client))
            elif what == "case":
                batch.append(case(f"k-{number}", client=client))
            elif what == "repeat" and told:
                batch.append(draw(st.sampled_from(told)))
            elif what == "allow":
                batch.append(decided(id, client, "WITHIN_WINDOW", "allow", may_send=True))
            else:
                known.append((id, client))
                batch.append(decided(id, client, leading, verdict, draw(st.sampled_from(["custody", "advice", None]))))
        told += batch
        steps.append(("batch", batch))
        steps.append(("wait", draw(st.sampled_from([0, 1, 5, 61, 300, 4_000]))))
        if draw(st.booleans()):
            steps.append(("die", draw(st.integers(1, 40))))
    return steps


class _Killed(BaseException):
    """Not to be caught on the way."""


def play(alerts: Telling, steps: list[Step]) -> None:
    """Play it; a death comes at the given statement of the store from then on, and all is done again."""
    left = [0]

    def die(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise _Killed

    event.listen(alerts.engine, "before_cursor_execute", die)
    for what, of in steps:
        if what == "die":
            left[0] = of
        elif what == "batch":
            told = alerts.told(*of)
            _through(lambda told=told: fold(alerts.engine, alerts.config, told, alerts.now))
        else:
            alerts.now += of * 1_000_000
            _through(lambda: speak(alerts.engine, alerts.config, alerts.now))
    left[0] = 0
    for _ in range(3):
        alerts.after(20_000)


def _through(work: Any) -> None:
    try:
        work()
    except _Killed:
        work()


def expected(steps: list[Step], verdicts: tuple[str, ...]) -> Counter[str]:
    """By a model of few lines: what a receiver of these verdicts is to be told."""
    seen: set[str] = set()
    followed: set[str] = set()
    standing: dict[tuple[str, str], str] = {}
    refusals: set[tuple[str, str]] = set()
    counts: Counter[str] = Counter()
    for what, batch in steps:
        for each in batch if what == "batch" else ():
            data = each["data"]
            id = data.get("case") or data["decision"]
            if each["type"] == "gate61.review.refused.v1":
                refusals.add((id, each["subject"]))
                continue
            if id in seen:
                continue
            seen.add(id)
            verdict = "case" if "case" in data else "allow" if data["may_send"] else data["verdict"]
            old = data.get("supersedes")
            if old in followed:
                counts["corrected"] += 1
                standing.pop((old, data["client"]), None)
            if verdict in verdicts:
                counts["new"] += 1
                standing[id, data["client"]] = verdict
            if verdict in verdicts or old in followed:
                followed.add(id)
    return counts + Counter(v for id, v in standing.items() if v != "flag" or id not in refusals)


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from([1, 3, 1_000]))
def test_counts_add_up_to_what_came_in(steps: list[Step], flood: int) -> None:
    """Of three receivers with other filters, with and without floods, killed at any statement of the store."""
    wanted = {"all": ("flag", "block", "case"), "flags": ("flag",), "blocks": ("block",)}
    channels = [channel(name, verdicts=frozenset(v)) for name, v in wanted.items()]
    with tempfile.TemporaryDirectory() as folder:
        alerts = Telling(Path(folder), config(*channels, flood=flood))
        play(alerts, steps)
        for name, verdicts in wanted.items():
            messages = alerts.messages(name)
            found: Counter[str] = Counter()
            for message in messages:
                data = message["data"]
                found["new"] += data["counts"]["new"]
                found["corrected"] += data["counts"]["corrected"]
                _adds_up(data)
            for column, verdict in (("held", "flag"), ("blocked", "block"), ("cases", "case")):
                found[verdict] = _standing(alerts, name, column)
            assert +found == +expected(steps, verdicts), name
            assert len({m["id"] for m in messages}) == len(messages)
        _nothing_is_left(alerts)
        alerts.engine.dispose()


def _standing(alerts: Telling, name: str, column: str) -> int:
    """How much of all groups stands."""
    with alerts.engine.connect() as connection:
        rows = connection.execute(select(t.group.c[column]).where(t.group.c.channel == name))
        return sum(rows.scalars())


def _adds_up(data: Event) -> None:
    """Each message in itself: lists with what is left out, and a flood's table."""
    counts = data["counts"]
    if "offers" in data:
        assert len(data["offers"]) + data["offers_left_out"] == counts["new"]
        assert len(data["corrections"]) + data["corrections_left_out"] == counts["corrected"]
        assert counts["taken"] == counts["held"] + counts["blocked"] + counts["cases"] + counts["gone"]
        assert min(counts.values()) >= 0
    else:
        assert sum(r["new"] for r in data["came_in"]) == counts["new"]
        assert sum(r["count"] for r in data["came_in"]) == counts["taken"]
        assert sum(r["new"] for r in data["corrections"]) == counts["corrected"]


def _nothing_is_left(alerts: Telling) -> None:
    """Everything was told, and what a group counts as standing is what stands."""
    with alerts.engine.connect() as connection:
        for table in (t.member, t.correction):
            assert not connection.execute(select(table).where(table.c.told.is_(False))).all()
        members = connection.execute(select(t.member).where(t.member.c.came != "")).mappings().all()
        for group in connection.execute(select(t.group)).mappings():
            mine = Counter(m["state"] for m in members if m["group"] == group["id"])
            assert (group["held"], group["blocked"], group["cases"]) == (mine["held"], mine["blocked"], mine["case"])
            assert group["taken"] == sum(mine.values()) and group["new"] == group["changed"] == 0


def test_a_table_of_a_flood_adds_up_also_beyond_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no line of its own is in one for all others."""
    monkeypatch.setattr("streams.alerts.messages.ROWS", 2)
    alerts = Telling(tmp_path, config(flood=1))
    alerts.happens(*(decided(f"d-{n}", f"c-{n}", LEADING[n % 3], service=f"s-{n % 7}") for n in range(90)))
    (flood,) = alerts.after(5)
    assert len(flood["data"]["came_in"]) == 3
    _adds_up(flood["data"])


def test_a_receiver_that_is_taken_out_and_put_back_misses_nothing_that_was_made(tmp_path: Path) -> None:
    """What waits for a channel that is not configured is kept."""
    alerts = Telling(tmp_path, config(channel("a"), channel("b")))
    alerts.happens(decided("d-1"))
    both = alerts.config
    alerts.config = config(channel("a"))
    alerts.after(5)
    alerts.happens(decided("d-2"))
    alerts.config = both
    alerts.after(5)
    assert [m["data"]["counts"]["taken"] for m in alerts.messages("b")] == [1]
