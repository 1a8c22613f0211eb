"""The policy of this machine, and the one that is in force for all workers."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

from gate.policy import Policy
from state.finding import Finding, Level
from streams.kafka.administration import Planned
from streams.kafka.reading import Extent, NotRead, extent, reader, records
from streams.kafka.topics import topics
from streams.policy_file import PUT_IN_FORCE, PolicyRefused, load, not_in_force, parse
from streams.settings import Settings

_PUBLISH = "publish a corrected one: `gate61 policy publish FILE`"
_LOOK = "see that its brokers run and have its records"
_HELD_BACK = "cannot be read to its end: somebody's transaction is open there, and all workers wait for it"


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
    """Whether the last published policy may be used, and the one in force is that which this machine was told to use."""
    name = topics(settings.prefix).policy.name
    found = next(p.found for p in planned if p.topic.name == name)
    if found is None:
        return  # That it is missing has been told.
    try:
        read, published = _published(settings, name)
    except NotRead as error:
        yield Finding("policy", Level.WRONG, f"which one is in force is not known: {error}", _LOOK)
        return
    if read < found.bounds[0][1]:
        yield Finding("policy", Level.WARN, f"`{name}` {_HELD_BACK}", "see that whoever publishes there ends it")
    if not published:
        yield Finding("policy", Level.OK, "none published yet; the first worker publishes its own")
        return
    yield from _judged(published, own if settings.policy else None)


def _published(settings: Settings, topic: str) -> tuple[int, list[Any]]:
    """How far the topic of policies can be read, and its records as workers read them; raises `NotRead`."""
    with closing(reader(settings.kafka)) as consumer:
        bounds = extent(consumer, topic).bounds[0]
        return bounds[1], [*records(consumer, Extent(topic, {0: bounds}))]


def _judged(published: Sequence[Any], own: Policy | None) -> Iterator[Finding]:
    """In force is the last that may be used, however many were published after it; `own` is to be that one."""
    last: Policy | None = None
    refused: PolicyRefused | None = None
    for record in published:
        try:
            last, refused = parse(record.value or b"", f"at offset {record.offset}"), None
        except PolicyRefused as error:
            refused = error
    if refused is not None:
        still = (
            "the one before it is still in force"
            if last
            else "none before it may be used: the first worker publishes its own"
        )
        said = f"the policy published last (offset {published[-1].offset}) is refused, and {still}: "
        yield Finding("policy", Level.WRONG, said + "; ".join(refused.complaints), _PUBLISH)
    if last is None:
        return
    if own and own.digest != last.digest:
        yield Finding("policy", Level.WRONG, f"{not_in_force(own, last)}: a worker refuses to start", PUT_IN_FORCE)
    else:
        yield Finding("policy", Level.OK, f"in force is version {last.version}, digest {last.digest}")
