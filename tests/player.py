"""Plays events through the embedded gate, as tests see it: lines in, parsed answers out."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gate.history import Record
from gate.packing import replaced
from gate.policy import Policy
from state import MemoryStore, RegisterStore
from streams.border.wire import Rejected
from streams.embedded import Gate
from streams.policy_file import load

_PLACEHOLDER = re.compile(r"@decision:([A-Za-z0-9._:/-]+)#(\d+)")
POLICY = load()


def fill(event: dict[str, Any], decisions: dict[str, list[str]]) -> bytes:
    """An event as a line; `@decision:ID#N` stands for the N-th answer to the offer event with that id."""

    def decision(match: re.Match[str]) -> str:
        known = decisions.get(match[1], [])
        return known[int(match[2]) - 1] if 0 < int(match[2]) <= len(known) else "dec-none"

    return _PLACEHOLDER.sub(decision, json.dumps(event, ensure_ascii=False)).encode("utf-8", "surrogateescape")


class Played(NamedTuple):
    """What came out: answers by offer event, rejects as (line, id, reason), all events in order, each of which line."""

    answers: dict[tuple[str, str], list[dict[str, Any]]]
    rejected: list[tuple[int, str | None, str]]
    out: list[dict[str, Any]]
    lines: list[int]

    @property
    def cases(self) -> set[str]:
        """The `why` of every case."""
        return {e["data"]["why"] for e in self.out if e["type"] == "gate61.case.opened.v1"}


class Watched(MemoryStore):
    """A store that counts how often a past is read."""

    asked = 0

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        self.asked += 1
        return super().history(client)


class Older(MemoryStore):
    """A store whose records do not say what else was told on them, as those of an older program."""

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        return [replaced(record, told=None) for record in super().history(client)]


def lines_of(gate: Gate, line: bytes) -> tuple[Rejected | None, list[bytes]]:
    """Feed one line: why it was rejected, if it was, and the lines that come out."""
    taken = gate.take(line)
    if isinstance(taken, Rejected):
        answer = gate.answer_to_reject(taken, line)
        return taken, [answer] if answer else []
    return None, [gate.line_of(effect) for effect in taken]


def play(
    given: Iterable[dict[str, Any] | str],
    store: RegisterStore | None = None,
    policy: Policy = POLICY,
    then: Mapping[int, Policy] | None = None,
) -> Played:
    """Feed events one by one; `@decision:ID#N` stands for the N-th answer to the offer event with that id.

    `then` is which policies are put in force later, each by the number of the first event that is judged by it.
    """
    store, then = store or MemoryStore(), then or {}
    gate = Gate(policy, store)
    played = Played({}, [], [], [])
    by_id: dict[str, list[str]] = {}
    filled: dict[str, str] = {}  # A repeated event repeats its content, also where an answer came in between.

    def decision(match: re.Match[str]) -> str:
        known = by_id.get(match[1], [])
        return known[int(match[2]) - 1] if 0 < int(match[2]) <= len(known) else "dec-none"

    for number, event in enumerate(given, 1):
        if number in then:
            gate.commit()
            gate = Gate(then[number], store)
        text = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        found = [*_PLACEHOLDER.finditer(text)]
        said = ""
        if found and isinstance(event, dict):
            said = json.dumps([event.get("source"), event.get("id"), event.get("data")])
        marks = {match[0]: filled.get(f"{said} {match[0]}", decision(match)) for match in found}
        for mark, id in marks.items():
            text = text.replace(mark, id)
        line = text.encode("utf-8", "surrogateescape")
        rejected, lines = lines_of(gate, line)
        if rejected is not None:  # It does not use up its id, and may come again as another.
            played.rejected.append((number, rejected.id, rejected.reason))
        else:
            filled |= {f"{said} {mark}": id for mark, id in marks.items()}
        for out in map(json.loads, lines):
            played.out.append(out)
            played.lines.append(number)
            if out["type"] == "gate61.offer.decided.v1":
                told = out["data"]
                played.answers.setdefault((told["event"]["source"], told["event"]["id"]), []).append(told)
                by_id.setdefault(told["event"]["id"], []).append(told["decision"])
    return played


def codes(answer: dict[str, Any]) -> list[str]:
    """The reason codes of an answer, gravest first."""
    return [r["code"] for r in answer["reasons"]]


def told(played: Played) -> dict[tuple[str, str], dict[str, Any]]:
    """The answer that stands for every offer."""
    return {offer: answers[-1] for offer, answers in played.answers.items()}


def asked_again(events: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """What all the facts together say of every offer: each is proposed again, as another event, after everything."""
    asked = [e for e in events if e["type"] == "gate61.offer.proposed.v1"]
    again = [{**e, "id": f"again-{e['id']}", "recordedtime": "2026-12-31T00:00:00Z"} for e in asked]
    others = [e for e in events if e["type"] != "gate61.offer.proposed.v1"]
    answers = told(play([*others, *again]))
    return {(source, id.removeprefix("again-")): answer for (source, id), answer in answers.items()}
