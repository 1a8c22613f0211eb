"""Whether state belongs to the logs that are read: of this Kafka, with clients spread over as many partitions."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from state.notes import KAFKA, PARTITIONS
from state.redis.look import StateLost, as_number
from streams.kafka.topics import Names
from streams.logs.lost import LogLost, one_sequence

_SHOWN: Final = 64
"""Bytes of the note of Kafka that are told."""


class Noted(Protocol):
    """What a store kept beside its clients."""

    def noted(self, name: str) -> bytes | None:
        """What was kept."""


FIXED: Final = (
    "their number is fixed for the life of the state. Publish all inputs again, in order, to topics of the number you want, "
    "under another GATE61_PREFIX"
)
"""What to do where a topic has another number of partitions."""


class OtherPartitions(Exception):
    """The topic's number of partitions is not that of the state: clients would be looked for in the wrong place."""

    def __init__(self, spread: int, partitions: int) -> None:
        super().__init__(
            f"the state was made with clients spread over {spread} partitions, and the topic has {partitions}: {FIXED}"
        )


def inputs_as_wide(names: Names, found: Mapping[str, int], spread: int) -> None:
    """Whether each topic of inputs has the partitions that it must have, clients being spread over so many; raises `LogLost`.

    `found` says by topic how many it has, 0 of one that is missing, which is said elsewhere.
    """
    one_sequence({topic.name: found[topic.name] for topic in (names.register, names.policy)})
    wide = {topic.name: found[topic.name] for topic in (names.actions, names.between)}
    wrong = [f"`{name}` has {many} partitions" for name, many in wide.items() if many not in (0, spread)]
    if wrong:
        raise LogLost(f"{' and '.join(wrong)} and must have {spread}: {FIXED}")


ONE_KAFKA: Final = (
    "let GATE61_KAFKA, GATE61_REDIS and GATE61_PREFIX lead to one gate, each gate on one Redis having its own prefix; or "
    "remove this state and make it from the topics of this Kafka: `gate61 rebuild`"
)
"""What to do where state is of another Kafka."""


class OtherKafka(LogLost):
    """State was made from the logs of another Kafka: what is applied of those says nothing of what stands in these."""

    def __init__(self, made: str, here: str) -> None:
        what = f"was made from another Kafka, cluster `{made}`, and GATE61_KAFKA leads to cluster `{here}`"
        super().__init__(f"the state {what}: {ONE_KAFKA}")
        self.what = what


def same_kafka(stores: Iterable[Noted], kafka: str) -> None:
    """Whether no partition's state was made from another Kafka than that; raises `OtherKafka`.

    State that is older than this note, and a Kafka that says no id, are taken for the right ones.
    """
    for notes in stores:
        kafka_alike(notes.noted(KAFKA), kafka)


def kafka_alike(made: bytes | None, kafka: str) -> None:
    """Whether state says that it was made from that Kafka, or nothing of it; raises `OtherKafka`."""
    if made and kafka and made != kafka.encode():
        raise OtherKafka(made[:_SHOWN].decode(errors="backslashreplace"), kafka)


def same_spread(stores: Iterable[Noted], partitions: int) -> None:
    """Whether no partition's state was made with another number of them; raises `OtherPartitions`.

    A partition that is new has no state to tell by: without this it would decide on clients whose facts lie elsewhere.
    """
    for notes in stores:
        with suppress(StateLost):  # That partition stops by itself; the others say how many there are.
            spread_alike(number_noted(notes, PARTITIONS), partitions)


def spread_alike(found: int | None, partitions: int) -> None:
    """Whether state says that its clients are spread over so many, or nothing of it; raises `OtherPartitions`."""
    if found and found != partitions:
        raise OtherPartitions(found, partitions)


def number_noted(notes: Noted, name: str) -> int | None:
    """What is noted under that name; raises `StateLost` for what is no number."""
    return as_number("the state", name, notes.noted(name))
