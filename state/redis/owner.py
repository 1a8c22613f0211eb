"""Who owns a partition's keys in Redis: takes them over, writes a batch as a whole, and lets nobody write who has lost them.

One transaction writes all that follows from a batch, fenced by the owner's token (design section 3). The keys stand in
`store`.
"""

from collections.abc import Iterable, Mapping, Sequence
from secrets import token_hex
from typing import Any, Final, NamedTuple

from redis import Redis

from state.notes import WEEK_OF_IDS
from state.redis.errors import unnamed
from state.redis.look import Written, all_there, any_ids, as_number, examine, ids_of
from state.redis.servers import Servers, server_of
from state.redis.transaction import Command, Interrupted, transact

WRITE_END: Final = b"""
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
"""The last of what a write does: all histories, told in one answer, and what must be there the next time.

Where a history is not taken, the write is not counted. If that is the first, nothing of this was done, and it may be done
again; if not, the mark of who began is taken away, so that nobody does. A history that somebody replaced is lost already,
which is told; all else of the write stands.
"""
_UNPACKED: Final = 4000
"""Records that the script hands on at once; Lua has room for twice as many."""
TAKE_OVER: Final = b"""
local probe = KEYS[5]
local function refused(name, ...)
  local said = redis.pcall(name, ...)
  return type(said) == 'table' and said.err and {err = said.err .. ' (' .. name .. ')'}
end
local trouble = refused('UNLINK', probe)
  or refused('GET', probe) or refused('EXISTS', probe) or refused('LRANGE', probe, 0, -1) or refused('HGET', probe, 'a')
  or refused('HMGET', probe, 'a') or refused('HLEN', probe) or refused('HKEYS', probe)
  or refused('HSCAN', probe, 0)
  or refused('RPUSH', probe, 'a') or refused('UNLINK', probe)
  or refused('SET', probe, 'a') or refused('UNLINK', probe)
  or refused('HSET', probe, 'a', 'b') or refused('UNLINK', probe)
if trouble then return trouble end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
return {redis.call('GET', KEYS[2]), redis.call('HMGET', KEYS[1], 'next', 'batch', 'begun', 'clients', 'notes', 'ids'),
  redis.call('HLEN', KEYS[3]), redis.call('HLEN', KEYS[4])}
"""
"""Become the owner, if all that one does is let: else it would be found in the middle of a write."""
_MARKS: Final = (b"token", b"batch", b"clients", b"notes", b"ids")
"""By which it is seen whether what is stored is what its owner wrote last, and all of it."""


class Fenced(Exception):
    """Somebody else owns the partition now; nothing was written."""


class Moved(Exception):
    """What is stored is not what this owner wrote last, but older or newer; nothing was written."""


class Assigned(NamedTuple):
    """What an owner finds: the next offset to read, None for a new partition, and what may not be published yet."""

    next: int | None
    outbox: bytes


def _all_right(found: Sequence[Any]) -> None:
    """Nothing was asked."""


class Owner:
    """The owner of one partition's keys, once `assign` was called; after any error of a write call it again."""

    def __init__(self, client: Redis | Servers, tag: str) -> None:
        self.tag = tag
        """What the keys begin with."""
        self.next: int | None = None
        """The next offset to read, as it was written last."""
        self.week = 0
        """The week by which ids were kept with the last write."""
        self._client = client
        self._token = ""
        self._batch = 0
        self._rest: tuple[bytes, Command] | None = None
        """The end of a write that may have been refused, and the mark of that write."""

    def key(self, name: str) -> str:
        """One of the partition's keys."""
        return self.tag + name

    @property
    def redis(self) -> Any:
        """The server that has the partition's keys."""
        return server_of(self._client, self.tag)

    def assign(self) -> Assigned:
        """Become the owner: from now on nobody else's writes go through.

        Raises `StateLost`, `Moved` where another owner comes at the same time, and as redis-py does; `NoPermissionError` or
        `ResponseError` that names it where a command is not let that an owner needs. Then nobody else has lost the partition.
        """
        if isinstance(self._client, Servers):
            self._client.look()  # The slot may have moved, which may be why the partition is assumed anew.
        self._finish()
        self._token = token_hex(16)
        outbox, (next_, batch, begun, *written), *there = self._taken_over()
        self.next, self._batch = as_number(self.tag, "next", next_), as_number(self.tag, "batch", batch) or 0
        week = self.redis.hget(self.key("notes"), WEEK_OF_IDS)
        self.week = as_number(self.tag, WEEK_OF_IDS, week) or 0
        there += map(self.redis.hlen, self._ids_of(self.week))
        others = not self._batch and any_ids(self.redis, self.tag)
        examine(self.tag, Written(self._batch, written, there, outbox is not None, others, begun))
        return Assigned(self.next, outbox or b"")

    def _taken_over(self) -> Any:
        """What `TAKE_OVER` answers, in a transaction as every write is, so that these are known to be let, too."""
        probe = self.key("probe").encode()
        take: Command = (b"EVAL", TAKE_OVER, b"5", *self._fixed(), probe, self._token.encode())
        try:
            (found,) = transact(self.redis, [probe], (), _all_right, [take])
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
            transact(self.redis, [meta, dossiers, notes], [asked], self._half_done, [end])
        except Interrupted:
            raise self._moved() from None
        except Moved:
            pass  # It was done, or never begun, or is not there any more.
        self._rest = None

    def _half_done(self, found: Sequence[Any]) -> None:
        ((begun, batch),) = found
        if self._rest is None or begun != self._rest[0] or batch == begun.partition(b":")[0]:
            raise self._moved()

    def verify(self) -> None:
        """Whether what this owner wrote last is what is stored; raises `Fenced`, `Moved` or `StateLost` if not."""
        asked = self.redis.pipeline(transaction=True)
        asked.hmget(self._fixed()[0], _MARKS)
        for key in self._counted():
            asked.hlen(key)
        with unnamed():
            found = asked.execute()
        self._judge(found)

    def write(
        self,
        then: int | None,
        outbox: bytes,
        week: int,
        changes: Iterable[Command],
        histories: Mapping[str, Sequence[bytes]],
    ) -> None:
        """Write a batch: the next offset, the outputs to publish, `changes`, and what comes behind clients' histories.

        `week` is that by which ids are kept from now on. Raises `Fenced`, `Moved` or `StateLost`; then, as after any other
        error, only `assign` helps. So does it where it was not called yet: who does not own the partition writes nothing.
        """
        meta, out, dossiers, notes = self._fixed()
        questions: list[Command] = [(b"HMGET", meta, *_MARKS), *((b"HLEN", key) for key in self._counted())]
        mark = b"%d:%s" % (self._batch + 1, self._token.encode())
        end = self._end(then, week, histories)
        self._rest = mark, end
        whole: list[Command] = [(b"HSET", meta, b"begun", mark), (b"SET", out, outbox), *changes, end]
        try:
            transact(self.redis, [meta, dossiers, notes], questions, self._judge, whole)
        except Interrupted:
            raise self._moved() from None
        self.next, self.week = then, week
        self._batch += 1
        self._rest = None

    def _end(self, then: int | None, week: int, histories: Mapping[str, Sequence[bytes]]) -> Command:
        meta, _, dossiers, notes = self._fixed()
        keys = [meta, dossiers, notes, *self._ids_of(week)]
        values = [b"" if then is None else b"%d" % then, b"%d" % (self._batch + 1)]
        for client, records in histories.items():
            history = self.key(f"history:{client}").encode()
            for begin in range(0, len(records), _UNPACKED):
                portion = records[begin : begin + _UNPACKED]
                keys.append(history)
                values += (b"%d" % len(portion), *portion)
        return (b"EVAL", WRITE_END, b"%d" % len(keys), *keys, *values)

    def _judge(self, found: Sequence[Any]) -> None:
        """Whether what is stored is this owner's, and all of it."""
        (token, batch, *written), *there = found
        if token is None:
            raise Moved(f"{self.tag} has no owner on record: Redis was emptied, or went back to before it had one")
        if token != self._token.encode() and int(batch or 0) >= self._batch:
            raise Fenced(f"another worker has taken {self.tag} over")
        if token != self._token.encode() or int(batch or 0) != self._batch:
            raise self._moved()
        all_there(self.tag, self._batch, written, there)

    def _fixed(self) -> list[bytes]:
        """The keys of what every write changes: meta, outbox, dossiers, notes."""
        return [self.key(name).encode() for name in ("meta", "outbox", "dossiers", "notes")]

    def _counted(self) -> list[bytes]:
        """The keys of which it is known how much they hold."""
        _, _, dossiers, notes = self._fixed()
        return [dossiers, notes, *self._ids_of(self.week)]

    def _ids_of(self, week: int) -> list[bytes]:
        """The keys of the ids that are looked up in that week."""
        return [key.encode() for key in ids_of(self.tag, week)]

    def _moved(self) -> Moved:
        return Moved(
            f"{self.tag} is not what this process wrote or read last: Redis went back to an earlier state, or another "
            "program wrote there"
        )
