"""What a Redis must be is asked of it again and again, and only what will not change by itself is complained about."""

from collections.abc import Callable
from time import time
from typing import Any

import pytest
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from gate.facts import Instant
from gate.policy import SECOND
from state.redis import errors as redis_errors
from state.redis import health as redis_health
from streams.worker.clock import Clock
from streams.worker.here import Here
from streams.worker.redis_watch import RedisWatch

BUSY = ResponseError("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
NO_RIGHT = NoPermissionError("this user has no permissions to run the command")
UNKNOWN = ResponseError("unknown command 'X', with args beginning with: ")
IN_ORDER = {
    "redis_version": "7.0.15",
    "role": "master",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "aof_last_rewrite_time_sec": -1,
    "aof_rewrite_in_progress": 0,
    "aof_rewrite_scheduled": 0,
    "maxmemory_policy": "noeviction",
}
SETTINGS = {"appendonly": "yes", "appendfsync": "everysec"}
ASKS: dict[str, Callable[[Any], object]] = {
    "info": redis_health.complaints,
    "config_get": redis_health.complaints,
    "time": Clock().ask,
    "bgrewriteaof": redis_health.renew,
}


class _Redis:
    """Answers as a server does, but for what is refused; notes when it was asked to write its file anew."""

    def __init__(self, **refused: Exception) -> None:
        self.refused = refused
        self.told = {**IN_ORDER}
        self.now: Instant = 0
        self.rewrites: list[Instant] = []

    def of(self, key: str) -> "_Redis":
        return self

    def steady(self) -> Instant:
        return self.now

    def _answer(self, name: str, found: Any) -> Any:
        if name in self.refused:
            raise self.refused[name]
        return found

    def info(self, section: str = "") -> Any:
        return self._answer("info", self.told)

    def config_get(self, name: str) -> Any:
        return self._answer("config_get", {name: SETTINGS.get(name)})

    def time(self) -> Any:
        return self._answer("time", (int(time()), 0))

    def bgrewriteaof(self) -> Any:
        self.rewrites.append(self.now // SECOND)
        return self._answer("bgrewriteaof", True)


@pytest.mark.parametrize("command", ASKS)
def test_what_passes_by_itself_is_waited_for_and_no_complaint(command: str) -> None:
    """Somebody's script keeps Redis busy: no right is missing, and nothing is known of how it is."""
    with pytest.raises(RedisError) as met:
        ASKS[command](_Redis(**{command: BUSY}))
    assert "SCRIPT KILL`" in redis_errors.said(met.value, "redis://host:1/0")


@pytest.mark.parametrize("error", [NO_RIGHT, UNKNOWN])
@pytest.mark.parametrize("command", ASKS)
def test_a_right_that_is_missing_is_not_waited_for(command: str, error: Exception) -> None:
    """A user who may not ask, or a server on which nobody may: told, or gone on without, as ever."""
    found = ASKS[command](_Redis(**{command: error}))
    assert bool(found) is (command in {"info", "bgrewriteaof"})


async def test_a_file_that_could_not_be_written_for_a_time_is_written_anew() -> None:
    """Once, as soon as it can be written again; not by all workers."""
    redis, world = _Redis(), Here("redis://host:1/0")
    watch, other = (RedisWatch(redis, world, "redis://host:1/0", "t:0") for _ in range(2))  # type: ignore[arg-type]
    redis.told |= {"aof_last_rewrite_time_sec": 1, "aof_rewrites": 1, "aof_last_write_status": "err"}
    await watch.look()
    await other.look()
    assert "free its disk; do not start it again" in world.held() and redis.rewrites == []
    redis.told["aof_last_write_status"] = "ok"
    await watch.look()
    assert world.held() == "" and len(redis.rewrites) == 1
    redis.told["aof_rewrites"] = 2
    for each in (watch, other, watch):
        await each.look()
    assert len(redis.rewrites) == 1


@pytest.mark.parametrize("told", [{"role": "slave"}, {"aof_last_write_status": "err"}])
async def test_who_starts_while_redis_is_in_passing_trouble_waits_as_who_runs(told: dict[str, str]) -> None:
    """A replica may take over at any moment, and a disk be freed; how Redis is set up stays as it is."""
    redis, world = _Redis(), Here("redis://host:1/0")
    watch = RedisWatch(redis, world, "redis://host:1/0", "t:0")  # type: ignore[arg-type]
    redis.told |= told
    assert await watch.meet() == [] and world.held() != ""
    redis.told |= {"role": "master", "aof_last_write_status": "ok"}
    await watch.look()
    assert world.held() == ""
    redis.told["aof_enabled"] = 0
    assert "append-only file" in " ".join(await watch.meet())


async def test_a_rewrite_that_fails_is_asked_for_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try leaves a file on a disk that may be full; who finds that somebody tried waits first. Then it is forgotten."""
    redis, world = _Redis(), Here("redis://host:1/0")
    monkeypatch.setattr(world, "steady", redis.steady)
    watch = RedisWatch(redis, world, "redis://host:1/0", "t:0")  # type: ignore[arg-type]

    async def looked_for(seconds: int) -> list[Instant]:
        redis.rewrites.clear()
        for _ in range(seconds // 10):
            await watch.look()
            redis.now += 10 * SECOND
        return [*redis.rewrites]

    assert await looked_for(10) == [0]
    redis.told["aof_last_bgrewrite_status"] = "err"
    assert await looked_for(4 * 3600) == [70, 190, 430, 910, 1870, 3790, 7390, 10990]
    assert "could not write its append-only file anew" in " ".join(watch.warnings())
    redis.told |= {"aof_last_bgrewrite_status": "ok", "aof_last_rewrite_time_sec": 1}
    assert await looked_for(10) == [] and watch.warnings() == []
    redis.told["aof_last_bgrewrite_status"] = "err"
    assert len(await looked_for(600)) == 3
