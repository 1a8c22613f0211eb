"""What taints a scope: a prompt, or a solicitation at or before the request that blocks.

Law: judging sections 4 to 6 (`scope.tainted`). Many scopes are held against many solicitations at once. So it is found
once from when each of them blocks; a scope then compares times only, and finds the first by asking for one place.
"""

from bisect import bisect_left
from collections.abc import Iterable

from gate.audiences import Promoter, Version
from gate.dossier import BEFORE_EVERYTHING, Reached, Scope, Touch
from gate.facts import Instant, Thing
from gate.known import Known
from gate.policy import Policy
from gate.register import Register
from gate.solicitation import first_strong, is_approved, is_withdrawn, promoter_of, still_left

_Blocking = tuple[Instant, Touch]
"""A touch that blocks, and from when it is known to."""


class Taints:
    """What taints the scopes of a client, whichever of them is asked about."""

    def __init__(self, known: Known) -> None:
        self._turns = may_turn(known)
        self._latest = known.dossier.latest
        self._hard_limit = known.policy.hard_limit
        self._members = [
            _Member(reached, known.register, known.policy, self._latest) for reached in known.dossier.members()
        ]

    def of(self, scope: Scope) -> str | None:
        """The first event that prompted the request or solicited the client before it, as known of its time or by now."""
        prompted = scope.prompted(self._hard_limit)
        if prompted:
            return prompted[0]
        found = self._solicited(scope, False)
        if found is None and self._turns and self._latest > scope.opened:
            found = self._solicited(scope, True)
        return found

    def _solicited(self, scope: Scope, by_now: bool) -> str | None:
        """The first solicitation that blocks what the scope would carry, by what is known at its time or by now."""
        for member in self._members:
            found = member.solicited(scope, by_now)
            if found is not None:
                return found
        return None


class _First:
    """Of events in some order, each of which spoils what is not earlier than a time of its own, the first that does."""

    def __init__(self, events: Iterable[tuple[Instant, str]]) -> None:
        self._since: list[Instant] = []
        """Negative, of those that are earlier than all before them: no other is ever the first."""
        self._ids: list[str] = []
        for since, id in events:
            if not self._since or -since > self._since[-1]:
                self._since.append(-since)
                self._ids.append(id)

    def at(self, time: Instant) -> str | None:
        """Its id; None where all are later than this time."""
        place = bisect_left(self._since, -time)
        return self._ids[place] if place < len(self._ids) else None


class _Turning:
    """The same of touches of which it may become known late that they block."""

    def __init__(self, blocking: list[_Blocking], latest: Instant) -> None:
        self._then = _First((max(touch.at, since), touch.id) for since, touch in blocking)
        self._now = _First((touch.at, touch.id) for since, touch in blocking if since <= latest)

    def at(self, time: Instant, by_now: bool) -> str | None:
        """The id of the first one by this time that is known to block at it, or by now; None where there is none."""
        return (self._now if by_now else self._then).at(time)


class _Member:
    """All that may spoil scopes of what reached a client, or somebody who is the same person."""

    def __init__(self, reached: Reached, register: Register, policy: Policy, latest: Instant) -> None:
        self._reached, self._register, self._latest = reached, register, latest
        firsts = [_first_that_blocks(key, span.entries, register) for key, span in reached.touches.items()]
        self._touches = _Turning([found for found in firsts if found is not None], latest)
        blocking = [(s.key, _first_that_blocks(s.key, (s.touch,), register)) for s in reached.singles]
        self._singles = [(key, found) for key, found in blocking if found is not None]
        self._tagged = any(key[0] == "t" for key, _ in self._singles)
        proven = (f for f in reached.accusations if not is_withdrawn(f, reached) and is_approved(f, reached, policy))
        self._accusations = _First((f.since, f.id) for f in proven)
        self._left: dict[Thing | None, _Turning] = {}
        """Of the touches that people narrowed, those that still block a thing; None where that is the same for all."""
        self._addressed: dict[tuple[tuple[str, ...], Thing | None], Version | None] = {}
        """The first campaign that blocks, by where the client was and the thing; None where nothing was narrowed."""

    def solicited(self, scope: Scope, by_now: bool) -> str | None:
        """The first that blocks what the scope would carry, by what is known at its time or by now."""
        touched = self._touches.at(scope.opened, by_now)
        if touched is not None:
            return touched
        if self._singles:
            touched = self._still_left(scope).at(scope.opened, by_now)
            if touched is not None:
                return touched
        version = self._first_campaign(scope, self._latest if by_now else scope.opened)
        if version is not None and version.at <= scope.opened:
            return version.id
        return self._accusations.at(scope.opened)

    def _still_left(self, scope: Scope) -> _Turning:
        thing = scope.thing if self._tagged else None
        found = self._left.get(thing)
        if found is None:
            still = [
                each
                for key, each in self._singles
                if key[0] != "t" or still_left(self._reached, (each[1].id,), scope.thing)
            ]
            found = self._left[thing] = _Turning(still, self._latest)
        return found

    def _first_campaign(self, scope: Scope, at: Instant) -> Version | None:
        countries = tuple(sorted(c for c in self._reached.countries if self._register.in_scope(c, at)))
        if not countries:
            return None
        where = (countries, scope.thing if self._reached.narrowings else None)
        if where not in self._addressed:
            self._addressed[where] = first_strong(self._reached, self._register, countries, scope.thing)
        return self._addressed[where]


def may_turn(known: Known) -> bool:
    """Whether later register entries can change whose tag it was or whether a country is in scope."""
    keys = (key for reached in known.dossier.members() for key in (*reached.touches, *(s.key for s in reached.singles)))
    return known.register.rescoped or any(key[0] == "t" for key in keys)


def _first_that_blocks(key: str, touches: Iterable[Touch], register: Register) -> _Blocking | None:
    """Of one promoter's touches, in order of time, the first that blocks: none of the others does from an earlier time."""
    begun = register.tag_begins(key[2:]) if key[0] == "t" else BEFORE_EVERYTHING
    if begun is None:
        return None  # Of a tag that nobody registered nobody knows whose it was; that never blocks.
    for touch in touches:
        since = max(touch.at, begun)
        if promoter_of(register, key, touch.at, since) >= Promoter.CHAIN:
            return since, touch
    return None
