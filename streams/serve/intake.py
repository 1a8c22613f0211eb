"""The gate behind HTTP: one thread owns it and its store, and takes requests in portions, each one transaction.

The numbered order of effects is that of `streams.embedded`; 5 commit stands before the answer, so whoever has the
answer can rely on it, and whoever lost it sends the same again and gets the answer that stands. So does whoever is told
that a request failed behind its first portion. What comes out does not depend on where a portion ends.
It looks at the clock: what is received now is recorded now, as Kafka's append time would be.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Final, TypeVar

import structlog
from msgspec import Struct

from gate.effects import Answer
from gate.facts import OF_REGISTER, Instant
from gate.outcome import Verdict
from gate.policy import Policy
from state import Journal
from state.journal import Kept, Log, Out, Taken
from streams.border.wire import Read, Rejected
from streams.clients import Told
from streams.embedded import Gate
from streams.faults import cause
from streams.publish import unreadable_mark
from streams.serve.bodies import Arrival, structured
from streams.store_file import StoreFile
from streams.web.clock import Clock, now

T = TypeVar("T")
CLOSED_AT_ONCE: Final = 1_000
"""Scopes that one request or one tick of the timer closes: what many clients began together nobody waits for."""
_BLOCK: Final = (Verdict.BLOCK.word, "UNREADABLE_OFFER")
"""What every offer that cannot be read is answered."""
JUDGED_SECONDS = 0.5
"""Of judging, after which a portion of a request ends: a late fact of a busy client may take half of that by itself, and
whoever asks a question waits two seconds for all that is before him."""
WALKED_SECONDS = 0.1
"""Of judging clients again behind a change of the register, after which others have their turn."""
_log = structlog.get_logger("gate61.serve")


class InUse(Exception):
    """Another process has this store."""


class OtherLog(Exception):
    """What somebody has read of a log is not in it."""

    def __init__(self, number: int, last: int) -> None:
        super().__init__(f"this is not the log that was read to number {number}; it ends at {last}")


class Result(Struct, frozen=True, omit_defaults=True):
    """What became of one event."""

    status: str
    source: str | None = None
    id: str | None = None
    recorded: Instant | None = None
    reason: str | None = None
    message: str | None = None
    number: int | None = None
    """Of a reject: where it is kept."""
    out: tuple[Out, ...] = ()
    """What came out; of a repeated offer the answer that stands."""
    again: bool = False
    """Whether what stands in `out` had come out before."""
    answers: tuple[tuple[str, str], ...] = ()
    """Verdict and leading reason of each answer that came out now."""


class Change:
    """A change of the register, until all to whom it reaches back are judged again."""

    def __init__(self) -> None:
        self.out: list[Out] = []
        """What has come out behind it."""
        self.done = False


class Portion(Struct, frozen=True):
    """What was done at once, all of which lasts."""

    results: Sequence[Result] = ()
    change: Change | None = None
    """What is to be walked through before all is said of the last event (`own`), or before the next one can be taken."""
    own: bool = False
    told: bool = False
    """Whether something came out behind a change of the register that was taken before."""
    answers: Sequence[tuple[str, str]] = ()
    """Verdict and leading reason of each answer among that."""
    walking: bool = False
    """Whether others are still to be judged again."""


class Intake:
    """Takes requests in, one after the other."""

    def __init__(self, policy: Policy, path: Path, clock: Clock = now, trust_recordedtime: bool = False) -> None:
        self.policy = policy
        self._path = path
        self._clock = clock
        self._trust = trust_recordedtime
        self.trouble = ""
        """Why events are not taken, since the store could not be written; empty if they are."""
        self._change: Change | None = None
        """The one that is walked through."""
        self._told = 0
        """How much came out behind it in this portion, and which answers."""
        self._answers: list[tuple[str, str]] = []
        self._locks = _locked(path)
        self._thread = ThreadPoolExecutor(1, "gate61")
        self._thread.submit(self._open).result()

    def _open(self) -> None:
        """What follows, and `gate` and `journal`, is for the thread that owns them alone: through `run`.

        INVARIANT (an open journal is that of the gate): the gate before it has in memory what was never taken, and all that
        would be answered from it asks its journal too, which is closed.
        """
        self._file = StoreFile(self._path, self._locks[0])  # What is put in its place is another store, and not locked.
        self._file.must_stand()
        journal = Journal(self._path)
        try:
            self.gate = self._begun(journal)
        except BaseException:
            journal.close()
            raise
        self.journal = journal
        self._file.opened()

    def _begun(self, journal: Journal) -> Gate:
        """Where recorded times are trusted, scopes are closed as in files."""
        gate = Gate(self.policy, journal, None if self._trust else CLOSED_AT_ONCE, self._told_behind)
        self._change = (self._change or Change()) if gate.walking else None
        return gate

    @property
    def behind(self) -> Instant:
        """How far the clock is behind what was recorded by it; nothing where events say themselves when they were."""
        return 0 if self._trust else max(0, self.gate.recorded - self._clock())

    def run(self, work: Callable[[], T]) -> Future[T]:
        """Have something done by the thread that owns the gate, after all that waits before it."""
        return self._thread.submit(work)

    def close(self) -> None:
        """Let go, after all that waits is done."""
        self._thread.submit(lambda: self.journal.close()).result()
        self._thread.shutdown()
        _let_go(self._locks)

    def take(self, arrivals: list[Arrival], goes_on: bool = False) -> Portion:
        """A portion of one request, from its first event on: all of the portion lasts, or nothing of it.

        It ends after half a second of judging, and with a change of the register that reaches back to more clients than
        are judged again with it; what is left is for the next one, which `goes_on`. One event is taken at least, but for
        another change of the register while one is walked through.
        """
        self._require_place()
        return self._lasting(lambda: self._portion(arrivals, goes_on))

    def _portion(self, arrivals: list[Arrival], goes_on: bool) -> Portion:
        if not goes_on:
            self.gate.begin()
        results, begun = list[Result](), perf_counter()
        for arrival in arrivals:
            before = self._change
            result = self._one(arrival)
            if result is None:
                return self._done(results, before)
            results.append(result)
            if self._change is not None and self._change is not before:
                return self._done(results, self._change, True)
            if perf_counter() - begun >= JUDGED_SECONDS:
                break
        return self._done(results)

    def walk(self) -> Portion:
        """Judge the next ones again behind a change of the register, if anybody waits: a portion, too."""
        if not self.gate.walking:
            return Portion()
        self._require_place()
        return self._lasting(self._walked)

    def _walked(self) -> Portion:
        self.gate.walk(WALKED_SECONDS)
        return self._done()

    def _done(self, results: Sequence[Result] = (), change: Change | None = None, own: bool = False) -> Portion:
        return Portion(results, change, own, self._told > 0, self._answers, self.gate.walking)

    def _require_place(self) -> None:
        """What is written to files that nobody finds under their names any more is lost with this process."""
        if not self.journal.is_open():
            return  # It is looked at when it is opened again.
        try:
            self._file.must_stand()
        except sqlite3.Error as moved:
            if self.trouble != str(moved):
                self.trouble = str(moved)
                _log.error("no events are taken", cause=self.trouble)
            raise

    def wake(self) -> list[Out]:
        """Close the scopes whose hard limit passed while nothing came. Trusted recorded times are the only clock."""
        if self.trouble or not self.journal.is_open():
            self._try_writing()
        else:
            with suppress(sqlite3.Error):
                self._require_place()
        at = self._clock()
        if self.trouble or self._trust or not self.gate.due(at):
            return []
        return self._lasting(lambda: self._woken(at))

    def _woken(self, at: Instant) -> list[Out]:
        self.gate.begin()
        return self._published(self.gate.wake(at))

    def _try_writing(self) -> None:
        """Whether events would be taken again, also where none comes."""
        try:
            if not self.journal.is_open():
                self._open()
            self._require_place()
            self.journal.try_writing()
        except sqlite3.Error as error:
            self.trouble = str(error)
        else:
            self._wrote()

    def _wrote(self) -> None:
        if self.trouble:
            self.trouble = ""
            _log.info("the store can be written again")

    def must_stand(self, log: Log, number: int, mark: str | None) -> None:
        """Whether the log is the one that was read to there; raises `OtherLog`: what it says next would be passed over."""
        if not self.journal.stands(log, number, mark):
            raise OtherLog(number, self.journal.last_number(log))

    def out(self, after: int, limit: int, mark: str | None = None) -> tuple[Sequence[Out], int]:
        """What came out after that number, and the number of what came out last; raises as `must_stand`."""
        self.must_stand("out", after, mark)
        return self.journal.published(after, limit), self.journal.last_number("out")

    def taken(self, after: int, limit: int, mark: str | None = None) -> tuple[Sequence[Taken], int]:
        """What was taken after that number, and the number of what was taken last; raises likewise."""
        self.must_stand("taken", after, mark)
        return self.journal.taken(after, limit), self.journal.last_number("taken")

    def rejected(self, after: int, limit: int, mark: str | None = None) -> tuple[Sequence[Kept], int]:
        """What could not be taken after that number, and the number of what was rejected last; raises likewise."""
        self.must_stand("rejected", after, mark)
        return self.journal.rejected(after, limit), self.journal.last_number("rejected")

    def _lasting(self, work: Callable[[], T]) -> T:
        """Do it and commit. After an error nothing of it is there, in the store or in memory."""
        self._told, self._answers = 0, []
        change = self._change
        before = 0 if change is None else len(change.out)
        try:
            done = work()
            self.gate.commit()
        except BaseException as error:
            of_store = isinstance(error, sqlite3.Error)
            if of_store:
                self.trouble = str(error)
            if change is not None:
                del change.out[before:]
            self._change = change
            self._anew()  # Before anything else that might fail.
            hint = {"do": "see that the disk can be written"} if of_store else {}
            _log.error("what was judged last was not taken", cause=cause(error), **hint)
            raise
        self._wrote()
        if not self.gate.walking:
            self._change = None
        if change is not None and change is not self._change:
            change.done = True
        return done

    def _anew(self) -> None:
        """Begin anew from what was committed; a store that failed may have to be opened again (see `_open`)."""
        try:
            self.journal.rollback()
            self.gate = self._begun(self.journal)
        except Exception:
            self.journal.close()
            self._open()

    def _one(self, arrival: Arrival) -> Result | None:
        """What became of it; None for a change of the register while one is walked through."""
        if arrival.refused is not None:
            return self._reject(arrival, arrival.refused)
        event = self.gate.read(arrival.raw, None if self._trust else self._clock(), arrival.attributes)
        if isinstance(event, Rejected):
            return self._reject(arrival, event)
        fact = event.fact
        changes = type(fact.said) in OF_REGISTER
        if changes and self.gate.walking:
            return None
        followed = self.gate.fold(event)
        if isinstance(followed, Rejected):
            return self._reject(arrival, followed)
        if followed is None:
            stands = self.journal.last_about(_of_event(event))
            return Result("duplicate", fact.source, fact.id, out=(stands,) if stands else (), again=True)
        self.journal.take(structured(arrival), fact.recorded)
        answers, out = _answers_of(followed), tuple(self._published(followed))
        if changes:
            change = self._change = Change()
            self.gate.walk(WALKED_SECONDS)
            if not self.gate.walking:
                out += tuple(change.out)
                self._change = None
        return Result("taken", fact.source, fact.id, fact.recorded, out=out, answers=answers)

    def _published(self, effects: Iterable[Told], recorded: Instant | None = None) -> list[Out]:
        return [self.journal.publish(self.gate.line_of(e, recorded), _about(e)) for e in effects]

    def _told_behind(self, effects: Sequence[Told], recorded: Instant) -> None:
        """What follows for a client behind a change of the register comes out as of when that changed."""
        assert self._change is not None
        out = self._published(effects, recorded)
        self._change.out += out
        self._told += len(out)
        self._answers += _answers_of(effects)

    def _reject(self, arrival: Arrival, reject: Rejected) -> Result:
        at = max(self._clock(), self.gate.recorded)
        kept = Kept(at, reject.reason, reject.message, reject.source, reject.id, arrival.headers, arrival.raw)
        number = self.journal.reject(kept)
        out, again = self._answer(reject, arrival)
        told, answers = (out,) if out else (), (_BLOCK,) if out and not again else ()
        why = reject.reason, reject.message
        return Result("rejected", reject.source, reject.id, None, *why, number, told, again, answers)

    def _answer(self, reject: Rejected, arrival: Arrival) -> tuple[Out | None, bool]:
        """The block of an offer that cannot be read, also where it was given before."""
        decision = self.gate.decision_on_reject(reject, arrival.raw, arrival.beside)
        if decision is None:
            return None, False
        received = None if self._trust else self._clock()
        answer = self.gate.answer_to_reject(reject, arrival.raw, received, arrival.beside)
        about = f"bytes {unreadable_mark(arrival.raw, arrival.beside)}"
        if answer is not None:
            return self.journal.publish(answer, about), False
        # Older stores have it by the answer's own id.
        return self.journal.last_about(about) or self.journal.last_about(f"bytes {decision}"), True


def _of_event(event: Read) -> str:
    return f"event {event.fact.source} {event.fact.id}"


def _answers_of(effects: Iterable[Told]) -> tuple[tuple[str, str], ...]:
    return tuple((e.outcome.verdict.word, e.outcome.leading) for e in effects if isinstance(e, Answer))


def _about(effect: Told) -> str | None:
    return f"event {effect.offer.source} {effect.offer.id}" if isinstance(effect, Answer) else None


def _locked(path: Path) -> list[int]:
    """Two gates on one store would each know half of it. What a new one holds of clients is its owner's alone to read.

    The database itself is locked, whatever name it has; the file beside it is for another one put in its place. Neither
    clashes with SQLite's own locks, but to close the database here would end those: it stays open as long as the store.
    """
    held: list[int] = []
    for file in (path, path.with_name(path.name + ".lock")):
        held.append(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        try:
            fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _let_go(held)
            raise InUse(f"another gate serves `{path}`, maybe by another name; stop it, or name another file") from None
    return held


def _let_go(locks: list[int]) -> None:
    for lock in locks:
        os.close(lock)
