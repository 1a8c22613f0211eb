"""R2: only clients established or situated in the Union are judged; doubt about where keeps them inside.

Law: MiCA Art. 61(1); the conflict rule is policy. Clock: indicators live at the offer's time; their end is outside.
"""

from typing import Final

from gate.dossier import Dossier, Indication
from gate.facts import Instant
from gate.outcome import Reason, Verdict
from gate.register import Register

STRONG: Final = frozenset(("kyc_residence", "registered_office", "tax_residence"))


def where_is_client(dossier: Dossier, register: Register, at: Instant) -> Reason | None:
    """Out of territory ends the judging; unknown and conflicting locations are held."""
    inside: list[Indication] = []
    outside: list[Indication] = []
    strong_inside = strong_outside = False
    for reached in dossier.members():
        for name, indications in reached.indicators.items():
            for i in indications:
                if i.until is not None and i.until <= at:
                    continue
                if register.in_scope(i.country, at):
                    inside.append(i)
                    strong_inside |= name in STRONG
                else:
                    outside.append(i)
                    strong_outside |= name in STRONG
    if not inside:
        return _outside(outside, strong_outside)
    if strong_inside or not strong_outside:
        return None
    return Reason(
        "LOCATION_CONFLICT",
        Verdict.FLAG,
        f"weak signs point to {_countries(inside)}, a strong one to {_countries(outside)}: where the client is must be settled",
        tuple(i.id for i in inside + outside)[:8],
    )


def _outside(outside: list[Indication], strong: bool) -> Reason:
    facts = tuple(i.id for i in outside)[:8]
    if strong:
        sentence = f"the client is in {_countries(outside)} and nothing points into the Union"
        return Reason("OUT_OF_TERRITORY", Verdict.ALLOW, sentence, facts)
    return Reason("LOCATION_UNKNOWN", Verdict.FLAG, "no strong sign says where the client is", facts)


def _countries(indications: list[Indication]) -> str:
    return ", ".join(sorted({i.country for i in indications}))
