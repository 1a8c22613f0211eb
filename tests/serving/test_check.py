"""The synchronous question: the answer of the same gate, without a trace, and never an allow without state."""

import json
import re
import sqlite3
from collections import Counter
from hashlib import sha256
from itertools import compress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from gate import arrival
from gate.arrival import HISTORY_NEEDED
from gate.packing import replaced
from gate.policy import HOUR
from streams.ask import check
from streams.ask.budget import Budget
from tests.model.histories import history as another
from tests.player import POLICY
from tests.promises.histories import History, history
from tests.serving.service import Clock, Event, post, serving
from tests.serving.test_events import NOW, OFFER, TOLD
from tests.stories.telling import HERE, Words, arrived, asks, clean_client, in_order, located, product, proven

SHAPE = {"decision", "synchronous", "read_up_to", "recorded_at", "supersedes", "because"}
"""What an answer to a question does not share with a decision."""


SPOILING = tuple(
    f"gate61.{n}" for n in ("campaign", "firm", "referral", "country", "offer.delivered", "client.merged", "relation")
)
"""What leaves little to be listed."""


def bytes_of(path: Path) -> str:
    """Everything that a store holds."""
    with sqlite3.connect(path) as db:
        return sha256("\n".join(db.iterdump()).encode()).hexdigest()


def asked(client: httpx.Client, event: Event, **more: Any) -> Event:
    """What is said to the question about an offer's event."""
    body = {"client": event["subject"], "time": event["time"], **event["data"], **more}
    response = client.post("/v1/check", json=body)
    assert response.status_code == 200, response.text
    told: Event = response.json()
    return told


def told(answer: Event) -> Event:
    """What must agree."""
    return {k: v for k, v in answer.items() if k not in SHAPE}


def questions(made: History, seed: int) -> list[Event]:
    """Offers like those of the history, some of them the same again: also about clients never seen."""
    random = Random(seed)
    own = [dict(e) for e in made.offers]
    before = len(made.events)
    for _ in range(10):
        made.offer(random.choice([*made.clients, "nobody"]), made.time())
    fresh = [e for _, e in made.events[before:]]
    return random.sample(own, min(4, len(own))) + fresh


@pytest.mark.parametrize("seed", range(40))
def test_the_question_is_answered_like_the_event(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same verdict, sendability, limit, reasons, scope: at any point of any history, and the store is as before."""
    events, made, random = history(seed), History(seed, 40), Random(seed)
    path, verdicts, whole = tmp_path / "gate.db", Counter[str](), 0
    step = arrival.step

    def counted(*given: Any) -> Any:
        nonlocal whole
        found = step(*given)
        whole += isinstance(found, str) and found == HISTORY_NEEDED
        return found

    monkeypatch.setattr(check, "step", counted)
    with serving(path, trust=True) as client:
        at = 0
        for number, question in enumerate(questions(made, seed)):
            upto = min(len(events), at + random.randrange(1, 12))
            post(client, *events[at:upto])
            at = upto
            before = bytes_of(path)
            answer = asked(client, question, channel=f"x{number}")
            assert bytes_of(path) == before
            assert (answer["decision"], answer["synchronous"], answer["supersedes"]) == (None, True, None)
            same = {**question, **answer["event"], "recordedtime": events[at - 1]["recordedtime"]}
            same["data"] = {**question["data"], "channel": f"x{number}"}
            if question["time"] > same["recordedtime"]:
                same["recordedtime"] = question["time"]
            (result,) = post(client, same)
            decided = next(
                o["event"]["data"] for o in result["out"] if o["event"]["data"].get("event") == answer["event"]
            )
            assert told(answer) == told(decided), f"question {number}"
            verdicts[answer["verdict"]] += 1
    assert verdicts["block"]
    if seed % 3 == 2:
        assert whole, "facts in any order are to need the history sometimes"


def test_planning_ahead_is_allowed(tmp_path: Path) -> None:
    """An offer of tomorrow is judged as of tomorrow."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *TOLD)
        tomorrow = asked(client, OFFER, time="2026-03-03T09:00:00Z")
        assert (tomorrow["verdict"], tomorrow["leading"]) == ("flag", "WINDOW_SOFT_LIMIT")
        in_time = asked(client, OFFER, time="2026-03-03T08:59:59Z")
        assert in_time["may_send"] is True and in_time["send_by"] == "2026-03-03T09:00:00Z"
        data = {k: v for k, v in OFFER["data"].items() if k != "offer"}
        now = client.post("/v1/check", json={"client": "anna", **data}).json()
        assert now["at"] == NOW and now["may_send"] is True
        assert now["read_up_to"] == {"partition": None, "next_offset": 2, "recorded_at": NOW, "age_seconds": 0.0}


def test_somebody_never_seen_is_blocked(tmp_path: Path) -> None:
    """An empty dossier holds no initiative."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        answer = asked(client, {**OFFER, "subject": "nobody"})
        assert (answer["verdict"], answer["may_send"], answer["leading"]) == ("block", False, "INITIATION_UNKNOWN")
        listed = client.get("/v1/clients/nobody/may-send").json()
        assert listed["may_send"] == [] and listed["why"][0]["leading"] == "INITIATION_UNKNOWN"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({**OFFER["data"]}, "BAD_FIELD"),
        ({"client": 7, **OFFER["data"]}, "BAD_FIELD"),
        ({"client": "a b", **OFFER["data"]}, "BAD_FIELD"),
        ({"client": "anna", **OFFER["data"], "service": "gambling"}, "BAD_FIELD"),
        ({"client": "anna", **OFFER["data"], "time": "tomorrow"}, "BAD_TIME"),
        ({"client": "anna", **OFFER["data"], "time": 7}, "BAD_TIME"),
        ([], "BAD_FIELD"),
        ('{"client": "anna", "client": "bert"}', "DUPLICATE_KEY"),
        ('{"client": "\\ud800", "service": "custody"}', "BAD_FIELD"),
        ('{"a":' * 50_000, "NOT_JSON"),
    ],
)
def test_a_question_that_cannot_be_read_allows_nothing(tmp_path: Path, body: Any, reason: str) -> None:
    """A problem with the border's reason, and `may_send` false for who reads nothing else."""
    with serving(tmp_path / "gate.db") as client:
        text = body if isinstance(body, str) else json.dumps(body)
        refused = client.post("/v1/check", content=text)
        problem = refused.json()
        assert (refused.status_code, problem["reason"], problem["may_send"]) == (422, reason, False)
        assert client.post("/v1/check", content=b" " * 300_000).status_code == 413


def test_an_offer_that_is_null_is_as_one_that_is_left_out(tmp_path: Path) -> None:
    """So is any other field; what is asked for one and for many is read alike."""
    asked = {**OFFER["data"], "transaction": None, "time": None}
    del asked["offer"]
    for offer_id, told in ((None, "check-"), ("of-7", "of-7")):
        with serving(tmp_path / f"{offer_id}.db", Clock(NOW)) as client:
            answer = client.post("/v1/check", json={"client": "anna", **asked, "offer": offer_id})
            assert answer.status_code == 200 and answer.json()["offer"].startswith(told)
            body = {"send": {**asked, "offer": offer_id}, "recipients": ["anna", {"recipient": "bert", "offer": None}]}
            many = client.post("/v1/suppress", json=body)
            assert many.status_code == 200 and many.json()["counts"]["unreadable"] == 0
            refused = client.post("/v1/check", json={"client": "anna", **asked, "offer": ""})
            assert refused.status_code == 422 and "offer" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("check", {"client": "anna", "channel": "email", "content": "offer"}, "`service` is missing"),
        ("check", {"client": "anna", "data": OFFER["data"]}, "put its fields beside `client`"),
        ("suppress", {"send": {**OFFER["data"], "service": "foo"}, "recipients": ["anna"]}, "`send.service` is 'foo'"),
        ("suppress", {"send": OFFER["data"], "recipients": "anna"}, "`recipients` is no list"),
        ("suppress", {"send": OFFER["data"]}, "`recipients` is missing"),
        (
            "check",
            {"client": "anna", **OFFER["data"], "promots": []},
            "`promots` is no field here; there are asset, by,",
        ),
        ("check", {"client": "anna", **OFFER["data"], "ünd": 1}, "`\\xfcnd` is no field here"),
        (
            "check",
            {"client": "anna", **OFFER["data"], "promotes": [{"service": "custody", "aset": "btc"}]},
            "`promotes.aset` is no field here; there are asset, product, service",
        ),
        (
            "suppress",
            {"send": {**OFFER["data"], "promotes": [{"produkt": "x"}]}, "recipients": ["anna"]},
            "`send.promotes.produkt` is no field here",
        ),
    ],
)
def test_what_is_wrong_is_called_as_it_is_asked(tmp_path: Path, path: str, body: dict[str, Any], told: str) -> None:
    """Nobody who asks knows of the event that is made of it."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        refused = client.post(f"/v1/{path}", json=body)
        assert refused.status_code == 422
        assert told in refused.json()["detail"] and "data." not in refused.json()["detail"]


def test_every_field_of_an_offer_may_be_asked_about(tmp_path: Path) -> None:
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        more = {"by": "firm", "in_reply_to": "m-1", "link": True, "contact_capture": False, "product": "staking"}
        body = {"client": "anna", "time": NOW, **OFFER["data"], **more, "promotes": [{"asset": "btc"}]}
        assert client.post("/v1/check", json=body).status_code == 200


def test_the_question_in_the_readme_is_answered(tmp_path: Path) -> None:
    """After the events beside it: a yes, whenever it is asked; now it would come too late."""
    readme = Path("README.md").read_text()
    ((many, file, media),) = re.findall(
        r"<!-- posted by .*?head -n (\d+) (\S+) \|.*?-H 'content-type: (.*?)' --data-binary @-", readme, re.DOTALL
    )
    (body,) = re.findall(r"<!-- asked by .*?-d '(.*?)'", readme, re.DOTALL)
    events = b"".join(Path(file).read_bytes().splitlines(keepends=True)[: int(many)])
    with serving(tmp_path / "gate.db", Clock("2026-11-30T00:00:00Z")) as client:
        posted = client.post("/v1/events", content=events, headers={"content-type": media})
        assert posted.status_code == 200
        assert [result["status"] for result in posted.json()["results"]] == ["taken"] * int(many)
        answer = client.post("/v1/check", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
        assert answer.status_code == 200 and answer.json()["may_send"] is True
        now = {name: value for name, value in json.loads(body).items() if name != "time"}
        assert client.post("/v1/check", json=now).json()["leading"] == "WINDOW_EXPIRED"


def test_a_path_that_names_no_client_is_told_what_one_is(tmp_path: Path) -> None:
    """As the rule is, capitals among it."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        refused = client.get("/v1/clients/an%20na/may-send")
        assert refused.status_code == 422
        assert refused.json()["detail"] == "`client`: string should match pattern '^[A-Za-z0-9._:@/-]{1,128}$'"


def test_a_question_that_takes_too_long_is_not_answered(tmp_path: Path) -> None:
    """The budget is kept: 503, nothing may be sent."""
    with serving(tmp_path / "gate.db", budget=Budget(1e-9)) as client:
        refused = client.post("/v1/check", json={"client": "anna", **OFFER["data"]})
        assert refused.status_code == 503 and refused.json()["may_send"] is False
        assert client.get("/v1/clients/anna/may-send").json()["may_send"] is False
        assert "gate61_unanswered_total 2.0" in client.get("/metrics").text


def test_a_clock_that_was_set_back_answers_nothing(tmp_path: Path) -> None:
    """Limits that have passed would not seem to have. What the policy tolerates of clocks, and events that say themselves
    when they were recorded, say nothing about this one."""
    clock, question = Clock(NOW), {"client": "anna", **OFFER["data"]}
    with serving(tmp_path / "gate.db", clock) as client:
        post(client, *TOLD)
        clock.set("2026-03-02T11:59:00Z")
        assert client.post("/v1/check", json=question).json()["may_send"] is True
        clock.set("2026-03-02T11:58:59Z")
        refused = client.post("/v1/check", json=question)
        assert refused.status_code == 503 and refused.json()["may_send"] is False
        assert "61 s behind what was recorded" in refused.json()["detail"]
        assert client.get("/v1/clients/anna/may-send").status_code == client.get("/readyz").status_code == 503
        listed = client.post("/v1/suppress", json={"send": OFFER["data"], "recipients": ["anna"]}).json()
        assert (listed["may_send"], listed["unanswered"]) == ([], ["anna"])
        clock.set(NOW)
        assert client.post("/v1/check", json=question).json()["may_send"] is True
    with serving(tmp_path / "trusting.db", Clock("2026-03-02T10:00:00Z"), trust=True) as client:
        post(client, *(event | {"recordedtime": NOW} for event in TOLD))
        assert client.post("/v1/check", json=question).json()["may_send"] is True


def test_the_list_holds_what_was_asked_for_and_its_like(tmp_path: Path) -> None:
    """Bitcoin was asked for: so litecoin, of one type group, but not ether; until the soft limit."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *TOLD)
        listed = client.get("/v1/clients/anna/may-send").json()
    shown = [
        (e["kind"], e["service"], e["asset"], e["product"], e["transaction"], e["send_by"]) for e in listed["may_send"]
    ]
    until = "2026-03-03T09:00:00Z"
    assert shown == [
        ("requested", "exchange_funds", "btc", None, "t1", until),
        ("same_type", "exchange_funds", "ltc", None, "t1", until),
    ]
    assert listed["may_send"][0]["because"]["leading"] == "WITHIN_WINDOW"
    assert (listed["why"], listed["more"]) == ([], False)
    assert [(e["content"], e["may_send"]) for e in listed["always"]] == [
        ("service_notice", True),
        ("exit_help", True),
        ("education", True),
    ]


def test_mapped_products_are_listed(tmp_path: Path) -> None:
    """Staking was asked for, and somebody mapped another product to it."""
    words: list[Words] = [clean_client(product="staking"), product("earn", "staking"), product("margin")]
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *in_order(words))
        listed = client.get("/v1/clients/anna/may-send").json()["may_send"]
    assert [(e["asset"], e["product"]) for e in listed] == [("btc", "staking"), ("ltc", "staking"), ("btc", "earn")]


def test_an_empty_list_says_why(tmp_path: Path) -> None:
    """The window is shut; or somebody of the firm's chain sent her."""
    clock = Clock("2026-03-20T00:00:00Z")
    with serving(tmp_path / "late.db", clock) as client:
        post(client, *TOLD)
        listed = client.get("/v1/clients/anna/may-send").json()
        assert listed["may_send"] == [] and [w["leading"] for w in listed["why"]] == ["WINDOW_EXPIRED"]
    with serving(tmp_path / "sent.db", Clock(NOW)) as client:
        post(client, *in_order([clean_client(), arrived(via="affiliate")]))
        listed = client.get("/v1/clients/anna/may-send").json()
        assert listed["may_send"] == [] and [w["leading"] for w in listed["why"]] == ["PERSON_CHAIN_SOLICITATION"]


def test_what_another_policy_cut_is_listed_all_the_same(tmp_path: Path) -> None:
    """Of sixty orders those that a longer window opens again, though no dossier keeps as many."""
    orders = in_order(
        [
            HERE,
            [[asks(at=f"{n} min", id=f"r{n}", transaction=f"t{n}"), *proven(f"r{n}", f"{n} min")] for n in range(60)],
        ]
    )
    hour = replaced(POLICY, version="hour", digest="sha256:hour", soft_limit=HOUR // 2, hard_limit=HOUR // 2)
    clock = Clock("2026-03-02T12:00:00Z")
    with serving(tmp_path / "gate.db", clock, policy=hour) as client:
        post(client, *orders)
        listed = client.get("/v1/clients/anna/may-send").json()["may_send"]
        assert {e["transaction"] for e in listed} <= {f"t{n}" for n in range(36, 60)}
    with serving(tmp_path / "gate.db", clock) as client:
        listed = client.get("/v1/clients/anna/may-send").json()["may_send"]
        assert {e["transaction"] for e in listed} == {f"t{n}" for n in range(60)}


def test_a_client_out_of_territory_may_be_offered_anything(tmp_path: Path) -> None:
    """The gate does not apply."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *in_order([located("US")]))
        listed = client.get("/v1/clients/anna/may-send").json()["may_send"]
    assert len(listed) == 10 and {(e["kind"], e["send_by"]) for e in listed} == {("anything", None)}


THINGS = ("service", "asset", "product", "transaction")


def _agreed(client: httpx.Client, who: str, requests: list[Event]) -> Counter[str]:
    """What is listed for a client is allowed when asked, and what he asked for and is allowed is listed: of each how much."""
    agreed: Counter[str] = Counter()
    listed = client.get(f"/v1/clients/{who}/may-send").json()["may_send"]
    found = {tuple(entry[name] for name in THINGS): entry for entry in listed}
    own = [tuple(request["data"].get(name) for name in THINGS) for request in requests if request["subject"] == who]
    for thing in {**found, **dict.fromkeys(own)}:
        data = {name: value for name, value in zip(THINGS, thing, strict=True) if value}
        answer = client.post("/v1/check", json={"client": who, **data, "channel": "x", "content": "offer"}).json()
        if thing in found:
            assert answer["may_send"] and answer["send_by"] == found[thing]["send_by"], (who, thing)
            agreed[found[thing]["kind"]] += 1
        if thing in own and answer["may_send"] and "anything" not in {entry["kind"] for entry in listed}:
            assert thing in found, (who, thing)
            agreed["own"] += 1
    return agreed


def test_the_list_is_what_the_question_allows(tmp_path: Path) -> None:
    """At any point of any history: all that is listed is allowed when asked; all of the client's own that is allowed
    is listed."""
    agreed: Counter[str] = Counter()
    for seed in range(60):
        random, clock = Random(seed), Clock("2026-03-01T00:00:00Z")
        made = another(seed) if seed % 4 else history(seed, 60)
        events = [e for e in made if seed % 3 == 0 or not e["type"].startswith(SPOILING)]
        del events[random.randrange(len(events) // 2, len(events)) :]
        with serving(tmp_path / f"{seed}.db", clock, trust=True) as client:
            taken = [result["status"] == "taken" for result in post(client, *events)]
            requests = [e for e in compress(events, taken) if e["type"] == "gate61.client.requested.v1"]
            for request in random.sample(requests, min(6, len(requests))):
                clock.set(request["time"])
                clock.now += random.choice([0, 600, 7_200, 90_000]) * 1_000_000
                agreed += _agreed(client, request["subject"], requests)
    assert min(agreed[kind] for kind in ("own", "requested", "same_type", "anything")) > 20, agreed
