"""Messages between merged clients as their topic takes them: one record each, or numbered parts of what is too large."""

from hashlib import blake2b
from typing import Final

import msgspec

from gate.effects import Greeting
from state.codec import LONGEST_GREETING, greeting_from_bytes, greeting_to_bytes

PART: Final = b"\x1e"
"""Before a part. Earlier programs take that for a layout to come (`state.codec.LAYOUTS`), and wait to be updated."""
PART_BYTES: Final = 1_000_000
"""Bytes of a message in one part. They are far fewer than the topic takes: a worker sends what is for all partitions of a
broker in one request, and of that brokers take 100 MB."""
MOST_PARTS: Final = 10_000
"""More than any client's history has room for."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One of the records in which a message travels that is too large for one."""

    to: str
    """The client whom the message is for."""
    message: bytes
    """The digest of the whole message."""
    number: int
    """Which of its parts this is, from 0 on."""
    many: int
    """How many parts it has."""
    said: bytes
    """Its bytes of the message."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Part).decode


def message_to_records(greeting: Greeting) -> list[bytes]:
    """A message as it travels.

    It is never several messages: each would be judged by itself on account of one fact, and give answers with one id.
    """
    whole = greeting_to_bytes(greeting)
    if len(whole) < LONGEST_GREETING:
        return [whole]
    said = [whole[begin : begin + PART_BYTES] for begin in range(0, len(whole), PART_BYTES)]
    message, many = digest_of(whole), len(said)
    return [PART + _encode(Part(greeting.to, message, n, many, part)) for n, part in enumerate(said)]


def message_from_bytes(data: bytes) -> Greeting | Part:
    """What one record holds; raises `UnknownLayout`, or `ValueError` for what is neither."""
    if data[:1] != PART:
        return greeting_from_bytes(data)
    part = _decode(memoryview(data)[1:])
    if not 0 <= part.number < part.many <= MOST_PARTS:
        raise ValueError(f"it is part {part.number} of {part.many}")
    return part


def digest_of(message: bytes) -> bytes:
    """What tells a message that travels in parts from every other one."""
    return blake2b(message, digest_size=16).digest()
