"""When two assets are of one type: the pair rules and the firm's own assessment.

Law: MiCA Art. 61(2); ESMA guideline 4 (the list of pairs is unverified, see LAW.md); judging section 5, step 7.
Clock: the classifications in force at the asked time.
"""

from enum import Enum

from gate.facts import AssetClassified, Instant
from gate.register import Register


class Pair(Enum):
    """How two different assets stand to each other."""

    SAME = "same"
    DIFFERENT = "different"
    NOT_ASSESSED = "not assessed"


def compare(register: Register, a: str, b: str, at: Instant) -> tuple[Pair, str]:
    """How two assets stand to each other, and what tells them apart."""
    return between(register.asset(a, at), register.asset(b, at))


def between(one: AssetClassified | None, other: AssetClassified | None) -> tuple[Pair, str]:
    """How two different assets that are classified so stand to each other; None is not classified."""
    told = _pair_rule(one, other) if one and other else None
    if told:
        return Pair.DIFFERENT, told
    groups = [_stated(c.type_group) if c and c.approved_by else None for c in (one, other)]
    if None in groups:
        return Pair.NOT_ASSESSED, ""
    if groups[0] != groups[1]:
        return Pair.DIFFERENT, f"type group `{groups[0]}` is not `{groups[1]}`"
    return Pair.SAME, ""


def _stated(text: str | None) -> str | None:
    """A blank states nothing."""
    return text if text and text.strip() else None


def _pair_rule(a: AssetClassified, b: AssetClassified) -> str | None:
    """What P1-P6 tell apart, of what both classifications state."""
    stated: list[tuple[str, object, object]] = [("class", a.kind, b.kind)]
    stated.append(("technology", _stated(a.technology), _stated(b.technology)))
    if a.kind == b.kind == "emt":
        stated.append(("reference currency", _stated(a.reference_currency), _stated(b.reference_currency)))
    if a.kind == b.kind == "art":
        stated.append(("basket", a.basket, b.basket))
    stated += [("liquid", a.liquid, b.liquid), ("identifiable issuer", a.identifiable_issuer, b.identifiable_issuer)]
    for name, x, y in stated:
        if x is not None and y is not None and x != y:
            return f"{name} `{x}` is not `{y}`"
    return None


def agree(register: Register, a: str | None, b: str | None, at: Instant) -> bool:
    """Whether two assets agree for prompting: equal, one not named, or nothing tells them apart (judging section 4)."""
    return a is None or b is None or a == b or compare(register, a, b, at)[0] is not Pair.DIFFERENT


def lacking(classified: AssetClassified | None) -> str | None:
    """What a classification lacks to be leaned on; None if it is complete and approved."""
    if classified is None:
        return "is not classified"
    if not classified.approved_by:
        return "has no approved classification"
    missing = [
        name
        for name, value, needed in (
            ("technology", _stated(classified.technology), True),
            ("liquid", classified.liquid, True),
            ("identifiable_issuer", classified.identifiable_issuer, True),
            ("reference_currency", _stated(classified.reference_currency), classified.kind == "emt"),
            ("basket", classified.basket, classified.kind == "art"),
        )
        if needed and value is None
    ]
    return f"lacks {', '.join(missing)}" if missing else None
