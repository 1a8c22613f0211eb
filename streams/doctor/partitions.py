"""Whether the state that Redis holds belongs to the logs that Kafka holds."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing, suppress
from time import monotonic

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from redis import Redis

from gate.policy import MILLISECOND
from state.finding import Finding, Level
from state.notes import BETWEEN, LOOKED
from state.redis.errors import unnamed
from state.redis.look import BESIDE, Look, StateLost, as_number, look, looked_to, tag
from state.redis.servers import Servers, server_of
from streams.kafka.administration import Found, Planned
from streams.kafka.connection import said
from streams.kafka.reading import reader
from streams.kafka.topics import Topic, topics
from streams.logs.lost import GIVE_BACK_THE_RULES
from streams.logs.merge import Log
from streams.settings import Settings
from streams.worker.applied import OF_RULES, is_other
from streams.worker.belonging import ONE_KAFKA, OtherKafka, OtherPartitions, same_kafka, same_spread
from streams.worker.progress import Came, applied_last, unfinished, unreadable

MOST_PARTITIONS = 10_000
LOOK_SECONDS = 5.0
"""What one record gets to come that is there."""
SHOWN = 3
"""Partitions that a finding names."""

Bounds = Mapping[int, tuple[int, int]]
Ask = Callable[[list[str]], Mapping[str, Found]]
"""Those of these topics that exist, as they are now."""


def state(
    redis: Redis | Servers, settings: Settings, planned: Sequence[Planned], kafka: str = "", ask: Ask | None = None
) -> Iterator[Finding]:
    """By partition: what must be read next is still, or soon, to be had. Raises `KafkaError` where `ask` does.

    `kafka` is the id of the cluster that was asked for `planned`; empty if it is not known. `ask` is asked once the state is
    known: a worker may have read on since `planned`, and no state is ahead of where its logs end later.
    """
    names = topics(settings.prefix)
    found = {p.topic.name: p.found for p in planned}
    actions = found.get(names.actions.name)
    if actions is None:
        return  # That the topic is missing, or cannot be asked, has been told.
    tags = {n: tag(f"{names.actions.name}:{n}") for n in range(actions.partitions)}
    stored = {n: look(server_of(redis, at), at) for n, at in tags.items()}
    to_act = {n: s.next for n, s in stored.items()}
    to_greet = {n: _readable(s, BETWEEN) for n, s in stored.items()}
    if ask is not None:
        found |= ask([names.actions.name, names.between.name])
    actions, between = found[names.actions.name] or actions, found.get(names.between.name)
    wrong = [
        *_outside(names.actions, to_act, actions.bounds),
        *_outside(names.between, to_greet, between.bounds if between else {}),
        *_lost(stored, actions.partitions),
        *_spread(stored, actions.partitions),
        *_foreign(stored, kafka),
        *_elsewhere(redis, names.actions.name, actions.partitions),
        *_by_other_rules(settings, {name for name, there in found.items() if there}, stored),
    ]
    yield from wrong
    yield from _half_made(stored)
    yield from _compared([n for n, at in tags.items() if server_of(redis, at).exists(f"{at}{BESIDE}meta")])
    yield from _never_anew(names.actions, to_act, actions.bounds)
    yield from _never_anew(names.between, to_greet, between.bounds if between else {})
    if not wrong:
        known = [n for n, next_ in to_act.items() if next_ is not None]
        looked = {n: looked_to(s.next, _readable(s, LOOKED)) or 0 for n, s in stored.items()}
        behind = sum(end - max(first, looked[n]) for n, (first, end) in actions.bounds.items())
        said = f"{len(known)} of {actions.partitions} partitions have state; {behind} records are to be read"
        yield Finding("state", Level.OK, said)


def _readable(found: Look, name: str) -> int | None:
    with suppress(StateLost):  # That is told of the partition.
        return as_number("", name, found.noted(name))
    return None


def _outside(topic: Topic, stored: Mapping[int, int | None], bounds: Bounds) -> Iterator[Finding]:
    """Partitions whose next record the topic does not have, nor will have."""
    beyond, before, unread = [], [], []
    for number, (first, end) in bounds.items():
        next_ = stored.get(number)
        if next_ is None and first > 0:
            unread.append(f"{number} (begins at {first})")
        elif next_ is not None and next_ > end:
            beyond.append(f"{number} (next {next_}, ends at {end})")
        elif next_ is not None and next_ < first:
            before.append(f"{number} (next {next_}, begins at {first})")
    if beyond:
        yield _wrong(
            f"state has read further than `{topic.name}` goes, in partition {_few(beyond)}: the topic was made anew or "
            "lost its end",
            "give this state back the topic it was made from, or make the state anew: `gate61 rebuild`",
        )
    if before:
        yield _wrong(
            f"records of `{topic.name}` were deleted before they were read, in partition {_few(before)}",
            "give the topic back its log from a copy, or start anew under another GATE61_PREFIX and publish again; keep the "
            "topic for good (`gate61 topics apply`)",
        )
    if unread:
        yield _wrong(
            f"`{topic.name}` has lost its first records, and nothing was kept of them, in partition {_few(unread)}",
            "restore the state that was made from them, or start anew under another GATE61_PREFIX and publish again",
        )


def _never_anew(topic: Topic, stored: Mapping[int, int | None], bounds: Bounds) -> Iterator[Finding]:
    """Partitions whose records were deleted after they were read: only their state still knows of them."""
    begun = [f"{n} (begins at {first})" for n, (first, _) in bounds.items() if 0 < first <= (stored.get(n) or 0)]
    if begun:
        yield Finding(
            "state",
            Level.WARN,
            f"records of `{topic.name}` from which state was made were deleted, in partition {_few(begun)}: that state can "
            "never be made anew",
            "keep copies of Redis' files, or give the topic back its log from a copy; keep the topic for good (`gate61 topics "
            "apply`)",
        )


def _lost(stored: Mapping[int, Look], partitions: int) -> Iterator[Finding]:
    """Partitions that a worker would not go on with, by what it asks itself."""
    lost = [
        f"{number} ({why})" for number, found in stored.items() if (why := found.lost or unreadable(found, partitions))
    ]
    if lost:
        yield _wrong(
            f"state is not whole, in partition {_few(lost)}: something else than the gate changed it",
            "make the state anew: `gate61 rebuild`, and keep others and eviction away from this Redis",
        )


def _half_made(stored: Mapping[int, Look]) -> Iterator[Finding]:
    """Partitions whose state somebody began to make anew and left, or is making now."""
    goals = {number: unfinished(found) for number, found in stored.items()}
    half = [
        f"{number} ({stored[number].next or 0} of {goal.actions} events)"
        for number, goal in goals.items()
        if goal is not None
    ]
    if half:
        yield Finding(
            "state",
            Level.WARN,
            f"state is made anew and not finished, in partition {_few(half)}",
            "let `gate61 rebuild` come to its end, or run it again; a worker goes on from there, too, and says the rest again",
        )


def _compared(numbers: Sequence[int]) -> Iterator[Finding]:
    """Partitions of which a second state is there: somebody compares it now, or was killed while he did."""
    if numbers:
        yield Finding(
            "state",
            Level.WARN,
            f"a second state, made to be compared with the first, takes Redis' memory, in partition {_few([*map(str, numbers)])}",
            "if no `gate61 rebuild --check` is running, one was killed: run it again, it removes what it made",
        )


def _spread(stored: Mapping[int, Look], partitions: int) -> Iterator[Finding]:
    try:
        same_spread(stored.values(), partitions)
    except OtherPartitions as error:
        what, _, do = str(error).partition(". ")
        yield _wrong(what, do)


def _foreign(stored: Mapping[int, Look], kafka: str) -> Iterator[Finding]:
    try:
        same_kafka(stored.values(), kafka)
    except OtherKafka as error:
        yield _wrong(f"state {error.what}", ONE_KAFKA)


def _by_other_rules(settings: Settings, there: Set[str], stored: Mapping[int, Look]) -> Iterator[Finding]:
    """Partitions whose state was made by other policies, or by another register, than these topics hold, if they are there."""
    names = topics(settings.prefix)
    of = zip(OF_RULES, (names.policy, names.register), strict=True)
    asked = [(topic, applied) for log, topic in of if topic.name in there and (applied := _applied(stored, log))]
    if not asked:
        return
    try:
        with closing(reader(settings.kafka)) as consumer:
            for topic, applied in asked:
                yield from _by_another(consumer, topic, applied)
    except KafkaError as error:
        yield _wrong(f"by which register and policies it was made cannot be looked at: {said(error)}", "see to Kafka")


def _applied(stored: Mapping[int, Look], log: Log) -> Mapping[int, tuple[int, Came]]:
    """By partition what was applied last of a log, and the offset behind it; of none of which nothing was, or is known."""
    found = {}
    for number, kept in stored.items():
        with suppress(StateLost):  # That is told of the partition.
            next_, came = applied_last(kept, log)
            if next_:
                found[number] = next_, came
    return found


def _by_another(consumer: KafkaConsumer, topic: Topic, applied: Mapping[int, tuple[int, Came]]) -> Iterator[Finding]:
    place = TopicPartition(topic.name, 0)
    consumer.assign([place])
    end = consumer.end_offsets([place])[place]
    beyond = [f"{number} (applied to {next_}, ends at {end})" for number, (next_, _) in applied.items() if next_ > end]
    if beyond:
        yield _wrong(
            f"state was made by more than `{topic.name}` holds, in partition {_few(beyond)}: the topic was made anew or lost "
            "its end",
            GIVE_BACK_THE_RULES,
        )
    first = consumer.beginning_offsets([place])[place]
    ends = sorted({next_ for next_, _ in applied.values() if first < next_ <= end})
    records = {next_: _record(consumer, place, next_ - 1) for next_ in ends}
    others = [
        f"{number} (at offset {next_ - 1})"
        for number, (next_, came) in applied.items()
        if next_ in records and is_other(next_, came, records[next_])
    ]
    if others:
        yield _wrong(
            f"`{topic.name}` holds another record than was applied from there, in partition {_few(others)}: the topic was made "
            "anew, or lost its end and has grown since",
            GIVE_BACK_THE_RULES,
        )


def _record(consumer: KafkaConsumer, place: TopicPartition, offset: int) -> Came | None:
    """The record at that offset; None where none is. Raises `KafkaError` where it does not come."""
    consumer.seek(place, offset)
    deadline = monotonic() + LOOK_SECONDS
    while monotonic() < deadline:
        for record in consumer.poll(500, max_records=1).get(place, ()):
            return Came(record.timestamp * MILLISECOND, record.leader_epoch) if record.offset == offset else None
    raise KafkaTimeoutError(f"nothing came of `{place.topic}` from offset {offset} on")


def _elsewhere(redis: Redis | Servers, topic: str, partitions: int) -> Iterator[Finding]:
    """State of partitions that the topic does not have."""
    asked: dict[Redis, list[int]] = {}
    for number in range(partitions, MOST_PARTITIONS):
        asked.setdefault(server_of(redis, tag(f"{topic}:{number}")), []).append(number)
    there = [number for server, numbers in asked.items() for number in _begun(server, topic, numbers)]
    more = [str(number) for number in sorted(there)]
    if more:
        yield _wrong(
            f"there is state of partition {_few(more)}, and `{topic}` has {partitions}: clients moved to other partitions",
            "make the topic anew with as many partitions as its state was made with, or start under another prefix",
        )


def _begun(server: Redis, topic: str, numbers: Sequence[int]) -> Iterator[int]:
    """Of these partitions those that there is state of."""
    pipe = server.pipeline(transaction=False)
    for number in numbers:
        pipe.exists(f"{tag(f'{topic}:{number}')}meta")
    with unnamed():
        found = pipe.execute()
    yield from (number for number, there in zip(numbers, found, strict=True) if there)


def _few(partitions: Sequence[str]) -> str:
    more = len(partitions) - SHOWN
    return ", ".join(partitions[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _wrong(what: str, do: str) -> Finding:
    return Finding("state", Level.WRONG, what, do)
