"""Where flagged offers come from: their topic, or the server-sent events of an embedded gate.

Trouble is waited out and told; what waiting does not help raises `NotRead` or `KafkaError`.
"""

import logging
from collections.abc import Iterator
from queue import Empty, Queue
from threading import Event, Thread, Timer
from typing import Final, Protocol

import httpx
import msgspec
from kafka import KafkaConsumer
from msgspec import Struct

from gate.facts import Instant
from state.journal import mark_of
from streams.border.wire import instant_of
from streams.kafka.reading import NotRead, reader
from streams.keys import bearer
from streams.settings import Kafka
from streams.watch.answers import DECIDED, Flagged, Zoned
from streams.watch.tail import Tail
from streams.watch.views import Remark, Tell


class CaughtUp(Struct, frozen=True):
    """All was read that was there when the reading began."""


News = Flagged | str | None | Remark | Exception | CaughtUp
"""What goes to a screen: an answer, trouble, its end, a remark, what waiting does not help, or that everything is known."""
PATIENCE_SECONDS: Final = 3.0
"""Until it is said that there is no connection."""
SILENCE_SECONDS: Final = 40.0
"""The gate says every 15 seconds that nothing is new."""
LONGEST_EVENT: Final = 4 * 1024 * 1024
_FOR_EVER: Final = 10.0**9
_WAITS: Final = (0.5, 1.0, 2.0, 5.0)


class Start(Struct, frozen=True):
    """From where on: everything there is, from a time on, or (neither) what comes from now on."""

    since: Instant | None = None
    everything: bool = False


class Arrived(Struct, frozen=True):
    """What came."""

    value: bytes
    stranger: str | None
    """Where it stands, if it would be strange that it is no answer."""


class Source(Protocol):
    """One gate's answers as they come."""

    caught_up: bool
    """Whether all that was there at the beginning has been given by `poll`."""

    def poll(self, seconds: float) -> list[Arrived]:
        """What has come; empty after so many seconds. The first call may take as long as the connection does."""

    def close(self) -> None:
        """Let go."""


class TopicSource:
    """The topic of flagged offers."""

    def __init__(self, kafka: Kafka, topic: str, start: Start, tell: Tell) -> None:
        self._kafka, self._topic, self._start, self._tell = kafka, topic, start, tell
        self.caught_up = False
        self._tail: Tail | None = None

    def poll(self, seconds: float) -> list[Arrived]:
        """See `Source`."""
        if self._tail is None:
            self._tail = Tail(self._connected(), self._topic, self._tell, lambda: reader(self._kafka))
            self._tail.begin(self._start.since, self._start.everything)
        found = self._tail.poll(seconds)
        self.caught_up = self.caught_up or self._tail.caught_up()
        return [Arrived(r.value or b"", f"record {r.partition}:{r.offset} of `{self._topic}`") for r in found]

    def close(self) -> None:
        """See `Source`."""
        if self._tail is not None:
            self._tail.close()

    def _connected(self) -> KafkaConsumer:
        """A consumer, however long Kafka takes to be there."""
        logging.getLogger("kafka").addHandler(logging.NullHandler())
        where = ", ".join(self._kafka.servers)
        said: list[str] = []

        def impatient() -> None:
            said.append(
                f"no connection to Kafka at {where} yet; trying on. See that it runs, GATE61_KAFKA and its user"
            )
            self._tell(said[0])

        timer = Timer(PATIENCE_SECONDS, impatient)
        timer.daemon = True
        timer.start()
        try:
            consumer = reader(self._kafka, _FOR_EVER)
        finally:
            timer.cancel()
        if said:
            self._tell(None)
        return consumer


class _Verdict(Struct, frozen=True):
    verdict: str = ""


class _Said(Struct, frozen=True):
    """As much of an event as tells whether it is to be watched."""

    type: str
    time: Zoned
    data: _Verdict


_said = msgspec.json.Decoder(_Said).decode


class _Page(Struct, frozen=True):
    last: int
    next_after: int = 0
    mark: str | None = None


class GateSource:
    """What comes out of an embedded gate; a thread of its own reads it."""

    def __init__(self, url: str, key: str | None, start: Start, tell: Tell) -> None:
        self._url, self._start, self._tell = url, start, tell
        timeout = httpx.Timeout(10.0, read=SILENCE_SECONDS)
        self._http = httpx.Client(base_url=url, headers=bearer(key), timeout=timeout)
        self._came: Queue[bytes | NotRead | CaughtUp] = Queue(1_000)
        self.caught_up = False
        self._there: int | None = None
        """The number of what came out last when the reading began."""
        self._after: int | None = None
        self._mark: str | None = None
        """Of what came out under that number."""
        self._stopped = Event()
        self._thread: Thread | None = None

    def poll(self, seconds: float) -> list[Arrived]:
        """See `Source`."""
        if self._thread is None:
            self._thread = Thread(target=self._follow, daemon=True)
            self._thread.start()
        found: list[Arrived] = []
        try:
            while len(found) < 1_000:
                came = self._came.get(timeout=seconds) if not found else self._came.get_nowait()
                if isinstance(came, NotRead):
                    raise came
                if isinstance(came, CaughtUp):
                    self.caught_up = True
                else:
                    found.append(Arrived(came, None))
        except Empty:
            pass
        return found

    def close(self) -> None:
        """See `Source`; the thread ends with the next thing that comes, or with the program."""
        self._stopped.set()

    def _follow(self) -> None:
        """Read on until stopped, through whatever trouble."""
        failed = 0
        while not self._stopped.is_set():
            try:
                for number, data in self._events():
                    if failed:
                        failed = 0
                        self._tell(None)
                    if data is not None:
                        if self._is_flagged(data):
                            self._came.put(data)
                        self._after, self._mark = number, mark_of(data)
                    self._look(number)
                trouble = "ended its answer"
            except NotRead as refused:
                self._came.put(refused)
                return
            except (httpx.HTTPError, msgspec.MsgspecError, ValueError) as error:
                trouble = f"does not answer ({type(error).__name__})"
            if not failed:
                self._tell(f"the gate at {self._url} {trouble}; trying on, nothing is lost. See that it runs")
            self._stopped.wait(_WAITS[min(failed, len(_WAITS) - 1)])
            failed += 1

    def _look(self, number: int) -> None:
        """Tell, behind what came of it, when all was read that was there at the beginning."""
        if self._there is not None and number >= self._there:
            self._there = None
            self._came.put(CaughtUp())

    def _is_flagged(self, data: bytes) -> bool:
        said = _said(data)
        late_enough = self._start.since is None or instant_of(said.time) >= self._start.since
        return said.type == DECIDED and said.data.verdict in ("flag", "block") and late_enough

    def _events(self) -> Iterator[tuple[int, bytes | None]]:
        """What comes out, with its number; first, and where nothing is new, None."""
        if self._after is None:
            end = self._end()
            self._there, whole = end.next_after, self._start.everything or self._start.since is not None
            self._after, self._mark = (0, None) if whole else (end.next_after, end.mark)
        headers = {"Accept": "text/event-stream"}
        place = {"after": self._after} | ({} if self._mark is None else {"mark": self._mark})
        with self._http.stream("GET", "/v1/out", params=place, headers=headers) as answer:
            self._refuse(answer)
            yield self._after, None
            number = self._after
            for line in _lines(answer.iter_bytes()):
                if self._stopped.is_set():
                    return
                name, _, value = line.partition(b": ")
                if name == b"id":
                    number = int(value)
                elif name == b"data":
                    yield number, value

    def _end(self) -> _Page:
        """The page of what came out last."""
        first = self._page(0)
        return self._page(first.last - 1) if first.last else first

    def _page(self, after: int) -> _Page:
        answer = self._http.get("/v1/out", params={"limit": 1, "after": after})
        self._refuse(answer)
        return msgspec.json.decode(answer.content, type=_Page)

    def _refuse(self, answer: httpx.Response) -> None:
        """Waiting does not help against a key that is missing or wrong, another store, or where no gate is."""
        if answer.status_code == 409:
            raise NotRead(
                f"the gate at {self._url} has another store than was read so far, or an older copy; begin anew"
            )
        if answer.status_code in (401, 403, 404):
            what = {404: "there is no gate there"}.get(
                answer.status_code, "name the file of a key that may ask, with --key-file or GATE61_KEY_FILE"
            )
            raise NotRead(f"the gate at {self._url} answers {answer.status_code}: {what}")
        if answer.status_code != 200:
            raise httpx.HTTPError(str(answer.status_code))


def _lines(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Lines of a stream, each as it is complete; ValueError where one has no end."""
    held = bytearray()
    for part in parts:
        held += part
        *whole, rest = held.split(b"\n")
        yield from map(bytes, whole)
        held = rest
        if len(held) > LONGEST_EVENT:
            raise ValueError("an event without end")
