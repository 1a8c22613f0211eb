"""One partition of clients: what is read goes in, what is to be published comes out, and in between it is remembered.

In what order its logs are taken is said here, and how far; what follows from each record is `streams.worker.judging`'s.
Nothing here waits for Kafka; Redis is asked through the partition's store. The order of effects is that of
`streams.worker.loop`.
"""

from collections import Counter, deque
from collections.abc import Sequence
from hashlib import blake2b
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from gate.effects import Greeting
from gate.facts import Instant
from gate.policy import Policy
from state.messages import Part
from streams.border.wire import Read, Rejected, understood
from streams.kafka.record import read_record
from streams.logs.following import Followed
from streams.logs.merge import Arrival, Ends, Log, Merge
from streams.logs.taking import Clamped
from streams.worker.applied import OF_RULES, came_of, last_before, same_record
from streams.worker.belonging import same_kafka
from streams.worker.judging import Judging
from streams.worker.outputs import Output, outbox_from_bytes, outbox_to_bytes
from streams.worker.parts import understood as understood_between
from streams.worker.pins import Pin, reached
from streams.worker.progress import Came, Place, Progress
from streams.worker.repeated import IdStore, Repeated
from streams.worker.telling import Telling

OUTBOX_BYTES = 64 * 1024 * 1024
"""Of outputs, after which what waits is judged with the next batch: all of one are one value in Redis, which may have half
a gigabyte. A single event of a client with some 150,000 answers would still be too much."""
JUDGED_SECONDS = 0.5
"""Of judging, after which what waits is judged with the next batch, and as much of judging again behind the register: one
thread judges for all partitions, and one that has 48 goes round within the minute after which it would count as hanging."""
CLOSED_AT_ONCE = 10_000
"""Scopes closed with each batch."""


class PartitionStore(IdStore, Protocol):
    """A store that fetches in batches and writes all of a batch, its outputs and the next offset at once."""

    def assign(self) -> Any:
        """Become the owner; `next` offset (None: a new partition) and `outbox` as stored."""

    def verify(self) -> None:
        """Raises if somebody else owns it, or what is stored is not what was written last."""

    def recorded(self, at: Instant) -> None:
        """The time by which ids seen from now on are recorded."""

    def commit(self, next_offset: int | None = None, outbox: bytes = b"") -> None:
        """All of a batch, or nothing."""


class Assumed(NamedTuple):
    """What the owner of a partition goes on from."""

    actions: int
    between: int
    """The next offsets to read."""
    outbox: list[Output]
    """To be published before anything else."""
    new: bool


class Told(NamedTuple):
    """What was said by a place that a stored state had come to."""

    closed: Instant
    """Up to when scopes were said to be closed; less where that is not known."""
    outbox: bytes = b""
    """What may not be published yet of all that came before."""


class Partition:
    """The clients of one partition of one worker."""

    def __init__(self, number: int, partitions: int, followed: Followed, store: PartitionStore, version: str) -> None:
        self.number = number
        self.counts: Counter[tuple[str, str]] = Counter()
        """What happened since somebody looked: ("taken", ""), ("rejected", REASON), ("allow", LEADING), …"""
        self.seconds = 0.0
        """Spent judging since somebody looked."""
        self.refused = 0
        """Records of the last batch that could not be taken."""
        self.outbox = b""
        """A mark of what is stored to be published: another for other bytes."""
        self.assumed = False
        """Whether it ever took over what is stored, so that it has a place."""
        self._partitions = partitions
        self._followed = followed
        self._store = store
        self._telling = Telling(number, partitions, version, self.counts, store)
        self._merge = Merge([0] * len(Log))
        self._old = False
        """Whether there was a state when it was taken over."""
        self._pins: deque[Pin] = deque()
        self._asked: list[str] = []
        self._ids: list[bytes] = []

    def assume(self, kafka: str) -> Assumed:
        """Take over from whoever had the partition: nobody else's writes go through any more.

        `kafka` is the id of the cluster that has its logs, empty if that is not known. Raises `OtherKafka`, without taking
        anything from anybody, where the state is made from those of another one.
        """
        same_kafka([self._store], kafka)
        assigned = self._store.assign()
        self.outbox = _mark(assigned.outbox)
        self._progress = progress = Progress(self._store, assigned.next or 0, self._partitions, kafka)
        self._old = assigned.next is not None
        self.assumed = True
        self._judging: Judging | None = None
        self._repeated = Repeated(self._store, progress, self._followed)
        self._pins.clear()
        self._clamped = Clamped({log: progress.came[log].at for log in Log})
        self._merge = Merge(progress.applied)
        self._asked, self._ids = [], []
        self.remembered = self.place
        return Assumed(progress.actions, progress.between, outbox_from_bytes(assigned.outbox), assigned.next is None)

    @property
    def _opened(self) -> Judging:
        assert self._judging is not None, "open the partition first"
        return self._judging

    @property
    def _reopening(self) -> int:
        """How many clients are still to be judged again behind a change of the register."""
        return len(self._judging.reopening) if self._judging is not None else 0

    def open(self) -> bool:
        """Recall who the clients are, once policies and register are read as far as they were applied; else False."""
        if self._judging is not None:
            return True
        progress, read = self._progress, self._followed.read
        if read[Log.POLICY] < progress.policy or read[Log.REGISTER] < progress.register:
            return False
        policy = self._in_force()
        if policy is None:
            return False
        for log in OF_RULES:
            self._same_followed(log, progress.applied[log])
        self._judging = Judging(
            self.number, policy, progress, self._followed, self._store, self._repeated, self._telling, self.counts
        )
        return True

    def _in_force(self) -> Policy | None:
        """The policy that is applied; for a new partition the first one that there is, None if there is none."""
        progress, usable = self._progress, [a for a in self._followed.policies if isinstance(a.event, Policy)]
        if not progress.policy and usable:
            progress.policy = self._merge.read[Log.POLICY] = usable[0].offset + 1
        applied = [a for a in usable if a.offset < progress.policy]
        return applied[-1].event if applied else None

    def _same_followed(self, log: Log, next_: int) -> None:
        """Whether what was applied last of register or policies still stands there; raises `LogLost`.

        Where it was never noted what that was, it is from now on: the first policy, and what an older program applied. When
        that was recorded is not said by it, but by what is applied in its turn.
        """
        applied, there = self._progress.came[log], last_before(self._followed, log, next_)
        same_record(log, next_, applied, there)
        if next_ and applied.epoch is None and there is not None:
            self._progress.came[log] = there

    def read(self, actions: Sequence[Any], actions_read: int, between: Sequence[Any], between_read: int) -> None:
        """Step 1: take records of the two logs in the order of offsets and understand them.

        `…_read` is the offset after what was looked at, which may be behind the last record. Raises `LogLost` for a record
        whose time is not the broker's.
        """
        merge = self._merge
        arrivals = [self._arrival(Log.ACTIONS, r) for r in actions if r.offset >= merge.read[Log.ACTIONS]]
        messages = [self._arrival(Log.BETWEEN, r) for r in between if r.offset >= merge.read[Log.BETWEEN]]
        merge.add(arrivals, max(merge.read[Log.ACTIONS], actions_read), Log.ACTIONS)
        merge.add(messages, max(merge.read[Log.BETWEEN], between_read), Log.BETWEEN)
        for log in (Log.POLICY, Log.REGISTER):
            merge.add(*self._followed.since(log, merge.read[log]), log)
        events = [said for a in arrivals if (said := understood(a.event)) is not None]
        greeted = [a.event.to for a in messages if isinstance(a.event, Greeting | Part)]
        self._asked = [e.fact.client for e in events] + greeted
        self._ids = [e.key for e in events]
        self._repeated.begin(events)

    def recall(self) -> None:
        """Step 2: fetch whom and what was just read speaks of."""
        if self._asked:
            asked, fetched = len(set(self._asked)), self._store.recall(self._asked, self._ids)
            self.counts["recalled", "fetched"] += fetched
            self.counts["recalled", "cached"] += asked - fetched
            self._asked, self._ids = [], []
        self._repeated.recall()

    def _arrival(self, log: Log, record: Any) -> Arrival:
        at = self._clamped.appended(log, record)
        return Arrival(at, log, record.offset, record, self._understood(log, record, at))

    def _understood(self, log: Log, record: Any, at: Instant) -> Read | Rejected | Greeting | Part:
        if log is Log.BETWEEN:
            return understood_between(record.value)
        place = self.number, self._partitions
        return read_record(record.value, record.key, record.headers, place, at, self._opened.policy.clock_tolerance)

    @property
    def next(self) -> tuple[int, int]:
        """The next offsets to read, of what happens around clients and of messages between them."""
        return self._progress.actions, self._progress.between

    @property
    def looked(self) -> int:
        """The offset up to which all that happened around clients was taken, or is none of that: see `Progress.looked`."""
        looked = max(self._progress.looked, self._progress.actions)
        return looked if self.holds else max(looked, self._merge.read[Log.ACTIONS])

    @property
    def waits(self) -> bool:
        """Whether there is something to do: arrivals, or clients to reopen."""
        return self._merge.waits() or self._reopening > 0

    def due(self, now: Instant) -> bool:
        """Whether scopes are to be closed by then, which `work` does once policies are read to the end that it is given.

        Let `now` be from before that end was asked for: a policy that was not there then came later.
        """
        return self._opened.due(now)

    def missing(self, ends: Ends) -> list[Log]:
        """The logs whose ends everything that waits for its turn waits for."""
        return self._merge.missing(ends) if self._merge.waits() else []

    @property
    def holds(self) -> bool:
        """Whether anything that happened around clients waits for its turn."""
        return self._merge.holds(Log.ACTIONS)

    @property
    def wanted(self) -> list[Log]:
        """The logs of this partition to be read on: those of which nothing waits for its turn.

        What waits for another log is a batch by itself: with more of it, memory would grow for as long as that takes.
        """
        return [log for log in (Log.ACTIONS, Log.BETWEEN) if not self._merge.holds(log)]

    def work(self, ends: Ends, now: Instant) -> list[Output]:
        """Step 3: judge what may be judged, one arrival at least and so much at most, and close what is due by `now`.

        For the latter see `due`. After an error only `assume` helps. Returns what is to be published, in order, once it is
        remembered.
        """
        begun, judging = perf_counter(), self._opened
        judging.refused = 0
        outputs: list[Output] = []
        weighed = weight = 0
        while weight < OUTBOX_BYTES and (arrival := self._turn_of(ends)) is not None:
            self._turn(arrival, outputs)
            if len(outputs) > weighed:
                weight += sum(len(o.value or b"") for o in islice(outputs, weighed, None))
                weighed = len(outputs)
            if perf_counter() - begun >= JUDGED_SECONDS:
                break
        judging.reopening.some(outputs, JUDGED_SECONDS)
        judging.close(self._governed_until(ends, now), outputs, CLOSED_AT_ONCE)
        self.refused = judging.refused
        self.seconds += perf_counter() - begun
        return outputs

    def _governed_until(self, ends: Ends, now: Instant) -> Instant:
        """Up to when, by `now` at most, no policy but the one in force governs: another may wait, or is still to be read."""
        waiting = self._merge.first(Log.POLICY)
        if waiting is not None:
            return min(now, waiting.at)
        return now if self._merge.read[Log.POLICY] >= ends[Log.POLICY] else self._progress.recorded

    def remember(self, outputs: list[Output]) -> None:
        """Step 4: write all that followed from the batch, with what is to be published; after an error see `work`."""
        progress = self._progress
        unnamed = self._old and not progress.noted_kafka
        if outputs or unnamed or self.remembered != self.place or progress.looked < self.looked:
            self._write(outbox_to_bytes(outputs))

    def _write(self, outbox: bytes) -> None:
        self._note()
        self._store.commit(self._progress.actions, outbox)
        self.outbox = _mark(outbox)
        self.remembered = self.place

    def pin(self, pins: Sequence[Pin]) -> None:
        """Give published answers again as they were: the logs are applied as far as these say, one after the other."""
        self._pins = deque(pins)

    def _turn_of(self, ends: Ends) -> Arrival | None:
        pin = self._pin()
        arrival = self._merge.next(ends) if pin is None else self._merge.within(pin[:4], pin.last)
        return None if self._reopening and arrival is not None and _waits_for_all(arrival) else arrival

    def _pin(self) -> Pin | None:
        """How far the logs are applied at most; None once every published answer is reached."""
        while self._pins and reached(self.place, self._pins[0]):
            self._pins.popleft()
        return self._pins[0] if self._pins else None

    def came(self, log: Log) -> Came:
        """What was applied last of a log."""
        return self._progress.came[log]

    @property
    def answers(self) -> int:
        """The offset of their log before which this state has every answer that was published."""
        return self._progress.answers

    def kept(self, answers: int | None) -> None:
        """Answers stand before that offset and are all known, as after a batch is published; None if it published none.

        While some are still to be given again, they may be anywhere before it.
        """
        if answers is not None and not self.pinned:
            self._progress.answers = answers

    @property
    def pinned(self) -> bool:
        """Whether answers are published that are still to be given again."""
        return self._pin() is not None

    def rework(self, ends: Ends, until: Place, told: Told | None) -> bool:
        """Judge again what was judged before, up to that place, and remember it; what was published is not again.

        `told` is what was said by that place; None where nobody came to just that place, but it is known that all is
        published of what comes before the first record behind it, of any log. True once that is reached.
        """
        done = False
        while not done and (arrival := self._again(ends, until if told is not None else None)) is not None:
            done = arrival.offset >= until[arrival.log]
            if not done:
                if _waits_for_all(arrival):
                    self._reopen_all()
                self._turn(arrival, [])
        done = done or self.place[:4] == until[:4]
        if done and not until.walk:
            self._reopen_all()
        if told is not None:
            closed = told.closed if done else min(told.closed, self._progress.recorded)
            self._progress.closed = max(self._progress.closed, closed)
        self._write(told.outbox if told is not None and done else b"")
        return done

    def _again(self, ends: Ends, until: Place | None) -> Arrival | None:
        pin = self._pin()
        if pin is not None:
            return self._merge.within(pin[:4], pin.last)
        known = until is not None and all(end >= place for end, place in zip(ends, until[:4], strict=True))
        return self._merge.within(until[:4]) if until is not None and known else self._merge.next(ends)

    def _reopen_all(self) -> None:
        """Reopen all clients who wait for it, without publishing, and remember them in portions."""
        while self._reopening:
            self._opened.reopening.some([], JUDGED_SECONDS)
            self._write(b"")

    def part(self, outbox: bytes = b"") -> None:
        """Let go in good order: all but what is in the outbox is published, and the next owner need not say it again."""
        self._note()
        self._store.commit(self._progress.actions, outbox)

    def _note(self) -> None:
        self._progress.looked = self.looked
        self._progress.note(self._store, bool(self._opened.reopening))

    def verify(self) -> None:
        """An idle partition finds out too that Redis forgot, or that somebody else has taken over."""
        self._store.verify()

    def _turn(self, arrival: Arrival, outputs: list[Output]) -> None:
        self._merge.drop(arrival)
        self._progress.came_at(arrival.log, came_of(arrival))
        self._store.recorded(self._progress.recorded)
        judging = self._opened
        policy = judging.policy
        judging.turn(arrival, outputs)
        if judging.policy is not policy:
            self._merge.understand_again(Log.ACTIONS, lambda a: self._understood(Log.ACTIONS, a.record, a.at))

    @property
    def place(self) -> Place:
        """How far this partition has come."""
        return Place(*self._progress.applied, self._reopening)


def _mark(outbox: bytes) -> bytes:
    return blake2b(outbox, digest_size=16).digest()


def _waits_for_all(arrival: Arrival) -> bool:
    """Whether it waits until everybody is reopened behind the change of the register before it, so that the order holds."""
    return arrival.log is Log.REGISTER or arrival.log is Log.POLICY
