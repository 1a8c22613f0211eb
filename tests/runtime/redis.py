"""One Redis, in a folder of its own on a free port of the loopback."""

import os
import shutil
from pathlib import Path

from redis import Redis as Client
from redis.exceptions import RedisError

from tests.runtime.process import Process, free_port


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
