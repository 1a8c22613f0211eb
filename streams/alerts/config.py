"""Who is told of what, and how: the TOML file of `gate61 alerts`, complained about all at once."""

import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gate.facts import Instant
from gate.law import DUTIES, OF_CASES
from gate.policy import HOUR, SECOND
from streams.alerts import by_apprise
from streams.alerts.happened import ERROR, SEVERITIES, WARNING, Happened
from streams.alerts.signing import KeyRefused, Signer
from streams.settings import NoSecret, secret_in, url_of
from streams.toml import NoTable, table_of

KINDS: Final = ("webhook", "pagerduty", "apprise")
VERDICTS: Final = ("flag", "block", "case")
PAGERDUTY: Final = "https://events.pagerduty.com/v2/enqueue"
WHYS: Final = frozenset(DUTIES) | frozenset(OF_CASES)
"""Codes of reasons and of cases (judging section 6)."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST: Final = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_ROUTING_KEY: Final = re.compile(r"[A-Za-z0-9]{20,64}")
_CHANNEL: Final = frozenset(
    "name kind url url_env url_file secret_env secret_file verdicts reasons severity show_client closings".split()  # noqa: SIM905
)


class ConfigRefused(Exception):
    """A file that cannot be used; `complaints` holds everything that is wrong with it."""

    def __init__(self, path: Path, complaints: list[str]) -> None:
        self.complaints = complaints
        super().__init__(f"`{path}` is refused:\n" + "\n".join(f"  - {c}" for c in complaints))


class Grouping(Struct, frozen=True):
    """When a group speaks; times in microseconds."""

    gather: Instant = 5 * SECOND
    """How long a first alert waits for more of its group; also the least time between two messages of a group."""
    update: Instant = 300 * SECOND
    """How often a group says that there are more of the same."""
    quiet: Instant = HOUR
    """After so long without anything new a group closes, where nothing of it is held."""
    flood: int = 20
    """More groups than this within a minute are a flood."""
    flood_quiet: Instant = 300 * SECOND
    """A flood closes when it has been no flood for so long."""


class Channel(Struct, frozen=True):
    """One receiver. Shown without address or secret: both may hold what nobody should read in a log."""

    name: str
    kind: str
    url: str
    signer: Signer | None = None
    routing_key: str = ""
    verdicts: frozenset[str] = frozenset(VERDICTS)
    reasons: frozenset[str] = frozenset()
    """Any of an answer's codes, or why a case was opened; empty for all."""
    severity: int = WARNING
    """The least that is told."""
    show_client: bool = True
    """Whether client, offer and sentences, which may name clients, are told."""
    closings: bool = True
    """Whether it is told that a group is over, where nothing else is to be said."""

    @property
    def digest(self) -> str:
        """Of where it leads, which nobody reads from it: another address is another receiver."""
        return sha256(self.url.encode()).hexdigest()[:16]

    def takes(self, happened: Happened) -> bool:
        """Whether this receiver wants to be told."""
        return (
            happened.verdict in self.verdicts
            and happened.severity >= self.severity
            and (not self.reasons or not self.reasons.isdisjoint(happened.codes))
        )

    @property
    def ordered(self) -> bool:
        """Whether messages of a group go one after the other: receivers of webhooks see from `sequence` what is newer."""
        return self.kind != "webhook"

    def __repr__(self) -> str:
        return f"Channel({self.name}, {self.kind})"


class Config(Struct, frozen=True):
    """The whole file."""

    channels: Mapping[str, Channel]
    grouping: Grouping = Grouping()
    allowed: frozenset[str] = frozenset()
    """Hosts that may have private addresses and may be spoken to without TLS."""


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the file and the secrets it names; raises `ConfigRefused`."""
    try:
        table = table_of(path.read_bytes())
    except OSError as error:
        raise ConfigRefused(path, [f"it cannot be read: {error.strerror}"]) from None
    except NoTable as wrong:
        raise ConfigRefused(path, [f"it {wrong}"]) from None
    found: list[str] = []
    found += [
        f"`{name}` is no setting here; there are allow_hosts, grouping, channel"
        for name in sorted(table.keys() - {"allow_hosts", "grouping", "channel"})
    ]
    allowed = frozenset(h.lower().rstrip(".") for h in _texts(table, "allow_hosts", "allow_hosts", found))
    found += [f"`allow_hosts` names `{h}`, which is no host's name" for h in sorted(allowed) if not _HOST.fullmatch(h)]
    grouping = _grouping(table.get("grouping", {}), found)
    tables = table.get("channel", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables) or not tables:
        found.append("there is no channel; begin each with [[channel]]")
        tables = []
    read = [_Reading(t, n, path.parent, environment, allowed, found).channel() for n, t in enumerate(tables, 1)]
    channels: dict[str, Channel] = {}
    for channel in read:
        if channel.name in channels:
            found.append(f"channel `{channel.name}` appears twice")
        channels[channel.name] = channel
    if found:
        raise ConfigRefused(path, found)
    return Config(channels, grouping, allowed)


def _grouping(table: Any, found: list[str]) -> Grouping:
    if not isinstance(table, dict):
        found.append("`grouping` is a table of numbers")
        return Grouping()
    # By name in the file: field, unit, least and most.
    limits = {
        "gather_seconds": ("gather", SECOND, 0, 300),
        "update_seconds": ("update", SECOND, 5, 86_400),
        "quiet_seconds": ("quiet", SECOND, 10, 30 * 86_400),
        "flood_groups": ("flood", 1, 1, 10_000),
        "flood_quiet_seconds": ("flood_quiet", SECOND, 10, 86_400),
    }
    found += [
        f"`grouping.{n}` is no setting here; there are {', '.join(limits)}" for n in sorted(table.keys() - limits)
    ]
    given = {}
    for name, (field, unit, least, most) in limits.items():
        value = table.get(name)
        if value is None:
            continue
        if type(value) is not int or not least <= value <= most:
            found.append(f"`grouping.{name}` is `{value}`; it is a whole number from {least} to {most}")
        else:
            given[field] = value * unit
    return Grouping(**given)


def _texts(table: Mapping[str, Any], name: str, where: str, found: list[str]) -> list[str]:
    value = table.get(name, [])
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return value
    found.append(f"`{where}` is a list of texts")
    return []


class _Reading:
    """One `[[channel]]` while it is read."""

    def __init__(
        self,
        table: Mapping[str, Any],
        number: int,
        folder: Path,
        environment: Mapping[str, str],
        allowed: frozenset[str],
        found: list[str],
    ) -> None:
        self._table, self._folder, self._environment = table, folder, environment
        self._allowed, self._found = allowed, found
        name = table.get("name")
        self._good_name = isinstance(name, str) and _NAME.fullmatch(name) is not None
        self._name = str(name) if self._good_name else f"number {number}"

    def _complain(self, text: str) -> None:
        self._found.append(f"channel {self._name}: {text}")

    def channel(self) -> Channel:
        """The channel, as far as it can be read; complaints are noted."""
        table, unknown = self._table, sorted(self._table.keys() - _CHANNEL)
        if not self._good_name:
            self._complain("`name` is up to 64 letters, digits, dots, dashes and underscores")
        if unknown:
            self._complain(f"`{'`, `'.join(unknown)}` is no setting here")
        kind = table.get("kind")
        if kind not in KINDS:
            self._complain(f"`kind` is one of {', '.join(KINDS)}")
            kind = "webhook" if kind is None else str(kind)
        url = self._url(kind)
        secret = self._secret(kind)
        people = kind != "webhook"
        return Channel(
            self._name,
            kind,
            url,
            self._signer(secret) if kind == "webhook" else None,
            self._routing_key(secret) if kind == "pagerduty" else "",
            self._some("verdicts", VERDICTS) or frozenset(VERDICTS),
            self._some("reasons", WHYS),
            self._severity(),
            self._flag("show_client", not people),
            self._closings(kind),
        )

    def _closings(self, kind: str) -> bool:
        told = self._flag("closings", kind != "apprise")
        if kind == "pagerduty" and not told:
            self._complain("`closings` must stay on, as it resolves the incidents of PagerDuty; leave it out")
        return told

    def _url(self, kind: str) -> str:
        given = [n for n in ("url", "url_env", "url_file") if n in self._table]
        if kind == "pagerduty" and not given:
            return PAGERDUTY
        if len(given) != 1:
            self._complain("say where to with one of url, url_env, url_file")
            return ""
        if kind == "apprise" and given == ["url"]:
            self._complain("apprise's addresses hold secrets; name a variable with url_env or a file with url_file")
            return ""
        url = self._named("url", given[0]) if given != ["url"] else self._table["url"]
        if not isinstance(url, str):
            self._complain("`url` is a text")
            return ""
        if url and kind == "apprise":
            wrong = by_apprise.complaint(url)
            if wrong:
                self._complain(wrong)
        elif url:
            self._check(url)
        return url

    def _check(self, url: str) -> None:
        parts = url_of(url)
        host = (parts.hostname or "").rstrip(".") if parts else ""
        readable = url.isascii() and url.isprintable() and " " not in url
        if parts is None or not readable or parts.scheme not in ("http", "https") or not host:
            self._complain("its address cannot be read; use https://HOST/PATH")
        elif parts.username or parts.password or parts.fragment:
            self._complain("its address holds a user, a password or a fragment; the signature says who sends")
        elif parts.scheme == "http" and host not in self._allowed:
            self._complain("its address is not https; only hosts in allow_hosts are spoken to without TLS")

    def _secret(self, kind: str) -> str:
        given = [n for n in ("secret_env", "secret_file") if n in self._table]
        if kind == "apprise":
            if given:
                self._complain("apprise's secrets stand in its address")
            return ""
        if len(given) != 1:
            self._complain("name where its secret is with one of secret_env, secret_file")
            return ""
        return self._named("secret", given[0])

    def _named(self, what: str, source: str) -> str:
        """A secret by the name of its variable or file; neither it nor a part of it is ever in a complaint."""
        name = self._table[source]
        if not isinstance(name, str) or not name:
            self._complain(f"`{source}` is a name")
            return ""
        if source.endswith("_env"):
            value = self._environment.get(name, "").strip()
            if not value:
                self._complain(f"its {what} is to be in the variable `{name}`, which is not set")
            return value
        try:
            return secret_in(self._folder / name, several=True)  # Keys, while receivers change over.
        except NoSecret as wrong:
            self._complain(f"its {what} is to be in the file `{name}`, which {wrong}")
            return ""

    def _signer(self, secret: str) -> Signer | None:
        if not secret:
            return None
        try:
            return Signer(secret.split())
        except KeyRefused as refused:
            self._complain(str(refused))
            return None

    def _routing_key(self, secret: str) -> str:
        if secret and not _ROUTING_KEY.fullmatch(secret):
            self._complain("its secret is no PagerDuty integration key of letters and digits")
        return secret

    def _some(self, name: str, choices: frozenset[str] | tuple[str, ...]) -> frozenset[str]:
        given = frozenset(_texts(self._table, name, f"{self._name}.{name}", self._found))
        for value in sorted(given - frozenset(choices)):
            self._complain(f"`{name}` names `{value}`; there are {', '.join(sorted(choices))}")
        return given

    def _severity(self) -> int:
        value = self._table.get("severity", SEVERITIES[WARNING])
        if value not in SEVERITIES:
            self._complain(f"`severity` is one of {', '.join(SEVERITIES)}, the least that is told")
            return ERROR
        return SEVERITIES.index(value)

    def _flag(self, name: str, default: bool) -> bool:
        value = self._table.get(name, default)
        if not isinstance(value, bool):
            self._complain(f"`{name}` is true or false")
            return default
        return value
