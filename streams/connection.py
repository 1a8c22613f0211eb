"""How Kafka's clients connect: kafka-python and aiokafka call these settings by the same names."""

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
