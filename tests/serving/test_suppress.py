"""A whole list before a send: each recipient is answered like a question of his own, and whoever is not is left out."""

import json
import re
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from streams.ask.budget import Budget
from streams.ask.reader import ReadUpTo
from streams.ask.suppress import BODY_LIMIT, RECIPIENTS, Judgement, Sorted, send_of
from streams.keys import Keys
from streams.serve.intake import Intake
from tests.promises.histories import history
from tests.serving import mailing
from tests.serving.service import Clock, post, serving
from tests.serving.test_check import asked, bytes_of
from tests.serving.test_events import NOW, OFFER, TOLD

README = Path(__file__).parents[2] / "README.md"
SECONDS = 10.0
"""What a list of 4,000 may take at most; it takes a quarter of a second."""


def suppress(client: httpx.Client, recipients: list[Any], **send: Any) -> dict[str, Any]:
    """The answer to a list, in which everybody stands once."""
    response = client.post("/v1/suppress", json={"send": send, "recipients": recipients})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    whole_and_apart(found, recipients)
    return found


def whole_and_apart(found: dict[str, Any], recipients: list[Any]) -> None:
    """Everybody is either among those who may be sent it or among the suppressed."""
    named = {r["recipient"] if isinstance(r, dict) else r for r in recipients}
    suppressed = [entry["recipient"] for entry in found["suppress"]]
    assert sorted(found["may_send"] + suppressed) == sorted(named)
    assert found["counts"]["may_send"] == len(found["may_send"])
    assert set(found["unanswered"]) <= set(suppressed)


def fill(client: httpx.Client, events: list[dict[str, Any]]) -> None:
    """Take events in, so many a request."""
    for at in range(0, len(events), 1_000):
        post(client, *events[at : at + 1_000])


def told_of_the_mail(found: dict[str, Any]) -> None:
    """4,000 recipients, 37 of them held back with the reason of each, the others with their limits."""
    assert found["counts"] == {
        "recipients": 4_000,
        "may_send": 3_963,
        "flag": mailing.HELD["WINDOW_SOFT_LIMIT"],
        "block": 37 - mailing.HELD["WINDOW_SOFT_LIMIT"],
        "unanswered": 0,
        "unreadable": 0,
    }
    assert {entry["recipient"]: entry["leading"] for entry in found["suppress"]} == mailing.held()
    assert all(entry["said"] and entry["law"] for entry in found["suppress"])
    assert found["send_by"] == "2026-03-03T09:00:00Z"
    assert found["send_by_recipient"].keys() == {f"de-{n}" for n in range(mailing.ASKED)}


def test_a_mail_to_4000_of_whom_37_are_held_back(tmp_path: Path) -> None:
    """The README's example, played; and what it shows is what is answered."""
    with serving(tmp_path / "gate.db", Clock(mailing.NOW)) as client:
        fill(client, mailing.events())
        before, began = bytes_of(tmp_path / "gate.db"), perf_counter()
        found = suppress(client, mailing.recipients(), **mailing.SEND)
        seconds = perf_counter() - began
        assert bytes_of(tmp_path / "gate.db") == before
        told_of_the_mail(found)
        assert seconds < SECONDS
        print(f"4,000 recipients, embedded gate: {seconds:.2f} s")
        assert 'gate61_checks_total{leading="WINDOW_EXPIRED",verdict="block"} 6.0' in client.get("/metrics").text
    request, answer = shown()
    assert request["send"] == mailing.SEND
    assert all(one in mailing.recipients() for one in request["recipients"] if one != "…")
    assert found["read_to"] == found["read_up_to"] != []
    assert answer.keys() == found.keys() and answer["counts"] == found["counts"]
    assert [e for e in answer["suppress"] if e == "…" or e not in found["suppress"]] == ["…"]
    assert (answer["send_by"], answer["at"]) == (found["send_by"], found["at"])


def shown() -> list[dict[str, Any]]:
    """Request and answer as the README shows them; `…` stands for more of the same."""
    marked = r"<!-- played by tests/serving/test_suppress.py -->\n```json\n(.*?)```"
    texts = re.findall(marked, README.read_text(), re.DOTALL)
    return [json.loads(re.sub(r"…", '"…"', re.sub(r"(, )?…}", "}", text))) for text in texts]


@pytest.mark.parametrize("seed", range(15))
def test_each_recipient_is_answered_like_a_question(tmp_path: Path, seed: int) -> None:
    """At any point of any history, also of clients whose history is needed."""
    events, random = history(seed), Random(seed)
    clock = Clock("2026-03-01T00:00:00Z")
    with serving(tmp_path / "gate.db", clock, trust=True) as client:
        for at in range(0, len(events), 25):
            post(client, *events[at : at + 25])
            data = {"service": "exchange_funds", "asset": random.choice(["btc", "ltc"]), "channel": "email"}
            data |= {"content": "offer", "transaction": random.choice(["t1", "t2"])}
            time = random.choice(events)["time"]
            found = suppress(client, ["c1", "c2", "c3", "nobody"], **data, time=time)
            verdicts: Counter[str] = Counter()
            for who in ("c1", "c2", "c3", "nobody"):
                answer = asked(client, {"subject": who, "time": time, "data": data})
                assert (who in found["may_send"]) == answer["may_send"]
                assert found["send_by_recipient"].get(who) == (answer["send_by"] if answer["may_send"] else None)
                if not answer["may_send"]:
                    verdicts[answer["verdict"]] += 1
                    (entry,) = (e for e in found["suppress"] if e["recipient"] == who)
                    reason = answer["reasons"][0]
                    same = (answer["verdict"], answer["leading"], reason["said"], reason["law"])
                    assert (entry["verdict"], entry["leading"], entry["said"], entry["law"]) == same
            assert (found["counts"]["flag"], found["counts"]["block"]) == (verdicts["flag"], verdicts["block"])


def test_what_differs_between_recipients(tmp_path: Path) -> None:
    """The transaction is each client's own; a repetition is one recipient; the time may lie ahead."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *TOLD)
        data = {k: v for k, v in OFFER["data"].items() if k not in ("offer", "transaction")}
        anna = {"recipient": "anna", "transaction": "t1"}
        found = suppress(client, [anna, anna], **data)
        assert found["may_send"] == ["anna"] and found["counts"]["recipients"] == 1
        assert found["send_by_recipient"] == {"anna": "2026-03-03T09:00:00Z"}
        (entry,) = suppress(client, ["anna"], **data)["suppress"]
        assert entry["leading"] == "OUTSIDE_ORIGINAL_TRANSACTION"
        (entry,) = suppress(client, [anna], **data, time="2026-03-03T09:00:00Z")["suppress"]
        assert (entry["verdict"], entry["leading"]) == ("flag", "WINDOW_SOFT_LIMIT")
        empty = suppress(client, [], **data)
        assert (empty["may_send"], empty["send_by"], empty["policy"], empty["read_up_to"]) == ([], None, None, [])
        (entry,) = suppress(client, [anna, {**anna, "transaction": "t2"}], **data)["suppress"]
        assert entry["leading"] == "BAD_FIELD" and "twice" in entry["said"]


@pytest.mark.parametrize(
    "recipient",
    [
        *("a b", "", "x" * 129, "\ud800", "<script>", 7, None, [], [["anna"]], {}),
        *({"recipient": 3}, {"recipient": "anna", "\ud800": "x"}, {"recipient": "anna", "transaction": "a b"}),
    ],
)
def test_a_recipient_who_cannot_be_read_is_suppressed_alone(tmp_path: Path, recipient: Any) -> None:
    """The others are answered; he is echoed as he came, with his place in the list."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *TOLD)
        body = json.dumps({"send": OFFER["data"], "recipients": ["anna", recipient]})
        found = client.post("/v1/suppress", content=body).json()
    assert found["may_send"] == ["anna"]
    (entry,) = found["suppress"]
    named = recipient.get("recipient") if isinstance(recipient, dict) else recipient
    assert entry["recipient"] == (named if isinstance(named, str) else None)
    assert (entry["place"], entry["verdict"], entry["leading"]) == (1, None, "BAD_FIELD")
    assert found["counts"]["unreadable"] == 1 and found["unanswered"] == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "NOT_JSON"),
        ([], "BAD_FIELD"),
        ({"recipients": ["anna"]}, "BAD_FIELD"),
        ({"send": OFFER["data"]}, "BAD_FIELD"),
        ({"send": OFFER["data"], "recipients": "anna"}, "BAD_FIELD"),
        ({"send": OFFER["data"], "recipients": ["anna"], "limit": 3}, "BAD_FIELD"),
        ({"send": {**OFFER["data"], "promots": []}, "recipients": ["anna"]}, "BAD_FIELD"),
        ({"send": {**OFFER["data"], "client": "anna"}, "recipients": ["anna"]}, "BAD_FIELD"),
        ({"send": {**OFFER["data"], "service": "gambling"}, "recipients": ["anna"]}, "BAD_FIELD"),
        ({"send": {**OFFER["data"], "time": "tomorrow"}, "recipients": ["anna"]}, "BAD_TIME"),
        ({"send": OFFER["data"], "recipients": ["anna"] * (RECIPIENTS + 1)}, "TOO_LARGE"),
        ({"send": {"\ud800": 1}, "recipients": []}, "BAD_FIELD"),
        ('{"send": {}, "send": {}, "recipients": []}', "DUPLICATE_KEY"),
        ('{"send": ' + '{"a":' * 50_000, "NOT_JSON"),
    ],
)
def test_a_list_that_cannot_be_read_lets_nobody_be_sent_anything(tmp_path: Path, body: Any, reason: str) -> None:
    """A problem with the reason; a field that is misspelt would make every answer too soft."""
    with serving(tmp_path / "gate.db") as client:
        text = body if isinstance(body, str) else json.dumps(body)
        refused = client.post("/v1/suppress", content=text)
        assert (refused.status_code, refused.json()["reason"], refused.json()["may_send"]) == (422, reason, [])
        assert client.post("/v1/suppress", content=b" " * (BODY_LIMIT + 1)).status_code == 413


def test_whoever_is_not_answered_in_time_is_suppressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store hangs after some recipients: those who were answered stay so, all others are unanswered."""
    clock, hang = Clock(mailing.NOW), threading.Event()
    with serving(tmp_path / "gate.db", clock, budget=Budget(many=1.0)) as client:
        fill(client, mailing.events()[:500])
        run, calls = Intake.run, 0

        def slowly(self: Intake, work: Any) -> Any:
            nonlocal calls
            calls += 1
            return run(self, work if calls < 3 else lambda: (hang.wait(20), work())[1])

        monkeypatch.setattr(Intake, "run", slowly)
        names = [f"cl-{n}" for n in range(450)]
        began = perf_counter()
        found = suppress(client, names, **mailing.SEND)
        took = perf_counter() - began
        hang.set()
        monkeypatch.undo()
        assert took < 5
        assert 0 < len(found["may_send"]) <= 200
        assert found["unanswered"] == names[len(found["may_send"]) :]
        left = found["suppress"][0]
        assert (left["verdict"], left["leading"]) == (None, "UNANSWERED") and "within 1 s" in left["said"]
        assert f"gate61_unanswered_total {len(found['unanswered'])}.0" in client.get("/metrics").text


def test_a_send_of_thousands_of_things_keeps_its_time(tmp_path: Path) -> None:
    """However long one recipient takes; meanwhile events are taken."""
    send = {**mailing.SEND, "promotes": [{"asset": f"a{n:x}"} for n in range(3_000)]}
    with serving(tmp_path / "gate.db", Clock(mailing.NOW), budget=Budget(many=0.5)) as client:
        fill(client, mailing.events()[:300])
        began = perf_counter()
        found = suppress(client, mailing.recipients()[:2_000], **send)
        assert perf_counter() - began < SECONDS
    assert found["unanswered"] and set(found["unanswered"]).isdisjoint(found["may_send"])


def test_a_store_that_fails_suppresses_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No status of an error, which some tools take for leave to send: an answer in which nobody may be sent anything."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *TOLD)

        def fails(*_: Any) -> Any:
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr("state.journal.Journal.dossier", fails)
        found = suppress(client, ["anna", "ben"], **OFFER["data"])
    assert found["may_send"] == [] and found["unanswered"] == ["anna", "ben"]
    assert "the store cannot be read" in found["suppress"][0]["said"]


@pytest.mark.parametrize(
    "bytes_held", [b"", b"\x04\xc1", b"\x04\x90", b"\x1fnewer"], ids=["none", "no row", "short", "newer"]
)
def test_who_cannot_be_judged_is_suppressed_alone(tmp_path: Path, bytes_held: bytes) -> None:
    """What is held of one client is damaged, or a newer program's: all others have their answers, also a question."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *TOLD)
        with closing(sqlite3.connect(tmp_path / "gate.db", isolation_level=None)) as store:
            store.execute("insert into dossier values ('damaged', ?)", (bytes_held,))
        found = suppress(client, ["ben", "damaged", "anna"], **OFFER["data"])
        alone = client.post("/v1/check", json={"client": "damaged", **OFFER["data"]})
    assert found["unanswered"] == ["damaged"]
    (said,) = [e["said"] for e in found["suppress"] if e["leading"] == "UNANSWERED"]
    assert "cannot be understood" in said
    assert (alone.status_code, alone.json()["may_send"]) == (503, False) and said == alone.json()["detail"]


def test_all_are_judged_by_one_policy() -> None:
    """Whoever is reached only after another policy came into force is asked about again."""
    send = send_of(json.dumps({"send": OFFER["data"], "recipients": ["a", "b", "c"]}).encode(), 0)
    may: Any = SimpleNamespace(standing=SimpleNamespace(may_send=True, send_by=None), outcome=None)
    found = Sorted(send)
    for client, digest in (("a", "one"), ("b", "two"), ("c", "one")):
        found.take(client, Judgement(may, ("v", digest), ReadUpTo(None, 1, None)))
    told = found.told(0, "late")
    assert (told["may_send"], told["unanswered"], told["policy"]["digest"]) == (["a", "c"], ["b"], "one")
    assert "another policy" in told["suppress"][0]["said"]


def test_it_asks_for_the_same_key_as_a_question(tmp_path: Path) -> None:
    """A key that may ask; without keys only from this machine."""
    keys = Keys(tmp_path / "keys")
    reads, publishes = keys.add("reads", ("ask",)), keys.add("publishes", ("publish",))
    with serving(tmp_path / "gate.db", keys=keys) as client:
        statuses = []
        for key in (None, publishes, reads):
            headers = {"authorization": f"Bearer {key}"} if key else {}
            body = {"send": OFFER["data"], "recipients": ["anna"]}
            statuses.append(client.post("/v1/suppress", json=body, headers=headers).status_code)
    assert statuses == [401, 403, 200]
