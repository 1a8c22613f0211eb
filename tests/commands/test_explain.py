"""`gate61 explain`: one decision as a compliance officer reads it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gate.law import DUTIES
from gate.outcome import Outcome, Reason, ScopeView, Verdict
from state import MemoryStore
from streams.commands import page
from streams.commands.explain import explain
from streams.embedded import Gate
from streams.explain import remedies, timeline, when
from tests.commands.program import CASES, answers, case, lines, run
from tests.player import POLICY, lines_of
from tests.stories.telling import (
    Words,
    arrived,
    clean_client,
    complaint,
    contacted,
    in_order,
    offer,
    referred,
    relationship,
)

DIFFERENT = "What would have had to be different"


def told(name: str, tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    """A story as a file, and its answers."""
    path = tmp_path / "story.jsonl"
    path.write_bytes(case(name))
    return path, answers(run("decide", path).stdout)


def explained(which: str, path: Path) -> str:
    """The page, with runs of white space as one."""
    done = run("explain", which, path)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    return " ".join(done.stdout.decode().split())


def test_an_allow_says_until_when_it_may_be_sent(tmp_path: Path) -> None:
    """Verdict and leading reason in one sentence, the facts by time and id, the window, no way out needed."""
    path, (allow, *_) = told("03", tmp_path)
    page = explained(allow["decision"], path)
    assert page.startswith(f"ALLOWED, may be sent until 25 March 2026 09:00 UTC: {allow['reasons'][0]['said']}.")
    for fact in allow["reasons"][0]["facts"]:
        assert fact in page
    assert "24 March 2026 09:00 UTC ord-260324-564b41: client requested, exchange_funds, btc, order" in page
    assert "Law: MiCA Art. 61(2); ESMA guideline 4" in page
    assert DIFFERENT not in page
    assert f"Decision {allow['decision']}, policy {allow['policy']['version']} ({allow['policy']['digest']})." in page


def test_a_flag_says_when_it_would_have_passed(tmp_path: Path) -> None:
    """Until the soft limit without a person, until the hard limit with two."""
    path, (_, flag, *_) = told("03", tmp_path)
    page = explained(flag["decision"], path)
    assert page.startswith("HELD for a person, may not be sent: 24 hours after the request")
    way = "the offer would have had to come before 25 March 2026 09:00 UTC; or, where nothing blocks it, two people may release"
    assert f"{DIFFERENT} - The client would have had to ask again himself" in page
    assert f"{way} it before 3 April 2026 09:00 UTC." in page


def test_a_block_shows_the_window_as_a_line(tmp_path: Path) -> None:
    """Request, limits and offer in their order."""
    path, (*_, block) = told("03", tmp_path)
    page = explained(block["decision"], path)
    assert page.startswith("BLOCKED, may not be sent: 10 days after the request")
    marks = ["R====|---", "R 24 March", "= 25 March", "- 3 April", "O 3 April 2026 09:00 UTC this offer"]
    assert sorted(marks, key=page.index) == marks
    assert "before 25 March 2026 09:00 UTC, or before 3 April 2026 09:00 UTC and with a release by two people." in page


def test_a_superseded_answer_is_never_taken_for_one_that_stands(tmp_path: Path) -> None:
    """An allow that was replaced says so first and permits nothing; the offer's id shows both."""
    path, all_answers = told("06", tmp_path)
    late = next(a for a in all_answers if a["supersedes"] and a["verdict"] == "block")
    early = next(a for a in all_answers if a["decision"] == late["supersedes"])
    first = explained(early["decision"], path)
    assert first.startswith("SUPERSEDED; it was ") and ", may not be sent" in first and "may be sent" not in first[:80]
    assert f"This answer no longer stands: {late['decision']} supersedes it, because ref-260130-de9c80" in first
    both = explained(late["offer"], path)
    assert early["decision"] in both and f"It supersedes {early['decision']}, because ref-260130-de9c80" in both
    assert "30 January 2026 11:00 UTC ref-260130-de9c80: referral recorded" in both
    assert "The client would have had to ask before anyone solicited him" in both
    assert "asking again does not mend it." in both and "ask again himself" not in both


def test_another_asset_names_what_the_client_would_have_to_ask_for(tmp_path: Path) -> None:
    """The nearest lawful offer is told in the client's own things."""
    path, all_answers = told("14", tmp_path)
    block = next(a for a in all_answers if a["leading"] == "NEW_ASSET_TYPE")
    assert (
        "- The client would have had to ask for eurm, or an asset of its type, before the offer, unprompted"
        in explained(block["decision"], path)
    )


def test_an_offer_that_could_not_be_read_is_explained_too(tmp_path: Path) -> None:
    """It has a decision like any other."""
    path, all_answers = told("32", tmp_path)
    unreadable = next(a for a in all_answers if a["leading"] == "UNREADABLE_OFFER")
    page = explained(unreadable["decision"], path)
    assert page.startswith("BLOCKED: the offer was rejected (")
    assert "the sender must mend what its reject names and propose the offer again." in page


@pytest.mark.parametrize("width", [60, 200])
def test_every_answer_of_every_story_can_be_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    """By its id, in a narrow window as in a wide one; every reason is on the page, with its law."""
    monkeypatch.setattr(page, "WIDTH", width)
    told = 0
    for story in sorted(CASES.glob("*.json")):
        path = tmp_path / story.name
        path.write_bytes(lines(json.loads(story.read_text())["given"]))
        gate = Gate(POLICY, MemoryStore())
        out = b"\n".join(said for line in path.read_bytes().splitlines() for said in lines_of(gate, line)[1])
        for each in answers(out):
            explain(each["decision"], [str(path)])
            shown = capsys.readouterr().out
            assert max(map(len, shown.splitlines())) <= width
            unreadable = each["leading"] == "UNREADABLE_OFFER"  # A page of its own: no rule has judged it.
            for reason in each["reasons"]:
                said = [reason["said"]] if unreadable else [reason["code"], DUTIES[reason["code"]].law.split(";")[0]]
                assert all(words in " ".join(shown.split()) for words in said), story.name
            told += 1
    assert told > 100


def test_json_prints_the_answers_as_they_were_given(tmp_path: Path) -> None:
    """The same events as `decide` wrote."""
    path, all_answers = told("06", tmp_path)
    done = run("explain", all_answers[-1]["offer"], path, "--json")
    assert answers(done.stdout) == [a for a in all_answers if a["offer"] == all_answers[-1]["offer"]]


def test_of_each_fact_is_told_what_decides(tmp_path: Path) -> None:
    """By whose link he came, what he replied to, what a complaint speaks for and of when, what a relationship became."""
    sent = [
        arrived(via="affiliate"),
        referred(by="blogger", rewarded=True),
        contacted("-2 h", content="service_notice", id="m1"),
    ]
    story: list[Words] = [clean_client(in_reply_to="m1"), sent, complaint(), relationship("suspended"), offer(at="2 h")]
    path = tmp_path / "story.jsonl"
    path.write_bytes(lines(in_order(story)))
    page = explained(answers(run("decide", path).stdout)[-1]["decision"], path)
    for words in (
        "client arrived, affiliate",
        "referral recorded, blogger, rewarded",
        "btc, request, in reply to m1",
        "complaint, supporting solicitation, solicited 1 March 2026 09:00 UTC",
        "relationship changed, st-one, suspended",
    ):
        assert words in page, page


def test_another_clients_event_of_the_same_id_is_no_proof(tmp_path: Path) -> None:
    """Ids belong to their source: shown are the client's own event, the register's, and those of who is the same person."""
    events = in_order([clean_client(), offer(at="2 h")])
    request = next(e for e in events if e["type"] == "gate61.client.requested.v1")
    foreign = {**request, "source": "//elsewhere", "subject": "bert", "time": "2026-03-01T08:00:00Z"}
    foreign["data"] = {**request["data"], "asset": "doge"}
    path = tmp_path / "story.jsonl"
    path.write_bytes(lines([*events[:-1], foreign, events[-1]]))
    (answer,) = answers(run("decide", path).stdout)
    assert request["id"] in answer["reasons"][0]["facts"]
    page = explained(answer["decision"], path)
    assert f"{request['id']}: client requested, exchange_funds, btc" in page
    assert "doge" not in page and "//elsewhere" not in page


def test_where_several_events_have_the_id_all_are_shown_with_their_sources(tmp_path: Path) -> None:
    """Also those of a client who was found to be the same person, once he was, and not when he is so only later."""
    events = in_order([clean_client(), offer(at="2 h")])
    request = next(e for e in events if e["type"] == "gate61.client.requested.v1")
    other = {**request, "source": "//elsewhere", "subject": "bert", "time": "2026-03-01T08:00:00Z"}
    other["data"] = {**request["data"], "asset": "eth"}
    merged = {**other, "id": "m-1", "type": "gate61.client.merged.v1", "subject": "anna", "data": {"other": "bert"}}
    path = tmp_path / "story.jsonl"
    for stream, several in (([other, merged, *events], True), ([other, *events, merged], False)):
        path.write_bytes(lines(stream))
        first = answers(run("decide", path).stdout)[0]
        page = explained(first["decision"], path)
        both = [f"{request['id']} of //elsewhere: client requested", f"{request['id']} of //story: client requested"]
        assert [words in page for words in both] == [several] * 2, page
        assert (f"{request['id']}: client requested, exchange_funds, btc" in page) != several


def test_an_unknown_decision_is_said_with_exit_1(tmp_path: Path) -> None:
    """And a file that is not there with exit 2."""
    path, _ = told("01", tmp_path)
    done = run("explain", "dec-none", path)
    assert (done.returncode, done.stdout) == (1, b"") and b"no decision, offer or offer event `dec-none`" in done.stderr
    assert run("explain", "dec-none", "nowhere").returncode == 2


def test_a_relationship_that_two_people_may_make_milder_is_not_said_to_last(tmp_path: Path) -> None:
    """And what else was wrong is told beside it; only what nobody lifts is told alone."""
    path, all_answers = told("25", tmp_path)
    page = explained(next(a for a in all_answers if a["leading"] == "EXIT_ONLY")["decision"], path)
    assert "neither exit-only nor closed; only two people can make it milder" in page and "never" not in page
    wound_down = Reason("EXIT_ONLY", Verdict.BLOCK, "", ())
    late, solicited = (Reason(code, Verdict.BLOCK, "", ()) for code in ("WINDOW_EXPIRED", "INITIATION_SOLICITED"))
    assert len(remedies(Outcome(Verdict.BLOCK, (wound_down, late)))) == 2
    assert len(remedies(Outcome(Verdict.BLOCK, (wound_down, late, solicited)))) == 1


def test_a_tainted_request_has_no_window(tmp_path: Path) -> None:
    """Neither a moment nor two people make an offer pass that leans on a request which the firm's friend brought about."""
    path = tmp_path / "story.jsonl"
    path.write_bytes(lines(in_order([clean_client(), referred("-1 h", "friend", rewarded=True), offer(at="1 h")])))
    (block,) = answers(run("decide", path).stdout)
    page = explained(block["decision"], path)
    assert (block["verdict"], block["scope"]["state"]) == ("block", "tainted")
    assert re.search(r" R\.*O\.* R ", page) and "from here on nothing may be offered: the request is tainted" in page
    assert "until here" not in page and "two people release" not in page


def test_that_people_may_release_is_not_drawn_where_they_may_not(tmp_path: Path) -> None:
    """The window stands as it is; of a block nobody lets it pass, of what is held two people do."""
    path, (_, flag, *_, block) = told("03", tmp_path)
    assert "until here if two people release it, then shut" in explained(flag["decision"], path)
    page = explained(block["decision"], path)
    assert "up to the hard limit, then shut" in page and "until here" not in page


@pytest.mark.parametrize(("waited", "column"), [(0, 1), (1, 1), (240, 59), (239, 58), (320, 59), (100_000, 59)])
def test_the_offer_stands_on_the_line_where_it_belongs(waited: int, column: int) -> None:
    """At the request itself beside it, long after the window at the end."""
    hour = 3_600_000_000
    line = timeline(ScopeView("custody", None, 0, 24 * hour, 240 * hour, "open"), waited * hour, True).split("\n")[0]
    assert len(line) == 60 and line.index("O") == column and line.startswith("R")


def test_times_are_told_to_the_microsecond_where_it_matters() -> None:
    """The last moment before a limit is not shown as the limit."""
    assert when(0) == "1 January 1970 00:00 UTC"
    assert when(86_399_999_999) == "1 January 1970 23:59:59.999999 UTC"
