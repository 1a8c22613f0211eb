"""R7: evidence that the client was solicited contradicts his own initiative.

Law: MiCA Art. 61(1) subparas 2-3; ESMA guideline 3, para. 24. Clock: when he was solicited, or before everything.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Question, of_touches


def evidence_contradicts(q: Question) -> Reason | None:
    """Block approved evidence, flag what nobody has approved yet."""
    sentence = "evidence on file says that the client was solicited before the request"
    return of_touches(q, "EVIDENCE_CONTRADICTED", sentence, Verdict.BLOCK, Verdict.FLAG)
