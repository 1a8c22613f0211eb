"""R13: an asset without a complete and approved classification cannot be compared.

Law: MiCA Art. 61(2); ESMA guideline 4; policy. Clock: the classification at the offer's time.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Comparison
from gate.same_type import lacking


def asset_is_unclassified(q: Comparison) -> Reason | None:
    """Block if an asset that offer or request names is not classified, not approved or incomplete."""
    register, at = q.register, q.offer.at
    said: list[str] = []
    assets: list[str] = []
    entries: list[str] = []
    for asset in dict.fromkeys((q.thing.asset, q.scope.asset)):
        why = lacking(register.asset(asset, at)) if asset else None
        if asset and why:
            said.append(f"`{asset}` {why}")
            assets.append(asset)
            entries += register.asset_entry(asset, at)
    if not said:
        return None
    return Reason(
        "TYPE_UNCLASSIFIED", Verdict.BLOCK, "; ".join(said), (*entries, q.scope.id, q.offer.id), tuple(assets)
    )
