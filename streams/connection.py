"""How Kafka's clients connect: kafka-python and aiokafka call these settings by the same names."""

import asyncio
import logging
import re
from functools import partial
from ssl import create_default_context
from typing import Any

from streams.settings import Kafka


def connection(kafka: Kafka) -> dict[str, Any]:
    """The keywords for any client of these brokers."""
    found: dict[str, Any] = {"bootstrap_servers": list(kafka.servers), "security_protocol": kafka.security}
    if kafka.security.endswith("SSL"):
        found["ssl_context"] = create_default_context(cafile=str(kafka.ca) if kafka.ca else None)
    if kafka.security.startswith("SASL"):
        found |= {"sasl_mechanism": kafka.mechanism, "sasl_plain_username": kafka.user}
        found["sasl_plain_password"] = kafka.password
    return found


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


def said(error: BaseException) -> str:
    """An error with its kind, which the libraries' own errors say by themselves."""
    kind, text = type(error).__name__, str(error)
    return text if kind in text else f"{kind}: {text}" if text else kind


_REFUSED = re.compile(r"(?i)authentication failed[^()]*|certificate verify failed[^()]*|wrong version number")
_ENDED = "socket disconnected"


class Overheard(logging.Handler):
    """Why nobody could be spoken to. The libraries only log that; their exceptions say that it took too long."""

    def __init__(self) -> None:
        super().__init__()
        self.why = ""
        self.ended = False
        """Whether a broker ended a connection. kafka-python often reads that before it reads the reason, and loses it."""
        for name in ("kafka", "aiokafka"):
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the latest reason."""
        message = record.getMessage()
        found = _REFUSED.search(message)
        if found:
            self.why = found[0].strip()[:200]
        self.ended = self.ended or _ENDED in message

    def said(self, error: Exception) -> str:
        """An error, with the reason where one was overheard, or is likely."""
        secrets = "GATE61_KAFKA_USER and GATE61_KAFKA_PASSWORD_FILE"
        where = "GATE61_KAFKA_SECURITY and GATE61_KAFKA_CA"
        if self.why:
            return f"{self.why}; see {secrets if 'uthentication' in self.why else where}"
        if self.ended:
            return f"the broker ends the connection, as it does where authentication fails; see {secrets}, then {where}"
        return str(error)
