"""Each command on a broker that lets it do what `deploy/rights.md` says, and no more."""

import json
import os
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, ResourcePattern, ResourceType

from streams.kafka.record import partition_of
from streams.kafka.topics import topics
from streams.publisher import Publisher
from tests.commands.program import PROGRAM
from tests.feeds import LOCATED
from tests.runtime.gate import CONTENT_TYPE
from tests.runtime.kafka import Kafka
from tests.runtime.process import Process, free_port, wait_until
from tests.runtime.redis import Redis

RIGHTS = Path(__file__).parents[2] / "deploy" / "rights.md"
NAMES = topics()
WHERE = {
    "all": [*NAMES],
    "inputs": [NAMES.actions, NAMES.between, NAMES.register, NAMES.policy],
    "dead letters": [NAMES.rejected, NAMES.register_rejected],
} | {topic.name.removeprefix("gate61.").removesuffix(".v1"): [topic] for topic in NAMES}
CHANNEL = """
allow_hosts = ["127.0.0.1"]
[[channel]]
name = "siem"
kind = "webhook"
url = "http://127.0.0.1:9/"
secret_env = "SIEM"
"""


def said() -> dict[str, list[tuple[str, str]]]:
    """By command what the table says: a right, and on which topic; the group is none."""
    head, _, *rows = re.findall(r"^\| .*\|$|^\|---.*\|$", RIGHTS.read_text(), re.MULTILINE)
    rights = [cell.strip() for cell in head.split("|")[2:-1]]
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        commands, *cells = (cell.strip() for cell in row.split("|")[1:-1])
        named = [
            ("" if right == "on the group" else topic.name, word if right == "on the group" else right)
            for right, cell in zip(rights, cells, strict=True)
            for word in filter(None, cell.replace("`", "").split(", "))
            for topic in ([NAMES.actions] if right == "on the group" else WHERE[word])
        ]
        found |= dict.fromkeys(commands.replace("`", "").split(", "), named)
    return found


class Limiting(Kafka):
    """A broker where each command has a user of its own, with the rights that the table gives it."""

    def __init__(self, folder: Path) -> None:
        self.limited, self.folder_of_password = f"127.0.0.1:{free_port()}", folder.parent
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
        users = " ".join(f'user_{user(command)}="word"' for command in said())
        both = "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SASL_PLAINTEXT://" + self.limited
        super().__init__(
            folder,
            {
                "listeners": both,
                "advertised.listeners": both,
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
                "sasl.enabled.mechanisms": "PLAIN",
                "listener.name.sasl_plaintext.plain.sasl.jaas.config": f"{plain} required {users};",
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
            },
        )

    def limit(self) -> None:
        """Give the rights."""
        allow = ACLPermissionType.ALLOW
        given = [
            ACL(
                f"User:{user(command)}",
                "*",
                ACLOperation[right],
                allow,
                ResourcePattern(ResourceType.TOPIC if topic else ResourceType.GROUP, topic or "gate61"),
            )
            for command, rights in said().items()
            for topic, right in rights
        ]
        with KafkaAdminClient(bootstrap_servers=self.servers) as admin:
            admin.create_acls(given)


def user(command: str) -> str:
    return command.replace(" ", "-")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Limiting]:
    made = Limiting(tmp_path / "kafka")
    made.start()
    made.limit()
    yield made
    made.stop(5)


def test_with_the_rights_of_the_table_every_command_does_its_work(
    broker: Limiting, redis: Redis, tmp_path: Path
) -> None:
    """Both dead letters hold something, and there is state, so that all that may be asked is asked."""
    (tmp_path / "word").write_text("word\n")
    (tmp_path / "alerts.toml").write_text(CHANNEL)

    def environment(command: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "GATE61_REDIS": redis.url,
            "GATE61_PARTITIONS": "2",
            "GATE61_INSTANCE": "w1",
            "GATE61_HEALTH": f"127.0.0.1:{free_port()}",
            "GATE61_KAFKA": broker.limited,
            "GATE61_KAFKA_SECURITY": "SASL_PLAINTEXT",
            "GATE61_KAFKA_USER": user(command),
            "GATE61_KAFKA_PASSWORD_FILE": str(tmp_path / "word"),
            "GATE61_ALERTS": str(tmp_path / "alerts.toml"),
            "GATE61_ALERTS_STORE": str(tmp_path / "alerts.db"),
            "GATE61_DESK_STORE": str(tmp_path / "desk.db"),
            "SIEM": f"whsec_{b64encode(bytes(range(32))).decode()}",
        }

    def does(command: str, *words: str, stdin: str = "") -> None:
        words = (*command.split(), *words)
        done = subprocess.run(
            [PROGRAM, *words], env=environment(command), input=stdin, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"

    def serves(command: str, *words: str) -> None:
        """It comes to be ready, and is ended."""
        port = free_port()
        running = Process(
            [str(PROGRAM), command, *words, "--port", str(port)], tmp_path / command, command, environment(command)
        )
        running.start()
        try:
            running.ready(lambda: _is_ready(f"127.0.0.1:{port}"), 60)
        finally:
            running.stop()

    does("topics apply")
    does("topics plan")
    _publish(broker)
    env = environment("worker")
    worker = Process([str(PROGRAM), "worker"], tmp_path / "worker", "worker", env)
    worker.start()
    worker.ready(lambda: _is_ready(env["GATE61_HEALTH"]), 60)
    wait_until(lambda: _rejected(broker) == 2, 60)
    for command, words in (
        ("doctor", ()),
        ("dlq list", ()),
        ("dlq replay", ("--reason", "WRONG_PARTITION", "--yes")),
        ("policy publish", (str(RIGHTS.parent / "policy" / "default.toml"),)),
        ("rebuild", ("--check",)),
    ):
        does(command, *words)
    serves("ask")
    serves("alerts")
    does("desk", "users", "add", "st-lead", "--role", "approver", stdin="four words nobody guesses")
    serves("desk")
    watched = Process(
        [str(PROGRAM), "watch", "--from-start", "--json"], tmp_path / "watch", "watch", environment("watch")
    )
    watched.start()
    watched.ready(lambda: "INITIATION_UNKNOWN" in watched.said(), 60)
    watched.stop()
    assert worker.stop() == 0


def _publish(broker: Limiting) -> None:
    """An offer, and of each of the two logs something that cannot be taken."""
    at = datetime.now(UTC) - timedelta(minutes=5)
    with Publisher(broker.servers, "//platform/x") as gate:
        gate.publish("entity.registered", "guru", {"entity": "guru", "relation": "affiliate"}, id="e-1", time=at)
        offer = {"offer": "of-1", "service": "custody", "channel": "email", "content": "offer"}
        gate.publish("offer.proposed", "cl-1", offer, id="p-1", time=at)
    producer = KafkaProducer(bootstrap_servers=broker.servers)
    value, key = json.dumps(LOCATED).encode(), str(LOCATED["subject"]).encode()
    wrong = 1 - partition_of(key, 2)
    producer.send(NAMES.actions.name, value, key, partition=wrong, headers=[CONTENT_TYPE]).get(20)
    producer.send(NAMES.register.name, value, key, partition=0, headers=[CONTENT_TYPE]).get(20)
    producer.close()


def _rejected(broker: Limiting) -> int:
    consumer = KafkaConsumer(bootstrap_servers=broker.servers, group_id=None)
    places = [TopicPartition(NAMES.rejected.name, 0), TopicPartition(NAMES.rejected.name, 1)]
    places += [TopicPartition(NAMES.register_rejected.name, 0)]
    try:
        return sum(consumer.end_offsets(places).values())
    finally:
        consumer.close()


def _is_ready(where: str) -> bool:
    try:
        return httpx.get(f"http://{where}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
