"""What Redis does not do, for people: where it is, why, and what to do. Neither passwords nor clients stand in it.

redis-py puts the beginning of a pipelined command before its error, and a server repeats what a command was given that
it does not know.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterError,
    ConnectionError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
    TryAgainError,
)

from state.finding import Finding, Level

_COMMAND = re.compile(r"^Command # \d+ \(.*\) of pipeline caused error: ", re.DOTALL)
_ALONE = re.compile(r"""^\((['"])(.*)\1,\)$""", re.DOTALL)
"""So redis-py for asyncio writes down what stood behind that."""
_GIVEN = re.compile(r",? with args beginning with: .*", re.DOTALL)
_SCRIPT = re.compile(r"\.? script: [0-9a-f]+, on .*", re.DOTALL)
_CUT_OFF = re.compile("reset by peer|closed by server|Timeout connecting")
"""So ends a connection, too, where one side speaks TLS and the other does not."""
_LONGEST = 200
"""Letters of a reason."""
_NOT_IN_SCRIPTS = "user executing the script can't run this command"
_KEYS_NOT_IN_SCRIPTS = "user executing the script can't access"
"""What Redis 7.0 says in a script of what a user may not do."""
_SIGN_IN = "name its user and password in GATE61_REDIS: redis://USER:PASSWORD@HOST:PORT/N"
_RIGHTS = "give the user of GATE61_REDIS the rights that it lacks"
_MOVING = (
    "wait until all keys of that slot have moved (`redis-cli --cluster check` says whether anybody moves them); "
    "the gate waits, too"
)
_BY_KIND: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, _SIGN_IN),
    (NoPermissionError, _RIGHTS),
    (OutOfMemoryError, "give it more memory (`maxmemory`); the gate waits until then"),
    (ReadOnlyError, "it is a replica: name the primary in GATE61_REDIS"),
    (BusyLoadingError, "wait until it has read its files"),
    (
        MovedError,
        "wait: the gate asks again which server has the slot; if it lasts, check that the servers know each other",
    ),
    (AskError, _MOVING),
    (TryAgainError, _MOVING),
    (ClusterError, "see that a primary serves each slot (`redis-cli --cluster check`); the gate waits until then"),
)
_FORBIDDEN = (_NOT_IN_SCRIPTS, _KEYS_NOT_IN_SCRIPTS, "unknown command", "Unknown Redis command")
_NO_TLS = "it speaks no TLS there: begin GATE61_REDIS with redis://, or name another port"
_BY_WORD = (
    (
        "CERTIFICATE_VERIFY_FAILED",
        "name who signs its certificate in GATE61_REDIS: rediss://HOST:PORT/N?ssl_ca_certs=FILE, and name the host as its "
        "certificate does",
    ),
    ("WRONG_VERSION_NUMBER", _NO_TLS),
    ("TLS/SSL connection has been closed", _NO_TLS),
    ('"\\x15" as reply type byte', "it speaks TLS there: begin GATE61_REDIS with rediss://"),
    ("as reply type byte", "something else than Redis answers there: give the address of Redis in GATE61_REDIS"),
    ("NOAUTH", _SIGN_IN),
    ("SELECT is not allowed", "end GATE61_REDIS with /0: a cluster has no other database"),
    ("not reached by a socket", "name one of its servers in GATE61_REDIS: redis://HOST:PORT/0"),
    ("DB index", "end GATE61_REDIS with a database that Redis has, such as /0"),
    (
        "MISCONF",
        "look at its log and free its disk; the gate waits until it can write again. Do not start it again before it has "
        "written its append-only file anew (BGREWRITEAOF, which a worker asks for): Redis 7.0 may refuse the one it has",
    ),
    (
        "BUSY Redis",
        "wait until what somebody runs there has ended, or end it (`redis-cli SCRIPT KILL`); the gate waits",
    ),
    ("because of: NOPERM", _RIGHTS),
    (_NOT_IN_SCRIPTS, _RIGHTS),
    (_KEYS_NOT_IN_SCRIPTS, _RIGHTS),
    ("NOREPLICAS", "see that its replicas run (`min-replicas-to-write`)"),
    ("WRONGTYPE", "keep other programs from writing there, and make the state anew with `gate61 rebuild`"),
)


@contextmanager
def unnamed() -> Iterator[None]:
    """Whatever a pipeline meets within, without the command that met it: clients may stand in that."""
    try:
        yield
    except RedisError as error:
        error.args = tuple(_without_command(a) if isinstance(a, str) else a for a in error.args)
        raise


def _without_command(text: str) -> str:
    return _ALONE.sub(r"\2", _COMMAND.sub("", text))


def finding(error: Exception, where: str) -> Finding:
    """A `RedisError`, or an `OSError` on the way there; `where` is its address, without a password."""
    ways = "does not answer" if _silent(error) else "refuses"
    return Finding("Redis", Level.WRONG, f"Redis at {where} {ways}: {reason(error)}", _to_do(error, where))


def said(error: Exception, where: str) -> str:
    """The same in one line."""
    found = finding(error, where)
    return f"{found.what}; {found.do}"


def forbidden(error: Exception) -> bool:
    """Whether the user may not ask that, or nobody may: Redis is well, and would refuse it again."""
    return isinstance(error, NoPermissionError) or any(word in str(error) for word in _FORBIDDEN)


def reason(error: Exception) -> str:
    """In Redis' own words, on one line; but of a slot that moves it says only numbers."""
    if isinstance(error, AskError):
        moves = "was" if isinstance(error, MovedError) else "is being"
        return f"slot {error.slot_id} {moves} moved to {error.host}:{error.port}"
    text = _without_command(str(error)) or type(error).__name__
    for more in (_GIVEN, _SCRIPT):
        text = more.sub("", text)
    return " ".join(text.split())[:_LONGEST]


def _silent(error: Exception) -> bool:
    spoke = isinstance(error, AuthenticationError | BusyLoadingError)
    return isinstance(error, ConnectionError | TimeoutError | OSError) and not spoke


def _to_do(error: Exception, where: str) -> str:
    """By what Redis said."""
    for kind, do in _BY_KIND:
        if isinstance(error, kind):
            return do
    for word, do in _BY_WORD:
        if word in str(error):
            return do
    if not _silent(error):
        return "look at its log"
    do = "see that it runs, and that GATE61_REDIS names it"
    if _CUT_OFF.search(str(error)):
        do += ": redis:// if it speaks no TLS" if where.startswith("rediss:") else ": rediss:// if it speaks TLS only"
    return do
