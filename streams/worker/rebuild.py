"""State made anew from the topics: the same judging in the same order, without publishing anything again.

INVARIANT (nothing unsaid is passed over): of all that comes before the place that state is made to, every output is
published or in its outbox. A partition whose Redis still knows how far it came is rebuilt to that very place, and keeps its
outbox, which is all that may not be published yet. One that lost that, or whose logs end before it, is rebuilt to where
the group and the published answers say that all is published; the worker goes on from there and says the rest again, the
same bytes. What can be known to stand in the way is looked for before anything is removed.

How far it is to come is noted before that, with the outbox, and until it is there: state that was left half made is a state
that went back, which a worker may go on with, too, but no goal for who makes it again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version as version_of
from time import monotonic, sleep
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.errors import CoordinatorNotAvailableError
from msgspec import MsgspecError, Struct
from redis import Redis

from gate.dossier import BEFORE_EVERYTHING
from gate.policy import Policy
from state.codec import UnknownLayout
from state.redis.look import BESIDE, Look, StateLost
from state.redis.owner import Fenced, Moved
from state.redis.servers import Servers
from state.redis.store import RedisStore
from streams.kafka.administration import administrator, cluster, compacted
from streams.kafka.reading import reader
from streams.kafka.topics import Names, inputs, topics
from streams.logs.following import Followed
from streams.logs.lost import LogLost, whole, whole_keys
from streams.logs.merge import Ends, Log
from streams.logs.taking import BATCH, as_many_as_fit
from streams.settings import Settings
from streams.worker.applied import OF_RULES
from streams.worker.belonging import OtherKafka, inputs_as_wide, same_kafka, same_spread
from streams.worker.outputs import outbox_from_bytes
from streams.worker.partition import Partition, Told
from streams.worker.pins import Pin, Unknown
from streams.worker.pins import reached as reached_by
from streams.worker.progress import NEVER, Place, closed_to, goal_to_bytes, place_of, reaches, unfinished, unreadable

LEAVE_SECONDS = 15.0
NOWHERE = (0,) * len(Log)
_OF_PARTITION = (Log.BETWEEN, Log.ACTIONS)

T = TypeVar("T")


class NotMade(Exception):
    """State could not be made anew, or compared; the message says why and what to do."""


class Rebuilt(Struct, frozen=True):
    """One partition."""

    partition: int
    events: int
    clients: int
    place: Place | None
    """How far its state had come; None if that was lost."""
    wanted: int
    """How many events were to be judged; fewer were where a log ends before."""
    differs: tuple[str, ...] | None = None
    """Clients whose bytes are not the same as before, if that was asked."""
    short: str = ""
    """Which logs end before the place that was to be reached; empty if none does."""
    lost: str = ""
    """Why what there was could not be used, if that was asked."""
    unfinished: int = 0
    """How many events the state was to be made of by who left it half made; 0 if nobody did, or that was not asked."""


class Rebuild:
    """Reads the topics of a gate, for one partition after the other."""

    def __init__(self, settings: Settings, redis: Redis | Servers, told: Callable[[int, int, int], None]) -> None:
        """`told` hears of progress: partition, events judged, events to judge."""
        self._settings = settings
        self._redis = redis
        self._told = told
        self._names: Names = topics(settings.prefix)
        self._followed = Followed()
        self._group = f"{settings.prefix}{settings.group}"

    def begin(self, beside: bool) -> int:
        """Read register and policies; returns how many partitions there are. Raises `LogLost`, `OtherPartitions`.

        `beside` running workers only what leaves the state alone may follow; else `NotMade` is raised.
        """
        if not beside:
            self._wait_for_workers_to_leave()  # What they still do on their way out counts.
        self._ask_group()
        with closing(reader(self._settings.kafka)) as consumer:
            found = {topic: len(consumer.partitions_for_topic(topic) or ()) for topic in inputs(self._names)}
            self._partitions = found[self._names.actions.name]
            inputs_as_wide(self._names, found, self._partitions)
            # Before the logs are read, so that these go as far as what is compared with them.
            self._looks = [self._store(n).look() for n in range(self._partitions)]
            same_spread(self._looks, self._partitions)
            self._follow(consumer)
        return self._partitions

    def _ask_group(self) -> None:
        """What the group acknowledged, and whether all is there from which state is made; raises `LogLost`."""
        with closing(administrator(self._settings.kafka)) as admin:
            kept = _coordinated(lambda: admin.list_group_offsets({self._group: None})).get(self._group, {})
            whole_keys(compacted(admin, inputs(self._names)))
            self._kafka = cluster(admin)
        self._acknowledged = {place: max(0, noted.offset) for place, noted in kept.items()}

    def _follow(self, consumer: Any) -> None:
        """Read register and policies to where both end now; raises `LogLost` where they are not whole."""
        logs = {TopicPartition(self._names.policy.name, 0): Log.POLICY}
        logs[TopicPartition(self._names.register.name, 0)] = Log.REGISTER
        consumer.assign([*logs])
        whole({place.topic: first for place, first in consumer.beginning_offsets([*logs]).items()})
        consumer.seek_to_beginning()
        ends = consumer.end_offsets([*logs])
        while any(consumer.position(p) < ends[p] for p in logs):
            for place, records in consumer.poll(500).items():
                for record in records:
                    self._followed.add(logs[place], record)
        for place, log in logs.items():
            self._followed.read[log] = max(self._followed.read[log], ends[place])

    def may_make(self, numbers: Sequence[int]) -> None:
        """Whether these partitions' state can be made; raises `LogLost` or `NotMade` before anything is removed."""
        places = [TopicPartition(t.name, n) for t in (self._names.actions, self._names.between) for n in numbers]
        with closing(reader(self._settings.kafka)) as consumer:
            _from_their_beginning(consumer.beginning_offsets(places))
        untils = (self._goal(n, self._looks[n]) for n in numbers)
        if not all(map(_nothing, untils)) and not any(
            isinstance(arrival.event, Policy) for arrival in self._followed.policies
        ):
            raise NotMade(self._no_policy)

    @property
    def _no_policy(self) -> str:
        return (
            f"`{self._names.policy.name}` holds no policy that can be used, and state is made by those that were in force: give "
            "the topic back its log from a copy; see `gate61 doctor`"
        )

    def check(self, number: int) -> Rebuilt:
        """Rebuild beside the state and compare, byte for byte; the state is not touched.

        Raises `NotMade` where it went on meanwhile, so that nothing can be said.
        """
        store = self._store(number)
        found = self._looks[number]
        place, lost = self._place(found), found.lost or self._foreign(found) or unreadable(found, self._partitions)
        until, beside = place or self._acknowledged_place(number), self._store(number, BESIDE)
        if lost and place is None:
            return Rebuilt(number, 0, found.clients, None, until.actions, lost=lost)
        told = None if place is None else Told(closed_to(found))
        with closing(reader(self._settings.kafka)) as consumer, _said_of(number):
            beside.clear()
            try:
                reached = self._replay(consumer, number, beside, until, told)
                differs = tuple(store.differences(beside))
                clients = beside.count()
            finally:
                beside.clear()
            short = self._short(self._ends(consumer, number), until)
        _stood_still(number, found, store.look(), place, differs)
        goal = unfinished(found)
        left = 0 if goal is None else goal.actions
        return Rebuilt(number, reached.actions, clients, place, until.actions, differs, short, lost, left)

    def make(self, number: int) -> Rebuilt:
        """Remove the state of a partition and make it anew; raises `NotMade` where that came to no end."""
        self._wait_for_workers_to_leave()
        store = self._store(number)
        found = store.look()
        place, wanted = self._place(found), self._goal(number, found)
        with closing(reader(self._settings.kafka)) as consumer, _said_of(number):
            short = self._short(self._ends(consumer, number), wanted)
            told = None if short or wanted.between == NEVER else self._told_by(store, found, wanted)
            until = wanted if told is not None else self._acknowledged_place(number)
            store.making(goal_to_bytes(until), told.outbox if told is not None else b"")
            store.clear()
            reached = self._replay(consumer, number, store, until, told)
            store.making(None)
            return Rebuilt(number, reached.actions, store.count(), place, wanted.actions, short=short)

    def _goal(self, number: int, found: Look) -> Place:
        """How far state is to be made: as far as it was, or was to be made by who came to no end."""
        here, goal = self._place(found) or self._acknowledged_place(number), unfinished(found)
        return here if goal is None or reaches(here, goal) else goal

    def _told_by(self, store: RedisStore, found: Look, until: Place) -> Told | None:
        """What was said by a place that was stored, or is noted as the goal; None where that cannot be known."""
        stored, noted = store.outboxes()
        here = until == self._place(found)
        outbox = stored if here else noted
        with suppress(MsgspecError):
            outbox_from_bytes(outbox or b"")
            return None if outbox is None else Told(closed_to(found) if here else BEFORE_EVERYTHING, outbox)
        return None

    def _place(self, found: Look) -> Place | None:
        """The place to make state anew up to; without its outbox the last outputs may never have been published."""
        with suppress(StateLost):
            known = found.outbox and not found.begun and not self._foreign(found)
            return place_of(found, found.next) if known else None
        return None

    def _foreign(self, found: Look) -> str:
        """Why state says nothing of these logs; empty if it was made from them."""
        try:
            same_kafka([found], self._kafka)
        except OtherKafka as error:
            return error.what
        return ""

    def _short(self, ends: Ends, until: Place) -> str:
        """Which logs end before the place that was to be reached; empty if none does."""
        names = self._names.policy, self._names.register, self._names.between, self._names.actions
        short = [
            f"`{names[log].name}` ends at offset {ends[log]} of {until[log]}"
            for log in Log
            if ends[log] < until[log] < NEVER
        ]
        return ", ".join(short)

    def _logs(self, number: int) -> tuple[TopicPartition, TopicPartition]:
        """What happens between and around the clients of a partition."""
        return TopicPartition(self._names.between.name, number), TopicPartition(self._names.actions.name, number)

    def _ends(self, consumer: Any, number: int) -> Ends:
        """Of register and policies as far as they were read."""
        logs = self._logs(number)
        ends = consumer.end_offsets([*logs])
        return [*self._followed.read, *(ends[log] for log in logs)]

    def _wait_for_workers_to_leave(self) -> None:
        """A stopped worker keeps its place in the group for as long as its session lasts."""
        with closing(administrator(self._settings.kafka)) as admin:
            deadline = monotonic() + LEAVE_SECONDS
            while _coordinated(lambda: admin.describe_groups([self._group])).get(self._group, {}).get("members"):
                if monotonic() > deadline:
                    raise NotMade(f"workers of group `{self._group}` are running; stop them first")
                sleep(0.5)

    def _store(self, number: int, below: str = "") -> RedisStore:
        return RedisStore(self._redis, f"{self._names.actions.name}:{number}", below=below)

    def _acknowledged_place(self, number: int) -> Place:
        return Place(NEVER, NEVER, NEVER, self._acknowledged.get(self._logs(number)[1], 0), 1)

    def _published(self, number: int, pins: Sequence[Pin]) -> Place:
        """Before the first record behind this, of any log, all is published.

        What the group acknowledged of a partition's own logs is: whole batches were kept before that. Of register and
        policies is what answers were given on that were given on any of these.
        """
        between, actions = (self._acknowledged.get(log, 0) for log in self._logs(number))
        kept = [p for p in pins if p.last in _OF_PARTITION and p.between <= between and p.actions <= actions]
        policy, register = (max((pin[log] for pin in kept), default=0) for log in OF_RULES)
        return Place(policy, register, between, actions, 1)

    def _replay(self, consumer: Any, number: int, store: RedisStore, until: Place, told: Told | None) -> Place:
        """Judge again up to that place; returns how far the logs went. For `told` see `Partition.rework`."""
        if _nothing(until):
            return until
        partition = Partition(number, self._partitions, self._followed, store, version_of("gate61"))
        partition.assume(self._kafka)
        if not partition.open():
            raise NotMade(self._no_policy)
        end, pins = self._answers(consumer, number)
        if told is None:
            until = self._published(number, pins)
        # Without a stored place the order of all answers decides what comes first, but of those whose records are gone.
        here = until if told is not None else self._ends(consumer, number)
        partition.pin([pin for pin in pins if reached_by(here, pin)])
        self._judge_again(consumer, partition, until, told)
        if all(reached_by(partition.place, pin) for pin in pins):
            partition.kept(end)  # Who takes it over need not look through them again.
        partition.part(told.outbox if told is not None else b"")
        return partition.place

    def _judge_again(self, consumer: Any, partition: Partition, until: Place, told: Told | None) -> None:
        logs = dict(zip(self._logs(partition.number), (Log.BETWEEN, Log.ACTIONS), strict=True))
        # What lies behind a stored place is not looked at: it may be what a worker stopped at.
        bounds = {p: until[log] if told is not None else NEVER for p, log in logs.items()}
        consumer.assign([*logs])
        consumer.seek_to_beginning()
        ends = {p: min(end, bounds[p]) for p, end in consumer.end_offsets([*logs]).items()}
        between, actions = logs
        reached, more = False, True
        while more and not reached:
            # As in a worker, what waits for another log is a batch by itself.
            (consumer.pause if partition.holds else consumer.resume)(actions)
            asked = [between] if partition.holds else [between, actions]
            found = consumer.poll(500, max_records=BATCH)
            read = {p: _portion(consumer, p, found.get(p, ()), bounds[p]) for p in logs}
            partition.read(*read[actions], *read[between])
            partition.recall()
            reached = partition.rework([*self._followed.read, ends[between], ends[actions]], until, told)
            self._told(partition.number, min(partition.place.actions, until.actions), until.actions)
            more = bool(found) or any(consumer.position(p) < ends[p] for p in asked)

    def _answers(self, consumer: Any, number: int) -> tuple[int, list[Pin]]:
        """The offset after the last published answer, and what all say of the order in which the logs were applied."""
        answers = TopicPartition(self._names.decisions.name, number)
        consumer.assign([answers])
        consumer.seek_to_beginning()
        end, unknown = consumer.end_offsets([answers])[answers], Unknown(NOWHERE)
        while consumer.position(answers) < end:
            for record in consumer.poll(500, max_records=BATCH).get(answers, ()):
                unknown.add(record.headers)
        return end, unknown.pins


def _coordinated(ask: Callable[[], T]) -> T:
    """What Kafka says of groups; brokers that never had one need a moment before they can."""
    deadline = monotonic() + LEAVE_SECONDS
    while True:
        try:
            return ask()
        except CoordinatorNotAvailableError:
            if monotonic() > deadline:
                raise
            sleep(0.5)


def _from_their_beginning(beginnings: Mapping[TopicPartition, int]) -> None:
    """Whether no record was deleted: on the rest more would be allowed than on all; raises `LogLost`."""
    for topic in {place.topic for place in beginnings}:
        gone = [f"{p.partition} (begins at {first})" for p, first in beginnings.items() if p.topic == topic and first]
        if gone:
            raise LogLost(
                f"records of `{topic}` were deleted, in partition {', '.join(gone)}: state made from the rest would allow what "
                "they forbid, so nothing was changed. Keep the state that there is, or bring it back from a copy of Redis' "
                "files; or give the topic back its log from a copy. Keep this topic for good (`gate61 doctor`)"
            )


def _nothing(until: Place) -> bool:
    """Whether nothing was ever taken, or acknowledged, of what happens around clients: that is made by a worker."""
    return not until.actions and until.between in (0, NEVER)


def _portion(consumer: Any, log: TopicPartition, records: Sequence[Any], bound: int) -> tuple[list[Any], int]:
    """As many of the records as fit into a batch, and the offset after them; the others are fetched again."""
    fit = as_many_as_fit(records)
    if fit < len(records):
        consumer.seek(log, records[fit].offset)
    return [r for r in records[:fit] if r.offset < bound], min(consumer.position(log), bound)


def _stood_still(number: int, before: Look, after: Look, place: Place | None, differs: Sequence[str]) -> None:
    """Whether what was compared is of one moment; raises `NotMade`."""
    if (before.next, before.batch) != (after.next, after.batch):
        raise NotMade(
            f"the state of partition {number} went on while it was compared, from offset {before.next} to {after.next}, so "
            "nothing can be said of it: stop the workers, then check again"
        )
    if differs and place is not None and place.walk:
        raise NotMade(
            f"the state of partition {number} has clients who are still to be judged again behind a change of the register: "
            "let a worker come to the end of that, stop it, then check again"
        )


@contextmanager
def _said_of(number: int) -> Iterator[None]:
    """Whatever stands in the way of a partition on the way, as `NotMade`."""
    try:
        yield
    except (Fenced, Moved):
        raise NotMade(
            f"partition {number} is not finished: somebody else wrote its state meanwhile, a worker of this or another "
            "GATE61_GROUP, or another `gate61 rebuild`; stop all that use this GATE61_REDIS with this GATE61_PREFIX, then do it "
            "again"
        ) from None
    except (StateLost, UnknownLayout, LogLost) as error:
        raise NotMade(f"partition {number} is not finished: {error}") from None
