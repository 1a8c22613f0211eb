"""The store of one topic partition in Redis: reads in batches, writes in one fenced transaction.

All that follows from a batch of records is one write: dossiers, histories, ids, notes, the next offset and the outbox.
So state and offset can only roll back together, and whoever lost the partition can write nothing (design section 3).

Keys share the hash tag `{TOPIC:PARTITION}`, so that Redis Cluster keeps them in one slot (`redis_servers`):

| key | what |
|---|---|
| `{tag}:meta` | hash: `token` of the owner, `next` offset, number of the `batch`, how many `clients`, `notes` and `ids` there are; what was `begun` last |
| `{tag}:dossiers` | hash: client to the number of his records and his dossier |
| `{tag}:history:CLIENT` | list of records |
| `{tag}:notes` | hash |
| `{tag}:seen:WEEK` | hash: id digest to content digest, by the week it was recorded |
| `{tag}:outbox` | the outputs of the last write; it is there once something was written, also where there were none |
| `{tag}:making` | how far it is to be made anew, from before the first key is removed until that is done |
| `{tag}:probe` | nothing: a new owner tries here what it is let do |
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import islice
from secrets import token_hex
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.exceptions import ResponseError

from gate.dossier import Dossier
from gate.facts import Instant
from gate.history import Record
from gate.policy import DAY
from state.codec import dossier_from_bytes, dossier_to_bytes, record_from_bytes, record_to_bytes
from state.notes import WEEK_OF_IDS
from state.redis_errors import unnamed
from state.redis_look import (
    Look,
    StateLost,
    Written,
    all_records,
    all_there,
    any_ids,
    as_number,
    examine,
    ids_of,
    look,
    tag,
    wrong_type,
)
from state.redis_servers import Servers, server_of
from state.redis_transaction import Command, Interrupted, transact

CACHED_DOSSIERS: Final = 20_000
FETCHED_RECORDS = 20_000
"""Of histories fetched ahead: a few megabytes."""
WEEK: Final = 7 * DAY
"""Ids are kept by the week and looked up in this one and the last, so that each is recognised for seven days at least.

By the day would keep fewer, and ask eight times for every id. Whoever repeats an event later asks the history.
"""

_DONE: Final = b"""
local clients, notes = redis.call('HLEN', KEYS[2]), redis.call('HLEN', KEYS[3])
local ids = redis.call('HLEN', KEYS[4]) + redis.call('HLEN', KEYS[5])
local replaced, pushed, at = false, false, 3
for n = 6, #KEYS do
  local count = tonumber(ARGV[at])
  local said = redis.pcall('RPUSH', KEYS[n], unpack(ARGV, at + 1, at + count))
  if type(said) ~= 'table' then
    pushed = true
  elseif string.find(said.err, 'WRONGTYPE', 1, true) then
    replaced = said
  else
    if pushed then redis.call('HSET', KEYS[1], 'begun', ARGV[2]) end
    return {err = said.err .. ' (RPUSH)'}
  end
  at = at + 1 + count
end
redis.call('HSET', KEYS[1], 'next', ARGV[1], 'batch', ARGV[2], 'clients', clients, 'notes', notes, 'ids', ids)
return replaced
"""
"""The last of what a commit does: all histories, told in one answer, and what must be there the next time.

Where a history is not taken, the write is not counted. If that is the first, nothing of this was done, and it may be done
again; if not, the mark of who began is taken away, so that nobody does. A history that somebody replaced is lost already,
which is told; all else of the write stands.
"""
_UNPACKED: Final = 4000
"""Records that the script hands on at once; Lua has room for twice as many."""
_ASSIGN: Final = b"""
local probe = KEYS[5]
local function refused(name, ...)
  local said = redis.pcall(name, ...)
  return type(said) == 'table' and said.err and {err = said.err .. ' (' .. name .. ')'}
end
local trouble = refused('UNLINK', probe)
  or refused('GET', probe) or refused('EXISTS', probe) or refused('LRANGE', probe, 0, -1) or refused('HGET', probe, 'a')
  or refused('HMGET', probe, 'a') or refused('HLEN', probe) or refused('HKEYS', probe)
  or refused('RPUSH', probe, 'a') or refused('UNLINK', probe)
  or refused('SET', probe, 'a') or refused('UNLINK', probe)
  or refused('HSET', probe, 'a', 'b') or refused('UNLINK', probe)
if trouble then return trouble end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
return {redis.call('GET', KEYS[2]), redis.call('HMGET', KEYS[1], 'next', 'batch', 'begun', 'clients', 'notes', 'ids'),
  redis.call('HLEN', KEYS[3]), redis.call('HLEN', KEYS[4])}
"""
"""Become the owner, if all that one does is let: else it would be found in the middle of a write."""


class Fenced(Exception):
    """Somebody else owns the partition now; nothing was written."""


class Moved(Exception):
    """What is stored is not what this owner wrote last, but older or newer; nothing was written."""


class Assigned(NamedTuple):
    """What an owner finds: the next offset to read, None for a new partition, and what may not be published yet."""

    next: int | None
    outbox: bytes


_MARKS: Final = (b"token", b"batch", b"clients", b"notes", b"ids")
"""By which it is seen whether what is stored is what its owner wrote last, and all of it."""
_COUNT: Final = 4
"""Bytes before a stored dossier: how many records its client's history has, so that a lost one is found out."""


def _all_right(found: Sequence[Any]) -> None:
    """Nothing was asked."""


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
        self._limit = cached
        self._token = ""
        self._next: int | None = None
        self._batch = 0
        self._week = 0
        self._rest: tuple[bytes, Command] | None = None
        """The end of a write that may have been refused, and the mark of that write."""
        self._buckets: set[int] = set()
        """Weeks of which ids are stored."""
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
        self._known_ids: dict[bytes, tuple[int, bytes] | None] = {}
        self._new_ids: dict[bytes, tuple[int, bytes]] = {}
        """Ids, stored and not yet, each with the week that it is kept by."""
        self._now = self._week

    def _key(self, name: str) -> str:
        return self._tag + name

    def assign(self) -> Assigned:
        """Become the owner: from now on nobody else's writes go through.

        Raises `StateLost`, `Moved` where another owner comes at the same time, and as redis-py does; `NoPermissionError` or
        `ResponseError` that names it where a command is not let that an owner needs. Then nobody else has lost the partition.
        """
        self.rollback()
        if isinstance(self._client, Servers):
            self._client.look()  # The slot may have moved, which may be why the partition is assumed anew.
        self._finish()
        self._token = token_hex(16)
        outbox, (next_, batch, begun, *written), *there = self._taken_over()
        self._next, self._batch = as_number(self._tag, "next", next_), as_number(self._tag, "batch", batch) or 0
        week = self._redis.hget(self._key("notes"), WEEK_OF_IDS)
        self._week = as_number(self._tag, WEEK_OF_IDS, week) or 0
        there += map(self._redis.hlen, self._ids_of(self._week))
        others = not self._batch and any_ids(self._redis, self._tag)
        examine(self._tag, Written(self._batch, written, there, outbox is not None, others, begun))
        self._now = self._week  # Redis may have gone back: what it says counts, not what was known before.
        self._buckets = {w for w in (self._week - 1, self._week) if self._redis.exists(self._key(f"seen:{w}"))}
        return Assigned(self._next, outbox or b"")

    def _taken_over(self) -> Any:
        """What `_ASSIGN` answers, in a transaction as every write is, so that these are known to be let, too."""
        probe = self._key("probe").encode()
        assign: Command = (b"EVAL", _ASSIGN, b"5", *self._fixed(), probe, self._token.encode())
        try:
            (found,) = transact(self._redis, [probe], (), _all_right, [assign])
        except Interrupted:
            raise self._moved() from None
        return found

    def _finish(self) -> None:
        """Do the end of the last write if Redis refused that alone, as where its disk failed right then.

        All else of it is done and cannot be done again: its ids would be repetitions. Nobody else knows what is missing.
        """
        if self._rest is None:
            return
        _, end = self._rest
        meta, _, dossiers, notes = self._fixed()
        asked: Command = (b"HMGET", meta, b"begun", b"batch")
        try:
            transact(self._redis, [meta, dossiers, notes], [asked], self._half_done, [end])
        except Interrupted:
            raise self._moved() from None
        except Moved:
            pass  # It was done, or never begun, or is not there any more.
        self._rest = None

    def _half_done(self, found: Sequence[Any]) -> None:
        ((begun, batch),) = found
        if self._rest is None or begun != self._rest[0] or batch == begun.partition(b":")[0]:
            raise self._moved()

    @property
    def _redis(self) -> Any:
        """The server that has the partition's keys."""
        return server_of(self._client, self._tag)

    def _ids_of(self, week: int) -> list[bytes]:
        """The keys of the ids that are looked up in that week."""
        return [key.encode() for key in ids_of(self._tag, week)]

    def _fixed(self) -> list[bytes]:
        """The keys of what every write changes: meta, outbox, dossiers, notes."""
        return [self._key(name).encode() for name in ("meta", "outbox", "dossiers", "notes")]

    def _fenced(self) -> Fenced:
        return Fenced(f"another worker has taken {self._tag} over")

    def _moved(self) -> Moved:
        return Moved(f"{self._tag} is not as it was written last: Redis went back, or somebody else wrote to it")

    def verify(self) -> None:
        """Whether what this owner wrote last is what is stored; raises `Fenced`, `Moved` or `StateLost` if not."""
        asked = self._redis.pipeline(transaction=True)
        asked.hmget(self._fixed()[0], _MARKS)
        for key in self._counted():
            asked.hlen(key)
        with unnamed():
            found = asked.execute()
        self._judge(found)

    def _counted(self) -> list[bytes]:
        """The keys of which it is known how much they hold."""
        _, _, dossiers, notes = self._fixed()
        return [dossiers, notes, *self._ids_of(self._week)]

    def recall(self, clients: Iterable[str], ids: Sequence[bytes]) -> int:
        """Fetch in one round trip what a batch will ask for; returns how many clients were not in memory."""
        clients = dict.fromkeys(clients)
        wanted = [c for c in clients if c not in self._cache and c not in self._dirty]
        unknown = [i for i in dict.fromkeys(ids) if i not in self._known_ids]
        pipe = self._redis.pipeline(transaction=False)
        if wanted:
            self._trim(clients)
            pipe.hmget(self._key("dossiers"), wanted)
        weeks = self._weeks() if unknown else []
        for week in weeks:
            pipe.hmget(self._key(f"seen:{week}"), unknown)
        with unnamed():
            found = pipe.execute() if wanted or weeks else []
        if wanted:
            for client, packed in zip(wanted, found.pop(0), strict=True):
                self._cache[client], self._counts[client] = unpacked(self._tag, client, packed)
        self._known_ids.update(dict.fromkeys(unknown))
        for week, contents in zip(reversed(weeks), reversed(found), strict=True):  # The later week has the last word.
            if any(contents):
                known = zip(unknown, contents, strict=True)
                self._known_ids |= {key: (week, content) for key, content in known if content}
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

    def _weeks(self) -> list[int]:
        return sorted((w for w in self._buckets if w >= self._now - 1), reverse=True)

    def recorded(self, at: Instant) -> None:
        """The time by which ids seen from now on are recorded."""
        self._now = max(self._now, at // WEEK)

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
            self._new_ids[key] = self._now, content
            return None
        return before == content

    def known(self, key: bytes, content: bytes) -> bool:
        """See `Store`."""
        return self._content(key) == content

    def _content(self, key: bytes) -> bytes | None:
        """With what content an id was seen, looked up in this week and the last.

        Wherever a batch ends: an older one may have been fetched or added with it.
        """
        known = self._new_ids.get(key)
        if known is None:
            if key not in self._known_ids:
                self.recall((), (key,))
            known = self._known_ids[key]
        return None if known is None or known[0] < self._now - 1 else known[1]

    def unsee(self, key: bytes) -> None:
        """Take back that an id was new: it is one of long ago, and what came now does not stand in its place."""
        self._new_ids.pop(key, None)

    def commit(self, next_offset: int | None = None, outbox: bytes = b"") -> None:
        """See `Store`: all of it in one transaction, with the next offset and the outputs to publish.

        Raises `Fenced`, `Moved` or `StateLost`; then, as after any other error, only `assign` helps. So does it where it
        was not called yet: who does not own the partition may read what is there, and writes nothing.
        """
        then = self._next if next_offset is None else next_offset
        if self._now != self._week:
            self.note(WEEK_OF_IDS, str(self._now).encode())
        meta, _, dossiers, notes = self._fixed()
        questions: list[Command] = [(b"HMGET", meta, *_MARKS), *((b"HLEN", key) for key in self._counted())]
        mark = b"%d:%s" % (self._batch + 1, self._token.encode())
        changes = [(b"HSET", meta, b"begun", mark), *self._changes(then, outbox)]
        self._rest = mark, changes[-1]
        try:
            transact(self._redis, [meta, dossiers, notes], questions, self._judge, changes)
        except Interrupted:
            raise self._moved() from None
        self._next, self._week = then, self._now
        self._batch += 1
        self._rest = None
        self._settle()

    def _judge(self, found: Sequence[Any]) -> None:
        """Whether what is stored is this owner's, and all of it."""
        (token, batch, *written), *there = found
        if token is None:
            raise Moved(f"{self._tag} has no owner on record: Redis was emptied, or went back to before it had one")
        if token != self._token.encode() and int(batch or 0) >= self._batch:
            raise self._fenced()
        if token != self._token.encode() or int(batch or 0) != self._batch:
            raise self._moved()
        all_there(self._tag, self._batch, written, there)

    def _changes(self, then: int | None, outbox: bytes) -> list[Command]:
        """What a commit does."""
        meta, out, dossiers, notes = self._fixed()
        changes: list[Command] = [(b"SET", out, outbox)]
        if self._dirty:
            pairs = [v for c, d in self._dirty.items() for v in (c.encode(), self._packed(c, d))]
            changes.append((b"HSET", dossiers, *pairs))
        if self._notes:
            changes.append((b"HSET", notes, *(v for k, n in self._notes.items() for v in (k.encode(), n))))
        for week in self._weeks_added():
            added = (v for id, (at, content) in self._new_ids.items() if at == week for v in (id, content))
            changes.append((b"HSET", self._key(f"seen:{week}").encode(), *added))
        gone = [self._key(f"seen:{week}").encode() for week in sorted(self._buckets) if week < self._now - 1]
        if gone:
            changes.append((b"UNLINK", *gone))
        keys = [meta, dossiers, notes, *self._ids_of(self._now)]
        values = [b"" if then is None else b"%d" % then, b"%d" % (self._batch + 1)]
        for client, records in self._records.items():
            history = self._key(f"history:{client}").encode()
            for begin in range(0, len(records), _UNPACKED):
                portion = records[begin : begin + _UNPACKED]
                keys.append(history)
                values += (b"%d" % len(portion), *portion)
        changes.append((b"EVAL", _DONE, b"%d" % len(keys), *keys, *values))
        return changes

    def _packed(self, client: str, dossier: Dossier) -> bytes:
        count = self._counts[client] = self._counts.get(client, 0) + len(self._records.get(client, ()))
        return count.to_bytes(_COUNT, "big") + dossier_to_bytes(dossier)

    def _weeks_added(self) -> list[int]:
        """Of which there are new ids that are kept: some may be of a week that the same batch has left behind."""
        return sorted({week for week, _ in self._new_ids.values() if week >= self._now - 1})

    def _settle(self) -> None:
        self._buckets = {w for w in self._buckets if w >= self._now - 1}.union(self._weeks_added())
        self._dirty, self._records, self._notes = {}, {}, {}
        self._ahead = {}
        self._known_ids, self._new_ids = {}, {}
        self._trim(())

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

    def making(self, goal: bytes | None) -> None:
        """Note how far the state is to be made anew; None when it is. Whoever finds the note finds the half of a state.

        It is no part of the state: what is written, and `clear`, leaves it as it is.
        """
        if goal is None:
            self._redis.unlink(self._key("making"))
        else:
            self._redis.set(self._key("making"), goal)

    def clear(self) -> None:
        """Remove everything; a second state below this one too."""
        kept = self._key("making").encode()
        for key in self._redis.scan_iter(match=f"{self._tag}*", count=1000):
            if key != kept:
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
