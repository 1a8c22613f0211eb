"""`gate61 watch` on a real broker: what is flagged is seen at once and once, through trouble, until somebody has had enough."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource, KafkaAdminClient

from tests.commands.program import ENVIRONMENT, PROGRAM, run
from tests.commands.test_watch import event
from tests.runtime.gate import Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


class Watching:
    """A run of the command; what it says goes to files."""

    def __init__(self, setting: Setting, folder: Path, *words: str) -> None:
        self._out, self._err = folder / "out", folder / "err"
        env = ENVIRONMENT | {"GATE61_KAFKA": setting.kafka.servers, "GATE61_PREFIX": setting.prefix}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.program = subprocess.Popen([PROGRAM, "watch", *words], stdout=out, stderr=err, env=env)

    @property
    def lines(self) -> list[str]:
        return self._out.read_text().splitlines()

    @property
    def trouble(self) -> str:
        return self._err.read_text()

    def waits_for(self, count: int) -> list[str]:
        """So many lines, and not one more in a while."""
        wait_until(lambda: len(self.lines) >= count, 30, f"{count} lines; {self.trouble}")
        time.sleep(0.5)
        assert len(self.lines) == count, self.lines
        return self.lines


@contextmanager
def watching(setting: Setting, folder: Path, *words: str) -> Iterator[Watching]:
    """While it runs; it ends well when it is asked to."""
    begun = Watching(setting, folder, *words)
    try:
        yield begun
        begun.program.send_signal(signal.SIGTERM)
        assert begun.program.wait(10) == 0, begun.trouble
    finally:
        begun.program.kill()
        begun.program.wait()


def put(setting: Setting, *values: bytes, partition: int = 0, at: int | None = None) -> None:
    """Records of the topic that is watched; `at` in milliseconds."""
    for value in values:
        setting.producer.send(setting.names.flagged.name, value, partition=partition, timestamp_ms=at).get(30)


def decisions(lines: list[str]) -> list[str]:
    """Ids of the answers printed as events."""
    return [json.loads(line)["data"]["decision"] for line in lines]


def test_what_a_worker_flags_is_seen(setting: Setting, tmp_path: Path) -> None:
    """The event as it was published, and only from now on."""
    put(setting, event(decision="dec-early"))
    worker = setting.worker()
    worker.start()
    offer = {"offer": "of-1", "service": "custody", "channel": "push", "content": "offer"}
    proposed: dict[str, Any] = {"specversion": "1.0", "id": "p-1", "source": "//platform", "subject": "anna"}
    proposed |= {"type": "gate61.offer.proposed.v1", "time": "2026-03-02T10:00:00Z", "data": offer}
    with watching(setting, tmp_path, "--json") as watched:
        time.sleep(2)
        setting.publish([proposed])
        (line,) = watched.waits_for(1)
        (answer,) = setting.decisions().values()
        assert json.loads(line)["data"] == answer
    assert worker.stop() == 0


def test_from_the_start_all_partitions_each_once_and_filtered(setting: Setting, tmp_path: Path) -> None:
    """Copies are dropped, strangers' records are said, filters hold, what replaces a shown answer is shown."""
    put(setting, event(), event(), b"\xff", event(decision="dec-2", client="ben", countries=["FR"]))
    put(setting, event(decision="dec-3", countries=[]), partition=3)
    put(setting, event(decision="dec-4", client="ben", supersedes="dec-1", countries=["FR"]))
    with watching(setting, tmp_path, "--json", "--from-start") as watched:
        assert sorted(decisions(watched.waits_for(4))) == ["dec-1", "dec-2", "dec-3", "dec-4"]
        assert "record 0:2" in watched.trouble
    with watching(setting, tmp_path, "--json", "--from-start", "--country", "de", "--country", "none") as watched:
        assert sorted(decisions(watched.waits_for(3))) == ["dec-1", "dec-3", "dec-4"]
    with watching(setting, tmp_path, "--from-start", "--client", "ben", "--reason", "new_service_type") as watched:
        lines = watched.waits_for(2)
        assert "blocked NEW_SERVICE_TYPE: nobody asked; offer of-1 to ben; in FR" in lines[0]
        assert "supersedes dec-1" in lines[1]


def _takes_senders_time(admin: KafkaAdminClient, topic: str) -> None:
    """Who publishes says when that was; elsewhere the broker does."""
    kind = "message.timestamp.type"
    admin.alter_configs([ConfigResource("TOPIC", topic, {kind: "CreateTime"})])

    def taken() -> bool:
        found = admin.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")["topic"]
        return bool(found[topic][kind]["value"] == "CreateTime")

    wait_until(taken)


def test_since_an_hour(setting: Setting, tmp_path: Path) -> None:
    """By when it was published; partitions with nothing so late follow from their end."""
    with setting.kafka.admin() as admin:
        _takes_senders_time(admin, setting.names.flagged.name)
    now = time.time_ns() // 1_000_000
    put(setting, event(decision="dec-old"), at=now - 7_200_000)
    put(setting, event(decision="dec-new"), at=now - 1_800_000)
    put(setting, event(decision="dec-other"), at=now - 7_200_000, partition=1)
    with watching(setting, tmp_path, "--json", "--since", "1h") as watched:
        assert decisions(watched.waits_for(1)) == ["dec-new"]
        put(setting, event(decision="dec-now"), partition=1)
        assert decisions(watched.waits_for(2)) == ["dec-new", "dec-now"]


def test_a_broker_that_dies_is_waited_for_and_nothing_is_missed(setting: Setting, tmp_path: Path) -> None:
    """It is said once that it is away, and once that it is back; the signal of a broken connection ends nothing."""
    with watching(setting, tmp_path, "--json", "--from-start") as watched:
        put(setting, event(decision="dec-1"))
        watched.waits_for(1)
        ignored = next(
            line for line in Path(f"/proc/{watched.program.pid}/status").read_text().splitlines() if "SigIgn" in line
        )
        assert int(ignored.split()[1], 16) >> (signal.SIGPIPE - 1) & 1
        setting.kafka.kill()
        try:
            wait_until(lambda: "does not answer" in watched.trouble, 20, "trouble is said")
        finally:
            setting.kafka.start()
        put(setting, event(decision="dec-1"), event(decision="dec-2"))
        assert decisions(watched.waits_for(2)) == ["dec-1", "dec-2"]
        wait_until(lambda: "answers again" in watched.trouble, 20, "the end of it is said")
        assert watched.trouble.count("\n") == 2, watched.trouble


def test_it_waits_for_a_broker_that_is_not_there_yet(setting: Setting, tmp_path: Path) -> None:
    """Said in one line; it can be ended all the same."""
    env = ENVIRONMENT | {"GATE61_KAFKA": "127.0.0.1:1"}
    with subprocess.Popen([PROGRAM, "watch"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as program:
        assert program.stderr is not None
        assert b"no connection to Kafka at 127.0.0.1:1" in program.stderr.readline()
        program.send_signal(signal.SIGINT)
        assert program.wait(10) == 0
        assert program.stderr.read() == b""


def test_a_reader_who_has_had_enough_ends_it(setting: Setting) -> None:
    """Also while nothing is to be shown."""
    put(setting, event())
    env = ENVIRONMENT | {"GATE61_KAFKA": setting.kafka.servers, "GATE61_PREFIX": setting.prefix}
    words = [str(PROGRAM), "watch", "--from-start"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as program:
        assert program.stdout and program.stderr
        assert b"NEW_SERVICE_TYPE" in program.stdout.readline()
        program.stdout.close()
        assert program.wait(10) == 0
        assert program.stderr.read() == b""


def test_without_topics_it_says_what_to_do(kafka: Kafka) -> None:
    """Exit 1; waiting would not help."""
    done = run("watch", GATE61_KAFKA=kafka.servers, GATE61_PREFIX="nobody-")
    assert done.returncode == 1 and b"gate61 topics apply" in done.stderr and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("setting_of_colour", "coloured", "end"),
    [({}, True, "q"), ({}, True, "SIGTERM"), ({"NO_COLOR": "1"}, False, "SIGINT")],
)
def test_on_a_terminal_there_is_a_screen(
    setting: Setting, setting_of_colour: dict[str, str], coloured: bool, end: str
) -> None:
    """It changes while one looks, and the terminal is left as it was when it ends, by key or signal."""
    put(setting, event())
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 180, 0, 0))
    env = ENVIRONMENT | {
        "GATE61_KAFKA": setting.kafka.servers,
        "GATE61_PREFIX": setting.prefix,
        "TERM": "xterm-256color",
    }
    env = {k: v for k, v in env.items() if k != "NO_COLOR"} | setting_of_colour
    words = [str(PROGRAM), "watch", "--from-start"]
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True) as program:
        os.close(slave)
        shown = _until(master, b"nobody asked")
        put(setting, event(decision="dec-2", supersedes="dec-1", offer="of-2"))
        shown += _until(master, b"of-2")
        if end == "q":
            os.write(master, b"q")
        else:
            program.send_signal(getattr(signal, end))
        shown += _until(master, None)
        assert program.wait(10) == 0
    os.close(master)
    assert b"Traceback" not in shown
    assert bool(re.search(rb"\x1b\[[0-9;]*(38|48);", shown)) is coloured
    assert b"\x1b[?1049h" in shown and shown.rindex(b"\x1b[?1049l") > shown.rindex(b"\x1b[?1049h")
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")  # The cursor is back.


def _until(master: int, words: bytes | None) -> bytes:
    """What a terminal shows until some words, or the end."""
    shown = bytearray()
    deadline = time.monotonic() + 30
    while words is None or words not in shown:
        assert time.monotonic() < deadline, bytes(shown)[-2000:]
        try:
            part = os.read(master, 1 << 16)
        except OSError:  # That is how the end of a terminal shows.
            break
        shown += part
    return bytes(shown)
