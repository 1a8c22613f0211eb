"""Dead letters published again: the same value, key and headers, to the topic they came from, where their key belongs.

What the gate would refuse again for sure is left where it is, so that no pile of dead letters grows of itself. Sending
one twice does no harm, because the gate recognises ids; it is avoided by the notes (`streams.kafka.dead_letters`). A copy is
acknowledged by all replicas in sync before its note is written.

The copies go out by aiokafka, which also wrote the dead letters: the other client cannot send a header without a value,
nor a record with neither key nor value.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from itertools import islice
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from gate.facts import OF_REGISTER, Instant
from gate.instants import text
from state.codec import UnknownLayout
from state.messages import message_from_bytes
from streams.border.wire import Rejected
from streams.kafka.dead_letters import REPLAY, REPLAYED, REPLAYED_AS, DeadLetter, Note
from streams.kafka.record import KeptHeaders, partition_of, read_record
from streams.kafka.topics import Names
from streams.policy_file import PolicyRefused, parse

AT_ONCE: Final = 100
"""Dead letters under way together; each may be a megabyte."""
_BETWEEN_LIMIT: Final = 400
"""Characters of somebody else's complaint that are told."""


class Target(Struct, frozen=True):
    """Where a copy belongs."""

    topic: str
    partition: int


class Left(Struct, frozen=True):
    """Why a dead letter is not replayed."""

    why: str


class Done(Struct, frozen=True):
    """What became of one dead letter: `sent`, `before` (a note says so), `left`, `failed`, or what `would` be done."""

    letter: DeadLetter
    what: str
    said: str


class Inputs:
    """The topics that a dead letter can come from, and what the gate would say of it now."""

    def __init__(self, names: Names, partitions: Mapping[str, int], tolerance: Instant) -> None:
        """`partitions` is how many each input has; `tolerance` what a platform's clock may be ahead."""
        self._names = names
        self._partitions = partitions
        self._tolerance = tolerance

    def target(self, letter: DeadLetter, now: Instant) -> Target | Left:
        """Where its copy belongs if it were published now, or why it is left."""
        topic = letter.errors.get("topic", "")
        count = self._partitions.get(topic)
        if not letter.errors:
            return Left("no dead letter of the gate: it has no `gate61.errors.*` headers")
        if "cut" in letter.errors:
            return Left(f"it holds the beginning {letter.errors['cut']}")
        if count is None:
            return Left(f"it says that it came from `{topic}`, which is no input of this gate")
        if count > 1 and letter.key is None:
            return Left("it has no key, so it belongs to no partition")
        partition = partition_of(letter.key, count) if count > 1 and letter.key is not None else 0
        refused = self._refused(letter, topic, (partition, count), now)
        if refused:
            return Left(f"it would be refused again: {refused.reason}, {refused.message}")
        return Target(topic, partition)

    def _refused(self, letter: DeadLetter, topic: str, place: tuple[int, int], now: Instant) -> Rejected | None:
        """What the gate would say against it; None if it would take it, as far as its bytes tell."""
        names = self._names
        if letter.reason == "ID_REUSED":
            return Rejected("ID_REUSED", "the first event of that id stands; publish this one under an id of its own")
        if topic == names.policy.name:
            return _policy_refused(letter.value or b"")
        if topic == names.between.name:
            return _message_refused(letter.value or b"")
        clients = topic == names.actions.name
        event = read_record(letter.value, letter.key, letter.headers, place if clients else None, now, self._tolerance)
        if isinstance(event, Rejected):
            return event
        if (type(event.fact.said) in OF_REGISTER) is clients:
            other = names.register.name if clients else names.actions.name
            return event.refused("UNKNOWN_TYPE", f"its type belongs to `{other}`; publish it there")
        return None


def _policy_refused(data: bytes) -> Rejected | None:
    try:
        parse(data, "of the policy topic")
    except PolicyRefused as refused:
        return Rejected("BAD_FIELD", str(refused))
    return None


def _message_refused(data: bytes) -> Rejected | None:
    try:
        message_from_bytes(data)
    except (UnknownLayout, ValueError) as error:
        return Rejected("BAD_FIELD", f"it is no message between merged clients: {error}"[:_BETWEEN_LIMIT])
    return None


class Replay:
    """Publishes copies, and a note for each."""

    def __init__(self, producer: AIOKafkaProducer, inputs: Inputs, notes: Mapping[str, Note]) -> None:
        """The producer is started; `notes` say what was replayed already."""
        self._producer = producer
        self._inputs = inputs
        self._notes = notes

    async def run(self, letters: Iterable[DeadLetter], now: Instant) -> AsyncIterator[Done]:
        """What became of each, in order, as soon as it is known."""
        rest = iter(letters)
        while some := list(islice(rest, AT_ONCE)):
            # One after the other, so that letters of one client keep their order; what follows may overtake.
            begun = [await self._send(letter, now) for letter in some]
            for done in await asyncio.gather(*map(self._note, some, begun)):
                yield done

    async def _send(self, letter: DeadLetter, now: Instant) -> "Done | _Sent":
        decided = decide(letter, self._inputs, self._notes, now)
        if isinstance(decided, Done):
            return decided
        headers = (*(h for h in letter.headers if h[0] != REPLAY), (REPLAY, letter.place.encode()))
        try:
            kept = await self._append(decided, letter.key, letter.value, headers)
        except KafkaError as error:
            return Done(letter, "failed", f"not published to `{decided.topic}`: {error}")
        return _Sent(decided, kept)

    async def _note(self, letter: DeadLetter, sent: "Done | _Sent") -> Done:
        if isinstance(sent, Done):
            return sent
        target = sent.target
        try:
            copy = f"{target.topic}:{target.partition}:{(await sent.kept).offset}"
        except KafkaError as error:
            return Done(letter, "failed", f"not published to `{target.topic}`: {error}")
        headers = ((REPLAYED, letter.place.encode()), (REPLAYED_AS, copy.encode()))
        try:
            await (await self._append(Target(letter.topic, letter.partition), None, None, headers))
        except KafkaError as error:
            said = f"published as {copy}, but that could not be noted ({error}); sent again, the gate recognises it"
            return Done(letter, "failed", said)
        return Done(letter, "sent", copy)

    async def _append(
        self, to: Target, key: bytes | None, value: bytes | None, headers: KeptHeaders
    ) -> "asyncio.Future[Any]":
        batch = self._producer.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=[*headers])
        kept: asyncio.Future[Any] = await self._producer.send_batch(batch, to.topic, partition=to.partition)
        return kept


class _Sent(Struct, frozen=True):
    target: Target
    kept: "asyncio.Future[Any]"


def decide(letter: DeadLetter, inputs: Inputs, notes: Mapping[str, Note], now: Instant) -> Target | Done:
    """Where a copy goes, or why none is made."""
    note = notes.get(letter.place)
    if note is not None:
        return Done(letter, "before", f"{note.copy}, {text(note.at)}")
    target = inputs.target(letter, now)
    return Done(letter, "left", target.why) if isinstance(target, Left) else target
