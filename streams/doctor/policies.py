"""The policy of this machine, and the one that is in force for all workers."""

from collections.abc import Generator, Iterator, Sequence
from time import monotonic

from kafka import KafkaConsumer, TopicPartition

from gate.policy import Policy
from state.finding import Finding, Level
from streams.administration import Planned
from streams.codecs import unpack_every_codec
from streams.connection import connection
from streams.policy_file import PUT_IN_FORCE, PolicyRefused, load, not_in_force, parse
from streams.settings import Settings
from streams.topics import topics

SECONDS = 10.0
"""How long reading the policy topic may take."""
_PUBLISH = "publish a corrected one: `gate61 policy publish FILE`"


def own(settings: Settings) -> Generator[Finding, None, Policy | None]:
    """Whether the policy of GATE61_POLICY, or the default, may be used; None if not."""
    try:
        policy = load(settings.policy)
    except PolicyRefused as refused:
        name = f"`{settings.policy or 'default'}`"
        yield from (Finding("policy", Level.WRONG, f"{name} {c}", "mend the file") for c in refused.complaints)
        return None
    yield Finding("policy", Level.OK, f"version {policy.version}, digest {policy.digest}")
    return policy


def in_force(settings: Settings, planned: Sequence[Planned], own: Policy | None) -> Iterator[Finding]:
    """Whether the last published policy may be used, and is the one that this machine was told to use."""
    name = topics(settings.prefix).policy.name
    found = next(p.found for p in planned if p.topic.name == name)
    first, end = found.bounds[0] if found else (0, 0)
    published = _read(settings, name, first, end)
    if not published:
        yield Finding("policy", Level.OK, "none published yet; the first worker publishes its own")
        return
    offset, text = published[-1]
    try:
        last = parse(text, f"at offset {offset}")
    except PolicyRefused as refused:
        said = f"the policy published last (offset {offset}) is refused, and the one before it is still in force: "
        yield Finding("policy", Level.WRONG, said + "; ".join(refused.complaints), _PUBLISH)
        return
    if settings.policy and own and own.digest != last.digest:
        said = f"{not_in_force(own, last)}: a worker refuses to start"
        yield Finding("policy", Level.WRONG, said, PUT_IN_FORCE)
    else:
        yield Finding("policy", Level.OK, f"in force is version {last.version}, digest {last.digest}")


def _read(settings: Settings, topic: str, first: int, end: int) -> list[tuple[int, bytes]]:
    """Offset and value of the last records; markers of transactions are none, so some more are looked at."""
    if first == end:
        return []
    place, found = TopicPartition(topic, 0), []
    unpack_every_codec()
    consumer = KafkaConsumer(**connection(settings.kafka), enable_auto_commit=False, allow_auto_create_topics=False)
    try:
        consumer.assign([place])
        consumer.seek(place, max(first, end - 20))
        until = monotonic() + SECONDS
        while consumer.position(place) < end and monotonic() < until:
            found += [(r.offset, r.value or b"") for r in consumer.poll(500).get(place, ())]
    finally:
        consumer.close(autocommit=False)
    return found
