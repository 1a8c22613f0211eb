"""`gate61 dlq` on a real broker: dead letters are seen whole, go back where they belong, and go once."""

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from streams.kafka.record import dead_letter_headers, partition_of
from tests.commands.program import ENVIRONMENT, PROGRAM, Done, run
from tests.runtime.gate import CONTENT_TYPE, Setting
from tests.runtime.kafka import Kafka
from tests.runtime.process import wait_until
from tests.runtime.redis import Redis

EVENT = {
    "specversion": "1.0",
    "source": "//platform",
    "type": "gate61.client.located.v1",
    "time": "2026-03-02T09:00:00Z",
    "data": {"indicator": "kyc_residence", "country": "DE"},
}
Headers = Sequence[tuple[str, bytes | None]]
Sent = tuple[str, int, bytes | None, bytes | None, Headers]


@pytest.fixture
def setting(kafka: Kafka, redis: Redis, prefix: str, tmp_path: Path) -> Setting:
    return Setting(kafka, redis, prefix, tmp_path)


def located(client: str, id: str = "") -> bytes:
    """An event of a client."""
    return json.dumps({**EVENT, "id": id or f"loc-{client}", "subject": client}).encode()


def put(setting: Setting, *records: Sent) -> None:
    """As they are, also what only some clients can send: headers without a value, records with nothing in them."""

    async def all_of_them() -> None:
        async with AIOKafkaProducer(bootstrap_servers=setting.kafka.servers, acks="all") as producer:
            for topic, partition, key, value, headers in records:
                batch = producer.create_batch()
                batch.append(timestamp=None, key=key, value=value, headers=[*headers])
                await (await producer.send_batch(batch, topic, partition=partition))

    asyncio.run(all_of_them())


def dead(setting: Setting, client: str, reason: str = "WRONG_PARTITION", value: bytes | None = None) -> Sent:
    """A dead letter of a client, in partition 0."""
    came = dead_letter_headers(topic=setting.names.actions.name, partition=0, offset=1, reason=reason, message="why")
    return setting.names.rejected.name, 0, client.encode(), value or located(client), [CONTENT_TYPE, ("e", None), *came]


def dlq(setting: Setting, *words: str, **environment: str) -> Done:
    """One run of the command."""
    where = {"GATE61_KAFKA": setting.kafka.servers, "GATE61_PREFIX": setting.prefix}
    return run("dlq", *words, settings=where | environment)


def told(done: Done) -> list[dict[str, Any]]:
    """What it printed for other programs."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_worker_s_dead_letters_are_listed_shown_and_the_curable_ones_cured(setting: Setting) -> None:
    """On the wrong partition by a platform's mistake: after the replay the gate knows where the client is."""
    wrong = next(p for p in range(4) if p != partition_of(b"anna", 4))
    actions, register = setting.names.actions.name, setting.names.register.name
    original = [("trace", b"\xff\x00"), CONTENT_TYPE, ("empty", None), ("trace", b"again")]
    put(
        setting,
        (actions, wrong, b"anna", located("anna"), original),
        (actions, 2, b"\x1b[31m", b"\xff\xfe", []),
        (register, 0, None, located("anna"), [CONTENT_TYPE]),
    )
    worker = setting.worker()
    worker.start()
    wait_until(lambda: len(told(dlq(setting, "list", "--json"))) == 3, 40, "three dead letters")
    listed = {row["place"]: row["reason"] for row in told(dlq(setting, "list", "--json"))}
    assert listed == {f"{wrong}:0": "WRONG_PARTITION", "2:0": "NOT_A_CLOUDEVENT", "register:0": "UNKNOWN_TYPE"}
    table = dlq(setting, "list").stdout
    assert b"3 dead letters: " in table and b"WRONG_PARTITION 1" in table and b"\x1b" not in table
    assert told(dlq(setting, "list", "--json", "--client", "anna", "--reason", "wrong_partition"))[0]["bytes"] > 100
    assert told(dlq(setting, "list", "--json", "--since", "2099-01-01T00:00:00Z")) == []
    shown = dlq(setting, "show", "2:0").stdout
    assert b"reason: NOT_A_CLOUDEVENT" in shown and b"//4=" in shown and b"\\x1b[31m" in shown

    first = dlq(setting, "replay", "--all")
    assert first.returncode == 1
    assert b"1 replayed" in first.stdout and b"2 left" in first.stdout, first
    (copy,) = [r for r in setting.read(actions) if r.partition != wrong and r.key == b"anna"]
    assert copy.partition == partition_of(b"anna", 4)
    assert (copy.value, copy.headers) == (located("anna"), [*original, ("gate61.replay", f"{wrong}:0".encode())])
    setting.caught_up()
    offer = {"offer": "of-1", "service": "custody", "channel": "push", "content": "offer"}
    proposed = {"id": "p-1", "type": "gate61.offer.proposed.v1", "time": "2026-03-02T10:00:00Z", "data": offer}
    setting.publish([{**EVENT, **proposed, "subject": "anna"}])
    setting.caught_up()
    (answer,) = setting.decisions().values()
    assert answer["countries"] == ["DE"]

    again = dlq(setting, "replay", f"{wrong}:0")
    assert again.returncode == 0 and b"replayed before" in again.stdout
    assert len([r for r in setting.read(actions) if r.key == b"anna"]) == 3
    assert len(told(dlq(setting, "list", "--json"))) == 3
    (row,) = told(dlq(setting, "show", f"{wrong}:0", "--json"))
    assert row["replayed"]["as"] == f"{actions}:{copy.partition}:{copy.offset}"
    assert row["headers"][0] == {"name": "trace", "value_base64": "/wA="} and row["headers"][2]["value"] is None
    assert worker.stop() == 0


def test_many_go_once_each_in_their_order(setting: Setting) -> None:
    """Also where there are more than are under way at once, and where some were sent before."""
    names = setting.names
    many = [dead(setting, f"cl-{n % 7}", value=located(f"cl-{n % 7}", f"e-{n}")) for n in range(250)]
    put(setting, *many)
    dry = dlq(setting, "replay", "--all", "--dry-run").stdout
    assert b"would be replayed to gate61" in dry.replace(setting.prefix.encode(), b"") and b"would be replayed\n" in dry
    assert setting.read(names.actions.name) == []
    some = dlq(setting, "replay", "0:3", "0:4", "--json")
    assert some.returncode == 0 and [r["result"] for r in told(some)] == ["sent", "sent"]
    rest = dlq(setting, "replay", "--reason", "WRONG_PARTITION")
    assert rest.returncode == 0 and rest.stdout.splitlines()[-1] == b"248 replayed, 2 replayed before"
    copies = setting.read(names.actions.name)
    assert len(copies) == 250 and all(c.partition == partition_of(c.key or b"", 4) for c in copies)
    for client in range(7):
        numbers = [int(json.loads(c.value or b"")["id"][2:]) for c in copies if c.key == f"cl-{client}".encode()]
        late = [n for n in numbers if n not in (3, 4)]
        assert late == sorted(late) and len(set(numbers)) == len(numbers)
    assert dlq(setting, "replay", "--all").returncode == 0
    assert len(setting.read(names.actions.name)) == 250


def test_a_person_at_a_terminal_is_asked(setting: Setting) -> None:
    """Nothing goes without a yes; `--yes` and programs are not asked."""
    put(setting, dead(setting, "anna"), dead(setting, "ben"))
    no = _at_a_terminal(setting, b"n\n", "--all")
    assert b"Publish 2 of them again?" in no and b"nothing was published" in no
    assert setting.read(setting.names.actions.name) == []
    assert b"1 replayed" in _at_a_terminal(setting, b"y\n", "0:0")
    unasked = _at_a_terminal(setting, b"", "--all", "--yes")
    assert b"Publish" not in unasked and b"1 replayed before, 1 replayed" in unasked
    assert len(setting.read(setting.names.actions.name)) == 2


def _at_a_terminal(setting: Setting, typed: bytes, *words: str) -> bytes:
    """What `replay` shows to a person who types that."""
    master, slave = pty.openpty()
    env = ENVIRONMENT | {"GATE61_KAFKA": setting.kafka.servers, "GATE61_PREFIX": setting.prefix}
    shown = bytearray()
    with subprocess.Popen([PROGRAM, "dlq", "replay", *words], stdin=slave, stdout=slave, stderr=slave, env=env):
        os.close(slave)
        os.write(master, typed)
        with suppress(OSError):  # That is how the end of a terminal shows.
            while part := os.read(master, 1 << 16):
                shown += part
    os.close(master)
    return bytes(shown)


def test_what_is_not_there_is_said(setting: Setting, kafka: Kafka) -> None:
    """A place without a dead letter, topics that were never made, a broker that does not answer: exit 1, one line."""
    missing = dlq(setting, "show", "1:99")
    assert missing.returncode == 1 and b"no dead letter at 1:99" in missing.stderr
    missing = dlq(setting, "replay", "1:99")
    assert missing.returncode == 1 and b"no dead letter at 1:99" in missing.stderr
    unmade = run("dlq", "list", GATE61_KAFKA=kafka.servers, GATE61_PREFIX="nobody-")
    assert unmade.returncode == 1 and b"gate61 topics apply" in unmade.stderr and unmade.stderr.count(b"\n") == 1
    silent = run("dlq", "list", GATE61_KAFKA="127.0.0.1:1")
    assert silent.returncode == 1 and b"127.0.0.1:1" in silent.stderr and silent.stderr.count(b"\n") == 1
    assert dlq(setting, "list").stdout.endswith(b"0 dead letters\n")
