"""Everything we knew when asked: the client's dossier and the shared register."""

from bisect import insort
from collections.abc import Iterable
from typing import NamedTuple

from gate.dossier import Dossier, Scope, keep_latest, latest_of_each
from gate.facts import Instant
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
        self.asked: dict[tuple[str, str], list[Scope]] = {}
        """Scopes by service and transaction, in the order of their rank."""

    def filed(self, evidence: str, by: str) -> None:
        """Somebody filed evidence."""
        self.filers.setdefault(evidence, set()).add(by)

    def opened(self, scope: Scope) -> None:
        """A scope was opened."""
        keep_latest(self.latest, scope)
        insort(self.asked.setdefault((scope.service, scope.transaction), []), scope, key=_rank)

    def branched(self) -> "Index":
        """Another index, of a branch of the dossier, in which other scopes are opened."""
        branch = Index()
        branch.filers, branch.latest = self.filers, dict(self.latest)
        branch.asked = {asked: [*scopes] for asked, scopes in self.asked.items()}
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
            return latest_of_each(self.dossier.scopes).get(service)
        return self.quick.latest.get(service)

    def of_transaction(self, service: str, transaction: str | None) -> Iterable[Scope]:
        """Scopes of a service and a transaction, the latest first."""
        if self.quick is None:
            found = [s for s in self.dossier.scopes if s.service == service and s.transaction == transaction]
            return sorted(found, key=_rank, reverse=True)
        return reversed(self.quick.asked.get((service, transaction or ""), []))


def _rank(scope: Scope) -> tuple[Instant, str, str]:
    return scope.rank
