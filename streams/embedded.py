"""The embedded gate: lines in, answers out, one process, any store. `decide`, `explain` and `demo` are thin callers.

The numbered order of effects for one line: 1 read, 2 recall, 3 step, 4 remember, 5 commit, 6 publish. The caller
commits, for one line or for many; what it published after a commit it may have to publish again.
"""

from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from gate.dossier import BEFORE_EVERYTHING
from gate.effects import Greeting, Notice
from gate.facts import OF_REGISTER, Fact, Instant
from gate.policy import Policy
from gate.register import Register
from state import RegisterStore
from state.notes import CLOSED, FORMER_LIMITS, RECORDED, WALK
from streams import publish
from streams.border.wire import Read, Rejected, read, read_parts, reused
from streams.clients import Clients, Effect, Told
from streams.closings import Closings, limits_from_bytes, limits_to_bytes
from streams.walk import Walk

Later = Callable[[Sequence[Told], Instant], None]
"""Is told what follows for one client behind a change of the register, and when that was recorded."""
Beside = Sequence[tuple[str, bytes]]
_NOTED = bytes(8)
"""In place of an event's content, where it is noted that bytes were answered."""
_HARD = "hard"
"""The note of the hard limit in force."""


class Gate:
    """One gate over one store; `take` is called for one line after the other."""

    def __init__(
        self, policy: Policy, store: RegisterStore, at_once: int | None = None, later: Later | None = None
    ) -> None:
        """From one `begin` to the next `at_once` scopes are closed at most; None closes all that are due.

        Where a change of the register reaches back to clients they are judged again with it, or, where `later` is to be
        told what follows, by `walk`.
        """
        self.policy = policy
        self._later = later
        self._at_once = self._room = at_once
        self.register = Register(policy)
        self.store = store
        noted = store.noted(RECORDED)
        self._recorded: Instant = int(noted) if noted else BEFORE_EVERYTHING
        noted = store.noted(CLOSED) or noted
        self._closed: Instant = int(noted) if noted else BEFORE_EVERYTHING
        """Up to when scopes are closed: later than what was recorded last where a line says an earlier time."""
        self.last: Fact | None = None
        """The fact that was taken last."""
        learnt = store.learnt()
        for fact in learnt:
            self.register.learn(fact)
        self._learnt = len(learnt)
        self._hard = int(store.noted(_HARD) or policy.hard_limit)
        """The hard limit by which scopes are closed up to then; another one than the policy's until all are by that."""
        closings = Closings(self._closed, limits_from_bytes(store.noted(FORMER_LIMITS)))
        self._closings = closings.under(policy.hard_limit, self._hard)
        self._clients = Clients(policy, self.register, store, self._closings)
        noted = store.noted(WALK)
        walked = int(noted) if noted else -1
        self._walk = Walk(self._clients, learnt[walked]) if walked >= 0 else None

    def take(self, line: bytes) -> list[Told] | Rejected:
        """Everything that follows from one line; a reject still may carry an answer, see `answer_to_reject`."""
        event = self.read(line)
        if isinstance(event, Rejected):
            return event
        followed = self.fold(event)
        return [] if followed is None else followed

    def read(
        self, line: bytes, received: Instant | None = None, attributes: dict[str, Any] | None = None
    ) -> Read | Rejected:
        """One line as an event; `attributes` are those that travelled beside its data.

        `received` is a clock's time of arrival, which counts instead of the event's own word. A clock that was set
        back is not followed: recorded times never decrease. What was taken before is read whatever its time.
        """
        appended = None if received is None else max(received, self._recorded)
        previous, tolerance = appended or self._recorded, self.policy.clock_tolerance
        if attributes:
            event = read_parts(attributes, line, previous, tolerance, appended)
        else:
            event = read(line, previous, tolerance, appended)
        if isinstance(event, Rejected) and event.ahead is not None:
            ahead = event.ahead
            return ahead if self.store.known(ahead.key, ahead.content) else event
        return event

    def fold(self, event: Read) -> list[Told] | Rejected | None:
        """Everything that follows from an event; None for a repetition, from which nothing does."""
        seen = self.store.seen(event.key, event.content)
        if seen is True:
            return None
        if seen is False:
            return reused(event)
        self._recorded = event.fact.recorded
        self.last = event.fact
        return self._learn(event.fact)

    @property
    def recorded(self) -> Instant:
        """When what was taken last was recorded."""
        return self._recorded

    def due(self, now: Instant) -> bool:
        """Whether scopes are to be closed by then."""
        return self._clients.due(now)

    def wake(self, now: Instant) -> list[Notice]:
        """Close the scopes that are due although nothing arrives."""
        self._recorded = max(self._recorded, now)
        return self._close_due(self._recorded)

    @property
    def walking(self) -> bool:
        """Whether clients are still to be judged again behind the latest change of the register."""
        return bool(self._walk)

    def waits(self, client: str) -> bool:
        """Whether he is still to be judged again: then what stands of him is not what the register says by now."""
        walk = self._walk
        return walk is not None and client in walk and walk.concerns(client)

    def walk(self, seconds: float) -> None:
        """Judge the next ones of these again, one at least, and no more once so many seconds are over."""
        begun = perf_counter()
        while self.walking:
            self._next_again()
            if perf_counter() - begun >= seconds:
                break

    def commit(self) -> None:
        """Make everything taken so far last."""
        self.store.note(RECORDED, str(self._recorded).encode())
        self.store.note(CLOSED, str(self._closed).encode())
        self.store.note(WALK, str(self._learnt - 1 if self.walking else -1).encode())
        if self._hard != self.policy.hard_limit and not self._clients.due(self._closed):
            self._hard = self.policy.hard_limit
            self.store.note(FORMER_LIMITS, limits_to_bytes(self._closings.former))
        self.store.note(_HARD, str(self._hard).encode())
        self.store.commit()

    def begin(self) -> None:
        """Somebody else comes, with whom scopes are closed: `at_once` again, however often is committed meanwhile."""
        self._room = self._at_once

    def _close_due(self, now: Instant) -> list[Notice]:
        """Close what is due, the earliest first, as far as there is room.

        Where another hard limit was in force before, all are closed at once: half of them would be by neither.
        """
        room = self._room if self._hard == self.policy.hard_limit else None
        until = max(now, self._closed)  # Up to then all are closed, whatever a line says of its time.
        due, self._closed = self._clients.close_due(until, self._closed, room)
        if self._room is not None:
            self._room = max(0, self._room - len(due))
        return due

    def answer_to_reject(
        self, reject: Rejected, line: bytes, received: Instant | None = None, beside: Beside = ()
    ) -> bytes | None:
        """The block of an offer that cannot be read but must be answered; the same bytes are answered once.

        `beside` are the headers of a binary event.
        """
        decision = self.decision_on_reject(reject, line, beside)
        if decision is None or self._answered(decision, line, beside):
            return None
        return publish.unreadable(reject, decision, self._known(reject, received), self.policy)

    def decision_on_reject(self, reject: Rejected, line: bytes, beside: Beside) -> str | None:
        """The id of the answer to an offer that cannot be read; None where there is none to give."""
        if reject.client is None or reject.offer is None:
            return None
        return publish.unreadable_id(line, beside, self.policy)

    def _answered(self, decision: str, line: bytes, beside: Beside) -> bool:
        """Whether these bytes were answered; they are from now on. Older stores have it by the answer's own id."""
        mark = publish.unreadable_mark(line, beside)
        return self.store.known(_digest(decision), _NOTED) or self.store.seen(_digest(mark), _NOTED) is not None

    def _known(self, reject: Rejected, received: Instant | None) -> Instant:
        """When that became known, as of an event that can be read; 1970 only where nothing ever said a time."""
        if received is not None:
            return max(self._recorded, received)
        if reject.recorded is not None:
            return reject.recorded
        known = self._recorded if reject.at is None else max(self._recorded, reject.at)
        return known if known > BEFORE_EVERYTHING else 0

    def line_of(self, effect: Told, recorded: Instant | None = None) -> bytes:
        """An effect as a line of output; of what was recorded last, unless it says otherwise."""
        return publish.line_of(effect, self._recorded if recorded is None else recorded, self.policy)

    def _learn(self, fact: Fact) -> list[Told]:
        of_register = type(fact.said) in OF_REGISTER
        found: list[Effect] = [*self._close_due(fact.recorded)]
        while self.walking and (of_register or self._later is None):
            found += self._next_again()
        if of_register:
            found += self._register(fact)
        else:
            found += self._again(fact.client)
            found += self._clients.learn(fact)
        effects = self._delivered(found)
        effects += self._close_due(fact.recorded)
        return effects

    def _register(self, fact: Fact) -> list[Effect]:
        self.register.learn(fact)
        self.store.learn(fact)
        self._learnt += 1
        found: list[Effect] = [*self._clients.exposed(fact)]
        self._walk = Walk(self._clients, fact)
        while self.walking and self._later is None:
            found += self._next_again()
        return found

    def _next_again(self) -> Sequence[Effect]:
        return self._again(self._walk.next(1)[0]) if self._walk else ()

    def _again(self, client: str) -> Sequence[Effect]:
        """Judge him again if his turn has not come; what follows, unless another is told of it."""
        if self._walk is None or client not in self._walk:
            return ()
        effects = self._walk.judge(client)
        if self._later is None:
            return effects
        self._later(effects, self._walk.fact.recorded)
        return ()

    def _delivered(self, found: list[Effect]) -> list[Told]:
        """Hand every message to the merged client whom it is for, until all is said."""
        effects: list[Told] = []
        waiting = deque(found)
        while waiting:
            effect = waiting.popleft()
            if isinstance(effect, Greeting):
                waiting.extend(self._again(effect.to))
                waiting.extend(self._clients.greet(effect))
            else:
                effects.append(effect)
        return effects


def _digest(id: str) -> bytes:
    """Of a derived id, as long as that of an event's."""
    return bytes.fromhex(id.partition("-")[2][:16])
