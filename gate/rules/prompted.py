"""R9: what the firm named first, the client did not ask for by himself.

Law: MiCA Art. 61(1)-(2). Clock: what was sent at or before the request (judging section 4).
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Question


def request_was_prompted(q: Question) -> Reason | None:
    """Block a scope whose request answers the firm or what was sent to the client."""
    prompted = q.scope.prompted(q.policy.hard_limit)
    if not prompted:
        return None
    facts = tuple(dict.fromkeys([*prompted, q.scope.id]))
    sentence = "the request answers something that was sent to the client"
    return Reason("SCOPE_TAINTED", Verdict.BLOCK, sentence, facts, (q.scope.id,))
