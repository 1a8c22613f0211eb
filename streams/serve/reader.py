"""The ask service's reader over the embedded gate: asked by the thread that owns it, between two requests."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter

from gate.dossier import BEFORE_EVERYTHING
from gate.known import Known
from state.codec import UnknownLayout
from streams.ask.reader import Judge, JudgeOf, ReadUpTo, Seen, T, Unreadable, judged, require_clock
from streams.serve.intake import Intake

AT_ONCE, LONGEST = 100, 0.01
"""Clients judged between two requests of others, and seconds after which no other one is: a send may be a long one."""


class EmbeddedReader:
    """See `Reader`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def ask(self, client: str, judge: Judge[T]) -> T:
        """See `Reader`. Others have their turn before his history is read, which nobody does for who waits no more."""
        answer = await self._do(lambda: self._at_once(client, judge))
        return judged(await self._do(lambda: judge(self._seen(client, True)))) if answer is None else answer

    async def ask_each(self, clients: Sequence[str], judge_of: JudgeOf[T]) -> AsyncIterator[tuple[str, T | Unreadable]]:
        """See `Reader`."""
        with_history: list[str] = []
        place = 0
        while place < len(clients):
            answers = await self._do(partial(self._quickly, clients[place : place + AT_ONCE], judge_of))
            for client, answer in zip(clients[place:], answers, strict=False):
                if answer is None:
                    with_history.append(client)
                else:
                    yield client, answer
            place += len(answers)
        for client in with_history:
            found: T | Unreadable
            try:
                found = await self.ask(client, judge_of(client))
            except Unreadable as trouble:
                found = trouble
            yield client, found

    def _at_once(self, client: str, judge: Judge[T]) -> T | None:
        """By his dossier; None where only his history tells, as where the register has changed behind him."""
        with _said():
            waits = self._intake.gate.waits(client)
        return None if waits else judge(self._seen(client, False))

    def _quickly(self, clients: Sequence[str], judge_of: JudgeOf[T]) -> list[T | Unreadable | None]:
        """As many of them as time allows, one at least; what is wrong with one is no answer to the next."""
        begun, answers = perf_counter(), list[T | Unreadable | None]()
        for client in clients:
            try:
                answers.append(self._at_once(client, judge_of(client)))
            except Unreadable as trouble:
                answers.append(trouble)
            if perf_counter() - begun > LONGEST:
                break
        return answers

    async def ready(self) -> None:
        """See `Reader`; events are taken, too."""
        await self._do(self._require_clock)
        await self._do(self._read_something)
        if trouble := self._intake.trouble:
            raise Unreadable(f"no events are taken: the store cannot be written ({trouble}); check its disk")

    def _read_something(self) -> None:
        with _said():
            self._intake.out(0, 1)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._intake.run(work))

    def _require_clock(self) -> None:
        require_clock(self._intake.behind, self._intake.policy)

    def _seen(self, client: str, whole: bool) -> Seen:
        self._require_clock()
        gate, journal = self._intake.gate, self._intake.journal
        recorded = gate.recorded if gate.recorded > BEFORE_EVERYTHING else None
        with _said():
            history = journal.history(client) if whole else None
            read = ReadUpTo(None, journal.last_number() + 1, recorded)
            return Seen(Known(journal.dossier(client), gate.register), gate.policy, read, history)


@contextmanager
def _said() -> Iterator[None]:
    """Whatever keeps the state from being known, as `Unreadable`."""
    try:
        yield
    except sqlite3.Error as error:
        raise Unreadable(f"the store cannot be read ({error}); check its disk") from None
    except (UnknownLayout, ValueError) as error:
        raise Unreadable(f"what the store holds of the client cannot be understood: {error}") from None
