"""Which policy is in force: the worker's own is put first on an empty topic, and never beside another one."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError
from kafka import TopicPartition
from msgspec import structs

from state.redis.look import Look
from streams.logs.lost import LogLost
from streams.logs.merge import Log
from streams.policy_file import DEFAULT
from streams.worker.publishing import Sender
from streams.worker.service import CannotStart
from tests.worker.keeper import Clock, Keeper


class Alone:
    """A producer that nobody else uses."""

    def __init__(self, publishes: bool = True, meanwhile: Callable[[list[bytes]], None] = lambda _: None) -> None:
        """`meanwhile` is what others do to the topic behind what is published."""
        self.publishes, self.stopped, self.meanwhile = publishes, False, meanwhile
        self.published: list[bytes] = []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True

    def create_batch(self) -> Any:
        held: list[bytes] = []

        def append(value: bytes, **_: object) -> list[bytes]:
            held.append(value)
            return held

        return SimpleNamespace(append=append, record_count=lambda: len(held), held=held)

    async def send_batch(self, batch: Any, topic: str, partition: int) -> "asyncio.Future[Any]":
        assert (topic, partition) == ("gate61.policy.v1", 0)
        if not self.publishes:
            raise KafkaConnectionError("none of it is kept")
        self.published += batch.held
        self.meanwhile(self.published)
        kept: asyncio.Future[Any] = asyncio.Future()
        kept.set_result(SimpleNamespace(offset=0))
        return kept


def _governed(policy: Path, asked: Callable[[], object], *producers: Alone) -> Keeper:
    """A service whose topic of policies is empty; `asked` is called when its end is asked for."""
    keeper, made = Keeper(Clock()), iter(producers)
    keeper.settings = structs.replace(Keeper.settings, policy=policy)

    async def end_offsets(places: list[TopicPartition]) -> dict[TopicPartition, int]:
        asked()
        there, followed = producers[-1].published, keeper._followed
        for offset in range(followed.read[Log.POLICY], len(there)):
            record = SimpleNamespace(topic="gate61.policy.v1", offset=offset, timestamp=offset, timestamp_type=1)
            record.value = there[offset]
            followed.add(Log.POLICY, record)
        return dict.fromkeys(places, len(there))

    keeper._asker = SimpleNamespace(end_offsets=end_offsets)
    keeper._sender = Sender(lambda: next(made))
    return keeper


async def test_a_first_policy_that_could_not_be_published_is_by_another_producer() -> None:
    """The one that failed has used up its numbers: whatever it sends there afterwards is refused, for good."""
    failing, next_ = Alone(publishes=False), Alone()
    keeper = _governed(DEFAULT, lambda: None, failing, next_)
    with pytest.raises(KafkaError):
        await keeper._govern()
    assert failing.stopped and next_.published == []
    await keeper._govern()
    assert next_.published == [DEFAULT.read_bytes()]


async def test_no_policy_is_put_first_where_there_is_state_that_was_made_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The topic was made anew, or lost what it held: offers would be answered by another policy, and nobody told."""
    only = Alone()
    keeper = _governed(DEFAULT, lambda: None, only)
    keeper._partitions = 2

    async def cluster(*_: object) -> str:
        return ""

    async def look(batch: int) -> None:
        store = SimpleNamespace(look=lambda: Look(None, batch, 0, {}, False, ""), noted=lambda _: None)
        keeper._store = lambda _: store  # type: ignore[assignment,method-assign,return-value]
        await keeper._meet_state()

    monkeypatch.setattr("streams.logs.brokers.cluster", cluster)
    await look(1)
    with pytest.raises(LogLost, match=r"gate61.policy.v1` holds no policy .* state of 2 partitions .* from a copy"):
        await keeper._govern()
    assert only.published == []
    await look(0)
    await keeper._govern()
    assert only.published == [DEFAULT.read_bytes()]


def _insert(place: int, theirs: bytes, topic: list[bytes]) -> None:
    """What the other one published, before or behind ours."""
    topic.insert(1 - place, theirs)


@pytest.mark.parametrize("place", [0, 1], ids=["came first", "came second"])
async def test_of_two_workers_that_begin_at_once_with_two_policies_one_refuses_whichever_came_first(
    place: int,
) -> None:
    """Each found the topic empty. With one policy both start."""
    own = DEFAULT.read_bytes()
    other = own.replace(b"soft_hours = 24", b"soft_hours = 23")
    assert other != own
    for theirs in (other, own):
        keeper = _governed(DEFAULT, lambda: None, Alone(meanwhile=partial(_insert, place, theirs)))
        if theirs == own:
            await keeper._govern()
        else:
            with pytest.raises(CannotStart, match=r"in force.*`gate61 policy publish FILE`"):
                await keeper._govern()
            keeper.settings = structs.replace(keeper.settings, policy=None)
            await keeper._govern()  # Who names no policy goes by the one that is in force.


async def test_a_policy_that_is_saved_while_the_worker_starts_is_not_put_in_force_unread(tmp_path: Path) -> None:
    """Published is what was looked at."""
    file, only = tmp_path / "mine.toml", Alone()
    file.write_bytes(DEFAULT.read_bytes())
    await _governed(file, lambda: file.write_text("version = 3"), only)._govern()
    assert only.published == [DEFAULT.read_bytes()] and file.read_text() == "version = 3"
