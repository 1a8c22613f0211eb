"""Publishing to the gate from a platform, on kafka-python; needs neither Faust nor Redis.

What the gate would reject is refused before it is sent, by the gate's own reader. What was sent and not acknowledged is
never passed over: the next call says so. Sending an event again is safe: the gate drops what repeats an id with the same
content. That is why nothing is filled in from a clock: an event sent again must say the same time.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from math import isfinite
from threading import Lock
from time import time_ns
from types import TracebackType
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.partitioner import DefaultPartitioner
from msgspec import Struct
from msgspec.json import encode

from gate.facts import OF_REGISTER, Fact
from streams.border.envelope import NESTED, bare_name
from streams.border.wire import FIELDS, Read, read
from streams.kafka.connection import opened
from streams.kafka.record import STRUCTURED
from streams.kafka.topics import topics

_HEADERS = [("content-type", STRUCTURED)]
_NAMED_AT_ONCE = 5


class Refused(ValueError):
    """An event that the gate would reject, or of which it would overlook something; it was not sent."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        """Of the contract's list."""
        super().__init__(f"{reason}: {message}; nothing was sent, mend the event and publish it again")


class Sent(Struct, frozen=True):
    """An event on its way."""

    topic: str
    source: str
    id: str
    value: bytes
    """The event itself, to `send` again."""
    cause: Exception | None = None
    """Why it is not known to have arrived; None while it is still on its way."""


class NotAcknowledged(Exception):
    """Events that Kafka has not acknowledged; some may have arrived all the same, or still be on their way."""

    def __init__(self, events: Sequence[Sent]) -> None:
        self.events = tuple(events)
        causes = sorted({_said(e.cause) for e in events})
        named = ", ".join(f"`{e.id}`" for e in events[:_NAMED_AT_ONCE])
        more = f" and {len(events) - _NAMED_AT_ONCE} more" if len(events) > _NAMED_AT_ONCE else ""
        super().__init__(
            f"Kafka has not acknowledged {len(events)} events: {named}{more} ({'; '.join(causes)}); when it is back, "
            "`send` the `value` of each of `events` again: what had arrived is dropped as a repetition"
        )


def _unfit(value: object, where: str) -> Iterator[Refused]:
    """What the encoder would write as something else: a number as null, bytes in base64, which is another client's name.

    So is a set, whose order is another one in the next process: the same published again would be another event.
    """
    if isinstance(value, float) and not isfinite(value):
        yield Refused("NOT_JSON", f"`{where}` is a number that JSON has no word for (not a number, or infinite)")
    elif isinstance(value, bytes | bytearray | memoryview):
        yield Refused("BAD_FIELD", f"`{where}` is bytes and must be text: decode it")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _unfit(each, f"{where}.{name}")
    elif isinstance(value, set | frozenset):
        yield Refused(
            "NOT_JSON", f"`{where}` is a set, which JSON does not have: make it a list, in an order that stays the same"
        )
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _unfit(each, f"{where}[]")


def _said(cause: Exception | None) -> str:
    if cause is None:
        return "still on its way"
    kind, text = type(cause).__name__, str(cause)
    return (text if text.startswith(kind) else f"{kind}: {text}")[:200]


class Publisher:
    """Publishes events of one source; may be shared by threads.

    `source` names the system that says so (an URI reference such as `//platform.example/offers`): with an event's id it
    makes the event unique. `prefix` and `clock_tolerance` are the gate's. Data with fields that the gate does not know
    is refused, since a misspelt field would be overlooked; `own_fields` lets them pass. Failures are raised by the next
    `publish`, `flush` or `close`; with `on_failure` they go there instead, in the thread that sends.
    `connection` are keywords of kafka-python, such as `security_protocol` and `sasl_mechanism`.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        source: str,
        *,
        prefix: str = "",
        clock_tolerance: timedelta = timedelta(seconds=60),
        own_fields: bool = False,
        on_failure: Callable[[Sent], None] | None = None,
        **connection: Any,
    ) -> None:
        """Connects; ConnectionError if Kafka does not answer."""
        self._source = source
        self._topics = topics(prefix)
        self._tolerance = clock_tolerance // timedelta(microseconds=1)
        self._own_fields = own_fields
        self._on_failure = on_failure or self._keep
        self._lock = Lock()
        self._open: dict[int, Sent] = {}
        self._count = 0
        self._failed: list[Sent] = []
        self._closed = False
        try:
            self._producer = opened(
                KafkaProducer,
                bootstrap_servers=servers,
                enable_idempotence=True,
                acks="all",
                partitioner=DefaultPartitioner(),
                allow_auto_create_topics=False,
                **connection,
            )
        except KafkaError as error:
            raise ConnectionError(
                f"Kafka at {servers} does not answer: {_said(error)}; see that it runs and that its user may write"
            ) from error

    def publish(self, name: str, subject: str, data: Mapping[str, Any], *, id: str, time: datetime) -> Any:
        """Publish what happened: `name` without `gate61.` and `.v1`, about `subject` (a client; of the register a thing).

        `id` is the same and `time` too (with zone) when the same is published again. Times in `data` may be datetimes.
        Returns kafka-python's future. Raises `Refused` or `NotAcknowledged`; the latter holds this event too.
        """
        if not isinstance(name, str):
            raise Refused("UNKNOWN_TYPE", f"the name of an event is text, not {type(name).__name__}; {_names('')}")
        event: dict[str, Any] = {"specversion": "1.0", "id": id, "source": self._source, "type": f"gate61.{name}.v1"}
        event |= {"subject": subject, "time": time, "datacontenttype": "application/json", "data": data}
        try:
            if name not in FIELDS:
                raise Refused("UNKNOWN_TYPE", f"`{name}` is no name of an event; {_names(name)}")
            for refused in (r for field, value in event.items() for r in _unfit(value, field)):
                raise refused
            return self.send(encode(event))
        except (TypeError, UnicodeEncodeError, RecursionError) as error:
            raise Refused("NOT_JSON", f"`{name}` cannot be written as JSON ({error})") from None

    def send(self, value: bytes) -> Any:
        """Publish an event that is written already, as a structured CloudEvent in JSON; else like `publish`."""
        if not isinstance(value, bytes):
            raise TypeError(
                f"`send` takes an event as the bytes of its JSON, not {type(value).__name__}; see `publish`"
            )
        if self._closed:
            raise ValueError("this publisher is closed; make another one")
        fact = self._checked(value)
        of_register = type(fact.said) in OF_REGISTER
        topic = (self._topics.register if of_register else self._topics.actions).name
        one = (
            0 if of_register else None
        )  # The register is one sequence, and of several partitions none but that is read.
        sent = Sent(topic, fact.source, fact.id, value)
        with self._lock:
            failed, self._failed = self._failed, []
            if not failed:
                self._count += 1
                number = self._count
                self._open[number] = sent
        if failed:
            raise NotAcknowledged([*failed, sent])
        try:
            future = self._producer.send(topic, value, fact.client.encode(), headers=[*_HEADERS], partition=one)
        except KafkaError as error:
            self._open.pop(number, None)
            raise NotAcknowledged([_failed(sent, error)]) from error
        future.add_callback(lambda _: self._open.pop(number, None))
        future.add_errback(self._lost, number)
        return future

    def _checked(self, value: bytes) -> Fact:
        now = time_ns() // 1000
        event = read(value, now, self._tolerance, now)
        if not isinstance(event, Read):
            raise Refused(event.reason, event.message)
        if not self._own_fields:
            overlooked = next(_overlooked(value), None)
            if overlooked:
                raise Refused("BAD_FIELD", overlooked)
        return event.fact

    def _lost(self, number: int, error: Exception) -> None:
        sent = self._open.pop(number, None)
        if sent is not None:
            self._on_failure(_failed(sent, error))

    def _keep(self, sent: Sent) -> None:
        with self._lock:
            self._failed.append(sent)

    def flush(self, timeout: float = 30) -> None:
        """Wait until everything is acknowledged, `timeout` seconds at most; else raises `NotAcknowledged`."""
        late = None
        try:
            self._producer.flush(timeout)
        except KafkaTimeoutError as error:
            late = error
        with self._lock:
            failed, self._failed = self._failed, []
            open = list(self._open.values()) if late else []
        if failed or open:
            raise NotAcknowledged([*failed, *open]) from late

    def close(self, timeout: float = 30) -> None:
        """Flush, then leave; raises `NotAcknowledged` like `flush`."""
        try:
            self.flush(timeout)
        finally:
            self._closed = True
            with suppress(KafkaTimeoutError):  # What `flush` has named is still being tried until the process ends.
                self._producer.close(1)

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _names(name: str) -> str:
    """Which one was meant, or what all are called."""
    bare = bare_name(name)
    return f"say `{bare}`, without `gate61.` and `.v1`" if bare in FIELDS else f"there are {', '.join(FIELDS)}"


def _failed(sent: Sent, error: Exception) -> Sent:
    return Sent(sent.topic, sent.source, sent.id, sent.value, error)


def _overlooked(value: bytes) -> Iterator[str]:
    """Fields that the gate would leave aside."""
    event = json.loads(value)
    name = bare_name(event["type"])
    known = FIELDS[name]
    for field, content in event["data"].items():
        if field not in known:
            yield f"`data.{field}` is no field of `{name}` and would be overlooked; it has {', '.join(known)}"
        inner = NESTED.get(field, ())
        for thing in content if inner and isinstance(content, list) else ():
            for each in thing:
                if each not in inner:
                    yield f"`data.{field}` holds `{each}`, which would be overlooked; it has {', '.join(inner)}"
