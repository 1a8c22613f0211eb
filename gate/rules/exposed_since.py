"""R8: what reached the client between his request and the offer may have moved him.

Law: MiCA Art. 61(1) subpara. 2; ESMA guideline 1. Clock: after the request, up to and at the offer.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Question, of_touches


def exposed_since_request(q: Question) -> Reason | None:
    """Hold for a person."""
    sentence = "the client was exposed to solicitation between the request and the offer"
    return of_touches(q, "EXPOSED_SINCE_REQUEST", sentence, Verdict.FLAG)
