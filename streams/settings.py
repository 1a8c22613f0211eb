"""Settings from the environment (contract section 5), complained about all at once."""

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from msgspec import Struct

from streams.terminal import plain

_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_REDIS_OPTIONS = (
    *("db", "protocol", "ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile"),
    *("ssl_check_hostname", "ssl_keyfile"),
)
"""What the address of Redis may say behind `?`. Others change what is read of it, or how long it is waited for."""
_DATABASE = re.compile(r"(/[0-9]*)?")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_SECURITY = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_BEGIN = "GATE61_"
_OF_THE_GATE = (
    "KAFKA KAFKA_SECURITY KAFKA_MECHANISM KAFKA_USER KAFKA_PASSWORD_FILE KAFKA_CA REDIS POLICY PREFIX PARTITIONS REPLICATION "
    "GROUP INSTANCE HEALTH URL KEY_FILE KEYS STATE LIST_BUDGET ASK_LAG ASK_BUDGET ALERTS ALERTS_STORE DESK_STORE DESK_URL"
)
OIDC = ("ISSUER", "CLIENT", "SECRET_FILE", "ROLE_CLAIM", "ROLE_PREFIX", "SCOPE", "NAME")
"""What the settings of the desk's OpenID provider are called behind what they all begin with."""
OIDC_BEGIN = f"{_BEGIN}DESK_OIDC_"
KNOWN = frozenset([*(f"{_BEGIN}{name}" for name in _OF_THE_GATE.split()), *(f"{OIDC_BEGIN}{name}" for name in OIDC)])
"""Every setting."""
_OF_KUBERNETES = re.compile(r"\w*_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)")
"""What Kubernetes says of services whose names begin with `gate61`: their `_PORT` too, which is such an address."""
_A_PORT = ("tcp://", "udp://", "sctp://")
_ALIKE = 0.75
"""From which likeness on a name may be meant."""
_MEANT_AT_MOST = 3
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class SettingsRefused(Exception):
    """Settings that cannot be used; `complaints` holds everything that is wrong with them."""

    def __init__(self, complaints: list[str]) -> None:
        self.complaints = list(
            dict.fromkeys(complaints)
        )  # Who looks at some of them may be told what who looks at all is.
        super().__init__("settings are refused:\n" + "\n".join(f"  - {plain(c)}" for c in self.complaints))


class NoSecret(Exception):
    """A file that holds no secret; goes on from `which`."""


class Kafka(Struct, frozen=True):
    """How to reach the brokers."""

    servers: tuple[str, ...]
    security: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    password: str | None = None
    ca: Path | None = None
    password_file: Path | None = None
    """Where that password came from: another one may stand there by now."""

    def __repr__(self) -> str:
        return f"Kafka({','.join(self.servers)}, {self.security})"


class Settings(Struct, frozen=True):
    """What the commands that touch Kafka or Redis need to know."""

    kafka: Kafka
    redis: str
    policy: Path | None
    prefix: str
    """Before every topic's name and every key, for several gates on one cluster; empty for the contract's names."""
    partitions: int
    group: str
    instance: str
    """Names this worker among those of its group, for as long as it lives and after a restart (static membership)."""
    health: tuple[str, int]
    """Where metrics and probes are served."""
    replication: int | None = None
    """Copies of every topic; None is three, or as many as there are brokers."""

    def __repr__(self) -> str:
        return f"Settings({self.kafka!r}, group={self.group}, instance={self.instance})"


def settings(environment: Mapping[str, str] = os.environ, *, redis: bool = True) -> Settings:
    """Read `GATE61_*`; raises `SettingsRefused`. `redis` is whether the command needs one."""
    found = misspelt(environment)
    kafka = _kafka(environment, found)
    where = environment.get("GATE61_REDIS", "")
    if redis or where:
        _check_redis(where, found)
    partitions = _number(environment, "GATE61_PARTITIONS", 48, 1, 10_000, found)
    replication = _number(environment, "GATE61_REPLICATION", 0, 1, 100, found)
    prefix = _named(environment, "GATE61_PREFIX", "", found)
    group = _named(environment, "GATE61_GROUP", "gate61", found)
    instance = _named(environment, "GATE61_INSTANCE", socket.gethostname(), found)
    health = environment.get("GATE61_HEALTH", "127.0.0.1:6061")
    if not _is_address(health):
        found.append(f"GATE61_HEALTH is `{health}`; say where probes are served, such as 127.0.0.1:6061")
        health = "127.0.0.1:6061"
    if health.rpartition(":")[0] not in _LOOPBACK:
        found.append(
            f"GATE61_HEALTH is `{health}`; probes and metrics need no key, so they are served on loopback only: name "
            "127.0.0.1 there, and put a proxy that checks access in front"
        )
    policy = environment.get("GATE61_POLICY")
    if policy and not Path(policy).is_file():
        found.append(f"GATE61_POLICY names `{policy}`, which is no file; name a policy file, or none for the default")
    if found:
        raise SettingsRefused(found)
    host, _, port = health.rpartition(":")
    return Settings(
        kafka,
        where,
        Path(policy) if policy else None,
        prefix,
        partitions,
        group,
        instance,
        (host.strip("[]"), int(port)),
        replication or None,
    )


def misspelt(environment: Mapping[str, str]) -> list[str]:
    """Settings that are misspelt, or have no value: they would be passed over, and some are fixed for life.

    Whatever begins like one is to be one, but for what Kubernetes says of services. Values are not said.
    """
    empty = [name for name in sorted(KNOWN & environment.keys()) if not environment[name].strip()]
    return [
        *unknown(environment),
        *(f"{name} is empty; give it a value, or unset it for the default" for name in empty),
    ]


def resembling(environment: Mapping[str, str]) -> list[str]:
    """Names that are like a setting and are none: for commands on files, which look at one or at none."""
    return [complaint for name, complaint in _unknown(environment) if _alike(name)]


def unknown(environment: Mapping[str, str]) -> list[str]:
    """What begins like a setting and is none, with what may be meant."""
    return [complaint for _, complaint in _unknown(environment)]


def _unknown(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in sorted(environment.keys() - KNOWN):
        if name.startswith(_BEGIN) and not _is_of_kubernetes(name, environment[name]):
            yield name, f"{name} is no setting; {_meant(name)}"


def _is_of_kubernetes(name: str, value: str) -> bool:
    return bool(_OF_KUBERNETES.fullmatch(name)) or (name.endswith("_PORT") and value.startswith(_A_PORT))


def _meant(name: str) -> str:
    """What to do about it: settings that are alike, or share whole words, the most alike first."""
    near = _alike(name)
    return f"do you mean {' or '.join(near)}?" if near else "unset it, or see in README.md which there are"


def _alike(name: str) -> list[str]:
    alike = {known: ratio for known in KNOWN if (ratio := _likeness(name, known))}
    return sorted(alike, key=lambda known: (-alike[known], known))[:_MEANT_AT_MOST]


def _likeness(name: str, known: str) -> float:
    """0 if that is not meant; else how alike both are, up to 1."""
    one, other = _words(name), _words(known)
    letters = SequenceMatcher(None, name.removeprefix(_BEGIN), known.removeprefix(_BEGIN)).ratio()
    if one <= other or other <= one:
        return max(letters, len(one & other) / len(one | other))
    return letters if letters >= _ALIKE else 0


def _words(name: str) -> set[str]:
    """Of one or of many."""
    return {word.rstrip("S") for word in name.removeprefix(_BEGIN).split("_") if word}


def seconds(
    environment: Mapping[str, str], name: str, default: float, least: float, most: float, found: list[str]
) -> float:
    """A time that a setting says; what is wrong with it is added to `found`."""
    value = environment.get(name)
    if value is None:
        return default
    try:
        said = float(value)
    except ValueError:
        said = -1.0
    if not least <= said <= most:
        found.append(f"{name} is `{value}`; it must be a number of seconds from {least:g} to {most:g}")
        return default
    return said


def secret_in(path: Path, several: bool = False) -> str:
    """The one line that a file holds, or `several`, without what is blank around it; raises NoSecret, which never says a part of it.

    Secrets come from files, so that no list of processes or environment shows them. A byte-order mark, which some editors
    put first, is none of it.
    """
    try:
        held = path.read_text("utf-8-sig").strip()
    except OSError as error:
        raise NoSecret(f"cannot be read ({error.strerror})") from None
    except ValueError:  # No UTF-8, or no path.
        raise NoSecret("cannot be read as text") from None
    if not held:
        raise NoSecret("is empty")
    if "\n" in held and not several:  # As whatever ends a line is read.
        raise NoSecret("holds more than one line")
    return held


def url_of(text: str) -> SplitResult | None:
    """An address whose host and port can be read; None for any other text."""
    try:
        parts = urlsplit(text)
        readable = parts.port != 0 and parts.hostname
    except ValueError:
        return None
    return parts if readable else None


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None and _whole(text.rpartition(":")[2], 1, 65535) is not None


def _kafka(environment: Mapping[str, str], found: list[str]) -> Kafka:
    servers = tuple(s.strip() for s in environment.get("GATE61_KAFKA", "").split(",") if s.strip())
    if not servers:
        found.append("GATE61_KAFKA is missing; name the brokers, such as kafka-1:9092,kafka-2:9092")
    found += [f"GATE61_KAFKA names `{s}`; a broker is HOST:PORT" for s in servers if not _is_address(s)]
    security = _one_of(environment, "GATE61_KAFKA_SECURITY", _SECURITY, found)
    mechanism = user = password = None
    if security.startswith("SASL"):
        mechanism = _one_of(environment, "GATE61_KAFKA_MECHANISM", _MECHANISMS, found)
        user, password = environment.get("GATE61_KAFKA_USER"), _secret(environment, "GATE61_KAFKA_PASSWORD_FILE", found)
        if not user:
            found.append(f"GATE61_KAFKA_USER is missing; {security} signs in with it")
    else:
        found += [
            f"{name} is set, but GATE61_KAFKA_SECURITY is {security}, which does not sign in; make that SASL_SSL or "
            f"SASL_PLAINTEXT, or unset {name}"
            for name in _SIGNING_IN
            if environment.get(name)
        ]
    ca = environment.get("GATE61_KAFKA_CA")
    if ca and not Path(ca).is_file():
        found.append(f"GATE61_KAFKA_CA names `{ca}`, which is no file; name the certificates of the brokers' authority")
    elif ca and not _has_certificates(ca):
        found.append(f"GATE61_KAFKA_CA names `{ca}`, which holds no certificates; name a file of them in PEM")
    file = environment.get("GATE61_KAFKA_PASSWORD_FILE") if password else None
    return Kafka(servers, security, mechanism, user, password, Path(ca) if ca else None, Path(file) if file else None)


_SIGNING_IN = ("GATE61_KAFKA_MECHANISM", "GATE61_KAFKA_USER", "GATE61_KAFKA_PASSWORD_FILE")


def _has_certificates(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (OSError, ValueError):
        return False
    return True


def _secret(environment: Mapping[str, str], name: str, found: list[str]) -> str | None:
    path = environment.get(name)
    if not path:
        found.append(f"{name} is missing; name the file that holds the password")
        return None
    try:
        return secret_in(Path(path))
    except NoSecret as wrong:
        found.append(f"{name} names `{path}`, which {wrong}; name the file that holds the password")
        return None


def _check_redis(where: str, found: list[str]) -> None:
    if not where:
        found.append("GATE61_REDIS is missing; name it, such as redis://127.0.0.1:6379/0")
        return
    options = _options(where)
    if options.keys() - {*_REDIS_OPTIONS}:  # Not said which: a password may hold a question mark.
        found.append(
            f"GATE61_REDIS has an option that it may not have; behind `?` it takes {', '.join(_REDIS_OPTIONS)}"
        )
        return
    if not _can_be_used(where):
        found.append(
            "GATE61_REDIS is no address; use redis://HOST:PORT/N, rediss:// for TLS, or unix:///PATH, and percent-encode "
            "what a password has besides letters and digits"
        )
        return
    for authority in options.get("ssl_ca_certs", ()):
        if not _has_certificates(authority):
            found.append(f"GATE61_REDIS names `{authority}`, which holds no certificates; name a file of them in PEM")


def _options(redis: str) -> dict[str, list[str]]:
    """What it says behind `?`; nothing where that cannot be read."""
    try:
        return parse_qs(urlsplit(redis).query, keep_blank_values=True)
    except ValueError:
        return {}


def shown(redis: str) -> str:
    """The address of a Redis without user and password."""
    parts = urlsplit(redis)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _can_be_used(redis: str) -> bool:
    """Whether Redis' client makes a connection of it, to what is meant; nothing is connected.

    It takes any other path as none, and of a password with a slash or a hash in it the beginning as a port.
    """
    from redis import Redis, RedisError  # Not loaded by commands that need none.

    try:
        parts = urlsplit(redis)
        Redis.from_url(redis).connection_pool.make_connection()
    except (ValueError, TypeError, RedisError):
        return False
    if parts.scheme == "unix":
        return bool(parts.path and not parts.hostname and not parts.fragment)
    return bool(url_of(redis) and _DATABASE.fullmatch(parts.path) and not parts.fragment)


def _one_of(environment: Mapping[str, str], name: str, choices: tuple[str, ...], found: list[str]) -> str:
    value = environment.get(name, choices[0])
    if value not in choices:
        found.append(f"{name} is `{value}`; it must be one of {', '.join(choices)}")
        return choices[0]
    return value


def _named(environment: Mapping[str, str], name: str, default: str, found: list[str]) -> str:
    value = environment.get(name, default)
    if value != default and not _NAME.fullmatch(value):
        found.append(f"{name} is `{value}`; use up to 100 letters, digits, dots, dashes and underscores")
    return value


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int, found: list[str]) -> int:
    value = environment.get(name)
    if value is None:
        return default
    number = _whole(value, least, most)
    if number is None:
        found.append(f"{name} is `{value}`; it must be a whole number from {least} to {most}")
        return default
    return number


def _whole(text: str, least: int, most: int) -> int | None:
    """A number within those bounds; None for any other text, however long."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    return int(text) if least <= int(text) <= most else None
