"""The loop of one partition, one batch at a time, in this order of effects (design section 3):

1. read a batch, bytes to facts or rejects; 2. recall the dossiers; 3. step each fact; 4. remember all of it, the outputs
and the next offset in one fenced write; 5. publish the outputs and await that they are kept; 6. acknowledge the offsets,
which is a hint for lag tools: the truth is stored with the state.

After any error the partition is assumed anew: its outbox is published again, the same bytes, and reading goes on from
the stored offset. Nothing is skipped and nothing is allowed meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeVar

from gate.facts import Instant
from gate.policy import SECOND
from state.redis.owner import Fenced
from streams.faults import fault
from streams.logs.lost import (
    GIVE_BACK,
    GIVE_BACK_THE_RULES,
    LogLost,
    begins_too_late,
    ends_too_early,
    other_record,
)
from streams.logs.merge import CALLED, Ends, Log
from streams.worker.applied import OF_RULES
from streams.worker.contracts import Bounds, Publisher, Source, Surroundings
from streams.worker.partition import Partition
from streams.worker.progress import Place, another
from streams.worker.storm import Storm

FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds before the partition is assumed again after an error, doubled up to the longest."""
POLL = 0.25
"""Seconds that an idle partition waits for records before it looks at deadlines and the register."""
LAST_SECONDS = 1.0
"""What Kafka gets to note how far a partition came that is let go of."""
VERIFY = 5 * SECOND
"""After so long an idle partition asks whether what it wrote is still there."""

UNREAD = SECOND
"""After so long it is said which log is waited for: what is published in a transaction can be read once that ends."""

PAUSED = "paused: most of what was read in the last minute could not be taken"
ONE_INSTANCE = "if this goes on, two workers have one GATE61_INSTANCE (by default the host's name): give each its own"
ONE_OWNER = f"{ONE_INSTANCE}; or one GATE61_REDIS and GATE61_PREFIX, and each its GATE61_GROUP: give all the same group"

T = TypeVar("T")


class PartitionLoop:
    """Runs one partition until it is told to stop."""

    def __init__(self, partition: Partition, source: Source, publisher: Publisher, world: Surroundings) -> None:
        self.partition = partition
        self.state = "starting"
        self.told: Callable[[Partition], None] = lambda _: None
        """Called for metrics with each batch once it is remembered, so that it counts, and with each error."""
        self.seconds: Callable[[float], None] = lambda _: None
        """Called with how long a batch took that had something to do, from read to acknowledged."""
        self._stopped = asyncio.Event()
        self.beat: Instant = world.steady()
        """When the loop last went round, by the steady clock."""
        self.round: Instant = world.steady()
        """When it last came to the end of a round, by the same."""
        self.trouble: Exception | None = None
        """What it met last and has not got over, see `_got_over`."""
        self.judging = False
        """Whether what it took is being judged, or waits for that."""
        self.goes = False
        """Whether it is to go round, and does not begin anew."""
        self.awaits: tuple[str, Instant] | None = None
        """What it waits for Kafka to do, and since when by the steady clock."""
        self._source = source
        self._publisher = publisher
        self._world = world
        self._storm = Storm()
        self._verified: Instant = world.steady()
        self._kept = b""
        """The mark of the outbox that was published last, all of it acknowledged."""
        self._wait = FIRST_WAIT
        """Seconds before it begins anew after the next error."""
        self._said = ""
        """What was said of the trouble: its state for as long as that lasts."""
        self._from = NOWHERE
        """The place that it went on from when it began,"""
        self._until = (0, 0)
        """and where the logs of what happens around clients and between them ended then."""
        self._held_up: Instant | None = None
        """Since when nothing could be taken although something waits."""

    def stop(self) -> None:
        """Finish the batch under way and let go; what is only being waited out ends at once."""
        self._stopped.set()

    @property
    def paused(self) -> bool:
        """Whether it waits by itself, for longer than a round takes."""
        return self.state == PAUSED

    @property
    def stopping(self) -> bool:
        """Whether somebody asked it to end."""
        return self._stopped.is_set()

    async def _rest(self, seconds: float) -> None:
        await self._world.sleep(seconds, self._stopped)

    async def run(self) -> None:
        """Go round until `stop`; errors are said, waited out and never passed over."""
        while not self.stopping:
            try:
                if not await self._unless_stopped(self._assume()):
                    return  # What the outbox holds may not be published yet: it stays for the next owner.
                self.goes = True
                while not self.stopping:
                    await self._batch()
                await self._world.aside(self.partition.part)
                await self._acknowledge_last()
            except Exception as error:
                self._trouble(error)
                await self._rest(self._wait)
                self._wait = min(2 * self._wait, LONGEST_WAIT)

    async def _acknowledge_last(self) -> None:
        """For as long as nobody reads on, lag tools see what was noted last."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await self._source.acknowledge(*self.partition.next, at_once=True)

    def _trouble(self, error: Exception) -> None:
        what = self._world.said(error)
        for_people = isinstance(error, LogLost) or fault(error)
        kind = "fenced" if isinstance(error, Fenced) else "stopped" if for_people else "waiting"
        # Without its traceback, which knows this loop: so both, and all that is in memory, go when they are let go of.
        self.trouble, self.goes = error.with_traceback(None), False
        self.state = self._said = f"{kind}: {what}; {ONE_OWNER}" if isinstance(error, Fenced) else f"{kind}: {what}"
        self.partition.counts.clear()  # What was not remembered did not happen, and is counted when it does.
        self.partition.counts["trouble", kind] += 1
        self.told(self.partition)
        hint = {"do": ONE_OWNER} if isinstance(error, Fenced) else {}
        self._world.say(self.partition.number, kind, error=what, **hint)

    async def _assume(self) -> bool:
        """Become the owner, publish what may not be published yet, read on from the stored offset.

        False if it was stopped before it knew all that this takes: then all is left as it is stored.
        """
        bounds = await self._source.bounds()
        assumed = await self._world.aside(self.partition.assume, await self._source.kafka())
        if any(bounds[log].end < self.partition.place[log] for log in Log):
            bounds = await self._source.bounds()  # Who had it may have gone on until it was taken over.
        for log in Log:
            _has(log, bounds[log], self.partition.place[log], assumed.new)
        await self._same_logs(bounds)
        if assumed.outbox and self.partition.outbox != self._kept:  # Whom his next input stops assumes again and again.
            await self._kafka(_KEEP, self._publisher.publish(assumed.outbox))
            self._kept = self.partition.outbox
        while not await self._world.aside(self.partition.open):
            if self.stopping:
                return False
            self.state = "waiting: the policy and the register have not been read yet"
            await self._rest(POLL)
        await self._source.seek(assumed.actions, assumed.between)
        end, pins = await self._source.answered(self.partition.place, self.partition.answers)
        self._have_all_answers(end)
        self.partition.pin(pins)
        # Of state that was made anew, or that nothing is published of, nothing else would note it.
        self.partition.kept(end)
        self._from, self._until = self.partition.place, (bounds[Log.ACTIONS].end, bounds[Log.BETWEEN].end)
        self.state = self._said or "running"
        again = len(assumed.outbox)
        self._world.say(self.partition.number, "assumed", next=assumed.actions, again=again, pins=len(pins))
        return True

    def _have_all_answers(self, end: int | None) -> None:
        """Say so if the log of answers ends before what was noted as published."""
        noted = self.partition.answers
        if end is not None and end < noted:
            lost = noted - end
            self._world.say(
                self.partition.number, "misses answers that were published", end=end, lost=lost, do=_RESTORE
            )

    async def _same_logs(self, bounds: Sequence[Bounds]) -> None:
        """Whether what was taken last still stands where it was taken from; raises `LogLost`."""
        place, logs = self.partition.place, (Log.ACTIONS, Log.BETWEEN)
        # Of a log whose beginning was deleted up to there nothing is left to compare.
        last = [place[log] - 1 if place[log] > bounds[log].first else -1 for log in logs]
        for log, there in zip(logs, await self._source.came(*last), strict=True):
            if there is not None and another(there, self.partition.came(log)):
                raise other_record(f"the log {CALLED[log]}", place[log] - 1)

    async def _batch(self) -> None:
        """One round."""
        partition, world = self.partition, self._world
        self.beat = world.steady()
        if world.held():
            self.state = f"waiting: {world.held()}"
            await self._rest(POLL)
            return
        if self._held_up is None:
            self.state = self._said or "running"
        reading = self._source.read(0.0 if partition.waits else POLL, partition.wanted)
        found = await self._unless_stopped(reading)
        if found is None:
            return
        actions, between = found
        begun, before = perf_counter(), partition.place
        await self._judge(partition.read, *actions, *between)
        await world.aside(partition.recall)
        now = world.now()
        asked = partition.waits or partition.due(now)
        ends = await self._kafka("to say where its logs end", self._source.ends()) if asked else _NOTHING
        outputs = await self._judge(partition.work, ends, now)
        await world.aside(partition.remember, outputs)
        self.told(partition)
        if outputs:
            end = await self._kafka(_KEEP, self._publisher.publish(outputs))
            self._have_all_answers(end)
            partition.kept(end)
            self._kept = partition.outbox
        await self._kafka("to note how far it has come", self._source.acknowledge(*partition.next))
        if actions.records or between.records or outputs:
            self.seconds(perf_counter() - begun)
        else:
            await self._verify()
        await self._after(ends, partition.place != before, len(actions.records))
        if self.trouble is not None and self._got_over(actions.read, between.read):
            self.trouble, self._said, self._wait = None, "", FIRST_WAIT

    def _got_over(self, actions: int, between: int) -> bool:
        """Whether, after a round without it, the trouble before it is over; both logs were looked at as far as these.

        It has come further than where it met that; or nothing that was there when it began anew is left to meet it.
        """
        partition = self.partition
        left = partition.waits or actions < self._until[0] or between < self._until[1]
        return partition.place != self._from or not left

    async def _verify(self) -> None:
        """Ask now and then whether what was written is still there."""
        if self._world.steady() - self._verified > VERIFY:
            await self._world.aside(self.partition.verify)
            self._verified = self._world.steady()

    async def _after(self, ends: Ends, moved: bool, read: int) -> None:
        """What is said and waited for between two batches: logs, answers to be given again, a storm of bad records."""
        await self._wait_for_logs([] if moved else self.partition.missing(ends))
        if self.partition.pinned:
            self.state = "waiting: what published answers were given on has not been read yet"
            if not moved:
                await self._rest(POLL)
        await self._calm(read)
        self.round = self._world.steady()

    async def _wait_for_logs(self, missing: Sequence[Log]) -> None:
        """Say what keeps everything waiting where it takes longer than reading does, and do not ask for it all the time."""
        now = self._world.steady()
        if not missing:
            self._held_up = None
            return
        self._held_up = self._held_up or now
        if now - self._held_up > UNREAD:
            state = f"waiting: {unread(missing)}"
            if state != self.state:
                self._world.say(self.partition.number, "waits for a log", why=unread(missing))
            self.state = state
            await self._rest(POLL)

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What it finds; None once somebody stops the loop.

        Kafka's client may wait for the group to be divided anew, and that waits for this loop to end.
        """
        working = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            working.cancel()
            stopped.cancel()
            del working, stopped  # An error that is passed on knows this frame, and they know the error.

    async def _calm(self, read: int) -> None:
        """Pause where most of what came in a minute could not be taken: somebody must look at who publishes it."""
        seconds = self._storm.saw(read, self.partition.refused, self._world.steady())
        if seconds:
            self.state = PAUSED
            self._world.say(self.partition.number, "paused", seconds=seconds, refused=self._storm.refused)
            await self._rest(seconds)
            self.state = self._said or "running"

    async def _kafka(self, what: str, work: Awaitable[T]) -> T:
        """What Kafka does; while that is waited for, it is told what is."""
        self.awaits = what, self._world.steady()
        try:
            return await work
        finally:
            self.awaits = None

    async def _judge(self, work: Callable[..., T], *given: Any) -> T:
        """What keeps a processor busy; while it does, that is known."""
        self.judging = True
        try:
            return await self._world.apart(work, *given)
        finally:
            self.judging = False


_NOTHING: Ends = (0, 0, 0, 0)
NOWHERE = Place(0, 0, 0, 0, 0)
_KEEP = "to keep what it publishes"
_RESTORE = "give the topic of answers back what it lost, or tell who reads it: they are not published again"


def unread(logs: Sequence[Log]) -> str:
    """What is to be said where logs are waited for longer than `UNREAD`."""
    called = " and ".join(CALLED[log] for log in logs)
    return f"the log {called} cannot be read to its end: somebody's transaction is open there, or a broker does not copy it"


def _has(log: Log, bounds: Bounds, wanted: int, new: bool) -> None:
    """Whether a log still has what must be read next; raises `LogLost`."""
    what = f"the log {CALLED[log]}"
    if bounds.first > wanted:
        raise begins_too_late(what, bounds.first, wanted, new)
    if bounds.end < wanted:
        raise ends_too_early(what, bounds.end, wanted, GIVE_BACK_THE_RULES if log in OF_RULES else GIVE_BACK)
