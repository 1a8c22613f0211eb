"""Flagged offers as they are watched, without a broker: what is read, wanted, seen before, and how it looks."""

import json
from typing import Any

import httpx
import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, LogTruncationError
from kafka.structs import OffsetAndMetadata

from gate.instants import text
from gate.policy import SECOND
from state.journal import mark_of
from streams.kafka.reading import NotRead
from streams.watch.answers import DECIDED, Flagged, Wanted, Watched, read
from streams.watch.detail import detail, left
from streams.watch.sources import Arrived, GateSource, Start
from streams.watch.tail import Tail
from streams.watch.views import Remark, line_of
from tests.commands.program import run

NOW = 1_772_445_600_000_000
"""2 March 2026, 10:00 UTC."""


def data(**changed: Any) -> dict[str, Any]:
    """An answer that blocks."""
    reasons = [
        {
            "code": "NEW_SERVICE_TYPE",
            "rule": "R10",
            "law": "MiCA 61",
            "verdict": "block",
            "said": "nobody asked",
            "facts": [],
        },
        {"code": "LOCATION_UNKNOWN", "rule": "R2", "law": "MiCA 61", "verdict": "flag", "said": "where?", "facts": []},
    ]
    answer = {"decision": "dec-1", "client": "anna", "offer": "of-1", "verdict": "block", "may_send": False}
    answer |= {"send_by": None, "leading": "NEW_SERVICE_TYPE", "reasons": reasons, "supersedes": None}
    return {**answer, "recorded_at": "2026-03-02T09:58:00Z", "countries": ["DE", "SG"], **changed}


def event(**changed: Any) -> bytes:
    """The record of it."""
    return json.dumps({"specversion": "1.0", "type": "gate61.offer.decided.v1", "data": data(**changed)}).encode()


def flagged(**changed: Any) -> Flagged:
    """As it is read."""
    found = read(event(**changed))
    assert found is not None
    return found


def test_what_is_read_of_an_answer() -> None:
    """State in three words, the sentence of the leading reason, times as instants."""
    found = flagged()
    assert (found.state, found.said, found.recorded) == ("blocked", "nobody asked", NOW - 120 * SECOND)
    assert flagged(verdict="flag").state == "held"
    released = flagged(verdict="flag", may_send=True, send_by="2026-03-02T10:00:00.000001Z")
    assert (released.state, released.until) == ("released", NOW + 1)
    assert text(flagged(recorded_at="2026-03-02T09:58:00.123457Z").recorded) == "2026-03-02T09:58:00.123457Z"


def test_nothing_is_left_of_what_nobody_may_release() -> None:
    """The hard limit of its window is no time that people have for it; an asset that nobody classified is another thing."""
    scope = {"service": "custody", **dict.fromkeys(("opened_at", "soft_until", "hard_until"), "2026-03-02T13:20:00Z")}
    for codes, told in (
        (["PERSON_CHAIN_SOLICITATION"], "-"),
        (["TYPE_UNCLASSIFIED", "NEW_PRODUCT_TYPE"], "-"),
        (["TYPE_UNCLASSIFIED"], "3 h 20 min left"),
    ):
        reasons = [{"code": code, "said": "", "verdict": "block"} for code in codes]
        assert left(flagged(scope=scope, leading=codes[0], reasons=reasons), NOW) == told


def test_the_service_is_the_offers_own() -> None:
    """Also where no request of that service stands behind it; one that does not say it is of its request's."""
    hours = dict.fromkeys(("opened_at", "soft_until", "hard_until"), "2026-03-02T10:00:00Z")
    scope = {"service": "exchange_funds", **hours}
    assert (
        flagged(service="custody", scope=None).service == flagged(service="custody", scope=scope).service == "custody"
    )
    assert (flagged(scope=scope).service, flagged(service=None).service) == ("exchange_funds", "")


def test_an_answer_without_countries_is_one_too() -> None:
    """An offer that could not be read has none."""
    said = data()
    del said["countries"]
    found = read(json.dumps({"type": "gate61.offer.decided.v1", "data": said}).encode())
    assert found is not None and found.countries == ()


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"type": "gate61.offer.decided.v1"}',
        event(recorded_at="2026-03-02T09:58:00"),
        event(send_by="2026-03-02T09:58:00"),
        event(recorded_at=3),
        event(reasons=None),
        event().replace(b"offer.decided", b"case.opened"),
        b"[" * 100_000,
    ],
)
def test_anything_else_is_none(value: bytes | None) -> None:
    """Whoever may write to the topic cannot stop the watching."""
    assert read(value) is None


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(), True),
        (Wanted(reasons=frozenset({"LOCATION_UNKNOWN"})), True),
        (Wanted(reasons=frozenset({"WINDOW_EXPIRED"})), False),
        (Wanted(countries=frozenset({"SG", "FR"})), True),
        (Wanted(countries=frozenset({"FR", "NONE"})), False),
        (Wanted(clients=frozenset({"ann"})), False),
        (Wanted(frozenset({"NEW_SERVICE_TYPE"}), frozenset({"DE"}), frozenset({"anna"})), True),
        (Wanted(frozenset({"NEW_SERVICE_TYPE"}), frozenset({"DE"}), frozenset({"ben"})), False),
    ],
)
def test_which_are_wanted(wanted: Wanted, takes: bool) -> None:
    """Every kind of filter must agree; within one any value is enough."""
    assert wanted.takes(flagged()) is takes


def test_clients_whom_nothing_locates_can_be_asked_for() -> None:
    """Else nobody who watches a country would ever see them."""
    assert Wanted(countries=frozenset({"NONE"})).takes(flagged(countries=[]))


def test_of_what_was_cut_it_is_said() -> None:
    """A topic takes only so much; who reads on must know that there was more."""
    assert "cut" not in line_of(flagged(), NOW) + detail(flagged(), NOW).plain
    assert "cut, as it was too large" in line_of(flagged(cut=True), NOW)
    assert "it had more ids" in detail(flagged(cut=True), NOW).plain


def test_copies_are_dropped_and_memory_is_bounded() -> None:
    """A copy is one only within what is remembered."""
    watched = Watched(Wanted(), remembered=2)
    assert [watched.take(flagged(decision=d)) for d in ("a", "b", "a", "b", "c", "c", "a")] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    assert len(watched._seen) == 2


def test_what_replaces_a_shown_answer_is_shown_whatever_the_filter() -> None:
    """Nobody is left looking at an answer that no longer stands."""
    watched = Watched(Wanted(reasons=frozenset({"NEW_SERVICE_TYPE"})))
    other = {"reasons": [{"code": "EXIT_ONLY", "said": "over"}], "leading": "EXIT_ONLY"}
    assert watched.take(flagged())
    assert watched.take(flagged(decision="dec-2", supersedes="dec-1", **other))
    assert watched.take(flagged(decision="dec-3", supersedes="dec-2", **other))
    assert not watched.take(flagged(decision="dec-5", supersedes="dec-4", **other))


def test_a_line() -> None:
    """When, how long ago, what, why, to whom, where, until when."""
    assert line_of(flagged(), NOW) == (
        "2026-03-02T09:58:00Z (2 min ago) blocked NEW_SERVICE_TYPE: nobody asked; offer of-1 to anna; in DE,SG; dec-1"
    )
    released = flagged(
        verdict="flag",
        may_send=True,
        send_by="2026-03-02T12:00:00Z",
        supersedes="dec-0",
        countries=[],
        decision="dec-9",
    )
    assert line_of(released, NOW).endswith("in no known country; send by 2026-03-02T12:00:00Z; supersedes dec-0; dec-9")


EVIL = "[red]\x1b[2J\u202e\r\n[/nothing]"


def _evil() -> Flagged:
    said = [{"code": EVIL, "said": EVIL}]
    names = dict.fromkeys(("decision", "client", "offer", "leading"), EVIL)
    return flagged(**names, reasons=said, countries=[EVIL], supersedes=EVIL)


def test_text_of_others_steers_no_terminal() -> None:
    """Control characters are escaped, and markup is shown as it is."""
    line = line_of(_evil(), NOW)
    assert all(c.isprintable() for c in line) and "[red]\\x1b[2J" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reason", "NEW_SERVICE"], b"NEW_SERVICE_TYPE"),
        (["--country", "Germany"], b"two letters"),
        (["--country", "UK"], b"`UK` is no country of ISO 3166-1"),
        (["--since", "soon"], b"say how long ago"),
        (["--since", "1h", "--from-start"], b"choose"),
    ],
)
def test_a_filter_that_would_show_nothing_is_refused(words: list[str], said: bytes) -> None:
    """Exit 2, one line, before Kafka is asked."""
    done = run("watch", *words, GATE61_KAFKA="127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, b"") and said in done.stderr and done.stderr.count(b"\n") == 1


def test_filters_that_would_show_nothing_are_refused_together() -> None:
    """With what is wrong of the settings, a line each."""
    words = ("--reason", "NEW_SERVICE", "--country", "Germany", "--since", "soon", "--from-start", "--url", "ftp://x")
    said = run("watch", *words).stderr.decode().splitlines()
    assert said[0] == "gate61: settings are refused:" and len(said) == 6, said


def test_a_gate_that_comes_back_with_another_store_is_not_watched_on() -> None:
    """It is asked for what comes after the last answer, named by its bytes; waiting would not help."""
    asked: list[dict[str, str]] = []
    came = json.dumps({"type": DECIDED, "time": "2026-03-02T10:00:00Z", "data": {"verdict": "block"}}).encode()

    def gate(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        match asked[-1]:
            case {"limit": "1", "after": after}:
                return httpx.Response(200, json={"last": 2, "next_after": int(after) + 1, "mark": "of the last"})
            case {"after": "2", "mark": "of the last"}:
                return httpx.Response(200, content=b"id: 3\ndata: %s\n\n" % came)
        return httpx.Response(409)

    source = GateSource("http://gate", None, Start(), lambda _: None)
    source._http = httpx.Client(base_url="http://gate", transport=httpx.MockTransport(gate))
    found: list[Arrived] = []
    with pytest.raises(NotRead, match="another store than was read so far, or an older copy"):
        for _ in range(20):
            found += source.poll(1)
    assert [each.value for each in found] == [came] and asked[-1] == {"after": "3", "mark": mark_of(came)}


class Cut:
    """A consumer whose log lost what stood from offset 3 on, and has grown to 9 since; it was read to 5."""

    def __init__(self) -> None:
        self.sought: list[int] = []

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}

    def beginning_offsets(self, places: list[TopicPartition], limit: int) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def end_offsets(self, places: list[TopicPartition], limit: int) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 9 if self.sought else 5)

    def assign(self, places: list[TopicPartition]) -> None:
        pass

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought.append(offset)

    def poll(self, limit: int) -> dict[TopicPartition, list[object]]:
        raise LogTruncationError({TopicPartition("flagged", 0): OffsetAndMetadata(3, "", 0)})


def test_what_stands_where_a_log_lost_its_end_is_seen_and_that_it_did_is_told() -> None:
    """It has grown past what was seen of it: whoever read on from there would miss what came in between."""
    told: list[str | Remark | None] = []
    consumer = Cut()
    tail = Tail(consumer, "flagged", told.append, Cut)
    tail.begin(None)
    assert tail.poll(0.1) == []
    assert consumer.sought == [5, 3]
    assert told == [Remark("partition 0 has no record 5 any more; going on at 3")], "it keeps nothing from being read"


class Deaf(Cut):
    """A consumer all of whose brokers are gone, once it has begun."""

    closed = False

    def end_offsets(self, places: list[TopicPartition], limit: int) -> dict[TopicPartition, int]:
        if self.sought:
            raise KafkaTimeoutError("no broker")
        return super().end_offsets(places, limit)

    def poll(self, limit: int) -> dict[TopicPartition, list[object]]:
        return {}

    def close(self, **how: object) -> None:
        self.closed = True


class Hears(Deaf):
    """Another consumer, which finds brokers."""

    def end_offsets(self, places: list[TopicPartition], limit: int) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 5)


def test_who_hears_no_broker_for_a_minute_reads_on_by_another_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers have other addresses now: whoever knows only the old ones would wait for ever."""
    told: list[str | Remark | None] = []
    clock, found, deaf, hears = [0.0], list[Deaf](), Deaf(), Hears()
    monkeypatch.setattr("streams.watch.tail.monotonic", lambda: clock[0])

    def another() -> Deaf:
        if not found:
            raise KafkaTimeoutError("no broker")
        return found[0]

    tail = Tail(deaf, "flagged", told.append, another)
    tail.begin(None)
    for clock[0] in (10, 20, 75):
        assert tail.poll(0.1) == [] and not deaf.closed
    found.append(hears)
    for clock[0] in (100, 140, 150):
        assert tail.poll(0.1) == []
    assert deaf.closed and hears.sought == [5] and told[-1] is None and len(told) == 2
    tail.close()
    assert hears.closed
