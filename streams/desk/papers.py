"""A client's evidence as the gate counts it: whose approvals count, and what two people have retracted."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from gate.dossier import Dossier
from gate.evolve import evolve, filing_of
from gate.facts import EvidenceFiled, Instant
from gate.instants import LATEST
from gate.register import Register
from gate.solicitation import approvers, is_withdrawn
from streams.border.wire import Read, read
from streams.policy_file import load

_REGISTER: Final = Register(load())
"""Nothing of it matters for evidence."""


class Paper(Struct, frozen=True):
    """One piece of evidence as it was filed."""

    said: EvidenceFiled
    at: Instant
    approved: list[str]
    """Whose approval counts; those of a policy that lets kinds or filers approve themselves are not known here."""
    retracted: bool


def papers(client: str, events: Sequence[Any]) -> list[Paper]:
    """Of a client's events about evidence what was filed, in their order."""
    found = [read(e.body.encode(), e.recorded, LATEST, e.recorded) for e in events]
    facts = [each.fact for each in found if isinstance(each, Read)]
    dossier = Dossier(client, full=True)
    for fact in facts:
        evolve(dossier, fact, _REGISTER)
    own, filers = dossier.own, dossier.filers(filing.evidence for filing in dossier.every_filing())
    filed = []
    for fact in facts:
        if isinstance(fact.said, EvidenceFiled):
            filing = filing_of(fact)
            approved = approvers(filing, own.approvals.get(filing.evidence, {}), filers[filing.evidence])
            filed.append(Paper(fact.said, fact.at, approved, is_withdrawn(filing, own)))
    return filed
