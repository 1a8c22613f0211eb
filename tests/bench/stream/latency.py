"""How long from an offer's publishing until its answer is read, at a steady rate."""

import asyncio
import gc
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.kafka.record import partition_of
from tests.bench.load import START, mixed, register
from tests.bench.stream.drain import Backlog, TooFew, run_of
from tests.bench.stream.ground import Ground, producer
from tests.bench.stream.rivals import Rival, Run, answered
from tests.runtime.gate import CONTENT_TYPE
from tests.runtime.process import Process

COMMIT_SECONDS = 0.1
WARM_CLIENTS = 2_000
SETTLE_SECONDS = 5
"""At the steady rate before anything is counted."""
PATIENCE_SECONDS = 20
_OFFER = b'"type": "gate61.offer.proposed.v1"'


class Latency(NamedTuple):
    """Of one rival at one rate, in milliseconds."""

    rival: str
    rate: int
    answers: int
    p50: float
    p99: float
    most: float


class Timed(NamedTuple):
    """An event to publish when its time comes."""

    id: str
    partition: int
    key: bytes
    before: bytes
    after: bytes
    """The value, with its time left out between the two."""
    offer: bool


def measure(ground: Ground, rival: Rival, rate: int, seconds: float) -> Latency:
    """Warm the rival up on a backlog, then publish at the rate and read its answers."""
    prefix = f"l{ground.next()}-"
    names = ground.fresh(prefix)
    events = int(rate * (SETTLE_SECONDS + seconds))
    lines = mixed(WARM_CLIENTS + events // 10 + 1, seed=62, shift=month_until_now())
    ground.publish(register(), islice(lines, WARM_CLIENTS * 10), names)
    backlog = Backlog(prefix, names.actions.name, WARM_CLIENTS * 10, 0, WARM_CLIENTS)
    timed = [_timed(line, ground.partitions) for line in islice(lines, events)]
    run = run_of(ground, rival, backlog, COMMIT_SECONDS)
    child = rival.start(run)
    try:
        _warmed(ground, run, child)
        taken = asyncio.run(_stream(ground, rival, run, timed, rate))
    finally:
        child.stop(5)
        ground.remove([n.name for n in names])
    return Latency(rival.name, rate, len(taken), _share(taken, 0.5), _share(taken, 0.99), taken[-1])


def month_until_now() -> timedelta:
    """Moves the load's month so that it ends now: nothing lies in the future."""
    return datetime.now(UTC) - START - timedelta(days=27)


def _warmed(ground: Ground, run: Run, child: Process) -> None:
    """Wait until answers have come and no more come."""
    begun = moved = time.monotonic()
    last = 0
    while not last or time.monotonic() - moved < 2:
        time.sleep(0.2)
        done = sum(ground.ends(run.output).values())
        if done != last:
            last, moved = done, time.monotonic()
        if not child.alive or time.monotonic() - begun > 90:
            raise TooFew(f"{child.log.stem} did not warm up:\n{child.said()[-3000:]}")


def _timed(line: str, partitions: int) -> Timed:
    value = line.encode()
    id, subject, time_ = (
        value.split(b'"%s": "' % name, 1)[1].split(b'"', 1)[0] for name in (b"id", b"subject", b"time")
    )
    before, after = value.split(time_, 1)
    return Timed(id.decode(), partition_of(subject, partitions), subject, before, after, _OFFER in value)


async def _stream(ground: Ground, rival: Rival, run: Run, timed: Sequence[Timed], rate: int) -> list[float]:
    """Milliseconds from publishing to the answer, sorted."""
    due: dict[str, float] = {}
    read: dict[str, float] = {}
    wanted = {t.id for t in timed[rate * SETTLE_SECONDS :] if t.offer}
    gc.disable()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=run.kafka, enable_auto_commit=False, isolation_level="read_committed", fetch_max_wait_ms=10
    )
    try:
        async with consumer, producer(run.kafka) as out:
            consumer.assign([TopicPartition(run.output, p) for p in range(run.partitions)])
            await consumer.seek_to_end()
            reading = asyncio.create_task(_read(consumer, rival, read))
            await _publish(out, run.input, timed, rate, due)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not wanted <= read.keys() and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
            reading.cancel()
    finally:
        gc.enable()
    missing = len(wanted - read.keys())
    if missing:
        raise TooFew(f"{rival.title} left {missing} of {len(wanted)} offers unanswered at {rate} events a second")
    return sorted((read[id] - due[id]) * 1000 for id in wanted)


async def _publish(out: AIOKafkaProducer, topic: str, timed: Sequence[Timed], rate: int, due: dict[str, float]) -> None:
    """Each event at its moment; one that comes late counts from when it should have gone."""
    begun = time.time() + 0.1
    for n, event in enumerate(timed):
        moment = begun + n / rate
        wait = moment - time.time()
        if wait > 0:
            await asyncio.sleep(wait)
        due[event.id] = moment
        now = datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z").encode()
        value = event.before + now + event.after
        await out.send(topic, value, event.key, partition=event.partition, headers=[CONTENT_TYPE])


async def _read(consumer: AIOKafkaConsumer, rival: Rival, read: dict[str, float]) -> None:
    while True:
        found = await consumer.getmany(timeout_ms=1000)
        now = time.time()
        for records in found.values():
            for record in records:
                read.setdefault(answered(rival, record.value), now)


def _share(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]
