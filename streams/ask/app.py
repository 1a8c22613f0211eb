"""`gate61 ask`: the synchronous question beside a worker, over Redis and the register's topic; it only reads."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import Depends, FastAPI

from state.redis.reader import RedisReader
from state.redis.servers import AsyncServers
from streams.ask.budget import Budget
from streams.ask.over_redis import OverRedis
from streams.ask.routes import ask_routes, probes
from streams.ask.stream import KafkaStream
from streams.faults import cause
from streams.kafka.topics import topics
from streams.settings import Settings, shown
from streams.web.access import Access
from streams.web.application import bare
from streams.web.clock import Clock
from streams.web.metrics import Metrics
from streams.web.problems import say_problems

_log = structlog.get_logger("gate61.ask")


def _ended(following: "asyncio.Task[None]") -> None:
    """Nothing could be answered any more: whoever started the process starts it again."""
    if not following.cancelled():
        error = following.exception()
        _log.critical("the stream is followed no longer; the process ends", cause=error and cause(error))
        signal.raise_signal(signal.SIGTERM)


def ask_app(settings: Settings, access: Access, clock: Clock, lag: float, budget: Budget) -> FastAPI:
    """The application; `lag` is for how long a worker may be behind the stream, `budget` what questions may take."""
    state = RedisReader(AsyncServers(settings.redis, budget.one), topics(settings.prefix).actions.name)
    stream = KafkaStream(settings, state, clock, lag)
    reader, metrics = OverRedis(stream, state, lag, clock, shown(settings.redis)), Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(stream.run())
        following.add_done_callback(_ended)
        yield
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await state.close()

    app = bare(lifespan)
    say_problems(app)
    metrics.measure(app)
    app.include_router(ask_routes(reader, access, metrics, clock, budget))
    app.include_router(probes(reader, access))
    app.get("/metrics", dependencies=[Depends(access.needs("ask", "publish"))])(metrics.page)
    return app
