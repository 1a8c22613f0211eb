"""One Kafka broker, its own controller, in a folder of its own on free ports of the loopback."""

import base64
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kafka.admin import KafkaAdminClient

from tests.runtime.process import Process, free_port

JARS = Path(__file__).parents[2] / ".parts" / "kafka"
SMALL = ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""A heap and a compiler for tests on small machines; measuring wants others."""
APPEND_TIME = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=16777216
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=2000
num.network.threads=2
num.io.threads=2
"""


class Kafka(Process):
    """A broker; `servers` is where it listens.

    `properties` are added to server.properties, with `{port}` and `{controller}` filled in; `scram` are people and their
    passwords for SCRAM-SHA-512.
    """

    def __init__(
        self,
        folder: Path,
        properties: Mapping[str, str] | None = None,
        java: Sequence[str] = SMALL,
        scram: Mapping[str, str] | None = None,
    ) -> None:
        assert JARS.is_dir(), "Kafka's jars are missing; run `make parts`"
        self.port = free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self.run = ["java", *java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-cp", f"{JARS}/*"]
        self.config = folder / "server.properties"
        super().__init__([*self.run, "kafka.Kafka", str(self.config)], folder, "kafka")
        self._format(properties or {}, scram or {})

    def _format(self, properties: Mapping[str, str], scram: Mapping[str, str]) -> None:
        self.folder.mkdir(parents=True)
        ports = {"port": self.port, "controller": free_port()}
        text = _PROPERTIES.format(**ports, folder=self.folder)
        self.config.write_text(text + "".join(f"{k}={v.format(**ports)}\n" for k, v in properties.items()))
        cluster = base64.urlsafe_b64encode(b"A" + secrets.token_bytes(15)).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(self.config)]
        for name, password in scram.items():
            tool += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        done = subprocess.run([*self.run, *tool], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start, or start again with the same data; returns when it serves."""
        said = len(self.said().encode())
        super().start()
        self.ready(lambda: "Kafka Server started" in self.said(said), 60)

    def copier(self, folder: Path) -> "Copier":
        """Another broker of the same cluster, which copies what its topics' assignments say; not started yet."""
        return Copier(self, folder)

    def admin(self) -> KafkaAdminClient:
        """A client to ask and change the broker with; close it."""
        return KafkaAdminClient(bootstrap_servers=self.servers)

    def create(self, partitions: Mapping[str, int], configs: Mapping[str, str] = APPEND_TIME) -> None:
        """Create topics of so many partitions, of the broker's append time unless said otherwise."""
        wanted = {t: {"num_partitions": n, "replication_factor": 1, "configs": configs} for t, n in partitions.items()}
        admin = self.admin()
        try:
            admin.create_topics(wanted, wait_for_metadata=True)
        finally:
            admin.close()


class Copier(Process):
    """A second broker beside a first one, with no part in leading the cluster."""

    NODE = 2

    def __init__(self, first: Kafka, folder: Path) -> None:
        known = (first.folder / "data" / "meta.properties").read_text().splitlines()
        cluster = next(line.partition("=")[2] for line in known if line.startswith("cluster.id"))
        address = f"PLAINTEXT://127.0.0.1:{free_port()}"
        own = {"process.roles": "broker", "node.id": str(self.NODE), "log.dirs": f"{folder}/data"}
        own |= {"listeners": address, "advertised.listeners": address}
        others = [line for line in first.config.read_text().splitlines() if line.partition("=")[0] not in own]
        folder.mkdir(parents=True)
        config = folder / "server.properties"
        config.write_text("\n".join([*others, *(f"{name}={value}" for name, value in own.items())]) + "\n")
        tool = [*first.run, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
        done = subprocess.run(tool, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        super().__init__([*first.run, "kafka.Kafka", str(config)], folder, "kafka-copier")

    def start(self) -> None:
        """Start; returns when it serves."""
        super().start()
        self.ready(lambda: "Kafka Server started" in self.said(), 60)
