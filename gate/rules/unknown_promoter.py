"""R7: whoever led the client here and is not in the register may have acted for the firm.

Law: MiCA Art. 61(1) subpara. 2; ESMA guideline 2, para. 19. Clock: the register at the time of the act.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Question, of_touches


def promoter_is_unknown(q: Question) -> Reason | None:
    """Hold until somebody registers the promoter."""
    sentence = "a promoter whom the register does not know led the client here before the request"
    return of_touches(q, "PROMOTER_UNKNOWN", sentence, Verdict.FLAG)
