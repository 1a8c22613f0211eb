"""`gate61 policy`: what a file changes, in the words and units of the file; what is put in force."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from streams.commands.policy import publish
from streams.policy_file import DEFAULT
from tests.commands.program import run


def changed(path: Path, *changes: tuple[str, str]) -> Path:
    """The default policy with other text in it."""
    text = DEFAULT.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)
    return path


def test_changes_are_said_as_the_file_has_them(tmp_path: Path) -> None:
    """Units of the keys, and of lists what is more or less."""
    strict = (
        ('version = "2026-11-21"', 'version = "strict"'),
        ("soft_hours = 24", "soft_hours = 1"),
        ("tolerance_seconds = 60", "tolerance_seconds = 30"),
        ('"calls", "group",', '"calls", "group", "fax",'),
        ("AT = 2024-12-30", "AT = 2025-01-01"),
    )
    done = run("policy", "check", changed(tmp_path / "strict.toml", *strict))
    lines = [line.strip() for line in done.stdout.decode().splitlines()[1:]]
    assert lines == [
        "against the default:",
        "version: 2026-11-21 -> strict",
        "window.soft_hours: 24 -> 1",
        "clock.tolerance_seconds: 60 -> 30",
        "evidence.required_channels: with fax",
        "countries: with AT = 2025-01-01; without AT = 2024-12-30",
    ]
    assert done.returncode == 0
    assert done.stderr.startswith(
        b"gate61: AT: not in scope, or later than by the default policy; every offer to clients"
    )


def test_a_version_that_says_two_things_is_warned_of(tmp_path: Path) -> None:
    """Answers name the version they were given by."""
    done = run("policy", "check", changed(tmp_path / "same.toml", ("soft_hours = 24", "soft_hours = 1")))
    assert done.returncode == 0 and b"give this one a version of its own" in done.stderr
    assert b"the same as the default" in run("policy", "check", DEFAULT).stdout


def test_what_is_put_in_force_is_what_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody saves the file while the topic is still being read."""
    file, checked, sent = tmp_path / "mine.toml", DEFAULT.read_bytes(), []
    file.write_bytes(checked)

    @contextmanager
    def slowly(_: object) -> Iterator[None]:
        file.write_text("version = 3")
        yield

    class Producer:
        def __init__(self, **_: object) -> None: ...

        def send(self, topic: str, value: bytes, partition: int) -> SimpleNamespace:
            sent.append(value)
            return SimpleNamespace(get=lambda timeout: SimpleNamespace(offset=0))

        def close(self) -> None: ...

    monkeypatch.setenv("GATE61_KAFKA", "127.0.0.1:1")
    monkeypatch.setattr("streams.commands.policy.reading_kafka", slowly)
    monkeypatch.setattr("streams.kafka.reading.extent", lambda *_: None)
    monkeypatch.setattr("streams.kafka.reading.records", lambda *_: [])
    monkeypatch.setattr("kafka.KafkaProducer", Producer)
    publish(file)
    assert sent == [checked]
