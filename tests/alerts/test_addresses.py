"""Receivers have public addresses, unless they are allowed by name; what was checked is what is connected to."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streams.alerts.addresses import wrong_with
from streams.alerts.posting import NotPosted, Poster
from tests.alerts.receiving import receiving

PUBLIC = ("93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e")
OTHERS = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:1.1.1.1",
    "::ffff:0:1.1.1.1",
    "64:ff9b::7f00:1",
    "64:ff9b::101:101",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:101:101::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "4000::1",
    "5f00::1",
    "nonsense",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_spoken_to(address: str) -> None:
    """Of both families."""
    assert wrong_with(address) is None


@pytest.mark.parametrize("address", OTHERS)
def test_all_others_are_refused(address: str) -> None:
    """Private, local, reserved, and IPv4 in any disguise."""
    assert wrong_with(address) is not None


def post(url: str, poster: Poster) -> int:
    """The status that comes back."""
    return asyncio.run(poster.post(url, {}, b"{}", 0)).status


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]"])
def test_loopback_in_any_spelling_is_refused(host: str) -> None:
    """What counts is where it leads."""
    with receiving() as there:
        with pytest.raises(NotPosted, match="which is loopback"):
            post(f"http://{host}:{there.port}/", Poster())
        assert not there.seen


def test_one_private_address_among_public_ones_is_enough() -> None:
    """A name that leads to both is not spoken to at all."""

    async def both(host: str, port: int) -> Sequence[str]:
        return [PUBLIC[0], "10.0.0.1"]

    with pytest.raises(NotPosted, match=r"10\.0\.0\.1, which is private"):
        post("http://hooks.example/", Poster(resolve=both))


def test_an_allowed_name_does_not_allow_another() -> None:
    """By name, not by address."""
    with receiving() as there:
        with pytest.raises(NotPosted):
            post(there.url, Poster(frozenset({"localhost"})))
        assert post(f"http://localhost:{there.port}/", Poster(frozenset({"localhost"}))) == 200


def test_a_name_is_asked_once_and_its_answer_is_where_we_connect() -> None:
    """A name server that says something else the second time leads nowhere."""
    asked: list[str] = []

    async def turncoat(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with receiving() as there:
        poster = Poster(frozenset({"hooks.example"}), turncoat)
        assert post(f"http://hooks.example:{there.port}/", poster) == 200
        assert asked == ["hooks.example"]
        assert there.seen[0].headers["host"] == f"hooks.example:{there.port}"


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "key.pem")
    client = ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())
    return server, client


def test_tls_names_and_checks_the_host_though_an_address_is_connected_to(tmp_path: Path) -> None:
    """SNI is the name; a certificate of another name is refused."""
    server, client = _certificate(tmp_path, "hooks.example")
    named: list[str | None] = []
    server.sni_callback = lambda _, name, __: named.append(name)

    async def here(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    with receiving(tls=server) as there:
        poster = Poster(frozenset({"hooks.example", "other.example"}), here, client)
        assert post(f"https://hooks.example:{there.port}/", poster) == 200
        assert named == ["hooks.example"]
        with pytest.raises(NotPosted, match="certificate"):
            post(f"https://other.example:{there.port}/", poster)
        with pytest.raises(NotPosted, match="certificate"):
            post(f"https://hooks.example:{there.port}/", Poster(frozenset({"hooks.example"}), here))


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """One would be the address that is connected to."""
    with receiving() as proxy, receiving() as there:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert post(there.url, Poster(frozenset({"127.0.0.1"}))) == 200
        assert not proxy.seen and len(there.seen) == 1
