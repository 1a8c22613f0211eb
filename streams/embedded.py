"""The embedded gate: lines in, answers out, one process, any store. `decide`, `explain` and `demo` are thin callers.

The numbered order of effects for one line: 1 read, 2 recall, 3 step, 4 remember, 5 publish.
"""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush

from gate.arrival import step
from gate.dossier import Dossier
from gate.effects import Answer, Case, Deadline, Greeting, Notice, Step, case_of, derived_id
from gate.facts import OF_REGISTER, CampaignStarted, Fact, Instant, Located, Requested
from gate.history import Record
from gate.known import Known
from gate.notices import closed
from gate.policy import Policy
from gate.register import Register
from gate.revision import greeted, reopen
from state import Store
from streams import publish
from streams.wire import Rejected, read, reused

_OPENING = (Located, Requested)
Effect = Answer | Notice | Case | bytes


class Gate:
    """One gate over one store; `take` is called for one line after the other."""

    def __init__(self, policy: Policy, store: Store) -> None:
        self.policy = policy
        self.register = Register(policy)
        self._store = store
        self._recorded: Instant = -(2**62)
        self._deadlines: list[Deadline] = []
        self._latest: dict[str, Instant] = {}
        self._open: dict[str, dict[str, Instant]] = {}
        self._exposed: set[str] = set()
        self.last: Fact | None = None
        """The fact that was taken last."""

    def take(self, line: bytes) -> list[Effect] | Rejected:
        """Everything that follows from one line; a reject still may carry an answer, see `answer_to_reject`."""
        event = read(line, self._recorded, self.policy.clock_tolerance)
        if isinstance(event, Rejected):
            return event
        seen = self._store.seen(event.key, event.content)
        if seen is True:
            return []
        if seen is False:
            return reused(event)
        self._recorded = event.fact.recorded
        self.last = event.fact
        return self._learn(event.fact)

    def answer_to_reject(self, reject: Rejected, line: bytes) -> bytes | None:
        """The block of an offer that cannot be read but must be answered; the same bytes are answered once."""
        if reject.offer is None or reject.client is None:
            return None
        decision = derived_id("dec", "unreadable", line.hex(), self.policy.digest)
        if self._store.seen(bytes.fromhex(decision[4:20]), bytes(8)) is not None:
            return None
        recorded = max(self._recorded, reject.at or 0) if self._recorded > -(2**62) else reject.at or 0
        return publish.unreadable(reject, decision, recorded, self.policy)

    def line_of(self, effect: Effect) -> bytes:
        """An effect as a line of output."""
        match effect:
            case Answer():
                return publish.answered(effect, self.policy)
            case Notice():
                return publish.noticed(effect, self._recorded)
            case Case():
                return publish.case_opened(effect, self._recorded)
            case _:
                return effect

    def _learn(self, fact: Fact) -> list[Effect]:
        effects: list[Effect] = []
        if self._deadlines and self._deadlines[0].at <= fact.recorded:
            effects += self._close_due(fact.recorded)
        if type(fact.said) in OF_REGISTER:
            effects += self._register(fact)
        else:
            self._client(fact, effects)
        return effects

    def _client(self, fact: Fact, effects: list[Effect]) -> None:
        client, store = fact.client, self._store
        known = Known(store.dossier(client), self.register)
        stepped = step(known, fact, self.policy)
        if isinstance(stepped, str):
            stepped = step(known, fact, self.policy, store.history(client))
        if isinstance(stepped, str):
            raise AssertionError(f"a step with the whole history asked for more, at event `{fact.id}`")
        self._latest[client] = max(self._latest.get(client, fact.at), fact.at)
        effects += self._done(stepped, stepped.record)
        if isinstance(fact.said, _OPENING):
            self._index_open(stepped.dossier)
        if stepped.forwards:
            effects += self._greet(deque(stepped.forwards))

    def _done(self, done: Step, *records: Record) -> tuple[Effect, ...]:
        self._store.keep(done.dossier, *records)
        for deadline in done.deadlines:
            heappush(self._deadlines, deadline)
        return done.answers + done.notices + done.cases

    def _greet(self, waiting: deque[Greeting]) -> Iterator[Effect]:
        while waiting:
            greeting = waiting.popleft()
            known = Known(self._store.dossier(greeting.to), self.register)
            steps = greeted(known, greeting, self.policy, self._store.history(greeting.to))
            last = steps[-1]
            self._latest[greeting.to] = max(self._latest.get(greeting.to, 0), greeting.because.at)
            yield from self._done(last, *(s.record for s in steps))
            waiting.extend(last.forwards)

    def _register(self, fact: Fact) -> Iterator[Effect]:
        self.register.learn(fact)
        if isinstance(fact.said, CampaignStarted):
            yield from self._exposure(fact, fact.said)
        touched = [c for c, latest in self._latest.items() if latest >= fact.at]
        for client in touched:
            history = self._store.history(client)
            done = reopen(Known(self._store.dossier(client), self.register), fact.at, fact, self.policy, history)
            yield from self._done(done, *((done.record,) if done.answers else ()))

    def _index_open(self, dossier: Dossier) -> None:
        until = max((s.opened for s in dossier.scopes.values()), default=None)
        if until is None:
            return
        for country in dossier.own.countries:
            self._open.setdefault(country, {})[dossier.client] = until + self.policy.hard_limit

    def _exposure(self, fact: Fact, said: CampaignStarted) -> Iterator[Effect]:
        """One case a campaign, where it touched clients with open scopes (judging section 6)."""
        addressed = self.register.addresses(said)
        reached: set[str] = set()
        for country in self._open if addressed is None else addressed:
            if self.register.in_scope(country, fact.at):
                there = self._open.get(country, {})
                reached.update(
                    c for c, until in there.items() if until > fact.at and until - self.policy.hard_limit <= fact.at
                )
        if reached and said.campaign not in self._exposed:
            self._exposed.add(said.campaign)
            sentence = f"campaign `{said.campaign}` reached {len(reached)} clients with open scopes"
            case = case_of("EXPOSURE", sentence, None, fact)
            yield Case(derived_id("case", "EXPOSURE", said.campaign), case.why, case.said, None, (), case.facts)

    def _close_due(self, now: Instant) -> Iterator[Effect]:
        while self._deadlines and self._deadlines[0].at <= now:
            due = heappop(self._deadlines)
            dossier = self._store.dossier(due.client)
            scope = dossier.scopes.get(due.scope)
            self._store.keep(dossier)
            if scope is not None and not scope.prompts:
                yield closed(due.client, scope, self.policy)
