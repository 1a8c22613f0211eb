"""What a Redis must be to hold proof: nothing that was acknowledged may vanish (design section 3).

Of a cluster each primary must be so, and what is found of one names it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from msgspec import structs
from redis import Redis
from redis.exceptions import ResponseError

from state.finding import Finding, Level
from state.redis.errors import forbidden, reason
from state.redis.servers import Servers, each_server

LEAST_VERSION = (7, 0)
MEMORY_SHORT = 0.8
"""Of the memory there is: from here on it is time to add some."""
REWRITTEN_FROM = 256 * 1024 * 1024
"""Bytes of an append-only file: if it is rewritten before, then all the time under load, which costs as much as our writes."""

_RUN = "let the user of GATE61_REDIS run BGREWRITEAOF; until then run that yourself, each time that Redis was started"
_FAILED = "look at its disk, memory and log; the gate asks for it again, ever more rarely; run BGREWRITEAOF once that is mended"

Info = Mapping[str, Any]


def complaints(redis: Redis | Servers, lasting: bool = False) -> list[str]:
    """Why state may not be kept there, each with what to do; empty if it may. Raises if Redis cannot be asked.

    Of those that are `lasting` somebody set Redis up so; others pass by themselves, as where a replica takes over.
    """
    return [f"{f.what}; {f.do}" for f in of_each(redis, findings) if f.wrong and not (lasting and f.passes)]


def of_each(redis: Redis | Servers, look: Callable[[Redis], Iterable[Finding]]) -> Iterator[Finding]:
    """What `look` finds of each server that holds state; raises as that does, and where they are not known."""
    for name, client in each_server(redis).items():
        for found in look(client):
            yield structs.replace(found, what=f"{name}: {found.what}") if name else found


def findings(client: Redis) -> list[Finding]:
    """Whether this server keeps what it acknowledges. Raises `RedisError` if it does not answer."""
    try:
        info: Info = client.info()
    except ResponseError as error:
        if not forbidden(error):
            raise
        said = f"Redis does not let its state be asked: {reason(error)}"
        return [_wrong(said, "let the user of GATE61_REDIS run INFO (and CONFIG GET)")]
    return [*_server(info), *_persistence(client, info), *_eviction(client, info)]


def memory(client: Redis) -> Finding:
    """How much memory is left for state."""
    info: Info = client.info("memory")
    used = int(info["used_memory"])
    limit = int(info.get("maxmemory") or 0) or int(info.get("total_system_memory") or 0)
    if not limit:
        return _warn("Redis does not tell how much memory there is", "watch its memory by other means")
    said = f"memory: {used >> 20} MiB used of {limit >> 20} MiB"
    if used >= limit:
        return _wrong(f"{said}: Redis takes no more writes", "give it more memory; the gate waits until then")
    if used >= MEMORY_SHORT * limit:
        return _warn(said, "give it more memory, before it is full and the gate has to wait")
    return Finding("Redis", Level.OK, said)


class AppendOnly(NamedTuple):
    """How Redis' append-only file is; of several servers all must be well."""

    written: bool
    """Whether Redis can write it."""
    renewed: bool
    """Whether Redis has written it anew since its start, and did so when it last tried."""
    rewrites: int
    """How often it did since its start."""


def append_only(redis: Redis | Servers) -> AppendOnly:
    """Asked now."""
    told: list[Info] = [client.info("persistence") for client in each_server(redis).values()]
    written = all(not _unwritten(info) for info in told)
    return AppendOnly(written, all(map(_is_renewed, told)), sum(int(info.get("aof_rewrites", 0)) for info in told))


def renew(redis: Redis | Servers, again: bool = False, damaged: bool = False) -> Finding | None:
    """Have Redis write its append-only file anew, once after each start of it; None where that is done or under way.

    Where it failed Redis is asked only `again`: each try that fails leaves a file behind. `damaged` is one that could not be
    written for a time: Redis 7.0 goes on behind what it cut off, and refuses that file when it starts.

    A crash may cut the file within a transaction. Then Redis starts with what was written before it, but leaves what it
    has of the transaction in the file, and its next start runs that together with the next one: every record of it would
    be there twice. What it has in memory is right, and what it writes anew from there. Not OK is what keeps it from that.
    """
    found = [*of_each(redis, partial(_renewed, again=again, damaged=damaged))]
    return next((f for f in found if f.level is not Level.OK), found[0] if found else None)


def _unwritten(info: Info) -> bool:
    return bool(info["aof_enabled"] and info["aof_last_write_status"] != "ok")


def _failed(info: Info) -> bool:
    return bool(info["aof_last_bgrewrite_status"] != "ok")


def _is_renewed(info: Info) -> bool:
    done = info["aof_last_rewrite_time_sec"] >= 0  # Below 0 until this process has done it.
    return not info["aof_enabled"] or (done and not _failed(info))


def _renewed(client: Redis, again: bool, damaged: bool) -> Iterator[Finding]:
    info: Info = client.info("persistence")
    if (_is_renewed(info) and not damaged) or info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]:
        return
    if _failed(info):
        yield _warn("Redis could not write its append-only file anew", _FAILED)
    if _failed(info) and not again:
        return
    try:
        client.bgrewriteaof()
    except ResponseError as error:
        if forbidden(error):
            said = f"Redis does not write its append-only file anew: {reason(error)}"
            yield _warn(f"{said}; if it was cut by a crash, the next start of Redis may read a write twice", _RUN)
        elif "in progress" not in str(error):  # Then another worker was faster.
            raise
    else:
        yield Finding(
            "Redis", Level.OK, "writes its append-only file anew, as once after each start and each full disk"
        )


def _server(info: Info) -> Iterator[Finding]:
    version, role = str(info["redis_version"]), info["role"]
    if tuple(int(n) for n in version.split(".")[:2]) < LEAST_VERSION:
        yield _wrong(f"Redis is version {version}", "use 7.0 or newer")
    elif role != "master":
        yield _passing("this Redis is a replica and takes no writes of ours", "name the primary in GATE61_REDIS")
    else:
        yield Finding("Redis", Level.OK, f"version {version}, {role}")


def _persistence(client: Redis, info: Info) -> Iterator[Finding]:
    said = _setting(client, "appendonly")
    if not info["aof_enabled"]:
        yield _wrong("Redis has no append-only file, and forgets on a crash", "set `appendonly yes`")
        return
    if said not in (None, "yes"):
        yield _wrong(f"Redis says an append-only file is on, and that `appendonly` is `{said}`", "ask whoever runs it")
    if _unwritten(info):
        yield _passing(
            "Redis could not write its append-only file", "look at its log and free its disk; do not start it again"
        )
    if info["aof_last_bgrewrite_status"] != "ok":
        yield _warn("Redis could not rewrite its append-only file, which grows", "look at its disk, memory and log")
    flushed = _setting(client, "appendfsync")
    if said is None or flushed is None:
        yield _warn(
            "Redis does not let its settings be asked (CONFIG GET); what it says of its append-only file is believed",
            "see that `appendonly` is `yes` and `appendfsync` is `everysec` or `always`",
        )
    elif flushed == "no":
        yield _warn("a lost machine loses up to half a minute (`appendfsync no`)", "set `appendfsync everysec`")
    else:
        yield Finding("Redis", Level.OK, f"append-only file on, `appendfsync {flushed}`")
    rewritten = _setting(client, "auto-aof-rewrite-min-size")
    if rewritten is not None and int(rewritten) < REWRITTEN_FROM:
        said = f"Redis rewrites its append-only file whenever it has doubled, from {int(rewritten) >> 20} MiB on"
        yield _warn(f"{said}: under load that is half of its work", "set `auto-aof-rewrite-min-size 1gb`")


def _eviction(client: Redis, info: Info) -> Iterator[Finding]:
    policy = _setting(client, "maxmemory-policy") or str(info.get("maxmemory_policy", "unknown"))
    if policy == "noeviction":
        yield Finding("Redis", Level.OK, "nothing is evicted")
    else:
        said = f"Redis drops state when memory is short (`maxmemory-policy {policy}`)"
        yield _wrong(said, "set `maxmemory-policy noeviction`")


def _setting(client: Redis, name: str) -> str | None:
    """None where the server does not let it be asked."""
    try:
        found: str | None = client.config_get(name).get(name)
    except ResponseError as error:
        if not forbidden(error):
            raise
        return None
    return found


def _wrong(what: str, do: str) -> Finding:
    return Finding("Redis", Level.WRONG, what, do)


def _passing(what: str, do: str) -> Finding:
    return structs.replace(_wrong(what, do), passes=True)


def _warn(what: str, do: str) -> Finding:
    return Finding("Redis", Level.WARN, what, do)
