"""The embedded gate: lines in, answers out, one process, any store. `decide`, `explain` and `demo` are thin callers.

The numbered order of effects for one line: 1 read, 2 recall, 3 step, 4 remember, 5 commit, 6 publish. The caller
commits, for one line or for many; what it published after a commit it may have to publish again.
"""

from collections import deque
from collections.abc import Iterator
from sys import intern

from gate.arrival import step
from gate.concern import concerns
from gate.dossier import BEFORE_EVERYTHING, Dossier
from gate.effects import Answer, Case, Deadline, Greeting, Notice, Step, case_of, derived_id
from gate.facts import OF_REGISTER, CampaignStarted, Fact, Instant
from gate.history import Record
from gate.known import Known
from gate.notices import closed, deadlines_at, opens_scope
from gate.policy import Policy
from gate.register import Register
from gate.revision import greeted, reopen
from state import Store
from streams import publish
from streams.index import Index
from streams.wire import Rejected, read, reused

Effect = Answer | Notice | Case | bytes
_RECORDED = "recorded"
_EXPOSED = "exposed "


class Gate:
    """One gate over one store; `take` is called for one line after the other."""

    def __init__(self, policy: Policy, store: Store) -> None:
        self.policy = policy
        self.register = Register(policy)
        self.store = store
        self._index = Index(policy.hard_limit)
        noted = store.noted(_RECORDED)
        self._recorded: Instant = int(noted) if noted else BEFORE_EVERYTHING
        self.last: Fact | None = None
        """The fact that was taken last."""
        for fact in store.learnt():
            self.register.learn(fact)
        for dossier in store.dossiers():
            self._recall(dossier)

    def _recall(self, dossier: Dossier) -> None:
        """Take a stored client into the index."""
        self._index.saw(dossier)
        for due in self._scopes(dossier):
            self._index.opened(dossier.own.countries, due.at - self.policy.hard_limit)
            if due.at > self._recorded:
                self._index.remind(due)

    def _scopes(self, dossier: Dossier) -> list[Deadline]:
        """The scopes of a client and when they close: from the dossier, or from the history where some were cut."""
        if not dossier.dropped:
            hard = self.policy.hard_limit
            client = intern(dossier.client)
            return [Deadline(s.opened + hard, client, s.source, s.id, s.service, s.asset) for s in dossier.scopes]
        facts = [r.fact for r in self.store.history(dossier.client) if r.fact is not None and r.of is None]
        return [deadline for fact in facts for deadline in deadlines_at(fact, self.policy)]

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
        if self._index.closes <= fact.recorded:
            self._close_due(fact.recorded, effects)
        if type(fact.said) in OF_REGISTER:
            effects += self._register(fact)
        else:
            self._client(fact, effects)
            if self._index.closes <= fact.recorded:
                self._close_due(fact.recorded, effects)
        return effects

    def _close_due(self, now: Instant, effects: list[Effect]) -> None:
        """After every line all scopes whose hard limit has passed are closed, so that nothing need be noted of it."""
        while self._index.closes <= now:
            effects.append(closed(self._index.due(), self.policy))

    def _client(self, fact: Fact, effects: list[Effect]) -> None:
        client, store = intern(fact.client), self.store
        known = Known(store.dossier(client), self.register)
        countries = tuple(known.dossier.own.countries)
        stepped = step(known, fact, self.policy)
        if isinstance(stepped, str):
            stepped = step(known, fact, self.policy, store.history(client))
        if isinstance(stepped, str):
            raise AssertionError(f"a step with the whole history asked for more, at event `{fact.id}`")
        self._keep(stepped, stepped.record)
        effects += stepped.told
        if opens_scope(fact):
            self._index.opened(stepped.dossier.own.countries, fact.at)
        elif len(stepped.dossier.own.countries) > len(countries):
            new = [c for c in stepped.dossier.own.countries if c not in countries]
            for due in self._scopes(stepped.dossier):
                self._index.opened(new, due.at - self.policy.hard_limit)
        if stepped.forwards:
            effects += self._greet(deque(stepped.forwards))

    def _keep(self, done: Step, *records: Record) -> None:
        self.store.keep(done.dossier, *records)
        self._index.saw(done.dossier)
        for deadline in done.deadlines:
            self._index.remind(deadline)

    def _greet(self, waiting: deque[Greeting]) -> Iterator[Effect]:
        while waiting:
            greeting = waiting.popleft()
            known = Known(self.store.dossier(greeting.to), self.register)
            steps = greeted(known, greeting, self.policy, self.store.history(greeting.to))
            last = steps[-1]
            self._keep(last, *(s.record for s in steps))
            yield from last.told
            waiting.extend(last.forwards)

    def _register(self, fact: Fact) -> Iterator[Effect]:
        self.register.learn(fact)
        self.store.learn(fact)
        if isinstance(fact.said, CampaignStarted):
            yield from self._exposure(fact, fact.said)
        for client in self._index.since(fact.at):
            known = Known(self.store.dossier(client), self.register)
            if not concerns(known.dossier, fact, self.register):
                continue
            done = reopen(known, fact.at, fact, self.policy, self.store.history(client))
            self._keep(done, *((done.record,) if done.answers else ()))
            yield from done.told

    def _exposure(self, fact: Fact, said: CampaignStarted) -> Iterator[Effect]:
        """One case a campaign, where it touched clients with open scopes (judging section 6)."""
        noted = _EXPOSED + said.campaign
        if self.store.noted(noted) is not None:
            return
        addressed = self.register.addresses(said)
        countries = self._index.countries() if addressed is None else addressed
        reached = sorted(
            c for c in countries if self.register.in_scope(c, fact.at) and self._index.any_open(c, fact.at)
        )
        if reached:
            self.store.note(noted, b"")
            sentence = f"campaign `{said.campaign}` reached clients with open scopes, in {', '.join(reached)}"
            case = case_of("EXPOSURE", sentence, None, fact)
            yield Case(derived_id("case", "EXPOSURE", said.campaign), case.why, case.said, None, (), case.facts)
