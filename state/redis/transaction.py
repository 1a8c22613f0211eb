"""A write to Redis that happens as a whole, and only on what was found right before (WATCH, MULTI, EXEC).

No script does all of it: Lua takes every byte in, hashes and copies it, which was half of what Redis did with a batch
(counted by callgrind, Redis 7.0). Nor should there be many commands: each is answered while the next are still being
sent, and wakes up who waits for all of them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.exceptions import ConnectionError

Command = Sequence[bytes]
"""The name of a command and what it is given."""

_SHORT: Final = 4096
_LENGTHS: Final = [b"\r\n$%d\r\n" % length for length in range(_SHORT)]
"""What stands before a part of a command, by its length: nearly all are short, and writing a number out is slow."""


class Interrupted(Exception):
    """Somebody wrote to what was looked at before this could; nothing was written."""


def transact(
    client: Any,
    watched: Sequence[bytes],
    questions: Sequence[Command],
    judge: Callable[[Sequence[Any]], None],
    commands: Sequence[Command],
) -> list[Any]:
    """Ask, let `judge` see the answers, and run all commands if the watched keys are still what they were then.

    Returns what these answer. What `judge` raises is passed on, and nothing is written. Raises `Interrupted`, and as redis-py
    does: then, unless the server said that it refused, nobody knows whether it was written. Of commands that are refused while
    others run, as a script is where a disk fails right then, the first is raised, and the others are done.
    """
    connection = client.connection_pool.get_connection()
    try:
        # What follows a MULTI that is refused would be done at once.
        answers = _asked(connection, [(b"WATCH", *watched), *questions, (b"MULTI",)])
        judge(answers[1:-1])
        if not connection.is_connected:  # Another one would be made, on which nothing is watched.
            raise ConnectionError("the connection was closed meanwhile")
        done: list[Any] | None = _asked(connection, [*commands, (b"EXEC",)])[-1]
    except BaseException:
        connection.disconnect()  # With what it watches and was still to be told.
        raise
    finally:
        client.connection_pool.release(connection)
    if done is None:
        raise Interrupted
    for each in done:
        if isinstance(each, Exception):
            raise each
    return done


def _asked(connection: Any, commands: Sequence[Command]) -> list[Any]:
    """The answers to all commands, in one round trip; raises the first error among them."""
    connection.send_packed_command([framed(commands)])
    return [connection.read_response() for _ in commands]


def framed(commands: Sequence[Command]) -> bytes:
    """Commands as Redis reads them (RESP, arrays of bulk strings)."""
    pieces: list[bytes] = []
    for command in commands:
        pieces.append(b"*%d" % len(command))
        for part in command:
            length = len(part)
            pieces.append(_LENGTHS[length] if length < _SHORT else b"\r\n$%d\r\n" % length)
            pieces.append(part)
        pieces.append(b"\r\n")
    return b"".join(pieces)
