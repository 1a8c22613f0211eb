"""The ask service's reader over the state of a worker in Redis, with the register from its topic. It only reads.

An offer that arrived now would be judged after everything that was appended before it. So the answer leans on the whole
register and the latest policy; where a worker has still to judge the client again behind a change of the register, his
history tells what it will find. A worker that is behind the stream for too long leaves questions unanswered.
"""

from msgspec import MsgspecError
from redis.exceptions import RedisError

from gate import Known, Policy, Register
from gate.concern import concerns
from gate.dossier import BEFORE_EVERYTHING, Dossier
from gate.facts import Fact
from gate.instants import LATEST
from state.codec import UnknownLayout
from state.redis_reader import RedisReader, Remembered
from state.redis_store import StateLost
from streams.ask.reader import Judge, ReadUpTo, Seen, T, Unreadable, judged
from streams.ask.stream import Stream
from streams.kafka_record import partition_of
from streams.worker.merge import Log

_NOTES = ("recorded", "register", "walk")
"""What a worker notes of a partition: the last recorded time, the register's next offset, what it is walking behind."""


class OverRedis:
    """See `Reader`. `lag` is for how many seconds a partition may be behind."""

    def __init__(self, stream: Stream, state: RedisReader, lag: float) -> None:
        self._stream, self._state, self._lag = stream, state, lag
        self._register: Register | None = None
        self._learnt = 0

    async def ready(self) -> None:
        """See `Reader`."""
        self._current()
        try:
            await self._state.places(1)
        except (RedisError, OSError) as error:
            raise Unreadable(f"Redis cannot be read ({type(error).__name__})") from None

    async def ask(self, client: str, judge: Judge[T]) -> T:
        """See `Reader`."""
        register = self._current()
        try:
            seen = await self._seen(client, register, False)
            answer = None if seen is None else judge(seen)
            if answer is not None:
                return answer
            seen = await self._seen(client, register, True)
        except (RedisError, OSError) as error:
            raise Unreadable(f"Redis cannot be read ({type(error).__name__})") from None
        except StateLost as error:
            raise Unreadable(f"state was lost: {error}; see to Redis, then `gate61 rebuild`") from None
        except (UnknownLayout, MsgspecError) as error:
            raise Unreadable(f"what Redis holds of the client cannot be understood: {error}") from None
        assert seen is not None, "with the history everything can be seen"
        return judged(judge(seen))

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
        followed = self._stream.followed
        for arrival in followed.register[self._learnt :]:
            fact = followed.fact(arrival.offset)
            if isinstance(fact, Fact):
                self._register.learn(fact)
            self._learnt += 1
        return self._register

    async def _seen(self, client: str, register: Register, whole: bool) -> Seen | None:
        """What stands of the client; None where only his history tells."""
        number = partition_of(client.encode(), self._stream.partitions)
        found = await self._state.read(number, client, _NOTES, whole)
        if self._stream.behind(number, found.next) > self._lag:
            raise Unreadable(f"partition {number} is behind the stream for too long: see to its worker")
        if not whole and self._is_pending(found, register):
            return None
        recorded = found.notes.get("recorded", BEFORE_EVERYTHING)
        read = ReadUpTo(number, found.next or 0, recorded if recorded > BEFORE_EVERYTHING else None)
        policy: Policy = register.policy
        return Seen(Known(found.dossier, register), policy, read, found.history)

    def _is_pending(self, found: Remembered, register: Register) -> bool:
        """Whether a change of the register concerns the client behind which he may not have been judged again yet."""
        applied, walking = found.notes.get("register", 0), found.notes.get("walk", -1)
        followed = self._stream.followed
        arrivals, _ = followed.since(Log.REGISTER, applied if walking < 0 else min(applied, walking))
        facts = [followed.fact(arrival.offset) for arrival in arrivals]
        return any(isinstance(fact, Fact) and _reaches(found.dossier, fact, register) for fact in facts)


def _reaches(dossier: Dossier, fact: Fact, register: Register) -> bool:
    return dossier.latest >= fact.at and concerns(dossier, fact, register)
