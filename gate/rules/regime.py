"""R3: what is outside MiCA falls under another regime; the gate never lets it go.

Law: MiCA Art. 2(3)-(4). Clock: the classification at the offer's time.
"""

from typing import Final

from gate.facts import Instant, Thing
from gate.outcome import Reason, Verdict
from gate.register import Register

_OTHER: Final = frozenset(("financial_instrument", "deposit"))


def under_other_regime(register: Register, thing: Thing, at: Instant) -> Reason | None:
    """Block a financial instrument, deposit or unique token, offered or promoted."""
    classified = register.asset(thing.asset, at) if thing.asset else None
    if classified is None or thing.asset is None:
        return None
    kind = classified.kind
    if kind not in _OTHER and kind != "unique_nft":
        return None
    code = "OTHER_REGIME" if kind in _OTHER else "OUT_OF_SCOPE_NFT"
    sentence = f"`{thing.asset}` is a {kind.replace('_', ' ')}: MiCA's exemption does not reach it"
    return Reason(code, Verdict.BLOCK, sentence, register.asset_entry(thing.asset, at), (thing.asset,))
