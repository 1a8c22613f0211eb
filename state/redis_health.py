"""What a Redis must be to hold proof: nothing that was acknowledged may vanish (design section 3)."""

from redis import Redis
from redis.exceptions import ResponseError

LEAST_VERSION = (7, 0)


def complaints(client: Redis) -> list[str]:
    """Why state may not be kept there, each with what to do; empty if it may. Raises if Redis cannot be asked."""
    server: dict[str, object] = client.info("server")
    persistence: dict[str, object] = client.info("persistence")
    replication: dict[str, object] = client.info("replication")
    found = []
    version = str(server["redis_version"])
    if tuple(int(n) for n in version.split(".")[:2]) < LEAST_VERSION:
        found.append(f"Redis is {version}; use 7.0 or newer")
    if not persistence["aof_enabled"]:
        found.append("Redis has no append-only file and forgets on a crash; set `appendonly yes`")
    elif persistence["aof_last_write_status"] != "ok":
        found.append("Redis could not write its append-only file; look at its disk")
    if replication["role"] != "master":
        found.append("this Redis is a replica and takes no writes; name the primary in GATE61_REDIS")
    policy = _setting(client, "maxmemory-policy") or str(client.info("memory").get("maxmemory_policy"))
    if policy != "noeviction":
        found.append(f"Redis drops state when memory is short (`{policy}`); set `maxmemory-policy noeviction`")
    return found


def _setting(client: Redis, name: str) -> str | None:
    """None where the server does not let it be asked."""
    try:
        return client.config_get(name).get(name)
    except ResponseError:
        return None
