"""Clients judged again behind a change of the register that reaches back to them, one after the other.

A change may reach back to all clients, too many for one write, and for others to wait for. Until all are judged again
nothing else of the register counts, and whoever something happens to meanwhile is judged again first: so each client
meets the same facts in the same order, however fast the walk is.
"""

from itertools import islice

from gate.concern import Concern
from gate.facts import Fact
from gate.policy import Policy
from streams.clients import Clients, Told


class Walk:
    """Who waits to be judged again behind one change of the register."""

    def __init__(self, clients: Clients, fact: Fact) -> None:
        """The register of these clients has learnt the fact; who was judged again before is found unchanged."""
        self._clients = clients
        self._concern = Concern(fact, clients.register)
        self._waiting = dict.fromkeys(clients.behind(self._concern))

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, client: str) -> bool:
        return client in self._waiting

    @property
    def fact(self) -> Fact:
        """What changed the register."""
        return self._concern.fact

    @property
    def policy(self) -> Policy:
        """By which they are judged again."""
        return self._clients.policy

    def next(self, count: int) -> list[str]:
        """Whose turn comes next, so many at most, in the order of their references."""
        return list(islice(self._waiting, count))

    def concerns(self, client: str) -> bool:
        """Whether the change may concern him; who is not concerned stays as he is."""
        return self._clients.concerned(client, self._concern)

    def judge(self, client: str) -> tuple[Told, ...]:
        """Judge him again if his turn has not come, before anything else happens to him."""
        if client not in self._waiting:
            return ()
        del self._waiting[client]
        return self._clients.reopen(client, self._concern)
