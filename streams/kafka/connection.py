"""How Kafka's clients connect: kafka-python and aiokafka call these settings by the same names."""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ssl import create_default_context
from time import monotonic
from typing import Any, TypeVar

from streams.settings import Kafka, NoSecret, secret_in

METADATA_MILLISECONDS = 10_000
"""After so long it is asked again which topics and brokers there are: topics may have been made anew, or got more
partitions, and who knows no broker that is left is deaf."""
C = TypeVar("C")


def connection(kafka: Kafka) -> dict[str, Any]:
    """The keywords for any client of these brokers."""
    found: dict[str, Any] = {"bootstrap_servers": list(kafka.servers), "security_protocol": kafka.security}
    found["metadata_max_age_ms"] = METADATA_MILLISECONDS
    if kafka.security.endswith("SSL"):
        found["ssl_context"] = create_default_context(cafile=str(kafka.ca) if kafka.ca else None)
    if kafka.security.startswith("SASL"):
        found |= {"sasl_mechanism": kafka.mechanism, "sasl_plain_username": kafka.user}
        found["sasl_plain_password"] = _password(kafka)
    return found


def _password(kafka: Kafka) -> str | None:
    """As its file has it now: who connects anew does so with a new one without being started again."""
    with suppress(NoSecret):
        return secret_in(kafka.password_file) if kafka.password_file else kafka.password
    return kafka.password


def opened(kind: Callable[..., C], **options: Any) -> C:
    """A client of kafka-python's, which connects as it is made; where no broker answers, nothing of it is left.

    Consumers and administrators start a thread before they connect; it would run on, with its sockets, after they raised.
    """
    made: list[Any] = []

    def kept(**given: Any) -> Any:
        made.append(kind.DEFAULT_CONFIG["kafka_client"](**given))  # type: ignore[attr-defined]
        return made[-1]

    try:
        return kind(**options, kafka_client=kept)
    except BaseException:
        for client in made:
            client.close()
        raise


def make_no_topics() -> None:
    """Let no client of aiokafka's in this process make a topic by asking for it, as brokers do unless told otherwise.

    It would have another number of partitions, or another kind of times, than the gate's must have.
    """
    from aiokafka import client
    from aiokafka.protocol.metadata import MetadataRequest

    client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)


STOP_SECONDS = 5.0
"""What a client gets to end in order."""


async def let_go(client: Any, seconds: float = STOP_SECONDS) -> None:
    """End a client of aiokafka's. Whatever that meets, or takes too long for, is of no interest: nobody uses it any more.

    Where a fetch is under way its `stop` cancels that and ends with the same, as if who called it were cancelled, before
    connections are closed.
    """
    for end in (client.stop, getattr(getattr(client, "_client", None), "close", None)):
        if end is not None:
            ending = asyncio.create_task(end())
            await asyncio.wait([ending], timeout=seconds)
            ending.cancel()
            ending.add_done_callback(lambda task: task.cancelled() or task.exception())


def forbidden(error: BaseException) -> bool:
    """Whether Kafka is well, and its user may not do that; kafka-python and aiokafka call these errors by the same names."""
    return type(error).__name__.endswith("AuthorizationFailedError")


def said(error: BaseException) -> str:
    """An error with its kind, which the libraries' own errors say by themselves; and what to do where a right is missing."""
    kind, text = type(error).__name__, str(error)
    found = text if kind in text else f"{kind}: {text}" if text else kind
    return f"{found}; give the user of GATE61_KAFKA the right" if forbidden(error) else found


_SECRETS = "GATE61_KAFKA_USER and GATE61_KAFKA_PASSWORD_FILE"
_OTHER_WAY = "name another port in GATE61_KAFKA, or make GATE61_KAFKA_SECURITY what it speaks there"
_NAMED = "correct it in GATE61_KAFKA, or have this machine's DNS know it"
_HEARD: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"(?i)authentication failed[^()]*"), "{}", f"see {_SECRETS}"),
    (
        re.compile(r"(?i)certificate verify failed[^()]*|wrong version number"),
        "{}",
        "see GATE61_KAFKA_SECURITY and GATE61_KAFKA_CA",
    ),
    (
        re.compile(r"UnsupportedSaslMechanism"),
        "the broker does not know that way to sign in (SASL mechanism)",
        "name one that it has in GATE61_KAFKA_MECHANISM",
    ),
    (re.compile(r"IllegalSaslState"), "the broker offers no sign-in (SASL) on that port", _OTHER_WAY),
    (
        re.compile(r"Handshake failed:.*(?:EOF|closed|reset)"),
        "the broker ends the handshake, as one does that speaks no TLS on that port",
        _OTHER_WAY,
    ),
    (
        re.compile(r"DNS lookup failed for ([^\s,]+)"),
        "`{}` cannot be resolved (DNS)",
        _NAMED,
    ),
    (re.compile(r'Unable connect to "([^"]+):\d+": \[Errno -\d+\]'), "`{}` cannot be resolved (DNS)", _NAMED),
    (
        re.compile(r"ECONNREFUSED|\[Errno 111\]"),
        "nothing listens there",
        "see that it runs, and the port in GATE61_KAFKA",
    ),
)
"""What logs tell, the surest first; what it means; what to do."""
_ENDED = "socket disconnected"
_MET = (
    "the broker ends the connection, as it does where authentication fails",
    f"see {_SECRETS}, then GATE61_KAFKA_SECURITY",
)
_UNKNOWN = "see that it runs, GATE61_KAFKA and the rights of its user"
RUNS = "see that it runs, and GATE61_KAFKA"
"""What to do where nothing more is known of why Kafka does not answer."""
_UNREACHED = frozenset(
    ("KafkaConnectionError", "KafkaTimeoutError", "NodeNotReadyError", "RequestTimedOutError", "TimeoutError")
)
"""Errors of both libraries that say of nobody why he was not reached."""
_LATELY = 60.0
"""Seconds for which what was overheard is why."""


class Overheard(logging.Handler):
    """Why nobody could be spoken to. The libraries only log that; their exceptions say that it took too long."""

    def __init__(self) -> None:
        super().__init__()
        self._why: dict[int, tuple[str, str, float]] = {}
        """What is wrong, what to do, and when it was heard last, by how sure that is."""
        self._ended = False
        """Whether a broker ended a connection. kafka-python often reads that before it reads the reason, and loses it."""
        for name in ("kafka", "aiokafka"):
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the latest reason of each kind."""
        message = record.getMessage()
        for place, (pattern, meaning, do) in enumerate(_HEARD):
            found = pattern.search(message)
            if found:
                self._why[place] = meaning.format(found[found.lastindex or 0].strip()[:200]), do, monotonic()
        self._ended = self._ended or _ENDED in message

    def found(self, error: Exception) -> tuple[str, str]:
        """What an error means, with the reason where one was overheard, or is likely; and what to do."""
        return self._lately() or (_MET if self._ended else (str(error), _UNKNOWN))

    def why(self, error: BaseException) -> tuple[str, str]:
        """The same for who goes on trying: only what was heard lately counts, and only of who could not be reached.

        What to do is empty for other errors.
        """
        if type(error).__name__ not in _UNREACHED:
            return said(error), ""
        return self._lately() or (said(error), RUNS)

    def _lately(self) -> tuple[str, str] | None:
        """The surest reason of the last minute."""
        since = monotonic() - _LATELY
        lately = {place: (what, do) for place, (what, do, at) in self._why.copy().items() if at > since}
        return lately[min(lately)] if lately else None

    def said(self, error: Exception) -> str:
        """The same in one line."""
        return "; ".join(self.found(error))
