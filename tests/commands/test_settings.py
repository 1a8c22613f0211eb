"""Settings are complained about all at once, and say no secret."""

from pathlib import Path

import pytest

from streams.settings import SettingsRefused, settings

GOOD = {"GATE61_KAFKA": "kafka-1:9092, kafka-2:9092", "GATE61_REDIS": "redis://127.0.0.1:6379/0"}


def test_brokers_and_redis_are_enough() -> None:
    """All else has a default."""
    found = settings(GOOD)
    assert found.kafka.servers == ("kafka-1:9092", "kafka-2:9092")
    assert (found.partitions, found.group, found.health) == (48, "gate61", ("127.0.0.1", 6061))


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Each with what to do."""
    wrong = {
        "GATE61_KAFKA": "kafka",
        "GATE61_KAFKA_SECURITY": "SASL_SSL",
        "GATE61_KAFKA_PASSWORD_FILE": str(tmp_path / "none"),
        "GATE61_KAFKA_CA": str(tmp_path / "none"),
        "GATE61_REDIS": "localhost",
        "GATE61_POLICY": str(tmp_path / "none"),
        "GATE61_PREFIX": "a b",
        "GATE61_PARTITIONS": "0",
        "GATE61_HEALTH": "0.0.0.0:80",
    }
    with pytest.raises(SettingsRefused) as refused:
        settings(wrong)
    said = "\n".join(refused.value.complaints)
    for name in (*wrong.keys() - {"GATE61_KAFKA_SECURITY"}, "GATE61_KAFKA_USER"):
        assert name in said, name
    assert "loopback" in said


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither of Kafka nor of Redis, whatever prints the settings."""
    secret = tmp_path / "password"
    secret.write_text("hush\n")
    given = GOOD | {
        "GATE61_REDIS": "redis://:quiet@127.0.0.1:6379/0",
        "GATE61_KAFKA_SECURITY": "SASL_SSL",
        "GATE61_KAFKA_USER": "gate",
        "GATE61_KAFKA_PASSWORD_FILE": str(secret),
    }
    found = settings(given)
    assert found.kafka.password == "hush"
    assert "hush" not in repr(found) + repr(found.kafka) and "quiet" not in repr(found)
