"""A real part as a child process, which can be killed, paused and started again with the same data."""

import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def free_port() -> int:
    """A port of the loopback that nobody listens on.

    It lies below the range from which the system takes ports of outgoing connections: a client that keeps trying to
    reach a stopped part would else one day be given that very port, connect to itself, and hold it.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(true: Callable[[], object], seconds: float = 30, what: str = "") -> None:
    """Returns as soon as it is true; `AssertionError` if it is not within the time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or true}")
        time.sleep(0.02)


class Process:
    """One child; it is killed with the thread that started it, however that ends. What it says is in `log`."""

    def __init__(
        self, command: Sequence[str], folder: Path, name: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.command, self.folder, self.environment = command, folder, environment
        self.log = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, "not started"
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it; `log` goes on."""
        assert not self.alive, f"{self.log.stem} is running"
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # An interrupt at the terminal is for the tests, which then stop their parts.
            )

    def kill(self) -> None:
        """As `kill -9`: nothing is flushed, nobody is told."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def pause(self) -> None:
        """Stand still (SIGSTOP): connections stay open, nothing answers. Returns when it does."""
        self._child_signal(signal.SIGSTOP)
        # On a busy machine the system takes a while, and its threads go on meanwhile.
        wait_until(lambda: Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].startswith("T"), 10)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._child_signal(signal.SIGCONT)

    def stop(self, seconds: float = 20) -> int | None:
        """Ask it to end, kill it if it has not ended in time; its exit code."""
        if self._child is None:
            return None
        if self.alive:
            self._child.terminate()
            self._child.send_signal(signal.SIGCONT)
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._child.returncode

    def said(self, since: int = 0) -> str:
        """What it said, from that byte of the log on."""
        return self.log.read_bytes()[since:].decode(errors="replace") if self.log.exists() else ""

    def ready(self, true: Callable[[], object], seconds: float) -> None:
        """Wait until it is true; if the child dies or the time ends, what it said last is in the error."""
        try:
            wait_until(lambda: not self.alive or true(), seconds)
        except AssertionError:
            self.kill()
        if not self.alive:
            raise AssertionError(f"{self.log.stem} did not start; it said last:\n{self.said()[-3000:]}")

    def _child_signal(self, number: int) -> None:
        assert self._child is not None and self.alive, "not running"
        self._child.send_signal(number)
