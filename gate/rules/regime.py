"""R3: what is outside MiCA falls under another regime; the gate never lets it go.

Law: MiCA Art. 2(3)-(4). Clock: the classification at the offer's time.
"""

from typing import Final

from gate.facts import Instant, Thing
from gate.outcome import Reason, Verdict
from gate.register import Register

_OTHER: Final = frozenset(("financial_instrument", "deposit"))
_OUTSIDE: Final = _OTHER | {"unique_nft"}


def under_other_regime(register: Register, thing: Thing, at: Instant) -> Reason | None:
    """Block a financial instrument, deposit or unique token, offered or promoted."""
    stated = register.asset_classes(thing.asset, at) if thing.asset else frozenset()
    if thing.asset is None or not stated or not stated <= _OUTSIDE:
        return None  # Where some of one time state a class within MiCA, the asset is unclassified.
    code = "OTHER_REGIME" if stated & _OTHER else "OUT_OF_SCOPE_NFT"
    called = " or ".join(kind.replace("_", " ") for kind in sorted(stated))
    sentence = f"`{thing.asset}` is a {called}: MiCA's exemption does not reach it"
    return Reason(code, Verdict.BLOCK, sentence, register.asset_entry(thing.asset, at), (thing.asset,))
