"""What follows for the clients of one partition from each arrival: answers, messages between them, dead letters.

Nothing is read or remembered here; in what order arrivals come is `streams.worker.partition`'s.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from gate.effects import Greeting
from gate.facts import OF_REGISTER, Fact, Instant
from gate.policy import Policy
from gate.register import Register
from state.messages import Part
from streams.border.wire import Read, Rejected, reused
from streams.clients import Clients, Effect
from streams.closings import Closings
from streams.logs.following import Followed
from streams.logs.merge import Arrival, Log
from streams.worker.outputs import REGISTER_REJECTED, REJECTED, Output
from streams.worker.parts import Parts
from streams.worker.progress import Progress
from streams.worker.reopening import HistoryStore, Reopening
from streams.worker.repeated import Repeated
from streams.worker.telling import Telling


class Judging:
    """The clients of one partition, by the policy and the register that are applied."""

    def __init__(
        self,
        number: int,
        policy: Policy,
        progress: Progress,
        followed: Followed,
        store: HistoryStore,
        repeated: Repeated,
        telling: Telling,
        counts: Counter[tuple[str, str]],
    ) -> None:
        """By the policy in force. Goes on with the reopening that `progress` says was under way."""
        self.reopening = Reopening(store, telling, counts)
        """Clients who are still to be judged again behind a change of the register."""
        self.refused = 0
        """Records that could not be taken since somebody set this to 0."""
        self._number = number
        self._progress = progress
        self._followed = followed
        self._store = store
        self._repeated = repeated
        self._telling = telling
        self._parts = Parts(store)
        self._counts = counts
        self._clients = self._clients_by(policy, Closings(progress.closed, progress.former))
        if progress.walked >= 0:
            fact = followed.fact(progress.walked)
            assert isinstance(fact, Fact)
            self._reopen_behind(fact)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._clients.policy

    def _clients_by(self, policy: Policy, closings: Closings) -> Clients:
        return Clients(policy, self._register_by(policy), self._store, closings)

    def _register_by(self, policy: Policy) -> Register:
        """What the register says under a policy, as far as it is applied."""
        register = Register(policy)
        for arrival in self._followed.register:
            if arrival.offset >= self._progress.register:
                break
            fact = self._followed.fact(arrival.offset)
            if isinstance(fact, Fact):
                register.learn(fact)
        return register

    def turn(self, arrival: Arrival, outputs: list[Output]) -> None:
        """Judge it; what is to be published is added to the outputs."""
        _TURNS[arrival.log](self, arrival, outputs)

    def due(self, now: Instant) -> bool:
        """Whether scopes are to be closed by then."""
        return self._clients.due(now)

    def close(self, now: Instant, outputs: list[Output], at_once: int | None = None) -> None:
        """Close the scopes whose time has passed by then, `at_once` or all."""
        progress = self._progress
        until = max(progress.closed, now, progress.recorded)
        due, progress.closed = self._clients.close_due(until, progress.closed, at_once)
        outputs += self._telling.effects(due, b"", progress.reach, until, self.policy)

    def _act(self, arrival: Arrival, outputs: list[Output]) -> None:
        """An event around a client."""
        self._progress.actions = arrival.offset + 1
        event = arrival.event
        if isinstance(event, Rejected) and event.ahead is not None and self._repeated.known(event.ahead):
            event = event.ahead
        if isinstance(event, Read):
            if type(event.fact.said) in OF_REGISTER:
                event = event.refused("UNKNOWN_TYPE", "publish what is known beyond one client to the register's topic")
            else:
                seen = self._repeated.seen(event)
                if seen is None:
                    self._counts["taken", ""] += 1
                    if self.reopening:
                        self.reopening.of(event.fact.client, outputs)
                    effects = self._clients.learn(event.fact)
                    if effects:
                        self._tell(effects, arrival, outputs)
                    return
                if seen:
                    self._counts["repeated", ""] += 1
                    return
                event = reused(event)
        self._reject(event, arrival, outputs)

    def _greet(self, arrival: Arrival, outputs: list[Output]) -> None:
        """A message from a merged client; of one in parts nothing follows before the last is there."""
        self._progress.between = arrival.offset + 1
        greeting = arrival.event
        if isinstance(greeting, Part):
            greeting = self._parts.joined(greeting)
            if greeting is None:
                return
        if isinstance(greeting, Rejected):
            self._reject(greeting, arrival, outputs)
            return
        assert isinstance(greeting, Greeting)
        self.reopening.of(greeting.to, outputs)
        self._tell(self._clients.greet(greeting), arrival, outputs)

    def _learn(self, arrival: Arrival, outputs: list[Output]) -> None:
        """An event of the register, after all to whom the one before it reaches back are reopened."""
        self._progress.register = arrival.offset + 1
        fact = self._followed.fact(arrival.offset)
        if isinstance(fact, Rejected):
            self._reject_followed(fact, arrival, outputs)
        elif fact is not None:
            self._clients.register.learn(fact)
            self._progress.learnt = self._progress.applied
            self._tell(self._clients.exposed(fact), arrival, outputs)
            self._reopen_behind(fact)

    def _govern(self, arrival: Arrival, outputs: list[Output]) -> None:
        """A policy."""
        self._progress.policy = arrival.offset + 1
        if isinstance(arrival.event, Rejected):
            self._reject_followed(arrival.event, arrival, outputs)
        elif arrival.event.digest != self.policy.digest:
            progress, policy, before = self._progress, arrival.event, self.policy.hard_limit
            self.close(arrival.at, outputs)
            if policy.hard_limit == before:
                self._clients.govern(policy, self._register_by(policy))
            else:
                closings = Closings(progress.closed, progress.former).under(policy.hard_limit, before)
                progress.former = closings.former
                self._clients = self._clients_by(policy, closings)
            self.close(arrival.at, outputs)

    def _reopen_behind(self, fact: Fact) -> None:
        self.reopening.begin(self._clients, fact, self._progress.register - 1, self._progress.learnt_by)

    def _tell(self, effects: Iterable[Effect], arrival: Arrival, outputs: list[Output]) -> None:
        input = self._input(arrival)
        outputs += self._telling.effects(effects, input, self._progress.reach, arrival.at, self.policy)

    def _input(self, arrival: Arrival) -> bytes:
        if arrival.log is Log.ACTIONS:
            return b"%d:%d" % (self._number, arrival.offset)
        return b"%b:%d" % (arrival.log.name.lower().encode(), arrival.offset)

    def _reject(self, reject: Rejected, arrival: Arrival, outputs: list[Output]) -> None:
        self.refused += 1
        self._tell_rejected(REJECTED, reject, arrival, outputs)

    def _reject_followed(self, reject: Rejected, arrival: Arrival, outputs: list[Output]) -> None:
        """Every partition reads the register; the first one speaks for all."""
        if self._number == 0:
            self._tell_rejected(REGISTER_REJECTED, reject, arrival, outputs)

    def _tell_rejected(self, topic: int, reject: Rejected, arrival: Arrival, outputs: list[Output]) -> None:
        input, reach = self._input(arrival), self._progress.reach
        outputs += self._telling.rejected(topic, reject, arrival, input, reach, self.policy)


_TURNS: Final = {
    Log.POLICY: Judging._govern,
    Log.REGISTER: Judging._learn,
    Log.BETWEEN: Judging._greet,
    Log.ACTIONS: Judging._act,
}
