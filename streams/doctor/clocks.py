"""Whether this machine, the broker and Redis agree on what time it is.

An event's own time is checked against the broker's time of appending (contract section 1), and windows close by the
clock of the worker's machine: where clocks differ, honest events are rejected or windows close early or late.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from kafka import KafkaProducer
from redis import Redis

from gate.policy import Policy
from state.finding import Finding, Level
from streams.kafka.administration import SECONDS, Planned
from streams.kafka.connection import connection, opened
from streams.kafka.topics import topics
from streams.policy_file import load
from streams.settings import Settings
from streams.web.clock import ONE_SOURCE, ahead

NOTICED = 1.0
"""Seconds from which a difference is told."""
Clock = Callable[[], float]


def of_broker(
    settings: Settings, planned: Sequence[Planned], own: Policy | None, now: Clock = time.time
) -> Iterator[Finding]:
    """By the append time of a record of our own."""
    name = topics(settings.prefix).clock.name
    if any(p.found is None for p in planned if p.topic.name == name):
        return  # That it is missing has been told.
    limit = SECONDS * 1_000
    producer = opened(
        KafkaProducer,
        **connection(settings.kafka),
        max_block_ms=limit,
        request_timeout_ms=limit,
        allow_auto_create_topics=False,
    )
    try:
        producer.send(name, b"", partition=0).get(SECONDS)  # The first one also connects.
        before = now()
        told = producer.send(name, b"", partition=0).get(SECONDS).timestamp / 1000
        yield _finding("Kafka", before, told, now(), own)
    finally:
        producer.close(SECONDS)


def of_redis(client: Redis, own: Policy | None, now: Clock = time.time) -> Finding:
    """By asking for it."""
    client.time()  # The first one also connects.
    before = now()
    seconds, micros = client.time()
    return _finding("Redis", before, seconds + micros / 1e6, now(), own)


def _finding(whose: str, before: float, told: float, after: float, own: Policy | None) -> Finding:
    apart = abs(ahead(before, told, after))
    tolerance = (own or load()).clock_tolerance / 1e6
    way = "behind" if told < before else "ahead of"
    if apart < min(NOTICED, tolerance):
        return Finding("clock", Level.OK, f"{whose} agrees with this machine")
    said = f"the clock of {whose} is {apart:.1f} s {way} this machine"
    if apart >= tolerance:
        return Finding("clock", Level.WRONG, f"{said}; the policy tolerates {tolerance:g} s", ONE_SOURCE)
    return Finding("clock", Level.WARN, said, ONE_SOURCE)
