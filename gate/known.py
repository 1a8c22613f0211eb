"""Everything we knew when asked: the client's dossier and the shared register."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gate.dossier import Dossier, Scope
from gate.policy import Policy
from gate.register import Register


def outdated(dossier: Dossier, register: Register) -> bool:
    """Whether the dossier holds what another policy concluded otherwise, so that only the history can tell."""
    return dossier.concluded != "" and dossier.concluded != register.concluding


class Index:
    """Look-ups in an uncut dossier, which may be long; a short one is simply looked through."""

    def __init__(self) -> None:
        self.filers: dict[str, set[str]] = {}
        """Who filed which evidence of the client's own."""
        self.latest: dict[str, Scope] = {}
        """The latest scope of each service."""
        self.asked: dict[tuple[str, str], tuple[Scope, ...]] = {}
        """Scopes by service and transaction."""

    def filed(self, evidence: str, by: str) -> None:
        """Somebody filed evidence."""
        self.filers.setdefault(evidence, set()).add(by)

    def opened(self, scope: Scope) -> None:
        """A scope was opened."""
        known = self.latest.get(scope.service)
        if known is None or scope.rank > known.rank:
            self.latest[scope.service] = scope
        asked = (scope.service, scope.transaction)
        self.asked[asked] = (*self.asked.get(asked, ()), scope)

    def branched(self) -> "Index":
        """Another index, of a branch of the dossier, in which other scopes are opened."""
        branch = Index()
        branch.filers, branch.latest, branch.asked = self.filers, dict(self.latest), dict(self.asked)
        return branch


class Known(NamedTuple):
    """What `decide` leans on; it changes nothing of it."""

    dossier: Dossier
    register: Register
    quick: Index | None = None
    """Of the dossier, where that is a long one."""
    every: bool = False
    """Whether every solicitation is to be found, or of each promoter and campaign as many as reasons name."""

    @property
    def policy(self) -> Policy:
        """What is judged by: INVARIANT (one policy), see `gate.arrival.step`."""
        return self.register.policy

    def filers(self, evidence: Iterable[str]) -> dict[str, set[str]]:
        """Who filed each of these, as far as is kept: they do not approve it."""
        if self.quick is None:
            return self.dossier.filers(evidence)
        return {one: self.quick.filers.get(one, set()) for one in evidence}

    def latest_scope(self, service: str) -> Scope | None:
        """The latest scope of a service."""
        if self.quick is None:
            return max((s for s in self.dossier.scopes if s.service == service), key=lambda s: s.rank, default=None)
        return self.quick.latest.get(service)

    def of_transaction(self, service: str, transaction: str | None) -> Sequence[Scope]:
        """Scopes of a service and a transaction, in the order in which they were learnt of."""
        if self.quick is None:
            return [s for s in self.dossier.scopes if s.service == service and s.transaction == transaction]
        return self.quick.asked.get((service, transaction or ""), ())
