"""R14, R15: marketing may follow the client's own request for a very short time only.

Law: MiCA Art. 61(2) read with ESMA guideline 4; the numbers are policy.
Clock: event time of the request and of the offer. At a limit itself it is passed.
"""

from gate.outcome import Reason, Verdict
from gate.policy import DAY, HOUR
from gate.rules.question import Question


def window_is_shut(q: Question) -> Reason | None:
    """Block at or past the hard limit, flag at or past the soft one."""
    waited = q.offer.at - q.scope.opened
    if waited < q.policy.soft_limit:
        return None
    facts = (q.scope.id, q.offer.id)
    if q.offer.at >= q.scope.shut_at(q.policy.hard_limit):
        sentence = f"{waited // DAY} days after the request; the window is {q.policy.hard_limit / DAY:g} days"
        return Reason("WINDOW_EXPIRED", Verdict.BLOCK, sentence, facts)
    sentence = f"{waited // HOUR} hours after the request; from {q.policy.soft_limit / HOUR:g} a person decides"
    return Reason("WINDOW_SOFT_LIMIT", Verdict.FLAG, sentence, facts)
