"""Kafka that does not answer a worker, refuses it or lacks topics: it is said, once, and ended only where that helps."""

import logging
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from streams.kafka import connection
from streams.settings import settings
from streams.worker.here import Here
from streams.worker.service import Gatekeeper
from tests.worker.keeper import Brokers, Clock, Keeper


async def test_kafka_that_is_away_is_said_once_and_makes_the_worker_unready(
    keeper: Keeper, brokers: Brokers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its clients wait without an error; a platform would wait for answers of a worker that says it is well."""
    for _ in range(3):
        await keeper.reach()
    assert "Kafka at 127.0.0.1:1 has not answered for 0 s (KafkaConnectionError: no broker);" in keeper.trouble()[0]
    brokers.there = True
    await keeper.reach()
    await keeper.reach()
    said = capsys.readouterr().out
    assert keeper.trouble() == [] and said.count("does not answer") == said.count("answers again") == 1


async def test_topics_that_are_missing_are_named_once(
    keeper: Keeper, brokers: Brokers, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do; the one that `gate61 doctor` alone needs is none of them."""
    brokers.there, brokers.lacking = True, ["gate61.policy.v1", "gate61.notices.v1"]
    await keeper.reach()
    await keeper.reach()
    what = (
        "topics are missing: gate61.policy.v1, gate61.notices.v1; make them with `gate61 topics apply`, or give the user of "
        "GATE61_KAFKA the right to see them (DESCRIBE)"
    )
    assert keeper.trouble() == [what] and capsys.readouterr().out.count(what) == 1
    brokers.lacking = [keeper._names.clock.name]
    await keeper.reach()
    assert keeper.trouble() == [] and "no topics are missing any more" in capsys.readouterr().out


SIGNED_OUT = (
    'Unable connect to "k:1": [Error 58] SaslAuthenticationFailed: Authentication failed during authentication due to invalid '
    "credentials with SASL mechanism SCRAM-SHA-512"
)


@pytest.mark.parametrize(
    ("line", "why", "do"),
    [
        (SIGNED_OUT, "Authentication failed during", "GATE61_KAFKA_PASSWORD_FILE"),
        (
            'Unable connect to "k:1": [Errno 111] Connect call failed',
            "nothing listens there",
            "the port in GATE61_KAFKA",
        ),
        (
            'Unable connect to "k:1": [Errno -2] Name or service not known',
            "`k` cannot be resolved (DNS)",
            "DNS know it",
        ),
    ],
)
def test_why_kafka_is_not_reached_is_said_by_who_goes_on_trying(
    monkeypatch: pytest.MonkeyPatch, line: str, why: str, do: str
) -> None:
    """Its clients log the reason alone, and raise that nobody was reached; what was heard long ago is no reason now."""
    clock = [0.0]
    monkeypatch.setattr("streams.kafka.connection.monotonic", lambda: clock[0])
    world = Here("redis://h")
    silent = KafkaConnectionError("Unable to bootstrap from [('k', 1, 2)]")
    assert world.said(silent).endswith("; see that it runs, and GATE61_KAFKA")
    logging.getLogger("aiokafka.conn").error(line)
    said = world.said(silent)
    assert said.startswith(why) and do in said and "bootstrap" not in said
    assert world.said(TopicAuthorizationFailedError("t")).startswith("[Error 29] TopicAuthorizationFailedError")
    clock[0] = 61
    assert "bootstrap" in world.said(silent)


async def test_why_kafka_went_away_is_said_also_where_it_is_known_only_later(keeper: Keeper, brokers: Brokers) -> None:
    """Who is connected hears nothing of a password that was changed, until he must connect again."""
    assert not brokers.there
    await keeper.reach()
    logging.getLogger("aiokafka").warning(SIGNED_OUT)
    await keeper.reach()
    assert "(Authentication failed during" in keeper.trouble()[0] and "GATE61_KAFKA_USER" in keeper.trouble()[0]


def test_who_connects_anew_signs_in_with_the_password_that_the_file_has_now(tmp_path: Path) -> None:
    """Or with the one that it had, where it cannot be read just then."""
    file = tmp_path / "password"
    file.write_text("old\n")
    given = {"SECURITY": "SASL_PLAINTEXT", "MECHANISM": "PLAIN", "USER": "gate", "PASSWORD_FILE": str(file)}
    found = settings(
        {"GATE61_KAFKA": "k:1", **{f"GATE61_KAFKA_{name}": value for name, value in given.items()}}, redis=False
    )
    assert connection.connection(found.kafka)["sasl_plain_password"] == "old"
    file.write_text("new\n")
    assert connection.connection(found.kafka)["sasl_plain_password"] == "new"
    file.unlink()
    assert connection.connection(found.kafka)["sasl_plain_password"] == "old"


@pytest.mark.parametrize("which", range(4))
async def test_who_knows_only_brokers_that_are_gone_ends_when_kafka_answers_others(
    keeper: Keeper,
    brokers: Brokers,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    which: int,
) -> None:
    """Kafka's clients never come back to the addresses that they were given; whoever starts it again lets them."""
    answers, asked, ended = [False], 0, list[int]()
    brokers.there, brokers.unheard = True, keeper.clients[which]
    monkeypatch.setattr("signal.raise_signal", ended.append)
    monkeypatch.setattr(Gatekeeper, "refused", False)

    async def answers_anew(*_: object) -> bool:
        nonlocal asked
        asked += 1
        return answers[0]

    monkeypatch.setattr("streams.worker.kafka.answers_anew", answers_anew)
    for clock.seconds in (0, 30, 59):
        await keeper.reach()
    assert asked == 0 and keeper.trouble()
    for clock.seconds in (61, 3600):  # Nobody hears Kafka: another process would not either.
        await keeper.reach()
    assert asked == 2 and not ended
    answers[0] = True
    await keeper.reach()
    assert len(ended) == 1 and keeper.refused
    assert capsys.readouterr().out.count("Kafka answers new connections but not this worker") == 1


async def test_inputs_are_not_asked_for_while_kafka_is_known_to_be_away(
    keeper: Keeper, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def meet_inputs() -> None:
        nonlocal asked
        asked += 1

    monkeypatch.setattr(keeper, "_meet_inputs", meet_inputs)
    for brokers.there in (False, True):
        await keeper.reach()
        await keeper.look_after_inputs()
    assert asked == 1


async def test_who_stops_in_order_says_so_and_complains_of_nobody(
    keeper: Keeper, brokers: Brokers, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends its clients, and looks whether they hear Kafka until it is over."""
    keeper._stopped.set()
    await keeper.on_stop()
    await keeper.reach()
    assert capsys.readouterr().out.strip().endswith("stopped") and keeper.trouble() == []


def test_why_the_register_cannot_be_read_is_said_while_that_lasts(keeper: Keeper, clock: Clock) -> None:
    """Kafka refuses it: not when that passes at once, and no longer once it is read again."""
    why = connection.said(TopicAuthorizationFailedError("gate61.register.v1"))
    for seconds, refused, told in (
        (0, 1, 0),
        (4, 1, 0),
        (6, 1, 1),
        (12, 0, 1),
        (17, 0, 0),
        (40, 1, 0),
        (44, 1, 0),
        (45, 1, 1),
    ):
        clock.seconds = seconds
        if refused:
            keeper._cannot_follow(why)
        assert len(keeper.trouble()) == told, seconds
        assert not told or "give the user of GATE61_KAFKA the right" in keeper.trouble()[0]
