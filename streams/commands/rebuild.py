"""`gate61 rebuild`: state from the topics, the same to the byte."""

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands.common import AsJson, reading_kafka, record, refuse, say, settings_or_refuse
from streams.settings import Settings, shown

if TYPE_CHECKING:
    from streams.worker.rebuild import Rebuilt

REDIS_SECONDS = 5.0


def rebuild(
    check: Annotated[bool, typer.Option("--check", help="only compare what would be made with what there is")] = False,
    only: Annotated[list[int] | None, typer.Option("--partition", help="only this partition; may be repeated")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before state is removed")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the state in Redis anew from the topics, where Redis lost it; with --check, compare byte for byte.

    Publishes nothing; what may not be published yet, the next worker does. Exit 1 if a check found differences, or if it
    could not be done.
    """
    settings = settings_or_refuse()
    from kafka.errors import KafkaError
    from redis.exceptions import RedisError

    from state.redis import errors as redis_errors
    from state.redis.servers import Servers
    from streams.kafka.connection import said
    from streams.logs.lost import LogLost
    from streams.worker.belonging import OtherPartitions
    from streams.worker.rebuild import NotMade, Rebuild

    logging.getLogger("kafka").addHandler(logging.NullHandler())
    _look_for_topics(settings)
    if not (check or yes) and not typer.confirm("Remove the state in Redis and make it anew from the topics?"):
        raise refuse("nothing was done", 1)
    done, under_way = [], ""
    try:
        work = Rebuild(settings, Servers(settings.redis, REDIS_SECONDS), _progress)
        partitions = work.begin(beside=check)
        chosen = _chosen(only, partitions)
        work.may_make(chosen)
        for number in chosen:
            under_way = "" if check else _left(number, chosen)
            done.append(work.check(number) if check else work.make(number))
            under_way = ""
            if as_json:
                record(_record(done[-1]))
            else:
                say(_said(done[-1]))
    except KeyboardInterrupt:
        raise refuse(f"interrupted: {under_way or 'no state is left half made'}", 130) from None
    except (NotMade, LogLost, OtherPartitions) as error:
        raise refuse(str(error), 1) from None
    except RedisError as error:
        raise refuse(f"not finished: {redis_errors.said(error, shown(settings.redis))}; then run it again", 1) from None
    except KafkaError as error:
        raise refuse(f"not finished: {said(error)}; see `gate61 doctor`, then run it again", 1) from None
    _refuse_unless_whole(done)


def _left(number: int, chosen: Sequence[int]) -> str:
    """What stands while a partition is made, and what to do where it is not finished."""
    again = " ".join(f"--partition {each}" for each in chosen[chosen.index(number) :])
    return f"partition {number} holds only what was made so far; run it again: `gate61 rebuild {again}`"


def _refuse_unless_whole(done: Sequence["Rebuilt"]) -> None:
    """Exit 1 with all that somebody must look at."""
    short = [f"partition {d.partition}: {d.short}" for d in done if d.short]
    if short:
        raise refuse(
            f"{'; '.join(short)}: that topic was made anew or lost its end; give it back its log from a copy", 1
        )
    half = [f"{d.partition} ({d.events} of {d.unfinished} events)" for d in done if d.unfinished]
    if half:
        raise refuse(
            f"the state of partition {', '.join(half)} was left half made: make it anew without --check, to where it was; or "
            "start a worker, which goes on from there and says the rest again, the same bytes",
            1,
        )
    lost = [str(d.partition) for d in done if d.lost]
    if lost:
        raise refuse(f"the state of partition {', '.join(lost)} cannot be used; make it anew without --check", 1)
    differ = sum(len(d.differs or ()) for d in done)
    if differ:
        raise refuse(
            f"{differ} clients have other bytes than the topics say. What another version of gate61 wrote may differ and be "
            "right; else keep a copy of Redis' files, and make the state anew without --check",
            1,
        )


def _chosen(only: list[int] | None, partitions: int) -> list[int]:
    """The partitions to be made, all of which there must be before the first of them is touched."""
    missing = [str(number) for number in only or () if not 0 <= number < partitions]
    if missing:
        raise refuse(f"there is no partition {', '.join(missing)}; there are {partitions}, from 0")
    return [*dict.fromkeys(only)] if only else [*range(partitions)]


def _look_for_topics(settings: Settings) -> None:
    """What is to be read must be there, before anything is asked or removed."""
    from streams.kafka.reading import must_have
    from streams.kafka.topics import inputs, topics

    names = topics(settings.prefix)
    with reading_kafka(settings) as consumer:
        must_have(consumer, *inputs(names), names.decisions.name)


def _progress(partition: int, done: int, all: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\rpartition {partition}: {done:,} of {all:,} events\033[K\r")
        sys.stderr.flush()


def _record(done: "Rebuilt") -> dict[str, object]:
    names = ("partition", "events", "wanted", "clients", "differs", "lost", "unfinished")
    return {name: getattr(done, name) for name in names}


def _said(done: "Rebuilt") -> str:
    if done.lost and done.place is None:
        return f"partition {done.partition}: its state {done.lost}"
    of = f" of {done.wanted:,}" if done.short else ""
    said = f"partition {done.partition}: {done.events:,}{of} events, {done.clients:,} clients"
    if done.lost:
        said += f", its state {done.lost}"
    if done.unfinished:
        said += f", not finished, of {done.unfinished:,}"
    if done.differs is not None:
        said += (
            f", {len(done.differs)} differ: {', '.join(done.differs[:5])}" if done.differs else ", the same to the byte"
        )
    return said
