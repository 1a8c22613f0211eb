"""R5, R6: own initiative must be proven by an approved record of the request and a search of all channels.

Law: MiCA Art. 61(1); ESMA guideline 3, para. 24 for declarations. Clock: evidence counts from its own time.
"""

from typing import Final

from gate.dossier import Filing
from gate.known import Known
from gate.outcome import Reason, Verdict
from gate.rules.question import Question
from gate.solicitation import is_withdrawn, proven

INBOUND: Final = frozenset(("inbound_email", "inbound_call", "inbound_chat", "inbound_letter", "session_log"))
DECLARATIONS: Final = frozenset(("attestation", "tick_box", "terms_clause"))


def record_is_lacking(q: Question) -> Reason | None:
    """The first that fits: only declared, nothing filed, nothing approved, channels not searched."""
    grade, filings, missing = graded(q.known, q.scope.id)
    facts = (*(f.id for f in filings[:4]), q.scope.id)
    if grade == "D":
        sentence = "only a declaration speaks for the client's own initiative; it has no weight"
        declared = q.known.dossier.declared
        told = (*((declared.id,) if declared else ()), *facts)
        return Reason("ATTESTATION_ONLY", Verdict.BLOCK, sentence, told)
    if grade == "none":
        return Reason("EVIDENCE_ABSENT", Verdict.BLOCK, "no record of the request is filed", facts)
    if grade == "C":
        return Reason("EVIDENCE_UNAPPROVED", Verdict.BLOCK, "the record of the request is not approved", facts)
    if missing:
        sentence = f"no approved search covers {', '.join(missing)}"
        return Reason("CHANNELS_NOT_SEARCHED", Verdict.FLAG, sentence, facts)
    return None


def search_is_filed(known: Known, request: str) -> bool:
    """Whether a search of channels was filed at all; without one some are still to be searched."""
    return any(f.kind == "channel_search" for f in known.dossier.filings.get(request, ()))


def graded(known: Known, request: str) -> tuple[str, list[Filing], list[str]]:
    """The grade of initiation (A, B, C, D, none), the evidence it leans on, and channels still to be searched."""
    own = known.dossier.own
    standing = [f for f in known.dossier.filings.get(request, ()) if not is_withdrawn(f, own)]
    inbound = [f for f in standing if f.supports == "initiation" and f.kind in INBOUND]
    if not inbound:
        declared = [f for f in standing if f.kind in DECLARATIONS and f.supports != "solicitation"]
        return ("D" if declared or known.dossier.declared else "none"), declared, []
    approved = proven(known, inbound)
    if not approved:
        return "C", inbound, []
    made = [f for f in standing if f.kind == "channel_search" and f.supports == "no_solicitation"]
    searches = proven(known, made)
    searched = {c for f in searches for c in f.channels}
    missing = [c for c in known.policy.required_channels if c not in searched]
    return ("B" if missing else "A"), approved + searches, missing
