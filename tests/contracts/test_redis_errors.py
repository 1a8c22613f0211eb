"""What Redis refuses is said with where it is and what to do, and never with whom it was asked about."""

import pytest
from redis import exceptions as redis_says
from redis.exceptions import ResponseError

from state.redis.errors import reason, said
from state.redis.reader import RedisReader
from state.redis.servers import AsyncServers
from state.redis.store import RedisStore
from streams.settings import shown
from tests.runtime.redis import Redis

WHERE = "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            redis_says.TimeoutError("Timeout reading from socket"),
            "does not answer: Timeout reading from socket; see that it runs",
        ),
        (
            OSError("no route to host"),
            "does not answer: no route to host; see that it runs, and that GATE61_REDIS names it",
        ),
        (
            redis_says.ConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed"),
            "does not answer: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed; name who signs its "
            "certificate in GATE61_REDIS: rediss://HOST:PORT/N?ssl_ca_certs=FILE",
        ),
        (
            redis_says.ConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number"),
            "does not answer: [SSL: WRONG_VERSION_NUMBER] wrong version number; it speaks no TLS there",
        ),
        (
            redis_says.InvalidResponse('Protocol error, got "H" as reply type byte'),
            'refuses: Protocol error, got "H" as reply type byte; something else than Redis answers there',
        ),
        (
            redis_says.InvalidResponse('Protocol error, got "\\x15" as reply type byte'),
            'refuses: Protocol error, got "\\x15" as reply type byte; it speaks TLS there: begin GATE61_REDIS with rediss://',
        ),
        (
            redis_says.ConnectionError("Connection reset by peer"),
            "does not answer: Connection reset by peer; see that it runs, and that GATE61_REDIS names it: rediss:// if it "
            "speaks TLS only",
        ),
        (
            redis_says.AuthenticationError("HELLO must be called"),
            "refuses: HELLO must be called; name its user and password",
        ),
        (
            redis_says.NoPermissionError("no permissions"),
            "refuses: no permissions; give the user of GATE61_REDIS the rights",
        ),
        (
            redis_says.OutOfMemoryError(
                "command not allowed when used memory > 'maxmemory'. script: a2f39, on @user_script:1."
            ),
            "refuses: command not allowed when used memory > 'maxmemory'; give it more memory (`maxmemory`)",
        ),
        (
            ResponseError("MISCONF Redis is configured to save"),
            "refuses: MISCONF Redis is configured to save; look at its log and free its disk",
        ),
        (redis_says.ReadOnlyError("You can't write"), "refuses: You can't write; it is a replica: name the primary"),
        (
            redis_says.BusyLoadingError("Redis is loading"),
            "refuses: Redis is loading; wait until it has read its files",
        ),
        (
            ResponseError("WRONGTYPE Operation against a key"),
            "refuses: WRONGTYPE Operation against a key; keep other programs",
        ),
        (
            ResponseError("DB index is out of range"),
            "refuses: DB index is out of range; end GATE61_REDIS with a database",
        ),
        (ResponseError("NOREPLICAS Not enough"), "refuses: NOREPLICAS Not enough; see that its replicas run"),
        (
            ResponseError("unknown command 'HMGET', with args beginning with: '{t:0}:dossiers' 'cl-000659' "),
            "refuses: unknown command 'HMGET'; look at its log",
        ),
        (
            ResponseError("Command # 1 (HMGET {t:0}:dossiers cl-000659) of pipeline caused error: ERR no\nand more"),
            "refuses: ERR no and more; look at its log",
        ),
    ],
)
def test_what_redis_does_not_do_is_said_with_what_to_do(error: Exception, told: str) -> None:
    """By its kind, in its own words, without the command and what that was given."""
    assert said(error, WHERE).startswith(f"Redis at {WHERE} {told}")
    assert "cl-000659" not in said(error, WHERE)


def test_where_redis_is_holds_no_password() -> None:
    """Wherever in the address it stands."""
    assert shown("rediss://me:quiet@host:1/0?password=quiet#quiet") == "rediss://host:1/0"


def test_a_pipeline_of_the_store_names_no_client(redis: Redis, prefix: str) -> None:
    """Whatever it meets: the error goes to the worker's log."""
    place = f"{prefix}t:0"
    store = RedisStore(redis.client(), place)
    store.assign()
    with redis.client() as client:
        client.rpush(f"{{{place}}}:dossiers", "somebody was here")
        client.set(f"{{{place}}}:history:cl-000659", "somebody was here")
    for attempt in (
        lambda: store.recall(["cl-000659"], ()),
        store.verify,
    ):
        with pytest.raises(ResponseError, match=r"^WRONGTYPE"):
            attempt()
    with redis.client() as client:
        client.delete(f"{{{place}}}:dossiers")
    with pytest.raises(ResponseError, match=r"^WRONGTYPE"):
        store.recall_histories(["cl-000659"])
    store.close()


async def test_nor_does_one_of_who_only_reads(redis: Redis, prefix: str) -> None:
    """Also where Redis refuses a command before it begins."""
    with redis.client() as client:
        client.acl_setuser("narrow", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-hmget", "-lrange"])
    reader = RedisReader(AsyncServers(redis.url.replace("//", "//narrow:any@"), 5), f"{prefix}t")
    try:
        for asked in (reader.read_many(0, ["cl-000659"], ("recorded",), True), reader.places(1)):
            with pytest.raises(redis_says.NoPermissionError) as met:
                await asked
            assert "cl-000659" not in str(met.value) and "Command #" not in str(met.value)
            assert reason(met.value).startswith("this user has no permissions")
    finally:
        await reader.close()
        with redis.client() as client:
            client.acl_deluser("narrow")
