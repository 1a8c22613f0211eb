"""R7: who was personally solicited at or before his request did not come at his own exclusive initiative.

Law: MiCA Art. 61(1) subpara. 2; ESMA guidelines 1 and 2. Clock: effective time; equal to the request counts as before.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Question, of_touches


def solicited_by_the_firm(q: Question) -> Reason | None:
    """Block what the firm itself started."""
    return of_touches(q, "INITIATION_SOLICITED", "the firm solicited the client before the request", Verdict.BLOCK)


def solicited_by_the_chain(q: Question) -> Reason | None:
    """Block what anybody in the firm's chain of persons started."""
    sentence = "somebody acting for or linked to the firm solicited the client before the request"
    return of_touches(q, "PERSON_CHAIN_SOLICITATION", sentence, Verdict.BLOCK)
