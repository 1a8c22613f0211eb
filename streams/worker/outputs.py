"""What a batch brings about, as the records to publish: the outbox, stored with the state before anything is sent."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from gate.effects import Answer, Case, Greeting, Notice
from gate.facts import Instant
from gate.outcome import Verdict
from gate.packing import decoder_of_many, packed
from gate.policy import Policy
from state.messages import message_to_records
from streams.clients import Effect
from streams.kafka.record import STRUCTURED, KeptHeaders, partition_of
from streams.kafka.topics import Names
from streams.publish import line_of
from streams.worker.fitting import fitting
from streams.worker.pins import APPENDED, CAUSE, HEADER, Reach, times, written

CONTENT_TYPE: Final = ("content-type", STRUCTURED)


class Output(msgspec.Struct, frozen=True, array_like=True):
    """A record to publish; `topic` is its place among `streams.kafka.topics.Names`."""

    topic: int
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    """`KeptHeaders`, written out for the compiler."""


_PLACE: Final[Mapping[str, int]] = {name: place for place, name in enumerate(Names._fields)}
DECISIONS, FLAGGED = _PLACE["decisions"], _PLACE["flagged"]
NOTICES, CASES, BETWEEN = _PLACE["notices"], _PLACE["cases"], _PLACE["between"]
REJECTED, REGISTER_REJECTED = _PLACE["rejected"], _PLACE["register_rejected"]

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = decoder_of_many(Output)


def outbox_to_bytes(outputs: Sequence[Output]) -> bytes:
    """The outbox as it is stored; empty for none."""
    return _encode([packed(o) for o in outputs]) if outputs else b""


def outbox_from_bytes(data: bytes) -> list[Output]:
    """What is stored of an outbox."""
    return _decode(data) if data else []


class Origin(msgspec.Struct, frozen=True):
    """What a record of output says of how it came about."""

    partition: int
    partitions: int
    input: bytes
    """`PARTITION:OFFSET` of what was read around a client, else the log and the offset."""
    reach: Reach
    """How far the logs were applied when the input was."""

    def headers(self, policy: Policy) -> KeptHeaders:
        """Which input was decided, under which register and policy."""
        return (
            CONTENT_TYPE,
            (CAUSE, self.input),
            ("gate61.register", b"%d" % self.reach.read[1]),
            (HEADER, written(self.reach.read)),
            (APPENDED, times(self.reach.appended)),
            ("gate61.policy", _ascii(policy.digest)),
        )


@lru_cache(16)
def _ascii(text: str) -> bytes:
    return text.encode()


def outputs_of(effects: Iterable[Effect], origin: Origin, recorded: Instant, policy: Policy) -> Iterable[Output]:
    """The records of some effects: an answer that holds or blocks goes out twice, for those who watch."""
    for effect in effects:
        match effect:
            case Answer():
                line = line_of(effect, recorded, policy)
                yield from answer(line, effect.offer.client, effect.outcome.verdict, origin, policy)
            case Notice():
                yield _told(NOTICES, effect.client, line_of(effect, recorded, policy), origin)
            case Case():
                yield _told(CASES, effect.client, line_of(effect, recorded, policy), origin)
            case Greeting():
                key = effect.to.encode()
                to = partition_of(key, origin.partitions)
                yield from (Output(BETWEEN, to, key, value) for value in message_to_records(effect))


def answer(line: bytes, client: str, verdict: Verdict, origin: Origin, policy: Policy) -> Iterable[Output]:
    """The records of one answer."""
    headers, key = origin.headers(policy), client.encode()
    line = fitting(line, key)
    yield Output(DECISIONS, origin.partition, key, line, headers)
    if verdict is not Verdict.ALLOW:
        yield Output(FLAGGED, origin.partition, key, line, headers)


def _told(topic: int, client: str | None, line: bytes, origin: Origin) -> Output:
    key = None if client is None else client.encode()
    return Output(topic, origin.partition, key, fitting(line, key), (CONTENT_TYPE,))
