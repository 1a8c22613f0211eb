"""A decision for a person: verdict, reasons, law, facts by id and time, the window, and the nearest lawful offer."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gate.effects import Answer
from gate.facts import Fact, Instant, Proposed
from gate.instants import text
from gate.law import DUTIES
from gate.outcome import Outcome, ScopeView, Verdict
from gate.policy import Policy

WIDTH = 48
_WORDS = {Verdict.ALLOW: "ALLOWED", Verdict.FLAG: "HELD for a person", Verdict.BLOCK: "BLOCKED"}
_NEAREST = {
    "LOCATION_UNKNOWN": "if a strong sign (residence, registered office, tax) says where the client is",
    "LOCATION_CONFLICT": "if the conflict of locations is settled",
    "OTHER_REGIME": "not under MiCA at all: ask counsel which regime applies",
    "OUT_OF_SCOPE_NFT": "not under MiCA at all: ask counsel which regime applies",
    "MIXED_CONTENT": "without the promotion, link or contact form it passes as a notice",
    "EXIT_ONLY": "no offers any more; help with leaving and notices pass",
    "SUSPENDED": "once the relationship is restored by two people",
    "INITIATION_UNKNOWN": "if the client asks for it himself, unprompted, with a record of his request",
    "NEW_SERVICE_TYPE": "if the client asks for {service} himself, unprompted, with a record of his request",
    "NEW_PRODUCT_TYPE": "if the client asks for this product himself, or compliance maps the two products",
    "NEW_ASSET_TYPE": "if the client asks for {asset} himself, unprompted, with a record of his request",
    "TYPE_UNCLASSIFIED": "once the asset is classified in full and approved; two people may release this alone",
    "TYPE_NOT_ASSESSED": "once both assets are in one approved type group",
    "ASSET_NOT_NAMED": "if request and offer name the same asset, or neither names one",
    "INITIATION_SOLICITED": "never on this request: it was solicited",
    "PERSON_CHAIN_SOLICITATION": "never on this request: it was solicited",
    "CAMPAIGN_EXPOSURE": "if two people narrow the exposure to what the campaign spoke of",
    "EVIDENCE_CONTRADICTED": "if two people withdraw the evidence as false",
    "PROMOTER_UNKNOWN": "if the register shows the promoter to be independent",
    "EXPOSED_SINCE_REQUEST": "if two people release it, or narrow the exposure",
    "SCOPE_TAINTED": "if the client asks again without being prompted",
    "ATTESTATION_ONLY": "if a record of the client's own request is filed and approved",
    "EVIDENCE_ABSENT": "if a record of the client's own request is filed and approved",
    "EVIDENCE_UNAPPROVED": "once somebody other than the filer approves the record",
    "CHANNELS_NOT_SEARCHED": "once an approved search covers all channels",
    "WINDOW_EXPIRED": "it could have gone out until {soft}; now only after a fresh request of the client's own",
    "WINDOW_SOFT_LIMIT": "it could have gone out until {soft} without a person; two people may release it until {hard}",
    "OUTSIDE_ORIGINAL_TRANSACTION": "under the transaction of the client's own request",
    "RULE_FAILED": "once the gate can evaluate its rules again; tell whoever runs it",
}


def explain(answer: Answer, facts: dict[str, Fact], policy: Policy, console: Console) -> None:
    """Print one decision; `facts` are events by id."""
    outcome, offer = answer.outcome, answer.offer
    said = offer.said
    assert isinstance(said, Proposed)
    sendable = f"may be sent{_until(answer)}" if answer.standing.may_send else "may not be sent"
    console.print(f"\n[bold]{_WORDS[outcome.verdict]}[/bold], {sendable}: {escape(outcome.reasons[0].said)}.")
    asset = f" of {said.asset}" if said.asset else ""
    console.print(f"Offer {said.offer} to {offer.client}: {said.service}{asset}, at {text(offer.at)}.")
    if answer.supersedes and answer.because:
        console.print(f"It supersedes {answer.supersedes}, because {answer.because.id} became known.")
    console.print(_reasons(outcome, facts))
    if outcome.scope:
        console.print(timeline(outcome.scope, offer.at), highlight=False)
    for line in nearest(outcome, said):
        console.print(f"  [bold]Lawful[/bold] {escape(line)}.")
    state, grade, evidence = outcome.initiation
    console.print(f"Initiation {state.replace('_', ' ')}, evidence grade {grade} ({', '.join(evidence) or 'none'}).")
    console.print(f"Policy {policy.version}, {policy.digest}. Decision {answer.standing.decision}.")


def _until(answer: Answer) -> str:
    return f" until {text(answer.standing.send_by)}" if answer.standing.send_by is not None else ""


def _reasons(outcome: Outcome, facts: dict[str, Fact]) -> Table:
    table = Table()
    for name in ("reason", "verdict", "in words", "law", "facts"):
        table.add_column(name, overflow="fold")
    for r in outcome.reasons:
        leaned = "\n".join(f"{i} {text(facts[i].at)}" if i in facts else i for i in dict.fromkeys(r.facts))
        table.add_row(r.code, r.verdict.word, escape(r.said), DUTIES[r.code].law, leaned)
    return table


def timeline(scope: ScopeView, at: Instant) -> str:
    """The window as a line: request, soft limit, hard limit, and where the offer stands."""
    span = max(scope.hard_until, at) - scope.opened_at or 1

    def place(moment: Instant) -> int:
        return max(0, min(WIDTH - 1, (moment - scope.opened_at) * (WIDTH - 1) // span))

    soft, hard = place(scope.soft_until), place(scope.hard_until)
    line = ["=" if n < soft else "-" if n < hard else "." for n in range(WIDTH)]
    line[0] = "R"
    line[place(at)] = "O"
    legend = f"R request {text(scope.opened_at)}   = to {text(scope.soft_until)}   - to {text(scope.hard_until)}"
    return f"  {''.join(line)}\n  {legend}   O this offer"


def nearest(outcome: Outcome, said: Proposed) -> list[str]:
    """What would have had to be different for each reason against the offer."""
    scope = outcome.scope
    words = {
        "service": said.service,
        "asset": said.asset or "it",
        "soft": text(scope.soft_until) if scope else "",
        "hard": text(scope.hard_until) if scope else "",
    }
    against = [r.code for r in outcome.reasons if r.verdict]
    return [_NEAREST[code].format(**words) for code in against if code in _NEAREST]
