"""The servers of a Redis: one, or those of a cluster. Who works on a partition talks to the one that has its keys.

All keys of a partition lie in one slot, so a cluster is several plain servers and a table of who has which slots. No client
follows a slot that moves by itself, or does again what may have been done: a server says that it no longer has the slot,
which is trouble like any other. Whoever begins anew after trouble looks at the table first.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ClusterError, RedisError
from redis.retry import Retry

Address = tuple[str, int]
"""Host and port."""
Slots = tuple[int, int, Address]
"""The first and the last slot of a range, and who has it."""
C = TypeVar("C")
_PORT = 6379
_BY_SOCKET = "a cluster is not reached by a socket of one machine"


class _Layout(Generic[C]):
    """What is known of the servers: a client of each, and who has which slots."""

    def __init__(self, url: str, client_of: Callable[[str], C]) -> None:
        """`url` names any of them, without connecting to it; `client_of` makes a client of a url like it."""
        parts = urlsplit(url)
        self._url, self._client_of = url, client_of
        self._named: Address = parts.hostname or "", parts.port or _PORT
        self._clients: dict[Address, C] = {self._named: client_of(url)}
        self._alone: C | None = None
        """The only one; None where there are several, or that is not known yet."""
        self._slots: tuple[Slots, ...] = ()
        self._members: list[Address] = []
        """All that were told of, replicas too: one of them may be the primary next."""
        self._looks = 0

    @property
    def _known(self) -> bool:
        return self._alone is not None or bool(self._slots)

    def _in_turn(self) -> Iterator[tuple[Address, Any]]:
        """Whom to ask who has what, until one answers: first another one each time, as one that is cut off may be wrong."""
        if self._alone is not None:
            return
        known = self._members  # Another thread may replace it meanwhile.
        self._looks += 1
        first = self._looks % len(known) if known else 0
        for address in dict.fromkeys((*known[first:], *known[:first], self._named)):
            yield address, self._client(address)

    def _take(self, asked: Address, told: Any) -> None:
        """Who has which slots, as a server tells it; it leaves out its own host where it does not know that."""
        if told and urlsplit(self._url).scheme == "unix":
            raise RedisError(_BY_SOCKET)
        self._members = sorted({_address(one, asked[0]) for _, _, *of_range in told for one in of_range})
        self._slots = tuple((int(a), int(b), _address(primary, asked[0])) for a, b, primary, *_ in told)

    def _client(self, address: Address) -> C:
        if address not in self._clients:
            self._clients[address] = self._client_of(_url_of(self._url, address))
        return self._clients[address]

    def _holder(self, key: str) -> C:
        if self._alone is not None:
            return self._alone
        slot = key_slot(key.encode())
        for first, last, address in self._slots:
            if first <= slot <= last:
                return self._client(address)
        raise ClusterError(f"no server has slot {slot}")

    def _all(self) -> dict[str, C]:
        if self._alone is not None:
            return {"": self._alone}
        if not self._slots:
            raise ClusterError("no server has any slot")
        return {f"{host}:{port}": self._client((host, port)) for host, port in sorted({a for *_, a in self._slots})}


class Servers(_Layout[Redis]):
    """For who may wait. Every command is sent once; whatever it meets is raised."""

    def __init__(self, url: str, seconds: float) -> None:
        """`seconds` is what a server may take to answer."""

        def client_of(url: str) -> Redis:
            once = Retry(NoBackoff(), 0)
            return Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=once)

        super().__init__(url, client_of)

    def look(self) -> None:
        """Ask who has which slots; where there is one server, only once. Raises `RedisError`, `OSError`."""
        trouble: Exception | None = None
        for address, client in self._in_turn():
            try:
                if self._slots or _one_of_several(client.execute_command("HELLO")):
                    self._take(address, client.execute_command("CLUSTER SLOTS"))
                else:
                    self._alone = client
                return
            except (RedisError, OSError) as error:
                trouble = error
        if trouble is not None:
            raise trouble

    def of(self, key: str) -> Redis:
        """Who has the key, by the last look; raises like that, and `ClusterError` where nobody has."""
        if not self._known:
            self.look()
        return self._holder(key)

    def each(self) -> Mapping[str, Redis]:
        """All that hold state now, by name; the only one has none. Raises like `of`."""
        self.look()
        return self._all()

    def close(self) -> None:
        """Let go."""
        for client in [*self._clients.values()]:
            client.close()


class AsyncServers(_Layout[AsyncRedis]):
    """For who has others to serve meanwhile, and only reads."""

    def __init__(self, url: str, seconds: float) -> None:
        """`seconds` is what a server may take to answer."""
        super().__init__(
            url, lambda at: AsyncRedis.from_url(at, socket_timeout=seconds, socket_connect_timeout=seconds)
        )

    async def look(self) -> None:
        """See `Servers`."""
        trouble: Exception | None = None
        for address, client in self._in_turn():
            try:
                if self._slots or _one_of_several(await client.execute_command("HELLO")):
                    self._take(address, await client.execute_command("CLUSTER SLOTS"))
                else:
                    self._alone = client
                return
            except (RedisError, OSError) as error:
                trouble = error
        if trouble is not None:
            raise trouble

    async def of(self, key: str) -> Any:
        """See `Servers`."""
        if not self._known:
            await self.look()
        return self._holder(key)

    async def close(self) -> None:
        """Let go."""
        for client in [*self._clients.values()]:
            await client.aclose()


def _one_of_several(told: Any) -> bool:
    """What a server says of itself: it may always be asked that, whatever else a user may not."""
    return b"cluster" in (told.values() if isinstance(told, dict) else told)


def _address(primary: Any, asked: str) -> Address:
    """Where a primary is; `asked` is the host of who says so, which stands for a host that it does not know."""
    host = (primary[0] or b"?").decode()
    return asked if host == "?" else host, int(primary[1])


def _url_of(url: str, address: Address) -> str:
    """The same way in at another address."""
    parts, (host, port) = urlsplit(url), address
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}{f'[{host}]' if ':' in host else host}:{port}").geturl()


def server_of(redis: Redis | Servers, key: str) -> Redis:
    """Who has the key, of what may be several."""
    return redis.of(key) if isinstance(redis, Servers) else redis


def each_server(redis: Redis | Servers) -> Mapping[str, Redis]:
    """All that hold state, by name."""
    return redis.each() if isinstance(redis, Servers) else {"": redis}
