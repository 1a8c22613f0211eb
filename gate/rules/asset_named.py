"""R13: where only one of offer and request names an asset, a person must see whether it was asked for.

Law: MiCA Art. 61(2); ESMA guideline 4; policy. No clock.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Comparison


def asset_is_not_named(q: Comparison) -> Reason | None:
    """Hold for a person."""
    offered, asked = q.thing.asset, q.scope.asset
    if (offered is None) == (asked is None):
        return None
    sentence = (
        f"the offer names `{offered}`, the request no asset"
        if offered
        else f"the request names `{asked}`, the offer none"
    )
    return Reason("ASSET_NOT_NAMED", Verdict.FLAG, sentence, (q.scope.id, q.offer.id), (offered or asked or "",))
