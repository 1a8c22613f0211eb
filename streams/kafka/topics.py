"""Every topic and what it must be (contract sections 2 to 4, design section 3)."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

FOREVER = -1
"""As a retention in milliseconds."""
HOUR_MILLISECONDS = 3_600_000
LARGEST = 1_048_588
"""Bytes of the largest record batch that an input topic takes: Kafka's own default. The border's limit is below it, so
that what is too large for the gate still arrives, is kept and is named."""

LARGEST_MESSAGE = 8 * LARGEST
"""The same of what merged clients tell each other."""
LARGEST_LETTER = LARGEST_MESSAGE + LARGEST
"""The same of dead letters: any record of these, with what is said of it. What was compressed may be larger."""


class Topic(Struct, frozen=True):
    """A topic as it must be; `partitions` None is as many as clients are spread over."""

    name: str
    what: str
    partitions: int | None
    append_time: bool
    """Whether something is judged by when the broker appended its records, which is their time in every topic."""
    largest: int = LARGEST
    retention: int = FOREVER

    @property
    def is_input(self) -> bool:
        """Whether answers are judged by what stands in it, so that nothing of it may ever be removed."""
        return self.append_time and self.retention == FOREVER


class Names(NamedTuple):
    """The topics of one gate."""

    actions: Topic
    register: Topic
    policy: Topic
    between: Topic
    decisions: Topic
    flagged: Topic
    notices: Topic
    cases: Topic
    rejected: Topic
    register_rejected: Topic
    clock: Topic


def inputs(names: Iterable[Topic]) -> list[str]:
    """Those of which nothing may ever be removed."""
    return [topic.name for topic in names if topic.is_input]


def missing(names: Iterable[str]) -> str:
    """What is wrong where these topics are not there, and what to do; Kafka says the same to who may not see them."""
    made = "make them with `gate61 topics apply`, or give the user of GATE61_KAFKA the right to see them (DESCRIBE)"
    return f"topics are missing: {', '.join(names)}; {made}"


def topics(prefix: str = "") -> Names:
    """The topics of the gate with that prefix."""

    def topic(
        name: str, what: str, partitions: int | None = None, append: bool = False, largest: int = LARGEST
    ) -> Topic:
        return Topic(f"{prefix}gate61.{name}", what, partitions, append, largest)

    return Names(
        topic("client-actions.v1", "what happens around clients", append=True),
        topic("register.v1", "what is known beyond one client", 1, append=True),
        topic("policy.v1", "policies, each in force from its append time on", 1, append=True),
        topic(
            "between-clients.v1", "internal: what merged clients tell each other", append=True, largest=LARGEST_MESSAGE
        ),
        topic("decisions.v1", "every answer"),
        topic("flagged-offers.v1", "answers that hold or block"),
        topic("notices.v1", "windows of clients"),
        topic("cases.v1", "what a person must look at"),
        topic("client-actions.v1.dlq", "inputs that could not be taken, as they came", largest=LARGEST_LETTER),
        topic(
            "register.v1.dlq",
            "register and policy records that could not be taken, as they came",
            1,
            largest=LARGEST_LETTER,
        ),
        Topic(
            f"{prefix}gate61.clock.v1",
            "internal: `gate61 doctor` reads the broker's clock by it",
            1,
            True,
            LARGEST,
            HOUR_MILLISECONDS,
        ),
    )
