"""The ask service's reader over the state of a worker in Redis, with the register from its topic. It only reads.

An offer that arrived now would be judged after everything that was appended before it. So the answer leans on the whole
register and the latest policy; where a worker has still to judge the client again behind a change of the register, his
history tells what it will find. A worker that is behind the stream for too long leaves questions unanswered.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from redis.exceptions import RedisError

from gate.concern import Concern, concerned
from gate.dossier import BEFORE_EVERYTHING
from gate.facts import Fact
from gate.instants import LATEST
from gate.known import Known
from gate.policy import Policy
from gate.register import Register
from state.codec import UnknownLayout
from state.notes import LOOKED, POLICY, RECORDED, REGISTER, WALK
from state.redis import errors as redis_errors
from state.redis.look import StateLost, looked_to
from state.redis.reader import Held, RedisReader, Remembered
from streams.ask.reader import Judge, JudgeOf, ReadUpTo, Seen, T, Unreadable, judged, portions, require_clock
from streams.ask.stream import Stream
from streams.kafka.record import partition_of
from streams.logs.merge import Log
from streams.web.clock import Clock

AT_ONCE: Final = 100
"""Clients whose dossiers one transaction reads."""
HISTORIES_AT_ONCE: Final = 10
"""Of histories fewer: each may be long."""
_NOTES: Final = (RECORDED, POLICY, REGISTER, WALK, LOOKED)
"""What a worker notes of a partition: the last recorded time, how far policies and the register are applied, what it is
walking behind."""
_RULES: Final = {POLICY: Log.POLICY, REGISTER: Log.REGISTER}
Changes = Sequence[tuple[int, Fact]]
"""What the register's log says, with its offsets."""


class OverRedis:
    """See `Reader`. `lag` is for how many seconds a partition may be behind, by `clock` limits have passed or not.

    `where` is the address of Redis for people.
    """

    def __init__(self, stream: Stream, state: RedisReader, lag: float, clock: Clock, where: str) -> None:
        self._stream, self._state, self._lag, self._clock, self._where = stream, state, lag, clock, where
        self._register: Register | None = None
        self._learnt = 0
        self._waiting: dict[int, tuple[int, Changes]] = {}
        """By partition, from which offset of the register on it may not have judged again yet, and the changes there."""
        self._concerns: dict[int, Concern] = {}
        """Whom these concern, by offset, as far as that was asked: of a whole list of clients each asks it of all."""

    async def ready(self) -> None:
        """See `Reader`."""
        self._current()
        with _said(self._where):
            await self._state.places(1)

    async def ask(self, client: str, judge: Judge[T]) -> T:
        """See `Reader`."""
        self._current()
        for whole in (False, True):
            number = partition_of(client.encode(), self._stream.partitions)
            with _said(self._where):
                found = (await self._held(number, [client], whole)).of(client)
            seen = self._seen(number, found, whole)
            answer = None if seen is None else judge(seen)
            if answer is not None:
                return answer
        return judged(None)

    async def ask_each(self, clients: Sequence[str], judge_of: JudgeOf[T]) -> AsyncIterator[tuple[str, T | Unreadable]]:
        """See `Reader`. What cannot be read of a partition, or of a client, leaves the others answered."""
        try:
            self._current()
        except Unreadable as trouble:
            for client in clients:
                yield client, trouble
            return
        by_partition: dict[int, list[str]] = {}
        for client in clients:
            by_partition.setdefault(partition_of(client.encode(), self._stream.partitions), []).append(client)
        for whole, size in ((False, AT_ONCE), (True, HISTORIES_AT_ONCE)):
            for number, of_partition in by_partition.items():
                again: list[str] = []
                for some in portions(of_partition, size):
                    async for client, answer in self._judged(number, some, judge_of, whole):
                        if answer is not None:
                            yield client, answer
                        elif whole:
                            judged(answer)
                        else:
                            again.append(client)
                by_partition[number] = again

    async def _judged(
        self, number: int, clients: Sequence[str], judge_of: JudgeOf[T], whole: bool
    ) -> AsyncIterator[tuple[str, T | Unreadable | None]]:
        """Some clients of a partition; None for who is to be asked about with his history."""
        try:
            with _said(self._where):
                held = await self._held(number, clients, whole)
        except Unreadable as trouble:
            for client in clients:
                yield client, trouble
            return
        for client in clients:
            answer: T | Unreadable | None
            try:
                with _said(self._where):
                    found = held.of(client)
                seen = self._seen(number, found, whole)
                answer = None if seen is None else judge_of(client)(seen)
            except Unreadable as trouble:
                answer = trouble
            yield client, answer
            # A send may promote thousands of things: others have their turn, and the time may be up.
            await asyncio.sleep(0)

    def _current(self) -> Register:
        """The register as it is known now, under the policy in force; `Unreadable` while it is not known."""
        trouble = self._stream.trouble()
        if trouble:
            raise Unreadable(trouble)
        policy = self._stream.followed.policy_at(LATEST)
        if policy is None:
            raise Unreadable("no policy is in force: no worker has started yet")
        if self._register is None or self._register.policy.digest != policy.digest:
            self._register, self._learnt = Register(policy), 0
            self._forget_changes()
        followed = self._stream.followed
        for arrival in followed.register[self._learnt :]:
            fact = followed.fact(arrival.offset)
            if isinstance(fact, Fact):
                self._register.learn(fact)
            self._learnt += 1
            self._forget_changes()
        return self._register

    def _forget_changes(self) -> None:
        """Whom a change of the register concerns is said by the whole of it."""
        self._waiting.clear()
        self._concerns.clear()

    async def _held(self, number: int, clients: Sequence[str], whole: bool) -> Held:
        """What Redis holds of clients of a partition whose worker is not behind for too long."""
        self._current()
        before = self._stream.furthest(number)
        held = await self._state.read_many(number, clients, _NOTES, whole)
        looked = looked_to(held.next, held.notes.get(LOOKED))
        if (looked or 0) < before:
            raise Unreadable(f"partition {number} went back: Redis lost its last seconds; check Redis and the worker")
        read = self._stream.followed.read
        if any(held.notes.get(name, 0) > read[log] for name, log in _RULES.items()):
            raise Unreadable(
                f"partition {number} was judged by more of the register or of policies than is read here yet: ask again; if "
                "that lasts, see `gate61 doctor`"
            )
        if self._stream.behind(number, looked) > self._lag:
            raise Unreadable(f"partition {number} has been too far behind the stream: check its worker")
        return held

    def _seen(self, number: int, found: Remembered, whole: bool) -> Seen | None:
        """What stands of the client; None where only his history tells."""
        register = self._current()
        if not whole and self._is_pending(number, found, register):
            return None
        recorded = found.notes.get(RECORDED, BEFORE_EVERYTHING)
        require_clock(recorded - self._clock(), register.policy)
        read = ReadUpTo(number, found.next or 0, recorded if recorded > BEFORE_EVERYTHING else None)
        policy: Policy = register.policy
        return Seen(Known(found.dossier, register), policy, read, found.history)

    def _is_pending(self, number: int, found: Remembered, register: Register) -> bool:
        """Whether a change of the register concerns the client behind which he may not have been judged again yet."""
        latest, waiting = found.dossier.latest, self._changes(number, found.notes)
        reaching = (self._concern(offset, fact, register) for offset, fact in waiting if fact.at <= latest)
        return concerned(found.dossier, reaching, register)

    def _changes(self, number: int, notes: Mapping[str, int]) -> Changes:
        """The changes of the register that the partition has not applied, or is still walking behind."""
        applied, walking = notes.get(REGISTER, 0), notes.get(WALK, -1)
        since = applied if walking < 0 else min(applied, walking)
        kept = self._waiting.get(number)
        if kept is None or kept[0] != since:
            followed = self._stream.followed
            said = ((a.offset, followed.fact(a.offset)) for a in followed.since(Log.REGISTER, since)[0])
            kept = self._waiting[number] = since, [(offset, fact) for offset, fact in said if isinstance(fact, Fact)]
        return kept[1]

    def _concern(self, offset: int, fact: Fact, register: Register) -> Concern:
        known = self._concerns.get(offset)
        if known is None:
            known = self._concerns[offset] = Concern(fact, register)
        return known


@contextmanager
def _said(where: str) -> Iterator[None]:
    """Whatever keeps the state from being known, as `Unreadable`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unreadable(redis_errors.said(error, where)) from None
    except StateLost as error:
        raise Unreadable(f"state was lost: {error}") from None
    except (UnknownLayout, ValueError) as error:
        raise Unreadable(f"what Redis holds of the client cannot be understood: {error}") from None
