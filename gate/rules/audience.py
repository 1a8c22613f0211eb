"""R8: a campaign that addressed the client's country before the request may have started it.

Law: MiCA Art. 61(1) subpara. 2; ESMA guideline 1, paras 12-13. Clock: the version's time; it never lapses.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Question, of_touches


def exposed_to_campaign(q: Question) -> Reason | None:
    """Block; flag if only weak exposures are found (a feature, or every country geo-blocked)."""
    sentence = "a campaign reached the client's country, or the client by its tag, before the request"
    return of_touches(q, "CAMPAIGN_EXPOSURE", sentence, Verdict.BLOCK, Verdict.FLAG)
