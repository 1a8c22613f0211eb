"""The embedded gate: lines in, answers out, one process, any store. `decide`, `explain` and `demo` are thin callers.

The numbered order of effects for one line: 1 read, 2 recall, 3 step, 4 remember, 5 commit, 6 publish. The caller
commits, for one line or for many; what it published after a commit it may have to publish again.
"""

from collections import deque

from gate.dossier import BEFORE_EVERYTHING
from gate.effects import Answer, Case, Greeting, Notice, derived_id
from gate.facts import OF_REGISTER, Fact, Instant
from gate.policy import Policy
from gate.register import Register
from state import Store
from streams import publish
from streams.clients import Clients
from streams.clients import Effect as OfClients
from streams.wire import Rejected, read, reused

Effect = Answer | Notice | Case
_RECORDED = "recorded"


class Gate:
    """One gate over one store; `take` is called for one line after the other."""

    def __init__(self, policy: Policy, store: Store) -> None:
        self.policy = policy
        self.register = Register(policy)
        self.store = store
        noted = store.noted(_RECORDED)
        self._recorded: Instant = int(noted) if noted else BEFORE_EVERYTHING
        self.last: Fact | None = None
        """The fact that was taken last."""
        for fact in store.learnt():
            self.register.learn(fact)
        self._clients = Clients(policy, self.register, store, self._recorded)

    def take(self, line: bytes) -> list[Effect] | Rejected:
        """Everything that follows from one line; a reject still may carry an answer, see `answer_to_reject`."""
        event = read(line, self._recorded, self.policy.clock_tolerance)
        if isinstance(event, Rejected):
            return event
        seen = self.store.seen(event.key, event.content)
        if seen is True:
            return []
        if seen is False:
            return reused(event)
        self._recorded = event.fact.recorded
        self.last = event.fact
        return self._learn(event.fact)

    def commit(self) -> None:
        """Make everything taken so far last."""
        self.store.note(_RECORDED, str(self._recorded).encode())
        self.store.commit()

    def answer_to_reject(self, reject: Rejected, line: bytes) -> bytes | None:
        """The block of an offer that cannot be read but must be answered; the same bytes are answered once."""
        if reject.offer is None or reject.client is None:
            return None
        decision = derived_id("dec", "unreadable", line.hex(), self.policy.digest)
        if self.store.seen(bytes.fromhex(decision[4:20]), bytes(8)) is not None:
            return None
        recorded = max(self._recorded, reject.at or 0) if self._recorded > BEFORE_EVERYTHING else reject.at or 0
        return publish.unreadable(reject, decision, recorded, self.policy)

    def line_of(self, effect: Effect) -> bytes:
        """An effect as a line of output."""
        return publish.line_of(effect, self._recorded, self.policy)

    def _learn(self, fact: Fact) -> list[Effect]:
        found: list[OfClients] = [*self._clients.close_due(fact.recorded)]
        found += self._register(fact) if type(fact.said) in OF_REGISTER else self._clients.learn(fact)
        effects = self._delivered(found)
        effects += self._clients.close_due(fact.recorded)
        return effects

    def _register(self, fact: Fact) -> list[OfClients]:
        self.register.learn(fact)
        self.store.learn(fact)
        found: list[OfClients] = [*self._clients.exposed(fact)]
        for client in self._clients.behind(fact):
            found += self._clients.reopen(client, fact)
        return found

    def _delivered(self, found: list[OfClients]) -> list[Effect]:
        """Hand every message to the merged client whom it is for, until all is said."""
        effects: list[Effect] = []
        waiting = deque(found)
        while waiting:
            effect = waiting.popleft()
            if isinstance(effect, Greeting):
                waiting.extend(self._clients.greet(effect))
            else:
                effects.append(effect)
        return effects
