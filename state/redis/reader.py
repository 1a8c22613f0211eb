"""Reads what a worker remembers in Redis, without being its owner: nothing is written, nothing of it is kept.

A worker writes a batch in one transaction, and each read here is one too, so it sees whole batches only.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from gate.dossier import Dossier
from gate.facts import Instant
from gate.history import Record
from gate.policy import SECOND
from state.codec import record_from_bytes
from state.notes import KAFKA, LOOKED, OF_RULES, PARTITIONS, RECORDED
from state.redis.errors import unnamed
from state.redis.look import StateLost, all_done, all_records, as_number, looked_to, tag
from state.redis.servers import AsyncServers
from state.redis.store import unpacked


class Place(NamedTuple):
    """How far a partition has come."""

    next: int | None
    """The next offset to look at; None if no worker ever had it."""
    recorded: int | None
    """When its last record was recorded."""
    spread: int | None
    """Over how many partitions clients were spread when its state was made."""
    kafka: bytes | None
    """The id of the Kafka cluster that its state was made from, where that is noted."""
    of_rules: Mapping[str, bytes] = {}
    """What is noted of the register and policies that its state was made by."""

    def noted(self, name: str) -> bytes | None:
        """One of these notes."""
        return self.of_rules.get(name)


class Remembered(NamedTuple):
    """What stands of one client; of somebody never seen the dossier is empty."""

    next: int | None
    """The next offset of the partition; None if no worker ever had it."""
    notes: dict[str, int]
    dossier: Dossier
    history: list[Record] | None


class Held(NamedTuple):
    """What one transaction found of some clients of a partition; each is decoded when he is asked for."""

    where: str
    next: int | None
    notes: dict[str, int]
    packed: Mapping[str, bytes | None]
    records: Mapping[str, Sequence[bytes]] | None
    """None where histories were not asked for."""

    def of(self, client: str) -> Remembered:
        """One of the clients; raises `StateLost` where records are missing, and what decoding raises."""
        dossier, count = unpacked(self.where, client, self.packed[client])
        if self.records is None:
            return Remembered(self.next, self.notes, dossier, None)
        records = self.records[client]
        all_records(self.where, len(records), count)
        return Remembered(self.next, self.notes, dossier, [record_from_bytes(r) for r in records])


class RedisReader:
    """The partitions of one topic."""

    def __init__(self, servers: AsyncServers, topic: str) -> None:
        self._servers = servers
        self._topic = topic

    def _tag(self, partition: int) -> str:
        return tag(f"{self._topic}:{partition}")

    async def read_many(self, partition: int, clients: Sequence[str], notes: Sequence[str], whole: bool) -> Held:
        """Dossiers of at least one client of a partition, in one transaction, with its notes; `whole`: and histories.

        Raises `StateLost` where Redis no longer holds all that was written to it.
        """
        at = self._tag(partition)
        asked = (await self._servers.of(at)).pipeline(transaction=True)
        asked.hmget(f"{at}meta", "next", "clients", "batch", "begun").hlen(f"{at}dossiers").hmget(f"{at}notes", notes)
        asked.hmget(f"{at}dossiers", clients)
        if whole:
            for client in clients:
                asked.lrange(f"{at}history:{client}", 0, -1)
        with unnamed():
            (next_, known, batch, begun), dossiers, values, packed, *records = await asked.execute()
        all_done(at, as_number(at, "batch", batch) or 0, begun)
        counted = as_number(at, "clients", known) or 0
        if counted != dossiers or (next_ and not any(values)):
            raise StateLost(at, f"holds {dossiers} of {counted} clients, or lacks its notes")
        noted = {name: as_number(at, name, value) or 0 for name, value in zip(notes, values, strict=True) if value}
        histories = dict(zip(clients, records, strict=True)) if whole else None
        return Held(at, as_number(at, "next", next_), noted, dict(zip(clients, packed, strict=True)), histories)

    async def places(self, partitions: int) -> list[Place]:
        """How far each partition has come. Looks where they are, so that they are found where slots moved."""
        await self._servers.look()
        asked: dict[Any, dict[int, str]] = {}
        for partition in range(partitions):
            at = self._tag(partition)
            asked.setdefault(await self._servers.of(at), {})[partition] = at
        places: dict[int, Place] = {}
        for server, tags in asked.items():
            places |= zip(tags, await _places(server, tags.values()), strict=True)
        return [places[partition] for partition in range(partitions)]

    async def time(self) -> Instant:
        """What time it is by Redis's clock; in a cluster by that of whoever has the first partition."""
        seconds, microseconds = await (await self._servers.of(self._tag(0))).time()
        return int(seconds) * SECOND + int(microseconds)

    async def close(self) -> None:
        """Let go."""
        await self._servers.close()


async def _places(server: Any, tags: Collection[str]) -> list[Place]:
    asked = server.pipeline(transaction=False)
    for at in tags:
        asked.hget(f"{at}meta", "next").hmget(f"{at}notes", (RECORDED, PARTITIONS, LOOKED, KAFKA, *OF_RULES))
    with unnamed():
        found = await asked.execute()
    places = []
    for at, next_, notes in zip(tags, found[::2], found[1::2], strict=True):
        *numbers, kafka = notes[: -len(OF_RULES)]
        names = ("next", RECORDED, PARTITIONS, LOOKED)
        to, recorded, spread, looked = map(partial(as_number, at), names, (next_, *numbers))
        of_rules = {name: value for name, value in zip(OF_RULES, notes[-len(OF_RULES) :], strict=True) if value}
        places.append(Place(looked_to(to, looked), recorded, spread, kafka, of_rules))
    return places
