"""Publishing to the gate and waiting until it has taken the event: only then is it done."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, Protocol

import httpx
import msgspec
from kafka.errors import KafkaError
from msgspec import Struct
from redis.exceptions import RedisError

from state.redis import errors as redis_errors
from state.redis.look import StateLost, as_number, tag
from state.redis.servers import AsyncServers
from streams.border.media import STRUCTURED
from streams.kafka.connection import connection
from streams.kafka.topics import topics
from streams.keys import bearer
from streams.publisher import NotAcknowledged, Publisher, Refused
from streams.settings import Settings, shown

SOURCE: Final = "//gate61/desk"
"""Who publishes what people do at the desk."""
SECONDS: Final = 10.0
"""How long the gate may take before the sender is told that it is not known what became of the event."""
EACH_SECONDS: Final = 5.0
"""How long Kafka, and then Redis, may: less, so that the one that does not answer is named."""
_LOOK_SECONDS: Final = 0.02
_HEADERS: Final = {"content-type": STRUCTURED}


class Receipt(Struct, frozen=True):
    """What became of an event."""

    status: Literal["taken", "rejected", "unknown"]
    """`unknown`: it may have arrived; sending the same again is safe, it counts once."""
    said: str = ""
    """For people: why it was not taken."""


class Sender(Protocol):
    """The way to one gate."""

    async def send(self, event: Mapping[str, Any]) -> Receipt:
        """Publish a CloudEvent; returns when the gate has taken or refused it, or after `SECONDS`. Never raises."""

    async def close(self) -> None:
        """Let go."""


class _Result(Struct):
    status: Literal["taken", "duplicate", "rejected"]
    reason: str = ""
    message: str = ""


class _Results(Struct):
    """What the gate answers; a problem of the whole request has no results."""

    results: list[_Result] = []


class EmbeddedSender:
    """To an embedded gate over HTTP."""

    def __init__(self, url: str, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=bearer(key), transport=transport, timeout=SECONDS)

    async def send(self, event: Mapping[str, Any]) -> Receipt:
        """See `Sender`."""
        try:
            answer = await self._http.post("/v1/events", content=msgspec.json.encode(event), headers=_HEADERS)
        except httpx.HTTPError as error:
            return Receipt(
                "unknown", f"the gate does not answer ({type(error).__name__}); send it again, it counts once"
            )
        if answer.status_code in (401, 403):
            do = "name the file of a key that may ask and publish in GATE61_KEY_FILE"
            return Receipt("unknown", f"the gate answers {answer.status_code} and has taken nothing; {do}")
        try:
            results = msgspec.json.decode(answer.content, type=_Results).results
        except (msgspec.MsgspecError, RecursionError):
            do = "see what stands before it; send it again, it counts once"
            return Receipt("unknown", f"where the gate should be, something else answers {answer.status_code}: {do}")
        if not results:
            return Receipt("unknown", f"the gate answers {answer.status_code} and has taken nothing; send it again")
        if results[0].status == "rejected":
            return Receipt("rejected", f"{results[0].reason}: {results[0].message}")
        return Receipt("taken")

    async def close(self) -> None:
        """See `Sender`."""
        await self._http.aclose()


class KafkaSender:
    """To the workers over Kafka. Taken is what lies before the next offset that Redis holds: a worker has remembered it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = AsyncServers(settings.redis, EACH_SECONDS)
        self._actions = topics(settings.prefix).actions.name
        self._publisher: Publisher | None = None
        self._thread = ThreadPoolExecutor(1, "publisher")
        """One of its own, that waits for Kafka while the pages go on; and one alone, since what one act has sent and not
        flushed yet another one's flush would complain about."""

    async def send(self, event: Mapping[str, Any]) -> Receipt:
        """See `Sender`. An id used before with other content is not found out here; it stands among the rejects."""
        loop, value = asyncio.get_running_loop(), msgspec.json.encode(event)
        late = "Kafka has not taken it; send it again, it counts once"
        try:
            async with asyncio.timeout(SECONDS):
                place = await loop.run_in_executor(self._thread, self._publish, value)
                late = "no worker is known to have read it; Kafka keeps it, and it will be taken when one does"
                await self._remembered(*place)
            return Receipt("taken")
        except TimeoutError:
            return Receipt("unknown", f"within {SECONDS:g} s {late}")
        except Refused as refused:
            return Receipt("rejected", str(refused))
        except (NotAcknowledged, KafkaError, ConnectionError, StateLost) as error:
            return Receipt("unknown", str(error))
        except (RedisError, OSError) as error:
            return Receipt(
                "unknown",
                f"{redis_errors.said(error, shown(self._settings.redis))}; then look again whether it was taken",
            )

    def _publish(self, value: bytes) -> tuple[int, int]:
        if self._publisher is None:
            keywords, limit = connection(self._settings.kafka), int(EACH_SECONDS * 1000)
            servers = keywords.pop("bootstrap_servers")
            keywords |= {"bootstrap_timeout_ms": limit, "max_block_ms": limit}
            self._publisher = Publisher(servers, SOURCE, prefix=self._settings.prefix, **keywords)
        sent = self._publisher.send(value)
        self._publisher.flush(EACH_SECONDS)
        there = sent.get(0)
        return there.partition, there.offset

    async def _remembered(self, partition: int, offset: int) -> None:
        """Returns when a worker has remembered what stands there."""
        where = f"{self._actions}:{partition}"
        await self._redis.look()  # Its slot may have moved since it was asked for the last time.
        server = await self._redis.of(tag(where))
        while True:
            found = as_number(where, "next", await server.hget(f"{tag(where)}meta", "next"))
            if found is not None and found > offset:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def close(self) -> None:
        """See `Sender`."""
        await self._redis.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._publisher is not None:
            await asyncio.to_thread(self._publisher.close, 1)
