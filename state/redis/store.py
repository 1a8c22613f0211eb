"""The store of one topic partition in Redis: reads in batches, writes as its `Owner`.

All that follows from a batch of records is one write: dossiers, histories, ids, notes, the next offset and the outbox.
So state and offset can only roll back together, and whoever lost the partition can write nothing (design section 3).

Keys share the hash tag `{TOPIC:PARTITION}`, so that Redis Cluster keeps them in one slot (`servers`):

| key | what |
|---|---|
| `{tag}:meta` | hash: `token` of the owner, `next` offset, number of the `batch`, how many `clients`, `notes` and `ids` there are; what was `begun` last |
| `{tag}:dossiers` | hash: client to the number of his records and his dossier |
| `{tag}:history:CLIENT` | list of records |
| `{tag}:notes` | hash |
| `{tag}:seen:WEEK` | hash: id digest to content digest, by the week it was recorded |
| `{tag}:outbox` | the outputs of the last write; it is there once something was written, also where there were none |
| `{tag}:making` | how far it is to be made anew, from before the first key is removed until that is done |
| `{tag}:unpublished` | for as long: the outbox of what was removed |
| `{tag}:probe` | nothing: a new owner tries here what it is let do |
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from redis import Redis
from redis.exceptions import ResponseError

from gate.dossier import Dossier
from gate.facts import Instant
from gate.history import Record
from state.codec import dossier_from_bytes, dossier_to_bytes, record_from_bytes, record_to_bytes
from state.notes import WEEK_OF_IDS
from state.redis.errors import unnamed
from state.redis.ids import Ids
from state.redis.look import Look, StateLost, all_records, look, tag, wrong_type
from state.redis.owner import Assigned, Owner
from state.redis.servers import Servers
from state.redis.transaction import Command

CACHED_DOSSIERS: Final = 20_000
FETCHED_RECORDS = 20_000
"""Of histories fetched ahead: a few megabytes."""
_COUNT: Final = 4
"""Bytes before a stored dossier: how many records its client's history has, so that a lost one is found out."""


def unpacked(where: str, client: str, stored: bytes | None) -> tuple[Dossier, int]:
    """A dossier and the number of records in its client's history, from their stored form; raises as decoding does.

    `StateLost` for what was never a dossier; `where` it lies.
    """
    if stored is None:
        return Dossier(client), 0
    try:
        return dossier_from_bytes(memoryview(stored)[_COUNT:]), int.from_bytes(stored[:_COUNT], "big")
    except ValueError as error:
        raise StateLost(where, f"holds a client's dossier that cannot be read ({error})") from None


class RedisStore:
    """A `Store` over one partition, once `assign` was called. Nothing reaches Redis before `commit`.

    After a failure call `assign` again.
    """

    def __init__(self, client: Redis | Servers, partition: str, cached: int = CACHED_DOSSIERS, below: str = "") -> None:
        """`below` is for a second state of the same partition, kept beside the first."""
        self._client = client
        self._tag = tag(partition) + below
        self._owner = Owner(client, self._tag)
        self._ids = Ids(self._tag)
        self._limit = cached
        self._cache: dict[str, Dossier] = {}
        self._counts: dict[str, int] = {}
        self.rollback()

    def rollback(self) -> None:
        """See `Store`: forget what was not committed, and the cache, which it may have changed."""
        self._cache.clear()
        self._counts.clear()
        self._dirty: dict[str, Dossier] = {}
        self._records: dict[str, list[bytes]] = {}
        self._ahead: dict[str, list[bytes]] = {}
        self._notes: dict[str, bytes] = {}
        self._ids.forget(self._owner.week)

    def _key(self, name: str) -> str:
        return self._tag + name

    @property
    def _redis(self) -> Any:
        return self._owner.redis

    def assign(self) -> Assigned:
        """See `Owner`: become it."""
        self.rollback()
        assigned = self._owner.assign()
        self._ids.forget(self._owner.week)  # Redis may have gone back: what it says counts, not what was known before.
        self._ids.look(self._redis)
        return assigned

    def verify(self) -> None:
        """See `Owner`: whether what it wrote last is what is stored."""
        self._owner.verify()

    def recall(self, clients: Iterable[str], ids: Sequence[bytes]) -> int:
        """Fetch in one round trip what a batch will ask for; returns how many clients were not in memory."""
        clients = dict.fromkeys(clients)
        wanted = [c for c in clients if c not in self._cache and c not in self._dirty]
        unknown = self._ids.unknown(ids)
        pipe = self._redis.pipeline(transaction=False)
        if wanted:
            self._trim(clients)
            pipe.hmget(self._key("dossiers"), wanted)
        weeks = self._ids.ask(pipe, unknown)
        with unnamed():
            found = pipe.execute() if wanted or weeks else []
        if wanted:
            for client, packed in zip(wanted, found.pop(0), strict=True):
                self._cache[client], self._counts[client] = unpacked(self._tag, client, packed)
        self._ids.fetched(unknown, weeks, found)
        return len(wanted)

    def recall_histories(self, clients: Iterable[str]) -> None:
        """Fetch in one round trip the histories of clients who are judged again next; what is too much comes when asked."""
        few, records = [], 0
        for client in clients:
            self.dossier(client)
            records += self._counts[client]
            if records > FETCHED_RECORDS:
                break
            few.append(client)
        pipe = self._redis.pipeline(transaction=False)
        for client in few:
            pipe.lrange(self._key(f"history:{client}"), 0, -1)
        with unnamed():
            self._ahead = dict(zip(few, pipe.execute(), strict=True)) if few else {}

    def recorded(self, at: Instant) -> None:
        """The time by which ids seen from now on are recorded."""
        self._ids.recorded(at)

    def dossier(self, client: str) -> Dossier:
        """See `Store`."""
        if client not in self._cache:
            self.recall((client,), ())
        return self._cache[client]

    def keep(self, dossier: Dossier, *records: Record) -> None:
        """See `Store`."""
        if dossier.client not in self._cache:
            self.recall((dossier.client,), ())
        self._cache.pop(dossier.client, None)
        self._cache[dossier.client] = self._dirty[dossier.client] = dossier
        if records:
            self._records.setdefault(dossier.client, []).extend(map(record_to_bytes, records))

    def history(self, client: str) -> list[Record]:
        """See `Store`."""
        self.dossier(client)
        stored = self._ahead.pop(client, None)
        if stored is None:
            stored = self._redis.lrange(self._key(f"history:{client}"), 0, -1)
        if len(stored) != self._counts[client]:
            self.verify()  # Redis may have gone back behind the count, or somebody took the partition over.
        all_records(self._tag, len(stored), self._counts[client])
        return [record_from_bytes(r) for r in (*stored, *self._records.get(client, ()))]

    def dossiers(self) -> Iterator[Dossier]:
        """See `Store`, but in any order."""
        for client, packed in self._redis.hscan_iter(self._key("dossiers"), count=1000):
            if client.decode() not in self._dirty:
                yield unpacked(self._tag, client.decode(), packed)[0]
        yield from self._dirty.values()

    def note(self, name: str, data: bytes) -> None:
        """See `Store`."""
        self._notes[name] = data

    def noted(self, name: str) -> bytes | None:
        """See `Store`."""
        if name in self._notes:
            return self._notes[name]
        found: bytes | None = self._redis.hget(self._key("notes"), name)
        return found

    def noted_under(self, prefix: str) -> set[str]:
        """See `Store`."""
        stored = (name.decode() for name in self._redis.hkeys(self._key("notes")))
        return {name for name in (*stored, *self._notes) if name.startswith(prefix)}

    def seen(self, key: bytes, content: bytes) -> bool | None:
        """See `Store`."""
        before = self._content(key)
        if before is None:
            self._ids.add(key, content)
            return None
        return before == content

    def known(self, key: bytes, content: bytes) -> bool:
        """See `Store`."""
        return self._content(key) == content

    def _content(self, key: bytes) -> bytes | None:
        """With what content an id was seen."""
        if not self._ids.is_known(key):
            self.recall((), (key,))
        return self._ids.content(key)

    def unsee(self, key: bytes) -> None:
        """Take back that an id was new: it is one of long ago, and what came now does not stand in its place."""
        self._ids.remove(key)

    def commit(self, next_offset: int | None = None, outbox: bytes = b"") -> None:
        """See `Store`: all of it in one transaction, with the next offset and the outputs to publish; see `Owner.write`."""
        week = self._ids.week
        if week != self._owner.week:
            self.note(WEEK_OF_IDS, str(week).encode())
        then = self._owner.next if next_offset is None else next_offset
        self._owner.write(then, outbox, week, self._changes(), self._records)
        self._ids.written()
        self._dirty, self._records, self._notes = {}, {}, {}
        self._ahead = {}
        self._trim(())

    def _changes(self) -> list[Command]:
        """What a commit does to clients, notes and ids."""
        changes: list[Command] = []
        if self._dirty:
            pairs = [v for c, d in self._dirty.items() for v in (c.encode(), self._packed(c, d))]
            changes.append((b"HSET", self._key("dossiers").encode(), *pairs))
        if self._notes:
            pairs = [v for k, n in self._notes.items() for v in (k.encode(), n)]
            changes.append((b"HSET", self._key("notes").encode(), *pairs))
        return changes + self._ids.changes()

    def _packed(self, client: str, dossier: Dossier) -> bytes:
        count = self._counts[client] = self._counts.get(client, 0) + len(self._records.get(client, ()))
        return count.to_bytes(_COUNT, "big") + dossier_to_bytes(dossier)

    def _trim(self, asked: Container[str]) -> None:
        """Let go of those who were kept longest ago, but not of what is still to be written, nor of who is asked for."""
        over = len(self._cache) - self._limit
        if over > 0:
            free = (c for c in self._cache if c not in self._dirty and c not in asked)
            for client in list(islice(free, over)):
                del self._cache[client]
                self._counts.pop(client, None)

    def look(self) -> Look:
        """What is stored, asked without becoming the owner."""
        return look(self._redis, self._tag)

    def count(self) -> int:
        """How many clients are stored."""
        return int(self._redis.hlen(self._key("dossiers")))

    def making(self, goal: bytes | None, outbox: bytes = b"") -> None:
        """Note how far the state is to be made anew; None when it is. Whoever finds the note finds the half of a state.

        `outbox` is what may not be published yet of what came before the goal. Both are no part of the state: what is
        written, and `clear`, leaves them as they are.
        """
        if goal is None:
            self._redis.unlink(self._key("making"), self._key("unpublished"))
        else:
            noted = self._redis.pipeline(transaction=True)
            noted.set(self._key("making"), goal)
            noted.set(self._key("unpublished"), outbox)
            noted.execute()

    def outboxes(self) -> tuple[bytes | None, bytes | None]:
        """What may not be published yet, asked without becoming the owner: of the state, and of what `making` noted."""
        return self._redis.get(self._key("outbox")), self._redis.get(self._key("unpublished"))

    def clear(self) -> None:
        """Remove everything; a second state below this one too."""
        kept = {self._key(name).encode() for name in ("making", "unpublished")}
        for key in self._redis.scan_iter(match=f"{self._tag}*", count=1000):
            if key not in kept:
                self._redis.unlink(key)
        self.rollback()

    def differences(self, other: "RedisStore") -> Iterator[str]:
        """Clients whose dossier or history is not the same, byte for byte, in another state of the same partition.

        A key that is none of the gate's is not the same as any.
        """
        mine, theirs = (set(_typed(s._redis.hkeys, (), s._key("dossiers"))) for s in (self, other))
        for client in sorted(mine | theirs):
            if self._bytes_of(client) != other._bytes_of(client):
                yield client.decode()

    def _bytes_of(self, client: bytes) -> tuple[bytes | None, list[bytes] | None]:
        history = _typed(self._redis.lrange, None, self._key(f"history:{client.decode()}"), 0, -1)
        return _typed(self._redis.hget, None, self._key("dossiers"), client), history

    def close(self) -> None:
        """See `Store`."""
        self._client.close()


def _typed(ask: Callable[..., Any], nothing: Any, *given: Any) -> Any:
    """What Redis answers; `nothing` where the key is of another type than it must be."""
    try:
        return ask(*given)
    except ResponseError as error:
        if not wrong_type(error):
            raise
        return nothing
