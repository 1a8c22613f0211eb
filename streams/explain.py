"""A decision for a person: verdict, reasons, law, facts by id and time, the window, what would have had to be different."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from gate.effects import Answer
from gate.facts import OF_REGISTER, TYPES, Fact, Instant, Merged, Proposed, Thing
from gate.instants import LATEST, moment
from gate.law import DUTIES
from gate.outcome import Outcome, Reason, ScopeView, Verdict
from gate.people import releasable
from gate.policy import MINUTE, Policy
from streams.remedies import LASTING, remedy
from streams.terminal import plain

Found = Mapping[str, tuple[Fact, ...]]
"""Events by their id, of which several sources may have one."""
WIDTH = 60
"""Columns of the timeline; three quarters of them for the window, where the offer came later."""
_VERDICTS = {Verdict.ALLOW: "ALLOWED", Verdict.FLAG: "HELD for a person", Verdict.BLOCK: "BLOCKED"}
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_SERVICES = {
    "trading_platform": "a trading platform",
    "exchange_funds": "exchange for money",
    "exchange_crypto": "exchange for other crypto-assets",
    "execution": "execution of orders",
    "reception_transmission": "reception and transmission of orders",
    "portfolio_management": "portfolio management",
}
_NAMES = {kind: name.replace(".", " ").replace("_", " ") for name, kind in TYPES.items()}
_TOLD = (
    "by",
    "via",
    "rewarded",
    "service",
    "asset",
    "product",
    "indicator",
    "country",
    "state",
    "kind",
    "content",
    "campaign",
    "evidence",
    "supports",
    "solicited_at",
    "offer",
    "in_reply_to",
)
"""What is told of a fact, where it has it."""


def when(at: Instant) -> str:
    """`3 March 2026 10:00 UTC`, with seconds only where there are some."""
    then = moment(at)
    clock = then.strftime("%H:%M") if at % MINUTE == 0 else then.time().isoformat()
    return f"{then.day} {_MONTHS[then.month - 1]} {then.year} {clock} UTC"


class Proofs:
    """Events by id, as far as a client's answers can lean on them. An id says who is meant only with its source."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[tuple[str, str], Fact]] = {}
        self._same: dict[str, set[str]] = {}
        """Of each merged client who is the same person, he among them; one set for all of these."""

    def learn(self, fact: Fact) -> None:
        """Take an event in, also one that was taken before."""
        self._facts.setdefault(fact.id, {})[fact.key] = fact
        if isinstance(fact.said, Merged):
            both = self._person(fact.client) | self._person(fact.said.other)
            self._same.update(dict.fromkeys(both, both))

    def of(self, answer: Answer) -> Found:
        """What an answer that was given just now leans on: events of the client, of the same person, of the register."""
        person = self._person(answer.offer.client)
        ids = dict.fromkeys(id for reason in answer.outcome.reasons for id in reason.facts)
        return {
            id: tuple(
                fact
                for fact in self._facts.get(id, {}).values()
                if fact.client in person or type(fact.said) in OF_REGISTER
            )
            for id in ids
        }

    def _person(self, client: str) -> set[str]:
        return self._same.get(client, {client})


def explain(answer: Answer, successor: Answer | None, found: Found, policy: Policy, console: Console) -> None:
    """Print one decision; `found` are the events it leans on, `successor` the answer that replaced it."""
    outcome, offer = answer.outcome, answer.offer
    said = offer.said
    assert isinstance(said, Proposed)
    _verdict(answer, successor, console)
    under = f", transaction {said.transaction}" if said.transaction else ""
    _line(console, f"Offer {said.offer} to {offer.client}: {thing(said.own)}, by {said.channel}{under}.")
    _line(console, f"To be sent on {when(offer.at)} (event {offer.id}).\n")
    if answer.supersedes and answer.because:
        late = f"{answer.because.id} became known on {when(answer.recorded)}"
        _line(console, f"It supersedes {answer.supersedes}, because {late}.\n")
    _heading(console, "Reasons, the leading one first")
    for number, reason in enumerate(outcome.reasons, 1):
        _reason(console, number, reason, found)
    if outcome.scope:
        _heading(console, f"The window of the request for {_asked(outcome.scope)}")
        _line(console, timeline(outcome.scope, offer.at, _may_pass(outcome)) + "\n", 2)
    _different(console, remedies(outcome))
    state, grade, evidence = outcome.initiation
    proof = ", ".join(evidence) or "none"
    _line(console, f"Initiation: {state.replace('_', ' ')}. Evidence: {proof}; grade {grade}.")
    _line(console, f"Decision {answer.standing.decision}, policy {policy.version} ({policy.digest}).\n")


def explain_unreadable(answer: bytes, console: Console) -> None:
    """Print the answer to an offer that was rejected."""
    data = json.loads(answer)["data"]
    console.print(Text.assemble("\n", ("BLOCKED", "bold"), f": {plain(data['reasons'][0]['said'])}."))
    _line(console, f"Offer {data['offer']} to {data['client']} (event {data['event']['id'] or 'without id'}).\n")
    _line(console, remedy("UNREADABLE_OFFER", "block") + "\n")
    _line(console, f"Decision {data['decision']}, policy {data['policy']['version']} ({data['policy']['digest']}).\n")


def _verdict(answer: Answer, successor: Answer | None, console: Console) -> None:
    standing, outcome = answer.standing, answer.outcome
    word = "RELEASED by two people" if standing.released_at is not None else _VERDICTS[outcome.verdict]
    sendable = "may be sent" if standing.may_send and not successor else "may not be sent"
    if standing.send_by is not None and not successor:
        sendable += f" until {when(standing.send_by)}"
    word = f"SUPERSEDED; it was {word}" if successor else word
    console.print(Text.assemble("\n", (word, "bold"), f", {sendable}: {plain(outcome.reasons[0].said)}."))
    if successor and successor.because:
        late = f"{successor.because.id} became known on {when(successor.recorded)}"
        warning = f"This answer no longer stands: {successor.standing.decision} supersedes it, because {late}."
        console.print(Text(warning, "bold"))


def _line(console: Console, words: str, indent: int = 0) -> None:
    margin = " " * indent
    for line in words.split("\n"):
        wrapped = textwrap.fill(line, console.width, initial_indent=margin, subsequent_indent=margin + "  ")
        console.print(Text(wrapped), soft_wrap=True)


def _heading(console: Console, words: str) -> None:
    console.print(Text(words, "bold"))


def _reason(console: Console, number: int, reason: Reason, found: Found) -> None:
    title = Text.assemble(f"  {number}. ", (reason.code, "bold"), f" ({reason.verdict.word}): ", plain(reason.said))
    console.print(title)
    _line(console, f"Law: {DUTIES[reason.code].law}", 5)
    for _, told in sorted(each for id in dict.fromkeys(reason.facts) for each in _told(id, found.get(id, ()))):
        _line(console, told, 5)
    console.print()


def _told(id: str, facts: tuple[Fact, ...]) -> Iterator[tuple[Instant, str]]:
    """The event of an id with its time, all with their sources if there are several; by the id alone if there is none."""
    if not facts:
        yield LATEST, id
    for fact in facts:
        name = id if len(facts) == 1 else f"{id} of {fact.source}"
        yield fact.at, f"{when(fact.at)}  {name}: {_fact(fact)}"


def _fact(fact: Fact) -> str:
    """`client requested, exchange_funds, btc`."""
    names = set(fact.said.__struct_fields__)
    stated = {name: value for name in _TOLD if name in names and (value := getattr(fact.said, name))}
    return plain(", ".join([_NAMES[type(fact.said)], *(_stated(name, value) for name, value in stated.items())]))


def _stated(name: str, value: Any) -> str:
    match name:
        case "rewarded":
            return name
        case "supports":
            return f"supporting {value}"
        case "solicited_at":
            return f"solicited {when(value)}"
        case "in_reply_to":
            return f"in reply to {value}"
        case _:
            return str(value)


def thing(of: Thing) -> str:
    """`exchange for money, asset btc, product savings`."""
    asset, product = (f", {n} {v}" if v else "" for n, v in (("asset", of.asset), ("product", of.product)))
    return f"{_service(of.service or '')}{asset}{product}"


def _service(name: str) -> str:
    return _SERVICES.get(name, name)


def _asked(scope: ScopeView) -> str:
    return _service(scope.service) + (f", asset {scope.asset}" if scope.asset else "")


def _may_pass(outcome: Outcome) -> bool:
    """Whether it passes, by itself or by people."""
    return outcome.verdict is Verdict.ALLOW or releasable(outcome.verdict.word, outcome.codes)


def timeline(scope: ScopeView, at: Instant, may_pass: bool) -> str:
    """The window as a line: request, soft limit, hard limit, and where the offer stands.

    That people let offers pass is said only where this one `may_pass`; in the window of a tainted request none does.
    """
    window = scope.hard_until - scope.opened_at
    span = min(max(at, scope.hard_until), scope.hard_until + window // 3) - scope.opened_at
    tainted = scope.state == "tainted"

    def place(moment: Instant) -> int:
        return min(WIDTH - 1, (moment - scope.opened_at) * (WIDTH - 1) // span)

    soft, hard = max(1, place(scope.soft_until)), place(scope.hard_until)
    line = ["." if tainted or n >= hard else "=" if n < soft else "-" for n in range(WIDTH)]
    if not tainted:
        line[soft] = line[hard] = "|"
    line[0] = "R"
    line[max(1, place(at))] = "O"
    marks = [(scope.opened_at, "R", "the client's request")]
    if tainted:
        marks.append((scope.opened_at, ".", "from here on nothing may be offered: the request is tainted"))
    else:
        passing = ("until here without a person", "until here if two people release it, then shut")
        limits = passing if may_pass else ("up to the soft limit", "up to the hard limit, then shut")
        marks += [(scope.soft_until, "=", limits[0]), (scope.hard_until, "-", limits[1])]
    marks.append((at, "O", "this offer"))
    legend = [f"{mark} {when(moment)}  {words}" for moment, mark, words in sorted(marks, key=lambda m: m[0])]
    return "\n".join(["".join(line), *legend])


def _different(console: Console, ways: list[str]) -> None:
    if not ways:
        return
    _heading(console, "What would have had to be different" + (", all of it" if len(ways) > 1 else ""))
    for way in ways:
        _line(console, f"- {way}", 2)
    console.print()


def remedies(outcome: Outcome) -> list[str]:
    """What would have had to be different for each reason against the offer; only what lasts, where anything does."""
    against = [r for r in outcome.reasons if r.verdict and r.code != "RELEASED"]
    lasting = [r for r in against if r.code in LASTING]
    return list(dict.fromkeys(_remedy(reason, outcome.scope) for reason in lasting or against))


def _remedy(reason: Reason, scope: ScopeView | None) -> str:
    limits = {"soft": when(scope.soft_until), "hard": when(scope.hard_until)} if scope else {}
    return remedy(reason.code, reason.verdict.word, _covered(reason), **limits)


def _covered(reason: Reason) -> str:
    """The service, product or asset that was offered, where a reason is about that."""
    return _service(reason.covers[0] if reason.covers else "") or "the plain service"
