"""R15: an offer belongs into the context of the original transaction.

Law: MiCA Art. 61(2); ESMA guideline 4. No clock.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Question


def outside_transaction(q: Question) -> Reason | None:
    """Block an offer under no transaction or another than the request's."""
    if q.said.transaction == q.scope.transaction:
        return None
    given = f"transaction `{q.said.transaction}`" if q.said.transaction else "no transaction"
    sentence = f"the offer names {given}, the request `{q.scope.transaction}`"
    return Reason("OUTSIDE_ORIGINAL_TRANSACTION", Verdict.BLOCK, sentence, (q.scope.id, q.offer.id))
