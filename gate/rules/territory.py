"""R2: only clients established or situated in the Union are judged; doubt about where keeps them inside.

Law: MiCA Art. 61(1); the conflict rule is policy. Clock: indicators live at the offer's time; their end is outside.
"""

from collections.abc import Iterator
from typing import Final

from gate.dossier import Dossier, Indication
from gate.facts import Instant
from gate.outcome import SHOWN_FACTS, Reason, Verdict
from gate.register import Register

STRONG: Final = frozenset(("kyc_residence", "registered_office", "tax_residence"))
_Sign = tuple[str, Indication]
"""An indicator's name, and what it says."""


def where_is_client(dossier: Dossier, register: Register, at: Instant) -> Reason | None:
    """Out of territory ends the judging; unknown and conflicting locations are held."""
    inside: list[_Sign] = []
    outside: list[_Sign] = []
    for sign in _live(dossier, at):
        (inside if register.in_scope(sign[1].country, at) else outside).append(sign)
    if not inside:
        return _outside(outside)
    if _is_strong(inside) or not _is_strong(outside):
        return None
    return Reason(
        "LOCATION_CONFLICT",
        Verdict.FLAG,
        f"weak signs point to {_countries(inside)}, a strong one to {_countries(outside)}: where the client is must be settled",
        _facts(inside + outside),
    )


def is_outside(where: Reason | None) -> bool:
    """Whether what `where_is_client` says ends the judging."""
    return where is not None and where.verdict is Verdict.ALLOW


def _live(dossier: Dossier, at: Instant) -> Iterator[_Sign]:
    """Every sign that holds at that time, of the client himself and of who is the same person."""
    for reached in dossier.members():
        for name, indications in reached.indicators.items():
            yield from ((name, i) for i in indications if i.until is None or at < i.until)


def _outside(outside: list[_Sign]) -> Reason:
    facts = _facts(outside)
    if _is_strong(outside):
        sentence = f"the client is in {_countries(outside)} and nothing points into the Union"
        return Reason("OUT_OF_TERRITORY", Verdict.ALLOW, sentence, facts)
    return Reason("LOCATION_UNKNOWN", Verdict.FLAG, "no strong sign says where the client is", facts)


def _is_strong(signs: list[_Sign]) -> bool:
    return any(name in STRONG for name, _ in signs)


def _facts(signs: list[_Sign]) -> tuple[str, ...]:
    return tuple(i.id for _, i in signs[:SHOWN_FACTS])


def _countries(signs: list[_Sign]) -> str:
    return ", ".join(sorted({i.country for _, i in signs}))
