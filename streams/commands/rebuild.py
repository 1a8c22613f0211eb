"""`gate61 rebuild`: state from the topics, the same to the byte."""

import json
import logging
import sys
from typing import Annotated

import typer

from streams.commands.common import AsJson, reading_kafka, refuse, settings_or_refuse
from streams.settings import Settings


def rebuild(
    check: Annotated[bool, typer.Option("--check", help="only compare what would be made with what there is")] = False,
    only: Annotated[list[int] | None, typer.Option("--partition", help="only this partition; may be repeated")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before state is removed")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the state in Redis anew from the topics, where Redis lost it; with --check, compare byte for byte.

    Publishes nothing. Exit 1 if a check found differences, or if it could not be done.
    """
    settings = settings_or_refuse()
    from kafka.errors import KafkaError
    from redis import Redis
    from redis.exceptions import RedisError

    from streams.connection import said
    from streams.worker.merge import LogLost
    from streams.worker.progress import OtherPartitions
    from streams.worker.rebuild import Rebuild, StillRunning

    logging.getLogger("kafka").addHandler(logging.NullHandler())
    _look_for_topics(settings)
    if not (check or yes) and not typer.confirm("Remove the state in Redis and make it anew from the topics?"):
        raise refuse("nothing was done", 1)
    differ = 0
    try:
        work = Rebuild(settings, Redis.from_url(settings.redis), _progress)
        partitions = work.begin()
        chosen = _chosen(only, partitions)
        work.may_make(chosen)
        for number in chosen:
            done = work.check(number, partitions) if check else work.make(number, partitions)
            differ += len(done.differs or ())
            print(json.dumps(_record(done)) if as_json else _said(done))
    except (StillRunning, LogLost, OtherPartitions) as error:
        raise refuse(str(error), 1) from None
    except (KafkaError, RedisError) as error:
        raise refuse(f"not finished: {said(error)}; see `gate61 doctor`, then again", 1) from None
    if differ:
        raise refuse(f"{differ} clients have other bytes than the topics say; make the state anew without --check", 1)


def _chosen(only: list[int] | None, partitions: int) -> list[int]:
    """The partitions to be made, all of which there must be before the first of them is touched."""
    missing = [str(number) for number in only or () if not 0 <= number < partitions]
    if missing:
        raise refuse(f"there is no partition {', '.join(missing)}; there are {partitions}, from 0")
    return [*dict.fromkeys(only)] if only else [*range(partitions)]


def _look_for_topics(settings: Settings) -> None:
    """What is to be read must be there, before anything is asked or removed."""
    from streams.reading import must_have
    from streams.topics import topics

    with reading_kafka(settings) as consumer:
        must_have(consumer, *(topic.name for topic in topics(settings.prefix)))


def _progress(partition: int, done: int, all: int) -> None:
    if sys.stderr.isatty():
        print(f"\rpartition {partition}: {done:,} of {all:,} events", end="\033[K\r", file=sys.stderr, flush=True)


def _record(done: object) -> dict[str, object]:
    return {name: getattr(done, name) for name in ("partition", "events", "clients", "differs")}


def _said(done: object) -> str:
    found = _record(done)
    said = f"partition {found['partition']}: {found['events']:,} events, {found['clients']:,} clients"
    differs = found["differs"]
    if isinstance(differs, tuple):
        said += ", the same to the byte" if not differs else f", {len(differs)} differ: {', '.join(differs[:5])}"
    return said
