"""R12: another product family of the same service is a new type unless somebody mapped the two.

Law: MiCA Art. 61(2); ESMA guideline 4; policy. Clock: the register at the offer's time. Nothing maps to plain.
"""

from gate.outcome import Reason, Verdict
from gate.rules.question import Comparison


def product_is_new(q: Comparison) -> Reason | None:
    """Block unless the products are equal or an approved entry maps one directly to the other."""
    offered, asked = q.thing.product, q.scope.product
    if offered == asked:
        return None
    if offered and asked:
        register, at = q.register, q.offer.at
        if register.maps(offered, asked, q.scope.service, at) or register.maps(asked, offered, q.scope.service, at):
            return None
    sentence = f"{_name(offered)} was offered, {_name(asked)} was asked for"
    return Reason("NEW_PRODUCT_TYPE", Verdict.BLOCK, sentence, (q.scope.id, q.offer.id), (offered or "",))


def _name(product: str | None) -> str:
    return f"product `{product}`" if product else "the plain service"
