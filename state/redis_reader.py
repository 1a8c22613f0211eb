"""Reads what a worker remembers in Redis, without being its owner: nothing is written, nothing of it is kept.

A worker writes a batch in one script, and each read here is one transaction, so it sees whole batches only.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gate.dossier import Dossier
from gate.history import Record
from state.codec import record_from_bytes
from state.redis_store import StateLost, tag, unpacked


class Remembered(NamedTuple):
    """What stands of one client."""

    next: int | None
    """The next offset of the partition; None if no worker ever had it."""
    notes: dict[str, int]
    dossier: Dossier
    history: list[Record] | None


class RedisReader:
    """The partitions of one topic."""

    def __init__(self, client: Redis, topic: str) -> None:
        self._redis: Any = client
        self._topic = topic

    def _tag(self, partition: int) -> str:
        return tag(f"{self._topic}:{partition}")

    async def read(self, partition: int, client: str, notes: Sequence[str], whole: bool) -> Remembered:
        """A client's dossier (empty for somebody never seen), with notes of his partition; `whole`: and his history.

        Raises `StateLost` where Redis no longer holds all that was written to it.
        """
        at = self._tag(partition)
        asked = self._redis.pipeline(transaction=True)
        asked.hmget(f"{at}meta", "next", "clients").hlen(f"{at}dossiers").hmget(f"{at}notes", notes)
        asked.hget(f"{at}dossiers", client)
        if whole:
            asked.lrange(f"{at}history:{client}", 0, -1)
        (next_, clients), dossiers, values, packed, *records = await asked.execute()
        if int(clients or 0) != dossiers or (next_ and not any(values)):
            raise StateLost(f"{at} holds {dossiers} clients of {int(clients or 0)}, or no notes")
        dossier, count = unpacked(client, packed)
        if whole and len(records[0]) != count:
            raise StateLost(f"{at} holds {len(records[0])} records of a client who had {count}")
        history = [record_from_bytes(r) for r in records[0]] if whole else None
        known = {name: int(value) for name, value in zip(notes, values, strict=True) if value}
        return Remembered(int(next_) if next_ else None, known, dossier, history)

    async def places(self, partitions: int) -> list[tuple[int | None, int | None]]:
        """Of each partition the next offset, and when its last record was recorded."""
        asked = self._redis.pipeline(transaction=False)
        for partition in range(partitions):
            asked.hget(f"{self._tag(partition)}meta", "next").hget(f"{self._tag(partition)}notes", "recorded")
        found = [int(value) if value else None for value in await asked.execute()]
        return list(zip(found[::2], found[1::2], strict=True))

    async def close(self) -> None:
        """Let go."""
        await self._redis.aclose()
