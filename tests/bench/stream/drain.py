"""How fast a backlog is drained, and with what: from the tenth part of the answers to the last."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.stream.ground import Ground
from tests.bench.stream.processes import Sample, processor_between, sample
from tests.bench.stream.rivals import Rival, Run
from tests.runtime.process import Process

SKIPPED = 0.1
"""Of the answers: start-up and warming up are not measured."""
START_SECONDS = 60
EACH_SECONDS = 0.1


class Backlog(NamedTuple):
    """What lies ready to be drained."""

    prefix: str
    input: str
    events: int
    offers: int
    clients: int


class Drained(NamedTuple):
    """How one rival did once."""

    rival: str
    events: int
    """Measured ones."""
    seconds: float
    processor: float
    """Microseconds an event, all processes of the rival, Redis with ours."""
    redis: float
    """Of these, Redis."""
    broker: float
    """Microseconds an event that the broker used meanwhile."""
    memory: int
    """Bytes resident at the end, Redis not included."""
    grown: int
    """Bytes resident more than before the first answer."""
    redis_memory: int
    """Bytes that Redis used more than before."""
    answers: int
    whole: bool
    """False if the time was over before the backlog was."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


class TooFew(Exception):
    """A rival did not do what it should have."""


def run_of(ground: Ground, rival: Rival, backlog: Backlog, commit_seconds: float) -> Run:
    """Where the rival works this time: outputs of its own, and for ours an empty Redis."""
    number = ground.next()
    folder = ground.folder / f"run-{number}"
    names = ground.fresh(backlog.prefix) if rival.redis else None
    return Run(
        kafka=ground.kafka.servers,
        redis=ground.redis.url,
        prefix=backlog.prefix,
        input=backlog.input,
        output=names.decisions.name if names else ground.output(),
        group=f"{backlog.prefix}g{number}",
        partitions=ground.partitions,
        folder=folder,
        commit_seconds=commit_seconds,
    )


def drain(ground: Ground, rival: Rival, backlog: Backlog, run: Run, longest: float) -> Drained:
    """Start the rival on the backlog and measure until all is answered, or for so many seconds after the first answer."""
    before, since = ground.redis_memory(), ground.ends(run.output)
    child = rival.start(run)
    try:
        samples, commits, whole = watch(ground, rival, backlog, run, child, longest, sum(since.values()))
        after = ground.redis_memory()
    finally:
        child.stop(5)
    if rival.answers == "none":
        times = [at for (at, done), (_, last) in zip(commits[1:], commits, strict=False) for _ in range(done - last)]
        expected = backlog.events
    else:
        times = ground.appended(run.output, since)
        expected = backlog.events if rival.answers == "all" else backlog.offers
        if whole and len(times) < expected:
            raise TooFew(f"{rival.title} answered {len(times)} of {expected}; see its log in {run.folder}")
    return _measured(rival, backlog, samples, times, expected, after - before, whole)


Watched = tuple[list[Sample], list[tuple[float, int]], bool]


def watch(
    ground: Ground, rival: Rival, backlog: Backlog, run: Run, child: Process, longest: float, base: int
) -> Watched:
    """Samples of use, samples of progress, and whether all was done."""
    pids = {"rival": child.pid, "redis": ground.redis.pid, "broker": ground.kafka.pid}
    samples, progress = [sample(pids)], [(time.time(), 0)]
    begun, first, moved = time.time(), 0.0, time.time()
    commits = rival.answers == "none"
    target = backlog.offers if rival.answers == "offers" else backlog.events
    while True:
        time.sleep(EACH_SECONDS)
        if not child.alive:
            raise TooFew(f"{rival.title} ended; it said last:\n{child.said()[-3000:]}")
        done = ground.committed(run.group, run.input) if commits else sum(ground.ends(run.output).values()) - base
        samples.append(sample(pids))
        now = samples[-1].at
        if done != progress[-1][1]:
            first, moved = first or now, now
        progress.append((now, done))
        if done >= target and now - moved > (0 if commits else 1):
            return samples, progress, True
        if first and now - first > longest:
            return samples, progress, False
        if now - begun > START_SECONDS and not first:
            raise TooFew(f"{rival.title} did not begin in {START_SECONDS} s:\n{child.said()[-3000:]}")


def _measured(
    rival: Rival,
    backlog: Backlog,
    samples: Sequence[Sample],
    times: Sequence[float],
    expected: int,
    redis: int,
    whole: bool,
) -> Drained:
    begin = times[int(min(SKIPPED * expected, 2 * SKIPPED * len(times)))]
    end = times[-1]
    counted = sum(1 for at in times if at > begin)
    if end - begin < 0.5:
        raise TooFew(f"{rival.title} was done in {end - begin:.1f} s, too short to measure; take more events")
    events = round(counted * backlog.events / expected)
    spent = {name: processor_between(samples, name, begin, end) / events * 1e6 for name in ("rival", "redis", "broker")}
    ready = max((s for s in samples if s.at <= times[0]), key=lambda s: s.at, default=samples[0]).uses["rival"].memory
    memory = max(s.uses["rival"].memory for s in samples)
    return Drained(
        rival.name,
        events,
        end - begin,
        spent["rival"] + (spent["redis"] if rival.redis else 0),
        spent["redis"] if rival.redis else 0,
        spent["broker"],
        memory,
        memory - ready,
        redis if rival.redis else 0,
        len(times),
        whole,
    )
