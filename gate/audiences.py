"""Audiences: whom campaigns address, by country, and which of them somebody located in some countries was exposed to.

Law: ESMA guidelines 1, 2 and 4; judging section 5. Clock: event time of each version of a campaign.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from enum import IntEnum
from heapq import merge

from msgspec import Struct

from gate.facts import Instant


class Promoter(IntEnum):
    """What a promoter is to the firm at a time; the greater is worse for the firm."""

    INDEPENDENT = 0
    UNKNOWN = 1
    CHAIN = 2
    FIRM = 3


class Version(Struct, frozen=True, array_like=True, order=True):
    """One version of a campaign as an exposure; sorts by time, then event."""

    at: Instant
    source: str
    id: str
    campaign: str
    promoter: Promoter
    weak: bool


class Exposures:
    """The versions that address one country, without those of independent promoters: by weight, each sorted by time."""

    def __init__(self, versions: Iterable[Version]) -> None:
        self.strong: list[Version] = []
        self.unknown: list[Version] = []
        self.weak: list[Version] = []
        for version in versions:
            self.add(version)

    def add(self, version: Version) -> None:
        """One more version, of any time."""
        if version.promoter is Promoter.UNKNOWN:
            insert(self.unknown, version)
        elif version.promoter is not Promoter.INDEPENDENT:
            insert(self.weak if version.weak else self.strong, version)


class Audience:
    """The exposures of somebody located in some countries, each once; weak only if weak in each that it addresses.

    Countries are put together when asked, as far as asked: there are very many sets of them. Lists are sorted by time.
    """

    def __init__(self, parts: list[Exposures]) -> None:
        """`parts` are those of each country."""
        self._parts = parts

    def each_strong(self) -> Iterable[Version]:
        """Of promoters who count, one after the other: who wants the first of many makes no list of them."""
        return _together([part.strong for part in self._parts])

    def until(self, at: Instant, many: int | None) -> tuple[list[Version], list[Version], list[Version]]:
        """Strong, unknown and weak ones that began by then: of each the earliest, so `many` (None: all)."""
        return (
            _first(_together([part.strong for part in self._parts]), at, many),
            _first(_together([part.unknown for part in self._parts]), at, many),
            _first(self._weak(), at, many),
        )

    def between(self, since: Instant, until: Instant, many: int | None) -> list[Version]:
        """Those that began after `since` and by `until`, the latest first, so `many` (None: all)."""
        found: dict[tuple[Instant, str, str], Version] = {}
        for part in self._parts:
            for versions in (part.strong, part.unknown, part.weak):
                if versions and versions[-1].at > since:
                    found |= {_event(v): v for v in _last(versions, since, until, many)}
        return sorted(found.values(), reverse=True)[:many]

    def _weak(self) -> Iterable[Version]:
        weak = _together([part.weak for part in self._parts])
        if len(self._parts) == 1:
            return weak
        return (v for v in weak if not any(_is_strong(v, part.strong) for part in self._parts))


def insert(versions: list[Version], version: Version) -> None:
    """Put a version in its place among sorted ones, which mostly is the last."""
    if versions and version < versions[-1]:
        insort(versions, version)
    else:
        versions.append(version)


def _together(lists: list[list[Version]]) -> Iterable[Version]:
    """The versions of sorted lists in one order, each event once."""
    return lists[0] if len(lists) == 1 else _each_once(merge(*lists))


def _each_once(versions: Iterable[Version]) -> Iterator[Version]:
    last: Version | None = None
    for version in versions:
        if last is None or _event(version) != _event(last):
            yield version
        last = version


def _is_strong(version: Version, strong: list[Version]) -> bool:
    """Whether a weak version is strong in another country: the strong one sorts right before the weak."""
    place = bisect_left(strong, version)
    return place > 0 and _event(strong[place - 1]) == _event(version)


def _first(versions: Iterable[Version], until: Instant, many: int | None) -> list[Version]:
    found: list[Version] = []
    for version in versions:
        if version.at > until or len(found) == many:
            break
        found.append(version)
    return found


def _last(versions: list[Version], since: Instant, until: Instant, many: int | None) -> list[Version]:
    end = bisect_right(versions, until, key=began)
    begin = bisect_right(versions, since, hi=end, key=began)
    return versions[begin if many is None else max(begin, end - many) : end]


def _event(version: Version) -> tuple[Instant, str, str]:
    return (version.at, version.source, version.id)


def began(version: Version) -> Instant:
    """When it began: by this sorted versions are searched."""
    return version.at
