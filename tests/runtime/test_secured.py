"""A broker that asks who one is and speaks TLS, and a Redis that does: every command works, and a refusal says why."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streams.feed.opening import gate_of
from streams.kafka.connection import connection
from streams.publisher import Publisher
from streams.settings import settings
from tests.commands.program import PROGRAM
from tests.runtime.kafka import Kafka
from tests.runtime.process import Process, free_port, wait_until
from tests.runtime.redis import Redis

PASSWORD = "a-word-of-the-gate"
OFFER = {"offer": "of-1", "service": "custody", "channel": "email", "content": "offer"}


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and a server's certificate and key by it, for this machine's loopback."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in ("test authority", "localhost")]
    made = []
    for name, key, alone in ((names[0], keys[0], True), (names[1], keys[1], False)):
        at = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(names[0], name, key.public_key(), x509.random_serial_number())
            .not_valid_before(at - timedelta(days=1))
            .not_valid_after(at + timedelta(days=7))
            .add_extension(x509.BasicConstraints(ca=alone, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        )
        if alone:
            usage = dict.fromkeys(("digital_signature", "key_cert_sign", "crl_sign"), True)
            others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
            usage |= dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
            builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        else:
            alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
            builder = builder.add_extension(alternative, critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret = keys[1].private_bytes(serialization.Encoding.PEM, *plain)
    paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    for path, content in zip(paths, (made[0], made[1], secret), strict=True):
        path.write_bytes(content)
    (folder / "store.pem").write_bytes(secret + made[1] + made[0])
    return paths


class Secured(Kafka):
    """A broker whose clients come over TLS with a name and a password."""

    def __init__(self, folder: Path, certified: Path) -> None:
        port = free_port()
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
        properties = {
            "listeners": f"PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}},SASL_SSL://127.0.0.1:{port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}},SASL_SSL://127.0.0.1:{port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{plain} required user_gate="{PASSWORD}";',
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{scram} required;",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(certified / "store.pem"),
        }
        super().__init__(folder, properties, scram={"gate": PASSWORD})
        self.secured = f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certified")
    certificates(folder)
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "wrong").write_text("a-wrong-word\n")
    return folder


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, certified: Path) -> Iterator[Secured]:
    broker = Secured(tmp_path_factory.mktemp("secured") / "kafka", certified)
    broker.start()
    yield broker
    broker.stop(5)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory, certified: Path) -> Iterator[str]:
    """A Redis that speaks TLS alone and asks for a password."""
    port = str(free_port())
    files = {"tls_cert_file": "server.pem", "tls_key_file": "server.key", "tls_ca_cert_file": "ca.pem"}
    paths = {name: str(certified / file) for name, file in files.items()}
    folder = tmp_path_factory.mktemp("secured") / "redis"
    server = Redis(folder, port="0", tls_port=port, tls_auth_clients="no", requirepass=PASSWORD, **paths)
    server.url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0?ssl_ca_certs={certified / 'ca.pem'}"
    server.start()
    yield server.url
    server.stop(5)


def environment(secured: Secured, certified: Path, redis: str, mechanism: str, prefix: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "GATE61_KAFKA": secured.secured,
        "GATE61_KAFKA_SECURITY": "SASL_SSL",
        "GATE61_KAFKA_MECHANISM": mechanism,
        "GATE61_KAFKA_USER": "gate",
        "GATE61_KAFKA_PASSWORD_FILE": str(certified / "password"),
        "GATE61_KAFKA_CA": str(certified / "ca.pem"),
        "GATE61_REDIS": redis,
        "GATE61_PREFIX": prefix,
        "GATE61_PARTITIONS": "2",
        "GATE61_INSTANCE": "w1",
        "GATE61_HEALTH": f"127.0.0.1:{free_port()}",
    }


def run(env: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAM), *words], env=env, capture_output=True, text=True, timeout=90)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_every_command_works_over_tls_with_a_password(
    secured: Secured, certified: Path, redis_url: str, mechanism: str, prefix: str, tmp_path: Path
) -> None:
    env = environment(secured, certified, redis_url, mechanism, prefix)
    applied = run(env, "topics", "apply")
    assert applied.returncode == 0, applied.stderr
    worker = Process([str(PROGRAM), "worker"], tmp_path / "worker", "worker", env)
    worker.start()
    wait_until(lambda: "assumed" in worker.said(), 60, worker.said())
    used = settings(env)
    keywords = connection(used.kafka)
    with Publisher(keywords.pop("bootstrap_servers"), "//platform/x", prefix=prefix, **keywords) as publisher:
        publisher.publish("offer.proposed", "cl-1", OFFER, id="p-1", time=datetime.now(UTC))
    feed = gate_of(env).feed()

    async def answers() -> list[str]:
        await feed.start({})
        found: list[str] = []
        async with asyncio.timeout(30):
            while not found:
                found = [t.event["data"]["leading"] for t in await feed.next(1) if t.kind == "decision"]
        await feed.close()
        return found

    assert asyncio.run(answers()) == ["INITIATION_UNKNOWN"]
    examined = run(env, "doctor", "--json")
    assert examined.returncode == 0, examined.stdout + examined.stderr
    watched = run({**env, "NO_COLOR": "1"}, "dlq", "list", "--json")
    assert watched.returncode == 0, watched.stderr
    assert worker.stop() == 0
    assert PASSWORD not in worker.said()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"GATE61_KAFKA_PASSWORD_FILE": "wrong"}, "uthentication"),
        ({"GATE61_KAFKA_CA": None}, "certificate"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    secured: Secured, certified: Path, redis_url: str, prefix: str, change: dict[str, str | None], said: str
) -> None:
    env = environment(secured, certified, redis_url, "PLAIN", prefix)
    for name, file in change.items():
        del env[name]
        env |= {name: str(certified / file)} if file else {}
    for words in (("topics", "plan"), ("doctor",)):
        done = run(env, *words)
        assert done.returncode in (1, 2), done.stdout
        told = done.stdout + done.stderr
        assert said in told and secured.secured.split(":")[0] in told, told
        assert "Traceback" not in told and "a-wrong-word" not in told and PASSWORD not in told


def test_who_speaks_another_way_than_the_other_side_is_told_which(
    secured: Secured, certified: Path, redis_url: str, prefix: str
) -> None:
    """TLS or not, signed in or not, a name that leads nowhere, an authority that was not named; of Kafka and of Redis."""
    env = environment(secured, certified, redis_url, "PLAIN", prefix)
    open_ = {name: value for name, value in env.items() if not name.startswith("GATE61_KAFKA_")}
    open_["GATE61_KAFKA"] = secured.servers
    signed = {**env, "GATE61_KAFKA": secured.servers, "GATE61_KAFKA_SECURITY": "SASL_PLAINTEXT"}
    without = redis_url.partition("?")[0]
    for changed, said in (
        ({**env, "GATE61_KAFKA": secured.servers}, "speaks no TLS on that port; name another port in GATE61_KAFKA, or"),
        (
            signed,
            "offers no sign-in (SASL) on that port; name another port in GATE61_KAFKA, or make GATE61_KAFKA_SECURITY",
        ),
        (
            open_ | {"GATE61_KAFKA": "gate61.invalid:9092"},
            "`gate61.invalid:9092` cannot be resolved (DNS); correct",
        ),
        (open_ | {"GATE61_KAFKA": f"127.0.0.1:{free_port()}"}, "nothing listens there; see that it runs"),
        (open_ | {"GATE61_REDIS": without}, "rediss://HOST:PORT/N?ssl_ca_certs=FILE"),
    ):
        done = run(changed, "doctor", "--json")
        told = "\n".join(f"{f['what']}; {f['do']}" for f in map(json.loads, done.stdout.splitlines()))
        assert done.returncode == 1 and said in told, told
        assert PASSWORD not in told and "rights of its user" not in told
