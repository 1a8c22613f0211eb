"""One Redis, or a cluster of three, in a folder of its own on free ports of the loopback."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

from redis import Redis as Client
from redis import RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.runtime.process import Process, free_port, wait_until

SLOTS = 16384


class Redis(Process):
    """A server with an append-only file; `url` is where it listens.

    Options go to the command line: `Redis(folder, appendonly="no", maxmemory_policy="allkeys-lru")`.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        folder.mkdir(parents=True, exist_ok=True)
        chosen = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(folder), "save": "", "appendonly": "yes"}
        chosen["auto-aof-rewrite-min-size"] = "1gb"  # As is recommended.
        chosen |= {name.replace("_", "-"): value for name, value in options.items()}
        words = [word for name, value in chosen.items() for word in (f"--{name}", *(value.split(" ")))]
        super().__init__(["redis-server", *words], folder, "redis")

    def start(self) -> None:
        """Start, or start again with what the append-only file holds; returns when it serves."""
        super().start()
        self.ready(self._answers, 20)

    def client(self) -> Client:
        """A client of it; close it."""
        return Client.from_url(self.url)

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False  # Not up yet, still loading, or asks for a password that the caller knows.

    @property
    def written(self) -> Path:
        """The append-only file that grows (of several parts, the last)."""
        return max((self.folder / "appendonlydir").glob("*.incr.aof"), key=lambda f: int(f.name.split(".")[-3]))

    def truncate(self, size: int) -> None:
        """Cut the append-only file to so many bytes, as a machine does that lost power; only while it is down."""
        assert not self.alive, "it would go on writing"
        os.truncate(self.written, size)

    def copy(self, name: str = "copy") -> None:
        """Keep a copy of its data as it is on disk now; only while it is down."""
        assert not self.alive, "it would go on writing"
        shutil.copytree(self.folder / "appendonlydir", self.folder / name)

    def restore(self, name: str = "copy") -> None:
        """Put an old copy of its data in place, as an operator would from a backup; only while it is down."""
        assert not self.alive, "it would go on writing"
        shutil.rmtree(self.folder / "appendonlydir")
        shutil.copytree(self.folder / name, self.folder / "appendonlydir")


class Cluster:
    """Three primaries that share the slots, and no replicas; `url` is that of the first."""

    def __init__(self, folder: Path, servers: int = 3) -> None:
        self._buses = [free_port() for _ in range(servers)]
        self.servers = [
            Redis(folder / str(n), cluster_enabled="yes", cluster_port=str(bus), cluster_node_timeout="1000")
            for n, bus in enumerate(self._buses)
        ]
        self.url = self.servers[0].url

    def start(self) -> None:
        """Start them and let them meet; returns when each knows of all slots."""
        share = SLOTS // len(self.servers)
        for n, server in enumerate(self.servers):
            server.start()
            last = SLOTS - 1 if server is self.servers[-1] else (n + 1) * share - 1
            self.say(server, "ADDSLOTSRANGE", n * share, last)
            self.say(server, "SET-CONFIG-EPOCH", n + 1)
        for server, bus in zip(self.servers[1:], self._buses[1:], strict=True):
            self.say(self.servers[0], "MEET", "127.0.0.1", server.port, bus)
        self.settled()

    def stop(self, seconds: float = 5) -> None:
        """See `Process`."""
        for server in self.servers:
            server.stop(seconds)

    def client(self) -> RedisCluster:
        """A client of it that finds its way by itself; close it."""
        return RedisCluster.from_url(self.url)

    def say(self, server: Redis, *words: str | int) -> Any:
        """A CLUSTER command to one of them."""
        with server.client() as client:
            return client.execute_command("CLUSTER", *words)

    def replica(self, folder: Path) -> Redis:
        """A copy of the first server, which is not among `servers`; started, and as far as that is."""
        bus = str(free_port())
        made = Redis(folder, cluster_enabled="yes", cluster_port=bus, cluster_node_timeout="1000")
        made.start()
        first = self.servers[0]
        with first.client() as client:
            client.config_set("repl-diskless-sync-delay", 0)
        name = self.say(first, "MYID")
        self.say(made, "MEET", "127.0.0.1", first.port, self._buses[0])
        wait_until(lambda: name in self.say(made, "NODES"), 20, "they met")
        self.say(made, "REPLICATE", name.decode())
        with made.client() as client:
            wait_until(lambda: client.info("replication").get("master_link_status") == "up", 20, "a copy")
        return made

    def holder(self, key: str) -> Redis:
        """Who has the slot of a key."""
        slot = key_slot(key.encode())
        told = self.say(self.servers[0], "SLOTS")
        (port,) = (primary[1] for first, last, primary, *_ in told if first <= slot <= last)
        return next(server for server in self.servers if server.port == port)

    def settled(self) -> None:
        """Wait until each thinks that all slots are served, and knows of all servers."""
        wait_until(lambda: all(map(self._whole, self.servers)), 20, "a cluster")

    def move(self, key: str, pause: float = 0.0) -> None:
        """Give the slot of a key, with all keys in it, to the next server, a few at a time; ends what was begun, too."""
        while self.begin_to_move(key, 3):
            time.sleep(pause)
        source, target, slot = *self._way(key), key_slot(key.encode())
        name = self.say(target, "MYID").decode()
        for server in (target, source, *(s for s in self.servers if s not in (target, source))):
            self.say(server, "SETSLOT", slot, "NODE", name)

    def begin_to_move(self, key: str, keys: int) -> bool:
        """Move so many keys of the slot of a key to the next server, and leave it so; whether there was one to move."""
        (source, target), slot = self._way(key), key_slot(key.encode())
        self.say(target, "SETSLOT", slot, "IMPORTING", self.say(source, "MYID").decode())
        self.say(source, "SETSLOT", slot, "MIGRATING", self.say(target, "MYID").decode())
        found = self.say(source, "GETKEYSINSLOT", slot, keys) if keys else []
        with source.client() as client:
            if found:
                client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *found)
        return bool(found)

    def _way(self, key: str) -> tuple[Redis, Redis]:
        source = self.holder(key)
        return source, self.servers[(self.servers.index(source) + 1) % len(self.servers)]

    def _whole(self, server: Redis) -> bool:
        told: str = self.say(server, "INFO")
        known = {primary[1] for _, _, primary, *_ in self.say(server, "SLOTS")}
        return "cluster_state:ok" in str(told) and known == {s.port for s in self.servers}
