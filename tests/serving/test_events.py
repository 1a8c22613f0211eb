"""Events over HTTP: four kinds of bodies, and what each sender is told of each event."""

import base64
import json
import tracemalloc
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from fastapi import Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gate.packing import replaced
from gate.policy import HOUR
from state import Journal
from streams.border.wire import SIZE_LIMIT
from streams.publish import unreadable_id
from streams.serve.bodies import BODY_LIMIT, EVENT_LIMIT, arrivals
from streams.web.problems import Problem
from tests.player import POLICY
from tests.serving.service import BATCH, LINES, STRUCTURED, Clock, Event, everything, post, serving
from tests.stories.telling import clean_client, in_order, offer

NOW = "2026-03-02T12:00:00Z"
TOLD = in_order([clean_client()])
OFFER = offer(at="2 h")


def binary(event: Event) -> dict[str, str]:
    """The headers of a binary event."""
    named = {f"ce-{k}": str(v) for k, v in event.items() if k != "data"}
    return {**named, "content-type": "application/json"}


@pytest.fixture
def client(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A service at noon of the day Anna asks."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as made:
        yield made


def test_every_kind_of_body_gives_the_same_answer(tmp_path: Path) -> None:
    """Structured, a batch, JSON lines and binary events say the same."""
    found = []
    for kind in ("structured", "batch", "lines", "binary"):
        with serving(tmp_path / f"{kind}.db", Clock(NOW)) as client:
            if kind == "structured":
                for event in [*TOLD, OFFER]:
                    client.post("/v1/events", content=json.dumps(event), headers=STRUCTURED).raise_for_status()
            elif kind == "batch":
                client.post("/v1/events", content=json.dumps([*TOLD, OFFER]), headers=BATCH).raise_for_status()
            elif kind == "lines":
                post(client, *TOLD, OFFER)
            else:
                for event in [*TOLD, OFFER]:
                    body = json.dumps(event["data"])
                    client.post("/v1/events", content=body, headers=binary(event)).raise_for_status()
            found.append(everything(client))
    assert found[0] and all(f == found[0] for f in found)
    assert found[0][-1]["data"]["leading"] == "WITHIN_WINDOW"


def test_the_answer_lists_what_became_of_each_event(client: TestClient) -> None:
    """Taken with what came out, a duplicate with the answer that stands, rejected with the reason."""
    post(client, *TOLD)
    taken, again, wrong = post(client, OFFER, OFFER, "{")
    assert taken["status"] == "taken" and taken["id"] == OFFER["id"] and taken["recorded_at"] == NOW
    assert taken["out"][0]["event"]["data"]["may_send"] is True
    assert again == {"status": "duplicate", "source": "//story", "id": OFFER["id"], "out": taken["out"]}
    assert (wrong["status"], wrong["reason"], wrong["out"]) == ("rejected", "NOT_JSON", [])


def test_a_repeated_offer_gets_the_answer_that_stands(client: TestClient) -> None:
    """Not the allow that a later fact took back."""
    post(client, *TOLD, OFFER)
    contact = {**OFFER, "id": "c-1", "type": "gate61.firm.contacted.v1", "time": "2026-03-02T10:00:00Z"}
    contact["data"] = {"by": "firm", "means": "email", "content": "marketing"}
    post(client, contact)
    (again,) = post(client, OFFER)
    told = again["out"][0]["event"]["data"]
    assert again["status"] == "duplicate" and told["supersedes"] and told["verdict"] == "flag"
    assert len(everything(client)) == len({e["id"] for e in everything(client)})


def test_the_status_says_whether_something_was_rejected(client: TestClient) -> None:
    """200 for all taken, 207 for some, 422 for none: nobody overlooks a reject."""
    statuses = [
        client.post("/v1/events", content=b, headers=LINES).status_code
        for b in (json.dumps(TOLD[0]), f"{json.dumps(TOLD[1])}\n{{", "{", "")
    ]
    assert statuses == [200, 207, 422, 200]


def test_rejects_are_kept_byte_for_byte(client: TestClient) -> None:
    """With the reason; the same bytes again are counted, headers stand beside."""
    large = b'{"x": "' + b"y" * SIZE_LIMIT + b'"}'
    for body in (b"\xff\x00", b"\xff\x00", large):
        client.post("/v1/events", content=body, headers=STRUCTURED)
    client.post("/v1/events", content=b"{} {}", headers={"ce-specversion": "1.0", "ce-id": "e%201"})
    kept = client.get("/v1/rejected").json()["rejected"]
    assert [(k["reason"], k["times"]) for k in kept] == [("NOT_UTF8", 2), ("TOO_LARGE", 1), ("NOT_JSON", 1)]
    assert base64.b64decode(kept[0]["raw_base64"]) == b"\xff\x00"
    assert kept[1]["raw"].encode() == large
    assert kept[2]["raw"] == "{} {}" and kept[2]["headers"] == [["ce-specversion", "1.0"], ["ce-id", "e%201"]]
    after = client.get("/v1/rejected", params={"after": kept[0]["number"], "limit": 1}).json()["rejected"]
    assert after == [kept[1]]


def test_an_offer_that_cannot_be_read_is_blocked_and_its_block_is_given_again(client: TestClient) -> None:
    """A sender who repeats it sees the block, which came out once."""
    bad = {**OFFER, "data": {**OFFER["data"], "service": "gambling"}}
    first, second = (post(client, bad)[0] for _ in range(2))
    assert first["reason"] == "BAD_FIELD" and first["out"] == second["out"]
    told = first["out"][0]["event"]["data"]
    assert (told["verdict"], told["leading"]) == ("block", "UNREADABLE_OFFER") and told["recorded_at"] == NOW
    assert len(everything(client)) == 1


def test_nor_is_it_answered_again_under_another_policy(tmp_path: Path) -> None:
    """The block that it had is given again; as it is where the store is older, and has it by the answer's id."""
    bad, other = ({**OFFER, "data": {**OFFER["data"], "service": name}} for name in ("gambling", "lottery"))
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        first = post(client, bad)[0]
    with serving(tmp_path / "gate.db", Clock(NOW), policy=replaced(POLICY, digest="another")) as client:
        again = post(client, bad)[0]
        assert first["out"] == again["out"] and len(everything(client)) == 1
    line = json.dumps(other).encode()
    decision = unreadable_id(line, (), POLICY)
    before = Journal(tmp_path / "gate.db")
    before.seen(bytes.fromhex(decision[4:20]), bytes(8))
    kept = before.publish(json.dumps({"id": decision}).encode(), f"bytes {decision}")
    before.commit()
    before.close()
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        (told,) = post(client, other)[0]["out"]
        assert (told["number"], told["event"]) == (kept.number, {"id": decision})


def test_the_clock_of_receiving_is_the_recorded_time(tmp_path: Path) -> None:
    """The sender's word is left aside; a clock that was set back is not followed; the future is rejected."""
    clock = Clock(NOW)
    with serving(tmp_path / "gate.db", clock) as client:
        liar = {**OFFER, "recordedtime": "2020-01-01T00:00:00Z"}
        assert post(client, liar)[0]["recorded_at"] == NOW
        clock.set("2026-03-02T11:59:59Z")
        assert post(client, TOLD[0])[0]["recorded_at"] == NOW
        early = {**OFFER, "id": "o-2", "time": "2026-03-02T12:01:00.000001Z", "recordedtime": "2030-01-01T00:00:00Z"}
        result = post(client, early)[0]
        assert result["reason"] == "FROM_THE_FUTURE"
        assert result["out"][0]["event"]["data"]["leading"] == "UNREADABLE_OFFER"
        assert post(client, {**early, "time": "2026-03-02T12:01:00Z"})[0]["status"] == "taken"


def test_what_was_taken_is_a_duplicate_also_where_less_is_tolerated_of_clocks_by_now(tmp_path: Path) -> None:
    """A sender who lost the answer gets the one that stands, whatever policy has come since."""
    ahead, clock = {**OFFER, "time": "2026-03-02T12:30:00Z"}, Clock(NOW)
    with serving(tmp_path / "gate.db", clock, policy=replaced(POLICY, clock_tolerance=HOUR)) as client:
        first = post(client, ahead)[0]
    clock.set("2026-03-02T12:01:00Z")
    with serving(tmp_path / "gate.db", clock) as client:
        again = post(client, ahead)[0]
        assert (first["status"], again["status"]) == ("taken", "duplicate") and first["out"] == again["out"]
        other = post(client, {**ahead, "data": {**ahead["data"], "channel": "sms"}})[0]
        assert other["reason"] == "FROM_THE_FUTURE"


def test_trusted_recorded_times_are_those_of_the_events(tmp_path: Path) -> None:
    """As from files."""
    with serving(tmp_path / "gate.db", Clock(NOW), trust=True) as client:
        told = {**OFFER, "recordedtime": "2026-03-05T00:00:00Z"}
        assert post(client, told)[0]["recorded_at"] == "2026-03-05T00:00:00Z"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({}, 415),
        ({**STRUCTURED, "content-encoding": "gzip"}, 415),
    ],
)
def test_what_is_no_event_is_refused_at_the_door(client: TestClient, headers: dict[str, str], status: int) -> None:
    """As a problem with what to do; nothing is taken or kept."""
    response = client.post("/v1/events", content=b"{}", headers=headers)
    assert response.status_code == status and response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status and response.json()["detail"]
    assert client.get("/v1/rejected").json()["rejected"] == []


def test_every_content_coding_that_is_named_must_be_none(client: TestClient) -> None:
    """Also the second header of that name."""
    for codings, status in ((("identity", "gzip"), 415), (("identity", "Identity"), 200)):
        headers = [*STRUCTURED.items(), *(("content-encoding", coding) for coding in codings)]
        assert client.post("/v1/events", content=json.dumps(TOLD[0]), headers=headers).status_code == status


def test_too_much_at_once_is_refused_whole(client: TestClient) -> None:
    """Too many events, too many bytes: none of them is taken."""
    many = b"\n".join([json.dumps(TOLD[0]).encode()] * (EVENT_LIMIT + 1))
    assert client.post("/v1/events", content=many, headers=LINES).status_code == 413
    assert client.post("/v1/events", content=b"x" * (8 * 2**20 + 1), headers=LINES).status_code == 413
    assert client.get("/v1/rejected").json()["rejected"] == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{}, "subject": "other"', "NOT_JSON"),
        (b"[" * 100_000, "NOT_JSON"),
        (b"\xff", "NOT_UTF8"),
        (b'{"a": 1, "a": 2}', "DUPLICATE_KEY"),
        (b"7", "BAD_FIELD"),
        (b"", "NOT_JSON"),
    ],
)
def test_a_binary_body_is_data_and_nothing_else(client: TestClient, body: bytes, reason: str) -> None:
    """It cannot pass for attributes, whatever stands in it."""
    response = client.post("/v1/events", content=body, headers=binary(OFFER))
    assert response.status_code == 422 and response.json()["results"][0]["reason"] == reason


@pytest.mark.parametrize(
    "kind", ["application/vnd.acme.offer+json", "text/json; charset=utf-8", "APPLICATION/JSON", None]
)
def test_every_type_that_is_json_is_read_as_json(client: TestClient, kind: str | None) -> None:
    """And data without a type."""
    headers = {k: v for k, v in binary(OFFER).items() if k != "content-type"} | ({"content-type": kind} if kind else {})
    (result,) = client.post("/v1/events", content=json.dumps(OFFER["data"]), headers=headers).json()["results"]
    assert result["status"] == "taken"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b'"of1"', "of1"),
        (b'"o\\f\\1"', "of1"),
        (b"of%31", "of1"),
        (b'"of%31"', "of1"),
        (b"%6f%66%31", "of1"),
        (b"of1%2F%2f", "of1//"),
    ],
)
def test_header_values_are_freed_of_quotes_and_then_percent_decoded(
    client: TestClient, said: bytes, meant: str
) -> None:
    """Once, as the HTTP binding says (1.0.2, section 3.1.3.2)."""
    headers = {k: v.encode() for k, v in binary(OFFER).items()} | {"ce-id": said}
    (result,) = client.post("/v1/events", content=json.dumps(OFFER["data"]), headers=headers).json()["results"]
    assert (result["status"], result["id"]) == ("taken", meant)


def test_a_value_is_decoded_only_once(client: TestClient) -> None:
    """What is left of a percent sign after it is no id; a lone quote is none either."""
    for said in (b"of%2531", b'"of1', b'of"1"', b"%22of1%22"):
        headers = {k: v.encode() for k, v in binary(OFFER).items()} | {"ce-id": said}
        (result,) = client.post("/v1/events", content=json.dumps(OFFER["data"]), headers=headers).json()["results"]
        assert result["reason"] == "BAD_FIELD" and "`id`" in result["message"]


@pytest.mark.parametrize("said", [b"%C0%A0", b"%ff", b"%ED%A0%80", b"a%e2%82", b'"%C0%A0"'])
def test_a_value_that_is_no_utf8_is_rejected(client: TestClient, said: bytes) -> None:
    """By the name of its header; the offer is answered where its client and offer are in others."""
    for name, answered in (("ce-id", True), ("ce-traceparent", True), ("ce-subject", False)):
        headers = {k: v.encode() for k, v in binary(OFFER).items()} | {name: said}
        (result,) = client.post("/v1/events", content=json.dumps(OFFER["data"]), headers=headers).json()["results"]
        assert result["reason"] == "NOT_UTF8" and f"`{name}`" in result["message"]
        assert bool(result["out"]) is answered


def test_bytes_that_are_no_utf8_are_rejected_in_headers_as_they_are() -> None:
    """Those that are UTF-8 without being percent-encoded are read so."""
    for said, reason in ((b"\xe9", "NOT_UTF8"), ("é".encode(), None)):
        headers = [(b"ce-specversion", b"1.0"), (b"ce-x", said)]
        (arrival,) = arrivals(Request({"type": "http", "headers": headers}), b"{}")
        assert (arrival.refused.reason if arrival.refused else None) == reason
        assert reason is not None or arrival.attributes["x"] == "é"


def test_an_attribute_given_twice_is_rejected(client: TestClient) -> None:
    """Nobody could tell which counts."""
    headers = [*binary(OFFER).items(), ("ce-id", "another")]
    response = client.post("/v1/events", content=b"{}", headers=headers)
    assert response.json()["results"][0]["reason"] == "REPEATED_HEADER"


def test_an_attribute_given_twice_among_many_is_found_at_once() -> None:
    """As many headers as a request may have."""
    names = [f"ce-{n:x}".encode() for n in range(6_000)]
    headers = [(name, b"") for name in (*names, names[-1])]
    before = perf_counter()
    (arrival,) = arrivals(Request({"type": "http", "headers": headers}), b"{}")
    assert arrival.refused is not None and arrival.refused.reason == "REPEATED_HEADER"
    assert perf_counter() - before < 0.5


def test_each_binary_offer_that_cannot_be_read_is_answered(client: TestClient) -> None:
    """Two with one body are two; the same again is one."""
    body = json.dumps({**OFFER["data"], "service": "gambling"})
    found = [
        client.post("/v1/events", content=body, headers=binary({**OFFER, "id": id})).json()["results"][0]["out"]
        for id in ("o-1", "o-2", "o-1")
    ]
    assert found[0] and found[1] and found[0] != found[1] and found[2] == found[0]
    assert len(everything(client)) == 2


def test_an_unreadable_offer_has_the_decision_that_files_and_kafka_give_it(client: TestClient) -> None:
    """What else stands in the request's headers is no part of it."""
    bad = {**OFFER, "data": {**OFFER["data"], "service": "gambling"}}
    headers, found = binary(bad), []
    on_kafka = [(name.replace("ce-", "ce_"), value.encode()) for name, value in headers.items()]
    for body, sent in ((bad, STRUCTURED), (bad, {**STRUCTURED, "traceparent": "1"}), (bad["data"], headers)):
        result = client.post("/v1/events", content=json.dumps(body), headers=sent).json()["results"][0]
        found.append(result["out"][0]["event"]["data"]["decision"])
    structured = unreadable_id(json.dumps(bad).encode(), (), POLICY)
    assert found == [structured, structured, unreadable_id(json.dumps(bad["data"]).encode(), on_kafka, POLICY)]


def test_an_offer_that_is_too_large_is_answered_in_every_kind_of_body(client: TestClient) -> None:
    """Its client and its offer can be seen."""
    large = {**OFFER, "data": {**OFFER["data"], "x": "y" * SIZE_LIMIT}}
    kinds = [
        (json.dumps(large), STRUCTURED),
        (json.dumps([large, large]), BATCH),
        (json.dumps(large), LINES),
        (json.dumps(large["data"]), binary(large)),
    ]
    for body, headers in kinds:
        for result in client.post("/v1/events", content=body, headers=headers).json()["results"]:
            assert result["reason"] == "TOO_LARGE" and result["id"] == OFFER["id"]
            assert result["out"][0]["event"]["data"]["leading"] == "UNREADABLE_OFFER"
    assert len(everything(client)) == 2, "the same bytes once, and once as those of a binary event"


_NO_JSON = {
    "not a number": "NaN",
    "half a letter": '"\\ud800"',
    "deep": "[" * 2_000 + "]" * 2_000,
    "brackets in words": '"]},{[" , "y": Infinity',
    "a quote in words": '"\\"" , "y": NaN',
}


@pytest.mark.parametrize("bad", _NO_JSON.values(), ids=_NO_JSON)
def test_what_is_wrong_with_one_event_of_a_batch_is_wrong_with_no_other(client: TestClient, bad: str) -> None:
    """As in JSON lines: the others are taken, and an offer that cannot be read is answered."""
    garbled = json.dumps({**OFFER, "id": "bad", "data": {**OFFER["data"], "x": 1}}).replace('"x": 1', f'"x": {bad}')
    body = f" [ {', '.join([*map(json.dumps, TOLD), garbled, json.dumps(OFFER)])} ]\n"
    response = client.post("/v1/events", content=body.encode(), headers=BATCH)
    results = response.json()["results"]
    assert response.status_code == 207 and len(results) == len(TOLD) + 2
    assert [r.get("reason") for r in results[-2:]] == ["BAD_FIELD" if "ud800" in bad else "NOT_JSON", None]
    assert results[-2]["out"][0]["event"]["data"]["leading"] == "UNREADABLE_OFFER"
    assert results[-1]["out"][0]["event"]["data"]["leading"] == "WITHIN_WINDOW"


@pytest.mark.parametrize("kind", [STRUCTURED, BATCH, LINES], ids=["structured", "batch", "lines"])
def test_an_attribute_that_is_no_unicode_is_refused_in_every_kind_of_body(
    client: TestClient, kind: dict[str, str]
) -> None:
    """As where data holds it, and its offer is answered."""
    garbled = json.dumps({**OFFER, "comment": "cut within \ud83d"})
    body = f"[{garbled}]" if kind is BATCH else garbled
    (result,) = client.post("/v1/events", content=body, headers=kind).json()["results"]
    assert result["reason"] == "BAD_FIELD" and "attribute 'comment'" in result["message"]
    assert result["out"][0]["event"]["data"]["leading"] == "UNREADABLE_OFFER"
    assert client.get("/v1/taken").json()["events"] == []
    assert client.get("/v1/rejected").json()["rejected"][0]["raw"] == garbled


def test_events_of_a_batch_are_told_apart_in_no_time() -> None:
    """Or not at all where there is too much between them."""
    lines = {**BATCH}
    headers = [(k.encode(), v.encode()) for k, v in lines.items()]
    request = Request({"type": "http", "headers": headers})
    for body in (b"[" * 8_000_000, b"[" + b"[]," * 2_000_000 + b"NaN]", b"[" + b'"' * 8_000_000 + b"NaN]"):
        before = perf_counter()
        (arrival,) = arrivals(request, body)
        assert arrival.refused is not None and arrival.refused.reason == "NOT_JSON"
        assert perf_counter() - before < 0.5
    for none in (b"[1]]", b"[[1]", b'["1]', b"[1][NaN]", b"[1],[NaN]"):
        (arrival,) = arrivals(request, none)
        assert arrival.refused is not None and arrival.raw == none


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (LINES, b"\n" * BODY_LIMIT),
        (BATCH, b"[" + b"1," * (BODY_LIMIT // 2 - 1) + b"1]"),
        (BATCH, b"[" + b"1," * 200_000 + b"NaN]"),
    ],
    ids=["lines", "batch", "batch that is no JSON"],
)
def test_nothing_is_made_of_each_of_too_many_events(kind: dict[str, str], body: bytes) -> None:
    """A byte can be an event, and to hold it takes a hundred: they are counted first."""
    request = Request({"type": "http", "headers": [(k.encode(), v.encode()) for k, v in kind.items()]})
    tracemalloc.start()
    try:
        with pytest.raises(Problem) as refused:
            arrivals(request, body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.status == 413 and "Nothing was taken" in refused.value.detail
    assert most < len(body) + 2**20


def test_as_many_events_as_are_taken_at_once_are_taken() -> None:
    """Not one less, in either kind of body, also where one of them is no JSON."""
    for kind, body in ((LINES, b"{}\n" * EVENT_LIMIT), (BATCH, b"[" + b"1," * (EVENT_LIMIT - 1) + b"NaN]")):
        request = Request({"type": "http", "headers": [(k.encode(), v.encode()) for k, v in kind.items()]})
        assert len(arrivals(request, body)) == len(arrivals(request, body.replace(b"NaN", b"1"))) == EVENT_LIMIT


def test_a_binary_event_is_as_large_as_its_headers_and_its_body(client: TestClient) -> None:
    """As on Kafka."""
    headers = binary(OFFER)
    beside = sum(len(k) + len(v) for k, v in headers.items())
    body = json.dumps({**OFFER["data"], "x": ""})
    for size, reason in ((SIZE_LIMIT, None), (SIZE_LIMIT + 1, "TOO_LARGE")):
        filled = body.replace('"x": ""', f'"x": "{"y" * (size - beside - len(body))}"')
        assert len(filled) + beside == size
        (result,) = client.post("/v1/events", content=filled, headers=headers).json()["results"]
        assert result.get("reason") == reason


def test_a_batch_that_is_none_is_kept_whole(client: TestClient) -> None:
    """An object, a broken array, an element that is no event."""
    for body, reason in ((b"{}", "NOT_JSON"), (b"[1,", "NOT_JSON"), (b"[1]", "NOT_A_CLOUDEVENT")):
        response = client.post("/v1/events", content=body, headers=BATCH)
        assert response.json()["results"][0]["reason"] == reason
    assert [k["raw"] for k in client.get("/v1/rejected").json()["rejected"]] == ["{}", "[1,", "1"]


_HEADERS = st.fixed_dictionaries({}, optional={f"ce-{n}": st.text(max_size=20) for n in ("id", "type", "data", "x")})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300)
    | st.text(max_size=100).map(str.encode)
    | st.sampled_from([b"[]", b"{}", b"\n\n", b""]),
    kind=st.sampled_from([STRUCTURED, BATCH, LINES, {"content-type": "application/json"}, {}]),
    more=_HEADERS,
)
def test_no_bytes_make_a_server_error(
    client: TestClient, body: bytes, kind: dict[str, str], more: dict[str, str]
) -> None:
    """Whatever comes is rejected, kept and told, or refused at the door."""
    headers = [(k, v.encode("utf-8")) for k, v in {**kind, **more}.items()]
    response = client.post("/v1/events", content=body, headers=headers)
    assert response.status_code in (200, 207, 415, 422)
    asked = client.post("/v1/check", content=body)
    assert asked.status_code == 422 and asked.json()["may_send"] is False


def test_a_window_closes_without_a_new_event(tmp_path: Path) -> None:
    """The timer says so, once, and a restart does not say it again."""
    clock = Clock(NOW)
    with serving(tmp_path / "gate.db", clock) as client:
        post(client, *TOLD)
        clock.set("2026-03-12T09:00:00Z")
        page = client.get("/v1/out", params={"after": 1, "wait": 20}).json()
        assert [e["event"]["type"] for e in page["events"]] == ["gate61.scope.closed.v1"]
    with serving(tmp_path / "gate.db", clock) as client:
        page = client.get("/v1/out", params={"after": 2, "wait": 2.5}).json()
        assert page == {"events": [], "next_after": 2, "last": 2}


@pytest.mark.parametrize("log", ["out", "taken", "rejected"])
def test_whoever_reads_on_from_a_place_that_another_store_has_not_is_told(tmp_path: Path, log: str) -> None:
    """Else he would wait for ever, or pass over what comes under numbers he has read; `mark` is for the latter."""
    with serving(tmp_path / "gate.db", Clock(NOW)) as client:
        post(client, *TOLD, "{no", "{not")
        page = client.get(f"/v1/{log}", params={"limit": 1}).json()
        place = {"after": page["next_after"], "mark": page["mark"]}
        rest = client.get(f"/v1/{log}", params=place)
        assert rest.status_code == 200 and client.get(f"/v1/{log}", params=place | {"wait": 0.1}).json() == rest.json()
        beyond = {"after": page["last"] + 1}
        for asked in (beyond, place | {"mark": "0123456789abcdef"}):
            answer = client.get(f"/v1/{log}", params=asked)
            assert answer.status_code == 409 and "older copy" in answer.json()["detail"], asked
            assert f"ends at {page['last']}" in answer.json()["detail"]
        assert client.get(f"/v1/{log}", params=place | {"mark": "none"}).status_code == 422
        if log == "out":
            events = {"accept": "text/event-stream"}
            readers: tuple[dict[str, Any], ...] = (
                {"headers": events, "params": beyond},
                {"headers": events | {"last-event-id": "99"}},
            )
            for sse in readers:
                assert client.get("/v1/out", **sse).status_code == 409
