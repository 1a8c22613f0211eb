"""What processes use, from /proc: processor time and memory of a process and its children."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Use(NamedTuple):
    """What a process and its children used so far."""

    processor: float
    """Seconds."""
    memory: int
    """Bytes resident."""


class Sample(NamedTuple):
    """What everyone used until one moment."""

    at: float
    """Seconds since 1970."""
    uses: Mapping[str, Use]


def use(pid: int) -> Use:
    """What a process and its children used; nothing if it is gone."""
    processor, memory = 0.0, 0
    for each in _tree(pid):
        try:
            words = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        processor += sum(map(int, words[11:15])) / _TICK  # User and system, its own and of children it waited for.
        memory += int(words[21]) * _PAGE
    return Use(processor, memory)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                yield from _tree(int(child))
        except (FileNotFoundError, ProcessLookupError):
            continue


def sample(pids: Mapping[str, int]) -> Sample:
    """What everyone used until now."""
    return Sample(time.time(), {name: use(pid) for name, pid in pids.items()})


def processor_between(samples: Sequence[Sample], name: str, begin: float, end: float) -> float:
    """Seconds of processor time between two moments, straight lines between samples."""
    return _at(samples, name, end) - _at(samples, name, begin)


def _at(samples: Sequence[Sample], name: str, moment: float) -> float:
    before = samples[0]
    for after in samples:
        if after.at >= moment:
            if after.at == before.at:
                break
            share = (moment - before.at) / (after.at - before.at)
            return before.uses[name].processor + share * (after.uses[name].processor - before.uses[name].processor)
        before = after
    return before.uses[name].processor


def machine() -> str:
    """The processor and how many there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), os.uname().machine
    )
    return f"{model}, {os.cpu_count()} cores"


def busy(seconds: float) -> float:
    """The share of the machine that is used, over so many seconds from now."""
    begun = _times()
    time.sleep(seconds)
    used, whole = (now - then for now, then in zip(_times(), begun, strict=True))
    return used / whole


def _times() -> tuple[int, int]:
    """Ticks that all processors worked, and ticks in all."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # Without idle and waiting for disks.
