"""One PostgreSQL, in a folder of its own on a free port of the loopback."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import psycopg

from tests.runtime.process import Process, free_port

_KEPT = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each version, off the path."""


def program(name: str) -> str:
    """A program of the newest PostgreSQL that is installed."""
    found = shutil.which(name) or next(map(str, sorted(_KEPT.glob(f"*/bin/{name}"), reverse=True)), None)
    assert found, "PostgreSQL is missing; run `make parts`"
    return found


class Postgres(Process):
    """A server on which who connects from this machine is trusted; each `store()` is an empty database of its own.

    It refuses to run as root, and is nobody then: so its data are not in the folder of the tests, which is its owner's
    alone, but in one of its own that goes when it is stopped.
    """

    def __init__(self, folder: Path) -> None:
        self._home = TemporaryDirectory(prefix="gate61-postgres-")
        somebody: list[str] = []
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._home.name, nobody.pw_uid, nobody.pw_gid)
            somebody = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        data = f"{self._home.name}/data"
        init = [program("initdb"), "-D", data, "-U", "desk", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(["setpriv", *somebody, *init], cwd="/", capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, made.stderr
        self.port = free_port()
        options = [f"-p{self.port}", "-clisten_addresses=127.0.0.1", "-cunix_socket_directories=", "-cfsync=off"]
        super().__init__([*somebody, program("postgres"), "-D", data, *options], folder, "postgres")

    def start(self) -> None:
        """Returns when it serves."""
        super().start()
        self.ready(self._answers, 20)

    def stop(self, seconds: float = 20) -> int | None:
        """See `Process`; its data go with it."""
        code = super().stop(seconds)
        self._home.cleanup()
        return code

    def store(self) -> str:
        """The address of a new database, for the desk."""
        name = f"desk_{token_hex(6)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f'create database "{name}"'.encode())
        return self._url(name).replace("postgresql:", "postgresql+psycopg:")

    def _url(self, database: str) -> str:
        return f"postgresql://desk@127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
