"""The ask service's reader over the embedded gate: asked by the thread that owns it, between two requests."""

import asyncio
import sqlite3
from collections.abc import Callable

from gate import Known
from gate.dossier import BEFORE_EVERYTHING
from streams.ask.reader import Judge, ReadUpTo, Seen, T, Unreadable, judged
from streams.serve.intake import Intake


class EmbeddedReader:
    """See `Reader`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def ask(self, client: str, judge: Judge[T]) -> T:
        """See `Reader`."""
        return await self._do(lambda: self._judged(client, judge))

    async def ready(self) -> None:
        """See `Reader`."""
        await self._do(lambda: self._intake.out(0, 1))

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.wrap_future(self._intake.run(work))
        except sqlite3.Error as error:
            raise Unreadable(f"the store cannot be read ({error}); see to its disk") from None

    def _judged(self, client: str, judge: Judge[T]) -> T:
        answer = judge(self._seen(client, False))
        return judged(judge(self._seen(client, True))) if answer is None else answer

    def _seen(self, client: str, whole: bool) -> Seen:
        gate, journal = self._intake.gate, self._intake.journal
        history = journal.history(client) if whole else None
        recorded = gate.recorded if gate.recorded > BEFORE_EVERYTHING else None
        read = ReadUpTo(None, journal.last_number() + 1, recorded)
        return Seen(Known(journal.dossier(client), gate.register), gate.policy, read, history)
