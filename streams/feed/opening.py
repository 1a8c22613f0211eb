"""Which gate is read: the embedded one by its address, or the topics, from the environment."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from streams.feed.embedded import EmbeddedFeed
from streams.feed.kafka import KafkaFeed
from streams.feed.sending import EmbeddedSender, KafkaSender, Sender
from streams.feed.told import Feed
from streams.settings import NoSecret, Settings, SettingsRefused, misspelt, secret_in, settings, url_of

_KEY: Final = re.compile(r"[!-~]+")


class Gate(Struct, frozen=True):
    """Where the gate is: `url` of an embedded one, or the settings of its topics."""

    url: str | None = None
    key: str | None = None
    topics: Settings | None = None

    def feed(self) -> Feed:
        """Its logs."""
        if self.topics is not None:
            return KafkaFeed(self.topics.kafka, self.topics.prefix)
        assert self.url is not None
        return EmbeddedFeed(self.url, self.key)

    def sender(self) -> Sender:
        """The way to publish to it."""
        if self.topics is not None:
            return KafkaSender(self.topics)
        assert self.url is not None
        return EmbeddedSender(self.url, self.key)

    def __repr__(self) -> str:
        return f"Gate({self.url or self.topics!r})"


def gate_of(environment: Mapping[str, str] = os.environ, *, publishes: bool = False, also: Sequence[str] = ()) -> Gate:
    """The gate that `GATE61_URL` or `GATE61_KAFKA` names; raises `SettingsRefused`, with what is `also` wrong beside it.

    `publishes` is whether events are to be published too: over Kafka what became of them is asked of Redis.
    """
    try:
        gate = _named(environment, publishes)
    except SettingsRefused as refused:
        raise SettingsRefused([*refused.complaints, *also]) from None
    if also:
        raise SettingsRefused([*also])
    return gate


def _named(environment: Mapping[str, str], publishes: bool) -> Gate:
    url = environment.get("GATE61_URL")
    if not url:
        if not environment.get("GATE61_KAFKA"):
            raise SettingsRefused(
                [
                    *misspelt(environment),
                    "neither GATE61_URL nor GATE61_KAFKA says which gate to read; name the embedded one, such as "
                    "http://127.0.0.1:8061, or the brokers",
                ]
            )
        return Gate(topics=settings(environment, redis=publishes))
    found = misspelt(environment)
    if environment.get("GATE61_KAFKA"):
        found.append("GATE61_URL and GATE61_KAFKA name two gates; name one")
    parts = url_of(url)
    if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        found.append("GATE61_URL is no address; use http://HOST:PORT or https://")
    elif "@" in parts.netloc:
        found.append("GATE61_URL names a user; name the gate alone, and the file of a key in GATE61_KEY_FILE")
    path = environment.get("GATE61_KEY_FILE")
    key = _key_in(path, found) if path else None
    if found:
        raise SettingsRefused(found)
    return Gate(url.rstrip("/"), key)


def _key_in(path: str, found: list[str]) -> str | None:
    """The key that a file holds; what is wrong with it is added to `found`."""
    try:
        key = secret_in(Path(path))
        if _KEY.fullmatch(key):
            return key
        wrong = "holds more than a key"
    except NoSecret as refused:
        wrong = str(refused)
    do = "give it the one line that `gate61 keys add` printed; the gate's own key file (GATE61_KEYS) is another"
    found.append(f"GATE61_KEY_FILE names `{path}`, which {wrong}; {do}")
    return None
