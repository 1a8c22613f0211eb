"""`gate61 explain`: a decision for a person, from the files of events that led to it."""

import json
from typing import Annotated, Any

import typer

from gate.effects import Answer
from state import MemoryStore
from streams.border.wire import Rejected
from streams.commands.common import PolicyPath, event, policy_or_refuse, refuse
from streams.commands.files import Files, lines, opened
from streams.commands.page import Page
from streams.embedded import Gate
from streams.explain import Found, Proofs, explain_unreadable
from streams.explain import explain as explained


def explain(
    decision: Annotated[str, typer.Argument(help="a decision's id, or the id of an offer or of its event")],
    files: Files,
    policy: PolicyPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="the answers as events, one a line")] = False,
) -> None:
    """Explain a decision to a person, from the files of events that led to it."""
    gate = Gate(policy_or_refuse(policy), MemoryStore())
    proofs = Proofs()
    found: list[tuple[Answer, Found] | bytes] = []
    replaced: dict[str, Answer] = {}
    for _, _, line in lines(opened(files), afterwards=True):
        taken = gate.take(line)
        if isinstance(taken, Rejected):
            unreadable = gate.answer_to_reject(taken, line)
            if unreadable and decision in _named(json.loads(unreadable)["data"]):
                found.append(unreadable)
            continue
        if gate.last is not None:
            proofs.learn(gate.last)
        for answer in (effect for effect in taken if isinstance(effect, Answer)):
            if answer.supersedes:
                replaced[answer.supersedes] = answer
            if decision in (answer.standing.decision, answer.standing.offer, answer.offer.id):
                found.append((answer, proofs.of(answer)))
    if not found:
        raise refuse(f"no decision, offer or offer event `{decision}` in these files", 1)
    page = Page()
    for each in found:
        if as_json:
            event(each if isinstance(each, bytes) else gate.line_of(each[0]))
        elif isinstance(each, bytes):
            explain_unreadable(each, page)
        else:
            answer, leans_on = each
            explained(answer, replaced.get(answer.standing.decision), leans_on, gate.policy, page)


def _named(data: dict[str, Any]) -> tuple[str | None, ...]:
    """What a decision can be asked for by."""
    return data["decision"], data["offer"], data["event"]["id"]
