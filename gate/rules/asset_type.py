"""R11, R13: an asset of another type than the one asked for may not be marketed at all.

Law: MiCA Art. 61(2); ESMA guideline 4. Clock: the classifications at the offer's time; no time heals a new type.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Comparison
from gate.same_type import Pair, compare


def asset_is_new(q: Comparison) -> Reason | None:
    """Block assets told apart by a pair rule or type group; flag those that nobody has assessed."""
    offered, asked = q.thing.asset, q.scope.asset
    if offered is None or asked is None or offered == asked:
        return None
    register, at = q.register, q.offer.at
    pair, told = compare(register, offered, asked, at)
    if pair is Pair.SAME:
        return None
    facts = (*register.asset_entry(offered, at), *register.asset_entry(asked, at), q.scope.id)
    if pair is Pair.DIFFERENT:
        sentence = f"`{offered}` is not of the type of `{asked}`: {told}"
        return Reason("NEW_ASSET_TYPE", Verdict.BLOCK, sentence, facts, (offered, asked))
    sentence = f"nobody has assessed whether `{offered}` is of the type of `{asked}`"
    return Reason("TYPE_NOT_ASSESSED", Verdict.FLAG, sentence, facts, (offered, asked))
